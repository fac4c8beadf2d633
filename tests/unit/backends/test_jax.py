"""JAX's table and runtime: values are NumPy's, arrays go in and out, the fast way is safe."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import unigrad as ug
from tests.guarded import is_taken
from unigrad.backend import registry
from unigrad.errors import DTypeError, TargetError
from unigrad.ir.types import DTYPES, as_dtype

jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")
mpmath = pytest.importorskip("mpmath")

MODES = pytest.mark.parametrize("target", ["jax:jit", "jax:eager"])


def native(values: Any) -> Any:
    """A JAX array of the dtype of a NumPy one, whatever the flag."""
    array = np.asarray(values)
    runtime: Any = registry.runtime(registry.found("jax"))
    return runtime.asarray(array, as_dtype(array.dtype), None)


# -- what is written -------------------------------------------------------------------------------


def code_of(source: str) -> list[str]:
    """The lines of a source without comments."""
    return [line.partition("  #")[0] for line in source.splitlines() if line.strip()]


def test_structure_is_written_in_the_idioms_of_jax() -> None:
    def idioms(x: Any, m: Any, i: Any) -> Any:
        columns = (x[:, None], ug.expand_dims(m, axis=-1), ug.expand_dims(x, axis=0))
        turned = (m.T, m[::-1, 1:], ug.take(m, i, axis=0))
        reduced = (ug.sum(m), ug.sum(m, axis=1), ug.max(m, axis=0, keepdims=True))
        return *columns, *turned, *reduced, ug.clip(x, 0, 1), ug.where(x > 0, x, 0.5)

    source = ug.function(idioms).source("jax", "float32[3]", "float32[3, 4]", "int32[5]")
    (returned,) = [line for line in code_of(source) if "return" in line]
    assert returned.removeprefix("    return ").split(", x", 1)[0] == "x[:, None], m[..., None]"
    for idiom in (
        "x[None]", "m.T", "m[::-1, 1:]", "m.sum()", "m.sum(1)", "m.max(axis=0, keepdims=True)",
        "jnp.clip(x, 0.0, 1.0)", "jnp.where(x > 0.0, x, 0.5)",
    ):  # fmt: skip
        assert idiom in returned


@pytest.mark.parametrize("autodiff", ["graph", "native"])
def test_a_written_file_stands_alone(autodiff: Any, flag: bool) -> None:
    def model(x: Any) -> Any:
        return ug.sum(ug.abs(x[::-1]) ** 1.5 * ug.logsumexp(x) + ug.sign(x) * ug.hypot(x, 2.0))

    x = np.array([0.5, -1.5, 2.0], "float64" if flag else "float32")
    gradient = ug.grad(model, autodiff=autodiff)
    source = gradient.source("jax", x)
    assert "unigrad" not in source
    space: dict[str, Any] = {}
    exec(source, space)  # noqa: S102  (text that was written a line earlier)
    for alone in (space["model_grad"], jax.jit(space["model_grad"])):
        found = alone(jnp.asarray(x))
        assert found.dtype == x.dtype
        np.testing.assert_allclose(found, gradient(x), rtol=1e-12 if flag else 1e-5)


# -- values that JAX does not have -----------------------------------------------------------------


@MODES
def test_the_logarithm_of_the_gamma_function_is_exact_near_its_roots(target: str) -> None:
    x = np.concatenate([1 + np.logspace(-8, -0.31, 40), 2 - np.logspace(-8, -0.31, 40)])
    for dtype, rtol in (("float64", 1e-13), ("float32", 1e-6)):
        near = x.astype(dtype)
        with ug.use(target):
            found = ug.special.gammaln(near)
            assert ug.special.gammaln(np.array([1.0, 2.0], dtype)).tolist() == [0.0, 0.0]
        # SciPy's own has no digits left so near: by its Taylor series, 40 digits of mpmath.
        wanted = [float(mpmath.loggamma(float(one))) for one in near]
        np.testing.assert_allclose(found, wanted, rtol=rtol)


@MODES
@pytest.mark.parametrize("order", [0, 1, 2, 3, 4])
def test_the_polygamma_functions_are_right_on_both_sides_of_zero(order: int, target: str) -> None:
    x = np.array([
        -np.inf, -20.3, -5.3, -3.0, -1.0, -0.501, -0.1, -0.0, 0.0, 1e-3, 0.3, 1.0, 2.5, 30.0, 1e4,
        np.inf, np.nan,
    ])  # fmt: skip
    with ug.use("numpy"):
        wanted = ug.special.polygamma(order, x)
    with ug.use(target):
        for dtype, rtol in (("float64", 1e-12), ("float32", 3e-5)):
            found = ug.special.polygamma(order, x.astype(dtype))
            np.testing.assert_allclose(found, wanted, rtol=rtol)


@MODES
@pytest.mark.parametrize("source", ["float64", "float32", "float16", "bfloat16"])
def test_what_an_integer_does_not_hold_is_cast_as_numpy_does(source: str, target: str) -> None:
    edges = [2.0**7, 2.0**15, 2.0**31, 2.0**53, 2.0**63]
    values = [np.nan, np.inf, -np.inf, 0.0, -0.5, 255.9, 300.0, -129.0, *edges]
    with np.errstate(all="ignore"):
        x = np.array([*values, *(-one for one in edges), 1e19, 1e30]).astype(DTYPES[source].numpy)
        # Into uint32 NumPy itself casts by position: what is vectorised and what is not differ.
        for dtype in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint64"):
            with ug.use(target):
                np.testing.assert_array_equal(ug.astype(x, dtype), x.astype(dtype), dtype)


@MODES
def test_integers_have_powers_and_quotients_of_any_size(target: str) -> None:
    base, exponent = np.array([3, -2, 7, 0], "int32"), np.array([200, 31, 0, 0], "int32")
    with ug.use(target):
        np.testing.assert_array_equal(ug.pow(base, exponent), base**exponent)
        assert ug.floor_divide(base, 0 * base).tolist() == [0, 0, 0, 0]
        assert ug.remainder(base, 0 * base).tolist() == [0, 0, 0, 0]
        huge = np.array([2**64 - 1, 1], "uint64")
        even = ug.function(lambda x: ug.bitwise_and(x, np.uint64(2**64 - 2)))(huge)
    assert even.tolist() == [2**64 - 2, 0]


@MODES
def test_nan_is_not_lost_in_a_product_with_booleans(target: str) -> None:
    """XLA takes a product with a cast of booleans for a selection."""
    x = np.array([1.0, np.nan, 3.0])
    with ug.use(target):
        assert np.isnan(ug.grad(ug.max)(x)).all()
        product = ug.function(lambda x: ug.astype(x > 2, "float64") * (x / 0.0))(x)
    assert np.isnan(product[:2]).all()


# -- arrays in and out -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in DTYPES if not name.startswith("complex")])
def test_an_array_comes_back_as_one_with_all_its_bits(name: str, flag: bool) -> None:
    array = native(np.array([0, 1, 1]).astype(DTYPES[name].numpy))
    identity = ug.function(lambda x: (x, x[::-1]))
    for target in ("jax:jit", "jax:eager"):
        with ug.use(target):
            for _ in range(2):  # the general way, then the guard
                for back in identity(array):
                    assert isinstance(back, jax.Array)
                    assert back.dtype == DTYPES[name].numpy
    del flag


@MODES
def test_numpy_arrays_give_numpy_arrays_of_64_bits(target: str, flag: bool) -> None:
    del flag
    x, n = np.array([0.1, 0.7]), np.array([2**40, 3])

    def model(x: Any, n: Any) -> Any:
        return ug.sin(x) * np.array([1.1, 1.3]), n + 1, ug.sum(x), 2.5 * ug.argmax(n)

    with ug.use(target):
        for _ in range(2):
            sines, more, total, weighted = ug.function(model)(x, n)
            np.testing.assert_allclose(sines, np.sin(x) * [1.1, 1.3], rtol=1e-15)
            assert more.tolist() == [2**40 + 1, 4]
            assert (type(total), type(weighted)) == (np.float64, np.float64)
            assert weighted == 0.0
        gradient = ug.grad(lambda x: ug.sum(ug.sin(x)))(x)
    np.testing.assert_allclose(gradient, np.cos(x), rtol=1e-15)


@MODES
def test_results_may_be_written_to_and_share_nothing(target: str) -> None:
    x = np.arange(3.0)
    with ug.use(target):
        for _ in range(2):
            same, again = ug.function(lambda x: (x, x))(x)
            same[:] = 7.0
            assert x.tolist() == again.tolist() == [0.0, 1.0, 2.0]


def test_an_array_goes_to_its_own_framework_where_no_target_is_chosen() -> None:
    result = ug.function(lambda x: ug.sin(x) + 1)(jnp.zeros(2))
    assert isinstance(result, jax.Array)


@MODES
def test_a_weak_array_of_32_bits_stays_one_of_32_bits(target: str, flag: bool) -> None:
    x = jnp.asarray(2.0)
    assert x.weak_type
    triple = ug.function(lambda x: 3 * x + 1)
    with ug.use(target):
        for _ in range(2):
            found = triple(x)
            assert (found.dtype, found.item()) == (x.dtype, 7.0)
            assert not found.weak_type
    assert x.dtype == ("float64" if flag else "float32")


@MODES
def test_a_function_of_a_named_size_serves_every_size(target: str) -> None:
    total = ug.grad(lambda x: ug.sum(x * x) / x.shape[0])
    bare = total.compile("float64[n]", target=target)
    for size in (1, 4):
        found = bare(native(np.ones(size)))
        assert (found.dtype, found.tolist()) == (np.float64, [2.0 / size] * size)


def test_the_bare_callable_serves_the_caller_s_own_transforms() -> None:
    bare = ug.function(lambda x: ug.sum(ug.sin(x))).compile("float32[3]", target="jax")
    x = jnp.arange(3, dtype="float32")
    for found in (jax.grad(bare)(x), jax.jit(jax.grad(bare))(x)):
        np.testing.assert_allclose(found, np.cos(x), rtol=1e-6)


def test_what_is_no_array_of_numbers_is_refused() -> None:
    for value in (jax.random.key(0), jnp.zeros(3, "int4")):
        with pytest.raises(DTypeError, match=r"the argument x: unigrad has no dtype .*(key|int4)"):
            ug.function(lambda x: x)(value)


def test_the_old_random_keys_are_arrays_like_any_other() -> None:
    assert ug.function(lambda x: x)(jax.random.PRNGKey(0)).dtype == np.uint32


# -- the fast way ----------------------------------------------------------------------------------


@MODES
def test_the_guard_takes_what_it_was_made_for_and_nothing_else(target: str) -> None:
    @ug.function
    def double(x: Any) -> Any:
        return 2 * x

    x = jnp.ones(3, "float32")
    with ug.use(target):
        double(x)
        assert is_taken(double, x + 1)
        assert double(native(np.ones(3))).dtype == np.float64
        assert double(jnp.ones(2, "float32")).shape == (2,)
        assert type(double(np.ones(3))) is np.ndarray
        assert double(2.0) == 4.0
        double(x)
        assert jax.jit(double)(x).tolist() == [2.0, 2.0, 2.0]
        doubled, tangent = jax.jvp(double, (x,), (x,))
        assert doubled.tolist() == tangent.tolist()
        assert jax.vmap(double)(x).tolist() == [2.0, 2.0, 2.0]
        assert double(x).tolist() == [2.0, 2.0, 2.0]


# -- devices ---------------------------------------------------------------------------------------

TWO_DEVICES = """
import jax, jax.numpy as jnp, numpy as np, unigrad as ug

