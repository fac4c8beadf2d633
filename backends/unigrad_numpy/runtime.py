"""What runs NumPy: there is hardly anything to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from unigrad.errors import TargetError
from unigrad.ir.types import TensorType, as_dtype

if TYPE_CHECKING:
    from unigrad.ir.types import DType

ARRAY_TYPE = np.ndarray
VERSION = np.__version__


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
