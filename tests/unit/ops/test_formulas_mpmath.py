"""Every elementwise op and every derivative formula, held against 50-digit arithmetic.

What is compared is the op's NumPy reference and its formulas, evaluated in float64 by the reference
evaluator; emitted code plays no part. An error is counted in units of ``2**-52`` relative to the
exact result. Where a formula cannot be that exact, its entry says how exact it is, and why.
"""

from __future__ import annotations

import itertools
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import pytest
from mpmath import mp, mpf

from unigrad.ir.nodes import Graph, Scope, scope
from unigrad.ir.types import TensorType
from unigrad.ops.families import ZERO
from unigrad.ops.spec import OPS, as_node
from unigrad.testing import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DIGITS = 50
WORKING = 800  # digits that leave DIGITS of a difference quotient, also next to 1e-300
STEP = mpf(10) ** -(DIGITS - 5)
UNIT = mpf(2) ** -52
SMALLEST = mpf(2) ** -1022  # below it a float64 loses digits

POSITIVE = (
    1e-300, 1e-100, 1e-20, 1e-8, 1e-3, 0.03, 0.1, 0.3, 0.5, 0.75, 0.9, 1.0, 1.1, 1.7, 2.0, 2.5, 3.0,
    4.7, 8.0, 13.3, 30.0, 100.0, 345.6, 1e5, 1e10, 1e20, 1e100, 1e300,
)  # fmt: skip
REALS = (*(-x for x in reversed(POSITIVE)), *POSITIVE)
MODERATE = tuple(x for x in REALS if 1e-20 <= abs(x) <= 1e10)
EXPONENTS = tuple(x for x in REALS if 1e-20 <= abs(x) <= 700)
INSIDE = (
    1e-300, 1e-20, 1e-8, 1e-3, 0.1, 0.3, 0.5, 0.6, 0.75, 0.9, 0.99, 1 - 1e-6, 1 - 1e-12,
)  # fmt: skip
AROUND_ZERO = (*(-x for x in reversed(INSIDE)), *INSIDE)
ABOVE_ONE = (1 + 1e-12, 1 + 1e-6, *(1 + x for x in POSITIVE[4:-1]))
SOME = (-345.6, -13.3, -2.5, -1.0, -0.3, -1e-8, 1e-8, 0.1, 0.75, 1.7, 8.0, 100.0, 1e5)
FEW = (-8.25, -1.1, -0.4, 0.5, 1.6, 4.7)
BETWEEN = (-13.3, -2.4, -0.7, 0.2, 0.9, 1.3, 2.6, 4.7, 100.4, 12345.6)  # no integer, no half


@dataclass(frozen=True)
class Exact:
    """An op in arithmetic of any precision, and how near float64 comes to it.

    Attributes:
        function: the op on ``mpf`` numbers.
        points: for each operand the numbers of which all combinations are tested.
        value: how many units the value may be off; a function of the point where that depends.
        slope: how many units a derivative may be off.
        value_near_one: how many units, relative to 1, the value may be off besides.
        slope_near_one: the same for a derivative.
        reason: why the limits are not the usual ones.
        slopes: the derivatives, where differences cannot give them.
    """

    function: Callable[..., Any]
    points: Sequence[Sequence[float]]
    value: float | Callable[..., float] = 3
    slope: float | Callable[..., float] = 6
    value_near_one: float = 0
    slope_near_one: float = 0
    reason: str = ""
    slopes: Sequence[Callable[..., Any]] | None = None

    def grid(self) -> list[tuple[float, ...]]:
        """All combinations of the operands."""
        return list(itertools.product(*self.points))


def _step(function: Callable[..., Any], points: Sequence[Sequence[float]], **limits: Any) -> Exact:
    """A function that is constant wherever it has a derivative."""
    flat = (lambda *_: mpf(0),) * len(points)
    return Exact(function, points, slopes=flat, **limits)


def _truth(function: Callable[..., bool], points: Sequence[Sequence[float]]) -> Exact:
    return _step(lambda *args: mpf(int(function(*args))), points)


def _softplus(x: Any) -> Any:
    return max(x, mpf(0)) + mpmath.log1p(mpmath.exp(-abs(x)))


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


def _remainder(x: Any, y: Any) -> Any:
    return x - mpmath.floor(x / y) * y


def _truncate(x: Any) -> Any:
    return mpmath.floor(x) if x >= 0 else mpmath.ceil(x)


