"""Arrays made from nothing but a shape: traced where a function is traced, else native at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from unigrad.errors import ArgumentError, TracingError, locate
from unigrad.ir.dims import Dim
from unigrad.ir.nodes import Node, Operators, Scope, current_scope, tensor
from unigrad.ir.source import caller_location
from unigrad.ir.types import DTYPES, DType, as_dtype
from unigrad.ops.elementwise import astype, equal
from unigrad.ops.shape import as_shape, broadcast_to, iota
from unigrad.ops.spec import Array, composite, default_float

if TYPE_CHECKING:
    from unigrad.ir.types import Shape

__all__ = [
    "arange", "eye", "full", "full_like", "linspace", "ones", "ones_like", "zeros", "zeros_like",
]  # fmt: skip


def _filled(shape: Any, value: Any, dtype: DType) -> Node:
    place = cast("Scope", current_scope())
    node = place.constant(value, dtype)
    sizes: Shape = as_shape(shape)
    return broadcast_to(node, sizes) if sizes else node


def _constant(values: Any, dtype: DType) -> Node:
    place = cast("Scope", current_scope())
    return place.constant(np.asarray(values, dtype.numpy), dtype)


def _dtype_or_default(dtype: Any) -> DType:
    return default_float() if dtype is None else as_dtype(dtype)


def _number_dtype(value: Any) -> DType:
    """The dtype of an array filled with a Python number."""
    if isinstance(value, bool):
        return DTYPES["bool"]
    return DTYPES["int64"] if isinstance(value, int) else default_float()


def _known(what: str, value: Any, instead: str) -> None:
    """Raise ``TracingError`` for a traced value where the array is made of Python numbers."""
    if isinstance(value, Operators):
        raise locate(
            TracingError(f"{what} is a Python number, got a traced value; write {instead}"),
            caller_location(),
        )


@composite
def zeros(shape: Any, *, dtype: Any = None) -> Any:
    """An array of zeros, of the default float if no dtype is given.

    Example:
        >>> import unigrad as ug
        >>> ug.zeros((2,))
        array([0., 0.])
    """
    return _filled(shape, 0, _dtype_or_default(dtype))


@composite
def ones(shape: Any, *, dtype: Any = None) -> Any:
    """An array of ones, of the default float if no dtype is given."""
    return _filled(shape, 1, _dtype_or_default(dtype))


@composite
def full(shape: Any, fill_value: Any, *, dtype: Any = None) -> Any:
    """An array of one number, of the number's own kind if no dtype is given."""
    _known("full: fill_value", fill_value, "ug.broadcast_to(value, shape)")
    if not isinstance(fill_value, (bool, int, float)):
        raise ArgumentError(f"full: fill_value is a Python number, got {type(fill_value).__name__}")
    wanted = _number_dtype(fill_value) if dtype is None else as_dtype(dtype)
    return _filled(shape, fill_value, wanted)


@composite
def zeros_like(x: Array, /, *, dtype: Any = None) -> Any:
    """Zeros of the shape and, by default, the dtype of ``x``."""
    return _filled(tensor(x).shape, 0, x.dtype if dtype is None else as_dtype(dtype))


@composite
def ones_like(x: Array, /, *, dtype: Any = None) -> Any:
    """Ones of the shape and, by default, the dtype of ``x``."""
    return _filled(tensor(x).shape, 1, x.dtype if dtype is None else as_dtype(dtype))


@composite
def full_like(x: Array, /, fill_value: Any, *, dtype: Any = None) -> Any:
    """One number in the shape and, by default, the dtype of ``x``."""
    _known("full_like: fill_value", fill_value, "ug.broadcast_to(value, x.shape)")
    return _filled(tensor(x).shape, fill_value, x.dtype if dtype is None else as_dtype(dtype))


@composite
def arange(start: Any, stop: Any = None, step: Any = 1, *, dtype: Any = None) -> Any:
    """Evenly spaced numbers ``start, start + step, ...`` below ``stop`` (from 0 if it is left out).

    A named dimension may stand for ``stop``: ``arange(x.shape[0])``.
    """
    if stop is None:
        start, stop = 0, start
    for name, value in (("start", start), ("stop", stop), ("step", step)):
        # The bounds decide the shape, which is known before any value is.
        _known(
            f"arange: {name}", value, "start + step * ug.arange(n), n being the number of values"
        )
    if isinstance(stop, Dim):
        if start != 0 or step != 1:
            raise ArgumentError("arange: up to a named dimension it counts from 0 in steps of 1")
        counted = iota((stop,), 0, "int64")
        return counted if dtype is None else astype(counted, as_dtype(dtype))
    integers = all(isinstance(value, int) for value in (start, stop, step))
    kind = DTYPES["int64"] if integers else default_float()
    return _constant(np.arange(start, stop, step), kind if dtype is None else as_dtype(dtype))


@composite
def linspace(start: Any, stop: Any, num: int, *, dtype: Any = None, endpoint: bool = True) -> Any:
    """``num`` numbers from ``start`` to ``stop``, evenly spaced."""
    for name, value in (("start", start), ("stop", stop)):
        instead = f"start + (stop - start) * ug.linspace(0, 1, {num})"
        _known(f"linspace: {name}", value, instead)
    return _constant(np.linspace(start, stop, num, endpoint=endpoint), _dtype_or_default(dtype))


@composite
def eye(n_rows: Any, n_cols: Any = None, *, k: int = 0, dtype: Any = None) -> Any:
    """A matrix with ones on the ``k``-th diagonal and zeros elsewhere."""
    shape = as_shape((n_rows, n_rows if n_cols is None else n_cols))
    on = equal(iota(shape, 0, "int64"), iota(shape, 1, "int64") - k)
    return astype(on, _dtype_or_default(dtype))
