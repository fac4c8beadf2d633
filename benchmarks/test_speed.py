"""The speed table: every row against a rival in the same run, correct before it is timed.

The figure of a row is a ratio of medians-in-rounds (see ``ratio.py``); pytest-benchmark keeps it in
``extra_info`` beside the absolute times of our side. Nothing here asserts a time.
"""

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
from benchmarks.models import network
from benchmarks.native import network_numpy
from benchmarks.ratio import Comparison, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_benchmark.fixture import BenchmarkFixture

ROOT = Path(__file__).parents[1]
PARAMETERS = (2, 3, 4)  # W, b, w
FRAMEWORKS = ("torch", "tensorflow", "jax", "scipy", "autograd")

TRANSFORMS = {
    "gradient": ug.grad(network.loss, argnums=PARAMETERS),
    "value and gradient": ug.value_and_grad(network.loss, argnums=PARAMETERS),
}


def flat(results: Any) -> list[np.ndarray]:
    """Return the arrays of a result in order, whatever nest of tuples they come in."""
    if isinstance(results, (tuple, list)):
        return [array for result in results for array in flat(result)]
    return [np.asarray(results.detach() if hasattr(results, "detach") else results)]


def same(ours: Any, rival: Any, rtol: float = 1e-10) -> None:
    """Compare every array of two results."""
    for mine, other in zip(flat(ours), flat(rival), strict=True):
        np.testing.assert_allclose(mine, other, rtol=rtol, atol=1e-12)


def timed(
    benchmark: BenchmarkFixture, ours: Callable[[], Any], rival: Callable[[], Any]
) -> Comparison:
    """Compare the two, and let pytest-benchmark time our side as well."""
    comparison = compare(ours, rival)
    benchmark.pedantic(ours, rounds=50, iterations=20, warmup_rounds=2)
    return comparison


def micros(comparison: Comparison) -> dict[str, float]:
    """Return what stands beside a ratio: the noise, and both times in microseconds."""
    return {
        "control": comparison.control,
        "ours_us": comparison.ours * 1e6,
        "rival_us": comparison.rival * 1e6,
    }


def torch_arguments(batch: int) -> tuple[list[Any], list[Any]]:
    """Return the network's arguments as tensors, and again with ``W``, ``b``, ``w`` as leaves."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    tensors = [torch.from_numpy(array) for array in network.arguments(batch)]
    leaves = [tensor.clone().requires_grad_() for tensor in tensors[2:]]
    return tensors, [*tensors[:2], *leaves]


# Forward code: the bare callable against the same math written by hand ---------------------------


@pytest.mark.parametrize("batch", [32, 512])
def test_forward_numpy(batch: int, benchmark: BenchmarkFixture, record: Callable) -> None:
    arguments = network.arguments(batch)
    emitted = network.loss.compile(*arguments, target="numpy")
    same(emitted(*arguments), network_numpy.loss(*arguments))
    result = timed(benchmark, partial(emitted, *arguments), partial(network_numpy.loss, *arguments))
    record(f"forward, batch {batch}, NumPy", result.ratio, goal=1.03, **micros(result))


@pytest.mark.parametrize("batch", [32, 512])
def test_forward_torch(batch: int, benchmark: BenchmarkFixture, record: Callable) -> None:
    tensors, _ = torch_arguments(batch)
    from benchmarks.native import network_torch  # torch may be missing

    emitted = network.loss.compile(*tensors, target="torch:eager")
    same(emitted(*tensors), network_torch.loss(*tensors))
    result = timed(benchmark, partial(emitted, *tensors), partial(network_torch.loss, *tensors))
    record(f"forward, batch {batch}, torch eager", result.ratio, goal=1.03, **micros(result))


# Gradients, called as a user calls them -----------------------------------------------------------


@pytest.mark.parametrize("rival", ["loss", "fused_loss"])
@pytest.mark.parametrize("wanted", TRANSFORMS)
@pytest.mark.parametrize(("batch", "goal"), [(32, 0.6), (512, 0.9)])
def test_gradient_torch(
    batch: int, goal: float, wanted: str, rival: str, benchmark: BenchmarkFixture, record: Callable
) -> None:
    tensors, with_leaves = torch_arguments(batch)
    from benchmarks.native import network_torch  # torch may be missing

    theirs = partial(
        network_torch.value_and_gradient, *with_leaves, loss=getattr(network_torch, rival)
    )
    with ug.use("torch:eager"):
        ours = partial(TRANSFORMS[wanted], *tensors)
        same(ours(), theirs() if wanted == "value and gradient" else theirs()[1])
        result = timed(benchmark, ours, theirs)
    against = {"loss": "autograd.grad", "fused_loss": "autograd.grad of the fused loss"}[rival]
    record(
        f"{wanted}, batch {batch}, torch eager / {against}",
        result.ratio,
        goal=goal,
        **micros(result),
    )


@pytest.mark.parametrize("wanted", TRANSFORMS)
def test_gradient_numpy(wanted: str, benchmark: BenchmarkFixture, record: Callable) -> None:
    pytest.importorskip("autograd")
    from benchmarks.native import network_autograd  # autograd may be missing

    arguments = network.arguments(32)
    function = getattr(network_autograd, wanted.replace(" ", "_"))
    with ug.use("numpy"):
        ours, theirs = partial(TRANSFORMS[wanted], *arguments), partial(function, *arguments)
        same(ours(), theirs())
        result = timed(benchmark, ours, theirs)
    record(f"{wanted}, batch 32, NumPy / HIPS autograd", result.ratio, goal=0.15, **micros(result))


# The price of a call ------------------------------------------------------------------------------


@ug.function
def multiply_add(a, b, c):
    return a * b + c


@pytest.mark.parametrize("target", ["numpy", "torch:eager"])
def test_checked_call(target: str, benchmark: BenchmarkFixture, record: Callable) -> None:
    arrays: Iterable[Any] = [np.arange(3.0) + shift for shift in range(3)]
    if target != "numpy":
        torch = pytest.importorskip("torch")
        arrays = [torch.from_numpy(array) for array in arrays]
    with ug.use(target):
        bare = multiply_add.compile(*arrays)
        same(multiply_add(*arrays), bare(*arrays))
        result = timed(benchmark, partial(multiply_add, *arrays), partial(bare, *arrays))
    record(
        f"checked call over bare callable, {target}",
        result.difference * 1e6,
        "us",
        goal=3,
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
