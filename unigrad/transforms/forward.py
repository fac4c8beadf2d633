"""Forward mode: a closed graph becomes the graph of its values and its tangents.

An elementwise op multiplies by its formula. Any other op is pushed forward by transposing its vjp:
the vjp is built for a dummy cotangent, and reverse mode over that linear expression carries the
tangents back to the dummy. All operands go at once, so that ``solve`` solves once, as by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, cast

from unigrad.errors import RuleError
from unigrad.ir.nodes import Graph, Node, Scope, derived, name_after, reachable, scope, tensor
from unigrad.ops.cotangents import accumulate, scale
from unigrad.ops.families import ZERO
from unigrad.ops.shape import broadcast_to
from unigrad.transforms.reverse import by_rule, is_differentiable, pull_back, zeros_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unigrad.ops.spec import Op

__all__ = ["forward"]


def forward(graph: Graph, wrt: tuple[int, ...]) -> Graph:
    """The graph that also returns tangents.

    Args:
        graph: a closed graph without transforms in it.
        wrt: positions of the inputs whose tangents are given.

    Returns:
        A graph from ``(*inputs, *tangents)`` to ``(*outputs, *output tangents)``; an output that
        does not depend on these inputs has a tangent of zeros.
    """
    key = ("jvp", wrt)
    known = graph.memo.get(key)
    if known is not None:
        return known
    place = Scope()
    # A tangent is masked where its `where` selects; looking for supports would only add nodes.
    place.masking = False
    tangents: dict[Node, Any] = {}
    with scope(place):
        given: list[Node] = []
        for position in wrt:
            source = graph.inputs[position]
            tangent = place.input(tensor(source), f"{source.params[0] or 'x'}_t")
            given.append(tangent)
            if tensor(source).is_floating:
                tangents[source] = tangent
        for node in graph.nodes:
            if not any(operand in tangents for operand in node.operands):
                continue
            if not is_differentiable(node):
                continue
            place.origin = derived(node.origins)
            tangent = _push(place, node, [tangents.get(operand) for operand in node.operands])
            if tangent is not None:
                if tangent.shape != node.shape:
                    tangent = broadcast_to(tangent, node.shape)
                tangents[node] = tangent
                if tangent.scope is place:
                    name_after(tangent, node, "t")
        place.origin = None
    outputs = [
        tangents[output] if output in tangents else zeros_of(place, output)
        for output in graph.outputs
    ]
    result = Graph((*graph.inputs, *given), (*graph.outputs, *outputs), name=f"{graph.name}_jvp")
    graph.memo[key] = result
    return result


def _push(place: Scope, node: Node, tangents: Sequence[Any]) -> Any:
    """The tangent of one node, ``None`` if it is zero."""
    op: Op[...] = node.op  # pyright: ignore[reportAssignmentType]
    if op.formulas is not None:
        total: Any = None
        for tangent, formula in zip(tangents, op.formulas, strict=True):
            if tangent is None or formula is ZERO:
                continue
            term = scale(tangent, formula(node, *node.operands))
            if term is not None:
                total = term if total is None else accumulate(total, term)
        return total
    if op.jvp_rule is not None:
        return op.jvp_rule(tuple(tangents), node, *node.operands, **op.keywords(node.params))
    return _transposed(place, op, node, tangents)


def _transposed(place: Scope, op: Op[...], node: Node, tangents: Sequence[Any]) -> Any:
    """Forward mode as the transpose of the vjp, jointly over all operands."""
    dummy = place.input(tensor(node), "g")
    start: dict[Node, Any] = {}
    for cotangent, tangent in zip(by_rule(op, node, dummy), tangents, strict=True):
        if cotangent is not None and tangent is not None:
            known = start.get(cotangent)
            start[cotangent] = tangent if known is None else accumulate(known, tangent)
    if not start:
        return None
    # Nodes made before the dummy cannot depend on it: they end the walk.
    rule_nodes = [
        one for one in reachable(start, stop=_Before(dummy.index)) if one.index >= dummy.index
    ]
    (tangent,) = pull_back(place, start, [dummy], rule_nodes)
    if tangent is None:
        return None
    if any(one is dummy for one in reachable([tangent], stop=_Before(dummy.index))):
        raise RuleError(f"the vjp of {op.name!r} is not linear in its cotangent")
    return tangent


class _Before(frozenset[Node]):
    """The set of all nodes made before a number."""

    def __new__(cls, index: int) -> Self:
        self = super().__new__(cls)
        self.index = index
        return self

    index: int

    def __contains__(self, node: object) -> bool:
        return cast("Node", node).index < self.index
