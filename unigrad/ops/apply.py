"""Transforms as nodes: ``vjp`` and ``jvp`` hold a closed graph and say what is differentiated.

An inner derivative names the positions of its operands, so nesting needs no tags and no levels, and
nothing can be confused. Graph mode expands these nodes; native mode writes the framework's own
transform in their place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unigrad.errors import VerificationError
from unigrad.ir.nodes import Graph, Node, tensor
from unigrad.ops.families import operation
from unigrad.ops.spec import Array, Op

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unigrad.ir.nodes import Scope
    from unigrad.ir.types import TensorType

__all__ = ["get", "jvp_of", "results", "vjp_of"]


def _prepare(op: Op[...], place: Scope, operands: Sequence[Any]) -> list[Node]:
    del op, place
    return list(operands)


def _check(types: Sequence[TensorType], operands: Sequence[Node], what: str) -> None:
    given = [tensor(operand) for operand in operands]
    if list(types) != given:
        raise VerificationError(f"{what} have types {given}, the graph wants {list(types)}")


def _infer_vjp(
    operands: tuple[Node, ...], graph: Graph, wrt: tuple[int, ...], seeds: tuple[int, ...]
) -> tuple[TensorType, ...]:
    count = len(graph.inputs)
    _check(graph.input_types, operands[:count], "the operands of a vjp")
    _check([graph.output_types[i] for i in seeds], operands[count:], "the cotangents of a vjp")
    return (*graph.output_types, *(graph.input_types[i] for i in wrt))


def _infer_jvp(
    operands: tuple[Node, ...], graph: Graph, wrt: tuple[int, ...]
) -> tuple[TensorType, ...]:
    count = len(graph.inputs)
    _check(graph.input_types, operands[:count], "the operands of a jvp")
    _check([graph.input_types[i] for i in wrt], operands[count:], "the tangents of a jvp")
    return (*graph.output_types, *graph.output_types)


def _vjp(operands: Sequence[Any], graph: Graph, wrt: Any, seeds: Any) -> Any:
    """Outputs of ``graph`` and cotangents of inputs ``wrt``, from those of outputs ``seeds``."""
    raise VerificationError(
        f"a vjp has no reference of its own ({operands}, {graph}, {wrt}, {seeds})"
    )


def _jvp(operands: Sequence[Any], graph: Graph, wrt: Any) -> Any:
    """Outputs of ``graph`` and their tangents, from the tangents of its inputs ``wrt``."""
    raise VerificationError(f"a jvp has no reference of its own ({operands}, {graph}, {wrt})")


vjp_of: Op[...] = Op(
    "vjp", _vjp, operands=("operands",), params=("graph", "wrt", "seeds"),
    infer=_infer_vjp, prepare=_prepare, variadic=True, public=False,
)  # fmt: skip
jvp_of: Op[...] = Op(
    "jvp", _jvp, operands=("operands",), params=("graph", "wrt"),
    infer=_infer_jvp, prepare=_prepare, variadic=True, public=False,
)  # fmt: skip


def _infer_get(operands: tuple[Node, ...], position: int) -> TensorType:
    types = operands[0].type
    if not isinstance(types, tuple):
        raise VerificationError(f"{operands[0]!r} has one result, not several")
    return types[position]


@operation(_infer_get, prepare=_prepare, public=False)
def get(several: Array, position: int) -> Any:
    """One result of a node that has several."""
    return several[position]


def results(node: Node, place: Scope) -> list[Node]:
    """All results of a node, one node each."""
    if not isinstance(node.type, tuple):
        return [node]
    return [place.node(get, (node,), (position,)) for position in range(len(node.type))]
