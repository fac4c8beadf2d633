"""TensorFlow's table and runtime: what is written, arrays in and out, devices, the fast way."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from tests.guarded import is_taken
from unigrad.errors import DTypeError, TargetError
from unigrad.ir.types import DTYPES
from unigrad.ops.spec import OPS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from unigrad.ops.spec import Op

tf: Any = pytest.importorskip("tensorflow")

MODES = ("tensorflow:eager", "tensorflow:graph", "tensorflow:xla")
EXACT = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")

# -- what is written -------------------------------------------------------------------------------


@pytest.mark.parametrize("autodiff", ["graph", "native"])
def test_a_written_file_stands_alone(autodiff: Any) -> None:
    def model(x: Any) -> Any:
        return ug.sum(ug.abs(x[::-1]) ** 1.5 * ug.logsumexp(x) + ug.sign(x) * ug.cbrt(x))

    x = np.array([0.5, -1.5, 2.0])
    gradient = ug.grad(model, autodiff=autodiff)
    source = gradient.source("tensorflow", x)
    assert "unigrad" not in source
    space: dict[str, Any] = {}
    exec(source, space)  # noqa: S102  (text that was written a line earlier)
    for run in (space["model_grad"], tf.function(space["model_grad"], jit_compile=True)):
        np.testing.assert_allclose(run(tf.constant(x)), gradient(x), rtol=1e-12)


def test_xla_has_a_table_of_its_own() -> None:
    sources = [ug.function(ug.linalg.solve).source(mode, np.eye(2), np.ones(2)) for mode in MODES]
    assert ["slogdet" in source for source in sources] == [True, True, False]


# -- values that modes have to agree on ------------------------------------------------------------


def of_many(functions: dict[str, Callable[[Any], Any]]) -> Callable[..., Any]:
    return lambda groups: {name: f(groups[name]) for name, f in functions.items()}


@pytest.mark.parametrize("target", MODES[1:])
def test_every_dtype_has_a_kernel_also_when_compiled(target: str) -> None:
    """One function of every elementwise op of integers, and of the products, in every dtype."""
    functions: dict[str, Any] = {}
    arguments: dict[str, Any] = {}
    values = {name: [0, 1, 3, 5, 100] for name in EXACT[:8]} | {"bool": [0, 1, 1]}
    for name, op in OPS.items():
        if not op.elementwise or op.params or name == "where":
            continue
        for dtype in EXACT:
            x = np.array(values[dtype], dtype)
            arrays = [x, x[::-1].copy(), x][: len(op.operands)]
            if _refuses(op, arrays) or (name == "pow" and dtype.startswith("int")):
                continue
            label = f"{name} of {dtype}"
            functions[label] = lambda xs, op=op: op(*xs)
            arguments[label] = arrays
    for dtype in EXACT[:8]:
        x = np.arange(6).reshape(2, 3).astype(dtype)
        functions[f"products of {dtype}"] = lambda xs: (
            xs[0] @ xs[1], ug.tensordot(xs[0], xs[0], axes=2), ug.einsum("ij,kj->ik", xs[0], xs[0]),
            ug.sum(xs[0]), ug.prod(xs[0], axis=0), ug.max(xs[0]),
            ug.take(xs[1], ug.astype(xs[1][:, 0], "int64") % 3, axis=0),
        )  # fmt: skip
        arguments[f"products of {dtype}"] = [x, x.T.copy()]
    labels = list(functions)
    for start in range(0, len(labels), 60):
        part = labels[start : start + 60]
        function = ug.function(of_many({label: functions[label] for label in part}))
        groups = {label: arguments[label] for label in part}
        with ug.use("numpy"):
            want = function(groups)
        with ug.use(target):
            got = function(groups)
        for label in part:
            results = tf.nest.flatten(got[label]), tf.nest.flatten(want[label])
            for ours, theirs in zip(*results, strict=True):
                assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), label
                np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15, err_msg=label)


def _refuses(op: Op[...], arrays: list[Any]) -> bool:
    try:
        with ug.use("numpy"):
            op(*arrays)
    except DTypeError:
        return True
    return False


@pytest.mark.parametrize("target", MODES)
def test_shifts_and_powers_beyond_the_bits(target: str) -> None:
    x = np.array([-3, 1, 5, 7], np.int64)
    by = np.array([64, 70, 3, -1], np.int64)
    base, exponent = np.array([3, 2, 5], np.uint8), np.array([200, 255, 64], np.uint8)

    def beyond(x: Any, by: Any, base: Any, exponent: Any) -> Any:
        return (
            ug.bitwise_left_shift(x, by), ug.bitwise_right_shift(x, by), base**exponent,
            base // (exponent - 64), base % (exponent - 64), -base,
        )  # fmt: skip

    with ug.use("numpy"):
        want = ug.function(beyond)(x, by, base, exponent)
    with ug.use(target):
        got = ug.function(beyond)(x, by, base, exponent)
    for ours, theirs in zip(got, want, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("target", MODES)
def test_nan_is_the_extremum_of_rows_and_pairs(target: str) -> None:
    rows = np.array([[1.0, np.nan, 3.0], [np.nan, 2.0, np.inf], [-np.inf, 1.0, np.nan]])

    def extrema(x: Any) -> Any:
        y = x[:, ::-1]
        return (
            ug.max(x, axis=1), ug.min(x), ug.argmax(x, axis=1), ug.argmin(x), ug.maximum(x, y),
            ug.minimum(y, x), ug.maximum(x, 2.0), ug.minimum(2.0, x), ug.fmax(x, y),
            ug.fmin(x, 2.0), ug.clip(x, y, 2.0), ug.clip(1.0, y, x), ug.nn.softmax(x),
            ug.logsumexp(x, axis=0),
        )  # fmt: skip

    with ug.use("numpy"):
        want = ug.function(extrema)(rows)
    for dtype in ("float64", "float32"):
        with ug.use(target):
            got = ug.function(extrema)(rows.astype(dtype))
        for ours, theirs in zip(got, want, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize("target", MODES)
def test_matrices_that_fail_in_a_stack(target: str) -> None:
    stack = np.stack([
        [[2.0, 0.5], [0.5, 1.0]], [[1.0, 2.0], [2.0, 4.0]], np.zeros((2, 2)),
        [[0.0, 1.0], [1.0, 0.0]], [[np.nan, np.nan], [np.nan, 1.0]], [[1e-200, 0.0], [0.0, 1e-200]],
    ])  # fmt: skip

    def decomposed(a: Any) -> Any:
        right = ug.ones((2, 1))
        triangular = ug.linalg.solve_triangular(a, right, lower=True)
        return ug.linalg.cholesky(a), ug.linalg.solve(a, right), triangular

    with ug.use("numpy"):
        want = ug.function(decomposed)(stack)
    with ug.use(target):
        got = ug.function(decomposed)(stack)
    for ours, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_complex_numbers_and_text_are_refused_before_anything_runs() -> None:
    for tensor in (tf.constant("text"), tf.constant([1, 2], tf.qint8)):
        with pytest.raises(DTypeError, match="is not an array of numbers"):
            ug.function(lambda x: x)(tensor)


# -- arrays in and out -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in DTYPES if not name.startswith("complex")])
def test_a_tensor_comes_back_as_one(name: str) -> None:
    tensor = tf.cast(tf.ones(3), name)
    for target in MODES:
        with ug.use(target):
            assert ug.function(lambda x: x)(tensor).dtype == tensor.dtype


def test_a_tensor_goes_to_its_own_framework_where_no_target_is_chosen() -> None:
    result = ug.function(lambda x: ug.sin(x) + 1)(tf.zeros(2, tf.float64))
    assert isinstance(result, tf.Tensor)


def test_a_variable_is_read() -> None:
    variable = tf.Variable([1.0, 2.0])
    double = ug.function(lambda x: 2 * x)
    assert double(variable).numpy().tolist() == [2.0, 4.0]
    variable.assign([3.0, 4.0])
    assert double(variable).numpy().tolist() == [6.0, 8.0]


@pytest.mark.parametrize("target", MODES)
def test_results_are_writable_arrays_with_memory_of_their_own(target: str) -> None:
    x = np.arange(6.0)

    def views(x: Any) -> Any:
        return x, x.reshape((2, 3)), x[1:], ug.stop_gradient(x), x + 0.0

    with ug.use(target):
        for _ in range(2):  # the general way, then the guard
            results = ug.function(views)(x)
            for result in results:
                assert not np.shares_memory(result, x)
                result[...] = 7.0
            assert x.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize("target", MODES)
def test_a_tensor_that_comes_out_does_not_share_the_memory_of_an_array_that_went_in(
    target: str,
) -> None:
    array = np.zeros(256)  # large enough to be shared by TensorFlow as it is
    captured = np.zeros(256)

    def views(x: Any, y: Any) -> Any:
        return y, y.reshape((16, 16)), x + y, ug.asarray(captured).reshape((16, 16)) * 1

    function = ug.function(views)
    with ug.use(target):
        results = function(tf.zeros(256, tf.float64), array)
        array[:] = 1.0
        captured[:] = 1.0
        assert [float(tf.reduce_sum(one)) for one in results] == [0.0] * 4


@pytest.mark.parametrize("target", MODES)
def test_arrays_of_every_layout_go_in(target: str) -> None:
    read_only = np.arange(6.0).reshape(2, 3)
    read_only.flags.writeable = False
    unaligned = np.frombuffer(b"\0" * 4 + np.arange(6.0).tobytes(), np.float64, offset=4)
    arrays = [
        read_only, read_only.T, np.arange(24.0).reshape(4, 6)[::-2, ::3], unaligned.reshape(2, 3),
        np.arange(6.0).reshape(2, 3).astype(">f8"), np.asfortranarray(read_only), np.zeros((0, 3)),
    ]  # fmt: skip
    with ug.use(target):
        for array in arrays:
            for _ in range(2):
                np.testing.assert_array_equal(ug.square(array), np.square(array))


# -- devices ---------------------------------------------------------------------------------------


def test_a_device_that_is_not_here_is_told_with_those_that_are() -> None:
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("there is a GPU")
    for target in ("tensorflow@gpu", "tensorflow:eager@gpu:1"):
        with ug.use(target), pytest.raises(TargetError, match=r"no device 'gpu.* are cpu"):
            ug.sin(np.ones(3))


DEVICES = """
import numpy as np
import tensorflow as tf
import unigrad as ug
from unigrad.backend import registry

