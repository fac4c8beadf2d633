"""Arrays of one framework on the target of another: there by DLPack, and home again."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest

import unigrad as ug
from tests import targets
from unigrad.backend import registry
from unigrad.errors import DifferentiationError
from unigrad.ir.types import DTYPES

HOMES = ("torch", "tensorflow", "jax")
PAIRS = [
    pytest.param(home, target, id=f"{home}-on-{target}", marks=[*_home.marks, *_there.marks])
    for _home, _there in permutations(targets.of(targets.FRAMEWORKS), 2)
    for home, target in [(_home.values[0].partition(":")[0], _there.values[0])]
]


def array_of(home: str, values: Any, dtype: str = "float64") -> Any:
    runtime = registry.runtime(registry.found(home))
    return runtime.asarray(np.asarray(values).astype(DTYPES[dtype].numpy), DTYPES[dtype], None)


def numpy_of(home: str, array: Any) -> Any:
    runtime = registry.runtime(registry.found(home))
    assert runtime.is_native(array), type(array)
    return np.asarray(runtime.to_numpy(array))


@pytest.mark.parametrize(("home", "target"), PAIRS)
@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "float16", "bfloat16", "int64", "int32", "uint8", "bool"]
)
def test_an_array_goes_there_and_comes_home(home: str, target: str, dtype: str) -> None:
    x = array_of(home, [[0, 1, 1], [1, 0, 1]], dtype)
    with ug.use(target):
        for _ in range(2):
            same, (moved,) = ug.function(lambda x: (x, [x[::-1]]))(x)
            assert numpy_of(home, same).dtype == DTYPES[dtype].numpy
            np.testing.assert_array_equal(numpy_of(home, moved), numpy_of(home, x)[::-1])


@pytest.mark.parametrize(("home", "target"), PAIRS)
def test_derivatives_do_so_too(home: str, target: str) -> None:
    x, y = array_of(home, [0.5, -1.0]), np.array([2.0, 3.0])

    def loss(x: Any, y: Any, scale: Any) -> Any:
        return scale * ug.sum(x * x * y)

    with ug.use(target):
        value, (gradient, by_scale) = ug.value_and_grad(loss, argnums=(0, 2))(x, y, 2.0)
    assert numpy_of(home, value) == 7.0
    np.testing.assert_array_equal(numpy_of(home, gradient), [4.0, -12.0])
    assert numpy_of(home, by_scale) == 3.5


@pytest.mark.parametrize(("home", "target"), PAIRS)
def test_what_comes_home_is_the_callers_own(home: str, target: str) -> None:
    x = array_of(home, np.arange(64.0))
    kept = np.ones(64)
    function = ug.function(lambda x: (x, kept, x + kept))
    with ug.use(target):
        first = [numpy_of(home, one).copy() for one in function(x)]
        for one in function(x):
            if home == "torch":
                one.zero_()
        second = [numpy_of(home, one) for one in function(x)]
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(numpy_of(home, x), np.arange(64.0))


def test_a_tensor_on_a_tape_is_not_taken_off_it_in_silence() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("jax")
    x = torch.ones(2, requires_grad=True)
    with ug.use("jax"), pytest.raises(DifferentiationError, match="tape of torch cannot go to jax"):
        ug.sin(x)


@pytest.mark.parametrize("target", ["torch:eager", "tensorflow:eager"])
def test_nor_is_a_tracer(target: str) -> None:
    jax = pytest.importorskip("jax")
    pytest.importorskip(target.partition(":")[0])
    with ug.use(target), pytest.raises(DifferentiationError, match="tape of jax cannot go to"):
        jax.grad(ug.sum)(jax.numpy.ones(2))


@pytest.mark.parametrize("target", targets.of(targets.FRAMEWORKS))
def test_numpy_in_numpy_out(target: str) -> None:
    x = np.arange(4.0)
    with ug.use(target):
        result = ug.function(lambda x: {"a": 2 * x, "b": (x, ug.sum(x))})(x)
    for one in (result["a"], result["b"][0]):
        assert type(one) is np.ndarray
        np.add(one, 1.0, out=one)  # what comes back may be written to
    assert type(result["b"][1]) is np.float64
    np.testing.assert_array_equal(x, np.arange(4.0))


@pytest.mark.parametrize("target", targets.of(("tensorflow:eager", "jax:jit")))
def test_a_pending_sign_and_another_order_of_axes_go_along(target: str) -> None:
    torch = pytest.importorskip("torch")
    double = ug.function(lambda x: 2 * x)
    turned = torch.arange(6.0, dtype=torch.float64).reshape(2, 3).T
    negative = torch.tensor([1 + 2j], dtype=torch.complex128).conj().imag
    with ug.use(target):
        assert double(negative).tolist() == [-4.0]
        assert torch.equal(double(turned), 2 * turned)


def test_jax_arrays_of_another_layout_go_beside_numpy_arrays() -> None:
    jax = pytest.importorskip("jax")
    layout = pytest.importorskip("jax.experimental.layout")
    x = jax.numpy.arange(6.0, dtype="float32").reshape(3, 2)
    x = jax.device_put(x, layout.Format(layout.Layout((1, 0)), x.sharding))
    with ug.use("jax:jit"):
        total = ug.function(lambda x, y: x + y)(x, np.ones((3, 2), np.float32))
    np.testing.assert_array_equal(total, np.arange(6.0).reshape(3, 2) + 1)
