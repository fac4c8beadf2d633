"""Named dimensions get sizes: in types, in parameters, and in the graphs that nodes hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import unigrad as ug
from unigrad.errors import ShapeError
from unigrad.ir.dims import symbol
from unigrad.ir.nodes import Graph
from unigrad.ir.types import TensorType
from unigrad.ir.verify import verify
from unigrad.transforms.sizes import bind_sizes, unbound, with_sizes


def _types(*texts: str) -> list[TensorType]:
    return [TensorType.parse(text) for text in texts]


def _nodes(graph: Graph) -> list[Any]:
    """A graph in the words of its ops, types and parameters, held graphs included."""
    return [
        (node.op.name, node.type, [_nodes(p) if isinstance(p, Graph) else p for p in node.params])
        for node in graph.nodes
        if node.op.name not in ("input", "constant")
    ]


def model(x: Any, w: Any) -> Any:
    picked = ug.concat([x, x], axis=0)[1:]
    return ug.mean(ug.reshape(picked @ w, (-1,)) ** 2)


def test_a_graph_with_sizes_is_the_graph_traced_at_these_sizes() -> None:
    gradient = ug.grad(model, argnums=1)
    named = gradient.graph("float64[n, k]", "float64[k]")
    sized = with_sizes(named, {"n": 5, "k": 3})
    verify(sized)
    assert sized.input_types == tuple(_types("float64[5, 3]", "float64[3]"))
    expected = gradient.graph("float64[5, 3]", "float64[3]")
    assert [name for name, _, _ in _nodes(sized) if name == "vjp"] == ["vjp"]
    assert sized.output_types == expected.output_types
    X, w = np.arange(15.0).reshape(5, 3), np.ones(3)
    np.testing.assert_allclose(gradient(X, w), 2 * _picked(X).T @ (_picked(X) @ w) / 9, rtol=1e-13)


def _picked(X: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.concatenate([X, X])[1:]


def test_no_name_is_left_anywhere() -> None:
    sized = with_sizes(
        ug.grad(model, argnums=1).graph("float64[n, k]", "float64[k]"), {"n": 2, "k": 3}
    )
    text = repr(_nodes(sized))
    assert "k" not in text.replace("'", "").split()
    for _, type_, _ in _nodes(sized):
        for one in type_ if isinstance(type_, tuple) else (type_,):
            assert not one.is_symbolic


def test_a_name_may_become_another_name() -> None:
    named = ug.function(model).graph("float64[n, k]", "float64[k]")
    renamed = with_sizes(named, {"n": symbol("m"), "k": symbol("k")})
    assert renamed.input_types == tuple(_types("float64[m, k]", "float64[k]"))


def test_the_same_sizes_give_the_same_graph() -> None:
    named = ug.function(model).graph("float64[n, k]", "float64[k]")
    assert with_sizes(named, {"n": 4, "k": 2}) is with_sizes(named, {"k": 2, "n": 4})
    assert with_sizes(named, {"n": symbol("n")}) is named


def test_sizes_are_bound_from_shapes() -> None:
    types = _types("float64[n, 3]", "float64[2*n]", "float64[m]")
    assert bind_sizes("abc", types, [(4, 3), (8,), (1,)]) == {"n": 4, "m": 1}
    assert bind_sizes("abc", types, [(symbol("q"), 3), (2 * symbol("q"),), (1,)]) == {
        "n": symbol("q"),
        "m": 1,
    }


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(4,), (4,)], r"a: expected float64\[n, 3\], given the shape \(4,\)"),
        ([(4, 2), (4,)], r"a: expected .* axis 1 is 2, not 3"),
        ([(4, 3), (5,)], r"n is 4 \(axis 0 of a\) and 5 \(axis 0 of b\)"),
    ],
)
def test_shapes_that_do_not_fit_are_told(shapes: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        bind_sizes("ab", _types("float64[n, 3]", "float64[n]"), shapes)


def test_names_that_no_call_could_bind_are_found() -> None:
    assert unbound(_types("float64[2*n, k]", "float64[k + m]")) == {"n", "m"}
    assert unbound(_types("float64[2*n]", "int8[n]")) == set()
