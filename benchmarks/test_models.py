"""Six models, written once, against the same models by hand in each framework.

Value and gradient together, as people call them: with our checks on, against ``autograd.grad``, a
``tf.function`` with a tape, ``jax.jit(jax.value_and_grad)`` and HIPS autograd.
"""

from __future__ import annotations

import importlib
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import unigrad as ug
from benchmarks.frameworks import arrays, by_hand, waiting
from benchmarks.measure import micros, same, timed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

MODELS = ("mlp", "logistic", "gmm", "gp", "attention", "kalman")
TARGETS = {
    "numpy": "autograd",
    "torch:eager": "torch",
    "tensorflow:graph": "tensorflow",
    "jax:jit": "jax",
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", MODELS)
def test_model(name: str, target: str, benchmark: BenchmarkFixture, record: Callable) -> None:
    framework = TARGETS[target]
    pytest.importorskip(framework)
    model = importlib.import_module(f"benchmarks.models.{name}")
    module = importlib.import_module(f"benchmarks.native.models_{framework}")
    given: list[Any] = arrays(framework, model.arguments())
    ours: Any = ug.value_and_grad(model.loss, argnums=model.DIFFERENTIATED, target=target)
    rival = module.value_and_gradient(getattr(module, name), model.DIFFERENTIATED)
    rival = by_hand(target, rival, given, bare=False)
    theirs = list(given)
    if framework == "torch":
        for position in model.DIFFERENTIATED:
            theirs[position] = given[position].clone().requires_grad_()
    same(ours(*given), rival(*theirs), rtol=1e-8)
    result = timed(
        benchmark,
        waiting(framework, partial(ours, *given)),
        waiting(framework, partial(rival, *theirs)),
    )
    record(f"{name}, {target} / {framework} by hand", result.ratio, **micros(result))
