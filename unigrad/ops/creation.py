"""Arrays made from nothing but a shape: traced where a function is traced, else native at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from unigrad.errors import ArgumentError, ShapeError, TracingError, locate
from unigrad.ir.dims import Dim, product
from unigrad.ir.nodes import Node, Operators, Scope, current_scope, tensor
from unigrad.ir.source import caller_location
from unigrad.ir.types import DTYPES, DType, as_dtype, broadcast_shapes
from unigrad.ops.elementwise import astype, equal
from unigrad.ops.families import is_int
from unigrad.ops.shape import as_shape, broadcast_to, iota, reshape
from unigrad.ops.spec import Array, composite, default_float, describe, number_node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unigrad.ir.types import Shape

__all__ = [
    "arange", "astype_", "check_device", "empty", "empty_like", "eye", "full", "full_like",
    "linspace", "meshgrid", "ones", "ones_like", "reshape_", "zeros", "zeros_like",
]  # fmt: skip


def _filled(shape: Any, value: Any, dtype: DType) -> Node:
    node = number_node(cast("Scope", current_scope()), value, dtype, weak=False)
    sizes: Shape = _checked(as_shape(shape))
    return broadcast_to(node, sizes) if sizes else node


def _checked(shape: Shape) -> Shape:
    """The shape, unless no machine has room for it."""
    count = product(shape)
    if isinstance(count, int) and count > _MOST:
        raise ShapeError(f"an array of shape {shape} does not fit into memory")
    return shape


def _constant(values: Any, dtype: DType) -> Node:
    place = cast("Scope", current_scope())
    return place.constant(np.asarray(values, dtype.numpy), dtype)


def _dtype_or_default(dtype: Any) -> DType:
    return default_float() if dtype is None else as_dtype(dtype)


def _number_dtype(value: Any) -> DType:
    """The dtype of an array filled with a number: a NumPy scalar has its own."""
    if isinstance(value, np.generic):
        return as_dtype(cast("Any", value).dtype)
    if isinstance(value, bool):
        return DTYPES["bool"]
    return DTYPES["int64"] if isinstance(value, int) else default_float()


def _check_number(what: str, value: Any, instead: str) -> None:
    """Raise for what is no number, and for a traced value, where a number makes the array."""
    if isinstance(value, Operators):
        raise locate(
            TracingError(f"{what} is a Python number, got a traced value; write {instead}"),
            caller_location(),
        )
    if not isinstance(value, (bool, int, float, np.bool_, np.floating)):
        raise ArgumentError(f"{what} is a Python number, got {describe(value)}")


def check_device(device: Any) -> None:
    """Raise unless ``device`` is ``None``, as the attribute ``device`` of a traced value is."""
    if device is not None:
        raise ArgumentError(
            f"device is None, got {device!r}: the target says where an array is made, as in"
            " ug.use('torch@cuda:0')"
        )


@composite
def zeros(shape: Any, *, dtype: Any = None, device: None = None) -> Any:
    """An array of zeros, of the default float if no dtype is given.

    Example:
        >>> import unigrad as ug
        >>> ug.zeros((2,))
        array([0., 0.])
    """
    check_device(device)
    return _filled(shape, 0, _dtype_or_default(dtype))


@composite
def ones(shape: Any, *, dtype: Any = None, device: None = None) -> Any:
    """An array of ones, of the default float if no dtype is given."""
    check_device(device)
    return _filled(shape, 1, _dtype_or_default(dtype))


@composite
def empty(shape: Any, *, dtype: Any = None, device: None = None) -> Any:
    """An array whose values do not matter: zeros, so that a run can be repeated."""
    check_device(device)
    return _filled(shape, 0, _dtype_or_default(dtype))


@composite
def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: None = None) -> Any:
    """An array of one number, of the number's own kind if no dtype is given."""
    check_device(device)
    _check_number("full: fill_value", fill_value, "ug.broadcast_to(value, shape)")
    wanted = _number_dtype(fill_value) if dtype is None else as_dtype(dtype)
    return _filled(shape, fill_value, wanted)


@composite
def zeros_like(x: Array, /, *, dtype: Any = None, device: None = None) -> Any:
    """Zeros of the shape and, by default, the dtype of ``x``."""
    check_device(device)
    return _filled(tensor(x).shape, 0, x.dtype if dtype is None else as_dtype(dtype))


@composite
def ones_like(x: Array, /, *, dtype: Any = None, device: None = None) -> Any:
    """Ones of the shape and, by default, the dtype of ``x``."""
    check_device(device)
    return _filled(tensor(x).shape, 1, x.dtype if dtype is None else as_dtype(dtype))


@composite
def empty_like(x: Array, /, *, dtype: Any = None, device: None = None) -> Any:
    """Values that do not matter, in the shape and, by default, the dtype of ``x``."""
    check_device(device)
    return _filled(tensor(x).shape, 0, x.dtype if dtype is None else as_dtype(dtype))


@composite
def full_like(x: Array, /, fill_value: Any, *, dtype: Any = None, device: None = None) -> Any:
    """One number in the shape and, by default, the dtype of ``x``."""
    check_device(device)
    _check_number("full_like: fill_value", fill_value, "ug.broadcast_to(value, x.shape)")
    return _filled(tensor(x).shape, fill_value, x.dtype if dtype is None else as_dtype(dtype))


