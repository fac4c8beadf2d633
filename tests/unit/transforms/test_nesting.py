"""Derivatives of derivatives, in any order and depth, confuse nothing."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug

if TYPE_CHECKING:
    from collections.abc import Callable

X, Y = 0.7, 1.3


def forward(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The derivative of a function of one number, in forward mode."""

    def derivative(x: Any) -> Any:
        return ug.jvp(function, (x,), (ug.ones_like(x) if hasattr(x, "dtype") else 1.0,))[1]

    return derivative


def pulled(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same by a pullback."""

    def derivative(x: Any) -> Any:
        _, pullback = ug.vjp(function, x)
        return pullback(ug.ones_like(x) if hasattr(x, "dtype") else 1.0)[0]

    return derivative


MODES: dict[str, Callable[..., Any]] = {"grad": ug.grad, "jvp": forward, "vjp": pulled}
SINES = (math.sin, math.cos, lambda x: -math.sin(x), lambda x: -math.cos(x))


@pytest.mark.parametrize("modes", [*itertools.product(MODES, repeat=2)], ids="-".join)
def test_second_derivatives_in_every_order_of_modes(modes: tuple[str, ...]) -> None:
    outer, inner = (MODES[mode] for mode in modes)
    second = outer(inner(lambda x: ug.sin(x) * ug.exp(x)))
    assert second(X) == pytest.approx(2 * math.cos(X) * math.exp(X), rel=1e-13)


@pytest.mark.parametrize("modes", [*itertools.product(("grad", "jvp"), repeat=3)], ids="-".join)
def test_third_derivatives_in_every_order_of_modes(modes: tuple[str, ...]) -> None:
    function: Callable[..., Any] = ug.tanh
    for mode in modes:
        function = MODES[mode](function)
    t = math.tanh(X)
    assert function(X) == pytest.approx((1 - t * t) * (6 * t * t - 2), rel=1e-12)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_a_derivative_to_any_depth(mode: str, depth: int) -> None:
    function: Callable[..., Any] = ug.sin
    for _ in range(depth):
        function = MODES[mode](function)
    assert function(X) == pytest.approx(SINES[depth % 4](X), rel=1e-13)


@pytest.mark.parametrize("modes", [*itertools.product(MODES, repeat=2)], ids="-".join)
@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        pytest.param(lambda x, y: x * y, 2 * X, id="x*d/dy(x*y)"),
        pytest.param(lambda x, y: x + y, 1.0, id="x*d/dy(x+y)"),
        pytest.param(lambda x, y: ug.sin(x * y), None, id="x*d/dy(sin(x*y))"),
    ],
)
def test_an_inner_derivative_over_a_closure(
    modes: tuple[str, ...], inner: Callable[..., Any], expected: float | None
) -> None:
    outer_mode, inner_mode = (MODES[mode] for mode in modes)

    def function(x: Any) -> Any:
        return x * inner_mode(lambda y: inner(x, y))(x)

    if expected is None:  # x**2 cos(x**2)
        expected = 2 * X * math.cos(X * X) - 2 * X**3 * math.sin(X * X)
    assert outer_mode(function)(X) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("modes", [*itertools.product(("grad", "jvp"), repeat=3)], ids="-".join)
def test_three_levels_that_all_close_over_the_others(modes: tuple[str, ...]) -> None:
    first, second, third = (MODES[mode] for mode in modes)

    def function(x: Any) -> Any:
        def middle(y: Any) -> Any:
            return y * third(lambda z: x * y * z * z)(x * y)

        return x * second(middle)(x)

    # third: 2 x**2 y**2; middle: 2 x**2 y**3; second at y = x: 6 x**4; function: 6 x**5
    assert first(function)(X) == pytest.approx(30 * X**4, rel=1e-13)


@pytest.mark.parametrize("modes", [*itertools.product(("grad", "jvp"), repeat=3)], ids="-".join)
def test_three_levels_of_the_same_variable(modes: tuple[str, ...]) -> None:
    first, second, third = (MODES[mode] for mode in modes)

    def function(x: Any) -> Any:
        return second(lambda y: x * third(lambda z: x * y * z + ug.sin(z))(y))(x)

    # third: x y + cos y; times x, d/dy: x**2 - x sin y at y = x; d/dx: 2 x - sin x - x cos x
    wanted = 2 * X - math.sin(X) - X * math.cos(X)
    assert first(function)(X) == pytest.approx(wanted, rel=1e-13)


def test_derivatives_with_respect_to_what_is_closed_over() -> None:
    def function(x: Any, y: Any) -> Any:
        return ug.grad(lambda z: ug.sin(z * y) + z * x)(x) * y

    in_x, in_y = ug.grad(function, argnums=(0, 1))(X, Y)
    # (y cos(x y) + x) y
    assert in_x == pytest.approx(-(Y**3) * math.sin(X * Y) + Y, rel=1e-13)
    assert in_y == pytest.approx(
        2 * Y * math.cos(X * Y) - X * Y * Y * math.sin(X * Y) + X, rel=1e-13
    )


def test_the_same_closure_at_two_points_is_not_mixed_up() -> None:
    def function(x: Any) -> Any:
        slope = ug.grad(lambda y: y**3 * x)
        return slope(x) + slope(2 * x)  # 3 x**3 + 12 x**3

    assert ug.grad(function)(X) == pytest.approx(45 * X * X, rel=1e-13)


def test_hessian_vector_products_agree_in_all_four_ways() -> None:
    random = np.random.default_rng(0)
    W, x, v = random.normal(size=(4, 4)), random.normal(size=4), random.normal(size=4)

    def function(x: Any) -> Any:
        return ug.sum(ug.tanh(W @ x) ** 2) + ug.logsumexp(x)

    gradient = ug.grad(function)
    products = {
        "forward over reverse": ug.jvp(gradient, (x,), (v,))[1],
        "reverse over reverse": ug.grad(lambda x: ug.sum(gradient(x) * v))(x),
        "reverse over forward": ug.grad(lambda x: ug.jvp(function, (x,), (v,))[1])(x),
        "by columns": np.array(
            [
                ug.jvp(lambda x: ug.jvp(function, (x,), (e,))[1], (x,), (v,))[1]  # noqa: B023
                for e in np.eye(4)
            ]
        ),
    }
    exact = products.pop("forward over reverse")
    for way, product in products.items():
        np.testing.assert_allclose(product, exact, rtol=1e-12, atol=1e-13, err_msg=way)


def test_an_inner_derivative_is_differentiated_on_both_sides_of_a_branch_of_uses() -> None:
    def function(x: Any) -> Any:
        value, slope = ug.value_and_grad(lambda y: y * ug.exp(x * y))(x)
        out, pushed = ug.jvp(lambda y: y * x, (value,), (slope,))
        return out * pushed

    # v = x e^(x^2), s = (1 + x^2) e^(x^2); x^2 v s
    def exact(x: float) -> float:
        return x**3 * (1 + x * x) * math.exp(2 * x * x)

    step = 1e-6
    wanted = (exact(X + step) - exact(X - step)) / (2 * step)
    assert function_of(function) == pytest.approx(exact(X), rel=1e-13)
    assert ug.grad(function)(X) == pytest.approx(wanted, rel=1e-8)


def function_of(function: Callable[[Any], Any]) -> float:
    return float(ug.function(function)(X))


def test_a_unigrad_function_inside_another_is_differentiated() -> None:
    inner = ug.function(lambda x: x**3)
    outer = ug.function(lambda x: ug.grad(inner)(x) * inner(x))  # 3 x**5
    assert ug.grad(outer)(X) == pytest.approx(15 * X**4, rel=1e-13)
    assert ug.grad(ug.grad(outer))(X) == pytest.approx(60 * X**3, rel=1e-13)


def test_a_derivative_that_does_not_depend_on_its_point_is_differentiated() -> None:
    assert ug.grad(ug.grad(lambda x: 3 * x))(X) == 0
    assert ug.grad(lambda x: ug.grad(lambda y: x * 2)(x))(X) == 0
    assert ug.jvp(ug.grad(lambda x: x + 1), (X,), (1.0,))[1] == 0
