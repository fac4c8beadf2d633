"""``autodiff="native"``: a framework differentiates by itself, and the convention still holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from tests import targets
from tests.unit.backends.native import (
    DIFFERENTIABLE,
    FEW,
    KINKED,
    NESTINGS,
    REDUCTIONS,
    SPECIAL,
    agree,
)
from unigrad.ops.spec import OPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from unigrad.ops.spec import Op

pytestmark = pytest.mark.usefixtures("target")


@pytest.fixture(params=targets.of(("torch:eager", "jax:jit")))
def target(request: pytest.FixtureRequest) -> Iterator[str]:
    """A framework, which runs and differentiates what the test calls."""
    with ug.use(request.param, autodiff="native"):
        yield request.param


def by_our_rules(function: Callable[..., Any], *args: Any) -> Any:
    with ug.use("numpy", autodiff="graph"):
        return ug.function(function)(*args)


def held(values: np.ndarray[Any, Any], target: str) -> np.ndarray[Any, Any]:
    """The values that a framework tells from 0: XLA flushes subnormal numbers."""
    return values[(values == 0) | ~(abs(values) < 1e-307)] if target.startswith("jax") else values


# -- nesting ---------------------------------------------------------------------------------------


def test_nested_derivatives_are_those_of_our_own_rules() -> None:
    def nested(x: Any) -> Any:
        return {name: one(x) for name, one in NESTINGS.items()}

    got, want = ug.function(nested)(0.7), by_our_rules(nested, 0.7)
    for name in NESTINGS:
        agree(got[name], want[name], name)


def test_the_two_classic_confusions() -> None:
    assert ug.grad(lambda x: x * ug.grad(lambda y: x * y)(x))(0.7) == 1.4
    assert ug.grad(lambda x: x * ug.grad(lambda y: x + y)(x))(0.7) == 1.0


def energy(v: Any) -> Any:
    return ug.sum(ug.sin(v) * v[::-1] * ug.logsumexp(v))


def test_a_hessian_times_a_vector_in_three_ways() -> None:
    v, direction = np.array([0.1, -0.4, 1.3, 0.7]), np.array([1.0, 2.0, -1.0, 0.5])

    def forward_over_reverse(v: Any, d: Any) -> Any:
        return ug.jvp(ug.grad(energy), (v,), (d,))[1]

    def reverse_over_reverse(v: Any, d: Any) -> Any:
        return ug.grad(lambda u: ug.sum(ug.grad(energy)(u) * d))(v)

    def reverse_over_forward(v: Any, d: Any) -> Any:
        return ug.grad(lambda u: ug.jvp(energy, (u,), (d,))[1])(v)

    want = by_our_rules(forward_over_reverse, v, direction)
    for way in (forward_over_reverse, reverse_over_reverse, reverse_over_forward):
        agree(ug.function(way)(v, direction), want, way.__name__)


def test_an_array_from_around_is_known_two_derivatives_deep() -> None:
    exponents = np.arange(4.0)
    inner = ug.grad(lambda x: ug.sum(x**exponents))
    weighed = ug.grad(lambda x: ug.sum(inner(x) * exponents))
    np.testing.assert_array_equal(weighed(np.full(4, 2.0)), [0.0, 0.0, 4.0, 36.0])


def test_results_that_do_not_depend_on_the_input_have_zero_derivatives() -> None:
    def mixed(x: Any, y: Any) -> Any:
        del y
        return x * 2, ug.floor(x), x > 0, ug.ones_like(x)

    x = np.array([0.5, 1.5])
    values, tangents = ug.function(lambda x, y: ug.jvp(mixed, (x, y), (x, y)))(x, x)
    gradients = ug.grad(lambda x, y: ug.sum(ug.floor(x)), argnums=(0, 1))(x, x)
    assert [one.dtype.name for one in values] == ["float64", "float64", "bool", "float64"]
    nothing = [0.0, 0.0]
    assert [one.tolist() for one in tangents] == [[1.0, 3.0], nothing, [False, False], nothing]
    assert [one.tolist() for one in gradients] == [[0.0, 0.0], [0.0, 0.0]]


def test_integers_pass_through_and_have_no_derivative() -> None:
    def counted(x: Any, n: Any) -> Any:
        return ug.sum(x * n), n + 1

    x, n = np.array([0.5, 1.5]), np.array([2, 3])
    values, tangents = ug.function(lambda x, n: ug.jvp(counted, (x, n), (x, n)))(x, n)
    assert (values[0], values[1].tolist()) == (5.5, [3, 4])
    assert (tangents[0], tangents[1].tolist(), tangents[1].dtype) == (5.5, [0, 0], np.int64)
    value, pull = ug.vjp(lambda x: counted(x, n), x)
    assert value[1].tolist() == [3, 4]
    assert pull((2.0, n))[0].tolist() == [4.0, 6.0]
    assert ug.grad(lambda x, n: counted(x, n)[0])(x, n).tolist() == [2.0, 3.0]


def test_nothing_is_differentiated_where_nothing_floats() -> None:
    def rounded(x: Any) -> Any:
        return ug.astype(x, "int64"), x > 0

    x = np.array([0.5, 1.5])
    values, pull = ug.vjp(rounded, x)
    assert [one.tolist() for one in values] == [[0, 1], [True, True]]
    assert pull(values)[0].tolist() == [0.0, 0.0]
    _, tangents = ug.function(lambda x: ug.jvp(rounded, (x,), (x,)))(x)
    assert [one.dtype for one in tangents] == [np.int64, np.bool_]


# -- the convention --------------------------------------------------------------------------------


def both_ways(function: Callable[[Any], Any], x: Any) -> tuple[Any, ...]:
    """The first derivative of an elementwise function in reverse and in forward mode."""
    value, pull = ug.vjp(function, x)
    ones = ug.ones_like(value)
    return pull(ones)[0], ug.jvp(function, (x,), (ug.ones_like(x),))[1]


def second_ways(function: Callable[[Any], Any], x: Any) -> tuple[Any, ...]:
    """The second derivative of an elementwise function in each order of the modes."""
    return tuple(
        one
        for way in (0, 1)
        for one in both_ways(lambda x, way=way: both_ways(function, x)[way], x)
    )


def told_apart(names: Any, got: Any, want: Any) -> None:
    complaints: list[str] = []
    for name, ours, theirs in zip(names, got, want, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            try:
                agree(one, other, name)
            except AssertionError as error:
                complaints.append(str(error))
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)
def test_a_derivative_keeps_the_convention_at_every_special_point(op: Op[...], target: str) -> None:
    count = len(op.operands)
    values = held(SPECIAL, target) if count == 1 else FEW[:: 1 if count == 2 else 2]
    arrays: list[Any] = [axis.ravel() for axis in np.meshgrid(*[values] * count)]
    if op.name.startswith("logical"):
        arrays = [array > 0 for array in arrays]

    def derivatives(*xs: Any) -> Any:
        return tuple(
            both_ways(lambda x, i=i: op(*xs[:i], x, *xs[i + 1 :]), xs[i]) for i in range(count)
        )

    told_apart(op.operands, ug.function(derivatives)(*arrays), by_our_rules(derivatives, *arrays))


@pytest.mark.parametrize(
    "op",
    [op for op in DIFFERENTIABLE if len(op.operands) == 2 and not op.name.startswith("logical")],
    ids=lambda op: op.name,
)
def test_it_does_so_where_one_operand_is_a_number(op: Op[...]) -> None:
    """Rows may take a number as it is, and may leave out what a known number makes needless."""
    cases: dict[str, Callable[[Any], Any]] = {}
    for number in (-2.0, 0.0, 0.5, 2.0, np.inf, np.nan):
        cases[f"{op.name}(x, {number})"] = lambda x, c=number: op(x, c)
        cases[f"{op.name}({number}, x)"] = lambda x, c=number: op(c, x)

    def derivatives(x: Any) -> Any:
        return tuple(both_ways(case, x) for case in cases.values())

    # Beside numbers as small and as large a quotient overflows, and each framework its own way:
    # XLA writes inf / x / x as inf / (x * x).
    x = SPECIAL[(abs(SPECIAL) != 1e300) & (abs(SPECIAL) != 1e-310)]
    told_apart(cases, ug.function(derivatives)(x), by_our_rules(derivatives, x))


def test_one_operand_may_be_stretched_and_differentiated_alone() -> None:
    """What a rule multiplies by may have fewer axes than the result, or none."""
    x, y = np.array([[0.3], [1.2], [-0.7]]), np.array([0.5, 1.5])
    chosen = [
        op for op in DIFFERENTIABLE
        if len(op.operands) == 2 and not op.name.startswith("logical")
    ]  # fmt: skip

    def derivatives(x: Any, y: Any) -> Any:
        return tuple(
            both_ways(one, at)
            for op in chosen
            for one, at in (
                (lambda x, op=op: op(x, y), x),
                (lambda y, op=op: op(x, y), y),
                (lambda x, op=op: op(x, 1.5 + ug.sum(x)), x),
            )
        )

    names = [f"{op.name}, {position}" for op in chosen for position in range(3)]
    told_apart(names, ug.function(derivatives)(x, y), by_our_rules(derivatives, x, y))


def test_second_derivatives_keep_it_at_kinks(target: str) -> None:
    cases: dict[str, Callable[[Any], Any]] = {}
    for name in KINKED:
        op: Any = OPS[name]
        cases |= (
            {name: op}
            if len(op.operands) == 1
            else {f"{name}(x, {c})": lambda x, op=op, c=c: op(x, c) for c in (0.0, 1.0, np.nan)}
        )

    def derivatives(x: Any) -> Any:
        return tuple(second_ways(case, x) for case in cases.values())

    x = held(SPECIAL[~np.isnan(SPECIAL)], target)
    told_apart(cases, ug.function(derivatives)(x), by_our_rules(derivatives, x))


@pytest.mark.parametrize("name", REDUCTIONS)
def test_derivatives_of_reductions_keep_the_convention(name: str) -> None:
    op = OPS[name]
    values = (-np.inf, -1.0, 0.0, 2.0, np.inf, np.nan)
    rows = np.stack([axis.ravel() for axis in np.meshgrid(values, values, values)], axis=1)

    def derivatives(x: Any) -> Any:
        value, pullback = ug.vjp(lambda x: op(x, axis=1), x)
        pushed = ug.jvp(lambda x: op(x, axis=1), (x,), (ug.ones_like(x),))[1]
        return pullback(ug.ones_like(value))[0], pushed

    for got, want in zip(
        ug.function(derivatives)(rows), by_our_rules(derivatives, rows), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-14, equal_nan=True)