def model(x):
    scale = ug.where(x > 0, 1.0, 3.0) + ug.arange(3) + np.array([1.0, 2.0, 3.0])
    return ug.sum(ug.sin(x) * scale), ug.zeros((2,)), ug.eye(2), x

first, second = jax.devices()
function, x = ug.function(model), np.ones(3)
want = [np.asarray(one) for one in function(x)]
for target in ("jax:jit@cpu:1", "jax:eager@cpu:1", "jax@CPU:1", second):
    with ug.use(target if isinstance(target, str) else f"jax@cpu:{target.id}"):
        here = jax.device_put(jnp.ones(3), first)
        for _ in range(2):
            for array in (here, jax.device_put(here, second)):
                results = function(array)
                assert all(one.devices() == {second} for one in results), results
        for one, two in zip(function(x), want):
            np.testing.assert_allclose(one, two, rtol=1e-15)
        assert ug.zeros((2,)).devices() == {second}
        for autodiff in ("graph", "native"):
            gradient = ug.grad(lambda x: model(x)[0], autodiff=autodiff)
            assert gradient(here).devices() == {second}

there = jax.device_put(jnp.ones(3), second)
for target in (None, "jax", "jax:eager"):  # which name no device: where the array is
    with ug.use(target):
        for _ in range(2):
            assert all(one.devices() == {second} for one in function(there))
        assert jax.grad(lambda x: function(x)[0])(there).devices() == {second}
