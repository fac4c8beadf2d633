"""A parameter may be called ``self``: every public callable object takes it by name."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import unigrad as ug
from tests.targets import PYTORCH_IS_LOUD, TARGETS, ways
from unigrad.compiler.declared import DeclaredFunction
from unigrad.compiler.function import Function
from unigrad.ops.spec import Op

pytestmark = PYTORCH_IS_LOUD


def weighted(self: Any, x: Any) -> Any:
    return ug.sum(self * self * x)


LIKE: dict[str, Any] = {"self": "float64[3]", "x": "float64[3]"}
A, X = np.array([1.0, 2.0, 3.0]), np.array([0.5, -1.0, 2.0])


@pytest.mark.parametrize(("target", "autodiff"), ways(TARGETS))
def test_calls(target: str, autodiff: str) -> None:
    with ug.use(target, autodiff=autodiff):
        assert ug.function(weighted)(self=A, x=X) == np.sum(A * A * X)
        np.testing.assert_allclose(ug.grad(weighted, argnames="self")(self=A, x=X), 2 * A * X)
        value, slope = ug.value_and_grad(weighted, argnames="x")(x=X, self=A)
        np.testing.assert_allclose(slope, A * A)
        assert value == np.sum(A * A * X)


def test_inside_a_trace() -> None:
    inner = ug.function(weighted)
    np.testing.assert_allclose(ug.grad(lambda a: inner(self=a, x=X))(A), 2 * A * X)


def test_what_stops_half_way() -> None:
    f = ug.function(weighted)
    assert "def weighted(self, x):" in f.source("numpy", **LIKE)
    assert f.constants("numpy", **LIKE) == {}
    assert f.graph(**LIKE).input_names == ("self", "x")
    assert f.compile(**LIKE, target="numpy")(A, X) == np.sum(A * A * X)
    assert f.explain(**LIKE) is not None
    assert "self" in ug.draw(weighted, self=A, x=X).text


def test_graphs_by_hand() -> None:
    with ug.graph("g") as g:
        a, x = ug.input("self", "float64[n]"), ug.input("x", "float64[n]")
        g.output(self=a * x, y=ug.sum(a * x))
    assert g(self=A, x=X)["y"] == np.sum(A * X)
    assert np.array_equal(g(self=A, x=X)["self"], A * X)
    assert g["y"](self=A, x=X) == np.sum(A * X)
    assert np.array_equal(ug.grad(g["y"], argnames="self")(self=A, x=X), X)


def test_every_public_object_that_is_called_with_names() -> None:
    """Whatever class is public: a call passes ``self`` on, and does not take it for the object."""
    wrong: list[str] = []
    for kind in (Function, DeclaredFunction, ug.Definition, Op):
        for name, method in inspect.getmembers(kind, inspect.isfunction):
            own, *rest = inspect.signature(method).parameters.values()
            any_name = any(one.kind is one.VAR_KEYWORD for one in rest)
            if any_name and own.kind is not own.POSITIONAL_ONLY:
                wrong.append(f"{kind.__name__}.{name}")
    assert wrong == []
