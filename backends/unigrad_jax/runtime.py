"""The functions of the backend that need JAX; imported when a function first runs on it.

JAX computes in 32 bits unless the program sets a flag of the whole process. unigrad leaves the flag
alone: it is set as a context, for this thread, while code of ours is traced, compiled or run.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache, partial, update_wrapper
from typing import TYPE_CHECKING, Any, Final, cast

import jax
import numpy as np
from jax._src.array import ArrayImpl  # to make an array for its type would start every device
from jax.sharding import SingleDeviceSharding

from unigrad.config import canonical_device
from unigrad.errors import DTypeError, TargetError, listed
from unigrad.ir.dims import Dim, symbol
from unigrad.ir.types import TensorType, as_dtype
from unigrad_jax.mesh import partitioned
from unigrad_jax.tape import attach, strong, wide

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable, Sequence

    from unigrad.backend import Compilation
    from unigrad.ir.types import DType

__all__ = [
    "ARRAY_TYPE", "GUARD_FACTS", "GUARD_NAMES", "GUARD_TESTS", "VERSION", "asarray", "attach",
    "check_device", "compile", "device_of", "devices", "follows", "from_dlpack",
    "from_numpy", "is_native", "on_tape", "place", "synchronise", "to_numpy", "type_of",
]  # fmt: skip

VERSION: Final = jax.__version__

_jax: Final = cast("Any", jax)
"""JAX, for what its own annotations leave open."""

ARRAY_TYPE: Final[type] = ArrayImpl

GUARD_TESTS: Final = (
    "type({x}) is Array",
    "{x}.aval == {x}_aval",
    "(alone or {x}.sharding == {x}_sharding)",
)
"""What an array must be to take the fast way (its dtype, its shape and whether it is weak are one
object of JAX's own); a tracer goes the general way."""

GUARD_FACTS: Final = ("aval", "sharding")
"""What the tests compare with the array that the guard was made for."""

GUARD_NAMES: Final[dict[str, Any]] = {"Array": ARRAY_TYPE, "alone": False}
"""What the tests name; whether one device is alone is known when something has been compiled."""


# -- arrays ----------------------------------------------------------------------------------------


def is_native(value: Any) -> bool:
    """Whether ``value`` is a JAX array, or a tracer that stands for one."""
    return isinstance(value, jax.Array)


def type_of(value: jax.Array) -> TensorType:
    """Dtype and shape of an array.

    Raises:
        DTypeError: for what is no array of numbers, such as random keys.
    """
    try:
        dtype = as_dtype(value.dtype)
    except DTypeError:
        raise DTypeError(f"unigrad has no dtype for a JAX array of {value.dtype}") from None
    return TensorType(dtype, tuple([_size(size) for size in value.shape]))


def _size(size: Any) -> Any:
    """A size; one that stands for any, as ``jax.export`` has it, is a named dimension.

    One that JAX derived from others, such as ``2*n``, is named anew, after its text: equal ones are
    equal, and how they depend on each other stays with JAX.
    """
    if isinstance(size, int):
        return size
    text = str(size)
    if not text.isidentifier():
        text = "size_" + "".join(one if one.isalnum() else f"_{ord(one):x}_" for one in text)
    return symbol(text)


def from_numpy(value: Any, dtype: DType, device: Any) -> Any:
    """The NumPy array itself: what is compiled takes it faster than any conversion."""
    del device  # the compiled function puts it there
    return np.asarray(value, dtype.numpy)


def asarray(value: Any, dtype: DType, device: Any) -> jax.Array:
    """A JAX array of a NumPy array, of the same 64 bits."""
    with _concretely():
        return _jax.device_put(np.array(value, dtype.numpy), _native(device))


def to_numpy(value: jax.Array) -> Any:
    """A NumPy array of the values, which may be written to."""
    return np.array(value)


def from_dlpack(value: Any, device: Any) -> jax.Array:
    """An array of another framework's, by the DLPack protocol."""
    with _concretely():
        array = _in_order(_jax.dlpack.from_dlpack(value))
        return array if device is None else _jax.device_put(array, _native(device))


def _in_order(array: jax.Array) -> jax.Array:
    """``array`` with its last axis contiguous, as what is compiled ahead takes it."""
    order = cast("Any", array).format.layout.major_to_minor
    return (
        array
        if order == tuple(range(array.ndim))
        else _jax.numpy.asarray(np.array(array, order="C"))
    )


# -- devices ---------------------------------------------------------------------------------------


def place(value: jax.Array, device: Any) -> jax.Array:
    """``value`` on ``device``; itself if it is there, or if no device is named."""
    if device is None or isinstance(value, _jax.core.Tracer):
        return value
    native = _native(device)
    if value.devices() == {native}:
        return value
    with _concretely():
        return _jax.device_put(value, native)


def device_of(values: Sequence[Any]) -> str | None:
    """The device of the arrays among ``values``; ``None`` for the framework's default."""
    for value in values:
        if isinstance(value, ARRAY_TYPE):
            found = value.devices()
            if len(found) == 1:
                (device,) = found
                if device != _default():
                    return canonical_device(device)
    return None


def _default() -> Any:
    return _jax.config.jax_default_device or _jax.local_devices()[0]


def devices() -> list[str]:
    """What arrays can be placed on here."""
    found: list[str] = []
    for platform in ("gpu", "tpu", "cpu"):
        try:
            here = _jax.local_devices(backend=platform)
        except RuntimeError:
            continue
        kind = canonical_device(here[0]).partition(":")[0]
        found += [kind] if len(here) == 1 else [f"{kind}:{one.id}" for one in here]
    return found


@lru_cache(maxsize=1)
def _is_alone() -> bool:
    """Whether all arrays are where all others are: comparing places costs most of a guard."""
    return len(devices()) == 1


def check_device(device: str | None) -> None:
    """Raise unless arrays can be placed on ``device``.

    Raises:
        TargetError: listing the devices that are here.
    """
    if device is not None:
        _native(device)


def _native(device: str | None) -> Any:
    """A device as JAX knows it."""
    if device is None:
        return None
    kind, _, index = device.partition(":")
    try:
        return _jax.local_devices(backend=kind)[int(index or 0)]
    except (RuntimeError, IndexError):
        raise TargetError(
            f"jax has no device {device!r} here; its devices are {listed(devices())}"
        ) from None


def synchronise(values: Any = ()) -> None:
    """Wait until ``values`` are computed."""
    _jax.block_until_ready(values)


# -- running ---------------------------------------------------------------------------------------


def compile(function: Callable[..., Any], wanted: Compilation) -> Callable[..., Any]:  # noqa: A001  (the interface's name)
    """``function`` for a mode; on the caller's tape it is traced by whoever traces."""
    GUARD_NAMES["alone"] = _is_alone()
    constants = wanted.constants
    if wanted.tape:
        # Whoever traces says where it runs: arrays that a target has placed would not go along.
        constants = tuple([asarray(np.asarray(one), type_of(one).dtype, None) for one in constants])
    function = partitioned(function)
    if wanted.mode == "eager":
        return _in_64_bits(function, constants, wanted)

    def of_arrays(*arrays: Any) -> Any:
        # Captured arrays are among them: as literals XLA would compute with them while it compiles.
        return function(*strong(arrays))

    update_wrapper(of_arrays, function)
    keywords: dict[str, Any] = {}
    if wanted.device is not None and not wanted.tape:
        sharding = SingleDeviceSharding(_native(wanted.device))
        keywords = {"in_shardings": sharding, "out_shardings": sharding}
    jitted: Any = _jax.jit(of_arrays, **keywords)
    if wanted.tape or any(isinstance(size, Dim) for type_ in wanted.types for size in type_.shape):
        return _traced(jitted, constants)
    with wide():
        specs = [jax.ShapeDtypeStruct(t.shape, t.dtype.numpy) for t in wanted.types]  # pyright: ignore[reportArgumentType]
        compiled = jitted.lower(*specs, *constants).compile()
    if wanted.native_in:
        # Calls of ``jitted``, which are the faster ones, find what was compiled ahead.
        return _called(partial(_followed, jitted, constants) if constants else jitted)
    return _in_context(compiled, jitted, constants)


def _followed(function: Callable[..., Any], last: tuple[Any, ...], *first: Any) -> Any:
    """``function`` of its first arguments and of those that are always its last."""
    return function(*first, *last)


def _called(jitted: Any) -> Callable[..., Any]:
    """``jitted`` on JAX arrays, with the flag set around it where it is not set."""
    config = _jax.config

    def call(*arrays: Any) -> Any:
        if config.jax_enable_x64:
            return jitted(*arrays)
        with wide():
            return jitted(*arrays)

    return call


def _in_context(compiled: Any, jitted: Any, constants: tuple[Any, ...]) -> Callable[..., Any]:
    """``compiled`` on NumPy arrays; it computes also while the caller's own JAX traces.

    It was compiled for arrays on one device, whose last axis is contiguous. What else comes beside
    NumPy arrays, such as parameters on a mesh, and a call under ``jax.disable_jit``, is left to
    ``jitted``, from then on.
    """
    ahead = True

    def call(*arrays: Any) -> Any:
        nonlocal ahead
        if ahead:
            with wide():
                try:
                    return compiled(*arrays, *constants)
                except ValueError:
                    ahead = False
        with _concretely():
            return jitted(*arrays, *constants)

    return call


def _in_64_bits(
    function: Callable[..., Any], constants: tuple[Any, ...], wanted: Compilation
) -> Callable[..., Any]:
    """``function`` run as it is written, on JAX arrays, with the flag set around it."""
    if wanted.tape:
        return _traced(function, constants)
    device = _native(wanted.device)

    def call(*arrays: Any) -> Any:
        with _concretely():
            arrays = strong(arrays)
            if device is None:
                return function(*arrays, *constants)
            with _jax.default_device(device):
                return function(*_jax.device_put(arrays, device), *constants)

    return call


def _traced(function: Callable[..., Any], constants: tuple[Any, ...]) -> Callable[..., Any]:
    """``function`` for whoever traces it, with the flag set around it."""

    def call(*arrays: Any) -> Any:
        with wide():
            return function(*strong(arrays), *constants)

    return call


@contextmanager
def _concretely() -> Generator[None]:
    """Compute now and in 64 bits, also while the caller's own JAX traces."""
    with wide(), _jax.ensure_compile_time_eval():
        yield


# -- the caller's tape -----------------------------------------------------------------------------


def on_tape(values: Sequence[Any]) -> Hashable:
    """``"trace"`` if a transform of the caller's traces one of ``values``, else ``None``."""
    return "trace" if any(isinstance(value, _jax.core.Tracer) for value in values) else None


def follows(value: jax.Array) -> bool:
    """Whether an array met while tracing stands for something that the caller's own JAX traces."""
    return isinstance(value, _jax.core.Tracer)
