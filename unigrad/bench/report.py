"""What a comparison found, as a table and as JSON."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unigrad.bench.plan import Row

__all__ = ["Report", "Result", "Timing"]


@dataclass
class Timing:
    """Times of one function on one row, in seconds.

    Attributes:
        compile: from the Python function to a callable: traced, differentiated, written, compiled.
        first: the first call of that callable.
        samples: the time of one call in each round.
        memory: bytes that a call takes at its peak, ``None`` where the system does not tell.
    """

    compile: float
    first: float
    samples: list[float] = field(default_factory=list)
    memory: float | None = None

    @property
    def steady(self) -> float:
        """The median over the rounds."""
        return statistics.median(self.samples)

    @property
    def spread(self) -> float:
        """The middle half of the rounds, relative to the median."""
        if len(self.samples) < 2:  # noqa: PLR2004  (there is nothing between)
            return 0.0
        low, _, high = statistics.quantiles(self.samples, n=4)
        return (high - low) / self.steady

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON."""
        return {
            "compile_seconds": self.compile,
            "first_call_seconds": self.first,
            "steady_seconds": self.steady if self.samples else None,
            "spread": self.spread if self.samples else None,
            "samples_seconds": self.samples,
            "peak_bytes": self.memory,
        }


@dataclass
class Result:
    """What is known of one row.

    Attributes:
        row: the target, and who differentiates.
        timings: by what is timed, ``"value"`` and ``"gradient"``; empty if there is a problem.
        values: the results that were compared.
        problem: why there are no times: it does not run, or its results differ.
    """

    row: Row
    timings: dict[str, Timing] = field(default_factory=dict)
    values: dict[str, list[Any]] = field(default_factory=dict)
    problem: str = ""

    @property
    def ratio(self) -> float | None:
        """The time of value and gradient together over that of the value alone."""
        if "gradient" not in self.timings:
            return None
        return self.timings["gradient"].steady / self.timings["value"].steady

    def as_json(self) -> dict[str, Any]:
        """The row as JSON."""
        return {
            "target": self.row.target,
            "derivative": self.row.derivative,
            "problem": self.problem,
            "gradient_over_value": self.ratio,
            **{name: timing.as_json() for name, timing in self.timings.items()},
        }


@dataclass
class Report:
    """A comparison of frameworks on one function.

    Attributes:
        function: ``MODULE:FUNCTION``.
        inputs: the types of its arrays.
        argnames: what it is differentiated by; the first argument if there are none.
        results: the rows, in their order.
        threads: how many a framework could use.
        rounds: how often each row was timed.
        versions: of Python, unigrad and the frameworks.
        machine: where it ran.
        date: when, in UTC.
    """

    function: str
    inputs: list[str]
    argnames: list[str]
    results: list[Result]
    threads: int
    rounds: int
    versions: dict[str, str]
    machine: dict[str, Any]
    date: str

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON; times are in seconds, memory in bytes."""
        return {
            "format": 1,
            "function": self.function,
            "inputs": self.inputs,
            "differentiated_by": self.argnames or ["the first argument"],
            "threads": self.threads,
            "rounds": self.rounds,
            "versions": self.versions,
            "machine": self.machine,
            "date": self.date,
            "rows": [result.as_json() for result in self.results],
        }
