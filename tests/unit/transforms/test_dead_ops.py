"""Every differentiable op in the branch that a ``where`` does not select, with singular operands.

What an op makes of a cotangent has a support, by its own rule or by the table of ``supports``. An
op that has none would count as touched everywhere: its derivative would be 0 times infinity.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import unigrad as ug
from tests import targets
from unigrad.ops import cotangents, shape, supports
from unigrad.ops.families import ZERO
from unigrad.ops.reduction import sum_
from unigrad.ops.spec import OPS
from unigrad.testing import Scenario, op_scenarios
from unigrad.trace.structure import flatten

#: A dense product touches every element: dead are those of which all that went in is dead.
DENSE = {"matmul", "tensordot", "contract"}


def _is_differentiable(op: Any) -> bool:
    if op.constant or (op.formulas is not None and all(one is ZERO for one in op.formulas)):
        return False
    return op.formulas is not None or op.vjp_rule is not None


def _is_float(leaf: Any) -> bool:
    return np.asarray(leaf).dtype == np.float64


def _scenario(op: Any) -> Scenario | None:
    for scenario in op_scenarios(op):
        leaves = flatten(scenario.args)[0]
        if any(map(_is_float, leaves)) and scenario.order > 1 and scenario.gradient is None:
            return scenario
    return None


OF = {op.name: _scenario(op) for op in list(OPS.values()) if _is_differentiable(op)}


def complaints(scenario: Scenario, *, whole: bool) -> list[str]:
    """The derivatives that are not 0 where nothing is selected."""
    leaves, structure = flatten(scenario.args)
    value = ug.function(scenario.call)(*scenario.args)
    alive = np.zeros(np.shape(value) if whole else (), bool)
    zeros = [np.zeros(np.shape(leaf)) for leaf in leaves if _is_float(leaf)]

    def total(zeros: Any, alive: Any) -> Any:
        given = iter(zeros)
        moved = [leaf + ug.sqrt(next(given)) if _is_float(leaf) else leaf for leaf in leaves]
        return ug.sum(ug.where(alive, scenario.call(*structure.unflatten(moved)), 0))

    def summed(zeros: Any, alive: Any) -> Any:
        return sum(ug.sum(one) for one in ug.grad(total)(zeros, alive))

    def pushed(zeros: Any, alive: Any) -> Any:
        ones = [ug.ones_like(one) for one in zeros]
        return ug.jvp(lambda zeros: total(zeros, alive), (zeros,), (ones,))[1]

    ways = {
        "reverse": ug.grad(total), "forward": pushed, "reverse over reverse": ug.grad(summed),
        "reverse over forward": ug.grad(pushed),
    }  # fmt: skip
    return [
        f"{scenario.name}: {name}"
        for name, way in ways.items()
        if not all(np.all(np.asarray(one) == 0) for one in flatten(way(zeros, alive))[0])
    ]


def test_every_differentiable_op_is_tried() -> None:
    holders = {name for name, scenario in OF.items() if scenario is None}
    assert holders <= {"vjp", "jvp", "get", "reweigh", "astype"}, holders


@pytest.mark.parametrize("name", [name for name, scenario in OF.items() if scenario is not None])
def test_the_dead_op(name: str) -> None:
    scenario = OF[name]
    assert scenario is not None
    found = complaints(scenario, whole=False)
    if name not in DENSE:
        found += complaints(scenario, whole=True)
    assert not found, found


# -- contractions: axes that are not summed --------------------------------------------------------

X = np.array([-1.0, 0.0, 0.5, 2.0])
ALIVE = np.where(X > 0, X, np.inf)  # what has slope 0
MATRIX = np.arange(1.0, 7).reshape(2, 3)


def _columns(x: Any, count: int = 2) -> Any:
    return ug.sqrt(x)[:, None] * np.ones((1, count))


CONTRACTIONS = {
    "i,i->i": (
        lambda x: ug.einsum("i,i->i", ug.sqrt(x), x + 1),
        np.where(X > 0, 1.5 * X + 0.5, 0) * ALIVE**-0.5,
    ),
    "ij,ij->i": (lambda x: ug.einsum("ij,ij->i", _columns(x), ug.ones((4, 2))), ALIVE**-0.5),
    "bi,ij->bj": (lambda x: ug.einsum("bi,ij->bj", _columns(x), MATRIX), 10.5 * ALIVE**-0.5),
    "ij,bi->jb": (lambda x: ug.einsum("ij,bi->jb", MATRIX, _columns(x)).T, 10.5 * ALIVE**-0.5),
    "matmul": (lambda x: _columns(x) @ MATRIX, 10.5 * ALIVE**-0.5),
    "a batch": (lambda x: _columns(x)[:, None] @ MATRIX, 10.5 * ALIVE**-0.5),
    "a vector": (lambda x: _columns(x) @ np.ones(2), ALIVE**-0.5),
    "tensordot": (lambda x: ug.tensordot(_columns(x), MATRIX, 1), 10.5 * ALIVE**-0.5),
    "solve": (lambda x: ug.linalg.solve(2 * np.eye(2), _columns(x)[..., None]), 0.5 * ALIVE**-0.5),
    "solve, one of them": (
        lambda x: ug.linalg.solve(2 * np.eye(2), _columns(x)[..., None])[..., 0], 0.5 * ALIVE**-0.5
    ),
    "cholesky": (
        lambda x: ug.linalg.cholesky(ug.sqrt(x)[:, None, None] * np.eye(2)), 0.5 * ALIVE**-0.75
    ),
}  # fmt: skip


def _selected(name: str) -> Any:
    function = CONTRACTIONS[name][0]

    def total(x: Any) -> Any:
        value = function(x)
        return ug.sum(ug.where((x > 0).reshape((4, *(1,) * (value.ndim - 1))), value, 0))

    return total


@pytest.mark.parametrize("target", targets.of(targets.EAGER))
def test_axes_that_a_contraction_does_not_sum(target: str) -> None:
    with ug.use(target):
        for name, (_, wanted) in CONTRACTIONS.items():
            total = _selected(name)
            np.testing.assert_allclose(ug.grad(total)(X), wanted, rtol=1e-12, err_msg=name)
            forward = ug.jvp(total, (X,), (np.ones(4),))[1]
            np.testing.assert_allclose(forward, wanted.sum(), rtol=1e-12, err_msg=name)
            second = ug.jvp(ug.grad(total), (X,), (np.ones(4),))[1]
            assert np.isfinite(second).all(), name


# -- planted: an op that is missing from the table -------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "name"),
    [
        pytest.param(sum_, "broadcast_to", id="sum"),
        pytest.param(shape.getitem, "concat", id="getitem"),
        pytest.param(shape.place_at, "getitem", id="place_at"),
        pytest.param(shape.add_at, "take_within", id="add_at"),
        pytest.param(shape.permute_dims, "permute_dims", id="permute_dims"),
        pytest.param(shape.flip, "flip", id="flip"),
        pytest.param(shape.reshape, "reshape", id="reshape"),
    ],
)
def test_an_op_that_is_missing_from_the_table_is_told(
    missing: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = OF[name]
    assert scenario is not None
    table = {op: move for op, move in supports._MOVES.items() if op is not missing}  # noqa: SLF001
    monkeypatch.setattr(supports, "_MOVES", table)
    assert complaints(scenario, whole=True)


def test_a_product_that_does_not_say_where_it_is_dead_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from unigrad.ops import contraction

    assert cotangents.unless_dead is contraction.unless_dead
    monkeypatch.setattr(contraction, "unless_dead", lambda g, result, *rest, **how: result)
    for name in DENSE:
        scenario = OF[name]
        assert scenario is not None
        assert complaints(scenario, whole=False), name