with ug.use("jax@cpu:0"):
    assert function(there)[0].devices() == {first}
    assert jax.grad(lambda x: function(x)[0])(there).devices() == {second}  # the caller's

spread = jax.device_put(
    np.arange(4.0, dtype="float32"),
    jax.sharding.NamedSharding(jax.make_mesh((2,), ("n",)), jax.sharding.PartitionSpec("n")),
)
for _ in range(2):
    doubled = ug.function(lambda x: 2 * x)(spread)
    assert doubled.tolist() == [0.0, 2.0, 4.0, 6.0]
    assert doubled.devices() == {first, second}

for target, kind in (("jax@cpu:5", "cpu:5"), ("jax@gpu:1", "gpu:1")):
    try:
        with ug.use(target):
            function(x)
    except ug.errors.TargetError as error:
        assert f"no device '{kind}' here; its devices are cpu:0 and cpu:1" in str(error), error
    else:
        raise AssertionError(target)
"""


def test_a_device_holds_everything_that_a_function_makes() -> None:
    environment = {
        **os.environ, "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }  # fmt: skip
    finished = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES], env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr


def test_a_device_that_is_not_here_is_told_with_those_that_are() -> None:
    if any(one.platform == "gpu" for one in jax.devices()):
        pytest.skip("there is a GPU")
    with (
        ug.use("jax@gpu"),
        pytest.raises(TargetError, match=r"no device 'gpu' here; its devices are cpu"),
    ):
        ug.sin(np.ones(3))


def test_a_signature_is_compiled_once(caplog: pytest.LogCaptureFixture) -> None:
    x = native(np.arange(7.0))
    function = ug.function(lambda x: ug.sum(ug.sin(x) * ug.cos(x)))
    with jax.log_compiles(), ug.use("jax:jit"):
        function(x)
        function(x)
    finished = [one for one in caplog.messages if "Finished XLA compilation" in one]
    assert len(finished) == 1
