"""Points that are special and yet smooth: equal, zero and integer operands of elementwise ops.

A formula that selects a constant there is right to first order and wrong to second: no difference
of values shows it, and no comparison of targets, which agree. So derivatives are held against
differences there too, to third order.
"""

from __future__ import annotations

import itertools
import math
import operator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NUMBERS", "SMOOTH", "special_points"]

NUMBERS: Final = (-1.0, 0.0, 0.4, 1.0, 2.0)
"""What an operand is, in every combination with the others."""


_OF_ONE: Final[dict[str, Callable[[float], bool]]] = {
    **dict.fromkeys(
        (
            "negative", "positive", "square", "exp", "exp2", "expm1", "sin", "cos", "tan", "atan",
            "sinh", "cosh", "tanh", "asinh", "barrier", "sigmoid", "log_sigmoid", "softplus", "erf",
            "erfc",
        ),
        math.isfinite,
    ),
    **dict.fromkeys(("abs", "sign", "reciprocal", "cbrt", "relu"), bool),
    **dict.fromkeys(
        ("sqrt", "root", "rsqrt", "log", "log2", "log10", "gammaln", "digamma"), lambda x: x > 0
    ),
    **dict.fromkeys(("floor", "ceil", "trunc", "round"), lambda x: not x.is_integer()),
    **dict.fromkeys(("asin", "acos", "atanh"), lambda x: abs(x) < 1),
    "log1p": lambda x: x > -1,
    "acosh": lambda x: x > 1,
}  # fmt: skip

_OF_TWO: Final[dict[str, Callable[[float, float], bool]]] = {
    **dict.fromkeys(
        ("add", "subtract", "multiply", "logaddexp", "logaddexp2"), lambda _x, _y: True
    ),
    **dict.fromkeys(
        ("maximum", "minimum", "fmax", "fmin", "clip_below", "clip_above"), operator.ne
    ),
    **dict.fromkeys(
        ("floor_divide", "remainder"), lambda x, y: y != 0 and not (x / y).is_integer()
    ),
    "fmod": lambda x, y: y != 0 and (x == 0 or not (x / y).is_integer()),
    "divide": lambda _, y: y != 0,
    "pow": lambda x, _: x > 0,
    "root_of_powers": lambda x, y: x > 0 and 0 < y <= 1,
    "atan2": lambda y, x: y != 0 or x > 0,
    "hypot": lambda x, y: x != 0 or y != 0,
    "copysign": lambda x, y: x != 0 and y != 0,
    "heaviside": lambda x, _: x != 0,
    "xlogy": lambda _, y: y > 0,
    "xlog1py": lambda _, y: y > -1,
}

SMOOTH: Final[dict[str, Callable[..., bool]]] = {**_OF_ONE, **_OF_TWO}
"""Elementwise ops with derivatives, and where each is smooth in all its operands."""


def special_points(name: str, count: int) -> list[np.ndarray[Any, Any]]:
    """For each of ``count`` operands an array: all points at which the op is smooth.

    Args:
        name: that of an op, of :data:`SMOOTH`.
        count: how many operands it has.
    """
    smooth = SMOOTH[name]
    points = [point for point in itertools.product(NUMBERS, repeat=count) if smooth(*point)]
    return [np.array(column) for column in zip(*points, strict=True)]
