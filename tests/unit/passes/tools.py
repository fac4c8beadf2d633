"""What the tests of passes share: graphs from functions, arrays to run them on, one comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from unigrad.ir.dims import evaluate as size_of
from unigrad.ir.nodes import Graph, Scope, scope
from unigrad.ir.types import TensorType
from unigrad.ir.verify import verify
from unigrad.passes.pipeline import run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unigrad.passes.rewrite import Pass, Report

__all__ = ["SPECIAL", "arrays_for", "assert_same", "checked", "graph_of", "names"]

SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -2.0, np.inf, -np.inf, np.nan, 3.0)

TOLERANCES = {
    "float64": (1e-12, 1e-13),
    "float32": (2e-5, 1e-6),
    "float16": (2e-2, 2e-3),
    "bfloat16": (5e-2, 2e-2),
}


def graph_of(function: Callable[..., Any], *types: str) -> Graph:
    """The graph of a function of nodes of these types."""
    place = Scope()
    with scope(place):
        inputs = [
            place.input(TensorType.parse(text), name)
            for text, name in zip(types, "abcdef", strict=False)
        ]
        results = function(*inputs)
    return Graph(inputs, results if isinstance(results, (list, tuple)) else [results], name="f")


def arrays_for(
    graph: Graph, *, special: bool = False, infinite: bool = True, seed: int = 0
) -> list[np.ndarray[Any, Any]]:
    """One array for each input: ordinary numbers, or special ones in all neighbourhoods."""
    choice = SPECIAL if infinite else [one for one in SPECIAL if not np.isinf(one)]
    random = np.random.default_rng(seed)
    sizes: dict[str, int] = {"n": 2, "m": 5}
    arrays: list[np.ndarray[Any, Any]] = []
    for type_ in graph.input_types:
        shape = tuple(size_of(size, sizes) for size in type_.shape)
        if type_.dtype.kind == "bool":
            array = random.random(shape) < 0.5
        elif type_.dtype.kind in ("int", "uint"):
            array = random.integers(0 if type_.dtype.kind == "uint" else -9, 9, shape)
        elif special:
            array = random.choice(choice, shape)
        else:
            array = random.normal(size=shape)
        arrays.append(np.asarray(array).astype(type_.dtype.numpy))
    return arrays


def assert_same(
    wanted: Sequence[Any], found: Sequence[Any], *, where_finite: bool = False, slack: float = 1.0
) -> None:
    """The same shapes, dtypes and values; NaN equals NaN, 0 equals -0, infinities have signs.

    With ``where_finite``, what was wanted counts only where it is finite.
    """
    assert len(wanted) == len(found)
    for want, have in zip(wanted, found, strict=True):
        assert want.shape == have.shape
        assert want.dtype == have.dtype
        if want.dtype.kind in "biu":
            np.testing.assert_array_equal(have, want)
            continue
        rtol, atol = TOLERANCES[want.dtype.name]
        wide, narrow = want.astype(np.float64), have.astype(np.float64)
        if where_finite:
            narrow = np.where(np.isfinite(wide), narrow, wide)
        np.testing.assert_allclose(narrow, wide, rtol=slack * rtol, atol=slack * atol)


def checked(passes: tuple[Pass, ...], graph: Graph) -> tuple[Graph, Report]:
    """What passes make of a graph, after the verifier has seen it."""
    result, report = run(passes, graph)
    verify(result)
    assert result.input_types == graph.input_types
    assert result.output_types == graph.output_types
    assert result.input_names == graph.input_names
    return result, report


def names(graph: Graph) -> list[str]:
    """The names of the ops of a graph, inputs left out."""
    return [node.op.name for node in graph.nodes[len(graph.inputs) :]]
