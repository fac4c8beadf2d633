"""JAX's own surroundings: meshes of devices, sizes without numbers, calls without ``jit``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unigrad as ug

jax = pytest.importorskip("jax")

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _wide() -> Any:
    with jax.enable_x64(True):  # noqa: FBT003
        yield


def test_gradients_on_meshes_are_those_of_one_device() -> None:
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.backends.meshes"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert len(found) > 90
    wrong = {call: one for call, one in found.items() if isinstance(one, str) or not one < 1e-13}
    assert not wrong


# -- sizes without numbers -------------------------------------------------------------------------


def network(X: Any, y: Any, W: Any, b: Any, w: Any) -> Any:
    return ug.mean((ug.tanh(X @ W + b) @ w - y) ** 2)


def arguments(rows: int) -> list[Any]:
    random = np.random.default_rng(rows)
    return [random.normal(size=shape) for shape in ((rows, 4), (rows,), (4, 3), (3,), (3,))]


graph_mode = ug.value_and_grad(network, (2, 3, 4))
native_mode = ug.value_and_grad(network, (2, 3, 4), autodiff="native")
on_the_tape = jax.value_and_grad(ug.function(network), (2, 3, 4))
second_order = jax.jacfwd(jax.grad(ug.function(network), 4), 4)


@pytest.mark.parametrize(
    "function", [graph_mode, native_mode, on_the_tape, second_order],
    ids=["graph", "native", "tape", "second order"],
)  # fmt: skip
def test_an_exported_function_takes_every_size(function: Any) -> None:
    (n,) = jax.export.symbolic_shape("n")
    types = [
        jax.ShapeDtypeStruct(shape, np.float64) for shape in ((n, 4), (n,), (4, 3), (3,), (3,))
    ]
    exported = jax.export.export(jax.jit(function))(*types)
    loaded = jax.export.deserialize(exported.serialize())
    for rows in (1, 2, 7):
        found = jax.tree.leaves(loaded.call(*arguments(rows)))
        wanted = jax.tree.leaves(function(*[jax.numpy.asarray(x) for x in arguments(rows)]))
        for x, y in zip(found, wanted, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shape", ["2*n, 3", "n + 1, 3"])
def test_sizes_that_jax_derived_are_sizes_too(shape: str) -> None:
    gradient = ug.grad(lambda x: ug.sum(x * x) / x.shape[0])
    type_ = jax.ShapeDtypeStruct(jax.export.symbolic_shape(shape), np.float64)
    exported = jax.export.export(jax.jit(gradient))(type_)
    x = np.arange(12.0).reshape(4, 3)
    np.testing.assert_allclose(exported.call(x), 2 * x / 4, rtol=1e-15)


def test_different_sizes_do_not_meet() -> None:
    types = [
        jax.ShapeDtypeStruct(jax.export.symbolic_shape(text, scope=scope), np.float64)
        for scope in [jax.export.SymbolicScope()]
        for text in ("2*n", "2+n")
    ]
    with pytest.raises(ug.errors.ShapeError, match="size_2_2a_n"):
        jax.export.export(jax.jit(ug.function(lambda x, y: x + y)))(*types)


# -- without jit -----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["jax:jit", "jax:eager"])
def test_calls_without_jit_are_those_with_it(target: str) -> None:
    gradient = ug.value_and_grad(network, (2, 3, 4), target=target)
    before = gradient(*arguments(5))
    fresh = ug.value_and_grad(network, (2, 3, 4), target=target)
    with jax.disable_jit():
        for one in (gradient, fresh):
            value, parts = one(*arguments(5))
            assert value == pytest.approx(before[0], rel=1e-14)
            for x, y in zip(parts, before[1], strict=True):
                np.testing.assert_allclose(x, y, rtol=1e-12)
    after = fresh(*arguments(5))
    assert after[0] == pytest.approx(before[0], rel=1e-14)


def test_a_call_inside_a_trace_that_leaves_the_compiled_way_still_computes_at_once() -> None:
    gradient = ug.grad(lambda x: ug.sum(x**3), target="jax:jit")

    @jax.jit
    def around(t: Any) -> Any:
        found = gradient(np.asarray([1.0, 2.0]))
        assert isinstance(found, np.ndarray)
        return t + found.sum()

    with jax.disable_jit():
        gradient(np.asarray([1.0, 2.0]))  # from here on by the other way
    assert float(around(0.0)) == pytest.approx(15.0)
