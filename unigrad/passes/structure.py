"""Laws of arrangement: shapes, broadcasts, sums of what was repeated, selections, casts.

These rules move no number through arithmetic: results are the same bit for bit, but for the order
in which a sum adds up and the sign of a zero. A factor never leaves a ``where``: the selection
stays outermost, so that what it discards is never multiplied.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from unigrad.errors import ShapeError
from unigrad.ir.dims import product
from unigrad.ir.nodes import CONSTANT, tensor
from unigrad.ir.types import broadcast_shapes
from unigrad.ops.contraction import matmul
from unigrad.ops.elementwise import add, astype, barrier, logical_not, stop_gradient, where
from unigrad.ops.pattern import constant_of, number_of, variables
from unigrad.ops.reduction import all_, any_, mean, prod, sum_
from unigrad.ops.shape import (
    broadcast_to,
    concat,
    expand_dims,
    flip,
    getitem,
    permute_dims,
    place_at,
    reshape,
    squeeze,
)
from unigrad.ops.spec import OPS
from unigrad.passes.rewrite import rule, rule_on, shared
from unigrad.passes.values import full, like

if TYPE_CHECKING:
    from unigrad.ir.types import DType, Shape
    from unigrad.ops.spec import Array

__all__ = ["STRUCTURE", "broadcast_last"]

x, y, z, c, axis, axes, shape, key = variables("x y z c axis axes shape key")

ELEMENTWISE: Final = tuple(op for op in OPS.values() if op.elementwise and op is not barrier)
RESHAPES: Final = (reshape, expand_dims, squeeze)
"""Ops that keep the elements and their order."""

# -- shapes ----------------------------------------------------------------------------------------


@rule_on(*RESHAPES, broadcast_to, astype)
def nothing_changed(node: Array) -> Array:
    """A reshape to the own shape, a broadcast to it or a cast to the own dtype does nothing."""
    (inner,) = node.operands
    return inner if inner.type is node.type else None


@rule_on(*RESHAPES, operand=RESHAPES)
def reshape_of_reshape(node: Array) -> Array:
    """Only the last shape counts; where it is the first one again, nothing is left."""
    inner = node.operands[0].operands[0]
    return inner if inner.type is node.type else reshape(inner, node.shape)


@rule(permute_dims(x, axes=axes))
def identical_order(x: Array, axes: Any) -> Array:
    """Axes in their own order are not moved."""
    return x if axes == tuple(range(len(axes))) else None


@rule(permute_dims(permute_dims(x, axes=axes), axes=axis))
def order_of_order(x: Array, axes: Any, axis: Any) -> Array:
    """Axes that are moved twice are moved once, or not at all."""
    order = tuple(axes[one] for one in axis)
    return x if order == tuple(range(len(order))) else permute_dims(x, order)


@rule(flip(x, axis=()))
def flip_of_nothing(x: Array) -> Array:
    """Without an axis to turn around, nothing is turned around."""
    return x


@rule(flip(flip(x, axis=axes), axis=axis))
def flip_of_flip(x: Array, axes: Any, axis: Any) -> Array:
    """An axis that is turned around twice is not."""
    return flip(x, axis=tuple(sorted(set(axes) ^ set(axis))))


@rule(concat([x], axis=axis))
def concat_of_one(x: Array, out: Array) -> Array:
    """One array needs no joining."""
    return like(x, out)


@rule_on(*RESHAPES, permute_dims, flip, getitem, operand=(CONSTANT, broadcast_to))
def number_moved(node: Array) -> Array:
    """A number that stands everywhere does so in every arrangement."""
    number = constant_of(node.operands[0])
    return None if number is None else like(number, node)


@rule_on(permute_dims, operand=(matmul,))
def transposed_product(node: Array) -> Array:
    """``(A^T B)^T`` is ``B^T A``: one transposition less, and none for ``(A^T B^T)^T``."""
    (inner,) = node.operands
    left, right = inner.operands
    if node.params != (_SWAPPED,) or left.ndim != right.ndim or shared(inner):
        return None
    if left.op is not permute_dims and right.op is not permute_dims:
        return None
    return matmul(permute_dims(right, _SWAPPED), permute_dims(left, _SWAPPED))


_SWAPPED: Final = (1, 0)


# -- picking and placing ---------------------------------------------------------------------------


def _takes_all(key: tuple[Any, ...], shape: Shape) -> bool:
    """Whether a basic index takes everything as it is."""
    return len(key) == len(shape) and all(
        entry == (0, size, 1) for entry, size in zip(key, shape, strict=True)
    )


@rule(getitem(x, key=key))
def everything_taken(x: Array, key: Any) -> Array:
    """An index of full slices is the array."""
    return x if _takes_all(key, x.shape) else None


@rule(place_at(x, key=key, shape=shape))
def everything_placed(x: Array, key: Any, shape: Any) -> Array:
    """An array that fills the whole space is the whole."""
    return x if _takes_all(key, shape) and x.shape == shape else None


@rule(getitem(place_at(x, key=key, shape=shape), key=key))
def placed_and_taken(x: Array) -> Array:
    """What is taken from where it was put is what was put there."""
    return x


@rule_on(getitem, operand=(concat,))
def slice_of_concat(node: Array) -> Array:
    """A slice that lies in one part of a joined array is a slice of this part."""
    (joined,) = node.operands
    ((axis,), (key,)) = joined.params, node.params
    if len(joined.operands) > _MOST_PARTS or None in key[: axis + 1]:
        return None
    entry, start = key[axis], 0
    for part in joined.operands:
        size = part.shape[axis]
        local = _within(entry, start, size)
        if local is not None:
            return like(getitem(part, (*key[:axis], local, *key[axis + 1 :])), node)
        start = start + size
    return None


_MOST_PARTS: Final = 64  # each slice looks through the parts: the walk stays linear


def _within(entry: Any, start: Any, size: Any) -> Any:
    """A slice or an index of the whole as one of the part at ``start``; ``None`` if not there."""
    if isinstance(entry, int):
        known = isinstance(start, int) and isinstance(size, int)
        return entry - start if known and start <= entry < start + size else None
    if entry == (start, start + size, 1):
        return (0, size, 1)
    low, high, step = entry
    if step != 1 or not all(isinstance(one, int) for one in (low, high, start, size)):
        return None
    return (low - start, high - start, 1) if start <= low < high <= start + size else None


@rule_on(add, operand=(place_at,))
def neighbours_placed(node: Array) -> Array:
    """Two arrays put side by side into zeros and added are joined first: no zeros are added."""
    first, second = node.operands
    if first.op is not place_at or second.op is not place_at or first.params[1] != second.params[1]:
        return None
    if shared(first) or shared(second):
        return None
    keys, whole = (first.params[0], second.params[0]), first.params[1]
    if any(len(key) != len(whole) or not all(isinstance(e, tuple) for e in key) for key in keys):
        return None
    differing = [one for one in range(len(whole)) if keys[0][one] != keys[1][one]]
    if len(differing) != 1:
        return None
    (along,) = differing
    parts = sorted(
        zip(keys, (first.operands[0], second.operands[0]), strict=True), key=_begins(along)
    )
    (low, before), (high, after) = parts
    (start, middle, step), (also, stop, also_step) = low[along], high[along]
    if middle is None or middle != also or step != 1 or also_step != 1:
        return None
    key = (*low[:along], (start, stop, 1), *low[along + 1 :])
    return like(place_at(concat([before, after], axis=along), key, whole), node)


def _begins(along: int) -> Any:
    def first_index(part: Any) -> Any:
        start = part[0][along][0]
        return start if isinstance(start, int) else math.inf

    return first_index


# -- broadcasts ------------------------------------------------------------------------------------


@rule(broadcast_to(broadcast_to(x, shape=shape), shape=axes))
def broadcast_of_broadcast(x: Array, axes: Any) -> Array:
    """Only the last shape counts."""
    return broadcast_to(x, axes)


@rule_on(broadcast_to, operand=(*RESHAPES, CONSTANT))
def broadcast_of_leading_axes(node: Array) -> Array:
    """A broadcast itself adds axes in front, and a constant of one element is a number."""
    (inner,) = node.operands
    if inner.op is CONSTANT:
        if tensor(inner).ndim and tensor(inner).size == 1:
            return full(inner.params[0].reshape(()), node)
        return None
    bare = _without_leading_axes(inner)
    return None if bare is inner else broadcast_to(bare, node.shape)


def _without_leading_axes(node: Any) -> Any:
    """The array behind a reshape that only adds axes of size 1 in front; else ``node`` itself."""
    if node.op not in RESHAPES:
        return node
    (inner,) = node.operands
    extra = node.ndim - inner.ndim
    return inner if extra > 0 and node.shape == (1,) * extra + inner.shape else node


@rule_on(*ELEMENTWISE, operand=(broadcast_to, *RESHAPES))
def broadcast_by_the_op(node: Array) -> Array:
    """An elementwise op broadcasts by itself: what others stretch is not stretched first."""
    operands: list[Any] = list(node.operands)
    changed = False
    for position, operand in enumerate(operands):
        bare = operand.operands[0] if operand.op is broadcast_to else _without_leading_axes(operand)
        if bare is operand:
            continue
        others = [one.shape for one in operands if one is not operand]
        if others and _broadcast([bare.shape, *others]) == node.shape:
            operands[position] = bare
            changed = True
    return node.op(*operands, *node.params) if changed else None


def _broadcast(shapes: list[Shape]) -> Shape | None:
    try:
        return broadcast_shapes(shapes)
    except ShapeError:  # an axis of the broadcast was needed in front of a named one
        return None


@rule_on(*ELEMENTWISE, astype, operand=(broadcast_to,))
def broadcast_last(node: Array) -> Array:
    """``f(broadcast(x))`` is ``broadcast(f(x))``, on fewer elements.

    At a pole of ``f`` the derivative adds cotangents before it multiplies, not after: so this waits
    until nothing is differentiated any more.
    """
    operands: list[Any] = [
        operand.operands[0] if operand.op is broadcast_to else operand for operand in node.operands
    ]
    shape = _broadcast([operand.shape for operand in operands])
    if shape is None or shape == node.shape:
        return None
    return like(node.op(*operands, *node.params), node)


# -- reductions ------------------------------------------------------------------------------------


@rule_on(sum_, mean, prod, any_, all_)
def reduction_of_single_elements(node: Array) -> Array:
    """A reduction over no axis, or over axes of size 1, only casts and reshapes.

    Not so ``max``, ``min`` and ``logsumexp``: the gradient of a reduction that meets NaN is NaN.
    """
    (inner,) = node.operands
    sizes = inner.shape
    if any(sizes[one] != 1 for one in node.params[0]):
        return None
    if inner.dtype is not node.dtype or inner.type.weak:
        inner = astype(inner, node.dtype)
    return reshape(inner, node.shape) if inner.type is not node.type else inner


@rule_on(sum_, mean, operand=(broadcast_to,))
def reduction_of_broadcast(node: Array) -> Array:
    """A sum over what was repeated is a multiple, and its mean is itself: nothing is repeated."""
    (whole,) = node.operands
    (inner,) = whole.operands
    axis, keepdims = node.params
    extra = whole.ndim - inner.ndim
    repeated = [one for one in axis if one < extra or inner.shape[one - extra] != whole.shape[one]]
    count = product(whole.shape[one] for one in repeated)
    if not repeated or not isinstance(count, int) or count == 0:
        return None
    kept = tuple(one - extra for one in axis if one >= extra)
    rest = node.op(inner, axis=kept, keepdims=keepdims)
    if node.op is sum_:
        if not _holds(rest.dtype, count):
            return None
        rest = rest * count
    return like(rest, node)


_LARGEST_HALF: Final = 65504  # of float16


def _holds(dtype: DType, count: int) -> bool:
    """Whether a count is not beyond the largest number of a dtype."""
    return dtype.name != "float16" or count <= _LARGEST_HALF


# -- selections ------------------------------------------------------------------------------------


@rule(where(c, x, x))
def same_either_way(x: Array, out: Array) -> Array:
    """Where both branches are the same, nothing is selected."""
    return like(x, out)


@rule_on(where, operand=(CONSTANT, broadcast_to))
def known_selection(node: Array) -> Array:
    """A condition that is known selects now."""
    condition, then, otherwise = node.operands
    held: Any = number_of(condition)
    if held is None and condition.op is CONSTANT:
        values = condition.params[0]
        held = True if values.all() else None if values.any() else False
    return None if held is None else like(then if held else otherwise, node)


@rule(where(logical_not(c), x, y))
def negated_condition(c: Array, x: Array, y: Array) -> Array:
    """``where(not c, x, y)`` is ``where(c, y, x)``."""
    return where(c, y, x)


@rule(where(c, where(c, x, z), y))
def selection_decided_before(c: Array, x: Array, y: Array, out: Array) -> Array:
    """Where ``c`` holds, an inner selection by ``c`` has been made."""
    return like(where(c, x, y), out)


@rule(where(c, x, where(c, z, y)))
def selection_decided_against(c: Array, x: Array, y: Array, out: Array) -> Array:
    """Where ``c`` does not hold, an inner selection by ``c`` has been made."""
    return like(where(c, x, y), out)


@rule(stop_gradient(stop_gradient(x)))
def stopped_twice(x: Array) -> Array:
    """A constant stays a constant."""
    return stop_gradient(x)


# -- casts -----------------------------------------------------------------------------------------


@rule_on(astype, operand=(astype,))
def cast_of_lossless_cast(node: Array) -> Array:
    """A cast to a dtype that holds every value of the first one leaves no trace."""
    inner = node.operands[0].operands[0]
    return astype(inner, node.dtype) if _lossless(inner.dtype, node.operands[0].dtype) else None


_DIGITS: Final = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
_RANGE: Final = {"float16": 5, "bfloat16": 8, "float32": 8, "float64": 11}


def _lossless(narrow: DType, wide: DType) -> bool:
    """Whether ``wide`` holds every value of ``narrow``."""
    if narrow.kind == "bool" or narrow is wide:
        return True
    if narrow.kind in ("int", "uint"):
        bits = 8 * narrow.itemsize - (narrow.kind == "int")
        if wide.kind == "float":
            return bits <= _DIGITS[wide.name]
        have = 8 * wide.itemsize - (wide.kind == "int")
        return (
            wide.kind in ("int", "uint")
            and bits <= have
            and (wide.kind == "int" or narrow.kind == "uint")
        )
    if narrow.kind == "float" and wide.kind == "float":
        same = _DIGITS[narrow.name] <= _DIGITS[wide.name]
        return same and _RANGE[narrow.name] <= _RANGE[wide.name]
    return False


STRUCTURE = (
    nothing_changed, number_moved, reshape_of_reshape, identical_order, order_of_order,
    flip_of_nothing, flip_of_flip, concat_of_one, transposed_product,
    everything_taken, everything_placed, placed_and_taken, slice_of_concat, neighbours_placed,
    broadcast_of_broadcast, broadcast_of_leading_axes, broadcast_by_the_op,
    reduction_of_single_elements, reduction_of_broadcast,
    same_either_way, known_selection, negated_condition, selection_decided_before,
    selection_decided_against, stopped_twice, cast_of_lossless_cast,
)  # fmt: skip
"""Rules that keep every derivative: they may run before a graph is differentiated."""
