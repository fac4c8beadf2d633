"""Every op, function and model of the suite on every target, by both ways of differentiating.

A test is all scenarios of one op on one target: their values; their derivatives in reverse and in
forward mode, the one against the other, and those of second order. ``torch:compile`` takes seconds
for one function, so there many scenarios are one function, held against NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from tests import targets
from unigrad.errors import UnsupportedError
from unigrad.ir.types import as_dtype
from unigrad.testing import bundle, check_gradient, check_value, compare, probe, scenarios
from unigrad.testing.models import MODELS
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


TARGETS = targets.of(targets.EAGER)
WAYS = targets.ways(targets.EAGER)


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


def _chosen(name: str) -> list[Scenario]:
    """The scenario of an op that is worth its share of a long compilation."""
    for scenario in OF[name]:
        dtypes = {np.asarray(leaf).dtype.name for leaf in flatten(scenario.args)[0]}
        ordinary = scenario.order > 1 and scenario.gradient is None
        if ordinary and dtypes <= {"float64", "bool", "int64"}:
            return [scenario]
    return []


#: what a derivative is compiled of in these tests: a part of the ops, and every model
SOME = [
    *(name for name in DIFFERENTIABLE if name in MODELS),
    *[name for name in DIFFERENTIABLE if name not in MODELS and name != "add_at"][::6],
]


@pytest.mark.slow
@pytest.mark.parametrize("target", targets.of(["torch:compile"]))
def test_values_compiled(target: str) -> None:
    chosen = [scenario for name in NAMES[::2] for scenario in _chosen(name)]
    _same(bundle(chosen), chosen, target, "graph")


@pytest.mark.slow
@pytest.mark.parametrize("target", targets.of(["torch:compile"]))
def test_derivatives_compiled(target: str) -> None:
    chosen = [scenario for name in SOME for scenario in _chosen(name)]
    _same(probe(chosen, order=1), chosen, target, "graph")


#: Native code takes Dynamo longer, and it cannot trace one ``torch.func.jvp`` inside another.
NATIVE = ("abs", "maximum", "where", "prod", "max", "matmul", "logistic", "network", "log_mixture")


@pytest.mark.slow
@pytest.mark.parametrize("target", targets.of(["torch:compile"]))
def test_native_derivatives_compiled(target: str) -> None:
    chosen = [one for name in NATIVE for one in _chosen(name)]
    _same(probe(chosen, order=1), chosen, target, "native")


# -- compiled: a few at a time ---------------------------------------------------------------------

#: Targets that compile tens of scenarios in a second or two: there every op has its turn.
TOGETHER = ("tensorflow:graph", "tensorflow:xla")


def _parts(names: list[str], size: int) -> list[object]:
    """The chosen scenarios, a few at a time: the time to compile grows faster than a function."""
    chosen = [scenario for name in names for scenario in _chosen(name)]
    parts = [chosen[start : start + size] for start in range(0, len(chosen), size)]
    return [pytest.param(part, id=f"{part[0].op} to {part[-1].op}") for part in parts]


@pytest.mark.parametrize("target", targets.of(TOGETHER))
@pytest.mark.parametrize("part", _parts(NAMES, 25))
def test_values_together(part: list[Scenario], target: str) -> None:
    _same(bundle(part), part, target, "graph")


@pytest.mark.parametrize(("target", "autodiff"), targets.ways(TOGETHER))
@pytest.mark.parametrize("part", _parts(DIFFERENTIABLE, 12))
def test_derivatives_together(part: list[Scenario], target: str, autodiff: str) -> None:
    if autodiff == "native":
        part = [scenario for scenario in part if not scenario.graph_only]
    order = 2 if (target, autodiff) == ("tensorflow:graph", "graph") else 1
    _same(probe(part, order=order), part, target, autodiff)
