"""Functions of neural networks whose derivative or rounding deserves an op of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from unigrad.ops.cotangents import scale_to
from unigrad.ops.elementwise import exp, log, log_sigmoid, relu, sigmoid, softplus
from unigrad.ops.families import like_first, on_axes, operation, scipy_special
from unigrad.ops.reduction import max_, sum_

if TYPE_CHECKING:
    from unigrad.ir.nodes import Node
    from unigrad.ops.spec import Array

__all__ = ["log_sigmoid", "log_softmax", "relu", "sigmoid", "softmax", "softplus"]


@operation(
    like_first, kinds="real floating", floating=True, normalise=on_axes, accumulates=True,
)  # fmt: skip
def softmax(x: Array, /, *, axis: Any = -1) -> Any:
    """``exp(x) / sum(exp(x))`` over ``axis``, without overflow."""
    return scipy_special("softmax")(x, axis=axis)


@softmax.vjp
def _(g: Node, out: Node, x: Node, *, axis: Any) -> Any:
    weighted = scale_to(g, out, x.shape)
    return weighted - scale_to(sum_(weighted, axis=axis, keepdims=True), out, x.shape)


@softmax.lower
def _(x: Node, *, axis: Any) -> Any:
    if 0 in x.shape:
        return exp(x)  # nothing to normalise
    shifted = exp(x - max_(x, axis=axis, keepdims=True))
    return shifted / sum_(shifted, axis=axis, keepdims=True)


@operation(
    like_first, kinds="real floating", floating=True, normalise=on_axes, accumulates=True,
)  # fmt: skip
def log_softmax(x: Array, /, *, axis: Any = -1) -> Any:
    """``x - logsumexp(x)`` over ``axis``."""
    with np.errstate(all="ignore"):
        # A row with +inf or with -inf alone is NaN throughout, as its softmax is.
        undefined = np.isnan(scipy_special("softmax")(x, axis=axis))
        return np.where(undefined, np.nan, scipy_special("log_softmax")(x, axis=axis))


@log_softmax.vjp
def _(g: Node, out: Node, x: Node, *, axis: Any) -> Any:
    return g - scale_to(sum_(g, axis=axis, keepdims=True), exp(out), x.shape)


@log_softmax.lower
def _(x: Node, *, axis: Any) -> Any:
    if 0 in x.shape:
        return exp(x)
    shifted = x - max_(x, axis=axis, keepdims=True)
    return shifted - log(sum_(exp(shifted), axis=axis, keepdims=True))
