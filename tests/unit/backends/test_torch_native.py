"""``autodiff="native"``: PyTorch differentiates, in any nesting, and the convention still holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from unigrad.ops.spec import OPS
from unigrad.testing import bundle, model_scenarios, op_scenarios

if TYPE_CHECKING:
    from collections.abc import Callable

    from unigrad.ops.spec import Op

torch = pytest.importorskip("torch")

SPECIAL = np.array([
    -np.inf, -1e300, -5.5, -3.0, -1.0, -0.5, -1e-310, -0.0, 0.0, 1e-310, 0.1, 0.5, 1.0, 2.0, 3.0,
    800.0, 1e300, np.inf, np.nan,
])  # fmt: skip
FEW = np.array([-np.inf, -3.0, -1.0, -0.5, -0.0, 0.0, 0.1, 0.5, 1.0, 3.0, 5.5, np.inf, np.nan])


def agree(got: Any, want: Any, told: str = "") -> None:
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-300, equal_nan=True, err_msg=told)


# -- nesting ---------------------------------------------------------------------------------------


def smooth(x: Any) -> Any:
    return ug.sin(x) * ug.exp(x * x)


def kinked(x: Any) -> Any:
    """Every kind of repair is in it: other rows, and our rules around native ops."""
    length = ug.hypot(x, x * x + 1) * ug.logsumexp(ug.stack([x, x * x]))
    return ug.abs(x) ** 3 * ug.maximum(x, 0.2) * length


def push(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x: ug.jvp(f, (x,), (ug.ones_like(x),))[1]


pull = ug.grad

KINDS = (
    (pull, pull), (pull, push), (push, pull), (push, push), (push, push, push), (push, pull, push),
    (pull, push, push), (push, push, pull), (pull, pull, pull),
)  # fmt: skip


def applied(kinds: tuple[Callable[..., Any], ...], function: Callable[..., Any]) -> Any:
    """Derivatives of a function, the last kind innermost."""
    for kind in reversed(kinds):
        function = kind(function)
    return function


NESTINGS: dict[str, Callable[[Any], Any]] = {
    "x * d/dy (x * y)": pull(lambda x: x * pull(lambda y: x * y)(x)),
    "x * d/dy (x + y)": pull(lambda x: x * pull(lambda y: x + y)(x)),
    "three inside each other": pull(
        lambda x: x * pull(lambda y: x * y * pull(lambda z: x * y * z * z)(y))(x)
    ),
    "three side by side": pull(
        lambda x: pull(lambda y: y * pull(lambda z: ug.sin(x * z) * y)(x))(x * x)
    ),
    "an inner forward one": pull(lambda x: x * push(lambda y: x * y * y)(x)),
    "a forward one around": push(lambda x: x * pull(lambda y: x * y * y)(x)),
    "reverse four times": pull(pull(pull(pull(smooth)))),
    **{
        f"{'-'.join(kind.__name__ for kind in kinds)} of {function.__name__}": applied(
            kinds, function
        )
        for function in (smooth, kinked)
        for kinds in KINDS
    },
}


@pytest.mark.parametrize("name", NESTINGS)
def test_nested_derivatives_are_those_of_our_own_rules(name: str) -> None:
    def nested(x: Any) -> Any:
        return NESTINGS[name](x)

    with ug.use("numpy"):
        want = ug.function(nested)(0.7)
    with ug.use("torch", autodiff="native"):
        got = ug.function(nested)(0.7)
    agree(got, want)


def test_the_two_classic_confusions() -> None:
    with ug.use("torch", autodiff="native"):
        assert ug.grad(lambda x: x * ug.grad(lambda y: x * y)(x))(0.7) == 1.4
        assert ug.grad(lambda x: x * ug.grad(lambda y: x + y)(x))(0.7) == 1.0


def energy(v: Any) -> Any:
    return ug.sum(ug.sin(v) * v[::-1] * ug.logsumexp(v))


def test_a_hessian_times_a_vector_in_three_ways() -> None:
    v, direction = np.array([0.1, -0.4, 1.3, 0.7]), np.array([1.0, 2.0, -1.0, 0.5])
    ways = {
        "forward over reverse": lambda v, d: ug.jvp(ug.grad(energy), (v,), (d,))[1],
        "reverse over reverse": lambda v, d: ug.grad(lambda u: ug.sum(ug.grad(energy)(u) * d))(v),
        "reverse over forward": lambda v, d: ug.grad(lambda u: ug.jvp(energy, (u,), (d,))[1])(v),
    }
    with ug.use("numpy"):
        want = ug.function(ways["forward over reverse"])(v, direction)
    for name, way in ways.items():
        with ug.use("torch", autodiff="native"):
            agree(ug.function(way)(v, direction), want, name)


def test_results_that_do_not_depend_on_the_input_have_zero_derivatives() -> None:
    def mixed(x: Any, y: Any) -> Any:
        del y
        return x * 2, ug.floor(x), x > 0, ug.ones_like(x)

    x = np.array([0.5, 1.5])
    with ug.use("torch", autodiff="native"):
        values, tangents = ug.function(lambda x, y: ug.jvp(mixed, (x, y), (x, y)))(x, x)
        gradients = ug.grad(lambda x, y: ug.sum(ug.floor(x)), argnums=(0, 1))(x, x)
    assert [one.dtype.name for one in values] == ["float64", "float64", "bool", "float64"]
    nothing = [0.0, 0.0]
    assert [one.tolist() for one in tangents] == [[1.0, 3.0], nothing, [False, False], nothing]
    assert [one.tolist() for one in gradients] == [[0.0, 0.0], [0.0, 0.0]]


# -- the convention --------------------------------------------------------------------------------

DIFFERENTIABLE = [
    op
    for op in OPS.values()
    if op.elementwise and op.formulas is not None and not op.params and op.name != "barrier"
]


def first_derivatives(op: Op[...], arrays: list[Any]) -> Any:
    def all_of(*xs: Any) -> Any:
        found = []
        for position in range(len(xs)):
            one = alone(op, xs, position)
            value, pullback = ug.vjp(one, xs[position])
            found.append(pullback(ug.ones_like(value))[0])
            found.append(ug.jvp(one, (xs[position],), (ug.ones_like(xs[position]),))[1])
        return tuple(found)

    return ug.function(all_of)(*arrays)


def alone(op: Op[...], xs: Any, position: int) -> Callable[[Any], Any]:
    return lambda x: op(*xs[:position], x, *xs[position + 1 :])


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)
def test_native_derivatives_keep_the_convention_at_every_special_point(op: Op[...]) -> None:
    count = len(op.operands)
    values = SPECIAL if count == 1 else FEW[:: 1 if count == 2 else 2]
    arrays: list[Any] = [axis.ravel() for axis in np.meshgrid(*[values] * count)]
    if op.name.startswith("logical"):
        arrays = [array > 0 for array in arrays]
    with ug.use("torch", autodiff="graph"):
        want = first_derivatives(op, arrays)
    with ug.use("torch", autodiff="native"):
        got = first_derivatives(op, arrays)
    for ours, theirs in zip(got, want, strict=True):
        agree(ours, theirs, op.name)


REDUCTIONS = (
    "sum", "mean", "prod", "max", "min", "var", "std", "logsumexp", "softmax", "log_softmax"
)  # fmt: skip


@pytest.mark.parametrize("name", REDUCTIONS)
def test_native_derivatives_of_reductions_keep_the_convention(name: str) -> None:
    op = OPS[name]
    values = (-np.inf, -1.0, 0.0, 2.0, np.inf, np.nan)
    rows = np.stack([axis.ravel() for axis in np.meshgrid(values, values, values)], axis=1)

    def pulled(x: Any) -> Any:
        value, pullback = ug.vjp(lambda x: op(x, axis=1), x)
        return pullback(ug.ones_like(value))[0]

    with ug.use("torch", autodiff="graph"):
        want = ug.function(pulled)(rows)
    with ug.use("torch", autodiff="native"):
        got = ug.function(pulled)(rows)
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-14, equal_nan=True)


def test_the_convention_of_the_framework_is_its_own() -> None:
    at = np.array([np.nan, 0.0])
    with ug.use("torch", autodiff="native"):
        for conventions, slopes in (("unigrad", [0.0, 0.0]), ("framework", [1.0, 0.0])):
            gradient = ug.grad(lambda x: ug.sum(ug.nn.relu(x)), conventions=conventions)  # type: ignore[arg-type]
            np.testing.assert_array_equal(gradient(at), slopes)
            assert ("torch.where" in gradient.source(None, at)) == (conventions == "unigrad")


# -- what is written -------------------------------------------------------------------------------


def test_the_function_that_pytorch_differentiates_stands_in_the_file() -> None:
    def loss(W: Any, x: Any) -> Any:
        return ug.sum(ug.tanh(W @ x))

    gradient = ug.value_and_grad(loss, autodiff="native")
    source = gradient.source("torch", "float64[3, 2]", "float64[2]")
    body = source[source.index("def loss(") :]
    assert [line.partition("  #")[0] for line in body.splitlines() if line] == [
        "def loss(W, x):",
        "    return (torch.tanh(torch.mv(W, x)).sum(),)",
        "def loss_value_and_grad(W, x):",
        "    loss_1, W_ct = pull_back(loss, (0,), (0,), W, x, 1.0)",
        "    return loss_1, W_ct",
    ]


def test_a_rule_of_ours_is_written_once_for_every_use_and_shape() -> None:
    def twice(x: Any, y: Any) -> Any:
        return ug.sum(ug.cbrt(x)) + ug.sum(ug.cbrt(y))

    source = ug.grad(twice, autodiff="native").source("torch", "float64[3]", "float64[2, 2]")
    assert source.count("cbrt_1 = differentiated(") + source.count("cbrt_d(") == 2


# -- torch.compile ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch.compile warns of itself
def test_every_op_compiles_and_keeps_its_value() -> None:
    chosen = [next(iter(op_scenarios(op)), None) for op in OPS.values()]
    scenarios = [one for one in chosen if one is not None]
    scenarios += list(model_scenarios())
    together, arguments = bundle(scenarios), [one.args for one in scenarios]

    def values(*groups: Any) -> Any:
        return together(*groups)

    with ug.use("numpy"):
        want = ug.function(values)(*arguments)
    with ug.use("torch:compile"):
        got = ug.function(values)(*arguments)
    for scenario, ours, theirs in zip(scenarios, got, want, strict=True):
        for left, right in zip(ug_leaves(ours), ug_leaves(theirs), strict=True):
            assert left.dtype == right.dtype, scenario.name
            np.testing.assert_allclose(
                np.asarray(left, float), np.asarray(right, float), rtol=1e-6, atol=1e-9,
                err_msg=scenario.name,
            )  # fmt: skip


def ug_leaves(tree: Any) -> list[Any]:
    """The arrays in nested tuples, lists and dicts."""
    if isinstance(tree, dict):
        tree = tuple(tree.values())
    if isinstance(tree, (tuple, list)):
        return [leaf for part in tree for leaf in ug_leaves(part)]
    return [np.asarray(tree)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch.compile warns of itself
def test_native_derivatives_compile_in_every_nesting() -> None:
    names = list(NESTINGS)
    places = np.array([0, 2, 2, 1])

    def gathered(x: Any) -> Any:
        return ug.sum(ug.sin(ug.take(x, places, axis=0)) * x)

    def together(x: Any, table: Any, special: Any) -> Any:
        nested = tuple(NESTINGS[name](x) for name in names)
        second = ug.jvp(ug.grad(gathered), (table,), (table * table,))[1]
        kinks = [ug.grad(lambda x, f=f: ug.sum(f(x)))(special) for f in (ug.abs, ug.nn.relu)]
        return nested, second, tuple(kinks)

    arguments = (0.7, np.random.default_rng(0).normal(size=(4, 3)), SPECIAL)
    with ug.use("numpy"):
        want = ug.function(together)(*arguments)
    with ug.use("torch:compile", autodiff="native"):
        got = ug.function(together)(*arguments)
    for ours, theirs in zip(ug_leaves(got), ug_leaves(want), strict=True):
        agree(ours, theirs)


# -- what fails ------------------------------------------------------------------------------------


@pytest.mark.parametrize("autodiff", ["graph", "native"])
def test_a_matrix_that_fails_has_the_derivative_nan_and_the_rest_is_right(autodiff: str) -> None:
    good, singular = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[0.0, 0.0], [0.0, -1.0]])
    stack, right, ones = np.stack([good, singular]), np.ones((2, 1)), np.ones((2, 2, 2))
    for function in (
        ug.linalg.cholesky,
        lambda a: ug.linalg.solve(a, right),
        lambda a: ug.linalg.solve_triangular(a, right, lower=True),
    ):
        _, alone = ug.jvp(function, (good,), (ones[0],))
        with ug.use("torch:eager", autodiff=autodiff):
            (pulled,) = ug.vjp(function, stack)[1](np.ones_like(function(stack)))
            _, pushed = ug.jvp(function, (stack,), (ones,))
        agree(pushed[0], alone)
        assert np.isfinite(pulled[0]).all()
        assert np.isnan(pulled[1]).any()
        assert np.isnan(pushed[1]).any()
