"""The functions of the backend that need JAX; imported when a function first runs on it.

JAX computes in 32 bits unless the program sets a flag of the whole process. unigrad leaves the flag
alone: it is set as a context, for this thread, while code of ours is traced or run. A function of
concrete arrays is compiled ahead of its calls, and is then called without the context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import jax
import numpy as np
from jax._src.array import ArrayImpl  # to make an array for its type would start every device
from jax.sharding import SingleDeviceSharding

from unigrad.config import canonical_device
from unigrad.errors import DTypeError, TargetError, listed
from unigrad.ir.dims import Dim
from unigrad.ir.types import TensorType, as_dtype
from unigrad_jax.tape import attach, wide

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

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
    "{x}.dtype is {x}_dtype",
    "{x}.shape == {shape}",
    "{x}.sharding == {x}_sharding",
)
"""What an array must be to take the fast way; a tracer goes the general way."""

GUARD_FACTS: Final = ("dtype", "sharding")
"""What the tests compare with the array that the guard was made for."""

GUARD_NAMES: Final[dict[str, Any]] = {"Array": ARRAY_TYPE}


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
        raise DTypeError(f"a JAX array of dtype {value.dtype} is not an array of numbers") from None
    return TensorType(dtype, tuple(value.shape))


def from_numpy(value: Any, dtype: DType, device: Any) -> Any:
    """The NumPy array itself: what is compiled takes it faster than any conversion."""
    del device  # the compiled function puts it there
    return np.asarray(value, dtype.numpy)


def asarray(value: Any, dtype: DType, device: Any) -> jax.Array:
    """A JAX array of a NumPy array, of the same 64 bits."""
    with wide(True):
        return jax.device_put(np.array(value, dtype.numpy), _native(device))


def to_numpy(value: jax.Array) -> Any:
    """A NumPy array of the values, which may be written to."""
    return np.array(value)


def from_dlpack(value: Any, device: Any) -> jax.Array:
    """An array of another framework's, by the DLPack protocol."""
    with wide(True):
        array = _jax.dlpack.from_dlpack(value)
        return array if device is None else jax.device_put(array, _native(device))


# -- devices ---------------------------------------------------------------------------------------


def place(value: jax.Array, device: Any) -> jax.Array:
    """``value`` on ``device``; itself if it is there, or if no device is named."""
    if device is None or isinstance(value, jax.core.Tracer):
        return value
    native = _native(device)
    if value.devices() == {native}:
        return value
    with wide(True):
        return jax.device_put(value, native)


def device_of(values: Sequence[Any]) -> str | None:
    """The device of the arrays among ``values``; ``None`` for the framework's default."""
    for value in values:
        if isinstance(value, ARRAY_TYPE):
            found = cast("Any", value).devices()
            if len(found) == 1:
                (device,) = found
                if device != _default():
                    return canonical_device(device)
    return None


def _default() -> Any:
    return _jax.config.jax_default_device or jax.local_devices()[0]


def devices() -> list[str]:
    """What arrays can be placed on here."""
    found: list[str] = []
    for platform in ("gpu", "tpu", "cpu"):
        try:
            here = jax.local_devices(backend=platform)
        except RuntimeError:
            continue
        kind = canonical_device(here[0]).partition(":")[0]
        found += [kind] if len(here) == 1 else [f"{kind}:{one.id}" for one in here]
    return found


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
        return jax.local_devices(backend=kind)[int(index or 0)]
    except (RuntimeError, IndexError):
        raise TargetError(
            f"jax has no device {device!r} here; its devices are {listed(devices())}"
        ) from None


def synchronise(values: Any = ()) -> None:
    """Wait until ``values`` are computed."""
    jax.block_until_ready(values)


# -- running ---------------------------------------------------------------------------------------


def compile(function: Callable[..., Any], wanted: Compilation) -> Callable[..., Any]:  # noqa: A001  (the interface's name)
    """``function`` for a mode; on the caller's tape it is traced by whoever traces."""
    if wanted.tape or wanted.mode == "eager":
        return _in_64_bits(function, wanted)
    device = _native(wanted.device)

    def of_arrays(*arrays: Any) -> Any:
        return function(*arrays)

    of_arrays.__name__ = of_arrays.__qualname__ = function.__name__
    keywords: dict[str, Any] = {}
    if device is not None:
        sharding = SingleDeviceSharding(device)
        keywords = {"in_shardings": sharding, "out_shardings": sharding}
    # Captured arrays are arguments: as literals XLA would compute with them while it compiles.
    jitted: Any = jax.jit(of_arrays, **keywords)
    constants = wanted.constants
    if not wanted.native_in or any(isinstance(s, Dim) for t in wanted.types for s in t.shape):

        def call(*arrays: Any) -> Any:
            with wide(True):
                return jitted(*arrays, *constants)

        return call
    with wide(True):
        specs = [jax.ShapeDtypeStruct(t.shape, t.dtype.numpy) for t in wanted.types]  # pyright: ignore[reportArgumentType]
        compiled: Callable[..., Any] = jitted.lower(*specs, *constants).compile()
    if not constants:
        return compiled
    return lambda *arrays: compiled(*arrays, *constants)


def _in_64_bits(function: Callable[..., Any], wanted: Compilation) -> Callable[..., Any]:
    """``function`` run as it is written, on JAX arrays, with the flag set around it."""
    native = wanted.native_in
    device = _native(wanted.device) if not wanted.tape else None

    def call(*args: Any) -> Any:
        with wide(True):
            if not native:
                args = tuple([_as_jax(one) for one in args])
            if device is None:
                return function(*args)
            with _jax.default_device(device):
                return function(*jax.device_put(args, device))

    call.__name__ = call.__qualname__ = function.__name__
    return call


def _as_jax(value: Any) -> Any:
    return _jax.numpy.asarray(value) if isinstance(value, (np.ndarray, np.generic)) else value


# -- the caller's tape -----------------------------------------------------------------------------


def on_tape(values: Sequence[Any]) -> Hashable:
    """``"trace"`` if a transform of the caller's traces one of ``values``, else ``None``."""
    return "trace" if any(isinstance(value, jax.core.Tracer) for value in values) else None


def follows(value: jax.Array) -> bool:
    """Whether an array met while tracing stands for something that the caller's own JAX traces."""
    return isinstance(value, jax.core.Tracer)
