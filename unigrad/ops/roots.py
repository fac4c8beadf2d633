"""Roots of what is a sum of squares: the length of a vector, composed from other ops.

Where such a sum is 0, so is its derivative, and the root's is infinite: the chain rule says NaN.
What is meant is the length at the origin, where the convention is 0 as for ``abs`` and ``hypot``.
Nobody writes these ops: the passes put them in the place of ``sqrt`` and of a power wherever the
operand is seen to be such a sum. Of anything else a root keeps its infinite derivative.

The derivatives divide by infinity where the root is 0. A factor that is exactly 0 there, and not
only times the derivative of the sum, makes those of second order 0 as well.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from unigrad.ops.elementwise import astype, equal, log, power, sqrt, where
from unigrad.ops.families import binary, unary
from unigrad.ops.spec import Sample

__all__ = ["root", "root_of_powers"]


def _or_infinite(x: Any) -> Any:
    """``x``, and infinity where it is 0."""
    return where(equal(x, 0), math.inf, x)


root = unary(
    "root", np.sqrt, lambda out, x: 0.5 / _or_infinite(out),
    doc="``sqrt(x)`` of a sum of squares; the gradient at 0 is 0.", kinds="real floating",
    samples=[Sample((0.0,), gradient=(0.0,), note="the origin")],
)  # fmt: skip
root_of_powers = binary(
    "root_of_powers", np.power,
    (
        lambda out, x, y: y * _or_infinite(x) ** (y - 1),
        lambda out, x, y: where(equal(x, 0), 0, out * log(x)),
    ),
    doc="``x ** y`` of a sum of powers, ``y`` between 0 and 1; the gradient at 0 is 0.",
    kinds="real floating",
    samples=[Sample((0.0, 0.25), gradient=(0.0, 0.0), note="the origin")],
)  # fmt: skip


def _zero(x: Any) -> Any:
    """1 where ``x`` is 0, else 0.

    For a framework to differentiate: at 0 it meets the root of 1 instead, times 0.
    """
    return astype(equal(x, 0), x.dtype)


@root.lower
def _(x: Any) -> Any:
    return sqrt(x + _zero(x)) * (1 - _zero(x))


@root_of_powers.lower
def _(x: Any, y: Any) -> Any:
    return power(x + _zero(x), y) * (1 - _zero(x))