def _log_gamma(x: Any) -> Any:
    return mpmath.log(abs(mpmath.gamma(x))) if x < 0 else mpmath.loggamma(x)


def _squared(x: float, *_: float) -> float:
    return 6 + x * x


GAMMA_POINTS = (
    -7.6, -3.3, -2.5, -1.7, -0.4, -0.1, 1e-8, 1e-3, 0.1, 0.3, 0.5, 0.9, 1.1, 1.5, 1.9, 2.1, 2.5,
    3.0, 4.7, 8.0, 13.3, 30.0, 100.0, 345.6, 1e5, 1e10,
)  # fmt: skip
ZEROS = "near a zero of the function the error is relative to the terms that cancel"

TABLE: dict[str, Exact] = {
    # arithmetic
    "add": Exact(operator.add, (SOME, SOME)),
    "subtract": Exact(operator.sub, (SOME, SOME)),
    "multiply": Exact(operator.mul, (SOME, SOME)),
    "divide": Exact(operator.truediv, (SOME, SOME)),
    "negative": Exact(operator.neg, (REALS,)),
    "positive": Exact(operator.pos, (REALS,)),
    "abs": Exact(abs, (REALS,)),
    "sign": _step(mpmath.sign, (REALS,)),
    "square": Exact(lambda x: x * x, (MODERATE,)),
    "reciprocal": Exact(lambda x: 1 / x, (MODERATE,)),
    "floor_divide": _step(lambda x, y: mpmath.floor(x / y), (BETWEEN, (-3.1, -0.7, 0.3, 2.9))),
    "remainder": Exact(
        _remainder, (BETWEEN, (-3.1, -0.7, 0.3, 2.9)),
        slopes=(lambda x, y: mpf(1), lambda x, y: -mpmath.floor(x / y)),
    ),
    "fmod": Exact(
        lambda x, y: x - _truncate(x / y) * y, (BETWEEN, (-3.1, -0.7, 0.3, 2.9)),
        slopes=(lambda x, y: mpf(1), lambda x, y: -_truncate(x / y)),
    ),
    "pow": Exact(
        operator.pow, (tuple(x for x in POSITIVE if 1e-8 <= x <= 400), FEW),
        slope=lambda x, y: 6 + abs(float(mpmath.log(x))),
        reason="y - 1 is rounded, which log(x) multiplies",
    ),
    "floor": _step(mpmath.floor, (BETWEEN * 2,)),
    "ceil": _step(mpmath.ceil, (BETWEEN * 2,)),
    "trunc": _step(_truncate, (BETWEEN * 2,)),
    "round": _step(mpmath.nint, (BETWEEN * 2,)),
    # powers, exponentials, logarithms
    "sqrt": Exact(mpmath.sqrt, (POSITIVE,)),
    "root": Exact(mpmath.sqrt, (POSITIVE,)),
    "root_of_powers": Exact(
        operator.pow, (tuple(x for x in POSITIVE if 1e-8 <= x <= 400), INSIDE[4:10]),
        slope=lambda x, y: 6 + abs(float(mpmath.log(x))), reason="as pow",
    ),
    "rsqrt": Exact(
        lambda x: 1 / mpmath.sqrt(x), (tuple(x for x in POSITIVE if 1e-100 <= x <= 1e100),)
    ),
    "cbrt": Exact(lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)), (REALS,)),
    "exp": Exact(mpmath.exp, (EXPONENTS,)),
    "exp2": Exact(lambda x: mpf(2) ** x, (EXPONENTS,)),
    "expm1": Exact(mpmath.expm1, (EXPONENTS,)),
    "log": Exact(mpmath.log, (POSITIVE,)),
    "log2": Exact(lambda x: mpmath.log(x) / mpmath.log(2), (POSITIVE,)),
    "log10": Exact(mpmath.log10, (POSITIVE,)),
    "log1p": Exact(mpmath.log1p, ((*AROUND_ZERO, *POSITIVE),)),
    # trigonometric and hyperbolic
    "sin": Exact(mpmath.sin, (MODERATE,)),
    "cos": Exact(mpmath.cos, (MODERATE,)),
    "tan": Exact(mpmath.tan, (MODERATE,)),
    "asin": Exact(mpmath.asin, (AROUND_ZERO,)),
    "acos": Exact(mpmath.acos, (AROUND_ZERO,)),
    "atan": Exact(mpmath.atan, (REALS,)),
    "sinh": Exact(mpmath.sinh, (EXPONENTS,)),
    "cosh": Exact(mpmath.cosh, (EXPONENTS,)),
    "tanh": Exact(
        mpmath.tanh, (REALS,), slope_near_one=4,
        reason="1 - tanh(x)**2 in the tails: exact relative to 1",
    ),
    # Above 1e154 the square overflows, and the derivative is 0 where it is less than 1e-154.
    "asinh": Exact(mpmath.asinh, (tuple(x for x in REALS if abs(x) <= 1e100),)),
    "acosh": Exact(mpmath.acosh, (ABOVE_ONE,)),
    "atanh": Exact(mpmath.atanh, (AROUND_ZERO,)),
    # of two
    "atan2": Exact(mpmath.atan2, (SOME, SOME)),
    "hypot": Exact(mpmath.hypot, (SOME, SOME)),
    "maximum": Exact(max, (FEW, SOME)),
    "minimum": Exact(min, (FEW, SOME)),
    "fmax": Exact(max, (FEW, SOME)),
    "fmin": Exact(min, (FEW, SOME)),
    "copysign": Exact(lambda x, y: abs(x) * mpmath.sign(y), (SOME, FEW)),
    "heaviside": _step(lambda x, y: mpf(int(x > 0)), (SOME, FEW)),
    "logaddexp": Exact(
        lambda x, y: max(x, y) + mpmath.log1p(mpmath.exp(-abs(x - y))), (SOME, FEW),
        slope=lambda x, y: 6 + abs(x - y), value_near_one=1,
        reason="exp(x - y) has the rounding of x - y times its size; " + ZEROS,
    ),
    "logaddexp2": Exact(
        lambda x, y: max(x, y) + mpmath.log1p(mpf(2) ** -abs(x - y)) / mpmath.log(2), (SOME, FEW),
        slope=lambda x, y: 6 + 2 * abs(x - y), value_near_one=1,
        reason="as logaddexp, and log(2) * (x - y) is rounded twice; " + ZEROS,
    ),
    # comparison, classification, logic
    "equal": _truth(operator.eq, (SOME, SOME)),
    "not_equal": _truth(operator.ne, (SOME, SOME)),
    "less": _truth(operator.lt, (SOME, SOME)),
    "less_equal": _truth(operator.le, (SOME, SOME)),
    "greater": _truth(operator.gt, (SOME, SOME)),
    "greater_equal": _truth(operator.ge, (SOME, SOME)),
    "isnan": _truth(mpmath.isnan, (REALS,)),
    "isinf": _truth(mpmath.isinf, (REALS,)),
    "isfinite": _truth(mpmath.isfinite, (REALS,)),
    "signbit": _truth(lambda x: x < 0, (REALS,)),
    "logical_and": _truth(lambda x, y: bool(x) and bool(y), ((0, 1), (0, 1))),
    "logical_or": _truth(lambda x, y: bool(x) or bool(y), ((0, 1), (0, 1))),
    "logical_xor": _truth(lambda x, y: bool(x) != bool(y), ((0, 1), (0, 1))),
    "logical_not": _truth(lambda x: not x, ((0, 1),)),
    # selection
    "clip_between": Exact(
        lambda x, low, high: min(max(x, low), high), (SOME, (-1.5, 0.2), (0.7, 3.0))
    ),
    "clip_below": Exact(max, (FEW, SOME)),
    "clip_above": Exact(min, (FEW, SOME)),
    "stop_gradient": _step(lambda x: x, (REALS,)),
    "barrier": Exact(lambda x: x, (REALS,)),
    # activations
    "sigmoid": Exact(
        _sigmoid, (EXPONENTS,), slope_near_one=2,
        reason="sigmoid(x) * (1 - sigmoid(x)) on the right: exact relative to 1",
    ),
    "log_sigmoid": Exact(lambda x: -_softplus(-x), (EXPONENTS,)),
    "softplus": Exact(_softplus, (EXPONENTS,)),
    "relu": Exact(lambda x: max(x, mpf(0)), (REALS,)),
    # special functions
    "erf": Exact(
        mpmath.erf, (tuple(x for x in REALS if 1e-300 <= abs(x) <= 13.3),), slope=_squared,
        reason="exp(-x*x) has the rounding of x*x times its size",
    ),
    "erfc": Exact(
        lambda x: 1 - mpmath.erf(x), (tuple(x for x in REALS if 1e-300 <= abs(x) <= 13.3),),
        value=_squared, slope=_squared,
        reason="as erf; SciPy's values too are off in the right tail",
    ),
    "gammaln": Exact(_log_gamma, (GAMMA_POINTS,), value_near_one=2, reason=ZEROS),
    "digamma": Exact(lambda x: mpmath.psi(0, x), (GAMMA_POINTS,)),
    "xlogy": Exact(lambda x, y: x * mpmath.log(y), (SOME, tuple(abs(y) for y in SOME))),
    "xlog1py": Exact(
        lambda x, y: x * mpmath.log1p(y), (SOME, (-0.99, -0.3, -1e-8, 1e-8, 0.1, 5.0, 1e5))
    ),
}  # fmt: skip

