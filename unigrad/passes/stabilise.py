"""Stabilisation: what overflows, or loses its digits, is said by the op that does not.

These rules change what comes out where the expression as written fails: ``log(sum(exp(x)))`` is
infinite above 709 in float64, ``logsumexp`` is not. That is their purpose, for values and for
gradients alike, and so they run before a graph is differentiated. They never apply to ``sqrt(x*x)``
and the like, whose plain chain rule is the convention.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from unigrad.ops.elementwise import (
    exp,
    expm1,
    log,
    log1p,
    log_sigmoid,
    logaddexp,
    negative,
    reciprocal,
    sigmoid,
    softplus,
)
from unigrad.ops.nn import log_softmax, softmax
from unigrad.ops.pattern import variables
from unigrad.ops.reduction import logsumexp, sum_
from unigrad.ops.shape import broadcast_to, expand_dims, flip, permute_dims, reshape, squeeze
from unigrad.passes.rewrite import rewriting, rule, rule_on, shared
from unigrad.passes.values import is_float, like

if TYPE_CHECKING:
    from unigrad.ops.spec import Array

__all__ = ["STABILISE", "stabilise"]

x, y = variables("x y", is_float)
z, axis, keepdims = variables("z axis keepdims")

MOVES: Final = (reshape, expand_dims, squeeze, broadcast_to, permute_dims, flip)

# -- logarithms ------------------------------------------------------------------------------------


@rule(log(exp(x)))
def log_of_exp(x: Array) -> Array:
    """``log(exp(x))`` is ``x``; ``exp`` overflows above 709 and is 0 below -745."""
    return x


@rule_on(log, operand=MOVES)
def log_of_moved_exp(node: Array) -> Array:
    """``log(exp(x))`` is ``x``, also where its elements were moved: a sum of one element is one."""
    moved: list[Any] = []
    inner = node.operands[0]
    while inner.op in MOVES:
        moved.append(inner)
        (inner,) = inner.operands
    if inner.op is not exp or not is_float(inner):
        return None
    (result,) = inner.operands
    for move in reversed(moved):
        result = move.op(result, *move.params)
    return result


@rule(log(sum_(exp(x), axis=axis, keepdims=keepdims)))
def log_of_sum_of_exp(x: Array, axis: Any, keepdims: Any) -> Array:
    """``exp`` overflows above 709 in float64; ``logsumexp`` does not."""
    return logsumexp(x, axis=axis, keepdims=keepdims)


@rule(log(exp(x) + exp(y)))
def log_of_exp_plus_exp(x: Array, y: Array) -> Array:
    """``exp`` overflows above 709 in float64; ``logaddexp`` does not."""
    return logaddexp(x, y)


@rule(log(1 + exp(x)), log1p(exp(x)))
def log_of_one_plus_exp(x: Array, out: Array) -> Array:
    """``exp`` overflows above 709 in float64; ``softplus`` does not."""
    return like(softplus(x), out)


@rule(logaddexp(x, 0), logaddexp(0, x))
def logaddexp_of_zero(x: Array, out: Array) -> Array:
    """``logaddexp(0, x)`` is ``softplus(x)``, whose derivative needs no subtraction."""
    return like(softplus(x), out)


@rule(log(sigmoid(x)))
def log_of_sigmoid(x: Array) -> Array:
    """``sigmoid`` is 0 below -745, where its logarithm is about ``x``."""
    return log_sigmoid(x)


@rule(log(1 - sigmoid(x)), log1p(-sigmoid(x)))
def log_of_one_minus_sigmoid(x: Array, out: Array) -> Array:
    """``1 - sigmoid(x)`` is 0 above 37, where its logarithm is about ``-x``."""
    return like(log_sigmoid(-x), out)


@rule(negative(softplus(-x)))
def negative_softplus(x: Array) -> Array:
    """``-log(1 + exp(-x))`` is ``log_sigmoid(x)``: the same digits, in one op."""
    return log_sigmoid(x)


@rule(log(softmax(x, axis=axis)))
def log_of_softmax(x: Array, axis: Any) -> Array:
    """A share that is too small for a float still has a logarithm."""
    return log_softmax(x, axis=axis)


@rule(log(1 + z))
def log_of_one_plus(z: Array, out: Array) -> Array:
    """``1 + x`` loses the digits of a small ``x``; ``log1p`` does not."""
    return like(log1p(z), out)


@rule(log(1 - z))
def log_of_one_minus(z: Array, out: Array) -> Array:
    """``1 - x`` loses the digits of a small ``x``; ``log1p`` does not."""
    return like(log1p(-z), out)


# -- exponentials ----------------------------------------------------------------------------------


@rule(exp(z) - 1, exp(z) + -1)
def exp_minus_one(z: Array, out: Array) -> Array:
    """``exp(x) - 1`` loses the digits of a small ``x``; ``expm1`` does not."""
    return like(expm1(z), out)


@rule(1 - exp(z))
def one_minus_exp(z: Array, out: Array) -> Array:
    """``1 - exp(x)`` loses the digits of a small ``x``; ``expm1`` does not."""
    return like(-expm1(z), out)


@rule(1 / (1 + exp(-x)), reciprocal(1 + exp(-x)), exp(x) / (1 + exp(x)))
def logistic_written_out(x: Array, out: Array) -> Array:
    """``exp`` overflows, and its derivative is then inf/inf; ``sigmoid`` has neither."""
    return like(sigmoid(x), out)


@rule(1 / (1 + exp(x)), reciprocal(1 + exp(x)))
def falling_logistic_written_out(x: Array, out: Array) -> Array:
    """``exp`` overflows, and its derivative is then inf/inf; ``sigmoid`` has neither."""
    return like(sigmoid(-x), out)


@rule(1 - sigmoid(x))
def one_minus_sigmoid(x: Array, out: Array) -> Array:
    """``1 - sigmoid(x)`` is 0 above 37, where ``sigmoid(-x)`` still has all digits.

    Not where the sigmoid is needed anyway: its derivative ``s * (1 - s)`` takes it as it is.
    """
    return None if shared(out.operands[1]) else like(sigmoid(-x), out)


@rule(exp(x) / sum_(exp(x), axis=axis, keepdims=keepdims))
def softmax_written_out(x: Array, axis: Any, keepdims: Any, out: Array) -> Array:
    """``exp`` overflows above 709 in float64; ``softmax`` does not.

    What holds an infinity is NaN as a whole: the convention of ``softmax``.
    """
    whole = keepdims or len(axis) == x.ndim
    return like(softmax(x, axis=axis), out) if whole and _by_hand(out) else None


@rule(x - logsumexp(x, axis=axis, keepdims=keepdims))
def log_softmax_written_out(x: Array, axis: Any, keepdims: Any, out: Array) -> Array:
    """``x - logsumexp(x)`` is ``log_softmax(x)``: one op, which shifts before it subtracts.

    What holds an infinity is NaN as a whole: the convention of ``log_softmax``.
    """
    whole = keepdims or len(axis) == x.ndim
    return like(log_softmax(x, axis=axis), out) if whole and _by_hand(out) else None


def _by_hand(out: Array) -> bool:
    """Whether the user wrote it, and no derivative rule, which is right at infinities as it is."""
    return any(role == "" for _, _, role in out.origins)


STABILISE = (
    log_of_exp, log_of_moved_exp, log_of_sum_of_exp, log_of_exp_plus_exp, log_of_one_plus_exp,
    logaddexp_of_zero, log_of_sigmoid, log_of_one_minus_sigmoid, negative_softplus, log_of_softmax,
    log_of_one_plus, log_of_one_minus, exp_minus_one, one_minus_exp, logistic_written_out,
    falling_logistic_written_out, one_minus_sigmoid, softmax_written_out, log_softmax_written_out,
)  # fmt: skip
"""What is more special comes first: ``log(1 + exp(x))`` before ``log(1 + x)``."""

stabilise = rewriting("stabilise", *STABILISE)
