"""Roots of what is a sum of squares: the length of a vector, composed from other ops.

Where such a sum is 0, so is its derivative, and the root's is infinite: the chain rule says NaN.
What is meant is the length at the origin, where the convention is 0 as for ``abs`` and ``hypot``.
Nobody writes these ops: the passes put them in the place of ``sqrt`` and of a power wherever the
operand is seen to be such a sum. Of anything else a root keeps its infinite derivative.

The derivatives are exactly 0 where the root is 0, and not only times the derivative of the sum: so
those of second order are 0 as well.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from unigrad.ops.elementwise import astype, equal, log, power, sqrt, where
from unigrad.ops.families import binary, unary
from unigrad.ops.spec import Sample

__all__ = ["root", "root_of_powers"]


def _zero(x: Any) -> Any:
    """1 where ``x`` is 0, else 0: added to ``x`` it keeps infinite derivatives away."""
    return astype(equal(x, 0), x.dtype)


def _in_base(out: Any, x: Any, y: Any) -> Any:
    return y * (x + _zero(x)) ** (y - 1) * (1 - _zero(x))


root = unary(
    "root", np.sqrt, lambda out, x: 0.5 / where(equal(out, 0), math.inf, out),
    doc="``sqrt(x)`` of a sum of squares; the gradient at 0 is 0.", kinds="real floating",
    samples=[Sample((0.0,), gradient=(0.0,), note="the origin")],
)  # fmt: skip
root_of_powers = binary(
    "root_of_powers", np.power, (_in_base, lambda out, x, y: out * log(x + _zero(x))),
    doc="``x ** y`` of a sum of powers, ``y`` between 0 and 1; the gradient at 0 is 0.",
    kinds="real floating",
    samples=[Sample((0.0, 0.25), gradient=(0.0, 0.0), note="the origin")],
)  # fmt: skip


@root.lower
def _(x: Any) -> Any:
    return sqrt(x + _zero(x)) * (1 - _zero(x))


@root_of_powers.lower
def _(x: Any, y: Any) -> Any:
    return power(x + _zero(x), y) * (1 - _zero(x))
