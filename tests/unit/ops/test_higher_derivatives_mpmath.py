"""Second and third derivatives of every elementwise op, held against 50-digit arithmetic.

They are taken at equal, zero and integer operands, wherever the op is smooth there, and in every
order of differentiation, so that each Hessian is symmetric besides. What is differentiated is the
derivative that graph mode makes of the formulas, in reverse and in forward mode.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mp, mpf

import unigrad as ug
from tests.unit.ops.test_formulas_mpmath import TABLE
from unigrad.ops.spec import OPS
from unigrad.testing.smooth import SMOOTH, special_points

TRUTHS = {
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isnan", "isinf",
    "isfinite", "signbit", "logical_and", "logical_or", "logical_xor", "logical_not",
}  # fmt: skip
#: constant for derivatives by definition; of three operands, of which two are bounds
OTHERS = {"stop_gradient", "clip_between"}


def test_every_elementwise_op_with_formulas_is_checked() -> None:
    assert sorted(SMOOTH) == sorted(set(TABLE) - TRUTHS - OTHERS)


def _by_reverse(function: Any, position: int) -> Any:
    return ug.grad(lambda *x: ug.sum(function(*x)), argnums=position)


def _by_forward(function: Any, position: int) -> Any:
    def derivative(*at: Any) -> Any:
        tangents = [ug.ones_like(x) if i == position else 0 * x for i, x in enumerate(at)]
        return ug.jvp(function, at, tuple(tangents))[1]

    return derivative


def _mixed(function: Any, along: tuple[int, ...], modes: tuple[Any, ...]) -> Any:
    for position, mode in zip(along, modes, strict=True):
        function = mode(function, position)
    return function


MODES = {
    2: list(itertools.product((_by_reverse, _by_forward), repeat=2)),
    3: [(_by_reverse,) * 3, (_by_forward,) * 3, (_by_forward, _by_reverse, _by_forward)],
}


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("name", sorted(SMOOTH))
def test_derivatives_of_derivatives_are_exact_at_special_points(name: str, order: int) -> None:
    op, exact = OPS[name], TABLE[name]
    count = len(op.operands)
    columns = special_points(name, count)
    directions = list(itertools.product(range(count), repeat=order))

    def derivatives(*at: Any) -> Any:
        return [_mixed(op, along, modes)(*at) for along in directions for modes in MODES[order]]

    found = iter(ug.function(derivatives, target="numpy", autodiff="graph")(*columns))
    complaints: list[str] = []
    for along in directions:
        orders = tuple(along.count(position) for position in range(count))
        wanted = [_exactly(exact, orders, point) for point in zip(*columns, strict=True)]
        for modes in MODES[order]:
            got = next(found)
            complaints += [
                f"d{along} at {point} {[mode.__name__ for mode in modes]}: {have}, exactly {want}"
                for have, want, point in zip(got, wanted, zip(*columns, strict=True), strict=True)
                if not abs(have - want) <= 1e-12 * max(1.0, abs(want))
            ]
    assert not complaints, "\n".join(complaints)


def _exactly(exact: Any, orders: tuple[int, ...], point: tuple[float, ...]) -> float:
    """A derivative by differences of 50 and more digits; of a step function, 0."""
    with mp.workdps(60):
        numbers = [mpf(float(x)) for x in point]
        if exact.slopes is not None:
            return 0.0  # they are piecewise constant
        if len(numbers) == 1:
            found = mpmath.diff(exact.function, numbers[0], orders[0])
        else:
            found = mpmath.diff(exact.function, tuple(numbers), orders)
        return float(mpmath.re(found))


def test_powers_of_whole_numbers_at_every_base() -> None:
    """A known integer power is a polynomial, also at 0 and at negative numbers."""
    exponents = np.arange(5)
    x = np.array([[-2.0], [-1.0], [0.0], [1.0], [3.0]])

    for order, mode in itertools.product((1, 2, 3), (_by_forward, _by_reverse)):
        function = _mixed(lambda x: x**exponents, (0,) * order, (mode,) * order)
        got = ug.function(function, target="numpy", autodiff="graph")(x * np.ones(5))
        factor = np.array([math.perm(n, order) for n in exponents])
        want = factor * np.power(x, np.maximum(exponents - order, 0))
        np.testing.assert_array_equal(got, want)
