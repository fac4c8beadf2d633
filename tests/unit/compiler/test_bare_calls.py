"""The bare callable of a function of structures, on every target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import unigrad as ug
from tests.targets import PYTORCH_IS_LOUD, TARGETS, of
from unigrad.backend import registry
from unigrad.ir.types import as_dtype

pytestmark = PYTORCH_IS_LOUD


@dataclass
class Parameters:
    scale: Any
    shifts: list[Any]


def model(p: dict[str, Any], q: Parameters) -> dict[str, Any]:
    return {"y": [ug.sum(p["a"] * q.scale), p["b"][0] - q.shifts[1]], "z": p["a"] + q.shifts[0]}


@pytest.mark.parametrize("target", of(TARGETS))
def test_structures_go_in_as_they_are(target: str) -> None:
    runtime: Any = registry.runtime(registry.found(target.partition(":")[0]))

    def native(values: Any) -> Any:
        array = np.asarray(values, np.float64)
        return runtime.asarray(array, as_dtype(array.dtype), None)

    a, scale = native([1.0, 2.0]), native(3.0)
    p = {"a": a, "b": (native(5.0),)}
    q = Parameters(scale, [native([1.0, -1.0]), native(0.5)])
    found = ug.function(model).compile(p, q, target=target)(p, q)
    assert float(found["y"][0]) == 9.0
    assert float(found["y"][1]) == 4.5
    assert np.asarray(found["z"]).tolist() == [2.0, 1.0]


@pytest.mark.parametrize("target", of(["jax:eager", "jax:jit", "numpy"]))
def test_numbers_and_arrays_of_numpy_go_in_too(target: str) -> None:
    p = {"a": np.asarray([1.0, 2.0]), "b": (5.0,)}
    q = Parameters(3.0, [np.asarray([1.0, -1.0]), 0.5])
    found = ug.function(model).compile(p, q, target=target)(p, q)
    assert float(found["y"][0]) == 9.0
    assert float(found["y"][1]) == 4.5
