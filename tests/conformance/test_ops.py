"""Every op, function and model of the suite on every target, by both ways of differentiating.

Where a function is soon compiled, a test is all scenarios of one op: their values; their
derivatives in reverse and in forward mode, the one against the other, and those of second order.
Where each function takes a while, many scenarios are one function, held against NumPy: see
``BUNDLED``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

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
    from collections.abc import Callable, Iterator, Sequence

    from unigrad.testing import Scenario

pytestmark = targets.PYTORCH_IS_LOUD

SCENARIOS = list(scenarios())
NAMES = list(dict.fromkeys(scenario.op for scenario in SCENARIOS))
OF = {name: [one for one in SCENARIOS if one.op == name] for name in NAMES}


def _floats(scenario: Scenario) -> bool:
    leaves = flatten(scenario.args)[0]
    return any(as_dtype(np.asarray(leaf).dtype).is_floating for leaf in leaves)


DIFFERENTIABLE = [name for name in NAMES if any(map(_floats, OF[name]))]

# -- one function for each scenario ----------------------------------------------------------------

ALONE = ("numpy", "torch:eager", "tensorflow:eager")


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


@pytest.mark.parametrize("target", targets.of(ALONE))
@pytest.mark.parametrize("name", NAMES)
def test_values(name: str, target: str) -> None:
    _all(OF[name], lambda scenario: check_value(scenario, target))


@pytest.mark.parametrize(("target", "autodiff"), targets.ways(ALONE))
@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_derivatives(name: str, target: str, autodiff: str) -> None:
    def run(scenario: Scenario) -> None:
        # What is right to second order on a framework has its third from the same rules.
        order = scenario.order if target == "numpy" else min(scenario.order, 2)
        check_gradient(scenario, target, autodiff=autodiff, order=order)

    _all(OF[name], run)


# -- many scenarios in one function ----------------------------------------------------------------

EVERY = SCENARIOS
EVERY_DERIVATIVE = [scenario for scenario in SCENARIOS if _floats(scenario)]


def _ordinary(names: Sequence[str]) -> list[Scenario]:
    """For each op the scenario that is worth its share of a long compilation."""
    chosen: list[Scenario] = []
    for name in names:
        for scenario in OF[name]:
            dtypes = {np.asarray(leaf).dtype.name for leaf in flatten(scenario.args)[0]}
            ordinary = scenario.order > 1 and scenario.gradient is None
            if ordinary and dtypes <= {"float64", "bool", "int64"}:
                chosen.append(scenario)
                break
    return chosen


#: a part of the ops, and every model
SOME = [
    *(name for name in DIFFERENTIABLE if name in MODELS),
    *[name for name in DIFFERENTIABLE if name not in MODELS and name != "add_at"][::6],
]
#: Native code takes Dynamo longer, and it cannot trace one ``torch.func.jvp`` inside another.
FEW = ("abs", "maximum", "where", "prod", "max", "matmul", "logistic", "network", "log_mixture")


class Bundled(NamedTuple):
    """Scenarios that run many to a function on a target which takes a while for each function.

    Attributes:
        target: where they run.
        autodiff: by which way derivatives are taken.
        order: up to which order; 0 for values alone.
        chosen: the scenarios.
        size: how many of them are one function.
        slow: whether that takes more than ten seconds.
    """

    target: str
    autodiff: str
    order: int
    chosen: Sequence[Scenario]
    size: int = 1000
    slow: bool = False

    @property
    def parts(self) -> Iterator[object]:
        """The functions, as parameters of a test."""
        what = "derivatives" if self.order else "values"
        marks = [targets.needs(self.target), *([pytest.mark.slow] if self.slow else [])]
        for start in range(0, len(self.chosen), self.size):
            part = self.chosen[start : start + self.size]
            name = f"{self.target}-{self.autodiff}-{what}-{part[0].op}-to-{part[-1].op}"
            yield pytest.param(self._replace(chosen=part), id=name, marks=marks)

    def function(self, chosen: Sequence[Scenario]) -> Callable[..., Any]:
        """One function of scenarios."""
        return probe(chosen, self.order) if self.order else bundle(chosen)


BUNDLED = (
    Bundled("torch:compile", "graph", 0, _ordinary(NAMES[::2]), slow=True),
    Bundled("torch:compile", "graph", 1, _ordinary(SOME), slow=True),
    Bundled("torch:compile", "native", 1, _ordinary(FEW), slow=True),
    # The time to compile grows faster than a function.
    Bundled("tensorflow:graph", "graph", 0, _ordinary(NAMES), 25),
    Bundled("tensorflow:graph", "graph", 2, _ordinary(DIFFERENTIABLE), 12),
    Bundled("tensorflow:graph", "native", 1, _ordinary(DIFFERENTIABLE), 12),
    Bundled("tensorflow:xla", "graph", 0, _ordinary(NAMES), 25),
    Bundled("tensorflow:xla", "graph", 1, _ordinary(DIFFERENTIABLE), 12),
    Bundled("tensorflow:xla", "native", 1, _ordinary(DIFFERENTIABLE), 12),
    Bundled("jax:jit", "graph", 0, EVERY, 100),
    Bundled("jax:jit", "graph", 2, EVERY_DERIVATIVE, 60),
    Bundled("jax:jit", "native", 2, EVERY_DERIVATIVE, 60),
    # Run as it is written, JAX compiles every operation anew for every shape.
    Bundled("jax:eager", "graph", 0, _ordinary(NAMES), 40),
    Bundled("jax:eager", "graph", 1, _ordinary(SOME), 15),
    Bundled("jax:eager", "native", 1, _ordinary(SOME), 15),
)

#: dtype -> what rounding explains: narrow floats are rounded at every step, in any order
TOLERANCES = {"float64": 1e-10, "float32": 1e-4, "float16": 3.2e-2, "bfloat16": 0.24}


@pytest.mark.parametrize("bundled", [part for one in BUNDLED for part in one.parts])
def test_bundled(bundled: Bundled, monkeypatch: pytest.MonkeyPatch) -> None:
    targets.compile_soon(bundled.target, monkeypatch)
    try:
        complaints = _disagreements(bundled, bundled.chosen)
    except Exception as error:
        # What no function could be made of is found by making one of each.
        failing = [one.name for one in bundled.chosen if _fails(bundled, one)]
        error.add_note(f"of {bundled.target}, by {failing}")
        raise
    assert not complaints, "\n\n".join(complaints)


def _fails(bundled: Bundled, scenario: Scenario) -> bool:
    try:
        _disagreements(bundled, [scenario])
    except Exception:  # noqa: BLE001
        return True
    return False


def _disagreements(bundled: Bundled, chosen: Sequence[Scenario]) -> list[str]:
    """Hold what one function of many scenarios returns on a target against NumPy."""
    function = bundled.function(chosen)
    groups = [scenario.args for scenario in chosen]
    with ug.use("numpy", autodiff="graph"):
        wanted = ug.function(function)(*groups)
    with ug.use(bundled.target, autodiff=bundled.autodiff):  # type: ignore[arg-type]
        found = ug.function(function)(*groups)
    complaints: list[str] = []
    for scenario, have, want in zip(chosen, found, wanted, strict=True):
        if scenario.graph_only and bundled.autodiff == "native":
            continue
        (got, structure), (expected, _) = flatten(have), flatten(want)
        for path, a, b in zip(structure.paths(), got, expected, strict=True):
            where = f"{scenario.name}{path}"
            dtypes = as_dtype(np.asarray(a).dtype), as_dtype(np.asarray(b).dtype)
            if dtypes[0] is not dtypes[1]:
                complaints.append(f"{where} has dtype {dtypes[0]}, expected {dtypes[1]}")
                continue
            try:
                compare(where, a, b, rtol=TOLERANCES.get(dtypes[1].name, 0.0), inputs=scenario.args)
            except AssertionError as error:
                complaints.append(str(error))
    return complaints
