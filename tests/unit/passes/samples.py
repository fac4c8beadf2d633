"""For every rule of the pipeline: expressions in which it fires.

``SAMPLES[rule name]`` lists pairs of input types and a function that builds the expression.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from unigrad.ir.nodes import current_scope
from unigrad.ir.types import DTYPES
from unigrad.ops import elementwise as e
from unigrad.ops.contraction import matmul
from unigrad.ops.nn import softmax
from unigrad.ops.reduction import all_, any_, logsumexp, mean, prod, std, sum_, var
from unigrad.ops.roots import root
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

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SAMPLES"]

V = ("float64[4]",)
VV = ("float64[4]", "float64[4]")
S = ("float64[]",)
M = ("float64[2, 3]",)
N = ("float64[n, 3]",)
Z = ("int64[4]",)
B = ("bool[4]",)
BVV = ("bool[4]", "float64[4]", "float64[4]")

TRUE, FALSE = True, False

Sample = tuple[tuple[str, ...], "Callable[..., Any]"]


def known(value: Any) -> Any:
    """A constant array or number in the scope that is open, strong."""
    array = np.asarray(value)
    place = current_scope()
    assert place is not None
    return place.constant(array, DTYPES[array.dtype.name])


def half(x: Any) -> Any:
    """One half, in the dtype of ``x``, broadcast to its shape."""
    place = current_scope()
    assert place is not None
    return broadcast_to(place.constant(0.5, x.dtype), x.shape)


def transposed(x: Any) -> Any:
    """The transpose of a matrix."""
    return permute_dims(x, (1, 0))


def row(start: int, stop: int) -> tuple[Any, ...]:
    return (slice(start, stop),)


SAMPLES: dict[str, list[Sample]] = {
    # fold
    "constants_folded": [
        (V, lambda x: x + e.exp(known(0.5))),
        (V, lambda x: x + sum_(known([1.0, 2.0, 3.0]), axis=0, keepdims=True)),
        (("int32[4]",), lambda x: x + e.negative(known(np.int32(3)))),
        (B, lambda x: e.logical_xor(x, e.less(known(1.0), known(2.0)))),
    ],
    # units
    "unit_dropped": [
        (V, lambda x: x * 1), (V, lambda x: 1 * x), (V, lambda x: x / 1), (V, lambda x: x**1),
        (S, lambda x: x * broadcast_to(known(1.0), (3,))), (Z, lambda x: x * 1),
        (("~float64",), lambda x: x * 1), (N, lambda x: x * 1),
    ],
    "zero_added": [(V, lambda x: x + 0), (V, lambda x: 0 + x), (Z, lambda x: x + 0)],
    "zero_subtracted": [(V, lambda x: x - 0), (Z, lambda x: x - 0)],
    "subtracted_from_zero": [(Z, lambda x: 0 - x), (V, lambda x: known(-0.0) - x)],
    "positive_dropped": [(V, lambda x: +x)],
    # negation
    "double_negation": [(V, lambda x: e.negative(-x)), (Z, lambda x: e.negative(-x))],
    "times_minus_one": [(V, lambda x: x * -1), (V, lambda x: x / -1), (Z, lambda x: -1 * x)],
    "negative_subtracted": [(VV, lambda x, y: x - (-y))],
    "negative_added": [(VV, lambda x, y: x + (-y)), (VV, lambda x, y: (-x) + y)],
    "negated_multiple": [(V, lambda x: -(3 * x)), (Z, lambda x: -(x * 3))],
    "negated_fraction": [(V, lambda x: -(3 / x))],
    "negated_quotient": [(V, lambda x: -(x / 3))],
    "multiple_of_negative": [(V, lambda x: 3 * (-x)), (V, lambda x: (-x) * half(x))],
    "quotient_of_negative": [(V, lambda x: (-x) / 3)],
    "fraction_of_negative": [(V, lambda x: 3 / (-x))],
    "negative_factor": [
        (VV, lambda x, y: (-x) * y),
        (VV, lambda x, y: x * (-y)),
        (VV, lambda x, y: (-x) / y),
    ],
    "negative_divisor": [(VV, lambda x, y: x / (-y))],
    "even_of_negative": [(V, lambda x: e.square(-x)), (V, lambda x: abs(-x))],
    "sum_of_negatives": [(M, lambda x: sum_(-x, axis=0)), (M, lambda x: mean(-x, keepdims=True))],
    # numbers that meet
    "multiple_of_multiple": [
        (V, lambda x: 3 * (2.5 * x)), (V, lambda x: half(x) * (x * 3)), (Z, lambda x: 3 * (x * 5)),
    ],
    "multiple_of_quotient": [
        (V, lambda x: 3 * (x / 7)), (V, lambda x: (3 * x) / 7),
    ],
    "quotient_of_quotient": [(V, lambda x: (x / 3) / 7)],
    "multiple_of_fraction": [(V, lambda x: 3 * (7 / x))],
    "fraction_of_quotient": [(V, lambda x: 3 / (x / 7))],
    "quotient_of_fraction": [(V, lambda x: (3 / x) / 7), (V, lambda x: 3 / (7 * x))],
    "doubled": [(V, lambda x: x + x), (Z, lambda x: x + x)],
    "times_reciprocal": [
        (VV, lambda x, y: x * (1 / y)), (VV, lambda x, y: e.reciprocal(y) * x),
        (("float64[]", "float64[4]"), lambda x, y: x * (1 / y)),
    ],
    # powers
    "zeroth_power": [(V, lambda x: x**0), (Z, lambda x: x**0), (S, lambda x: x**0.0)],
    "second_power": [(V, lambda x: x**2), (Z, lambda x: x**2)],
    "inverse_power": [(V, lambda x: x**-1)],
    "half_power": [(V, lambda x: e.square(x) ** 0.5), (M, lambda x: sum_(x * x, axis=1) ** 0.5)],
    "inverse_half_power": [(V, lambda x: e.exp(x) ** -0.5)],
    # truth values
    "double_not": [(B, lambda x: e.logical_not(e.logical_not(x)))],
    "neutral_truth": [
        (B, lambda x: e.logical_and(x, TRUE)), (B, lambda x: e.logical_or(FALSE, x)),
        (B, lambda x: e.equal(x, TRUE)), (B, lambda x: e.not_equal(x, FALSE)),
    ],
    "compared_with_false": [(B, lambda x: e.equal(x, FALSE)), (B, lambda x: e.not_equal(TRUE, x))],
    "and_false": [(B, lambda x: e.logical_and(x, FALSE))],
    "or_true": [(B, lambda x: e.logical_or(x, TRUE))],
    "same_truth": [(B, lambda x: e.logical_and(x, x)), (B, lambda x: e.logical_or(x, x))],
    # shapes
    "nothing_changed": [
        (M, lambda x: reshape(x, (2, 3))), (V, lambda x: broadcast_to(x, (4,))),
        (V, lambda x: e.astype(x, x.dtype)), (N, lambda x: reshape(x, (-1, 3))),
        (V, lambda x: squeeze(x, axis=())),
    ],
    "number_moved": [
        (S, lambda x: x + reshape(broadcast_to(known(2.0), (2, 3)), (6,))),
        (S, lambda x: x + flip(broadcast_to(known(2.0), (2, 3)), axis=0)),
        (S, lambda x: x + getitem(broadcast_to(known(2.0), (2, 3)), 1)),
        (S, lambda x: x + expand_dims(known(2.0), axis=0)),
    ],
    "reshape_of_reshape": [
        (M, lambda x: reshape(reshape(x, (6,)), (3, 2))),
        (M, lambda x: squeeze(expand_dims(x, axis=1), axis=1)),
        (M, lambda x: reshape(expand_dims(x, axis=0), (6,))),
        (N, lambda x: reshape(reshape(x, -1), (-1, 3))),
    ],
    "identical_order": [(M, lambda x: permute_dims(x, (0, 1)))],
    "order_of_order": [
        (M, lambda x: permute_dims(permute_dims(x, (1, 0)), (1, 0))),
        (("float64[2, 3, 4]",), lambda x: permute_dims(permute_dims(x, (1, 2, 0)), (1, 0, 2))),
    ],
    "flip_of_nothing": [(M, lambda x: flip(x, axis=()))],
    "flip_of_flip": [
        (M, lambda x: flip(flip(x, axis=0), axis=0)),
        (M, lambda x: flip(flip(x, axis=0), axis=None)),
    ],
    "concat_of_one": [(M, lambda x: concat([x], axis=1))],
    "transposed_product": [
        (
            ("float64[2, 3]", "float64[4, 2]"),
            lambda x, y: transposed(matmul(transposed(x), transposed(y))),
        ),
        (
            ("float64[2, 3]", "float64[2, 4]"),
            lambda x, y: permute_dims(matmul(permute_dims(x, (1, 0)), y), (1, 0)),
        ),
    ],
    # picking and placing
    "everything_taken": [
        (M, lambda x: getitem(x, ())),
        (N, lambda x: getitem(x, (slice(None), slice(0, 3)))),
    ],
    "everything_placed": [(M, lambda x: place_at(x, ((0, 2, 1), (0, 3, 1)), (2, 3)))],
    "placed_and_taken": [
        (V, lambda x: getitem(place_at(x, ((1, 9, 2),), (12,)), (slice(1, 9, 2),))),
    ],
    "slice_of_concat": [
        (VV, lambda x, y: getitem(concat([x, y]), row(4, 8))),
        (VV, lambda x, y: getitem(concat([x, y]), row(1, 3))),
        (VV, lambda x, y: getitem(concat([x, y]), 5)),
        (
            ("float64[n, 3]", "float64[m, 3]"),
            lambda x, y: getitem(concat([x, y]), row(x.shape[0], x.shape[0] + y.shape[0])),
        ),
        (
            ("float64[2, 3]", "float64[2, 2]"),
            lambda x, y: getitem(concat([x, y], axis=1), (0, slice(3, 5))),
        ),
    ],
    "neighbours_placed": [
        (VV, lambda x, y: place_at(x, ((0, 4, 1),), (9,)) + place_at(y, ((4, 8, 1),), (9,))),
        (VV, lambda x, y: place_at(x, ((4, 8, 1),), (8,)) + place_at(y, ((0, 4, 1),), (8,))),
    ],
    # broadcasts
    "broadcast_of_broadcast": [(V, lambda x: broadcast_to(broadcast_to(x, (2, 4)), (3, 2, 4)))],
    "broadcast_of_leading_axes": [
        (V, lambda x: broadcast_to(reshape(x, (1, 4)), (3, 4))),
        (S, lambda x: x + broadcast_to(known([[2.0]]), (3, 4))),
    ],
    "broadcast_by_the_op": [
        (("float64[3, 4]", "float64[4]"), lambda x, y: x * broadcast_to(y, (3, 4))),
        (("float64[3, 4]", "float64[4]"), lambda x, y: x * expand_dims(y, axis=0)),
        (("float64[n, 4]", "float64[4]"), lambda x, y: x - broadcast_to(y, x.shape)),
        (
            ("bool[4]", "float64[]", "float64[4]"),
            lambda c, x, y: e.where(c, broadcast_to(x, (4,)), y),
        ),
    ],
    "broadcast_last": [
        (V, lambda x: e.exp(broadcast_to(x, (3, 4)))),
        (
            ("float64[4]", "float64[]"),
            lambda x, y: broadcast_to(x, (3, 4)) * broadcast_to(y, (3, 4)),
        ),
        (V, lambda x: e.astype(broadcast_to(x, (3, 4)), "float32")),
    ],
    # reductions
    "reduction_of_single_elements": [
        (("float64[3, 1]",), lambda x: sum_(x, axis=1)), (V, lambda x: sum_(x, axis=())),
        (("float64[1, 1]",), lambda x: mean(x, keepdims=True)), (("bool[1]",), sum_),
        (("float64[1]",), prod), (("float64[1]",), any_), (("bool[1]",), all_),
        (("~float64",), sum_),
    ],
    "reduction_of_broadcast": [
        (V, lambda x: sum_(broadcast_to(x, (3, 4)), axis=0)),
        (V, lambda x: sum_(broadcast_to(x, (3, 4)))),
        (V, lambda x: mean(broadcast_to(x, (3, 4)), axis=0, keepdims=True)),
        (
            ("float64[3, 1]",),
            lambda x: sum_(broadcast_to(x, (2, 3, 4)), axis=(0, 2), keepdims=True),
        ),
        (("float64[3, 1]",), lambda x: sum_(broadcast_to(x, (2, 3, 4)), axis=(1, 2))),
        (B, lambda x: sum_(broadcast_to(x, (3, 4)))),
        (("int8[4]",), lambda x: sum_(broadcast_to(x, (3, 4)), axis=0)),
    ],
    # selections
    "same_either_way": [(("bool[4]", "float64[]"), lambda c, x: e.where(c, x, x))],
    "known_selection": [
        (VV, lambda x, y: e.where(known(TRUE), x, y)),
        (VV, lambda x, y: e.where(known([FALSE] * 4), x, y)),
        (("float64[]", "float64[]"), lambda x, y: e.where(broadcast_to(known(TRUE), (3,)), x, y)),
    ],
    "negated_condition": [(BVV, lambda c, x, y: e.where(e.logical_not(c), x, y))],
    "selection_decided_before": [(BVV, lambda c, x, y: e.where(c, e.where(c, x, 3), y))],
    "selection_decided_against": [(BVV, lambda c, x, y: e.where(c, x, e.where(c, 3, y)))],
    "stopped_twice": [(V, lambda x: e.stop_gradient(e.stop_gradient(x)))],
    "cast_of_lossless_cast": [
        (("float32[4]",), lambda x: e.astype(e.astype(x, "float64"), "float32")),
        (("int8[4]",), lambda x: e.astype(e.astype(x, "float32"), "int64")),
        (B, lambda x: e.astype(e.astype(x, "int8"), "float64")),
        (("uint8[4]",), lambda x: e.astype(e.astype(x, "int16"), "float32")),
    ],
    # economies
    "common_number": [
        (VV, lambda x, y: x * 3 + y * 3),
        (VV, lambda x, y: 0.5 * x - y * half(x)),
        (VV, lambda x, y: x * 3 + y * -3),
        (VV, lambda x, y: e.sigmoid(x) * half(x) - y * half(x)), (VV, lambda x, y: x * 3 - y * -3),
        (("int64[4]", "int64[4]"), lambda x, y: x * 3 + y * 3),
    ],
    "common_divisor": [(VV, lambda x, y: x / 3 + y / 3), (VV, lambda x, y: x / 3 - y / 3)],
    "divided_by_power_of_two": [(V, lambda x: x / 4), (V, lambda x: x / -0.125)],
    "sum_of_multiples": [(M, lambda x: sum_(x * 3, axis=1)), (M, lambda x: mean(half(x) * x))],
    "sum_of_quotients": [(M, lambda x: sum_(x / 3, axis=1)), (M, lambda x: mean(x / 3))],
    # stabilisation
    "log_of_exp": [(V, lambda x: e.log(e.exp(x)))],
    "log_of_moved_exp": [
        (V, lambda x: e.log(reshape(e.exp(x), (2, 2)))),
        (M, lambda x: e.log(flip(transposed(e.exp(x)), axis=(0,)))),
    ],
    "log_of_sum_of_exp": [
        (M, lambda x: e.log(sum_(e.exp(x)))),
        (M, lambda x: e.log(sum_(e.exp(x), axis=-1, keepdims=True))),
    ],
    "log_of_exp_plus_exp": [(VV, lambda x, y: e.log(e.exp(x) + e.exp(y)))],
    "log_of_one_plus_exp": [
        (V, lambda x: e.log(1 + e.exp(x))),
        (V, lambda x: e.log(e.exp(x) + 1)),
        (V, lambda x: e.log1p(e.exp(x))),
    ],
    "logaddexp_of_zero": [
        (V, lambda x: e.logaddexp(x, 0.0)),
        (V, lambda x: e.logaddexp(0.0, x)),
    ],
    "log_of_sigmoid": [(V, lambda x: e.log(e.sigmoid(x)))],
    "log_of_one_minus_sigmoid": [
        (V, lambda x: e.log(1 - e.sigmoid(x))),
        (V, lambda x: e.log1p(-e.sigmoid(x))),
    ],
    "negative_softplus": [(V, lambda x: -e.softplus(-x))],
    "log_of_softmax": [(M, lambda x: e.log(softmax(x, axis=-1)))],
    "log_of_one_plus": [(V, lambda x: e.log(1 + x)), (V, lambda x: e.log(x + 1))],
    "log_of_one_minus": [(V, lambda x: e.log(1 - x))],
    "exp_minus_one": [(V, lambda x: e.exp(x) - 1), (V, lambda x: -1 + e.exp(x))],
    "one_minus_exp": [(V, lambda x: 1 - e.exp(x))],
    "logistic_written_out": [
        (V, lambda x: 1 / (1 + e.exp(-x))),
        (V, lambda x: e.reciprocal(e.exp(-x) + 1)),
        (V, lambda x: e.exp(x) / (1 + e.exp(x))),
    ],
    "falling_logistic_written_out": [
        (V, lambda x: 1 / (1 + e.exp(x))),
        (V, lambda x: e.reciprocal(1 + e.exp(x))),
    ],
    "one_minus_sigmoid": [(V, lambda x: 1 - e.sigmoid(x))],
    "softmax_written_out": [
        (M, lambda x: e.exp(x) / sum_(e.exp(x), axis=1, keepdims=True)),
        (V, lambda x: e.exp(x) / sum_(e.exp(x))),
    ],
    "log_softmax_written_out": [
        (M, lambda x: x - logsumexp(x, axis=0, keepdims=True)),
        (V, lambda x: x - logsumexp(x)),
    ],
    # norms
    "composed_norm": [
        (V, lambda x: e.sqrt(x * x)),
        (M, lambda x: e.sqrt(sum_(e.square(x), axis=1))),
        (N, lambda x: e.sqrt(mean(x * x, axis=0, keepdims=True))),
        (VV, lambda x, y: e.sqrt(x * x + y * y)),
        (V, lambda x: e.sqrt(matmul(x, x))),
    ],
    "composed_norm_of_powers": [
        (M, lambda x: sum_(x * x) ** half(x)),
        (V, lambda x: sum_(e.absolute(x) ** 3.0) ** (1 / 3)),
        (V, lambda x: sum_(x**4.0) ** 0.25),
    ],
    "root_of_variance": [(M, lambda x: root(var(x, axis=1, correction=1.0)))],
    "squared_norm": [
        (V, lambda x: e.square(root(sum_(x * x)))),
        (V, lambda x: root(x * x) * root(x * x)),
    ],
    "squared_deviation": [
        (M, lambda x: e.square(std(x, axis=1, keepdims=True))),
        (V, lambda x: std(x, correction=1.0) * std(x, correction=1.0)),
    ],
}  # fmt: skip
