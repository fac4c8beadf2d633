"""What unigrad itself costs: a checked call, compiling a long chain, being imported."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from benchmarks.frameworks import arrays
from benchmarks.measure import micros, same, timed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

ROOT = Path(__file__).parents[1]
FRAMEWORKS = ("torch", "tensorflow", "jax", "scipy", "autograd")

# The price of a call ------------------------------------------------------------------------------


@ug.function
def multiply_add(a, b, c):
    return a * b + c


CALL = {
    "numpy": 3, "torch:eager": 3, "jax:jit": 3, "tensorflow:graph": 6, "tensorflow:eager": 6,
}  # fmt: skip


@pytest.mark.parametrize("target", CALL)
def test_checked_call(target: str, benchmark: BenchmarkFixture, record: Callable) -> None:
    given = arrays(target.partition(":")[0], [np.arange(3.0) + shift for shift in range(3)])
    with ug.use(target):
        bare = multiply_add.compile(*given)
        same(multiply_add(*given), bare(*given))
        result = timed(benchmark, partial(multiply_add, *given), partial(bare, *given))
    record(
        f"checked call over bare callable, {target}",
        result.difference * 1e6,
        "us",
        goal=CALL[target],
        **micros(result),
    )


# Compiling, importing: each in processes of their own ---------------------------------------------


BYTE_CODE = tempfile.mkdtemp(prefix="unigrad-byte-code-")


def python(*arguments: str) -> Any:
    """Run this interpreter at the root of the repository; return the JSON that it prints."""
    # Byte code is kept, as it is for an installed package, but not among the sources.
    kept = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": BYTE_CODE}
    finished = subprocess.run(  # this interpreter, and programs of this repository
        [sys.executable, *arguments],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **kept},
    )  # fmt: skip
    return json.loads(finished.stdout)


def test_long_chain(benchmark: BenchmarkFixture, record: Callable) -> None:
    short, long = [], []
    for _ in range(3):
        short.append(python("-m", "benchmarks.models.chain", "10000"))
        long.append(python("-m", "benchmarks.models.chain", "100000"))
    benchmark.pedantic(
        python, args=("-m", "benchmarks.models.chain", "10000"), rounds=1, iterations=1
    )
    per_node = statistics.median(run["seconds"] / run["nodes"] for run in long) * 1e6
    times = statistics.median(b["seconds"] / a["seconds"] for a, b in zip(short, long, strict=True))
    record(
        "gradient of 100,000 operations, per emitted node",
        per_node,
        "us",
        goal=100,
        nodes=long[0]["nodes"],
        seconds=statistics.median(run["seconds"] for run in long),
    )
    record("gradient of 100,000 operations / of 10,000", times, goal=12)


IMPORT = f"""
import json, sys, time
import numpy
begun = time.perf_counter()
import unigrad
seconds = time.perf_counter() - begun
print(json.dumps({{"seconds": seconds, "loaded": [f for f in {FRAMEWORKS} if f in sys.modules]}}))
"""


def test_import(benchmark: BenchmarkFixture, record: Callable) -> None:
    python("-c", IMPORT)  # writes the byte code
    runs = [python("-c", IMPORT) for _ in range(15)]
    benchmark.pedantic(python, args=("-c", IMPORT), rounds=3, iterations=1)
    loaded = {framework for run in runs for framework in run["loaded"]}
    assert not loaded, f"import unigrad also loads {loaded}"
    seconds = [run["seconds"] for run in runs]
    record(
        "import unigrad beyond import numpy",
        statistics.median(seconds) * 1e3,
        "ms",
        goal=80,
        fastest_ms=min(seconds) * 1e3,
    )
