"""``asarray``: the one door through which values of any kind become arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from unigrad import config
from unigrad.backend import registry
from unigrad.compiler.arguments import owner_of
from unigrad.errors import DTypeError, locate
from unigrad.ir.nodes import current_scope
from unigrad.ir.source import caller_location
from unigrad.ir.types import DTYPES, as_dtype, is_numpy
from unigrad.ops.creation import check_device
from unigrad.ops.elementwise import astype
from unigrad.ops.spec import as_node, default_float
from unigrad.trace.array import TracedArray, wrap
from unigrad.trace.capture import as_numpy, refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["asarray"]


def asarray(value: Any, /, *, dtype: Any = None, device: None = None) -> Any:
    """An array of numbers, nested lists of numbers, or any framework's array.

    Args:
        value: what to convert; an array keeps its kind.
        dtype: the dtype wanted; by default the array's own, and for Python numbers bool, int64 or
            the default float.
        device: ``None``, as in all functions that make arrays: the target says where.

    Returns:
        A traced value where a function is being traced; otherwise an array of the kind of
        ``value``, or of the current target for Python numbers.

    Raises:
        DTypeError: for what holds no numbers, such as rows of unequal length.

    Example:
        >>> import unigrad as ug
        >>> ug.asarray([1, 2, 3])
        array([1, 2, 3])
    """
    check_device(device)
    place = current_scope()
    if isinstance(value, TracedArray):
        return value if dtype is None else astype(value, dtype)
    if isinstance(value, (bool, int, float, list, tuple)) and not isinstance(value, np.generic):
        array = _from_python(value, dtype)
        if place is not None:
            return wrap(as_node(place, array))
        target = config.current().target
        backend, _ = registry.get(target)
        return registry.runtime(backend).asarray(array, as_dtype(array.dtype), target.device)
    if place is not None:
        found = wrap(as_node(place, value))
        return found if dtype is None else astype(found, dtype)
    if is_numpy(value):
        value = as_numpy(value)
    elif owner_of(value) is None:
        error = refusal(value)
        if error is not None:
            raise locate(error, caller_location())
    return value if dtype is None else astype(value, dtype)


def _from_python(value: Any, dtype: Any) -> np.ndarray[Any, Any]:
    """A NumPy array of Python numbers; rows of unequal length are refused."""
    if dtype is not None:
        wanted = as_dtype(dtype).numpy
    else:
        try:
            found = np.asarray(value)
        except ValueError as error:
            raise locate(
                refusal(np.empty(0, object)) or TypeError(str(error)), caller_location()
            ) from None
        if found.dtype.kind == "f" and _plain(value):
            wanted = default_float().numpy
        elif found.dtype.kind == "i" and _plain(value):
            wanted = DTYPES["int64"].numpy
        else:
            return as_numpy(found)
    try:
        return np.asarray(value, wanted)
    except (ValueError, TypeError, OverflowError) as error:
        raise locate(DTypeError(f"asarray: {error}"), caller_location()) from None


def _plain(value: Any) -> bool:
    """Whether a nested list holds Python numbers alone, whose dtype is ours to choose."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, (list, tuple)):
            stack.extend(cast("Sequence[Any]", one))
        elif isinstance(one, np.generic) or hasattr(one, "dtype"):
            return False
    return True
