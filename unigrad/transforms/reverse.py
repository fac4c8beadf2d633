"""Reverse mode: a closed graph becomes the graph of its values and its cotangents.

The forward nodes are those of the graph itself; only cotangents are built. One walk backwards asks
each op for its rule, and the driver checks what every rule returns, so that a wrong rule is named
where it errs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unigrad.errors import DifferentiationError, RuleError, locate
from unigrad.ir.nodes import Graph, Node, Scope, derived, name_after, scope, tensor
from unigrad.ir.source import locations, variable_name
from unigrad.ops.cotangents import accumulate, scale
from unigrad.ops.families import ZERO, as_tuple
from unigrad.ops.shape import broadcast_to, unbroadcast
from unigrad.ops.spec import Op

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["by_rule", "is_differentiable", "pull_back", "reverse", "zeros_of"]


def reverse(graph: Graph, wrt: tuple[int, ...], seeds: tuple[int, ...]) -> Graph:
    """The graph that also returns cotangents.

    Args:
        graph: a closed graph without transforms in it.
        wrt: positions of the inputs whose cotangents are wanted.
        seeds: positions of the outputs whose cotangents are given.

    Returns:
        A graph from ``(*inputs, *output cotangents)`` to ``(*outputs, *input cotangents)``; an
        input that does not matter, or is not of a floating dtype, gets zeros of its own type.
    """
    key = ("vjp", wrt, seeds)
    known = graph.memo.get(key)
    if known is not None:
        return known
    place = Scope()
    with scope(place):
        given = [
            place.input(tensor(graph.outputs[i]), f"{_output_name(graph, i)}_ct") for i in seeds
        ]
        start: dict[Node, Any] = {}
        for position, cotangent in zip(seeds, given, strict=True):
            output = graph.outputs[position]
            start[output] = accumulate(start[output], cotangent) if output in start else cotangent
        sources = [graph.inputs[i] for i in wrt]
        found = pull_back(place, start, sources, graph.nodes)
    cotangents = [
        zeros_of(place, source) if cotangent is None else cotangent
        for source, cotangent in zip(sources, found, strict=True)
    ]
    result = Graph((*graph.inputs, *given), (*graph.outputs, *cotangents), name=f"{graph.name}_vjp")
    graph.memo[key] = result
    return result


def _output_name(graph: Graph, position: int) -> str:
    return variable_name(graph.outputs[position]) or graph.name or "out"


def zeros_of(place: Scope, node: Node) -> Node:
    """Zeros of the type of ``node``."""
    type_ = tensor(node)
    place.origin, before = derived(node.origins), place.origin
    try:
        zero = place.constant(0, type_.dtype, weak=type_.weak)
        if type_.ndim:
            zero = place.node(broadcast_to, (zero,), (type_.shape,))
    finally:
        place.origin = before
    return zero


def pull_back(
    place: Scope, start: dict[Node, Any], sources: Sequence[Node], nodes: Sequence[Node]
) -> list[Any]:
    """Carry the cotangents ``start`` back through ``nodes`` (operands first) to ``sources``.

    Returns:
        The cotangent of each source, ``None`` where nothing reaches it.
    """
    active = _active(nodes, sources)
    cotangents = {node: cotangent for node, cotangent in start.items() if node in active}
    before = place.origin
    try:
        for node in reversed(nodes):
            if not node.operands or node not in active:
                continue
            cotangent = cotangents.pop(node, None)
            if cotangent is None:
                continue
            name_after(cotangent, node, "ct")
            place.origin = derived(node.origins)
            operands_ct = _pull(node, cotangent, active)
            for operand, operand_ct in zip(node.operands, operands_ct, strict=True):
                if operand_ct is None or operand not in active:
                    continue
                check_fits(node.op, operand_ct, operand)
                have = cotangents.get(operand)
                cotangents[operand] = operand_ct if have is None else accumulate(have, operand_ct)
    finally:
        place.origin = before
    found = [cotangents.get(source) for source in sources]
    for source, cotangent in zip(sources, found, strict=True):
        if cotangent is not None and cotangent.scope is place:
            name_after(cotangent, source, "ct")
    return found


def _active(nodes: Sequence[Node], sources: Sequence[Node]) -> set[Node]:
    """What depends on ``sources`` through floating values."""
    active = {source for source in sources if tensor(source).is_floating}
    for node in nodes:
        if (
            node not in active
            and any(operand in active for operand in node.operands)
            and is_differentiable(node)
        ):
            active.add(node)
    return active


def is_differentiable(node: Node) -> bool:
    """Whether a derivative can pass through the node; raises for an op that does not say."""
    if not isinstance(node.type, tuple) and not node.type.is_floating:
        return False
    op = node.op
    if not isinstance(op, Op):
        return False
    if op.constant:
        return False
    formulas = op.formulas
    if formulas is not None:
        return any(formula is not ZERO for formula in formulas)
    if op.vjp_rule is None:
        places = locations(node)
        raise locate(
            DifferentiationError(
                f"the op {op.name!r} has no derivative; wrap it in stop_gradient if it is constant"
            ),
            places[0] if places else None,
        )
    return True


def _pull(node: Node, cotangent: Any, active: set[Node]) -> Sequence[Any]:
    """The cotangents of the operands of one node."""
    op: Op[...] = node.op  # pyright: ignore[reportAssignmentType]
    operands = node.operands
    if op.formulas is not None:
        found: list[Any] = []
        for operand, formula in zip(operands, op.formulas, strict=True):
            if operand not in active or formula is ZERO:
                found.append(None)
                continue
            operand_ct = scale(cotangent, formula(node, *operands))
            found.append(_shaped(operand_ct, node, operand))
        return found
    return by_rule(op, node, cotangent)


def by_rule(op: Op[...], node: Node, cotangent: Any) -> Sequence[Any]:
    """What the vjp of an op returns, one cotangent (or ``None``) of its type for each operand."""
    operands = node.operands
    result = op.vjp_rule(cotangent, node, *operands, **op.keywords(node.params))  # pyright: ignore[reportOptionalCall]
    cotangents = as_tuple(result)
    if len(cotangents) != len(operands):
        raise RuleError(
            f"the vjp of {op.name!r} returns {len(cotangents)} cotangents"
            f" for {len(operands)} operands"
        )
    if op.elementwise:
        pairs = zip(cotangents, operands, strict=True)
        cotangents = tuple([_shaped(one, node, operand) for one, operand in pairs])
    for one, operand in zip(cotangents, operands, strict=True):
        if one is not None:
            check_fits(op, one, operand)
    return cotangents


def check_fits(op: Any, cotangent: Node, operand: Node) -> None:
    """Raise unless a cotangent has the type of its operand; a Python number's may be strong."""
    if cotangent.type is operand.type:
        return
    have, want = tensor(cotangent), tensor(operand)
    if have.dtype is not want.dtype or have.shape != want.shape:
        raise RuleError(
            f"the derivative of {op.name!r} has type {have}, its operand has type {want}"
        )


def _shaped(operand_ct: Any, node: Node, operand: Node) -> Any:
    """Summed over the axes along which the operand was repeated."""
    if operand_ct is None:
        return None
    shape = tensor(operand).shape
    if shape == operand_ct.shape:
        return operand_ct
    if operand_ct.shape != node.shape:  # a factor that did not need the full shape
        operand_ct = broadcast_to(operand_ct, node.shape)
    return unbroadcast(operand_ct, shape)
