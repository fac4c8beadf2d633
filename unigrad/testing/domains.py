"""Where each elementwise op is smooth: the intervals from which test inputs are drawn.

Differences across a kink, a jump or a pole say nothing about a derivative, so inputs keep away from
them; what holds at such points is a convention, stated as samples of the op. An op that is not
listed is drawn from :data:`DEFAULT`, unless its own samples say where.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DEFAULT", "DOMAINS", "REALS", "Domain", "draw", "generator", "reals"]

Domain: TypeAlias = "tuple[tuple[float, float], ...]"
"""Intervals from which elements are taken in turn."""

DEFAULT: Final[Domain] = ((0.2, 0.9),)
REALS: Final[Domain] = ((-2.0, 2.0),)
POSITIVE: Final[Domain] = ((0.2, 3.0),)
NOT_ZERO: Final[Domain] = ((-2.0, -0.2), (0.2, 2.0))
INSIDE: Final[Domain] = ((-0.9, 0.9),)
OUTSIDE: Final[Domain] = ((-2.0, -1.1), (1.1, 2.0))
BETWEEN_INTEGERS: Final[Domain] = ((-1.4, -1.1), (0.6, 0.9))
AWAY_FROM_POLES: Final[Domain] = ((-0.8, -0.3), (0.5, 4.0))
DIVIDED: Final[tuple[Domain, Domain]] = (((2.6, 2.9), (-0.8, -0.2)), ((1.05, 1.2),))

DOMAINS: Final[dict[str, tuple[Domain, ...]]] = {
    "add": (REALS, REALS),
    "subtract": (REALS, REALS),
    "multiply": (REALS, REALS),
    "divide": (REALS, NOT_ZERO),
    "negative": (REALS,),
    "positive": (REALS,),
    "abs": (NOT_ZERO,),
    "sign": (NOT_ZERO,),
    "square": (REALS,),
    "reciprocal": (NOT_ZERO,),
    "floor_divide": DIVIDED,
    "remainder": DIVIDED,
    "fmod": DIVIDED,
    "pow": (POSITIVE, REALS),
    "floor": (BETWEEN_INTEGERS,),
    "ceil": (BETWEEN_INTEGERS,),
    "trunc": (BETWEEN_INTEGERS,),
    "round": (BETWEEN_INTEGERS,),
    "sqrt": (POSITIVE,),
    "rsqrt": (POSITIVE,),
    "root": (POSITIVE,),
    "root_of_powers": (POSITIVE, DEFAULT),
    "cbrt": (NOT_ZERO,),
    "exp": (REALS,),
    "exp2": (REALS,),
    "expm1": (REALS,),
    "log": (POSITIVE,),
    "log2": (POSITIVE,),
    "log10": (POSITIVE,),
    "log1p": (((-0.8, 2.0),),),
    "sin": (REALS,),
    "cos": (REALS,),
    "tan": (((-1.2, 1.2),),),
    "asin": (((-0.8, 0.8),),),
    "acos": (((-0.8, 0.8),),),
    "atan": (REALS,),
    "sinh": (REALS,),
    "cosh": (REALS,),
    "tanh": (REALS,),
    "asinh": (REALS,),
    "acosh": (((1.2, 5.0),),),
    "atanh": (((-0.8, 0.8),),),
    "atan2": (NOT_ZERO, NOT_ZERO),
    "hypot": (NOT_ZERO, NOT_ZERO),
    "maximum": (OUTSIDE, INSIDE),
    "minimum": (OUTSIDE, INSIDE),
    "fmax": (OUTSIDE, INSIDE),
    "fmin": (OUTSIDE, INSIDE),
    "copysign": (NOT_ZERO, NOT_ZERO),
    "heaviside": (NOT_ZERO, REALS),
    "logaddexp": (REALS, REALS),
    "logaddexp2": (REALS, REALS),
    "equal": (REALS, REALS),
    "not_equal": (REALS, REALS),
    "less": (REALS, REALS),
    "less_equal": (REALS, REALS),
    "greater": (REALS, REALS),
    "greater_equal": (REALS, REALS),
    "isnan": (REALS,),
    "isinf": (REALS,),
    "isfinite": (REALS,),
    "signbit": (REALS,),
    "clip_between": (((-2.0, -1.2), (-0.8, 0.8), (1.2, 2.0)), ((-1.1, -0.9),), ((0.9, 1.1),)),
    "clip_below": (OUTSIDE, INSIDE),
    "clip_above": (OUTSIDE, INSIDE),
    "barrier": (REALS,),
    "sigmoid": (((-4.0, 4.0),),),
    "log_sigmoid": (((-4.0, 4.0),),),
    "softplus": (((-4.0, 4.0),),),
    "relu": (NOT_ZERO,),
    "erf": (REALS,),
    "erfc": (REALS,),
    "gammaln": (AWAY_FROM_POLES,),
    "digamma": (AWAY_FROM_POLES,),
    "xlogy": (NOT_ZERO, POSITIVE),
    "xlog1py": (NOT_ZERO, ((-0.7, 2.0),)),
}
"""For each operand of an op, the intervals inside which the op is smooth in all operands."""


def generator(*key: Any) -> np.random.Generator:
    """Random numbers that depend on ``key`` alone, so that every run tests the same points."""
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def draw(domain: Domain, shape: Sequence[int], key: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Distinct numbers from the intervals of ``domain``, in random order.

    They are spread evenly, so that none comes near another: the largest stays the largest while
    differences are taken.
    """
    random = generator("draw", key)
    count = int(np.prod(shape))
    drawn = np.empty(count)
    for turn, (low, high) in enumerate(domain):
        places = range(turn, count, len(domain))
        offsets = random.uniform(0.3, 0.7, len(places))
        drawn[turn :: len(domain)] = low + (high - low) * (
            (random.permutation(len(places)) + offsets) / max(len(places), 1)
        )
    return drawn.reshape(tuple(shape))


def reals(*shape: int, key: Any = "") -> np.ndarray[Any, np.dtype[np.float64]]:
    """Distinct numbers between -2 and 2."""
    return draw(REALS, shape, (shape, key))
