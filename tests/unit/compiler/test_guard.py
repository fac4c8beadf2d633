"""The fast way into a compiled signature: for plain arguments, and for dicts, lists and tuples."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

import unigrad as ug
from tests import targets
from tests.guarded import is_taken
from unigrad.backend import registry
from unigrad.ir.types import DTYPES

if TYPE_CHECKING:
    from collections.abc import Callable


ONES, ZEROS = np.ones(3), np.zeros(3)


class Pair(NamedTuple):
    first: Any
    second: Any


@dataclasses.dataclass
class Record:
    weight: Any
    name: str = "a record"


def model(parameters: Any, pair: Any, x: Any, scale: Any) -> Any:
    total = parameters["w"] * x + parameters["b"][0] * scale
    return {"y": total, "z": (pair[0] - pair[1]["k"], total[0])}


def arguments(convert: Callable[[Any], Any] = lambda x: x) -> tuple[Any, ...]:
    ones, zeros = convert(ONES), convert(ZEROS)
    return {"w": ones, "b": [zeros]}, Pair(ones, {"k": zeros}), convert(np.arange(3.0)), 2.0


@pytest.mark.parametrize("target", targets.of(["numpy", *targets.FRAMEWORKS]))
def test_structures_take_the_fast_way(target: str) -> None:
    function = ug.function(model)
    with ug.use(target):
        first = function(*arguments())
        assert is_taken(function, *arguments())
        second = function(*arguments())
    np.testing.assert_array_equal(first["y"], second["y"])
    np.testing.assert_array_equal(second["z"][0], ONES)
    assert type(second["z"][1]) is np.float64


@pytest.mark.parametrize("target", targets.of(targets.FRAMEWORKS))
def test_so_do_structures_of_native_arrays(target: str) -> None:
    runtime = registry.runtime(registry.found(target.partition(":")[0]))
    given = arguments(lambda x: runtime.asarray(x, DTYPES["float64"], None))
    function = ug.function(model)
    with ug.use(target):
        function(*given)
        assert is_taken(function, *given)
        assert runtime.is_native(function(*given)["y"])


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(({"w": ONES, "b": (ZEROS,)},), id="a tuple for a list"),
        pytest.param(({"w": ONES, "b": [ZEROS, ZEROS]},), id="a longer list"),
        pytest.param(({"w": ONES, "b": [ZEROS], "c": ONES},), id="another key"),
        pytest.param(({"w": ONES, "b": [ONES[:2]]},), id="another shape"),
        pytest.param(({"w": ONES.astype("float32"), "b": [ZEROS]},), id="another dtype"),
        pytest.param(({"w": 1.0, "b": [ZEROS]},), id="a number"),
        pytest.param(({"w": ONES, "b": None},), id="nothing"),
        pytest.param((Pair(ONES, ZEROS),), id="a record"),
        pytest.param(([ONES, ZEROS],), id="a list"),
        pytest.param((ONES,), id="an array"),
        pytest.param((ONES, ONES), id="two"),
    ],
)
def test_a_call_of_another_form_does_not(other: tuple[Any, ...]) -> None:
    def leaves(*args: Any) -> Any:
        found: list[Any] = []
        stack = list(args)
        while stack:
            one = stack.pop()
            if isinstance(one, dict):
                stack.extend(one.values())
            elif isinstance(one, (list, tuple)):
                stack.extend(one)
            elif one is not None:
                found.append(2 * one)
        return found

    function = ug.function(leaves)
    plain = {"w": ONES, "b": [ZEROS]}
    with ug.use("numpy"):
        function(plain)
        assert is_taken(function, {"b": [ZEROS], "w": ONES})  # the order of a dict is nothing
        assert not is_taken(function, *other)
        assert is_taken(function, *other)
        assert not is_taken(function, plain)


def test_what_a_dict_holds_later_changes_no_guard() -> None:
    function = ug.function(lambda p: p["w"] * 2)
    parameters = {"w": ONES}
    with ug.use("numpy"):
        function(parameters)
        parameters["more"] = ONES
        assert not is_taken(function, parameters)
        assert not is_taken(function, {"w": ONES})


def test_a_dataclass_goes_the_general_way_and_is_right() -> None:
    function = ug.function(lambda record, x: record.weight * x)
    with ug.use("numpy"):
        for _ in range(2):
            np.testing.assert_array_equal(function(Record(ONES), ONES), ONES)