@composite
def astype_(x: Array, /, dtype: Any, *, copy: bool = True, device: None = None) -> Any:
    """``x`` in another dtype. A cast through integers or booleans is constant for derivatives.

    ``copy`` is the Array API's and changes nothing: no value here is ever written into.
    """
    del copy
    check_device(device)
    return astype(x, dtype)


@composite
def reshape_(x: Array, /, shape: Any, *, copy: bool | None = None) -> Any:
    """The same elements in C order in another shape; one size may be -1.

    ``copy`` is the Array API's: whether the result is an array of its own.
    """
    del copy  # no value here is ever written into
    return reshape(x, shape)


@composite
def arange(
    start: Any, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: None = None
) -> Any:
    """Evenly spaced numbers ``start, start + step, ...`` below ``stop`` (from 0 if it is left out).

    A named dimension may stand for ``stop``: ``arange(x.shape[0])``.
    """
    check_device(device)
    if stop is None:
        start, stop = 0, start
    if isinstance(stop, Dim):
        if start != 0 or step != 1:
            raise ArgumentError("up to a named dimension it counts from 0 in steps of 1")
        counted = iota((stop,), 0, "int64")
        return counted if dtype is None else astype(counted, as_dtype(dtype))
    for name, value in (("start", start), ("stop", stop), ("step", step)):
        # The bounds decide the shape, which is known before any value is.
        instead = "start + step * ug.arange(n), n being the number of values"
        _check_number(f"arange: {name}", value, instead)
        if not math.isfinite(value):
            raise ArgumentError(f"{name} is finite, got {value}")
    if step == 0:
        raise ArgumentError("step is not 0")
    integers = all(isinstance(value, int) for value in (start, stop, step))
    kind = DTYPES["int64"] if integers else default_float()
    wanted = kind if dtype is None else as_dtype(dtype)
    count = max(0, math.ceil((stop - start) / step))
    if _is_long("arange", count):
        counted = iota((count,), 0, "int64")
        return astype(start + step * (counted if integers else astype(counted, kind)), wanted)
    return _constant(np.arange(start, stop, step), wanted)


def _is_long(what: str, count: int) -> bool:
    """Whether so many numbers are counted where the function runs rather than kept as a constant.

    Raises:
        ArgumentError: if no machine has room for them.
    """
    if count > _MOST:
        raise ArgumentError(f"{what} of {count} numbers does not fit into memory: check the bounds")
    return count > _LONG


_LONG: Final = 2**20
_MOST: Final = 2**37  # a terabyte of float64


@composite
def linspace(
    start: Any,
    stop: Any,
    num: int,
    *,
    dtype: Any = None,
    device: None = None,
    endpoint: bool = True,
) -> Any:
    """``num`` numbers from ``start`` to ``stop``, evenly spaced."""
    check_device(device)
    if not is_int(num) or num < 0:
        raise ArgumentError(f"num is an int, 0 or more, got {num!r}")
    for name, value in (("start", start), ("stop", stop)):
        instead = f"start + (stop - start) * ug.linspace(0, 1, {num})"
        _check_number(f"linspace: {name}", value, instead)
    if _is_long("linspace", num):
        step = (stop - start) / (num - 1 if endpoint else num)
        counted = astype(iota((num,), 0, "int64"), default_float())
        return astype(start + step * counted, _dtype_or_default(dtype))
    return _constant(np.linspace(start, stop, num, endpoint=endpoint), _dtype_or_default(dtype))


@composite
def eye(
    n_rows: Any, n_cols: Any = None, *, k: int = 0, dtype: Any = None, device: None = None
) -> Any:
    """A matrix with ones on the ``k``-th diagonal and zeros elsewhere."""
    check_device(device)
    if not is_int(k):
        raise ArgumentError(f"k is an int, got {k!r}")
    shape = _checked(as_shape((n_rows, n_rows if n_cols is None else n_cols)))
    on = equal(iota(shape, 0, "int64"), iota(shape, 1, "int64") - k)
    return astype(on, _dtype_or_default(dtype))


@composite
def meshgrid_(arrays: Sequence[Array], indexing: str) -> Any:
    """The body of ``meshgrid``."""
    if indexing not in ("xy", "ij"):
        raise ArgumentError(f"indexing is 'xy' or 'ij', got {indexing!r}")
    if any(array.ndim > 1 for array in arrays):
        raise ShapeError("takes vectors")
    # The first two axes change places where the first array gives the columns.
    turned = indexing == "xy" and len(arrays) > 1
    places = (1, 0, *range(2, len(arrays))) if turned else range(len(arrays))
    ndim = len(arrays)
    columns = [
        reshape(x, (1,) * at + (-1,) + (1,) * (ndim - 1 - at))
        for x, at in zip(arrays, places, strict=True)
    ]
    shape = broadcast_shapes([column.shape for column in columns])
    return tuple(broadcast_to(column, shape) for column in columns)


def meshgrid(*arrays: Array, indexing: str = "xy") -> tuple[Array, ...]:
    """The coordinates of every point of a grid, from those along each axis.

    Args:
        arrays: vectors, or numbers.
        indexing: ``"xy"`` if the first array runs along columns, ``"ij"`` if along rows.

    Returns:
        One array for each of ``arrays``, all of one shape.

    Example:
        >>> import numpy as np, unigrad as ug
        >>> ug.meshgrid(np.array([1.0, 2.0]), np.array([3.0, 4.0]))[0]
        array([[1., 2.],
               [1., 2.]])
    """
    return cast("tuple[Array, ...]", meshgrid_(arrays, indexing)) if arrays else ()
