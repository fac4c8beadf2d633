"""A failure of a framework in the middle of a run is told with the user's line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import unigrad as ug
from tests import targets
from unigrad.errors import ExecutionError


def too_large(x: Any) -> Any:
    table = x[:, None] * x
    return ug.sum(ug.sin(table))


@pytest.mark.parametrize("target", targets.of(("numpy", *targets.FRAMEWORKS)))
def test_what_a_framework_raises_is_chained_to_the_line_of_the_user(target: str) -> None:
    function, x = ug.function(too_large), np.ones(10**7)
    with ug.use(target), pytest.raises(ExecutionError, match="too_large failed while") as caught:
        function(x)
    assert caught.value.__cause__ is not None
    assert not isinstance(caught.value.__cause__, ug.errors.UnigradError)
    (note,) = caught.value.__notes__
    assert "test_failures.py" in note


@pytest.mark.parametrize("target", targets.of([*targets.EAGER[:3]]))
def test_of_several_lines_it_is_the_one_that_failed(target: str) -> None:
    with ug.use(target), pytest.raises(ExecutionError) as caught:
        ug.function(too_large)(np.ones(10**7))
    assert "table = x[:, None] * x" in caught.value.__notes__[0]


def test_what_is_raised_inside_a_derivative_names_the_line_that_it_serves() -> None:
    def loss(x: Any) -> Any:
        squares = x[:, None] * x
        return ug.sum(ug.exp(ug.mean(squares, axis=1)))

    with pytest.raises(ExecutionError) as caught:
        ug.grad(loss)(np.ones(10**7))
    assert "squares" in caught.value.__notes__[0]


def test_an_error_of_the_users_own_code_is_left_alone() -> None:
    @ug.function
    def broken(x: Any) -> Any:
        return x * {"a": 1}["b"]

    with pytest.raises(KeyError):
        broken(1.0)


def test_what_fails_while_it_is_compiled_is_told_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    tf = pytest.importorskip("tensorflow")

    def fail(_: Any) -> None:
        raise tf.errors.InternalError(None, None, "Graph execution error:\n\nno room")

    function = ug.function(lambda x: ug.sin(x) * x)
    monkeypatch.setattr(tf, "sin", fail)
    with ug.use("tensorflow:graph"), pytest.raises(ExecutionError, match="InternalError") as caught:
        function(np.ones(3))
    assert "no room" in str(caught.value)
    assert "ug.sin(x) * x" in caught.value.__notes__[0]
