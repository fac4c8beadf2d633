"""``asarray``: the one door through which values of any kind become arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from unigrad import config
from unigrad.backend import registry
from unigrad.compiler.arguments import owner_of
from unigrad.errors import ArgumentError, DTypeError, ShapeError, listed, locate
from unigrad.ir.nodes import current_scope
from unigrad.ir.source import caller_location
from unigrad.ir.types import DTYPES, as_dtype, is_numpy
from unigrad.ops.assignment import joined
from unigrad.ops.creation import check_device
from unigrad.ops.elementwise import astype
from unigrad.ops.spec import as_node, default_float
from unigrad.trace.array import TracedArray, fixed, wrap
from unigrad.trace.capture import as_numpy, refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unigrad.ir.nodes import Scope

__all__ = ["asarray"]


def asarray(
    value: Any, /, *, dtype: Any = None, device: None = None, copy: bool | None = None
) -> Any:
    """An array of numbers, nested lists of numbers and arrays, or any framework's array.

    Args:
        value: what to convert; an array keeps its kind.
        dtype: the dtype wanted; by default the array's own, and for Python numbers bool, int64 or
            the default float.
        device: ``None``, as in all functions that make arrays: the target says where.
        copy: whether the result is an array of its own; by default where it is needed. ``False``
            raises where it is needed.

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
    if isinstance(value, (bool, int, float, list, tuple)) and not isinstance(value, np.generic):
        if copy is False:
            raise _no_view("an array of Python objects")
        return _of_python(place, value, dtype)
    if isinstance(value, TracedArray):
        found: Any = value
    elif place is not None:
        found = fixed(as_node(place, value), "comes from around the function and stays as it is")
    else:
        if owner_of(value) is None and not is_numpy(value):
            error = refusal(value)
            if error is not None:
                raise locate(error, caller_location())
        found = as_numpy(value) if is_numpy(value) else value
    if dtype is not None and (copy or as_dtype(dtype) is not as_dtype(found.dtype)):
        if copy is False:
            raise _no_view(f"a cast from {found.dtype}")
        return astype(found, dtype)
    if not copy:
        return found
    return found.copy() if isinstance(found, TracedArray) else astype(found, found.dtype)


def _no_view(what: str) -> ArgumentError:
    error = ArgumentError(f"asarray: copy=False cannot be had of {what}; leave copy out")
    return locate(error, caller_location())


def _of_python(place: Scope | None, value: Any, dtype: Any) -> Any:
    """The array of numbers and nested lists of numbers, traced values and arrays."""
    if place is None:
        array = _from_python(value, dtype)
        target = config.current().target
        backend, _ = registry.get(target)
        return registry.runtime(backend).asarray(array, as_dtype(array.dtype), target.device)
    traced = _traced_members(value)
    if traced is None:
        return wrap(as_node(place, _from_python(value, dtype)))
    return traced if dtype is None else astype(traced, dtype)


def _traced_members(value: Any) -> Any:
    """The array of nested lists in which there are traced values; ``None`` if there are none."""
    members: list[Any] = []
    shape = _shape_of(value, members)
    return joined(members, shape) if any(isinstance(one, TracedArray) for one in members) else None


def _shape_of(value: Any, members: list[Any]) -> tuple[Any, ...] | None:
    """The shape of a nested list; its members are appended. ``None``: its rows differ."""
    if not isinstance(value, (list, tuple)):
        members.append(value)
        return tuple(getattr(value, "shape", ()))
    rows = cast("Sequence[Any]", value)
    shapes = [_shape_of(row, members) for row in rows]
    if any(shape != shapes[0] for shape in shapes):
        if not any(isinstance(one, TracedArray) for one in members):
            return None
        raise locate(
            ShapeError(
                "asarray: the members of a list have one shape, got"
                f" {listed(str(shape) for shape in dict.fromkeys(shapes))}"
            ),
            caller_location(),
        )
    return (len(rows), *(shapes[0] or ())) if shapes else (0,)


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