FORMULAS = [op.name for op in OPS.values() if op.elementwise and op.formulas is not None]


def test_every_elementwise_op_with_formulas_is_in_the_table() -> None:
    assert sorted(TABLE) == sorted(FORMULAS)


def test_every_op_meets_twenty_points_and_every_wide_limit_has_a_reason() -> None:
    for name, exact in TABLE.items():
        truth_table = set(exact.points[0]) == {0, 1}
        assert truth_table or len(exact.grid()) >= 20, name
        limits = (exact.value, exact.slope, exact.value_near_one, exact.slope_near_one)
        assert limits == (3, 6, 0, 0) or exact.reason, name


@pytest.fixture(autouse=True)
def working_digits() -> Any:
    with mp.workdps(WORKING):
        yield


def _computed(name: str, exact: Exact) -> tuple[Any, list[Any]]:
    """The op's value and its formulas at all points, by the references in float64."""
    op = OPS[name]
    columns = [np.array(column, dtype=np.float64) for column in zip(*exact.grid(), strict=True)]
    logical = name.startswith("logical")
    type_ = TensorType.parse(f"{'bool' if logical else 'float64'}[{len(columns[0])}]")
    place = Scope()
    with scope(place):
        inputs = [place.input(type_, label) for label in op.operands]
        out = op(*inputs)
        slopes = [
            as_node(place, 0.0 if formula is ZERO else formula(out, *inputs))
            for formula in op.formulas or ()
        ]
    value, *found = evaluate(Graph(inputs, [out, *slopes]), columns)
    return value, [np.broadcast_to(one, columns[0].shape) for one in found]


