"""The functions of the backend that need PyTorch; imported when a function first runs on it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import torch
from torch.autograd import forward_ad

from unigrad.config import canonical_device
from unigrad.errors import BackendError, DTypeError, TargetError, listed
from unigrad.ir.types import DTYPES, TensorType
from unigrad_torch.tape import attach, exact, is_casting

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from unigrad.backend import Compilation
    from unigrad.ir.types import DType

__all__ = [
    "ARRAY_TYPE", "GUARD_ACTIVE", "GUARD_FACTS", "GUARD_NAMES", "GUARD_RECORDED", "GUARD_TESTS",
    "GUARD_TYPES", "VERSION", "asarray", "attach", "check_device", "compile", "copy",
    "device_of", "devices", "exact", "follows", "from_dlpack", "from_numpy", "is_casting",
    "is_native", "on_tape", "opaque", "place", "synchronise", "to_numpy", "type_of",
]  # fmt: skip

ARRAY_TYPE: Final = torch.Tensor
VERSION: Final = torch.__version__

_TORCH: Final[dict[DType, torch.dtype]] = {
    dtype: getattr(torch, name) for name, dtype in DTYPES.items() if hasattr(torch, name)
}
_OURS: Final[dict[torch.dtype, DType]] = {native: dtype for dtype, native in _TORCH.items()}

_open: Final = cast("Any", torch)
"""PyTorch, for what its own annotations leave open."""

# There is no public way to ask which transforms are active.
_stack: Final[Callable[[], Any]] = _open._C._functorch.peek_interpreter_stack  # noqa: SLF001

GUARD_ACTIVE: Final = "stack() is None and forward_ad._current_level < 0"
"""Whether no transform of ``torch.func`` and no forward-mode level is active."""

_SAME: Final = (
    "type({x}) is {x}_type",
    "{x}.dtype is {x}_dtype",
    "{x}.shape == {shape}",
    "{x}.device == {x}_device",
)
GUARD_TESTS: Final = (*_SAME, "not ({x}.requires_grad and is_grad_enabled())")
"""What a tensor must be to take the fast way off the tape."""

GUARD_RECORDED: Final = {
    "reverse": (_SAME, f"is_grad_enabled() and {GUARD_ACTIVE}", "{x}.requires_grad")
}
"""On a tape: what each tensor must be, what must be active, what one of the tensors must be."""

GUARD_TYPES: Final = (torch.Tensor, torch.nn.Parameter)
"""What takes the fast way; another subclass goes the general way."""

GUARD_FACTS: Final = ("dtype", "device")
"""What the tests compare with the tensor that the guard was made for, as ``{x}_dtype``."""

GUARD_NAMES: Final[dict[str, Any]] = {
    "stack": _stack, "forward_ad": forward_ad,
    "is_grad_enabled": torch.is_grad_enabled,
}  # fmt: skip


# -- arrays ----------------------------------------------------------------------------------------


def is_native(value: Any) -> bool:
    """Whether ``value`` is a tensor."""
    return isinstance(value, torch.Tensor)


def type_of(value: torch.Tensor) -> TensorType:
    """Dtype and shape of a tensor.

    Raises:
        DTypeError: for what is no dense array of numbers, such as a sparse or a quantised tensor.
    """
    if value.layout is not torch.strided:
        raise DTypeError(f"unigrad takes dense tensors, not {value.layout}: pass .to_dense()")
    dtype = _OURS.get(value.dtype)
    if dtype is None:
        raise DTypeError(f"unigrad has no dtype for a PyTorch tensor of {value.dtype}")
    return TensorType(dtype, tuple(value.shape))


def from_numpy(value: Any, dtype: DType, device: Any) -> torch.Tensor:
    """A tensor of a NumPy array or a Python number, which shares its memory where it can.

    A read-only array is copied, since a tensor could be written to; so is one with negative
    strides, and one of another byte order.
    """
    array = np.asarray(value, dtype.numpy)
    if not (array.flags.writeable and array.flags.c_contiguous):
        array = array.copy()
    if dtype.name == "bfloat16":
        tensor: torch.Tensor = _open.from_numpy(array.view(np.uint16)).view(torch.bfloat16)
    else:
        tensor = _open.from_numpy(array)
    return tensor if device is None else tensor.to(_native(device))


def asarray(value: Any, dtype: DType, device: Any) -> torch.Tensor:
    """A tensor of a NumPy array that may be kept, so that it may not be one of inference mode."""
    if torch.is_inference_mode_enabled():
        with torch.inference_mode(mode=False):
            return from_numpy(value, dtype, device)
    return from_numpy(value, dtype, device)


def copy(value: torch.Tensor) -> torch.Tensor:
    """The same values in memory of their own."""
    return value.clone()


def exported(value: torch.Tensor) -> torch.Tensor:
    """What another framework may read: DLPack says nothing of a pending sign or conjugation."""
    return _open.resolve_neg(_open.resolve_conj(value))


def to_numpy(value: torch.Tensor) -> Any:
    """A NumPy array of a tensor, which shares its memory where it can."""
    # By force: detached, on the CPU, with lazy conjugation, negation and zeros carried out.
    try:
        if value.dtype is torch.bfloat16:
            bits = value.detach().view(torch.uint16).numpy(force=True)
            return bits.view(DTYPES["bfloat16"].numpy)
        return value.numpy(force=True)
    except NotImplementedError as error:
        raise TargetError(
            f"a tensor on the device {value.device} has a shape and no data; pass tensors, not"
            " NumPy arrays or numbers, to get tensors"
        ) from error


def from_dlpack(value: Any, device: Any) -> torch.Tensor:
    """A tensor of another framework's array, by the DLPack protocol."""
    tensor = torch.from_dlpack(value)
    return tensor if device is None else tensor.to(_native(device))


