"""The functions of the backend that need TensorFlow; imported when a function first runs on it.

A ``tf.function`` spends most of a small call on looking up which of its traces fits. Here that is
known: each signature is one concrete function, called by its innermost entry with flat tensors.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import tensorflow as tf
from tensorflow.python.autograph.core import config as autograph
from tensorflow.python.eager import context
from tensorflow.python.framework import ops

from unigrad.config import canonical_device
from unigrad.errors import DTypeError, TargetError, listed
from unigrad.ir.dims import Dim, symbol
from unigrad.ir.types import DTYPES, TensorType
from unigrad_tensorflow.tape import TYPED, attach, no_tape, on_tape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unigrad.backend import Compilation
    from unigrad.ir.types import DType

__all__ = [
    "ARRAY_TYPE", "GUARD_ACTIVE", "GUARD_FACTS", "GUARD_NAMES", "GUARD_TESTS", "VERSION", "asarray",
    "attach", "check_device", "compile", "device_of", "devices", "follows", "from_dlpack",
    "from_numpy", "is_native", "on_tape", "place", "synchronise", "to_numpy", "type_of",
]  # fmt: skip

_tf: Final = cast("Any", tf)
"""TensorFlow, which ships no annotations worth the name."""

VERSION: Final[str] = _tf.__version__

# Eager tensors have a class of their own, and no public name.
ARRAY_TYPE: Final[type] = cast("Any", ops).EagerTensor
_context: Final[Any] = cast("Any", context).context()

_NATIVE: Final[dict[DType, Any]] = {
    dtype: getattr(_tf, name) for name, dtype in DTYPES.items() if hasattr(_tf, name)
}
_OURS: Final[dict[Any, DType]] = {native: dtype for dtype, native in _NATIVE.items()}

_DLPACK_CPU: Final = 1

# In a tf.function of the caller's, AutoGraph would rewrite unigrad function by function, and warn
# of those that it cannot. It has a list of modules to leave alone, its own and some of others.
_autograph: Final[Any] = cast("Any", autograph)
_autograph.CONVERSION_RULES = (
    _autograph.DoNotConvert("unigrad"), _autograph.DoNotConvert("unigrad_tensorflow"),
    *_autograph.CONVERSION_RULES,
)  # fmt: skip

eagerly: Final[Callable[[], bool]] = _tf.executing_eagerly

GUARD_ACTIVE: Final = "no_tape() and eagerly()"
"""Whether no tape and no forward accumulator records, and no graph is being built."""

GUARD_TESTS: Final = (
    "type({x}) is Tensor",
    "{x}._datatype_enum() == {x}__datatype_enum",  # what its dtype is looked up by
    "{x}._shape_tuple() == {shape}",
    "(alone or {x}.device == {x}_device)",
)
"""What a tensor must be to take the fast way; a variable goes the general way."""

GUARD_FACTS: Final = ("_datatype_enum", "device")
"""What the tests compare with the tensor that the guard was made for."""

GUARD_NAMES: Final[dict[str, Any]] = {
    "Tensor": ARRAY_TYPE, "no_tape": no_tape, "eagerly": eagerly, "alone": False,
}  # fmt: skip
"""What the tests name; whether one device is alone is known when something has been compiled."""


@functools.cache
def start() -> None:
    """Start TensorFlow, and let it take of a GPU what it needs, not all of it at the first touch.

    The one global that is set; it cannot be set any more when TensorFlow runs already.
    """
    for gpu in _tf.config.list_physical_devices("GPU"):
        try:
            _tf.config.experimental.set_memory_growth(gpu, True)  # noqa: FBT003
        except (RuntimeError, ValueError):  # it runs already, or the user has set a limit
            break
    _context.ensure_initialized()


# -- arrays ----------------------------------------------------------------------------------------


def is_native(value: Any) -> bool:
    """Whether ``value`` is a tensor, eager or of a graph, or a variable."""
    return isinstance(value, (_tf.Tensor, _tf.Variable))


def type_of(value: Any) -> TensorType:
    """Dtype and shape of a tensor.

    A size that is not known while the caller's graph is built is a named one. Sizes of the same
    axis have the same name, as those of a batch are equal; that they are is checked when it runs.

    Raises:
        DTypeError: for what is no array of numbers, or has no known number of axes.
    """
    known = getattr(value, TYPED, None)
    if known is not None:
        return known
    dtype = _OURS.get(value.dtype)
    if dtype is None:
        raise DTypeError(f"a tensor of dtype {value.dtype.name} is not an array of numbers")
    if value.shape.rank is None:
        raise DTypeError(
            "a tensor has a number of axes that is not known while its graph is built; give the"
            " tf.function an input_signature with shapes, where single sizes may be None"
        )
    shape = [
        symbol(f"size_{axis}") if size is None else size for axis, size in enumerate(value.shape)
    ]
    return TensorType(dtype, tuple(shape))


def from_numpy(value: Any, dtype: DType, device: Any) -> Any:
    """An eager tensor of a NumPy array, which may share its memory: for the time of a call."""
    start()
    array = np.asarray(value, dtype.numpy)
    return ARRAY_TYPE(array, _context.device_name if device is None else _full(device), None)


def asarray(value: Any, dtype: DType, device: Any) -> Any:
    """A tensor with memory of its own."""
    return from_numpy(np.array(value, dtype.numpy), dtype, device)


def to_numpy(value: Any) -> Any:
    """A NumPy array of a tensor, with memory of its own."""
    return value.numpy()


def from_dlpack(value: Any, device: Any) -> Any:
    """A tensor of another framework's array, by the DLPack protocol.

    Raises:
        BufferError: if its memory begins where TensorFlow's kernels would abort the process.
    """
    if value.__dlpack_device__()[0] == _DLPACK_CPU and np.from_dlpack(value).ctypes.data % 64:
        raise BufferError("the memory is not aligned")
    start()
    with _tf.device(_full(device)):
        return _tf.experimental.dlpack.from_dlpack(value.__dlpack__())


# -- devices ---------------------------------------------------------------------------------------


def place(value: Any, device: Any) -> Any:
    """``value`` as a tensor on ``device``; itself if it is there, or if no device is named."""
    tensor = _tf.convert_to_tensor(value)
    if device is None or not isinstance(tensor, ARRAY_TYPE) or _is_on(tensor, device):
        return tensor
    with _tf.device(_full(device)):
        return _tf.identity(tensor)


def _is_on(tensor: Any, device: str) -> bool:
    return cast("str", tensor.device).endswith(_full(device))


def device_of(values: Sequence[Any]) -> str | None:
    """The device of the eager tensors among ``values``; ``None`` for TensorFlow's own choice."""
    found = None
    for value in values:
        if isinstance(value, ARRAY_TYPE):
            found = canonical_device(value.device)
            if found != "cpu":
                return found
    # Its own choice is a GPU if there is one; a tensor on the CPU is there on purpose.
    return found if found is not None and len(_tf.config.list_logical_devices()) > 1 else None


