"""From a Python function to a graph: run it once on traced values and keep what it did.

The outermost trace belongs to a call of a compiled function and makes the graph of it. A trace
inside another one makes a *closed* graph for a transform: what it takes from around it becomes
further operands.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from unigrad.errors import TracingError
from unigrad.ir.nodes import Graph, Node, Scope, caller_origin, current_scope, derived, scope
from unigrad.ir.rebuild import close
from unigrad.ops.spec import as_node
from unigrad.trace.array import ARGUMENT, TracedArray, fixed, node_of
from unigrad.trace.capture import is_setting
from unigrad.trace.structure import Structure, flatten, register_structure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unigrad.ir.types import TensorType

__all__ = ["Closed", "Traced", "trace", "trace_closed"]


class Traced(NamedTuple):
    """A function as a graph, and how its results are put together.

    Attributes:
        graph: its inputs are those of the call, then the hidden ones.
        structure: the structure of what the function returned.
        hidden: native arrays that the function took from around it and that become inputs.
    """

    graph: Graph
    structure: Structure
    hidden: tuple[Any, ...]


class Closed(NamedTuple):
    """The body of a transform: a closed graph, its captured operands, its result's structure."""

    graph: Graph
    captures: tuple[Node, ...]
    structure: Structure


def leaf_node(place: Scope, leaf: Any) -> Node:
    """The node of one leaf of a result."""
    return node_of(leaf, place) if leaf.__class__ is TracedArray else as_node(place, leaf)


class Setting:
    """A string, a function or the like in a result: a part of its structure."""

    def __init__(self, value: Any) -> None:
        self.value = value


@lru_cache(maxsize=1)
def _register_settings() -> None:
    register_structure(Setting, lambda one: ((), one.value), lambda value, _: value)


def _flatten_result(result: Any) -> tuple[list[Any], Structure]:
    """The arrays of a result, and its structure with the settings that it holds."""
    leaves, structure = flatten(result)
    if not any(is_setting(leaf) for leaf in leaves):
        return leaves, structure
    _register_settings()
    return flatten(
        structure.unflatten([Setting(leaf) if is_setting(leaf) else leaf for leaf in leaves])
    )


def _run(function: Callable[[Sequence[TracedArray]], Any], inputs: Sequence[Node]) -> Any:
    """Call the user's function; our own error is raised where NumPy put another one over it."""
    try:
        return function([fixed(node, ARGUMENT) for node in inputs])
    except (TypeError, ValueError) as error:
        if isinstance(error.__cause__, TracingError):
            raise error.__cause__ from None
        raise


def trace(
    function: Callable[[Sequence[TracedArray]], Any],
    types: Sequence[TensorType],
    names: Sequence[str],
    *,
    name: str = "",
) -> Traced:
    """Run ``function`` on one traced value per type, in a scope of its own."""
    root = Scope()
    inputs = [root.input(type_, label) for type_, label in zip(types, names, strict=True)]
    with scope(root):
        result = _run(function, inputs)
        leaves, structure = _flatten_result(result)
        outputs = [leaf_node(root, leaf) for leaf in leaves]
    root.open = False
    hidden = root.hidden
    paths = structure.paths()
    graph = Graph([*inputs, *(node for node, _ in hidden)], outputs, name=name, output_names=paths)
    _forget_the_variable_of_the_call(graph)
    return Traced(graph, structure, tuple(value for _, value in hidden))


def _forget_the_variable_of_the_call(graph: Graph) -> None:
    """What is assigned where a transform is called (``text = grad(f).source(x)``) names no node."""
    call = caller_origin()
    for node in graph.nodes:
        if node.origins == call:
            node.origins = derived(call)


def trace_closed(
    function: Callable[[Sequence[TracedArray]], Any],
    operands: Sequence[Node],
    names: Sequence[str],
    *,
    name: str = "",
) -> Closed:
    """Run ``function`` on fresh inputs of the types of ``operands``, inside the current trace."""
    outer = current_scope()
    inner = Scope(outer)
    inputs = [
        inner.input(operand.type, label, operand.origins)  # pyright: ignore[reportArgumentType]
        for operand, label in zip(operands, names, strict=True)
    ]
    with scope(inner):
        result = _run(function, inputs)
        leaves, structure = _flatten_result(result)
        outputs = [leaf_node(inner, leaf) for leaf in leaves]
    graph, captures = close(inner, inputs, outputs, name=name)
    return Closed(graph, captures, structure)
