"""What each framework needs around a model: arrays of its own, and how people compile by hand."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

__all__ = ["arrays", "by_hand", "concrete", "emitted", "native", "waiting"]


def arrays(framework: str, given: Sequence[np.ndarray]) -> list[Any]:
    """Return the framework's arrays of NumPy's."""
    if framework in ("numpy", "autograd"):
        return list(given)
    module = pytest.importorskip(framework)
    if framework == "torch":
        module.set_num_threads(1)
        return [module.from_numpy(array) for array in given]
    if framework == "jax":
        module.config.update("jax_enable_x64", True)  # what users of float64 do  # noqa: FBT003
        return [module.numpy.asarray(array) for array in given]
    return [module.constant(array) for array in given]


def native(model: str, framework: str) -> Any:
    """Return the hand-written module of a model."""
    return importlib.import_module(f"benchmarks.native.{model}_{framework}")


def concrete(function: Callable[..., Any], tensors: Sequence[Any], **keywords: Any) -> Any:
    """Return the concrete function of a ``tf.function`` for tensors like these."""
    import tensorflow as tf

    specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in tensors]
    return tf.function(function, **keywords).get_concrete_function(*specs)


def by_hand(
    target: str, function: Callable[..., Any], given: Sequence[Any], *, bare: bool
) -> Callable[..., Any]:
    """Return ``function`` as people run it by hand for a target; ``bare`` without look-ups."""
    framework, _, mode = target.partition(":")
    if framework == "tensorflow" and mode != "eager":
        compile_ = {"jit_compile": True} if mode == "xla" else {}
        if bare:
            return concrete(function, given, **compile_)
        return importlib.import_module("tensorflow").function(function, **compile_)
    if mode == "jit":
        return importlib.import_module("jax").jit(function)
    return function


def emitted(source: str, name: str) -> Callable[..., Any]:
    """Return the function of a text that unigrad wrote, as a user who takes it away has it."""
    space: dict[str, Any] = {}
    exec(source, space)  # noqa: S102  (unigrad's own text)
    return space[name]


def waiting(framework: str, call: Callable[[], Any]) -> Callable[[], Any]:
    """Return ``call``, waiting for its result: JAX answers before it has computed."""
    if framework != "jax":
        return call
    wait = importlib.import_module("jax").block_until_ready
    return lambda: wait(call())
