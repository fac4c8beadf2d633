"""What a ``where`` does not select contributes exactly 0, to every order, singular or not.

The cotangent of a ``where`` stays a selection through elementwise ops, broadcasts, sums and moves.
The user's own products are left alone: a NaN that is the user's is not hidden.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import unigrad as ug
from tests.unit.transforms.graphs import count, graph_of, optimised
from unigrad.ops.cotangents import support
from unigrad.ops.elementwise import where
from unigrad.ops.reduction import sum_
from unigrad.ops.shape import broadcast_to

# What lies at and below 0 is dead: every function is 0 there, or what the comment says.
POINTS = np.array([-1.0, 0.0, 0.5, 2.0])
ALIVE = POINTS > 0


def selected(function: Any) -> Any:
    return lambda x: ug.where(x > 0, function(x), 0.0)


def nested(x: Any) -> Any:
    return ug.where(x > 0, ug.where(x > 1, ug.log(x - 1), ug.sqrt(x) * ug.sqrt(1 - x)), 0.0)


def two_paths(x: Any) -> Any:
    root = ug.sqrt(x)
    return ug.where(x > 0, ug.log(x) * root + root / x, 0.0)


def two_masks(x: Any) -> Any:
    root = ug.sqrt(x)
    return ug.where(x > 0, root, 0.0) + ug.where(x > 1, ug.log(x) * root, 0.0)


def both_branches(x: Any) -> Any:
    # below 0 it is sqrt(-x), which counts as dead here by its own selection
    root = ug.sqrt(ug.abs(x))
    return ug.where(x > 0, root * ug.log(x), ug.where(x > 1, root / x, 0.0))


def outside(x: Any) -> Any:
    return 3.0 * ug.where(x > 0, ug.sqrt(x), 0.0) * x


def negated(x: Any) -> Any:
    return -ug.where(x <= 0, 0.0, -2.5 * ug.log(x))


def as_a_factor(x: Any) -> Any:
    return ug.where(x > 0, ug.log(x), 0.0) * ug.where(x > 0, ug.sqrt(x), 0.0)


def powers(x: Any) -> Any:
    return ug.where(x > 0, x**-0.5 + x**1.5, 0.0)


def gamma(x: Any) -> Any:
    return ug.where(x > 0, ug.special.gammaln(x) * ug.special.xlogy(x, x), 0.0)


def kinks(x: Any) -> Any:
    return ug.where(x > 0, ug.nn.relu(ug.log(x)) + ug.maximum(ug.sqrt(x), 1.0), 0.0)


CASES = [
    pytest.param(selected(ug.sqrt), id="sqrt"),
    pytest.param(selected(lambda x: ug.log(x) * ug.sin(x)), id="log*sin"),
    pytest.param(selected(lambda x: ug.sin(x) / x), id="sin(x)/x"),
    pytest.param(selected(lambda x: x * ug.log(x)), id="x*log(x)"),
    pytest.param(selected(lambda x: ug.exp(-1 / x)), id="exp(-1/x)"),
    pytest.param(selected(lambda x: ug.rsqrt(x) * ug.log2(x)), id="rsqrt*log2"),
    pytest.param(selected(lambda x: ug.acosh(1 + x) / ug.cbrt(x)), id="acosh/cbrt"),
    *(
        pytest.param(function, id=function.__name__)
        for function in (
            nested, two_paths, two_masks, both_branches, outside, negated, as_a_factor, powers,
            gamma, kinks,
        )
    ),
]  # fmt: skip


def derivatives(function: Any, x: Any, weights: Any) -> dict[str, Any]:
    """All first and second derivatives of the weighted sum."""

    def total(x: Any) -> Any:
        return ug.sum(function(x) * weights)

    gradient = ug.grad(total)
    along = np.array([1.0, -2.0, 0.5, 3.0])
    return {
        "reverse": gradient(x),
        "forward": ug.jvp(function, (x,), (along,))[1],
        "reverse over reverse": ug.grad(lambda x: ug.sum(gradient(x) * along))(x),
        "forward over reverse": ug.jvp(gradient, (x,), (along,))[1],
        "reverse over forward": ug.grad(lambda x: ug.jvp(total, (x,), (along,))[1])(x),
        "forward over forward": ug.jvp(
            lambda x: ug.jvp(function, (x,), (along,))[1], (x,), (along,)
        )[1],
    }


@pytest.mark.parametrize("function", CASES)
def test_the_dead_branch_contributes_exactly_zero(function: Any) -> None:
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    everywhere = derivatives(function, POINTS, weights)
    # Where it is alive, nothing else than without the dead points.
    alive = {
        name: derivatives(function, np.where(ALIVE, POINTS, 0.7), weights)[name]
        for name in everywhere
    }
    for name, found in everywhere.items():
        np.testing.assert_array_equal(found[~ALIVE], 0.0, err_msg=name)
        np.testing.assert_allclose(found[ALIVE], alive[name][ALIVE], rtol=1e-13, err_msg=name)
        assert np.isfinite(found).all(), name


@pytest.mark.parametrize("function", CASES)
def test_third_derivatives_too(function: Any) -> None:
    third = ug.grad(
        lambda x: ug.sum(ug.grad(lambda x: ug.sum(ug.grad(lambda x: ug.sum(function(x)))(x)))(x))
    )
    np.testing.assert_array_equal(third(POINTS)[~ALIVE], 0.0)
    assert np.isfinite(third(POINTS)).all()


DEAD = np.zeros(4, bool)


@pytest.mark.parametrize("s", [-1.0, 0.0])
@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda s, dead: ug.where(dead, ug.sqrt(s) * ug.log(s), 0.0), id="a scalar"),
        pytest.param(
            lambda s, dead: ug.where(dead, ug.sum(ug.sqrt(s) * ug.ones(3)), 0.0), id="a sum"
        ),
        pytest.param(
            lambda s, dead: ug.where(dead, ug.mean(ug.log(s) * ug.ones(3)), 0.0), id="a mean"
        ),
        pytest.param(
            lambda s, dead: ug.where(
                dead,
                ug.flip(ug.reshape(ug.stack([ug.log(s), ug.sqrt(s)]), (2, 1)).T)[0, ::-1][1],
                0.0,
            ),
            id="moves",
        ),
        pytest.param(
            lambda s, dead: ug.where(
                dead, ug.concat([ug.expand_dims(ug.log(s)), ug.ones(4)])[:4], 0.0
            ),
            id="a concatenation",
        ),
        pytest.param(
            lambda s, dead: ug.where(dead[:, None], ug.sqrt(s) * ug.ones((4, 3)), 0.0),
            id="along one axis",
        ),
        pytest.param(
            lambda s, dead: ug.where(dead, ug.sqrt(s * ug.ones(4))[np.array([0, 0, 1, 3])], 0.0),
            id="a gather",
        ),
        pytest.param(
            lambda s, dead: ug.sum(
                ug.where(dead[0], ug.sqrt(s) * ug.ones(3), 0.0)[np.array([2, 0])]
            ),
            id="a selection that is gathered",
        ),
        pytest.param(
            lambda s, dead: ug.where(
                dead, ug.astype(ug.astype(ug.log(s), "float32"), "float64"), 2.0 * s
            ),
            id="a cast",
        ),
    ],
)
def test_the_selection_goes_through_what_moves_and_adds(function: Any, s: float) -> None:
    def total(s: Any, dead: Any) -> Any:
        return ug.sum(function(s, dead))

    slope = ug.grad(total)
    live = 8.0 if ug.function(total)(1.0, DEAD) else 0.0  # what the other branch has
    assert slope(s, DEAD) == live
    assert ug.grad(slope)(s, DEAD) == 0
    assert ug.jvp(slope, (s, DEAD), (1.0, DEAD))[1] == 0


def test_a_scalar_shared_by_live_and_dead_elements() -> None:
    # x decides which elements are alive; s / x is singular at the dead one.
    def function(s: Any, x: Any) -> Any:
        return ug.sum(ug.where(x != 0, ug.log(s) / x, 0.0))

    x = np.array([0.0, 2.0, 4.0])
    assert ug.grad(function)(2.0, x) == 0.5 * (0.5 + 0.25)
    np.testing.assert_array_equal(
        ug.grad(function, argnums=1)(2.0, x), np.array([0, -np.log(2) / 4, -np.log(2) / 16])
    )
    assert np.isfinite(ug.grad(lambda s: ug.sum(ug.grad(function, argnums=1)(s, x)))(2.0))


@pytest.mark.parametrize(
    ("function", "where_nan"),
    [
        (lambda x: ug.where(x > 0, 1.0, 0.0) * ug.sqrt(x), [True, True, False, False]),
        (lambda x: ug.astype(x > 0, "float64") * ug.log(x), [False, True, False, False]),
        (lambda x: ug.sqrt(x * ug.abs(x)), [True, True, False, False]),
        (lambda x: ug.where(x > 0, x, x) * 0.0 * ug.sqrt(x), [True, True, False, False]),
    ],
    ids=["times a mask", "times a cast", "sqrt(x*abs(x))", "times zero"],
)
def test_a_nan_of_the_users_own_product_is_not_hidden(function: Any, where_nan: list[bool]) -> None:
    gradient = ug.grad(lambda x: ug.sum(function(x)))(POINTS)
    np.testing.assert_array_equal(np.isnan(gradient), where_nan)


def test_the_rule_is_free_in_the_common_case() -> None:
    def loss(x: Any) -> Any:
        return ug.sum(ug.where(x > 0, ug.sqrt(x), 0.0))

    assert count(optimised(ug.grad(loss), "float64[4]")) <= 6
    second = ug.grad(lambda x: ug.sum(ug.grad(loss)(x)))
    assert count(optimised(second, "float64[4]")) <= 11


# -- supports ------------------------------------------------------------------------------------


def _support(build: Any) -> Any:
    kept: list[Any] = []

    def function(c: Any, d: Any, g: Any) -> Any:
        node = build(c, d, g)
        kept.append((support(node), c, d))
        return node

    graph_of(function, "bool[3]", "bool[3]", "float64[3]")
    return kept[0]


def test_the_support_of_a_selection_is_its_condition() -> None:
    found, c, _ = _support(lambda c, d, g: where(c, g, 0))
    assert found is c


def test_the_support_of_a_sum_of_selections_is_their_union() -> None:
    found, c, d = _support(lambda c, d, g: where(c, g, 0) + where(d, g, 0))
    assert found.op.name == "logical_or"
    assert set(found.operands) == {c, d}


def test_a_selection_in_a_selection_has_the_support_of_both() -> None:
    found, c, d = _support(lambda c, d, g: where(c, where(d, g, 0), 0))
    assert found.op.name == "logical_and"
    assert set(found.operands) == {c, d}


@pytest.mark.parametrize(
    "build",
    [
        lambda c, d, g: g,
        lambda c, d, g: where(c, g, 0) + g,
        lambda c, d, g: where(c, g, g),
        lambda c, d, g: where(c, g, 0) * g,
        lambda c, d, g: g / where(c, g, 0),
    ],
    ids=["an input", "a sum", "both branches", "a product", "a denominator"],
)
def test_what_may_differ_from_zero_anywhere_has_no_support(build: Any) -> None:
    assert _support(build)[0] is None


@pytest.mark.parametrize(
    "build",
    [
        lambda c, d, g: -where(c, g, 0),
        lambda c, d, g: where(c, g, 0) * 2.0,
        lambda c, d, g: where(c, g, 0) / g,
        lambda c, d, g: broadcast_to(where(c, g, 0), (2, 3)),
    ],
    ids=["negated", "times a number", "divided", "repeated"],
)
def test_scaling_and_repeating_keep_the_support(build: Any) -> None:
    found, c, _ = _support(build)
    assert found is c


def test_a_long_chain_of_sums_is_walked_without_recursion() -> None:
    def chain(c: Any, d: Any, g: Any) -> Any:
        total = where(c, g, 0)
        for number in range(20_000):
            total = total + where(d, g, 0) if number % 2 else -total
        return sum_(total)

    found, _, _ = _support(chain)
    assert found.op.name == "any"
