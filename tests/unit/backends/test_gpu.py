"""What holds on a GPU in every framework; on a machine without one these tests skip and say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from tests import targets
from unigrad.backend import registry
from unigrad.config import canonical_device
from unigrad.errors import TargetError
from unigrad.ir.types import DTYPES

if TYPE_CHECKING:
    from unigrad.config import Autodiff

FRAMEWORK_TARGETS = [one for one in targets.TARGETS if one != "numpy"]
X = np.array([1.0, -2.0, 3.0])


def runtime_of(target: str) -> Any:
    return registry.runtime(registry.found(target.partition(":")[0]))


def gpu_of(target: str) -> str:
    """The first GPU that the framework of a target has."""
    for device in runtime_of(target).devices():
        if device.startswith("gpu"):
            return device
    return pytest.skip(f"{target.partition(':')[0]} finds no GPU here")


def model(x: Any) -> Any:
    scale = ug.where(x > 0, 1.0, 3.0) + ug.arange(3) + np.array([1.0, 2.0, 3.0])
    return ug.sum(ug.sin(x) * scale), ug.zeros((2,)), ug.eye(2), x


def loss(x: Any) -> Any:
    return model(x)[0]


@pytest.mark.gpu
@pytest.mark.parametrize("autodiff", ["graph", "native"])
@pytest.mark.parametrize("target", targets.of(FRAMEWORK_TARGETS))
def test_a_gpu_holds_everything_that_a_function_makes(target: str, autodiff: Autodiff) -> None:
    gpu = gpu_of(target)
    runtime = runtime_of(target)
    function, gradient = ug.function(model), ug.grad(loss, autodiff=autodiff)
    with ug.use(target):
        want = [*function(X), gradient(X)]
    here = runtime.asarray(X, DTYPES["float64"], "cpu")
    with ug.use(f"{target}@{gpu}"):
        for _ in range(2):
            got = [*function(X), gradient(X)]
            assert all(isinstance(one, (np.ndarray, np.generic)) for one in got)
            native = [*function(here), gradient(here)]
            places = {canonical_device(one.device).removesuffix(":0") for one in native}
            assert places == {gpu.removesuffix(":0")}
        for ours, theirs, brought in zip(got, want, native, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)
            np.testing.assert_allclose(runtime.to_numpy(brought), theirs, rtol=1e-12)


@pytest.mark.parametrize("target", targets.of(FRAMEWORK_TARGETS))
def test_a_gpu_that_is_not_here_is_told_with_what_is(target: str) -> None:
    if any(device.startswith("gpu") for device in runtime_of(target).devices()):
        pytest.skip("there is a GPU")
    with ug.use(f"{target}@cuda:1"), pytest.raises(TargetError, match=r"'gpu:1'.* (is|are) cpu"):
        ug.sin(X)
