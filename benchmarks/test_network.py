"""The network against the same math by hand: forward code, gradients, the framework's own ways.

The figure of a row is a ratio of medians-in-rounds (see ``ratio.py``); pytest-benchmark keeps it in
``extra_info`` beside the absolute times of our side. Nothing here asserts a time.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import unigrad as ug
from benchmarks.frameworks import arrays, by_hand, concrete, emitted, native, waiting
from benchmarks.measure import micros, same, timed
from benchmarks.models import network

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

PARAMETERS = (2, 3, 4)  # W, b, w

TRANSFORMS: dict[str, Any] = {
    "gradient": ug.grad,
    "value and gradient": ug.value_and_grad,
}

BATCHES = pytest.mark.parametrize("batch", [32, 512])


def with_leaves(framework: str, given: list[Any]) -> list[Any]:
    """Return the arguments as a user of autograd holds them: parameters are leaves."""
    if framework != "torch":
        return given
    return [*given[:2], *(tensor.clone().requires_grad_() for tensor in given[2:])]


# Forward code: the bare callable against the same math written by hand ---------------------------

FORWARD = {
    "numpy": 1.03, "torch:eager": 1.03, "tensorflow:graph": 1.05, "tensorflow:xla": 1.05,
    "jax:jit": 1.05,
}  # fmt: skip


@BATCHES
@pytest.mark.parametrize("target", FORWARD)
def test_forward(target: str, batch: int, benchmark: BenchmarkFixture, record: Callable) -> None:
    framework = target.partition(":")[0]
    given = arrays(framework, network.arguments(batch))
    ours = network.loss.compile(*given, target=target)
    theirs = by_hand(target, native("network", framework).loss, given, bare=True)
    same(ours(*given), theirs(*given))
    mine, other = partial(ours, *given), partial(theirs, *given)
    result = timed(benchmark, waiting(framework, mine), waiting(framework, other))
    record(
        f"forward, batch {batch}, {target}", result.ratio, goal=FORWARD[target], **micros(result)
    )


# Gradients, called as a user calls them -----------------------------------------------------------

GRADIENT = {
    ("torch:eager", 32): 0.6, ("torch:eager", 512): 0.9,
    ("tensorflow:graph", 32): 0.8, ("tensorflow:graph", 512): 0.95,
    ("tensorflow:eager", 32): 0.5, ("tensorflow:eager", 512): 0.5,
}  # fmt: skip


@pytest.mark.parametrize("wanted", TRANSFORMS)
@pytest.mark.parametrize(("target", "batch"), GRADIENT)
def test_gradient(
    target: str, batch: int, wanted: str, benchmark: BenchmarkFixture, record: Callable
) -> None:
    framework = target.partition(":")[0]
    given = arrays(framework, network.arguments(batch))
    module = native("network", framework)
    theirs = by_hand(target, module.value_and_gradient, given, bare=False)
    theirs = partial(theirs, *with_leaves(framework, given))
    with ug.use(target):
        ours = partial(TRANSFORMS[wanted](network.loss, argnums=PARAMETERS), *given)
        same(ours(), theirs() if wanted == "value and gradient" else theirs()[1])
        result = timed(benchmark, ours, theirs)
    rival = "autograd.grad" if framework == "torch" else "a tape"
    record(
        f"{wanted}, batch {batch}, {target} / {rival}",
        result.ratio,
        goal=GRADIENT[target, batch],
        **micros(result),
    )


@BATCHES
def test_gradient_torch_fused(batch: int, benchmark: BenchmarkFixture, record: Callable) -> None:
    """PyTorch's own fused loss is a harder rival than the same math term by term."""
    given = arrays("torch", network.arguments(batch))
    module = native("network", "torch")
    leaves = with_leaves("torch", given)
    theirs = partial(module.value_and_gradient, *leaves, loss=module.fused_loss)
    with ug.use("torch:eager"):
        ours = partial(ug.value_and_grad(network.loss, argnums=PARAMETERS), *given)
        same(ours(), theirs())
        result = timed(benchmark, ours, theirs)
    what = f"value and gradient, batch {batch}, torch:eager / autograd.grad of the fused loss"
    record(what, result.ratio, goal=GRADIENT["torch:eager", batch], **micros(result))


@BATCHES
def test_gradient_tensorflow_concrete(
    batch: int, benchmark: BenchmarkFixture, record: Callable
) -> None:
    """The emitted code and the code by hand, wrapped and called in the same way."""
    given = arrays("tensorflow", network.arguments(batch))
    derivative = ug.value_and_grad(network.loss, argnums=PARAMETERS)
    source = derivative.source("tensorflow", *given)
    ours = concrete(emitted(source, "loss_value_and_grad"), given)
    theirs = concrete(native("network", "tensorflow").value_and_gradient, given)
    same(ours(*given), theirs(*given))
    result = timed(benchmark, partial(ours, *given), partial(theirs, *given))
    what = f"value and gradient, batch {batch}, tensorflow, concrete functions"
    record(what, result.ratio, goal=1.05, **micros(result))


