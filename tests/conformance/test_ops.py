"""Every op, function and model of the suite on every target, by both ways of differentiating.

A test is all scenarios of one op on one target: their values; their derivatives in reverse and in
forward mode, the one against the other, and those of second order. ``torch:compile`` takes seconds
for one function, so there many scenarios are one function, held against NumPy.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from unigrad.errors import UnsupportedError
from unigrad.ir.types import as_dtype
from unigrad.testing import bundle, check_gradient, check_value, compare, probe, scenarios
from unigrad.trace.structure import flatten

if TYPE_CHECKING:
    from collections.abc import Callable

    from unigrad.testing import Scenario

pytestmark = [
    # PyTorch uses what PyTorch has deprecated, when its forward mode or its compiler is first used.
    pytest.mark.filterwarnings("ignore:`torch.jit.script(_method)?` is:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`torch._prims_common.check` is:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.* should not be instantiated:DeprecationWarning"),
]

SCENARIOS = list(scenarios())
NAMES = list(dict.fromkeys(scenario.op for scenario in SCENARIOS))
OF = {name: [one for one in SCENARIOS if one.op == name] for name in NAMES}
DIFFERENTIABLE = [
    name
    for name in NAMES
    if any(
        as_dtype(np.asarray(leaf).dtype).is_floating
        for one in OF[name]
        for leaf in flatten(one.args)[0]
    )
]


def _needs(framework: str) -> pytest.MarkDecorator:
    missing = find_spec(framework) is None
    return pytest.mark.skipif(missing, reason=f"{framework} is not installed")


TARGETS = ["numpy", pytest.param("torch:eager", marks=_needs("torch"))]
WAYS = [
    pytest.param("numpy", "graph", id="numpy-graph"),
    pytest.param("torch:eager", "graph", id="torch:eager-graph", marks=_needs("torch")),
    pytest.param("torch:eager", "native", id="torch:eager-native", marks=_needs("torch")),
]


def _all(chosen: list[Scenario], run: Callable[[Scenario], None]) -> None:
    """Run every scenario; one that fails does not hide the others."""
    complaints: list[str] = []
    refused: list[str] = []
    for scenario in chosen:
        try:
            run(scenario)
        except UnsupportedError as error:
            refused.append(f"{scenario.name}: {error}")
        except Exception as error:  # noqa: BLE001
            complaints.append(f"{type(error).__name__}: {scenario.name}: {error}")
    assert not complaints, "\n\n".join(complaints)
    if refused:
        pytest.skip("; ".join(refused))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", NAMES)
def test_values(name: str, target: str) -> None:
    _all(OF[name], lambda scenario: check_value(scenario, target))


@pytest.mark.parametrize(("target", "autodiff"), WAYS)
@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_derivatives(name: str, target: str, autodiff: str) -> None:
    _all(OF[name], lambda scenario: check_gradient(scenario, target, autodiff=autodiff))


# -- compiled: many in one -----------------------------------------------------------------------

COMPILED = [
    pytest.param("torch:compile", "graph", id="torch:compile-graph", marks=_needs("torch")),
    pytest.param("torch:compile", "native", id="torch:compile-native", marks=_needs("torch")),
]


def _same(function: Callable[..., Any], chosen: list[Scenario], target: str, autodiff: str) -> None:
    """Hold what one function of many scenarios returns on a target against NumPy."""
    groups = [scenario.args for scenario in chosen]
    with ug.use("numpy", autodiff="graph"):
        wanted = ug.function(function)(*groups)
    with ug.use(target, autodiff=autodiff):
        found = ug.function(function)(*groups)
    complaints: list[str] = []
    for scenario, have, want in zip(chosen, found, wanted, strict=True):
        (got, structure), (expected, _) = flatten(have), flatten(want)
        for path, a, b in zip(structure.paths(), got, expected, strict=True):
            rtol = {"float64": 1e-10, "float32": 1e-4}.get(np.asarray(b).dtype.name, 0.0)
            try:
                compare(f"{scenario.name}{path}", a, b, rtol=rtol, inputs=scenario.args)
            except AssertionError as error:
                complaints.append(str(error))
    assert not complaints, "\n\n".join(complaints)


def _chosen(name: str, count: int) -> list[Scenario]:
    """Scenarios worth their share of a long compilation: ordinary inputs in float64."""
    found: list[Scenario] = []
    for scenario in OF[name]:
        dtypes = {np.asarray(leaf).dtype.name for leaf in flatten(scenario.args)[0]}
        ordinary = scenario.order > 1 and scenario.gradient is None
        if ordinary and "float64" in dtypes and dtypes <= {"float64", "bool", "int64"}:
            found.append(scenario)
    return found[:count]


@pytest.mark.slow
@pytest.mark.parametrize("target", [pytest.param("torch:compile", marks=_needs("torch"))])
def test_values_compiled(target: str) -> None:
    chosen = [scenario for name in NAMES for scenario in _chosen(name, 2)]
    _same(bundle(chosen), chosen, target, "graph")


@pytest.mark.slow
@pytest.mark.parametrize(("target", "autodiff"), COMPILED)
def test_derivatives_compiled(target: str, autodiff: str) -> None:
    chosen = [scenario for name in DIFFERENTIABLE for scenario in _chosen(name, 1)]
    if autodiff == "native":
        chosen = [scenario for scenario in chosen if not scenario.graph_only]
    _same(probe(chosen, order=1), chosen, target, autodiff)
