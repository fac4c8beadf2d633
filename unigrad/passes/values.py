"""What rules share: making a value of a wanted type, and questions about types and constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from unigrad.ir.nodes import Node, current_scope, tensor
from unigrad.ops.elementwise import absolute, exp, multiply, sigmoid, square
from unigrad.ops.pattern import constant_of
from unigrad.ops.reduction import sum_
from unigrad.ops.shape import broadcast_to

if TYPE_CHECKING:
    from unigrad.ops.spec import Op

__all__ = [
    "combined", "full", "is_boolean", "is_float", "is_inexact", "is_wide", "like", "never_negative",
    "scalar",
]  # fmt: skip


def is_float(node: Node) -> bool:
    """Whether a node is of a real floating dtype."""
    return tensor(node).dtype.kind == "float"


def is_inexact(node: Node) -> bool:
    """Whether a node is of a floating dtype, real or complex."""
    return tensor(node).dtype.is_floating


def is_boolean(node: Node) -> bool:
    """Whether a node is of dtype bool."""
    return tensor(node).dtype.kind == "bool"


def is_wide(node: Node) -> bool:
    """Whether sums may be scaled later instead of sooner without overflowing in practice.

    float16 ends at 65504: there the order in which a user scales and adds is kept.
    """
    return tensor(node).dtype.name != "float16"


def like(value: Node, out: Node) -> Node | None:
    """``value`` in the shape of ``out``, for a rule that drops an operand that stretched it.

    ``None`` if the two differ in dtype, or one is weak and the other is not.
    """
    have, want = tensor(value), tensor(out)
    if have is want:
        return value
    if have.dtype is not want.dtype or have.weak is not want.weak:
        return None
    stretched: Any = broadcast_to(value, want.shape)
    return stretched


def scalar(value: Any, out: Node) -> Node:
    """The number ``value`` as a constant of the dtype of ``out``."""
    place = current_scope() or out.scope
    return place.constant(value, tensor(out).dtype, weak=tensor(out).weak)


def full(value: Any, out: Node) -> Node:
    """The number ``value`` everywhere, in the type of ``out``."""
    constant = scalar(value, out)
    return constant if tensor(out).ndim == 0 else broadcast_to(constant, tensor(out).shape)


def combined(op: Op[...], first: Node, second: Node) -> Node | None:
    """The constant ``op(first, second)`` of two numbers; ``None`` if it overflows or underflows."""
    a, b = constant_of(first), constant_of(second)
    if a is None or b is None:
        return None
    dtype = tensor(a).dtype
    with np.errstate(all="ignore"):
        value = np.asarray(op.reference(a.params[0], b.params[0])).astype(dtype.numpy)
        if dtype.is_floating and not (
            np.isfinite(value) and np.abs(value) >= _smallest(value.dtype)
        ):
            return None
    place = current_scope() or first.scope
    return place.constant(value, dtype, weak=tensor(a).weak and tensor(b).weak)


def _smallest(dtype: np.dtype[Any]) -> float:
    """The smallest number that still has all digits."""
    # NumPy does not know bfloat16, which has the range of float32.
    return float(np.finfo(dtype if dtype.kind in "fc" else np.float32).tiny)


def never_negative(node: Node) -> bool:
    """Whether how a real node was made shows that it is neither negative nor -0.0."""
    while node.op is sum_ or node.op is broadcast_to:
        node = node.operands[0]
    if not is_float(node):
        return False
    if node.op is multiply:
        return node.operands[0] is node.operands[1]
    return node.op in (square, absolute, exp, sigmoid)
