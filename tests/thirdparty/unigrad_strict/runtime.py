"""What needs the framework itself; imported when the first function runs."""

from typing import Any

import array_api_strict as xp
import numpy as np

from unigrad.errors import TargetError, UnsupportedError
from unigrad.ir.types import DType, TensorType, as_dtype

ARRAY_TYPE = type(xp.zeros(()))


def is_native(value: Any) -> bool:
    """Whether it is an array of array_api_strict."""
    return isinstance(value, ARRAY_TYPE)


def type_of(value: Any) -> TensorType:
    """Dtype and shape; a dtype prints as ``array_api_strict.float64``."""
    return TensorType(as_dtype(str(value.dtype).rpartition(".")[2]), value.shape)


def asarray(value: Any, dtype: DType, device: str | None) -> Any:
    """The array of a NumPy array."""
    if device not in (None, "cpu"):
        raise TargetError(f"strict has no device {device!r}; it has cpu")
    if not hasattr(xp, dtype.name):
        raise UnsupportedError(f"strict: the Array API has no dtype {dtype}")
    return xp.asarray(value, dtype=getattr(xp, dtype.name))


def to_numpy(value: Any) -> Any:
    """The NumPy array behind it."""
    return np.asarray(value)


def compile(function: Any, wanted: Any) -> Any:  # noqa: A001, ARG001  (so it is called)
    """The function without the warnings of NumPy, on which array_api_strict runs."""
    return np.errstate(all="ignore")(function)
