"""``autodiff="native"``: TensorFlow differentiates, in any nesting; the convention still holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from tests.unit.backends.native import DIFFERENTIABLE
from unigrad.ops.spec import OPS
from unigrad.testing import op_scenarios

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unigrad.ops.spec import Op

tf: Any = pytest.importorskip("tensorflow")

SPECIAL = np.array([
    -np.inf, -1e300, -5.5, -3.0, -1.0, -0.5, -1e-310, -0.0, 0.0, 1e-310, 0.1, 0.5, 1.0, 2.0, 3.0,
    800.0, 1e300, np.inf, np.nan,
])  # fmt: skip
FEW = np.array([-np.inf, -3.0, -1.0, -0.5, -0.0, 0.0, 0.1, 0.5, 1.0, 3.0, 5.5, np.inf, np.nan])

COMPILED = ("tensorflow:graph", "tensorflow:xla")
TARGETS = ("tensorflow:eager", *COMPILED)


def agree(got: Any, want: Any, told: str = "") -> None:
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-299, equal_nan=True, err_msg=told)


# -- the convention --------------------------------------------------------------------------------


def points(op: Op[...]) -> list[Any]:
    """Every combination of special points."""
    count = len(op.operands)
    values = SPECIAL if count == 1 else FEW[:: 1 if count == 2 else 2]
    arrays = [axis.ravel() for axis in np.meshgrid(*[values] * count)]
    return [array > 0 for array in arrays] if op.name.startswith("logical") else arrays


def first_derivatives(op: Op[...], xs: Sequence[Any]) -> list[Any]:
    """In each operand, in reverse and in forward mode."""
    found = []
    for position, x in enumerate(xs):

        def alone(x: Any, position: int = position) -> Any:
            return op(*xs[:position], x, *xs[position + 1 :])

        value, pullback = ug.vjp(alone, x)
        found.append(pullback(ug.ones_like(value))[0])
        found.append(ug.jvp(alone, (x,), (ug.ones_like(x),))[1])
    return found


def together(ops: Sequence[Op[...]]) -> Callable[..., Any]:
    def everything(groups: Any) -> Any:
        return [first_derivatives(op, xs) for op, xs in zip(ops, groups, strict=True)]

    return ug.function(everything)


def chunks(ops: list[Op[...]], size: int) -> list[list[Op[...]]]:
    return [ops[start : start + size] for start in range(0, len(ops), size)]


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)
def test_native_derivatives_keep_the_convention_at_every_special_point(op: Op[...]) -> None:
    function, groups = together([op]), [points(op)]
    with ug.use("tensorflow:eager", autodiff="graph"):
        want = function(groups)
    with ug.use("tensorflow:eager", autodiff="native"):
        got = function(groups)
    for ours, theirs in zip(got[0], want[0], strict=True):
        agree(ours, theirs, op.name)


@pytest.mark.parametrize("autodiff", ["graph", "native"])
@pytest.mark.parametrize("target", COMPILED)
@pytest.mark.parametrize("ops", chunks(DIFFERENTIABLE, 15), ids=lambda ops: f"from {ops[0].name}")
def test_so_do_they_when_compiled(ops: list[Op[...]], target: str, autodiff: Any) -> None:
    function, groups = together(ops), [points(op) for op in ops]
    with ug.use("tensorflow:eager", autodiff="graph"):
        want = function(groups)
    with ug.use(target, autodiff=autodiff):
        got = function(groups)
    for op, ours, theirs in zip(ops, got, want, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            agree(one, other, op.name)


REDUCTIONS = (
    "sum", "mean", "prod", "max", "min", "var", "std", "logsumexp", "softmax", "log_softmax"
)  # fmt: skip


@pytest.mark.parametrize("autodiff", ["graph", "native"])
@pytest.mark.parametrize("target", TARGETS)
def test_reductions_and_their_derivatives_keep_the_convention(target: str, autodiff: Any) -> None:
    values = (-np.inf, -1.0, -0.0, 0.0, 2.0, np.inf, np.nan)
    rows = np.stack([axis.ravel() for axis in np.meshgrid(values, values, values)], axis=1)

    def everything(x: Any) -> dict[str, Any]:
        found = {}
        for name in REDUCTIONS:
            value, pullback = ug.vjp(lambda x, name=name: OPS[name](x, axis=1), x)
            found[name] = value, pullback(ug.ones_like(value))[0]
        return found

    with ug.use("numpy"):
        want = ug.function(everything)(rows)
    with ug.use(target, autodiff=autodiff):
        got = ug.function(everything)(rows)
    for name in REDUCTIONS:
        for ours, theirs in zip(got[name], want[name], strict=True):
            np.testing.assert_allclose(
                ours, theirs, rtol=1e-9, atol=1e-14, equal_nan=True, err_msg=name
            )


@pytest.mark.parametrize("autodiff", ["graph", "native"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_matrix_that_fails_has_the_derivative_nan_and_the_rest_is_right(
    target: str, autodiff: Any
) -> None:
    good, singular = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[0.0, 0.0], [0.0, -1.0]])
    stack, right, ones = np.stack([good, singular]), np.ones((2, 1)), np.ones((2, 2, 2))
    for function in (
        ug.linalg.cholesky,
        lambda a: ug.linalg.solve(a, right),
        lambda a: ug.linalg.solve_triangular(a, right, lower=True),
    ):
        with ug.use("numpy"):
            _, alone = ug.jvp(function, (good,), (ones[0],))
        with ug.use(target, autodiff=autodiff):
            value, pullback = ug.vjp(function, stack)
            (pulled,) = pullback(np.ones_like(value))
            _, pushed = ug.jvp(function, (stack,), (ones,))
        agree(pushed[0], alone)
        assert np.isfinite(value[0]).all()
        assert np.isfinite(pulled[0]).all()
        assert np.isnan(value[1]).all()
        assert np.isnan(pulled[1]).any()
        assert np.isnan(pushed[1]).any()


def test_powers_of_zero_have_all_their_derivatives() -> None:
    def derivatives(x: Any) -> Any:
        found, function = [], lambda x: x**3
        for _ in range(5):
            function = ug.grad(function)
            found.append(function(x))
        return tuple(found)

    with ug.use("tensorflow", autodiff="native"):
        assert [float(one) for one in ug.function(derivatives)(0.0)] == [0.0, 0.0, 6.0, 0.0, 0.0]


def test_the_convention_of_the_framework_is_its_own() -> None:
    at = np.array([0.2, 0.5])
    with ug.use("tensorflow", autodiff="native"):
        for conventions, slopes in (("unigrad", [0.5, 1.0]), ("framework", [1.0, 1.0])):
            gradient = ug.grad(lambda x: ug.sum(ug.maximum(x, 0.2)), conventions=conventions)  # type: ignore[arg-type]
            np.testing.assert_array_equal(gradient(at), slopes)
            assert ("tf.where" in gradient.source(None, at)) == (conventions == "unigrad")


def test_forward_mode_is_that_of_the_framework_where_its_convention_is_asked_for() -> None:
    def slope(x: Any) -> Any:
        return ug.jvp(lambda x: 2 * x, (x,), (ug.ones_like(x),))[1]

    with ug.use("tensorflow:eager", autodiff="native"):
        ours = ug.function(slope)
        theirs = ug.function(conventions="framework")(slope)
        assert (ours(np.inf), theirs(1.0)) == (2.0, 2.0)
        assert np.isnan(theirs(np.inf))  # it multiplies the tangent of the number 2 by x, too
        assert "ForwardAccumulator" in theirs.source(None, 1.0)
        assert "ForwardAccumulator" not in ours.source(None, 1.0)


# -- results that depend on nothing ----------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_results_that_do_not_depend_on_the_input_have_zero_derivatives(target: str) -> None:
    def mixed(x: Any, y: Any) -> Any:
        del y
        return x * 2, ug.floor(x), x > 0, ug.ones_like(x)

    x = np.array([0.5, 1.5])
    with ug.use(target, autodiff="native"):
        values, tangents = ug.function(lambda x, y: ug.jvp(mixed, (x, y), (x, y)))(x, x)
        gradients = ug.grad(lambda x, y: ug.sum(ug.floor(x)), argnums=(0, 1))(x, x)
    assert [one.dtype.name for one in values] == ["float64", "float64", "bool", "float64"]
    nothing = [0.0, 0.0]
    assert [one.tolist() for one in tangents] == [[1.0, 3.0], nothing, [False, False], nothing]
    assert [one.tolist() for one in gradients] == [[0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("target", TARGETS)
def test_gathered_rows_have_gradients_as_arrays_to_second_order(target: str) -> None:
    places = np.array([0, 2, 2, 1])

    def gathered(table: Any) -> Any:
        return ug.sum(ug.sin(ug.take(table, places, axis=0)) * table)

    def twice(table: Any) -> Any:
        first = ug.grad(gathered)
        return first(table), ug.jvp(first, (table,), (table * table,))[1]

    table = np.random.default_rng(0).normal(size=(4, 3))
    with ug.use("numpy"):
        want = ug.function(twice)(table)
    with ug.use(target, autodiff="native"):
        got = ug.function(twice)(table)
    for ours, theirs in zip(got, want, strict=True):
        agree(ours, theirs)


@pytest.mark.parametrize("target", TARGETS)
def test_a_dead_branch_contributes_nothing_to_second_order(target: str) -> None:
    def guarded(x: Any) -> Any:
        return ug.sum(ug.where(x > 0, ug.sqrt(x) * ug.log(x), 0.0) * x)

    def twice(x: Any) -> Any:
        first = ug.grad(guarded)
        return first(x), ug.jvp(first, (x,), (x,))[1], ug.grad(lambda x: ug.sum(first(x) * x))(x)

    x = np.array([-1.0, 0.0, 2.0])
    with ug.use(target):  # a promise of graph mode
        results = ug.function(twice)(x)
    for result in results:
        assert result[:2].tolist() == [0.0, 0.0]
        assert np.isfinite(result).all()


# -- what is written -------------------------------------------------------------------------------


def test_every_op_that_has_a_row_in_torch_is_run_here() -> None:
    """No op is without a scenario that runs on TensorFlow's table."""
    from unigrad.backend import registry

    torch, ours = (registry.found(name).dialect.templates for name in ("torch", "tensorflow"))
    missing = {op for op in torch if op not in ours}
    assert not [op.name for op in missing]
    assert all(op.name in ("vjp", "jvp", "get") or any(op_scenarios(op)) for op in ours)
