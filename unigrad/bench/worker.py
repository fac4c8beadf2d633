"""The process of one framework: compiles, checks and times what it is asked for, one at a time.

It is told by messages and answers each of them. While another framework is being timed it waits for
the next message and does nothing.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from unigrad.bench.inputs import Inputs
    from unigrad.bench.plan import Row

__all__ = ["Task", "serve"]

_STATUS: Final = Path("/proc/self/status")
_RESET: Final = Path("/proc/self/clear_refs")


class Task(NamedTuple):
    """What is timed, in words: a process of its own has to find it again.

    Attributes:
        where: ``MODULE:FUNCTION``.
        path: where modules are looked for.
        inputs: what it is called with.
        argnames: what to differentiate by; the first argument if there are none.
        threads: how many a framework may use.
    """

    where: str
    path: tuple[str, ...]
    inputs: Inputs
    argnames: tuple[str, ...]
    threads: int


def serve(connection: Connection, task: Task, backend: str) -> None:
    """Answer messages ``(verb, row, argument)`` until there is none; errors are answers as well."""
    _limit_threads(task.threads)  # before any library counts the processors
    _hush()
    sys.path[:] = task.path
    bench = None
    while True:
        verb, row, argument = connection.recv()
        if verb == "end":
            return
        try:
            if bench is None:
                bench = _Bench(task, backend)
            answer = getattr(bench, verb)(row, argument)
        except Exception as error:  # noqa: BLE001  (one framework must not stop the others)
            connection.send(("error", f"{type(error).__name__}: {error}"))
        else:
            connection.send(("answer", answer))


def _limit_threads(count: int) -> None:
    """Let this process see ``count`` processors; the libraries start as many threads."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(count)
    if hasattr(os, "sched_setaffinity"):
        here = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, set(here[:count]))


def _hush() -> None:
    """Send what libraries log to nowhere: the answers say what is wrong."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


class _Bench:
    """The functions of one framework, by row."""

    def __init__(self, task: Task, backend: str) -> None:
        from unigrad.backend import registry
        from unigrad.bench.inputs import arguments_of, function_of, timed_functions

        begun = time.perf_counter()
        self._backend = registry.found(backend)
        self._runtime = registry.runtime(self._backend)
        self._import = time.perf_counter() - begun
        function = function_of(task.where)
        self._arguments = arguments_of(function, task.where, task.inputs)
        self._functions = timed_functions(function, self._arguments, task.argnames)
        self._calls: dict[tuple[Row, str], Callable[[], Any]] = {}
        self._numbers: dict[tuple[Row, str], int] = {}

    def about(self, row: None, argument: None) -> dict[str, Any]:
        """The framework, and what is timed: ``"value"`` and, if there is one, ``"gradient"``."""
        from unigrad.backend import registry

        del row, argument
        return {
            "version": registry.version_of(self._backend.package),
            "import": self._import,
            "timed": list(self._functions),
        }

    def prepare(self, row: Row, name: str) -> dict[str, Any]:
        """Compile for a row: the results to compare, and how long it took to have them."""
        from unigrad.bench.inputs import as_numpy, native_arguments
        from unigrad.bench.plan import DERIVATIVES
        from unigrad.config import Target

        device = Target.parse(row.target).device
        settings = {"target": row.target, **DERIVATIVES[row.derivative]}
        given = native_arguments(self._arguments, self._backend, device, numbers=False)
        alone = native_arguments(self._arguments, self._backend, device, numbers=True)
        function = self._functions[name](settings)
        begun = time.perf_counter()
        bare = function.compile(*given.args, **given.kwargs)
        compiled = time.perf_counter()
        self._wait(bare(*alone.arrays))
        first = time.perf_counter()

        def call() -> Any:
            return function(*given.args, **given.kwargs)

        self._calls[row, name] = call
        result = as_numpy(self._wait(call()), self._runtime)
        return {"compile": compiled - begun, "first": first - compiled, "result": result}

    def sample(self, row: Row, argument: tuple[str, float]) -> float:
        """Seconds for one call, by calls one after the other for about so many seconds."""
        name, seconds = argument
        call, wait = self._calls[row, name], self._wait
        number = self._numbers.get((row, name), 1)
        gc.collect()
        gc.disable()
        try:
            while True:
                begun = time.perf_counter()
                for _ in range(number):
                    wait(call())
                spent = time.perf_counter() - begun
                if spent >= seconds / 2:
                    self._numbers[row, name] = max(1, int(number * seconds / spent))
                    return spent / number
                number = max(2 * number, int(number * seconds / max(spent, 1e-9)))
        finally:
            gc.enable()

    def memory(self, row: Row, name: str) -> float | None:
        """Bytes that a call takes at its peak beyond what the process held before it."""
        call = self._calls[row, name]
        gc.collect()
        _give_back()
        try:
            _RESET.write_text("5")  # the high-water mark of this process starts anew
            before = _kilobytes("VmRSS")
            self._wait(call())
            return max(0.0, 1024.0 * (_kilobytes("VmHWM") - before))
        except OSError:  # this system does not tell
            return None

    def _wait(self, result: Any) -> Any:
        synchronise = getattr(self._runtime, "synchronise", None)
        if synchronise is not None:
            synchronise(result)
        return result


def _give_back() -> None:
    """Return free memory to the system, which would hide what the next call takes."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # where the C library is GNU's
    if trim is not None:
        trim(0)


def _kilobytes(name: str) -> float:
    """A figure of this process, as Linux tells it."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return float(line.split()[1])
    raise OSError(name)
