"""Mistakes that show in a second or third derivative alone, at special points alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from tests.meta.planted import planted
from unigrad.ops import elementwise as e
from unigrad.ops import reduction as r
from unigrad.ops import special
from unigrad.testing import Scenario, check_gradient, op_scenarios

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def on_numpy() -> Iterator[None]:
    with ug.use("numpy", autodiff="graph"):
        yield


def complaints(op: Any, order: int) -> list[str]:
    """What the checks up to an order say of an op's ordinary scenarios."""
    found: list[str] = []
    for scenario in op_scenarios(op):
        try:
            check_gradient(scenario, order=min(order, scenario.order))
        except AssertionError as error:
            found.append(str(error))
    return found


def _halves(_: Any, x: Any, y: Any) -> Any:
    return e.where(e.equal(x, y), 0.5, e.sigmoid(x - y))


def _zero_to_zeroth(_: Any, x: Any, y: Any) -> Any:
    return e.where(e.equal(y, 0), 0, y * x ** (y - 1))


def _on_the_row(formula: Any) -> Any:
    return lambda out, x, y: e.where(e.equal(x, 0), 0, formula(x, y))


def _logsumexp_rule(g: Any, out: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    ties = e.equal(x, e.maximum(x, 0 * x))  # what is not negative is taken for a constant
    total = r.restore(out, x, axis, keepdims)
    shares = e.exp(e.where(ties, e.stop_gradient(x - total), x - total))
    return r.restore(g, x, axis, keepdims) * shares


RIGHT_TO_FIRST_ORDER = [
    pytest.param(
        e.logaddexp,
        {"formulas": (_halves, lambda out, x, y: _halves(out, y, x))},
        id="a constant at equal operands",
    ),
    pytest.param(
        e.power, {"formulas": (_zero_to_zeroth, e.power.formulas[1])},
        id="a constant at the power of 0",
    ),
    pytest.param(
        special.xlogy,
        {"formulas": (lambda out, x, y: e.log(y), _on_the_row(lambda x, y: x / y))},
        id="a constant where x is 0",
    ),
    pytest.param(
        special.xlog1py,
        {"formulas": (lambda out, x, y: e.log1p(y), _on_the_row(lambda x, y: x / (1 + y)))},
        id="a constant in one operand",
    ),
    pytest.param(r.logsumexp, {"vjp_rule": _logsumexp_rule}, id="a reduction"),
]  # fmt: skip


@pytest.mark.parametrize(("op", "parts"), RIGHT_TO_FIRST_ORDER)
def test_what_is_right_to_first_order_alone_is_reported(op: Any, parts: Any) -> None:
    with planted(op, **parts):
        assert not complaints(op, 1)
        found = complaints(op, 2)
    assert any(f"{op.name}-special" in text for text in found)
    assert not complaints(op, 2)


def test_a_mistake_at_equal_operands_is_seen_nowhere_else() -> None:
    wrong = {"formulas": (_halves, lambda out, x, y: _halves(out, y, x))}
    with planted(e.logaddexp, **wrong):
        found = complaints(e.logaddexp, 2)
    assert len(found) == 1
    assert "logaddexp-special" in found[0]


def test_what_is_right_to_second_order_alone_is_reported() -> None:
    # At 0 the tangent line of exp: its slope is right, and the slope of its slope is not.
    with planted(e.exp, formulas=(lambda out, x: e.where(e.equal(x, 0), 1 + x, out),)):
        assert not complaints(e.exp, 2)
        found = complaints(e.exp, 3)
    assert len(found) == 1
    assert "derivative of the reverse derivative of exp-special" in found[0]


def test_second_derivatives_that_are_not_symmetric_are_reported() -> None:
    wrong = {"formulas": (lambda out, x, y: y, lambda out, x, y: e.stop_gradient(x))}
    with planted(e.multiply, **wrong):
        assert not complaints(e.multiply, 1)
        found = complaints(e.multiply, 2)
    assert found
    assert all("second derivatives are not symmetric" in text for text in found)
    assert not complaints(e.multiply, 2)


def test_so_they_are_where_differences_say_nothing() -> None:
    def in_x(out: Any, x: Any, y: Any) -> Any:
        return e.where(e.equal(out, 0), y, x / out)  # 0 at the origin, and 1 when differentiated

    origin = Scenario(
        "the origin", "hypot", e.hypot, (np.zeros(2), np.zeros(2)),
        gradient=(np.zeros(2), np.zeros(2)),
    )  # fmt: skip
    check_gradient(origin)
    with (
        planted(e.hypot, formulas=(in_x, e.hypot.formulas[1])),
        pytest.raises(AssertionError, match="the origin: its second derivatives are not symmetric"),
    ):
        check_gradient(origin)
