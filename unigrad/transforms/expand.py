"""Graph mode: each ``vjp`` or ``jvp`` node is replaced by the derivative of the graph it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unigrad.ir.nodes import INPUT, Graph, Node, Scope, graph_parameters, tensor
from unigrad.ir.rebuild import copy_node, inline
from unigrad.ops.apply import get, jvp_of, vjp_of
from unigrad.transforms.forward import forward
from unigrad.transforms.reverse import reverse

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["expand", "has_transforms"]


def has_transforms(graph: Graph) -> bool:
    """Whether the graph holds derivative nodes."""
    return any(node.op is vjp_of or node.op is jvp_of for node in graph.nodes)


def expand(
    graph: Graph,
    prepare: Callable[[Graph], Graph] | None = None,
    only: Callable[[Any, Graph], bool] | None = None,
    key: Hashable = None,
) -> Graph:
    """The same function without transforms, innermost first.

    Args:
        graph: any closed graph.
        prepare: what is done with a body before it is differentiated (stabilising rewrites).
        only: which transforms of which bodies to expand, and with them all that these bodies hold;
            every one by default.
        key: tells what ``prepare`` does from what another does: the result is remembered by it.

    Returns:
        A graph with the same inputs and outputs in which no node holds a graph, but for those that
        ``only`` leaves.
    """
    if not any(True for node in graph.nodes for _ in graph_parameters(node)):
        return graph
    known = graph.memo.get(("expanded", key)) if only is None else None
    if known is not None:
        return known
    place = Scope()
    env: dict[Node, Node] = {}
    several: dict[Node, tuple[Node, ...]] = {}
    inputs: list[Node] = []
    for node in graph.nodes:
        place.origin = node.origins
        if node.op is INPUT:
            fresh = place.input(tensor(node), node.params[0], node.origins)
            env[node] = fresh
            inputs.append(fresh)
            continue
        if node.op is get and node.operands[0] in several:
            env[node] = several[node.operands[0]][node.params[0]]
            continue
        operands = tuple([env[operand] for operand in node.operands if operand not in several])
        if node.op is vjp_of or node.op is jvp_of:
            body, *rest = node.params
            body = expand(body, prepare, only, key)
            body = body if prepare is None else prepare(body)
            if only is None or only(node.op, body):
                if only is not None and prepare is not None:
                    body = prepare(expand(body, prepare, key=key))  # and all that the body holds
                several[node] = inline(_derivative(node.op, body, rest), operands, place)
            else:
                env[node] = place.node(node.op, operands, (body, *rest))
            continue
        env[node] = copy_node(place, node, operands)
    place.origin = None
    result = Graph(
        inputs,
        [env[node] for node in graph.outputs],
        name=graph.name,
        output_names=graph.output_names,
    )
    if only is None:
        graph.memo["expanded", key] = result
    return result


def _derivative(op: Any, body: Graph, rest: list[Any]) -> Graph:
    return reverse(body, *rest) if op is vjp_of else forward(body, *rest)
