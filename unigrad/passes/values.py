"""What rules share: making a value of a wanted type, and questions about types and constants."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from unigrad.ir.nodes import Node, current_scope, tensor
from unigrad.ops.elementwise import absolute, astype, exp, multiply, sigmoid, square
from unigrad.ops.pattern import constant_of, number_of
from unigrad.ops.reduction import sum_
from unigrad.ops.shape import broadcast_to

if TYPE_CHECKING:
    from unigrad.ops.spec import Op

__all__ = [
    "combined", "full", "is_boolean", "is_float", "is_inexact", "is_moderate", "is_wide", "like",
    "may_meet", "never_negative", "scalar",
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

    A weak value is made strong where that is wanted. ``None`` if the two differ in dtype, or only
    the wanted one is weak.
    """
    have, want = tensor(value), tensor(out)
    if have.dtype is not want.dtype or have.weak < want.weak:
        return None
    if have.weak > want.weak:
        value = astype(value, want.dtype)
    return value if have.shape == want.shape else broadcast_to(value, want.shape)


def scalar(value: Any, out: Node) -> Node:
    """The number ``value`` as a constant of the dtype of ``out``."""
    place = current_scope() or out.scope
    return place.constant(value, tensor(out).dtype, weak=tensor(out).weak)


def full(value: Any, out: Node) -> Node:
    """The number ``value`` everywhere, in the type of ``out``."""
    constant = scalar(value, out)
    return constant if tensor(out).ndim == 0 else broadcast_to(constant, tensor(out).shape)


def is_moderate(number: Node) -> bool:
    """Whether a number scales so little that it may be applied sooner or later than is written.

    What it scales can then go out of range in between only if it is within that factor of the
    largest or the smallest number.
    """
    if not is_inexact(number):
        return True
    most = _MOST if is_wide(number) else _MOST_OF_HALF
    return 1 / most <= _magnitude(number) <= most


_MOST: Final = 1e8
_MOST_OF_HALF: Final = 8.0


def may_meet(first: Node, second: Node, *, divides: bool = False) -> bool:
    """Whether two numbers that scale one after the other may be one number that scales once.

    They may if both enlarge or both reduce: what goes out of range in between then does so in the
    end. ``(x * 1e300) * 1e-300`` is left alone: at ``x = 1e10`` it is infinite, and ``x`` is not.

    Args:
        first: a number.
        second: another.
        divides: whether the second one divides.
    """
    if is_moderate(first) and is_moderate(second):
        return True
    a, b = _magnitude(first), _magnitude(second)
    if divides:
        return b <= 1 <= a or a <= 1 <= b
    return min(a, b) >= 1 or max(a, b) <= 1


def _magnitude(number: Node) -> float:
    """The size of a number; NaN, which compares with nothing, of what is none."""
    value = number_of(number)
    return math.nan if value is None else float(abs(value))


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
