"""Errors travel: to another process and into a copy, with message, notes and attributes."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from unigrad.errors import GraphFormatError, Location, UnigradError, locate
from unigrad.ir.dim_text import parse_size
from unigrad.ir.dims import DimSyntaxError
from unigrad.trace.array import OuterValueError

if TYPE_CHECKING:
    from collections.abc import Callable


def kinds(base: type[UnigradError] = UnigradError) -> list[type[UnigradError]]:
    return [base, *(kind for one in base.__subclasses__() for kind in kinds(one))]


ARGUMENTS: dict[type[UnigradError], tuple[Any, ...]] = {
    GraphFormatError: ("what is wrong", 3, 7),
    DimSyntaxError: ("what is wrong", 7),
}
KINDS = [one for one in dict.fromkeys(kinds()) if one.__module__.startswith("unigrad")]
WAYS: list[Callable[[Any], Any]] = [
    lambda error: pickle.loads(pickle.dumps(error)),
    lambda error: pickle.loads(pickle.dumps(error, 0)),
    copy.copy,
    copy.deepcopy,
]


def facts(error: BaseException) -> tuple[Any, ...]:
    return type(error), str(error), error.args, error.__dict__


@pytest.mark.parametrize("way", WAYS, ids=["pickle", "pickle of old", "copy", "deepcopy"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_travels(kind: type[UnigradError], way: Any) -> None:
    error = kind(*ARGUMENTS.get(kind, ("expected this, given that",)))
    locate(error, Location("model.py", 7, function="loss"))
    error.add_note("a second note")
    found = way(error)
    assert facts(found) == facts(error)
    assert found.__notes__ == ['  File "model.py", line 7, in loss', "a second note"]
    found.add_note("its own")
    assert type(found) is kind


class UnlikeError(UnigradError):
    """An error whose constructor takes something else than what the error keeps."""

    def __init__(self, *, wanted: int, given: int) -> None:
        super().__init__(f"expected {wanted}, given {given}")
        self.given = given


@pytest.mark.parametrize("way", WAYS, ids=["pickle", "pickle of old", "copy", "deepcopy"])
def test_a_kind_of_somebody_else_travels_whatever_its_constructor_takes(way: Any) -> None:
    found = way(UnlikeError(wanted=3, given=4))
    assert (str(found), found.given) == ("expected 3, given 4", 4)


def test_without_our_own_way_such_an_error_does_not_travel() -> None:
    """A planted fault: what Python does by itself calls the constructor with the message."""
    error = UnlikeError(wanted=3, given=4)
    kind, args, *_ = Exception.__reduce__(error)  # pyright: ignore[reportGeneralTypeIssues]
    with pytest.raises(TypeError):
        kind(*args)  # pyright: ignore[reportCallIssue]


def _shapes() -> None:
    ug.function(lambda x: x + np.ones(7))(np.ones(3))


def _graph() -> None:
    ug.from_text("unigrad graph 1\ngraph\n%0 = \n")


def _outer() -> None:
    def outer(x: Any) -> Any:
        inner = ug.function(lambda y: y * x)
        return inner.graph(2.0)

    ug.function(outer)(1.0)


@pytest.mark.parametrize("way", WAYS, ids=["pickle", "pickle of old", "copy", "deepcopy"])
@pytest.mark.parametrize("fails", [_shapes, _graph, _outer, lambda: parse_size("n +")])
def test_what_is_raised_travels(fails: Callable[[], None], way: Any) -> None:
    with pytest.raises(UnigradError) as caught:
        fails()
    found = way(caught.value)
    assert str(found) == str(caught.value)
    assert getattr(found, "__notes__", None) == getattr(caught.value, "__notes__", None)


def test_a_trace_stays_in_its_process() -> None:
    with pytest.raises(OuterValueError) as caught:
        _outer()
    assert caught.value.bodies is not None
    assert copy.copy(caught.value).bodies is None
