"""Norms that a program composes: the gradient at the origin is 0, on every target, both ways.

What is expected at other points is a closed form in NumPy. The values stay what they were, and a
root of anything that is no sum of squares keeps its infinite derivative.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

import unigrad as ug
from tests import targets

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = targets.PYTORCH_IS_LOUD

POINT = np.array([3.0, -4.0, 12.0])
ORIGIN = np.zeros(3)
WEIGHTS = np.array([0.5, 2.0, 0.0])
ALONG = np.array([1.0, -2.0, 0.5])


class Norm(NamedTuple):
    """A function of a vector of three, and its gradient away from the origin.

    Attributes:
        function: what a program would write.
        slope: the gradient in NumPy.
        curvature: the Hessian at the origin is so many times the identity.
        origin: each element of the gradient at the origin.
    """

    function: Callable[[Any], Any]
    slope: Callable[[Any], Any]
    curvature: float = 0.0
    origin: float = 0.0


def unit(x: Any) -> Any:
    return x / np.sqrt(np.sum(x * x))


def of_order(p: float) -> Callable[[Any], Any]:
    return lambda x: np.sign(x) * (np.abs(x) / np.sum(np.abs(x) ** p) ** (1 / p)) ** (p - 1)


def pairwise(x: Any) -> Any:
    points = x[:, None]
    return ug.sum(ug.sqrt(ug.sum(ug.square(points[:, None] - points[None]), axis=-1)))


def pairwise_slope(x: Any) -> Any:
    return 2 * np.sum(np.sign(x[:, None] - x[None]), axis=1)


def gaussian_slope(x: Any) -> Any:
    return -2e-2 * x * np.exp(-1e-2 * np.sum(x * x))


def direction_slope(x: Any) -> Any:
    direction = unit(x)
    return (1 - direction * np.sum(direction)) / np.sqrt(np.sum(x * x))


NORMS = {
    "sqrt(sum(x*x))": Norm(lambda x: ug.sqrt(ug.sum(x * x)), unit),
    "sum(x**2)**0.5": Norm(lambda x: (x**2).sum() ** 0.5, unit),
    "sqrt(x*x)": Norm(lambda x: ug.sum(ug.sqrt(x * x)), np.sign),
    "sqrt(a*a+b*b+c*c)": Norm(
        lambda x: ug.sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]), unit
    ),
    "sum(abs(x)**2)**0.5": Norm(lambda x: ug.sum(abs(x) ** 2) ** 0.5, unit),
    "with keepdims": Norm(lambda x: ug.sqrt(ug.sum(ug.square(x), axis=0, keepdims=True))[0], unit),
    "of rows": Norm(
        lambda x: ug.sum(ug.sqrt(ug.sum(ug.square(x * np.ones((2, 1))), axis=1))),
        lambda x: 2 * unit(x),
    ),
    "sqrt(x @ x)": Norm(lambda x: ug.sqrt(x @ x), unit),
    "sqrt(row @ column)": Norm(lambda x: ug.sqrt(x[None] @ x[:, None])[0, 0], unit),
    "sqrt(einsum(x, x))": Norm(lambda x: ug.sqrt(ug.einsum("i,i->", x, x)), unit),
    "sqrt(tensordot(x, x))": Norm(lambda x: ug.sqrt(ug.tensordot(x, x, 1)), unit),
    "sqrt(sum + 0.0)": Norm(lambda x: ug.sqrt(ug.sum(x * x) + 0.0), unit),
    "mean of squares": Norm(lambda x: ug.sqrt(ug.mean(x * x)), lambda x: unit(x) / np.sqrt(3)),
    "weighted": Norm(
        lambda x: ug.sqrt(ug.sum(WEIGHTS * x * x)),
        lambda x: WEIGHTS * x / np.sqrt(np.sum(WEIGHTS * x * x)),
    ),
    "divided by weights": Norm(
        lambda x: ug.sqrt(ug.sum(x * x / (1 + WEIGHTS))),
        lambda x: x / (1 + WEIGHTS) / np.sqrt(np.sum(x * x / (1 + WEIGHTS))),
    ),
    "reshaped": Norm(
        lambda x: ug.sqrt(ug.sum(ug.reshape(x * x, (3, 1)) + ug.zeros((3, 2)))),
        lambda x: np.sqrt(2) * unit(x),
    ),
    "joined": Norm(
        lambda x: ug.sqrt(ug.sum(ug.concat([x[:1] ** 2, x[1:] ** 2]))), unit
    ),
    "held above 0": Norm(lambda x: ug.sqrt(ug.maximum(ug.sum(x * x), 0.0)), unit),
    "pairwise": Norm(pairwise, pairwise_slope),
    "order 3": Norm(lambda x: ug.sum(abs(x) ** 3) ** (1 / 3), of_order(3)),
    "order 4": Norm(lambda x: ug.sum(x**4) ** 0.25, of_order(4)),
    "guarded direction": Norm(
        lambda x: ug.sum(x / ug.maximum(ug.sqrt(ug.sum(x * x)), 0.5)), direction_slope, origin=2.0
    ),
    "exp(-norm**2)": Norm(
        lambda x: ug.exp(-1e-2 * ug.sqrt(ug.sum(x * x)) ** 2), gaussian_slope, curvature=-2e-2
    ),
    "half of norm*norm": Norm(
        lambda x: (ug.sqrt(x @ x) * ug.sqrt(x @ x)) / 2, lambda x: x, curvature=1.0
    ),
    "norm plus norm**2": Norm(
        lambda x: ug.sqrt(ug.sum(x * x)) + ug.sqrt(ug.sum(x * x)) ** 2,
        lambda x: unit(x) + 2 * x,
        curvature=2.0,
    ),
}  # fmt: skip


def gradients(x: Any) -> Any:
    return [ug.grad(norm.function)(x) for norm in NORMS.values()]


def directional(x: Any, along: Any) -> Any:
    return [ug.jvp(norm.function, (x,), (along,))[1] for norm in NORMS.values()]


def curvatures(x: Any, along: Any) -> Any:
    reverse = [
        ug.grad(lambda x, f=norm.function: ug.sum(ug.grad(f)(x) * along))(x)
        for norm in NORMS.values()
    ]
    return reverse, [ug.jvp(ug.grad(norm.function), (x,), (along,))[1] for norm in NORMS.values()]


@pytest.mark.parametrize(("target", "autodiff"), targets.ways(targets.TARGETS))
def test_the_gradient_of_a_norm(
    target: str, autodiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets.compile_soon(target, monkeypatch)
    with ug.use(target, autodiff=autodiff):
        reverse = ug.function(gradients)
        forward = ug.function(directional)
        for found, (name, norm) in zip(reverse(POINT), NORMS.items(), strict=True):
            np.testing.assert_allclose(
                found, norm.slope(POINT), rtol=1e-12, atol=1e-14, err_msg=name
            )
        for found, (name, norm) in zip(reverse(ORIGIN), NORMS.items(), strict=True):
            np.testing.assert_array_equal(found, norm.origin, err_msg=name)
        for found, (name, norm) in zip(forward(POINT, ALONG), NORMS.items(), strict=True):
            np.testing.assert_allclose(
                found, norm.slope(POINT) @ ALONG, rtol=1e-12, atol=1e-14, err_msg=name
            )
        for found, (name, norm) in zip(forward(ORIGIN, ALONG), NORMS.items(), strict=True):
            assert found == norm.origin * np.sum(ALONG), name


# Dynamo cannot trace one ``torch.func.jvp`` inside another.
@pytest.mark.parametrize(
    ("target", "autodiff"), targets.ways([one for one in targets.TARGETS if one != "torch:compile"])
)
def test_the_second_derivative_of_a_norm_at_the_origin(
    target: str, autodiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets.compile_soon(target, monkeypatch)
    with ug.use(target, autodiff=autodiff):
        for way in ug.function(curvatures)(ORIGIN, ALONG):
            for found, (name, norm) in zip(way, NORMS.items(), strict=True):
                np.testing.assert_allclose(found, norm.curvature * ALONG, rtol=1e-14, err_msg=name)


@pytest.mark.parametrize(("target", "autodiff"), targets.ways(targets.FRAMEWORKS))
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_norm_of_less_precision(target: str, autodiff: Any, dtype: str) -> None:
    with ug.use(target, autodiff=autodiff):
        x = ug.astype(np.array([[0.0, 0.0], [3.0, 4.0]]), dtype)
        slope = ug.grad(lambda x: ug.sum(ug.sqrt(ug.sum(x * x, axis=1))))(x)
        np.testing.assert_allclose(ug.astype(slope, "float64"), [[0.0, 0.0], [0.6, 0.8]], rtol=1e-2)


# -- standard deviations ---------------------------------------------------------------------------

EQUAL = np.full((4, 7), 0.1)
EQUAL[1] = np.arange(7.0)  # beside rows of equal elements one of others
UNEQUAL = 0.1 * (1 + np.array([0.0, 0.0, 2.0**-46]))


def deviations(x: Any) -> Any:
    rows = [ug.grad(lambda x, c=c: ug.sum(ug.std(x, axis=1, correction=c)))(x) for c in (0, 1)]
    root = ug.grad(lambda x: ug.sum(ug.sqrt(ug.var(x, axis=1, keepdims=True))))(x)
    second = ug.grad(lambda x: ug.sum(ug.grad(lambda x: ug.sum(ug.std(x, axis=1)))(x)[0] * x[0]))(x)
    return rows, root, ug.jvp(lambda x: ug.std(x, axis=1), (x,), (x * x,))[1], second


@pytest.mark.parametrize(("target", "autodiff"), targets.ways(targets.TARGETS))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_deviation_of_equal_elements(
    target: str, autodiff: Any, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets.compile_soon(target, monkeypatch)
    with ug.use(target, autodiff=autodiff):
        rows, root, forward, second = ug.function(deviations)(EQUAL.astype(dtype))
    centred = np.arange(7.0) - 3
    for found, correction in [(rows[0], 0), (rows[1], 1), (root, 0)]:
        wanted = np.zeros((4, 7))
        wanted[1] = centred / (np.sqrt(np.sum(centred**2) / (7 - correction)) * (7 - correction))
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)
        np.testing.assert_array_equal(found[[0, 2, 3]], 0.0)
    np.testing.assert_array_equal(forward[[0, 2, 3]], 0.0)
    np.testing.assert_array_equal(second, 0.0)


@pytest.mark.parametrize(("target", "autodiff"), targets.ways(targets.FRAMEWORKS))
def test_elements_that_differ_in_their_last_digits(target: str, autodiff: Any) -> None:
    with ug.use(target, autodiff=autodiff):
        slope = ug.grad(ug.std)(UNEQUAL)
    np.testing.assert_allclose(slope, np.array([-1, -1, 2]) / np.sqrt(18), rtol=0.05)


@pytest.mark.parametrize(("target", "autodiff"), targets.ways(targets.FRAMEWORKS))
def test_the_deviation_of_what_is_not_finite_is_not_hidden(target: str, autodiff: Any) -> None:
    with ug.use(target, autodiff=autodiff):
        for bad in ([np.inf, np.inf], [np.nan, np.nan], [np.nan, 1.0]):
            assert np.isnan(ug.grad(ug.std)(np.array(bad))).all()


@pytest.mark.parametrize(("target", "autodiff"), targets.ways(targets.FRAMEWORKS))
def test_the_deviation_of_a_number(target: str, autodiff: Any) -> None:
    with ug.use(target, autodiff=autodiff):
        for function in (ug.std, ug.var):
            assert ug.grad(function)(3.0) == 0
            assert np.isnan(ug.grad(lambda x, f=function: f(x, correction=1))(3.0))
            assert np.isnan(ug.grad(lambda x, f=function: f(x[0], correction=1))(np.ones(1))[0])


# -- what stays as it is ---------------------------------------------------------------------------


@pytest.mark.parametrize("target", targets.of(targets.EAGER))
def test_values_overflow_and_underflow_as_before(target: str) -> None:
    def norm(x: Any) -> Any:
        return ug.sqrt(ug.sum(x * x))

    with ug.use(target):
        for scale, value, slope in [(1e200, np.inf, 0.0), (1e-200, 0.0, 0.0)]:
            found = ug.value_and_grad(norm)(scale * np.ones(3))
            assert found[0] == value
            np.testing.assert_array_equal(found[1], slope)
        value, slope = ug.value_and_grad(norm)(np.array([1.0, np.nan]))
        assert np.isnan(value)
        assert np.isnan(slope).all()


PLAIN = {
    "sqrt(x)": (lambda x, y: ug.sqrt(x), (np.inf, 0.0)),
    "sqrt(abs(x))": (lambda x, y: ug.sqrt(abs(x)), (np.nan, 0.0)),
    "sqrt(x*y)": (lambda x, y: ug.sqrt(x * (y + 1)), (np.inf, np.nan)),
    "sqrt(x**3)": (lambda x, y: ug.sqrt(x**3), (np.nan, 0.0)),
    "sqrt(x*x+y)": (lambda x, y: ug.sqrt(x * x + y), (np.nan, np.inf)),
    "sqrt(x*x-y*y)": (lambda x, y: ug.sqrt(x * x - y * y), (np.nan, np.nan)),
    "sqrt(-w*x*x)": (lambda x, y: ug.sqrt(-2.0 * x * x), (np.nan, 0.0)),
    "sqrt(x*abs(x))": (lambda x, y: ug.sqrt(x * abs(x)), (np.nan, 0.0)),
    "abs(x)**0.5": (lambda x, y: abs(x) ** 0.5, (np.nan, 0.0)),
    "sqrt(x)**2": (lambda x, y: ug.sqrt(x) ** 2, (np.nan, 0.0)),
    "sqrt(x)*0": (lambda x, y: ug.sqrt(x) * y, (np.nan, 0.0)),
    "rsqrt(x)*0": (lambda x, y: ug.rsqrt(x) * y, (np.nan, np.inf)),
    "log(norm)": (lambda x, y: ug.log(ug.sqrt(x * x)), (np.nan, 0.0)),
    "norm of roots": (lambda x, y: ug.sqrt(ug.sqrt(x) ** 2), (np.nan, 0.0)),
}


@pytest.mark.parametrize(("target", "autodiff"), targets.ways(targets.EAGER))
def test_a_root_of_anything_else_keeps_its_derivative(target: str, autodiff: Any) -> None:
    def of_all(x: Any, y: Any) -> Any:
        return [ug.grad(function, argnums=(0, 1))(x, y) for function, _ in PLAIN.values()]

    with ug.use(target, autodiff=autodiff):
        found = dict(zip(PLAIN, ug.function(of_all)(0.0, 0.0), strict=True))
    for name, (_, wanted) in PLAIN.items():
        np.testing.assert_array_equal(found[name], wanted, err_msg=name)


def test_what_was_recognised_is_explained() -> None:
    explained = str(ug.grad(lambda x: ug.sqrt(ug.sum(x * x))).explain(POINT))
    assert "norms: composed_norm: The root of a sum of squares is a norm" in explained


def test_a_root_that_is_never_at_zero_costs_nothing_more() -> None:
    source = ug.grad(lambda x: ug.sqrt(ug.sum(x * x) + 1e-12)).source("numpy", POINT)
    assert "where" not in source


def test_a_long_sum_of_squares_is_recognised() -> None:
    def norm(x: Any) -> Any:
        total = x[0] * x[0]
        for _ in range(5000):
            total = total + x[1] * x[1]
        return ug.sqrt(total)

    np.testing.assert_array_equal(ug.grad(norm)(np.zeros(2)), 0.0)
