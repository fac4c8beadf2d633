"""Our rule around a native op: its derivative as graphs in which the op's result is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unigrad.backend.native import Rule
from unigrad.ir.nodes import CONSTANT, Graph, Node, Scope, tensor
from unigrad.ir.rebuild import copy_node
from unigrad.ir.types import TensorType
from unigrad.ops.families import ZERO
from unigrad.passes.pipeline import BEFORE_DIFFERENTIATION, run
from unigrad.transforms.forward import forward
from unigrad.transforms.reverse import reverse

if TYPE_CHECKING:
    from collections.abc import Callable

    from unigrad.ops.spec import Op

__all__ = ["rule_of"]


def rule_of(node: Node, legalise: Callable[[Graph], Graph]) -> Rule:
    """The rule of one op on operands of these types; of an elementwise op, for every shape.

    Args:
        node: an application of the op.
        legalise: what brings a graph into the ops that the backend has.
    """
    op: Op[...] = node.op  # pyright: ignore[reportAssignmentType]
    place = Scope()
    place.origin = ()
    names = op.operands if not op.variadic else [f"x{i}" for i in range(len(node.operands))]
    operands: list[Node] = []
    for name, operand in zip(names, node.operands, strict=True):
        type_ = tensor(operand)
        if operand.op is CONSTANT and type_.ndim == 0:
            operands.append(place.constant(operand.params[0], type_.dtype))
        else:
            shape = () if op.elementwise else type_.shape
            operands.append(place.input(TensorType(type_.dtype, shape), name))
    out = place.node(op, tuple(operands), node.params)
    inputs = [operand for operand in operands if operand.op is not CONSTANT]
    value = Graph(inputs, [out], name=f"{op.name}_value")
    pulls: list[Graph | None] = []
    pushes: list[Graph | None] = []
    for position, operand in enumerate(inputs):
        formula = None if op.formulas is None else op.formulas[operands.index(operand)]
        if not tensor(operand).is_floating or formula is ZERO:
            pulls.append(None)
            pushes.append(None)
            continue
        label = f"{op.name}_{operand.params[0]}" if len(inputs) > 1 else op.name
        backward = reverse(value, (position,), (0,))
        pulls.append(
            legalise(_given(backward, out, f"{label}_vjp" if formula is None else f"{label}_d"))
        )
        if formula is not None:  # one factor, for cotangents and for tangents
            pushes.append(pulls[-1])
            continue
        pushes.append(legalise(_given(forward(value, (position,)), out, f"{label}_jvp")))
    return Rule(value, tuple(pulls), tuple(pushes))


def _given(graph: Graph, out: Node, name: str) -> Graph:
    """The derivative alone, from operands and a direction, with the result as an input."""
    place = Scope()
    *operands, direction = graph.inputs
    inputs = [place.input(tensor(node), node.params[0]) for node in operands]
    given = place.input(tensor(out), "out")
    last = place.input(tensor(direction), "g")
    env: dict[Any, Node] = dict(zip((*operands, direction), (*inputs, last), strict=True))
    # The result of the op is made anew in a derivative graph: it is known by what makes it.
    for node in graph.nodes:
        if node in env:
            continue
        if node is out:
            env[node] = given
            continue
        place.origin = node.origins
        env[node] = copy_node(place, node, tuple([env[operand] for operand in node.operands]))
    alone = Graph((*inputs, given, last), [env[graph.outputs[-1]]], name=name)
    return run(BEFORE_DIFFERENTIATION, alone)[0]
