"""Reductions: the family supplies axes, shapes and dtypes; each op states its value and its vjp."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from unigrad.errors import ArgumentError
from unigrad.ir.dims import product
from unigrad.ops.elementwise import (
    astype,
    equal,
    exp,
    isfinite,
    isinf,
    log,
    logical_and,
    minimum,
    multiply,
    square,
    stop_gradient,
    where,
)  # fmt: skip
from unigrad.ops.families import as_tuple, reduction, scipy_special
from unigrad.ops.roots import root
from unigrad.ops.shape import (
    concat,
    dim_value,
    expand_dims,
    getitem,
    iota,
    restore,
    spread,
    squeeze,
    sum_,
)  # fmt: skip
from unigrad.ops.spec import Sample, composite, describe

if TYPE_CHECKING:
    from unigrad.ir.nodes import Node
    from unigrad.ops.spec import Array, Axes, Op

__all__ = [
    "all_", "any_", "argmax", "argmin", "logsumexp", "max_", "mean", "min_", "prod", "prod_", "std",
    "sum_", "sum__", "var",
]  # fmt: skip


def _scaled(cotangent: Any, factor: Any, x: Node) -> Any:
    """A cotangent times a factor in the shape of ``x``; what is selected stays a selection."""
    from unigrad.ops.cotangents import scale_to  # made of reductions

    return scale_to(cotangent, factor, x.shape)


def count(x: Node, axis: tuple[int, ...]) -> Any:
    """How many elements each result was made from: a number, or a node for named dimensions."""
    size = product(x.shape[one] for one in axis)
    return float(size) if isinstance(size, int) else dim_value(size, x.dtype)


@reduction(kinds="floating", accumulates=True)
def mean(x: Array, /, *, axis: Axes = None, keepdims: bool = False) -> Any:
    """Arithmetic mean over ``axis``; of integers, a float."""
    return np.mean(x, axis=axis, keepdims=keepdims)


@mean.vjp
def _(g: Node, out: Node, x: Node, *, axis: Any, keepdims: bool) -> Node:
    del out
    return spread(g / count(x, axis), x, axis, keepdims)


@mean.lower
def _(x: Node, *, axis: Any, keepdims: bool) -> Node:
    return sum_(x, axis=axis, keepdims=keepdims) / count(x, axis)


@reduction(kinds="any", result="sum")
def prod(x: Array, /, *, axis: Axes = None, keepdims: bool = False) -> Any:
    """Product over ``axis``; its derivative is the product of the other factors, exact at zeros."""
    return np.prod(x, axis=axis, keepdims=keepdims)


@prod.vjp
def _(g: Node, out: Node, x: Node, *, axis: Any, keepdims: bool) -> Node:
    del out
    return _scaled(spread(g, x, axis, keepdims), _product_of_others(x, axis), x)


def _product_of_others(x: Node, axes: tuple[int, ...]) -> Any:
    """For each element the product of all others along ``axes``, without a division.

    The product is taken as a balanced tree of multiplications; what multiplies an element is then
    handed down the tree. Linear in the number of elements, and the second derivative, which a
    division by ``x`` gets wrong at zeros, is right.
    """
    if not axes:
        return 1
    *outer, axis = axes
    if outer:
        inner = prod(x, axis=axis, keepdims=True)
        return _product_of_others(x, (axis,)) * _product_of_others(inner, tuple(outer))
    size = x.shape[axis]
    if not isinstance(size, int):
        # Not knowing how deep the tree would be: one row of factors for each element left out.
        shape = (*x.shape[: axis + 1], size, *x.shape[axis + 1 :])
        left_out = equal(iota(shape, axis, "int64"), iota(shape, axis + 1, "int64"))
        return prod(where(left_out, 1, expand_dims(x, axis=axis)), axis=axis + 1)
    levels, sizes = [x], [size]
    while sizes[-1] > 1:
        low, high, rest = _halves(levels[-1], axis, sizes[-1])
        product_ = multiply(low, high)
        levels.append(product_ if rest is None else concat([product_, rest], axis=axis))
        sizes.append(sizes[-1] - sizes[-1] // 2)
    others: Any = None
    for level, length in zip(levels[-2::-1], sizes[-2::-1], strict=True):
        half = length // 2
        low, high, rest = _halves(level, axis, length)
        if others is None:
            parts = [high, low]
        else:
            above = _cut(others, axis, 0, half)
            parts = [above * high, above * low]
            if rest is not None:
                parts.append(_cut(others, axis, half, half + 1))
        others = concat(parts, axis=axis)
    return 1 if others is None else others


def _cut(x: Any, axis: int, start: int, stop: int) -> Any:
    return getitem(x, (*(slice(None),) * axis, slice(start, stop)))


def _halves(x: Any, axis: int, size: int) -> tuple[Any, Any, Any]:
    half = size // 2
    rest = _cut(x, axis, 2 * half, size) if size % 2 else None
    return _cut(x, axis, 0, half), _cut(x, axis, half, 2 * half), rest


def _in_dtype(op: Op[...], x: Node, axis: Any, dtype: Any, *, keepdims: bool) -> Node:
    """A sum or a product computed in a dtype that the caller has chosen."""
    if dtype is None:
        return op(x, axis=axis, keepdims=keepdims)
    # Of small integers the result is wide: brought back to what was asked for.
    return astype(op(astype(x, dtype), axis=axis, keepdims=keepdims), dtype)


@composite
def sum__(x: Array, /, *, axis: Axes = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """Sum over ``axis`` (all axes by default), of small integers and booleans in 64 bits.

    A ``dtype`` is what to add up in, and the dtype of the result.
    """
    return _in_dtype(sum_, x, axis, dtype, keepdims=keepdims)


@composite
def prod_(x: Array, /, *, axis: Axes = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """Product over ``axis``; its derivative is the product of the other factors, exact at zeros.

    A ``dtype`` is what to multiply in, and the dtype of the result.
    """
    return _in_dtype(prod, x, axis, dtype, keepdims=keepdims)


def _extremum_vjp(g: Node, out: Node, x: Node, *, axis: Any, keepdims: bool) -> Node:
    """Ties share equally; where the result is NaN nothing equals it, and 0/0 is NaN everywhere."""
    hits = astype(equal(x, restore(out, x, axis, keepdims)), x.dtype)
    return _scaled(restore(g, x, axis, keepdims), hits / sum_(hits, axis=axis, keepdims=True), x)


@reduction(kinds="real", empty=False, accumulates=True)
def max_(x: Array, /, *, axis: Axes = None, keepdims: bool = False) -> Any:
    """Largest element over ``axis``; ties share the cotangent equally, NaN poisons it."""
    return np.max(x, axis=axis, keepdims=keepdims)


@reduction(kinds="real", empty=False, accumulates=True)
def min_(x: Array, /, *, axis: Axes = None, keepdims: bool = False) -> Any:
    """Smallest element over ``axis``; ties share the cotangent equally, NaN poisons it."""
    return np.min(x, axis=axis, keepdims=keepdims)


max_.vjp(_extremum_vjp)
min_.vjp(_extremum_vjp)


def _centred(x: Node, axis: tuple[int, ...]) -> Any:
    return x - mean(x, axis=axis, keepdims=True)


def _freedom(x: Node, axis: tuple[int, ...], correction: float) -> Any:
    """``n - correction``; NaN where that leaves nothing, or less, to divide by."""
    freedom = count(x, axis) - correction
    if isinstance(freedom, float):
        return freedom if freedom > 0 else math.nan
    return where(freedom > 0, freedom, math.nan) if correction > 0 else freedom


def _as_correction(correction: Any) -> tuple[float]:
    if not isinstance(correction, (int, float, np.floating)):
        raise ArgumentError(f"correction is a Python number, got {describe(correction)}")
    return (float(cast("float", correction)),)


_TOO_FEW: Final = Sample(
    (np.array([1.0, 3.0]),),
    {"correction": 2.0},
    gradient=(np.full(2, np.nan),),
    note="n <= correction",
)


@reduction(
    kinds="real floating", further=_as_correction, samples=[_TOO_FEW], accumulates=True
)  # fmt: skip
def var(x: Array, /, *, axis: Axes = None, keepdims: bool = False, correction: float = 0.0) -> Any:
    """Variance over ``axis``: squared deviations over ``n - correction``; NaN if none is left."""
    freedom = np.sum(np.ones_like(x), axis=axis, keepdims=keepdims) - correction
    squares = np.square(x - np.mean(x, axis=axis, keepdims=True))
    total = np.sum(squares, axis=axis, keepdims=keepdims)
    return total / np.where(freedom > 0, freedom, np.nan)  # of which np.var warns


@var.vjp
def _(g: Node, out: Node, x: Node, *, axis: Any, keepdims: bool, correction: float) -> Node:
    del out
    scaled = 2.0 * restore(g, x, axis, keepdims) / _freedom(x, axis, correction)
    return _scaled(scaled, _centred(x, axis), x)


@var.lower
def _(x: Node, *, axis: Any, keepdims: bool, correction: float) -> Node:
    squares = sum_(square(_centred(x, axis)), axis=axis, keepdims=keepdims)
    return squares / _freedom(x, axis, correction)


@reduction(
    kinds="real floating", further=_as_correction, samples=[_TOO_FEW], accumulates=True
)  # fmt: skip
def std(x: Array, /, *, axis: Axes = None, keepdims: bool = False, correction: float = 0.0) -> Any:
    """Standard deviation over ``axis``; its gradient is 0 where all elements are equal."""
    return np.sqrt(var.reference(x, axis=axis, keepdims=keepdims, correction=correction))


@std.vjp
def _(g: Node, out: Node, x: Node, *, axis: Any, keepdims: bool, correction: float) -> Node:
    deviation = restore(out, x, axis, keepdims)
    least = deviation if _is_empty(x, axis) else minimum(deviation, _spread(x, axis))
    length = where(equal(least, 0), math.inf, deviation * _freedom(x, axis, correction))
    return _scaled(restore(g, x, axis, keepdims), _centred(x, axis) / length, x)


def _spread(x: Node, axis: tuple[int, ...]) -> Any:
    """Largest less smallest element: 0 if and only if all are equal, and the deviation is 0.

    The deviation itself need not be: the mean of equal elements is rounded, and what is left of
    each is as large as of elements that differ in their last digits, whose deviation is none of
    rounding. No bound on the deviation could tell the two apart.
    """
    return max_(x, axis=axis, keepdims=True) - min_(x, axis=axis, keepdims=True)


def _is_empty(x: Node, axis: tuple[int, ...]) -> bool:
    """Whether there are no elements, or only one for each result, which has no spread."""
    return not axis or any(x.shape[one] == 0 for one in axis)


@std.lower
def _(x: Node, *, axis: Any, keepdims: bool, correction: float) -> Node:
    return root(var(x, axis=axis, keepdims=keepdims, correction=correction))


@reduction(kinds="floating", accumulates=True)
def logsumexp(x: Array, /, *, axis: Axes = None, keepdims: bool = False) -> Any:
    """``log(sum(exp(x)))`` over ``axis`` without overflow.

    Its derivative is the softmax, and the limit of it at infinities: equal ones share equally.
    """
    if np.ndim(x) == 0:  # SciPy gives a scalar an axis that it does not have
        return np.asarray(x)
    return scipy_special("logsumexp")(x, axis=axis, keepdims=keepdims)


@logsumexp.vjp
def _(g: Node, out: Node, x: Node, *, axis: Any, keepdims: bool) -> Node:
    total, unbounded = (restore(one, x, axis, keepdims) for one in (out, isinf(out)))
    # The total of the shares is 1 but where infinities share; there it counts them.
    shares = exp(where(logical_and(unbounded, equal(x, total)), 0, x - total))
    shares = shares / sum_(shares, axis=axis, keepdims=True)
    return _scaled(restore(g, x, axis, keepdims), shares, x)


@logsumexp.lower
def _(x: Node, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    if any(x.shape[one] == 0 for one in axis):
        return log(sum_(exp(x), axis=axis, keepdims=keepdims))  # of nothing: -inf
    peak = max_(x, axis=axis, keepdims=True)
    peak = stop_gradient(where(isfinite(peak), peak, 0))
    total = log(sum_(exp(x - peak), axis=axis, keepdims=True)) + peak
    return total if keepdims else squeeze(total, axis=axis)


@reduction(kinds="any", result="bool")
def any_(x: Array, /, *, axis: Axes = None, keepdims: bool = False) -> Any:
    """Whether an element is true (not zero) over ``axis``."""
    return np.any(x, axis=axis, keepdims=keepdims)


@reduction(kinds="any", result="bool")
def all_(x: Array, /, *, axis: Axes = None, keepdims: bool = False) -> Any:
    """Whether every element is true (not zero) over ``axis``."""
    return np.all(x, axis=axis, keepdims=keepdims)


def _one_axis(axis: Any) -> int | None:
    """What NumPy calls one axis, which a normalised parameter says as a tuple, or all of them."""
    axes = as_tuple(axis)
    return axes[0] if len(axes) == 1 else None


@reduction(kinds="real", result="int64", empty=False, single=True)
def argmax(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Any:
    """Index of the largest element over one axis (of all elements, by default); the first NaN."""
    return np.argmax(x, axis=_one_axis(axis), keepdims=keepdims)


@reduction(kinds="real", result="int64", empty=False, single=True)
def argmin(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Any:
    """Index of the smallest element over one axis (of all elements, by default); the first NaN."""
    return np.argmin(x, axis=_one_axis(axis), keepdims=keepdims)


# Their results are counts and truths: constant for derivatives.
for _op in (any_, all_, argmax, argmin):
    _op.constant = True
