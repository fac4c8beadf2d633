"""Graphs made from others: copied into a scope, closed over what they capture, rebuilt in part."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from unigrad.errors import VerificationError
from unigrad.ir.nodes import CONSTANT, INPUT, Graph, Node, Scope, scope, tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["close", "copy_missing", "copy_node", "inline", "rebuilt"]


def copy_node(place: Scope, node: Node, operands: tuple[Node, ...]) -> Node:
    """The same op in ``place``, on other operands, with the origins of ``node``."""
    if node.op is CONSTANT:
        return place.constant(node.params[0], tensor(node).dtype, weak=tensor(node).weak)
    return place.node(node.op, operands, node.params)


def inline(graph: Graph, arguments: Sequence[Node], place: Scope) -> tuple[Node, ...]:
    """Rebuild the nodes of ``graph`` in ``place`` on ``arguments``; return its outputs there."""
    if len(arguments) != len(graph.inputs):
        raise VerificationError(f"{graph!r} takes {len(graph.inputs)} inputs, got {len(arguments)}")
    env: dict[Node, Node] = dict(zip(graph.inputs, arguments, strict=True))
    copy_missing(graph.nodes, env, place)
    return tuple([env[node] for node in graph.outputs])


def copy_missing(nodes: Iterable[Node], env: dict[Node, Node], place: Scope) -> None:
    """Copy into ``place`` those of ``nodes``, operands first, for which ``env`` has nothing yet."""
    before = place.origin
    try:
        for node in nodes:
            if node in env:
                continue
            place.origin = node.origins
            env[node] = copy_node(place, node, tuple([env[operand] for operand in node.operands]))
    finally:
        place.origin = before


def rebuilt(graph: Graph, make: Callable[[Scope, Node, tuple[Node, ...]], Node]) -> Graph:
    """The same function with other nodes.

    Args:
        graph: any closed graph.
        make: what stands for a node that is no input: it gets the scope of the new graph, the node
            and its new operands. :func:`copy_node` leaves a node as it is.
    """
    place = Scope()
    with scope(place):
        inputs = [place.input(tensor(node), node.params[0], node.origins) for node in graph.inputs]
        env: dict[Node, Node] = dict(zip(graph.inputs, inputs, strict=True))
        for node in graph.nodes:
            if node in env:
                continue
            place.origin = node.origins
            env[node] = make(place, node, tuple([env[operand] for operand in node.operands]))
    outputs = [env[node] for node in graph.outputs]
    return Graph(inputs, outputs, name=graph.name, output_names=graph.output_names)


def close(
    inner: Scope, inputs: Sequence[Node], outputs: Sequence[Node], *, name: str = ""
) -> tuple[Graph, tuple[Node, ...]]:
    """Close what was built in ``inner`` over its captures.

    Nodes of outer scopes become further inputs of the graph, after ``inputs``. The body is rebuilt
    on canonical inputs in the table of the trace, so that two bodies that differ only in where
    they were written are one graph and are differentiated once.

    Returns:
        The graph, and the captured outer nodes that are its further operands.
    """
    inner.open = False
    outer_nodes: set[Node] = set()
    seen: set[Node] = set()
    stack = list(outputs)
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.scope is inner or node.op is CONSTANT:
            stack.extend(node.operands)
        else:
            outer_nodes.add(node)
    captures = sorted(outer_nodes, key=attrgetter("index"))
    place = inner.bodies
    sources = (*inputs, *captures)
    arguments = [_canonical_input(place, position, node) for position, node in enumerate(sources)]
    env: dict[Node, Node] = dict(zip(sources, arguments, strict=True))
    copy_missing(sorted(seen, key=attrgetter("index")), env, place)
    results = tuple(env[node] for node in outputs)
    key = (tuple(arguments), results, name)
    graph = place.graphs.get(key)
    if graph is None:
        graph = place.graphs[key] = Graph(arguments, results, name=name)
    return graph, tuple(captures)


def _canonical_input(place: Scope, position: int, source: Node) -> Node:
    """The one input at that position, of that type and name, of every closed graph of a trace."""
    name = source.params[0] if source.op is INPUT else ""
    return place.canonical_input(position, tensor(source), name, source.origins)
