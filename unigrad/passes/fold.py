"""Constant folding: what is known before anything runs is computed once, by the op's reference."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from unigrad.ir.nodes import CONSTANT, Node, current_scope, tensor
from unigrad.ir.source import array_name, name_array
from unigrad.ir.types import TensorType, byte_count
from unigrad.ops.elementwise import astype, barrier
from unigrad.ops.shape import broadcast_to
from unigrad.ops.spec import OPS
from unigrad.passes.rewrite import rewriting, rule_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unigrad.ops.spec import Array, Op

__all__ = ["FOLD", "compute", "fold"]

_LARGEST: Final = 64 * 1024  # bytes of an operand or a result: more is left for the run
_SMALL: Final = 4096  # bytes up to which a result may be larger than what it is made from

_FOLDABLE: Final = tuple(
    op for op in OPS.values() if op.operands and op not in (barrier, broadcast_to)
)


def compute(op: Op[...], params: tuple[Any, ...], arrays: Sequence[Any]) -> Any:
    """What the reference of ``op`` returns for NumPy arrays and normalised parameters."""
    by_name = _keyword_only(op)
    operands = [list(arrays)] if op.variadic else arrays
    given = dict(zip(op.params, params, strict=True))
    named = {name: given.pop(name) for name in by_name}
    return op.reference(*operands, *given.values(), **named)


@lru_cache(maxsize=1024)
def _keyword_only(op: Op[...]) -> tuple[str, ...]:
    """The parameters that the reference of an op takes by name alone."""
    signature = inspect.signature(op.reference)
    kinds = {name: parameter.kind for name, parameter in signature.parameters.items()}
    return tuple(name for name in op.params if kinds.get(name) is inspect.Parameter.KEYWORD_ONLY)


@rule_on(*_FOLDABLE, operand=(CONSTANT,))
def constants_folded(node: Array) -> Array:
    """An op on constants is a constant: its reference runs now, not on every call."""
    operands: tuple[Node, ...] = node.operands
    if any(operand.op is not CONSTANT for operand in operands) or not _is_small(node):
        return None
    try:
        with np.errstate(all="ignore"):
            found = compute(node.op, node.params, [operand.params[0] for operand in operands])
            value = np.asarray(found).astype(node.dtype.numpy)
    except (ArithmeticError, TypeError, ValueError):
        return None  # what fails here fails when the graph runs, if it ever does
    type_ = tensor(node)
    place = current_scope() or node.scope
    if value.size == 1 and value.ndim:
        # One element is a number, which other rules know how to handle.
        return broadcast_to(
            place.constant(value.reshape(()), type_.dtype, weak=type_.weak), value.shape
        )
    made = place.constant(value, type_.dtype, weak=type_.weak)
    if node.op is astype:  # the user's array still, in another dtype
        name_array(made.params[0], array_name(operands[0].params[0]))
    return made


def _is_small(node: Node) -> bool:
    """Whether a result is worth keeping; empty arrays are not worth their special cases."""
    if not isinstance(node.type, TensorType):
        return False
    made = byte_count(node.type)
    read = [byte_count(tensor(operand)) or 0 for operand in node.operands]
    if not made or made > _LARGEST or not all(0 < size <= _LARGEST for size in read):
        return False
    return made <= max(_SMALL, sum(read))


FOLD = (constants_folded,)

fold = rewriting("fold", *FOLD)