@BATCHES
def test_gradient_jax(batch: int, benchmark: BenchmarkFixture, record: Callable) -> None:
    given = arrays("jax", network.arguments(batch))
    ours = ug.value_and_grad(network.loss, argnums=PARAMETERS).compile(*given, target="jax:jit")
    theirs = by_hand("jax:jit", native("network", "jax").value_and_gradient, given, bare=True)
    same(ours(*given), theirs(*given))
    mine, other = waiting("jax", partial(ours, *given)), waiting("jax", partial(theirs, *given))
    result = timed(benchmark, mine, other)
    what = f"value and gradient, batch {batch}, jax:jit, bare callable / jit(value_and_grad)"
    record(what, result.ratio, goal=1.05, **micros(result))


@pytest.mark.parametrize("wanted", TRANSFORMS)
def test_gradient_numpy(wanted: str, benchmark: BenchmarkFixture, record: Callable) -> None:
    pytest.importorskip("autograd")
    given = network.arguments(32)
    theirs = partial(getattr(native("network", "autograd"), wanted.replace(" ", "_")), *given)
    with ug.use("numpy"):
        ours = partial(TRANSFORMS[wanted](network.loss, argnums=PARAMETERS), *given)
        same(ours(), theirs())
        result = timed(benchmark, ours, theirs)
    record(f"{wanted}, batch 32, numpy / HIPS autograd", result.ratio, goal=0.15, **micros(result))


# On the caller's own tape, as a training loop calls it --------------------------------------------


def steps(loss: Callable[..., Any], given: list[Any], held: list[Any]) -> Callable[[], Any]:
    """One step of training without the optimiser's part."""

    def step() -> list[Any]:
        for parameter in held:
            parameter.grad = None
        loss(*given, *held).backward()
        return [parameter.grad for parameter in held]

    return step


@BATCHES
def test_tape_torch(batch: int, benchmark: BenchmarkFixture, record: Callable) -> None:
    torch = pytest.importorskip("torch")
    given = arrays("torch", network.arguments(batch))
    held = [torch.nn.Parameter(tensor.clone()) for tensor in given[2:]]
    ours = steps(network.loss, given[:2], held)
    theirs = steps(native("network", "torch").loss, given[:2], held)
    same(ours(), theirs())
    result = timed(benchmark, ours, theirs)
    what = f"loss(...).backward() of parameters, batch {batch}, torch:eager / plain PyTorch"
    record(what, result.ratio, goal=1.2, **micros(result))


@pytest.mark.parametrize("way", ["eager tape", "inside tf.function"])
@BATCHES
def test_tape_tensorflow(
    way: str, batch: int, benchmark: BenchmarkFixture, record: Callable
) -> None:
    tf = pytest.importorskip("tensorflow")
    given = arrays("tensorflow", network.arguments(batch))
    held = [tf.Variable(tensor) for tensor in given[2:]]
    by_hand_loss = native("network", "tensorflow").loss

    def taped(loss: Callable[..., Any]) -> Callable[[], Any]:
        def step() -> Any:
            with tf.GradientTape() as tape:
                value = loss(*given[:2], *held)
            return tape.gradient(value, held)

        return step

    if way == "eager tape":  # the same kind of function on both sides
        ours, theirs = taped(network.loss), taped(tf.function(by_hand_loss))
    else:
        ours, theirs = tf.function(taped(network.loss)), tf.function(taped(by_hand_loss))
    same(ours(), theirs())
    result = timed(benchmark, ours, theirs)
    record(
        f"gradient of variables, batch {batch}, tensorflow, {way} / by hand",
        result.ratio,
        goal=1.2,
        **micros(result),
    )


@BATCHES
def test_tape_jax(batch: int, benchmark: BenchmarkFixture, record: Callable) -> None:
    jax = pytest.importorskip("jax")
    given = arrays("jax", network.arguments(batch))

    def compiled(loss: Callable[..., Any]) -> Callable[[], Any]:
        derivative = jax.jit(jax.value_and_grad(loss, argnums=PARAMETERS))
        return waiting("jax", partial(derivative, *given))

    ours, theirs = compiled(network.loss), compiled(native("network", "jax").loss)
    same(ours(), theirs())
    result = timed(benchmark, ours, theirs)
    what = f"jax.jit(jax.value_and_grad(loss)), batch {batch} / by hand"
    record(what, result.ratio, goal=1.2, **micros(result))


# The framework's own way to differentiate, through us and by hand ---------------------------------

NATIVE = ("torch:eager", "tensorflow:eager", "tensorflow:graph", "tensorflow:xla", "jax:jit")


@pytest.mark.parametrize("way", ["as called", "bare callable"])
@pytest.mark.parametrize("target", NATIVE)
def test_native(target: str, way: str, benchmark: BenchmarkFixture, record: Callable) -> None:
    framework = target.partition(":")[0]
    given = arrays(framework, network.arguments(32))
    module = native("network", framework)
    theirs = by_hand(target, module.value_and_gradient, given, bare=False)
    theirs = partial(theirs, *with_leaves(framework, given))
    transform = ug.value_and_grad(network.loss, argnums=PARAMETERS, autodiff="native")
    with ug.use(target):
        function = transform if way == "as called" else transform.compile(*given)
        ours = partial(function, *given)
        same(ours(), theirs())
        result = timed(benchmark, waiting(framework, ours), waiting(framework, theirs))
    record(f"native, batch 32, {target}, {way}", result.ratio, goal=1.1, **micros(result))
