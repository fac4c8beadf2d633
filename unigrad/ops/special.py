"""Special functions: SciPy says what they compute, the DLMF says their derivatives."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from unigrad.errors import ArgumentError
from unigrad.ops.cotangents import scale
from unigrad.ops.elementwise import equal, exp, log, log1p, logical_and, where
from unigrad.ops.families import binary, is_int, like_first, operation, scipy_special, unary
from unigrad.ops.spec import check_kind, promoted

if TYPE_CHECKING:
    from unigrad.ir.nodes import Node
    from unigrad.ops.spec import Array

TWO_OVER_SQRT_PI: Final = 2 / math.sqrt(math.pi)

__all__ = ["digamma", "erf", "erfc", "gammaln", "polygamma", "xlog1py", "xlogy"]


erf = unary(
    "erf", scipy_special("erf"), lambda out, x: TWO_OVER_SQRT_PI * exp(-(x * x)),
    doc="Error function (DLMF 7.2.1).", kinds="real floating",
)  # fmt: skip
erfc = unary(
    "erfc", scipy_special("erfc"), lambda out, x: -TWO_OVER_SQRT_PI * exp(-(x * x)),
    doc="Complementary error function (DLMF 7.2.2).", kinds="real floating",
)  # fmt: skip


def _gammaln(x: Any) -> Any:
    """SciPy's, with the limit ``inf`` at ``-inf``, and with finite values of subnormal numbers."""
    size = np.abs(np.asarray(x))
    with np.errstate(all="ignore"):
        value = scipy_special("gammaln")(np.where(np.equal(x, -np.inf), np.inf, x))
        return np.where((size > 0) & (size < _TINY), -np.log(size), value).astype(size.dtype)


_TINY: Final = 1e-30  # below it the gamma function is 1/x to the last digit


gammaln = unary(
    "gammaln", _gammaln, lambda out, x: digamma(x),
    doc="Logarithm of the absolute value of the gamma function (DLMF 5.2.1).",
    kinds="real floating",
)  # fmt: skip
digamma = unary(
    "digamma", scipy_special("digamma"), lambda out, x: polygamma(1, x),
    doc="Logarithmic derivative of the gamma function (DLMF 5.2.2).", kinds="real floating",
)  # fmt: skip


def _prepare_polygamma(op: Any, place: Any, operands: Any) -> list[Node]:
    del op
    nodes, dtype = promoted(place, operands, floating=True)
    check_kind(dtype, "real floating")
    return nodes


@operation(like_first, prepare=_prepare_polygamma, public=False)
def polygamma_of(x: Array, n: int) -> Any:
    """The ``n``-th derivative of ``digamma`` (DLMF 5.15)."""
    if n == 0:
        return scipy_special("digamma")(x)
    with np.errstate(all="ignore"):
        value = np.asarray(_reflected_polygamma(n, np.asarray(x)), np.asarray(x).dtype)
    # Of even order they change sign across a pole: no limit there, but on the two sides of zero.
    value = np.where((x < 0) & (x == np.floor(x)), np.inf if n % 2 else np.nan, value)
    if n % 2:
        return value
    return np.where(np.equal(x, 0), np.copysign(np.inf, np.negative(x)), value)


def _reflected_polygamma(n: int, x: Any) -> Any:
    """For negative ``x`` by reflection (DLMF 5.15.6): SciPy takes time in proportion to ``-x``."""
    numpy: Any = np
    value = scipy_special("polygamma")(n, numpy.where(x < 0, 1 - x, x))
    cotangent = 1 / numpy.tan(numpy.pi * (x - numpy.round(x)))
    terms = [0, 1]  # the n-th derivative of a cotangent is a polynomial in it
    for _ in range(n):
        slopes = [power * term for power, term in enumerate(terms)][1:]
        terms = [-a - b for a, b in zip([*slopes, 0, 0], [0, 0, *slopes], strict=True)]
    turn = sum(term * cotangent**power for power, term in enumerate(terms) if term)
    return numpy.where(x < 0, (-1) ** n * value - numpy.pi ** (n + 1) * turn, value)


polygamma_of.elementwise = True


@polygamma_of.vjp
def _(g: Node, out: Node, x: Node, n: int) -> Any:
    del out
    return scale(g, polygamma_of(x, n + 1))


def polygamma(n: int, x: Array, /) -> Array:
    """The ``n``-th derivative of ``digamma`` at ``x``; ``n`` is a Python int, not negative.

    Source: DLMF 5.15. Where the derivative changes sign across a pole, it is NaN there.

    Example:
        >>> import unigrad as ug
        >>> round(float(ug.special.polygamma(1, 1.0)), 6)
        1.644934
    """
    if not is_int(n) or n < 0:
        raise ArgumentError(f"polygamma: n is an int, 0 or larger, got {n!r}")
    return polygamma_of(x, int(n))


def _unless_both(x: Any, y: Any, pole: float, otherwise: float, operand: Any) -> Any:
    """The operand, and another where the zero of ``x`` meets the pole in ``y``: 0 comes of it."""
    return where(logical_and(equal(x, 0), equal(y, pole)), otherwise, operand)


xlogy = binary(
    "xlogy", scipy_special("xlogy"),
    (
        lambda out, x, y: log(_unless_both(x, y, 0, 1, y)),
        lambda out, x, y: x / _unless_both(x, y, 0, math.inf, y),
    ),
    doc="``x * log(y)``, and 0 where ``x`` is 0.", kinds="real floating",
)  # fmt: skip
xlog1py = binary(
    "xlog1py", scipy_special("xlog1py"),
    (
        lambda out, x, y: log1p(_unless_both(x, y, -1, 0, y)),
        lambda out, x, y: x / _unless_both(x, y, -1, math.inf, 1 + y),
    ),
    doc="``x * log1p(y)``, and 0 where ``x`` is 0.", kinds="real floating",
)  # fmt: skip
