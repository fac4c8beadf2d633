"""On the caller's TensorFlow tape, a function is one operation whose derivative is ours."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from unigrad.errors import DifferentiationError

if TYPE_CHECKING:
    from collections.abc import Callable

tf: Any = pytest.importorskip("tensorflow")


def model(x: Any, y: Any) -> Any:
    a = ug.tanh(x) * y + ug.sum(x * x)
    return a, ug.sum(a * a)


def kinks(x: Any) -> Any:
    return ug.sum(ug.abs(x) ** 3 * ug.maximum(x, 0.2) * ug.nn.relu(x + 1)) * ug.logsumexp(x)


def kinks_tensorflow(x: Any) -> Any:
    parts = tf.abs(x) ** 3 * tf.maximum(x, 0.2) * tf.nn.relu(x + 1)
    return tf.reduce_sum(parts) * tf.reduce_logsumexp(x)


def numbers(*shape: int, seed: int = 0) -> Any:
    return tf.constant(np.random.default_rng(seed).normal(size=shape))


def close(ours: Any, theirs: Any) -> None:
    for one, other in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@pytest.fixture(params=["graph", "native"])
def autodiff(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=["eager", "graph", "xla"])
def mode(request: pytest.FixtureRequest) -> Any:
    return request.param


def pulled(f: Callable[..., Any]) -> Callable[[Any], Any]:
    def gradient(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            result = f(x)
        return tape.gradient(result, x)

    return gradient


def pushed(f: Callable[..., Any]) -> Callable[[Any], Any]:
    def tangent(x: Any) -> Any:
        with tf.autodiff.ForwardAccumulator(x, tf.cos(x)) as accumulator:
            result = f(x)
        return accumulator.jvp(result)

    return tangent


NESTINGS: dict[str, tuple[Callable[..., Any], ...]] = {
    "reverse": (pulled,),
    "forward": (pushed,),
    "reverse over reverse": (pulled, pulled),
    "forward over reverse": (pushed, pulled),
    "reverse over forward": (pulled, pushed),
    "forward over forward": (pushed, pushed),
    "reverse, forward, reverse": (pulled, pushed, pulled),
    "forward, reverse, forward": (pushed, pulled, pushed),
    "forward three times": (pushed, pushed, pushed),
}


def nested(name: str, f: Callable[..., Any]) -> Callable[[Any], Any]:
    for kind in reversed(NESTINGS[name]):
        f = kind(f)
    return f


def compiled(f: Callable[..., Any], mode: str) -> Callable[..., Any]:
    """The caller's own function, as it is, as a ``tf.function`` or compiled by XLA."""
    return f if mode == "eager" else tf.function(f, jit_compile=mode == "xla" or None)


# -- tapes and accumulators ------------------------------------------------------------------------


@pytest.mark.parametrize("name", NESTINGS)
def test_a_function_goes_through_every_nesting(name: str, autodiff: Any, mode: str) -> None:
    x = numbers(4)
    ours = compiled(nested(name, ug.function(kinks, autodiff=autodiff)), mode)
    close(ours(x), nested(name, kinks_tensorflow)(x))


@pytest.mark.parametrize("target", ["tensorflow:eager", "tensorflow:xla"])
def test_whatever_way_the_function_itself_runs(target: str, mode: str) -> None:
    x = numbers(4)
    with ug.use(target):
        for name in ("reverse", "forward over reverse", "reverse over forward"):
            close(compiled(nested(name, ug.function(kinks)), mode)(x), nested(name, kinks_tensorflow)(x))


@pytest.mark.parametrize("inner", [pulled, pushed])
def test_a_derivative_around_the_callers_own_compiled_function(
    inner: Callable[..., Any], autodiff: Any
) -> None:
    x = numbers(4)
    for mode in ("graph", "xla"):
        ours = compiled(ug.function(kinks, autodiff=autodiff), mode)
        close(inner(ours)(x), inner(kinks_tensorflow)(x))
        close(pushed(inner(ours))(x), pushed(inner(kinks_tensorflow))(x))


def test_a_gradient_is_a_function_like_any_other_on_the_tape(autodiff: Any) -> None:
    x = numbers(4)
    gradient = ug.grad(kinks, autodiff=autodiff)
    close(gradient(x), pulled(kinks_tensorflow)(x))
    close(pulled(gradient)(x), pulled(pulled(kinks_tensorflow))(x))
    close(pushed(gradient)(x), pushed(pulled(kinks_tensorflow))(x))


def test_a_persistent_tape_is_asked_twice(autodiff: Any) -> None:
    x, y = numbers(3), numbers(3, seed=1)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, y])
        a, total = ug.function(model, autodiff=autodiff)(x, y)
    with tf.GradientTape() as other:
        other.watch([x, y])
        theirs = tf.tanh(x) * y + tf.reduce_sum(x * x)
        square = tf.reduce_sum(theirs * theirs)
    close(tape.gradient(total, [x, y]), other.gradient(square, [x, y]))
    close(tape.gradient(a, y), tf.tanh(x))