runtime = registry.runtime(registry.found("tensorflow"))
cpu = tf.config.list_physical_devices("CPU")[0]
# This would raise if importing the runtime had initialised TensorFlow.
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
assert runtime.devices() == ["cpu", "cpu:1"], runtime.devices()


def model(x):
    scale = ug.where(x > 0, 1.0, 3.0) + ug.arange(3) + np.array([1.0, 2.0, 3.0])
    return ug.sum(ug.sin(x) * scale), ug.zeros((2,)), ug.eye(2), x


def places(values):
    return {one.device[-5:] for one in tf.nest.flatten(values)}


x = tf.ones(3, tf.float64)
with tf.device("CPU:1"):
    there = tf.ones(3, tf.float64)
for mode in ("eager", "graph", "xla"):
    for autodiff in ("graph", "native"):
        function = ug.function(model, autodiff=autodiff)
        gradient = ug.grad(lambda x: model(x)[0], autodiff=autodiff)
        with ug.use(f"tensorflow:{mode}@cpu:1"):
            for _ in range(2):
                assert places(function(x)) == places(gradient(x)) == {"CPU:1"}
            assert all(isinstance(one, (np.ndarray, float)) for one in function(np.ones(3)))
        with ug.use(f"tensorflow:{mode}"):
            for _ in range(2):
                assert places(function(there)) == places(gradient(there)) == {"CPU:1"}
                assert places(function(x)) == {"CPU:0"}
            with tf.GradientTape() as tape:
                tape.watch(there)
                value = function(there)[0]
            assert places(value) == {"CPU:1"}
            if autodiff == "graph":  # in native mode it is TensorFlow's own gradient
                assert places(tape.gradient(value, there)) == {"CPU:1"}
