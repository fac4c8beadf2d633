"""What the tests of transforms share: graphs made by hand, derivatives of them, and their size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unigrad.ir.nodes import INPUT, Graph, Node, Scope, scope
from unigrad.ir.types import TensorType
from unigrad.passes.pipeline import BEFORE_DIFFERENTIATION, PIPELINE, run
from unigrad.transforms.expand import expand

if TYPE_CHECKING:
    from collections.abc import Callable

    from unigrad.compiler import Function

__all__ = ["count", "expanded", "graph_of", "names", "optimised"]


def graph_of(function: Callable[..., Any], *types: str) -> Graph:
    """The graph of a function of nodes of these types."""
    place = Scope()
    with scope(place):
        inputs = [place.input(TensorType.parse(text), "xyzabc"[i]) for i, text in enumerate(types)]
        found = function(*inputs)
    return Graph(inputs, found if isinstance(found, tuple) else (found,), name="f")


def expanded(function: Function, *like: Any) -> Graph:
    """The graph of a function with its derivatives in full, before the last passes."""
    return expand(function.graph(*like), lambda body: run(BEFORE_DIFFERENTIATION, body)[0])


def optimised(function: Function, *like: Any) -> Graph:
    """The graph of a function as it is going to be written."""
    return run(PIPELINE, expanded(function, *like))[0]


def names(graph: Graph) -> list[str]:
    """The names of the ops that depend on an input: masks and the like are the same every time."""
    moving: set[Node] = set()
    for node in graph.nodes:
        if node.op is INPUT or not moving.isdisjoint(node.operands):
            moving.add(node)
    return [node.op.name for node in graph.nodes if node in moving and node.op is not INPUT]


def count(graph: Graph) -> int:
    """How many ops there are that depend on an input."""
    return len(names(graph))
