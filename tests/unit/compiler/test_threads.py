"""Threads, and processes that are forked and spawned: each gets its own answer, none waits forever.

The programs run in processes of their own, with a time limit: what waits forever fails there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

MODEL = """
import numpy as np, unigrad as ug

@ug.function
def shared(x, power):
    y = ug.sin(x) * power
    return ug.sum(y * y)

def wanted(x, power):
    return 2 * power**2 * np.sin(x) * np.cos(x)

gradient = ug.grad(shared)
"""

THREADS = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
import numpy as np, unigrad as ug
from model import gradient, shared, wanted

targets = sys.argv[1:]
start = threading.Barrier(32)

def work(number):
    target, autodiff = targets[number % len(targets)], ("graph", "native")[number // 8 % 2]
    start.wait()
    for turn in range(6):
        x = np.arange(1.0, 2.0 + (number + turn) % 3)
        own = ug.function(lambda x, k: ug.sum(ug.tanh(x) * k))
        with ug.use(target, autodiff=autodiff):
            got = gradient(x, 3.0)
            mine = ug.grad(own)(x, float(number))
        np.testing.assert_allclose(got, wanted(x, 3.0), rtol=1e-12)
        np.testing.assert_allclose(mine, number / np.cosh(x) ** 2, rtol=1e-12, atol=1e-300)
    return number

with ThreadPoolExecutor(32) as pool:
    assert sorted(pool.map(work, range(32))) == list(range(32))
print("right", shared.cache_info().currsize)
"""

FORK = """
import gc, multiprocessing, threading
import numpy as np, unigrad as ug
from model import gradient, wanted

stop = threading.Event()
gradient(np.ones(2), 2.0)  # who forks while a thread imports a module forks Python's own lock

def busy():
    number = 0
    while not stop.is_set():
        number += 1
        x = np.ones(1 + number % 50)
        ug.grad(lambda x: ug.sum(ug.exp(x) * x))(x)

def child(results, number):
    x = np.arange(1.0, 2.0 + number)
    results.put((number, gradient(x, 2.0).tolist(), gc.isenabled()))

threads = [threading.Thread(target=busy, daemon=True) for _ in range(2)]
for thread in threads:
    thread.start()
context = multiprocessing.get_context("fork")
results = context.Queue()
children = [context.Process(target=child, args=(results, number)) for number in range(12)]
for one in children:
    one.start()
found = [results.get(timeout=60) for _ in children]
for one in children:
    one.join()
stop.set()
for number, got, collecting in found:
    x = np.arange(1.0, 2.0 + number)
    np.testing.assert_allclose(got, wanted(x, 2.0), rtol=1e-12)
    assert collecting
print("right", len(found))
"""

SPAWN = """
import multiprocessing, sys
import numpy as np, unigrad as ug
from model import gradient, shared, wanted

def child(job):
    function, target, x = job
    with ug.use(target):
        return function(x, 2.0)

if __name__ == "__main__":
    x = np.arange(1.0, 4.0)
    with ug.graph("squares") as g:
        a, power = ug.input("a", "float64[n]"), ug.input("power", "float64")
        g.output(y=ug.sum(a * a) * power)
    jobs = [(function, target, x) for target in sys.argv[1:] for function in (gradient, shared)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.map(child, jobs)
        (squares,) = pool.map(child, [(g, "numpy", x)])
    for (function, _, x), got in zip(jobs, found):
        want = wanted(x, 2.0) if function is gradient else np.sum((2 * np.sin(x)) ** 2)
        np.testing.assert_allclose(got, want, rtol=1e-12)
    assert squares["y"] == 28.0
    print("right", len(found))
"""

INSTALLED = [
    "numpy",
    *(
        target
        for target in ("torch:eager", "tensorflow:graph", "tensorflow:eager", "jax:jit")
        if find_spec(target.partition(":")[0])
    ),
]


def run(folder: Path, program: str, *words: str, warnings: str = "error") -> str:
    (folder / "model.py").write_text(MODEL)
    (folder / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-W", warnings, "program.py", *words],
        cwd=folder,
        env={**os.environ, "PYTHONWARNINGS": ""},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def test_32_threads_on_all_targets_at_once(tmp_path: Path) -> None:
    # Python's filters of warnings are no thread's own: what one import ignores, another forgets.
    assert run(tmp_path, THREADS, *INSTALLED, warnings="default").startswith("right")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_computes_while_its_parent_compiled_in_other_threads(tmp_path: Path) -> None:
    assert run(tmp_path, FORK) == "right 12\n"


def test_a_spawned_child_gets_functions_by_pickle(tmp_path: Path) -> None:
    assert run(tmp_path, SPAWN, *INSTALLED[:2]) == "right 4\n"
