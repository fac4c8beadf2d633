"""A derivative graph cut in two: what runs before the cotangents are known, and what waits.

The first part returns the outputs and the *residuals*, the values that the second part reads; the
second part takes the inputs, the residuals and the cotangents. Nothing is computed twice, however
often it is called.
"""

from __future__ import annotations

from typing import NamedTuple

from unigrad.ir.nodes import INPUT, Graph, Node, Scope, reachable, tensor
from unigrad.ir.rebuild import copy_node
from unigrad.ir.source import variable_name

__all__ = ["Halves", "split"]


class Halves(NamedTuple):
    """The two parts of a graph.

    Attributes:
        first: from the early inputs to ``(*early outputs, *residuals)``.
        second: from ``(*early inputs, *residuals, *late inputs)`` to the late outputs.
    """

    first: Graph
    second: Graph


def split(graph: Graph, early_inputs: int, early_outputs: int) -> Halves:
    """Cut ``graph`` behind everything that depends on none but its first ``early_inputs`` inputs.

    Args:
        graph: any graph; its first ``early_outputs`` outputs depend on early inputs alone.
        early_inputs: how many inputs are known early.
        early_outputs: how many outputs are wanted early.
    """
    late_inputs = graph.inputs[early_inputs:]
    late: set[Node] = set(late_inputs)
    for node in graph.nodes:
        if any(operand in late for operand in node.operands):
            late.add(node)
    read = [operand for node in graph.nodes if node in late for operand in node.operands]
    read += graph.outputs[early_outputs:]
    residuals = tuple(dict.fromkeys(one for one in read if one.operands and one not in late))
    first = Graph(
        graph.inputs[:early_inputs],
        (*graph.outputs[:early_outputs], *residuals),
        name=f"{graph.name}_forward",
    )
    place = Scope()
    sources = (*graph.inputs[:early_inputs], *residuals, *late_inputs)
    inputs = [
        place.input(
            tensor(node), node.params[0] if node.op is INPUT else variable_name(node), node.origins
        )
        for node in sources
    ]
    env: dict[Node, Node] = dict(zip(sources, inputs, strict=True))
    wanted = graph.outputs[early_outputs:]
    for node in reachable(wanted, stop=frozenset(sources)):
        if node not in env:
            place.origin = node.origins
            env[node] = copy_node(place, node, tuple([env[operand] for operand in node.operands]))
    second = Graph(inputs, [env[node] for node in wanted], name=f"{graph.name}_backward")
    return Halves(first, second)
