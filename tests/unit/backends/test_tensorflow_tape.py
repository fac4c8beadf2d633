"""On the caller's TensorFlow tape, a function is one operation whose derivative is ours."""

from __future__ import annotations

import gc
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from unigrad.errors import DifferentiationError, DTypeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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
}


def nested(name: str, f: Callable[..., Any]) -> Callable[[Any], Any]:
    for kind in reversed(NESTINGS[name]):
        f = kind(f)
    return f


def compiled(f: Callable[..., Any], mode: str) -> Callable[..., Any]:
    """The caller's own function, as it is, as a ``tf.function`` or compiled by XLA."""
    return f if mode == "eager" else tf.function(f, jit_compile=mode == "xla" or None)


# -- tapes and accumulators ------------------------------------------------------------------------


def is_beyond_tensorflow(name: str, autodiff: str, mode: str) -> bool:
    """What TensorFlow gets wrong over operations of its own, which native mode leaves to it."""
    if autodiff == "graph":
        return False
    if mode == "eager":  # an accumulator inside another, with a tape between them or without
        return NESTINGS[name].count(pushed) > 1
    return NESTINGS[name][:2] == (pushed, pushed)  # two accumulators over a tf.where


def by_our_rules(name: str) -> Any:
    """The nested derivative on NumPy: TensorFlow's own would be wrong for some nestings."""
    f: Callable[..., Any] = kinks
    for kind in reversed(NESTINGS[name]):
        if kind is pulled:
            f = ug.grad(lambda x, f=f: ug.sum(f(x)))
        else:
            f = lambda x, f=f: ug.jvp(f, (x,), (ug.cos(x),))[1]  # noqa: E731
    with ug.use("numpy"):
        return ug.function(f)(numbers(4).numpy())


@pytest.mark.parametrize("name", NESTINGS)
def test_a_function_goes_through_every_nesting(name: str, autodiff: Any, mode: str) -> None:
    if is_beyond_tensorflow(name, autodiff, mode):
        pytest.skip("TensorFlow fails by itself, see the next tests")
    ours = compiled(nested(name, ug.function(kinks, autodiff=autodiff)), mode)
    close(ours(numbers(4)), by_our_rules(name))


ALONE = """
import tensorflow as tf

x = tf.constant([0.5, 1.0], tf.float64)
with tf.autodiff.ForwardAccumulator(x, x) as outer:
    with tf.autodiff.ForwardAccumulator(x, tf.cos(x)) as inner:
        y = tf.reduce_sum(x * x * x * x)
    y = inner.jvp(y)
print(float(outer.jvp(y)))
"""


def test_an_accumulator_inside_another_errs_without_us(tmp_path: Path) -> None:
    """In a process of its own: TensorFlow keeps what it has worked out wrongly, for later calls."""
    program = tmp_path / "program.py"
    program.write_text(ALONE)
    ran = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    x = np.array([0.5, 1.0])
    want = np.sum(x * (12 * x**2 * np.cos(x) - 4 * x**3 * np.sin(x)))
    assert abs(float(ran.stdout) / want - 1) > 0.01


def test_a_variable_that_is_watched_is_followed(mode: str) -> None:
    weights = tf.Variable([1.0, 2.0, 3.0], trainable=False)
    with ug.use(f"tensorflow:{mode}"), tf.GradientTape() as tape:
        tape.watch(weights)
        total = ug.function(lambda x: ug.sum(x * x))(weights)
    assert tape.gradient(total, weights).numpy().tolist() == [2.0, 4.0, 6.0]


def test_two_accumulators_in_a_graph_fail_without_us() -> None:
    twice = nested("forward over forward", lambda x: tf.where(x > 0, x * x, x))
    with pytest.raises(IndexError):
        tf.function(twice, autograph=False)(numbers(4))


@pytest.mark.parametrize("target", ["tensorflow:eager", "tensorflow:xla"])
def test_whatever_way_the_function_itself_runs(target: str, mode: str) -> None:
    x = numbers(4)
    with ug.use(target):
        for name in ("reverse", "forward over reverse", "reverse over forward"):
            ours = compiled(nested(name, ug.function(kinks)), mode)
            close(ours(x), nested(name, kinks_tensorflow)(x))


@pytest.mark.parametrize("autodiff", ["graph", "native"])
@pytest.mark.parametrize("around", ["graph", "xla"])
def test_a_derivative_around_the_callers_own_compiled_function(around: str, autodiff: Any) -> None:
    x = numbers(4)
    ours = compiled(ug.function(kinks, autodiff=autodiff), around)
    for name in ("reverse", "forward", "reverse over reverse", "forward over reverse"):
        close(nested(name, ours)(x), nested(name, kinks_tensorflow)(x))


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


