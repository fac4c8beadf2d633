"""One thread for everything that is timed, and the table of ratios at the end of the run."""

from __future__ import annotations

import os

# Read by the numerical libraries when they are loaded, so before anything imports NumPy.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
# TensorFlow and XLA start as many threads as they see processors.
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

from dataclasses import dataclass, field  # noqa: E402
from typing import TYPE_CHECKING  # noqa: E402

import pytest  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

ROWS = pytest.StashKey["list[Row]"]()


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, the figure, and what it should reach."""

    what: str
    figure: float
    unit: str
    goal: float | None
    notes: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the row as the run prints it."""
        goal = "no goal" if self.goal is None else f"goal <= {self.goal:g}"
        notes = ", ".join(f"{name} {value:.4g}" for name, value in self.notes.items())
        return f"{self.what} | {self.figure:.3g} {self.unit} | {goal} | {notes}"


@pytest.fixture
def record(request: pytest.FixtureRequest, benchmark: BenchmarkFixture) -> Callable[..., None]:
    """Print a row, keep it for the table, and store it with the saved benchmark."""

    def keep(
        what: str, figure: float, unit: str = "ratio", *, goal: float | None = None, **notes: float
    ) -> None:
        row = Row(what, figure, unit, goal, notes)
        print(row)
        request.config.stash.setdefault(ROWS, []).append(row)
        benchmark.extra_info.update({"what": what, unit: figure, "goal": goal, **notes})

    return keep


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Limit PyTorch too, and make sure that NumPy's own library took the limit."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    import numpy as np  # noqa: F401 - loads the library that is looked at below

    for library in threadpoolctl.threadpool_info():
        if library["num_threads"] != 1:
            threadpoolctl.threadpool_limits(1)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show every ratio of the run, with its goal."""
    rows = config.stash.get(ROWS, [])
    if not rows:
        return
    terminalreporter.section("speed against the rivals, one thread")
    width = max(len(row.what) for row in rows)
    heading = f"{'what':<{width}}  {'figure':>16}  {'goal':>8}  {'control':>8}"
    terminalreporter.write_line(heading)
    for row in rows:
        goal = "" if row.goal is None else f"<= {row.goal:g}"
        reached = row.goal is None or row.figure <= row.goal
        control = f"{row.notes['control']:.2f}" if "control" in row.notes else ""
        line = f"{row.what:<{width}}  {row.figure:>8.3g} {row.unit:<7}  {goal:>8}  {control:>8}"
        terminalreporter.write_line(line if reached else f"{line}  missed")