# -- devices ---------------------------------------------------------------------------------------


def place(value: torch.Tensor, device: Any) -> torch.Tensor:
    """``value`` on ``device``; itself if it is there, or if no device is named."""
    return value if device is None else value.to(_native(device))


def device_of(values: Sequence[Any]) -> str | None:
    """The device of the tensors among ``values`` as targets spell it; ``None`` for the CPU."""
    device = None
    for value in values:
        if isinstance(value, torch.Tensor):
            device = value.device
            if device.type != "cpu":  # a tensor of no axes may stay on the CPU
                break
    if device is None:
        device = torch.get_default_device()
    return None if device.type == "cpu" else canonical_device(device)


def devices() -> list[str]:
    """What tensors can be placed on here."""
    found = ["cpu"]
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        found += ["gpu"] if count == 1 else [f"gpu:{index}" for index in range(count)]
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "meta"]


def check_device(device: str | None) -> None:
    """Raise unless tensors can be placed on ``device``.

    Raises:
        TargetError: listing the devices that are here.
    """
    if device is None:
        return
    kind, _, index = device.partition(":")
    here = devices()
    if device in here or (index in ("", "0") and kind in {one.partition(":")[0] for one in here}):
        return
    raise TargetError(f"torch has no device {device!r} here; its devices are {listed(here)}")


def _native(device: str) -> torch.device:
    """A device as PyTorch names it: ``cuda`` is also what it calls AMD's."""
    return torch.device(device.replace("gpu", "cuda"))


def synchronise(values: Any = ()) -> None:
    """Wait until all devices have done what they were asked to do, and so have ``values``."""
    del values
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    if torch.backends.mps.is_available():
        torch.mps.synchronize()


# -- running ---------------------------------------------------------------------------------------


def compile(function: Callable[..., Any], wanted: Compilation) -> Callable[..., Any]:  # noqa: A001  (the interface's name)
    """``function`` for a mode; ``"compile"`` goes through ``torch.compile``, at the first call.

    Inside a node of the caller's tape it runs as it is: Dynamo does not look into such a node.
    """
    if wanted.mode != "compile" or wanted.tape == "node":
        return function
    compiled: Callable[..., Any] = _open.compile(function)

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        try:
            return compiled(*args)
        except Exception as error:
            module = type(error).__module__
            if module.startswith(("torch._dynamo", "torch._inductor")):
                raise BackendError(
                    f"torch.compile fails on {function.__name__}: {type(error).__name__};"
                    " the target torch:eager runs the same code without it"
                ) from error
            raise

    return call


def opaque(function: Any) -> None:
    """Let a ``torch.compile`` of the caller's call ``function`` as it is and not look into it.

    What ``torch.compiler.disable`` does, without the seconds that importing the compiler takes.
    """
    function._torchdynamo_disable = True  # noqa: SLF001
    function._torchdynamo_disable_msg = "unigrad compiles what it runs itself"  # noqa: SLF001
    frames: Any = _open._C._dynamo.eval_frame  # noqa: SLF001
    if hasattr(frames, "_FrameExecStrategy"):  # PyTorch 2.6 does not skip whole frames
        skip = frames._FrameAction.SKIP  # noqa: SLF001
        strategy = frames._FrameExecStrategy(skip, skip)  # noqa: SLF001
        frames.set_code_exec_strategy(function.__code__, strategy)


# -- the caller's tape -----------------------------------------------------------------------------


def on_tape(values: Sequence[Any]) -> Hashable:
    """What of the caller's differentiates ``values``; ``None`` for nothing.

    ``"transform"`` is one of ``torch.func``, ``"forward"`` a level of forward mode, ``"reverse"``
    the tape of a tensor that requires grad.
    """
    if _stack() is not None:
        return "transform"
    if _open.autograd.forward_ad._current_level >= 0:  # noqa: SLF001  (there is no public way)
        return "forward"
    if torch.is_grad_enabled():
        for value in values:
            if isinstance(value, torch.Tensor) and value.requires_grad:
                return "reverse"
    return None


def follows(value: torch.Tensor) -> bool:
    """Whether a tensor met while tracing is one that a tape follows, or will with grad enabled."""
    return value.requires_grad or on_tape([value]) is not None