def lengths(x: Any) -> Any:
    return ug.abs(x) * ug.sum(ug.hypot(x, x * x))


def lengths_tensorflow(x: Any) -> Any:
    return tf.abs(x) * tf.reduce_sum(tf.sqrt(x * x + x**4))


@pytest.mark.parametrize("by_pfor", [True, False])
def test_jacobian(by_pfor: bool, autodiff: Any) -> None:
    def jacobian(f: Callable[..., Any], x: Any) -> Any:
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = f(x)
        return tape.jacobian(y, x, experimental_use_pfor=by_pfor)

    x = numbers(3)
    ours = jacobian(ug.function(lengths, autodiff=autodiff), x)
    close(ours, jacobian(lengths_tensorflow, x))


def test_batch_jacobian(autodiff: Any) -> None:
    def jacobians(f: Callable[..., Any], x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        return tape.batch_jacobian(y, x)

    x = numbers(2, 3)
    ours = ug.function(lambda x: ug.hypot(x, x * x), autodiff=autodiff)
    close(jacobians(ours, x), jacobians(lambda x: tf.sqrt(x * x + x**4), x))


def test_hessian_by_the_jacobian_of_a_gradient(autodiff: Any) -> None:
    x = numbers(3)

    def hessian(f: Callable[..., Any]) -> Any:
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = f(x)
            gradient = inner.gradient(y, x)
        return outer.jacobian(gradient, x)

    close(hessian(ug.function(kinks, autodiff=autodiff)), hessian(kinks_tensorflow))


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
            tape.watch([x, unused])
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
        def weighed(x: Any) -> Any:
            return ug.sum(x * scale * scale)

        places = tf.range(3.0, dtype=tf.float64)
        gradient = ug.grad(weighed, autodiff=autodiff)(places)
        return ug.function(weighed, autodiff=autodiff)(np.arange(3.0)) + tf.reduce_sum(gradient)

    scale = numbers(3)
    close(compiled(pulled(total), mode)(scale), 2 * scale * (np.arange(3.0) + 1))


def test_another_target_refuses_a_captured_tensor_on_the_tape() -> None:
    weights = numbers(3)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        with ug.use("numpy"), pytest.raises(DifferentiationError, match="detach it"):
            ug.function(lambda x: ug.sum(x * weights))(np.ones(3))


# -- the caller's own graphs -----------------------------------------------------------------------


def test_a_branch_of_the_callers_by_autograph(mode: str) -> None:
    function = ug.function(kinks)

    def chosen(x: Any) -> Any:
        if tf.reduce_sum(x) > 0:  # AutoGraph makes a tf.cond of it
            return function(x)
        return function(-2 * x)

    for x in (numbers(4), -numbers(4)):
        wanted = chosen(x)
        close(compiled(chosen, mode)(x), wanted)


def test_autograph_leaves_unigrad_alone(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("""
import tensorflow as tf
import unigrad as ug

@tf.function
def run(x):
    gradient = ug.grad(lambda x: ug.sum(ug.abs(x) ** 3))(x)
    value, pull = ug.vjp(lambda x: ug.clip(x, 0.0, 1.0), x)
    return ug.sum(ug.tanh(x)) + ug.einsum("i,i->", x, gradient) + tf.reduce_sum(pull(value)[0])

print(round(float(run(tf.ones(3))), 4))
""")
    ran = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    assert ran.stdout == "14.2848\n"
    assert "AutoGraph" not in ran.stderr


def test_numpy_arrays_stay_numpy_arrays_while_a_graph_is_built(mode: str) -> None:
    seen: list[Any] = []

    def run(x: Any) -> Any:
        with ug.use("tensorflow"):
            seen.append(ug.sin(np.ones(3)))
        return x * seen[-1]

    close(compiled(run, mode)(numbers(3)), numbers(3) * np.sin(1.0))
    assert isinstance(seen[0], np.ndarray)


# -- sizes that are not known while a graph is built -----------------------------------------------


def regression(X: Any, y: Any, w: Any) -> Any:
    errors = ug.concat([ug.tanh(X @ w) - y, y])
    return ug.mean(errors**2) + ug.prod(w) * ug.sum(errors[1:]), errors


def signature(*sizes: Any) -> Any:
    shapes = ([*sizes[:1], 3], sizes[1:], [3])
    return [tf.TensorSpec(shape, tf.float64) for shape in shapes]


@pytest.mark.parametrize("target", ["tensorflow:graph", "tensorflow:eager", "tensorflow:xla"])
@pytest.mark.parametrize("by_xla", [None, True])
def test_a_batch_of_unknown_size(target: str, by_xla: Any, autodiff: Any) -> None:
    function = ug.function(regression, autodiff=autodiff)

    def run(*args: Any) -> Any:
        with ug.use(target), tf.GradientTape() as outer:
            outer.watch(args)
            with tf.GradientTape() as inner:
                inner.watch(args)
                loss, errors = function(*args)
                total = loss + tf.reduce_sum(errors**3)
            first = inner.gradient(total, args)
            square = tf.add_n([tf.reduce_sum(one**2) for one in first])
        return loss, first, outer.gradient(square, args)

    built = tf.function(run, input_signature=signature(None, None), jit_compile=by_xla)
    for size in (1, 5):
        args = numbers(size, 3), numbers(size, seed=1), numbers(3, seed=2)
        close(built(*args), run(*args))
    for size in (4, 1):  # a single one would be repeated, and its gradient have another shape
        with pytest.raises(tf.errors.InvalidArgumentError):
            built(numbers(5, 3), numbers(size), numbers(3))


def test_unknown_sizes_that_differ_are_told() -> None:
    built = tf.function(ug.function(regression), input_signature=signature(None, None))
    with pytest.raises(tf.errors.InvalidArgumentError, match="unknown while the graph was built"):
        built(numbers(5, 3), numbers(1), numbers(3))


def test_an_unknown_number_of_axes_is_refused() -> None:
    built = tf.function(ug.function(ug.sum), input_signature=[tf.TensorSpec(None, tf.float64)])
    with pytest.raises(DTypeError, match="a number of axes that is not known"):
        built(numbers(3))


# -- what is left behind ---------------------------------------------------------------------------


def test_many_functions_and_no_complaint_about_tracing(caplog: pytest.LogCaptureFixture) -> None:
    tf.get_logger().addHandler(caplog.handler)
    try:
        for power in range(8):
            function = ug.function(lambda x, power=power: ug.sum(ug.hypot(x, x) ** power))
            for autodiff in ("graph", "native"):
                with ug.use("tensorflow", autodiff=autodiff):
                    tf.function(pulled(function), autograph=False)(numbers(3))
                    pushed(function)(numbers(3))
        assert "retracing" not in caplog.text
        for _ in range(8):  # what the log would say
            tf.function(lambda x: x)(numbers(3))
        assert "retracing" in caplog.text
    finally:
        tf.get_logger().removeHandler(caplog.handler)


def test_graphs_go_when_nobody_needs_them() -> None:
    from tensorflow.python.framework.func_graph import FuncGraph

    def alive() -> int:
        gc.collect()
        return sum(issubclass(type(one), FuncGraph) for one in gc.get_objects())

    def once(autodiff: str) -> None:
        function = ug.function(lambda x: ug.sum(ug.hypot(x, x)), autodiff=autodiff)  # type: ignore[arg-type]
        tf.function(pulled(function))(numbers(3))

    for autodiff in ("graph", "native"):
        once(autodiff)
        before = alive()
        for _ in range(3):
            once(autodiff)
        assert alive() <= before


# -- what a training loop does ---------------------------------------------------------------------


def quotient(x: Any, y: Any) -> Any:
    return ug.sum(ug.exp(x) / y), x * y


def test_a_variable_that_is_assigned_after_the_call_counts_as_it_was() -> None:
    function = ug.function(quotient)
    for _ in range(2):
        x, y = tf.Variable([0.0, 1.0], dtype=tf.float64), tf.Variable([2.0, 4.0], dtype=tf.float64)
        with tf.GradientTape(persistent=True) as tape:
            total, product = function(x, y)
        x.assign([7.0, 7.0])
        want = np.exp([0.0, 1.0]) / [2.0, 4.0]
        np.testing.assert_allclose(tape.gradient(total, x), want)
        np.testing.assert_allclose(tape.gradient(product, x), [2.0, 4.0])
        assert tape.gradient(total, tf.Variable(1.0)) is None


def test_a_gradient_inside_of_its_own_tape_and_of_another_is_differentiated_again() -> None:
    function = ug.function(lambda x: ug.sum(x**3 + ug.exp(x)))
    for _ in range(2):
        x = tf.Variable([0.0, 1.0], dtype=tf.float64)
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                value = function(x)
            slope = inner.gradient(value, x)
        np.testing.assert_allclose(slope, 3 * np.array([0.0, 1.0]) ** 2 + np.exp([0.0, 1.0]))
        np.testing.assert_allclose(
            outer.gradient(slope, x), 6 * np.array([0.0, 1.0]) + np.exp([0.0, 1.0])
        )