def test_jacobians(autodiff: Any) -> None:
    x = numbers(3)
    function = ug.function(lambda x: ug.abs(x) * ug.cumsum_free(x), autodiff=autodiff) if 0 else ug.function(
        lambda x: ug.abs(x) * ug.sum(ug.hypot(x, x * x)), autodiff=autodiff
    )

    def theirs(x: Any) -> Any:
        return tf.abs(x) * tf.reduce_sum(tf.sqrt(x * x + x**4))

    for f in (function, theirs):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = f(x)
            rows = tf.stack([f(x), f(2.0 * x)])
        results = tape.jacobian(y, x), tape.jacobian(y, x, experimental_use_pfor=False)
        close(results[0], results[1])
        if f is function:
            ours = results[0]
            del rows
        else:
            close(ours, results[0])


def test_batch_jacobian(autodiff: Any) -> None:
    x = numbers(2, 3)
    results = []
    for f in (ug.function(lambda x: ug.hypot(x, x * x), autodiff=autodiff), lambda x: tf.sqrt(x * x + x**4)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        results.append(tape.batch_jacobian(y, x))
    close(*results)


def test_hessian_by_the_jacobian_of_a_gradient(autodiff: Any) -> None:
    x = numbers(3)
    results = []
    for f in (ug.function(kinks, autodiff=autodiff), kinks_tensorflow):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = f(x)
            g = inner.gradient(y, x)
        results.append(outer.jacobian(g, x))
    close(*results)


@pytest.mark.parametrize("kind", [lambda f: f, pulled, pushed])
def test_vectorized_map(kind: Callable[..., Any], autodiff: Any) -> None:
    rows = numbers(3, 4)
    ours = tf.vectorized_map(kind(ug.function(kinks, autodiff=autodiff)), rows)
    close(ours, tf.stack([kind(kinks_tensorflow)(row) for row in rows]))


def test_a_custom_gradient_of_the_caller_around_it(autodiff: Any) -> None:
    function = ug.function(kinks, autodiff=autodiff)

    @tf.custom_gradient
    def reversed_(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        gradient = tape.gradient(y, x)
        return y, lambda g: -g * gradient

    x = numbers(4)
    close(pulled(reversed_)(x), -pulled(kinks_tensorflow)(x))


def test_a_tape_that_stopped_recording_sees_nothing(autodiff: Any) -> None:
    x = numbers(4)
    function = ug.function(kinks, autodiff=autodiff)
    with tf.GradientTape() as tape:
        tape.watch(x)
        with tape.stop_recording():
            y = function(x)
    assert tape.gradient(y, x) is None


# -- arguments and results -------------------------------------------------------------------------


def test_what_does_not_matter_gets_zeros_and_integers_get_nothing(autodiff: Any, mode: str) -> None:
    @ug.function(autodiff=autodiff)
    def chosen(x: Any, unused: Any, count: Any) -> Any:
        del unused
        return ug.sum(x * ug.astype(count, x.dtype)), count + 1, ug.floor(x)

    def run(x: Any, unused: Any, count: Any) -> Any:
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([x, unused, count] if 0 else [x, unused])
            total, more, floor = chosen(x, unused, count)
        zero = tf.UnconnectedGradients.ZERO
        return (
            tape.gradient(total, [x, unused], unconnected_gradients=zero),
            tape.gradient(floor, x, unconnected_gradients=zero),
            more,
        )

    x, unused, count = numbers(3), numbers(2), tf.constant([1, 2, 3])
    gradients, slope, more = compiled(run, mode)(x, unused, count)
    assert [one.numpy().tolist() for one in gradients] == [[1.0, 2.0, 3.0], [0.0, 0.0]]
    assert slope.numpy().tolist() == [0.0, 0.0, 0.0]
    assert more.dtype == count.dtype


def test_inputs_that_are_returned_and_results_returned_twice(autodiff: Any, mode: str) -> None:
    @ug.function(autodiff=autodiff)
    def passing(x: Any) -> Any:
        y = ug.sin(x)
        return x, x, y, y, x.reshape((3, 1)), ug.astype(x, "int64")

    def total(x: Any) -> Any:
        first, again, y, twice, column, whole = passing(x)
        assert whole.dtype == tf.int64
        parts = (first, 2 * again, y, 3 * twice, 5 * column)
        return tf.add_n([tf.reduce_sum(part) for part in parts])

    x = numbers(3)
    close(compiled(pulled(total), mode)(x), 8 + 4 * tf.cos(x))
    close(compiled(pushed(total), mode)(x), tf.reduce_sum((8 + 4 * tf.cos(x)) * tf.cos(x)))


def test_numpy_arrays_beside_a_followed_tensor_travel_along(mode: str) -> None:
    function = ug.function(lambda x, y: ug.sum(x * y))
    result = compiled(pulled(lambda x: function(x, np.arange(3.0))), mode)(numbers(3))
    assert result.numpy().tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_gradients_have_the_dtype_of_the_tensor(dtype: str) -> None:
    x = tf.ones(3, dtype=dtype)
    gradient = pulled(ug.function(lambda x: ug.sum(ug.exp(2 * x))))(x)
    assert (gradient.dtype, gradient.shape) == (x.dtype, x.shape)


def test_a_variable_is_trained(autodiff: Any, mode: str) -> None:
    weights = tf.Variable(tf.zeros(2, dtype=tf.float64))
    loss = ug.function(lambda w: ug.sum((w - 1) ** 2), autodiff=autodiff)

    def step() -> Any:
        with tf.GradientTape() as tape:
            value = loss(weights)
        weights.assign_sub(0.25 * tape.gradient(value, weights))
        return value

    step = compiled(step, mode)
    for _ in range(60):
        step()
    close(weights.value(), tf.ones(2, dtype=tf.float64))


# -- captured tensors ------------------------------------------------------------------------------


def test_a_captured_variable_gets_its_gradient_and_is_read_anew(autodiff: Any, mode: str) -> None:
    scale = tf.Variable(np.ones(3))
    predict = ug.function(lambda x: ug.sum(x * scale * scale), autodiff=autodiff)

    def run(x: Any) -> Any:
        with tf.GradientTape() as tape:
            value = predict(x)
        return value, tape.gradient(value, scale)

    run, x = compiled(run, mode), tf.constant([1.0, 2.0, 3.0], tf.float64)
    close(run(x), (6.0, np.array([2.0, 4.0, 6.0])))
    scale.assign(2 * scale)
    close(run(x), (24.0, np.array([4.0, 8.0, 12.0])))


def test_a_captured_tensor_that_is_followed_gets_its_gradient(autodiff: Any, mode: str) -> None:
    def total(scale: Any) -> Any:
        function = ug.function(lambda x: ug.sum(x * scale * scale), autodiff=autodiff)
        inner = ug.grad(lambda x: ug.sum(x * scale * scale), autodiff=autodiff)
        return function(np.arange(3.0)) if 0 else function(tf.range(3.0, dtype=tf.float64)) + tf.reduce_sum(
            inner(tf.range(3.0, dtype=tf.float64))
        )

    scale = numbers(3)
    close(compiled(pulled(total), mode)(scale), 2 * scale * (np.arange(3.0) + 1))


def test_another_target_refuses_a_captured_tensor_on_the_tape() -> None:
    weights = numbers(3)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        with ug.use("numpy"), pytest.raises(DifferentiationError, match="detach it"):
            ug.function(lambda x: ug.sum(x * weights))(np.ones(3))


# -- the caller's own graphs -----------------------------------------------------------------------


def test_a_function_of_the_caller_with_autograph_and_its_log(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], mode: str
) -> None:
    function = ug.function(kinks)

    def chosen(x: Any) -> Any:
        if tf.reduce_sum(x) > 0:  # AutoGraph makes a tf.cond of it
            return function(x)
        return function(-2 * x)

    x = numbers(4)
    chosen = tf.function(chosen, jit_compile=mode == "xla" or None) if mode != "eager" else chosen
    close(chosen(x), kinks_tensorflow(x if tf.reduce_sum(x) > 0 else -2 * x))
    assert "AutoGraph" not in caplog.text + capfd.readouterr().err


def test_many_functions_in_graphs_of_the_caller_and_no_complaint_about_retracing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for power in range(8):
        function = ug.function(lambda x, power=power: ug.sum(ug.hypot(x, x) ** power))
        for autodiff in ("graph", "native"):
            with ug.use("tensorflow", autodiff=autodiff):
                tf.function(pulled(function))(numbers(3))
                pushed(function)(numbers(3))
    assert "retracing" not in caplog.text


def test_graphs_go_when_nobody_needs_them() -> None:
    from tensorflow.python.framework.func_graph import FuncGraph  # noqa: PLC0415

    def alive() -> int:
        gc.collect()
        return sum(isinstance(one, FuncGraph) for one in gc.get_objects())

    def once(autodiff: str) -> None:
        function = ug.function(lambda x: ug.sum(ug.hypot(x, x)), autodiff=autodiff)  # type: ignore[arg-type]
        tf.function(pulled(function))(numbers(3))

    for autodiff in ("graph", "native"):
        once(autodiff)
        before = alive()
        for _ in range(3):
            once(autodiff)
        assert alive() <= before