def devices() -> list[str]:
    """What tensors can be placed on here."""
    start()
    found: list[str] = []
    for kind in ("GPU", "TPU", "CPU"):
        here = _tf.config.list_logical_devices(kind)
        names = [canonical_device(one.name) for one in here]
        found += [kind.lower()] if len(names) == 1 else names
    return found


@functools.cache
def _is_alone() -> bool:
    """Whether all tensors are where all others are: comparing places costs a guard dear."""
    return len(devices()) == 1


def check_device(device: str | None) -> None:
    """Raise unless tensors can be placed on ``device``.

    Raises:
        TargetError: listing the devices that are here.
    """
    if device is None:
        return
    start()
    kind, _, index = device.partition(":")
    if int(index or 0) >= len(_tf.config.list_logical_devices(kind.upper())):
        raise TargetError(
            f"tensorflow has no device {device!r} here; its devices are {listed(devices())}"
        )


def _full(device: str | None) -> str:
    """A device of this process as TensorFlow names it, whatever its job in a cluster is called."""
    kind, _, index = (device or "cpu").partition(":")
    return f"/device:{kind.upper()}:{index or 0}"


def synchronise(values: Any = ()) -> None:
    """Wait until all devices have done what they were asked to do."""
    del values
    _tf.test.experimental.sync_devices()