def _complaints(
    got: Any, wanted: Sequence[Any], exact: Exact, limit: Any, near_one: float
) -> list[str]:
    found: list[str] = []
    for have, want, point in zip(got, wanted, exact.grid(), strict=True):
        units = limit(*point) if callable(limit) else limit
        allowed = UNIT * (units * abs(want) + near_one) + SMALLEST
        if abs(want) > mpf(np.finfo(np.float64).max):
            fine = np.isinf(have) and mpmath.sign(want) == np.sign(have)
        else:
            fine = np.isfinite(have) and abs(mpf(float(have)) - want) <= allowed
        if not fine:
            error = (mpf(float(have)) - want) / (want or mpf(1)) / UNIT
            found.append(
                f"at {point}: {float(have)!r}, exactly {mpmath.nstr(want, 20)}:"
                f" {mpmath.nstr(error, 4)} units"
            )
    return found


@pytest.mark.parametrize("name", TABLE)
def test_the_reference_is_the_function(name: str) -> None:
    exact = TABLE[name]
    value, _ = _computed(name, exact)
    wanted = [exact.function(*(mpf(x) for x in point)) for point in exact.grid()]
    complaints = _complaints(value, wanted, exact, exact.value, exact.value_near_one)
    assert not complaints, "\n".join(complaints)


def _slope(exact: Exact, operand: int, point: Sequence[float]) -> Any:
    numbers = [mpf(x) for x in point]
    if exact.slopes is not None:
        return exact.slopes[operand](*numbers)

    def along(x: Any) -> Any:
        return exact.function(*(x if i == operand else y for i, y in enumerate(numbers)))

    x = numbers[operand]
    step = abs(x) * STEP
    return (along(x + step) - along(x - step)) / (2 * step)


@pytest.mark.parametrize(
    ("name", "operand"),
    [(name, i) for name in TABLE for i in range(len(OPS[name].operands))],
    ids=str,
)
def test_the_formula_is_the_derivative(name: str, operand: int) -> None:
    exact = TABLE[name]
    _, slopes = _computed(name, exact)
    wanted = [_slope(exact, operand, point) for point in exact.grid()]
    complaints = _complaints(slopes[operand], wanted, exact, exact.slope, exact.slope_near_one)
    assert not complaints, "\n".join(complaints)
