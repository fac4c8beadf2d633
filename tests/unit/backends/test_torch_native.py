"""``autodiff="native"`` in PyTorch alone: what is written, and ``torch.compile``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import unigrad as ug
from tests.unit.backends.native import NESTINGS, SPECIAL, agree
from unigrad.ops.spec import OPS
from unigrad.testing import bundle, model_scenarios, op_scenarios

torch = pytest.importorskip("torch")


def test_the_convention_of_the_framework_is_its_own() -> None:
    at = np.array([np.nan, 0.0])
    with ug.use("torch", autodiff="native"):
        for conventions, slopes in (("unigrad", [0.0, 0.0]), ("framework", [1.0, 0.0])):
            gradient = ug.grad(lambda x: ug.sum(ug.nn.relu(x)), conventions=conventions)  # type: ignore[arg-type]
            np.testing.assert_array_equal(gradient(at), slopes)
            assert ("torch.where" in gradient.source(None, at)) == (conventions == "unigrad")


# -- what is written -------------------------------------------------------------------------------


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