# -- running ---------------------------------------------------------------------------------------


def compile(function: Callable[..., Any], wanted: Compilation) -> Callable[..., Any]:  # noqa: A001  (the interface's name)
    """``function`` for a mode: as it is written, or as one concrete ``tf.function``."""
    GUARD_NAMES["alone"] = _is_alone()
    if wanted.device is not None:
        function = _on_device(function, wanted.device)
    if wanted.tape:
        function = _checked(function, wanted.types)
    if wanted.mode != "eager" and wanted.tape != "ops":
        function = _concrete(function, wanted)
        if wanted.device is not None:  # a compiled function is on a device when it is called there
            function = _on_device(function, wanted.device)
    if wanted.native_in or wanted.tape:
        return function

    def outside(*tensors: Any) -> Any:
        if eagerly():
            return function(*tensors)
        with _tf.init_scope():  # NumPy arrays give NumPy arrays also while a graph is being built
            return function(*tensors)

    return outside


def _concrete(function: Callable[..., Any], wanted: Compilation) -> Callable[..., Any]:
    """``function`` as one concrete ``tf.function``."""
    shapes = [
        [None if isinstance(size, Dim) else size for size in type_.shape] for type_ in wanted.types
    ]
    specs = [
        _tf.TensorSpec(shape, _NATIVE[type_.dtype])
        for shape, type_ in zip(shapes, wanted.types, strict=True)
    ]

    def of_tensors(*tensors: Any) -> Any:
        return function(*tensors)

    compiled = _tf.function(of_tensors, autograph=False, jit_compile=wanted.mode == "xla" or None)
    concrete = compiled.get_concrete_function(*specs)
    captures = tuple(concrete.captured_inputs)
    inference: Any = getattr(concrete, "inference_fn", None)
    innermost = getattr(inference, "call_flat", None)
    if innermost is None:  # another TensorFlow: by the public way
        return concrete
    pack = inference.function_type.pack_output

    def call(*tensors: Any) -> Any:
        return pack(innermost(*tensors, *captures))

    cast("Any", call).concrete = concrete  # its graph lives as long as it does
    return call


def _checked(function: Callable[..., Any], types: Sequence[TensorType]) -> Callable[..., Any]:
    """``function``, which finds out when it runs whether sizes of one name are equal."""
    first: dict[Dim, tuple[int, int]] = {}
    others: list[tuple[int, int, Dim]] = []
    for position, type_ in enumerate(types):
        for axis, size in enumerate(type_.shape):
            if not isinstance(size, Dim) or not str(size).isidentifier():
                continue
            if first.setdefault(size, (position, axis)) != (position, axis):
                others.append((position, axis, size))
    if not others:
        return function

    def checked(*args: Any) -> Any:
        found = list(args)
        for position, axis, name in others:
            leading, its = first[name]
            have = _tf.shape(found[position])
            wanted = _tf.shape(found[leading])[its]
            equal = _tf.debugging.assert_equal(
                have[axis], wanted,
                message=f"axis {axis} of argument {position} and axis {its} of argument {leading}"
                " of a unigrad function have sizes that were unknown while the graph was built,"
                " count as equal, and are not; give the tf.function an input_signature with them",
            )  # fmt: skip
            with _tf.control_dependencies([] if equal is None else [equal]):
                # XLA leaves assertions out, but this it cannot do with another number of elements.
                shape = _tf.tensor_scatter_nd_update(have, [[axis]], [wanted])
                found[position] = _tf.reshape(found[position], shape)
        return function(*found)

    return checked


def _on_device(function: Callable[..., Any], device: str) -> Callable[..., Any]:
    """``function`` with its operations, and what it makes anew, on a device."""
    full = _full(device)

    def placed(*args: Any) -> Any:
        with _tf.device(full):
            return function(*args)

    return placed


# -- the caller's tape -----------------------------------------------------------------------------


def follows(value: Any) -> bool:
    """Whether a tensor met while tracing is one that a tape follows, or of a graph being built."""
    return not isinstance(value, ARRAY_TYPE) or on_tape([value]) is not None
