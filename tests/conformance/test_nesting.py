"""Transforms in each other, in any order and depth, on every target and by both ways.

What is nested here is what confuses a differentiator that keeps tags or levels: the same value at
two places, a function that closes over what an outer transform differentiates, forward in reverse
in forward. All cases of a target are one function, so that compiled targets compile once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from tests import targets

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = targets.PYTORCH_IS_LOUD


def f(x: Any) -> Any:
    return ug.sin(x) * x**3


def pushed(function: Callable[..., Any], x: Any, direction: Any = 1.0) -> Any:
    """The derivative in forward mode."""
    return ug.jvp(function, (x,), (direction,))[1]


def pulled(function: Callable[..., Any], x: Any, cotangent: Any = 1.0) -> Any:
    """The derivative in reverse mode, by the pullback."""
    return ug.vjp(function, x)[1](cotangent)[0]


def twice_pulled(x: Any) -> Any:
    _, pull = ug.vjp(f, x)
    return pull(x)[0] + pull(2.0)[0]


def d(order: int, x: float) -> float:
    """The derivatives of ``f``, worked out by hand."""
    s, c = np.sin(x), np.cos(x)
    return (
        s * x**3,
        c * x**3 + 3 * s * x**2,
        -s * x**3 + 6 * c * x**2 + 6 * s * x,
        -c * x**3 - 9 * s * x**2 + 18 * c * x + 6 * s,
        s * x**3 - 12 * c * x**2 - 36 * s * x + 24 * c,
    )[order]


MODES: dict[str, Any] = {
    "grad": ug.grad,
    "jvp": lambda function: lambda x: pushed(function, x),
    "vjp": lambda function: lambda x: pulled(function, x),
}

CASES: dict[str, tuple[Callable[[Any], Any], Callable[[float], float]]] = {}
for a, outer in MODES.items():
    for b, inner in MODES.items():
        CASES[f"{a} of {b}"] = (outer(inner(f)), lambda x: d(2, x))
        for c, innermost in MODES.items():
            CASES[f"{a} of {b} of {c}"] = (outer(inner(innermost(f))), lambda x: d(3, x))
CASES |= {
    "four times grad": (ug.grad(ug.grad(ug.grad(ug.grad(f)))), lambda x: d(4, x)),
    "an inner product with itself": (
        ug.grad(lambda x: x * ug.grad(lambda y: x * y)(x)), lambda x: 2 * x,
    ),
    "an inner sum with itself": (
        ug.grad(lambda x: x * ug.grad(lambda y: x + y)(x)), lambda x: 1.0,
    ),
    "forward over an inner product": (
        lambda x: pushed(lambda x: x * pushed(lambda y: x * y, x), x), lambda x: 2 * x,
    ),
    "reverse in forward, closed over": (
        lambda x: pushed(lambda y: y * ug.grad(lambda z: y * z * z * x)(y), x), lambda x: 6 * x**3,
    ),
    "forward in reverse, closed over": (
        lambda x: ug.grad(lambda y: y * pushed(lambda z: y * z * z * x, y))(x), lambda x: 6 * x**3,
    ),
    "by value and gradient": (
        ug.grad(lambda y: ug.value_and_grad(f)(y)[0] * ug.value_and_grad(f)(y)[1]),
        lambda x: d(1, x) ** 2 + d(0, x) * d(2, x),
    ),
    "a pullback called twice": (
        ug.grad(twice_pulled),
        lambda x: d(1, x) + (x + 2) * d(2, x),
    ),
    "a direction that is differentiated": (
        lambda x: ug.grad(lambda v: pushed(f, x, v * v))(x), lambda x: 2 * x * d(1, x),
    ),
    "a cotangent that is differentiated": (
        lambda x: pushed(lambda g: pulled(f, x, g * g), x), lambda x: 2 * x * d(1, x),
    ),
    "stopped inside": (
        ug.grad(lambda y: y * ug.stop_gradient(ug.grad(f)(y))), lambda x: d(1, x),
    ),
}  # fmt: skip


def everything(x: Any) -> dict[str, Any]:
    return {name: case(x) for name, (case, _) in CASES.items()}


@pytest.mark.parametrize(
    ("target", "autodiff"),
    [
        pytest.param(*one.values, id=one.id, marks=[*one.marks, *([pytest.mark.slow] * slow)])
        for one in targets.ways(targets.TARGETS)
        for slow in [one.values[0] == "torch:compile"]
    ],
)
def test_every_nesting_is_the_derivative_worked_out_by_hand(target: str, autodiff: Any) -> None:
    x = 0.7
    with ug.use(target, autodiff=autodiff):
        found = ug.function(everything)(x)
    wrong = {
        name: (float(found[name]), wanted(x))
        for name, (_, wanted) in CASES.items()
        if not np.isclose(found[name], wanted(x), rtol=1e-12, atol=0)
    }
    assert not wrong


@pytest.mark.parametrize(("target", "autodiff"), targets.ways(targets.EAGER))
def test_a_vector_has_the_hessian_products_of_its_hessian(target: str, autodiff: Any) -> None:
    x, v = np.array([0.3, -0.8, 1.2]), np.array([1.0, 2.0, -1.0])

    def g(x: Any) -> Any:
        return ug.sum(ug.exp(x[:2] * x[1:])) * ug.prod(x)

    def products(x: Any, v: Any) -> tuple[Any, ...]:
        return (
            ug.jvp(ug.grad(g), (x,), (v,))[1],
            ug.grad(lambda x: ug.jvp(g, (x,), (v,))[1])(x),
            ug.grad(lambda x: ug.sum(ug.grad(g)(x) * v))(x),
            ug.vjp(ug.grad(g), x)[1](v)[0],
        )

    with ug.use("numpy"):
        step = 1e-5
        wanted = (ug.grad(g)(x + step * v) - ug.grad(g)(x - step * v)) / (2 * step)
    with ug.use(target, autodiff=autodiff):
        for found in ug.function(products)(x, v):
            np.testing.assert_allclose(found, wanted, rtol=1e-8)


NOT_TORCH_COMPILE = tuple(one for one in targets.TARGETS if one != "torch:compile")
"""It takes a minute for what others compile in seconds."""

RULED: dict[str, Callable[[Any], Any]] = {
    "power": lambda x: ug.sum(x**x),
    "hypot": lambda x: ug.sum(ug.hypot(x, x) * x),
    "xlogy": lambda x: ug.sum(ug.special.xlogy(x, x)),
    "std": ug.std,
    "prod": ug.prod,
    "logsumexp": ug.logsumexp,
    "take of logaddexp": lambda x: ug.sum(ug.take(ug.logaddexp(x, 1.0), INDICES) ** 3),
    "take of tanh": lambda x: ug.sum(ug.take(ug.tanh(x), INDICES) ** 3),
    "concat": lambda x: ug.sum(ug.sin(ug.concat([x, x * 2]))),
}
"""What frameworks differentiate under a rule of ours, or in ways of their own, of a vector."""

INDICES = np.array([0, -1, 0])

ALONG_ITSELF: dict[str, Callable[..., Callable[[Any], Any]]] = {
    "grad of grad": lambda f: ug.grad(lambda x: ug.sum(ug.grad(f)(x))),
    "grad of jvp": lambda f: ug.grad(lambda x: pushed(f, x, x)),
    "jvp of grad": lambda f: lambda x: pushed(ug.grad(f), x, x),
    "vjp of grad": lambda f: lambda x: pulled(ug.grad(f), x, x),
}
"""Second derivatives, most of them along the point itself: one array at two places."""


def along_itself(x: Any) -> dict[str, Any]:
    return {
        f"{way} of {name}": nest(f)(x)
        for way, nest in ALONG_ITSELF.items()
        for name, f in RULED.items()
    }


@pytest.mark.parametrize(
    ("target", "autodiff"),
    targets.ways(NOT_TORCH_COMPILE),
)
def test_second_derivatives_under_our_rules_along_the_point_itself(
    target: str, autodiff: Any
) -> None:
    x = np.array([1.0, 2.0, 3.0])
    with ug.use("numpy"):
        wanted = ug.function(along_itself)(x)
    with ug.use(target, autodiff=autodiff):
        found = ug.function(along_itself)(x)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("target", targets.of(NOT_TORCH_COMPILE))
def test_a_quotients_derivative_neither_overflows_nor_vanishes(target: str) -> None:
    def quotient(x: Any, y: Any) -> Any:
        return x / y

    with ug.use(target):
        gradient = ug.grad(quotient, argnums=1)
        value, (_, by_y) = ug.value_and_grad(quotient, argnums=(0, 1))(1e308, 1.35e154)
        np.testing.assert_allclose(gradient(np.float32(1e-30), np.float32(1e-23)), -1e16, rtol=1e-6)
    np.testing.assert_allclose((value, by_y), (1e308 / 1.35e154, -(1e308 / 1.35e154) / 1.35e154))
