"""The examples do what they say, on every target, by either way of differentiating.

One program, unchanged: inside one process under ``ug.use``, and in a process of its own where
only the environment names the target.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import unigrad as ug
from tests import targets

if TYPE_CHECKING:
    from types import ModuleType

pytestmark = targets.PYTORCH_IS_LOUD

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
WAYS = targets.ways(targets.TARGETS)


def example(name: str) -> ModuleType:
    """Import ``docs/examples/<name>.py``, which is a program and in no package."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def digits() -> ModuleType:
    return example("digits")


@pytest.fixture(scope="module")
def reference_losses(digits: ModuleType) -> list[float]:
    """Return the first 50 losses as NumPy gives them."""
    with ug.use("numpy", autodiff="graph"):
        losses, _ = digits.main(steps=50)
    return losses


@pytest.mark.parametrize(("target", "autodiff"), WAYS)
def test_digits_reads_held_out_images(digits: ModuleType, target: str, autodiff: str) -> None:
    with ug.use(target, autodiff=autodiff):
        losses, accuracy = digits.main()
    assert accuracy >= 0.95
    assert losses[-1] < 0.1 * losses[0]


@pytest.mark.parametrize(("target", "autodiff"), WAYS[1:])
def test_digits_learns_the_same_on_every_target(
    digits: ModuleType, reference_losses: list[float], target: str, autodiff: str
) -> None:
    with ug.use(target, autodiff=autodiff):
        losses, _ = digits.main(steps=50)
    assert len(losses) == 50
    np.testing.assert_allclose(losses, reference_losses, rtol=1e-12)


def test_digits_first_losses_are_those_of_hand_written_numpy(
    digits: ModuleType, reference_losses: list[float]
) -> None:
    """The whole step again, in NumPy alone, with the derivatives worked out by hand."""
    images, targets, _, _ = digits.load_data()
    parameters = digits.initial_parameters()
    mean = {name: np.zeros_like(value) for name, value in parameters.items()}
    square = dict(mean)
    random = np.random.default_rng(2)
    losses = []
    for step in range(1, 51):
        rows = random.choice(len(images), size=128, replace=False)
        value, gradient = _loss_and_gradient(parameters, images[rows], targets[rows])
        losses.append(value)
        for name, g in gradient.items():
            mean[name] = 0.9 * mean[name] + 0.1 * g
            square[name] = 0.999 * square[name] + 0.001 * g * g
            root = np.sqrt(square[name] / (1 - 0.999**step))
            change = 0.01 * mean[name] / (1 - 0.9**step) / (root + 1e-8)
            parameters[name] = parameters[name] - change
    np.testing.assert_allclose(reference_losses, losses, rtol=1e-12)


def _loss_and_gradient(
    parameters: dict[str, np.ndarray], images: np.ndarray, targets: np.ndarray
) -> tuple[float, dict[str, np.ndarray]]:
    hidden = np.tanh(images @ parameters["W1"] + parameters["b1"])
    scores = hidden @ parameters["W2"] + parameters["b2"]
    scores = scores - scores.max(axis=-1, keepdims=True)
    log_chances = scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    scores_ct = (np.exp(log_chances) - targets) / len(images)
    before_ct = (scores_ct @ parameters["W2"].T) * (1 - hidden * hidden)
    gradient = {
        "W1": images.T @ before_ct,
        "b1": before_ct.sum(axis=0),
        "W2": hidden.T @ scores_ct,
        "b2": scores_ct.sum(axis=0),
    }
    return -np.mean(np.sum(targets * log_chances, axis=-1)), gradient


@pytest.mark.parametrize(("target", "autodiff"), WAYS)
def test_breast_cancer_matches_scikit_learn(target: str, autodiff: str) -> None:
    with ug.use(target, autodiff=autodiff):
        ours, theirs = example("breast_cancer").main()
    assert ours.shape == (31,)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("target", "autodiff"), WAYS)
def test_newton_leaves_the_point_of_equal_scores(target: str, autodiff: str) -> None:
    with ug.use(target, autodiff=autodiff):
        fit = example("newton").main()
    assert fit.success
    assert fit.fun < 0.13  # from log(2) = 0.69
    np.testing.assert_allclose(fit.jac, 0.0, atol=1e-7)


@pytest.mark.parametrize(
    "target",
    [pytest.param(None, id="default"), *targets.of(targets.FRAMEWORKS)],
)
def test_the_environment_alone_switches_the_target(target: str | None, tmp_path: Path) -> None:
    """The program as it stands; afterwards the process says which framework was there."""
    program = (
        "import runpy, sys\n"
        f"runpy.run_path({str(EXAMPLES / 'digits.py')!r}, run_name='__main__')\n"
        "print(*{'torch', 'tensorflow', 'jax'}.intersection(sys.modules))\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("UNIGRAD_")}
    environment["XDG_CONFIG_HOME"] = str(tmp_path)  # no settings file of the user's either
    if target is not None:
        environment["UNIGRAD_TARGET"] = target
    finished = subprocess.run(  # this interpreter, and the program above
        [sys.executable, "-W", "error", "-c", program],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    *_, summary, there = finished.stdout.splitlines()
    assert float(summary.split()[-1]) >= 0.95
    if target is None:
        assert there == ""
    else:  # TensorFlow itself imports JAX if it is there
        assert target.partition(":")[0] in there.split()
