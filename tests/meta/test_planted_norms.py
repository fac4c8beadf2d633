"""Planted mistakes in what is recognised as a norm: the tests of norms must see each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from tests.conformance.test_norms import NORMS, ORIGIN, PLAIN
from tests.meta.planted import planted
from unigrad.ops import elementwise, roots
from unigrad.passes import norms
from unigrad.testing import check_gradient, op_scenarios

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def on_numpy() -> Iterator[None]:
    with ug.use("numpy", autodiff="graph"):
        yield


def test_a_root_with_an_infinite_derivative_is_reported() -> None:
    scenario = next(one for one in op_scenarios(roots.root) if one.gradient is not None)
    with planted(roots.root, formulas=(lambda out, x: 0.5 / out,)):
        with pytest.raises(AssertionError, match="root"):
            check_gradient(scenario)
        assert np.isnan(ug.grad(lambda x: ug.sqrt(ug.sum(x * x)))(ORIGIN)).all()
    check_gradient(scenario)


@pytest.mark.parametrize(
    ("op", "name"),
    [
        pytest.param(elementwise.absolute, "sqrt(abs(x))", id="a kink"),
        pytest.param(elementwise.multiply, "sqrt(-w*x*x)", id="a weight below 0"),
        pytest.param(elementwise.subtract, "sqrt(x*x-y*y)", id="a difference"),
        pytest.param(elementwise.add, "sqrt(x*x+y)", id="a sum"),
    ],
)
def test_a_root_that_is_no_norm_is_told(
    op: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    function, wanted = PLAIN[name]

    def gradient() -> Any:
        slope = ug.grad(function, argnums=(0, 1))
        slope.cache_clear()
        return slope(0.0, 0.0)

    np.testing.assert_array_equal(gradient(), wanted)
    right = norms._class  # noqa: SLF001
    monkeypatch.setattr(
        norms, "_class", lambda node, parts: norms.FLAT if node.op is op else right(node, parts)
    )
    assert not np.array_equal(gradient(), wanted, equal_nan=True)


@pytest.mark.parametrize("table", ["_SQUARES", "_KEPT", "_SUMS_OF_PRODUCTS", "_LARGEST"])
def test_a_norm_that_is_missed_is_told(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(norms, table, frozenset())
    found = [ug.grad(lambda x, f=norm.function: f(x))(ORIGIN) for norm in NORMS.values()]
    assert np.isnan(found).any()