print("right")
"""


def run_alone(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A program in a process of its own."""
    file = folder / "program.py"
    file.write_text(program)
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(
        [sys.executable, file], capture_output=True, text=True, check=False, env=environment
    )


def test_a_device_holds_everything_that_a_function_makes(tmp_path: Path) -> None:
    ran = run_alone(DEVICES, tmp_path)
    assert (ran.returncode, ran.stdout) == (0, "right\n"), ran.stderr


GROWTH = """
import numpy as np
import tensorflow as tf
import unigrad as ug

asked, listed = [], tf.config.list_physical_devices
tf.config.list_physical_devices = lambda kind=None: ["a GPU"] if kind == "GPU" else listed(kind)
tf.config.experimental.set_memory_growth = lambda gpu, on: asked.append((gpu, on, running()))


def running():
    from tensorflow.python.eager import context
    return context.context()._initialized


with ug.use("tensorflow"):
    ug.sin(np.ones(3))
print(asked, running())
"""


def test_memory_growth_is_asked_for_before_tensorflow_starts(tmp_path: Path) -> None:
    ran = run_alone(GROWTH, tmp_path)
    assert ran.stdout == "[('a GPU', True, False)] True\n", ran.stderr


# -- the fast way ----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", MODES)
def test_the_guard_takes_what_it_was_made_for_and_nothing_else(target: str) -> None:
    @ug.function
    def double(x: Any) -> Any:
        return 2 * x

    x = tf.ones(3, tf.float64)
    with ug.use(target):
        double(x)
        assert is_taken(double, x + 1)
        assert double(tf.cast(x, tf.float32)).dtype == tf.float32
        assert double(tf.ones(2, tf.float64)).shape == (2,)
        assert double(tf.ones((3, 1), tf.float64)).shape == (3, 1)
        assert double(tf.Variable(x)).numpy().tolist() == [2.0, 2.0, 2.0]
        double(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = double(x)
        assert tape.gradient(y, x).numpy().tolist() == [2.0, 2.0, 2.0]
        with tf.autodiff.ForwardAccumulator(x, 3 * x) as accumulator:
            y = double(x)
        assert accumulator.jvp(y).numpy().tolist() == [6.0, 6.0, 6.0]
        traced = tf.function(double)(x)
        assert traced.numpy().tolist() == [2.0, 2.0, 2.0]
        with tf.GradientTape():  # which follows nothing of ours
            assert double(x).numpy().tolist() == [2.0, 2.0, 2.0]
