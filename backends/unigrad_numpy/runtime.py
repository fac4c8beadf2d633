"""What runs NumPy: there is hardly anything to do."""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

from unigrad.errors import TargetError
from unigrad.ir.types import TensorType, as_dtype

if TYPE_CHECKING:
    from collections.abc import Callable

    from unigrad.ir.types import DType

ARRAY_TYPE = np.ndarray
VERSION = np.__version__


def _quiet() -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """Two functions that switch NumPy's warnings off and back on, for one call of emitted code.

    ``np.errstate`` does the same at 1.5 microseconds a call; the context variable behind it, which
    is private, costs a tenth of that and is used where this NumPy has it.
    """
    try:
        umath = importlib.import_module("numpy._core.umath")
        ignoring = umath._make_extobj(all="ignore")  # noqa: SLF001
        variable = umath._extobj_contextvar  # noqa: SLF001
        variable.reset(variable.set(ignoring))
    except (ImportError, AttributeError, TypeError):
        return _enter_errstate, _leave_errstate
    return functools.partial(variable.set, ignoring), variable.reset


def _enter_errstate() -> np.errstate:
    state = np.errstate(all="ignore")
    state.__enter__()
    return state


def _leave_errstate(state: np.errstate) -> None:
    state.__exit__(None, None, None)


silence, restore = _quiet()


def is_native(value: Any) -> bool:
    """Whether ``value`` is a NumPy array or scalar."""
    return isinstance(value, (np.ndarray, np.generic))


def type_of(value: Any) -> TensorType:
    """Dtype and shape of an array."""
    return TensorType(as_dtype(value.dtype), value.shape)


def asarray(value: Any, dtype: DType, device: str | None) -> Any:
    """``value`` as an array of ``dtype``."""
    check_device(device)
    return np.asarray(value, dtype.numpy)


def to_numpy(value: Any) -> Any:
    """The array itself."""
    return value


def devices() -> list[str]:
    """NumPy runs on the CPU."""
    return ["cpu"]


def check_device(device: str | None) -> None:
    """Raise unless ``device`` is the CPU."""
    if device not in (None, "cpu"):
        raise TargetError(f"numpy has no device {device!r}; its devices are cpu")
