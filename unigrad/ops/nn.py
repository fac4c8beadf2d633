"""Functions of neural networks whose derivative or rounding deserves an op of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from unigrad.ir.nodes import Node, tensor
from unigrad.ops.elementwise import exp, log, log_sigmoid, relu, sigmoid, softplus
from unigrad.ops.families import normalise_axes, operation
from unigrad.ops.reduction import max_, sum_
from unigrad.ops.spec import Array

__all__ = ["log_sigmoid", "log_softmax", "relu", "sigmoid", "softmax", "softplus"]


def _normalise(operands: tuple[Node, ...], axis: Any) -> tuple[Any, ...]:
    return (normalise_axes(axis, operands[0].ndim),)


@operation(
    lambda operands, axis: tensor(operands[0]), kinds="real floating", floating=True,
    normalise=_normalise,
)  # fmt: skip
def softmax(x: Array, /, *, axis: Any = -1) -> Any:
    """``exp(x) / sum(exp(x))`` over ``axis``, without overflow."""
    from scipy import special  # noqa: PLC0415

    return special.softmax(x, axis=axis)


@softmax.vjp
def _(g: Node, out: Node, x: Node, *, axis: Any) -> Any:
    del x
    weighted = g * out
    return weighted - out * sum_(weighted, axis=axis, keepdims=True)


@softmax.lower
def _(x: Node, *, axis: Any) -> Any:
    if 0 in x.shape:
        return exp(x)  # nothing to normalise
    shifted = exp(x - max_(x, axis=axis, keepdims=True))
    return shifted / sum_(shifted, axis=axis, keepdims=True)


@operation(
    lambda operands, axis: tensor(operands[0]), kinds="real floating", floating=True,
    normalise=_normalise,
)  # fmt: skip
def log_softmax(x: Array, /, *, axis: Any = -1) -> Any:
    """``x - logsumexp(x)`` over ``axis``."""
    from scipy import special  # noqa: PLC0415

    with np.errstate(all="ignore"):
        # A row with +inf or with -inf alone is NaN throughout, as its softmax is.
        undefined = np.isnan(special.softmax(x, axis=axis))
        return np.where(undefined, np.nan, special.log_softmax(x, axis=axis))


@log_softmax.vjp
def _(g: Node, out: Node, x: Node, *, axis: Any) -> Any:
    del x
    return g - exp(out) * sum_(g, axis=axis, keepdims=True)


@log_softmax.lower
def _(x: Node, *, axis: Any) -> Any:
    if 0 in x.shape:
        return exp(x)
    shifted = x - max_(x, axis=axis, keepdims=True)
    return shifted - log(sum_(exp(shifted), axis=axis, keepdims=True))
