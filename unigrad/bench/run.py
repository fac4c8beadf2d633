"""The comparison: a process for each framework, equal results first, then rounds in turns."""

from __future__ import annotations

import multiprocessing
import os
import platform
import random
import sys
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

import unigrad as ug
from unigrad.bench.inputs import arguments_of, function_of
from unigrad.bench.report import Report, Result, Timing
from unigrad.bench.worker import Task, serve
from unigrad.errors import UnigradError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from unigrad.bench.inputs import Inputs
    from unigrad.bench.plan import Row

__all__ = ["run"]

TOLERANCES: Final = {"float64": 1e-9, "float32": 1e-4, "float16": 2e-2, "bfloat16": 1e-1}
"""For each dtype how far two frameworks may differ, relative to the largest magnitude."""


class _Failed(Exception):  # noqa: N818  (told in the report, never raised to a caller)
    """What a process answered instead of a result."""


class _Framework:
    """The process of one framework."""

    def __init__(self, task: Task, backend: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, task, backend), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, verb: str, row: Row | None = None, argument: Any = None) -> Any:
        """Send a message and wait for its answer."""
        try:
            self._connection.send((verb, row, argument))
            kind, answer = self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            raise _Failed(f"the process ended with {self._process.exitcode}") from None
        if kind == "error":
            raise _Failed(answer)
        return answer

    def end(self) -> None:
        """Let the process go."""
        try:
            self._connection.send(("end", None, None))
            self._process.join(5)
        except OSError:
            pass
        finally:
            self._process.kill()


def run(
    where: str,
    rows: Sequence[Row],
    inputs: Inputs,
    *,
    argnames: Sequence[str] = (),
    threads: int = 1,
    rounds: int = 15,
    seconds: float = 0.05,
    progress: Callable[[str, float], None] = lambda _text, _share: None,
) -> Report:
    """Compare frameworks on one function.

    Args:
        where: ``MODULE:FUNCTION``.
        rows: what to compare; the first one that runs is what results are held against.
        inputs: what the function is called with.
        argnames: what to differentiate by; the first argument if there are none.
        threads: how many a framework may use.
        rounds: how often each row is timed, in turns.
        seconds: about how long a row is timed in one round.
        progress: is told what is going on, and which share of all is done.

    Raises:
        ArgumentError: if there is no such function, or its arguments are not said in full.
        UnigradError: whatever the function raises when it is traced.
    """
    function = function_of(where)
    call = arguments_of(function, where, inputs)
    graph = function.graph(*call.args, **call.kwargs)  # what is wrong with it is told here, once
    task = Task(where, tuple(sys.path), inputs, tuple(argnames), threads)
    results = {row: Result(row) for row in rows}
    with ExitStack() as processes:
        steps = len(rows) + rounds
        frameworks: dict[str, _Framework] = {}
        versions: dict[str, str] = {}
        timed: list[str] = ["value"]
        for done, row in enumerate(rows):
            progress(f"{row}: compiling and comparing", done / steps)
            result = results[row]
            with _told_in(result):
                if row.backend not in frameworks:
                    framework = _Framework(task, row.backend)
                    frameworks[row.backend] = framework
                    processes.callback(framework.end)
                framework = frameworks[row.backend]
                if row.backend not in versions:
                    about = framework.ask("about")
                    versions[row.backend], timed = about["version"], about["timed"]
                for name in timed:
                    prepared = framework.ask("prepare", row, name)
                    result.timings[name] = Timing(prepared["compile"], prepared["first"])
                    result.values[name] = prepared["result"]
        _compare(list(results.values()))
        alive = [result for result in results.values() if not result.problem]
        shuffle = random.Random(0).shuffle  # noqa: S311  (an order, no secret)
        for turn in range(rounds):
            shuffle(alive)
            progress(f"round {turn + 1} of {rounds}", (len(rows) + turn) / steps)
            for result in alive:
                with _told_in(result):
                    for name in timed:
                        took = frameworks[result.row.backend].ask(
                            "sample", result.row, (name, seconds)
                        )
                        result.timings[name].samples.append(took)
        for result in alive:
            with _told_in(result):
                for name in timed:
                    result.timings[name].memory = frameworks[result.row.backend].ask(
                        "memory", result.row, name
                    )
    return Report(
        function=where,
        inputs=[str(type_) for type_ in graph.input_types],
        argnames=list(argnames),
        results=list(results.values()),
        threads=threads,
        rounds=rounds,
        versions={"unigrad": ug.__version__, "python": platform.python_version(), **versions},
        machine={
            "system": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "processors": os.cpu_count() or 0,
        },
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


@contextmanager
def _told_in(result: Result) -> Generator[None]:
    """Let one row fail without the others."""
    if result.problem:
        yield
        return
    try:
        yield
    except (_Failed, UnigradError) as error:
        result.problem = str(error)
        result.timings.clear()


def _compare(results: list[Result]) -> None:
    """Hold the results of every row against those of the first; what differs gets no time."""
    reference = next((one for one in results if not one.problem), None)
    if reference is None:
        return
    for result in results:
        if result.problem:
            continue
        for name, wanted in reference.values.items():
            difference = _difference(result.values.get(name, []), wanted)
            if difference:
                result.problem = f"the {name} differs from that of {reference.row}: {difference}"
                result.timings.clear()
                break


def _difference(got: Sequence[Any], wanted: Sequence[Any]) -> str:
    """How two lists of arrays differ; nothing if they agree."""
    if len(got) != len(wanted):
        return f"{len(got)} arrays and not {len(wanted)}"
    for have, want in zip(got, wanted, strict=True):
        if have.shape != want.shape or have.dtype != want.dtype:
            return f"{have.dtype}{list(have.shape)} and not {want.dtype}{list(want.shape)}"
        a, b = have.astype(np.float64), want.astype(np.float64)
        finite = np.isfinite(b)
        scale = max(1.0, float(np.max(np.abs(b[finite]), initial=0.0)))
        with np.errstate(invalid="ignore"):
            far = np.where(finite, np.abs(a - b) / scale, 0.0)
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        if not np.all(same | finite):
            return "infinities or NaN at other places"
        worst = float(np.max(np.where(np.isnan(far), np.inf, far), initial=0.0))
        if worst > TOLERANCES.get(want.dtype.name, 0.0):
            return f"by {worst:.1e} of the largest magnitude"
    return ""
