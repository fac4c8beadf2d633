"""How long a long chain takes from Python function to loaded derivative, in a fresh process.

    python -m benchmarks.models.chain 100000

prints the number of operations, of nodes of the derivative graph that is emitted, and the seconds
from the first call of the traced function to a callable, as JSON.
"""

from __future__ import annotations

import json
import math
import sys
import time

import numpy as np

import unigrad as ug
from unigrad.compiler.pipeline import optimise

__all__ = ["derivative", "steps_of", "through"]

STEP = 1e-3


def through(steps: int):
    """Return Euler's way through x' = sin(x) - 0.5: four operations in each step."""

    def chain(x):
        for _ in range(steps):
            slope = ug.sin(x) - 0.5
            x = x + STEP * slope
        return x

    return chain


def steps_of(operations: int) -> int:
    """Return the number of steps that make a chain of ``operations``."""
    return operations // 4


def derivative(steps: int, x: float) -> float:
    """Return d(end)/d(start), by the chain rule in plain Python."""
    product = 1.0
    for _ in range(steps):
        product *= 1.0 + STEP * math.cos(x)
        x += STEP * (math.sin(x) - 0.5)
    return product


def main(operations: int) -> None:
    """Compile the gradient of the chain, check it, print what it took."""
    steps, start = steps_of(operations), np.asarray(0.7)
    gradient = ug.grad(ug.function(through(steps)))
    begun = time.perf_counter()
    compiled = gradient.compile(start)
    seconds = time.perf_counter() - begun

    np.testing.assert_allclose(compiled(start), derivative(steps, 0.7), rtol=1e-9)
    emitted, _ = optimise(gradient.graph(start))
    print(json.dumps({"operations": operations, "nodes": len(emitted), "seconds": seconds}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
