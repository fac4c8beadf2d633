"""What native mode writes besides rows: our rules around native ops, and results with names.

A framework that differentiates the written code itself needs two more things of it: an op whose
native gradient breaks the convention stands there as a function with our derivative, and a
transform, which has several results, gives each of them a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from unigrad.ir.nodes import CONSTANT, Graph, Node, tensor
from unigrad.ir.source import variable_name
from unigrad.ops.apply import get, jvp_of, vjp_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

__all__ = ["Rule", "arguments_of", "parts_of", "result_name", "rule_key"]


class Rule(NamedTuple):
    """An op and its derivative as graphs, for a framework to differentiate by.

    Attributes:
        value: from the operands to the result; numbers among the operands are part of it.
        pulls: for each operand, the graph from operands, result and cotangent to the operand's
            cotangent; ``None`` for an operand that gets none.
        pushes: for each operand, the graph from operands, result and tangent to the result's
            tangent; the same graphs where the op has a formula.
    """

    value: Graph
    pulls: tuple[Graph | None, ...]
    pushes: tuple[Graph | None, ...]


def arguments_of(node: Node) -> list[Node]:
    """The operands that a rule takes: all but numbers."""
    return [one for one in node.operands if one.op is not CONSTANT or tensor(one).ndim]


def rule_key(node: Node) -> Hashable:
    """Equal for nodes that one rule serves; that of an elementwise op serves every shape."""
    any_shape = getattr(node.op, "elementwise", False)
    operands = [
        (tensor(one).dtype, one.params[0].tobytes())
        if one.op is CONSTANT and tensor(one).ndim == 0
        else (tensor(one).dtype, None if any_shape else tensor(one).shape)
        for one in node.operands
    ]
    return (node.op, node.params, tuple(operands))


def parts_of(nodes: Sequence[Node]) -> dict[Node, dict[int, Node]]:
    """For each node with several results, the nodes that take one of them, by position."""
    parts: dict[Node, dict[int, Node]] = {}
    for node in nodes:
        if node.op is get:
            parts.setdefault(node.operands[0], {})[node.params[0]] = node
    return parts


def result_name(node: Node, position: int) -> str:
    """What to call one result of a transform: after the output or the input that it belongs to."""
    if node.op is not vjp_of and node.op is not jvp_of:
        return "result"
    graph: Graph = node.params[0]
    wrt: tuple[int, ...] = node.params[1]
    count = len(graph.outputs)
    if position < count or node.op is jvp_of:
        output = variable_name(graph.outputs[position % count]) or graph.name or "value"
        return output if position < count else f"{output}_t"
    return f"{graph.inputs[wrt[position - count]].params[0] or 'x'}_ct"
