"""Indexing as the user writes it: ``x[...]`` with slices and integer arrays, and ``take``.

Everything comes down to three linear ops: a basic index, a gather along one axis, and reshape.
Negative indices wrap; a known index out of range raises, one known only when the function runs is
clamped, since a compiled graph cannot raise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from unigrad.errors import ArgumentError, IndexRangeError
from unigrad.ir.dims import product
from unigrad.ir.nodes import CONSTANT, Node, tensor
from unigrad.ir.types import DTYPES, broadcast_shapes, told
from unigrad.ops.elementwise import astype, clip_between, where
from unigrad.ops.families import normalise_axis
from unigrad.ops.shape import (
    broadcast_to,
    dim_value,
    getitem,
    permute_dims,
    reshape,
    take_within,
)
from unigrad.ops.spec import Array, composite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unigrad.ir.dims import Size

__all__ = ["PLACE", "index", "take"]


class _Place:
    """Stands in an index for the next integer array."""

    def __repr__(self) -> str:
        return "array"


PLACE = _Place()


@composite
def take(x: Array, indices: Array, /, *, axis: int | None = None) -> Any:
    """Elements of ``x`` along ``axis`` at integer ``indices``.

    Args:
        x: an array.
        indices: integers of any shape; negative ones count from the end.
        axis: the axis to index; may be left out for one-dimensional ``x``.

    Returns:
        An array of shape ``x.shape[:axis] + indices.shape + x.shape[axis + 1:]``.

    Raises:
        IndexRangeError: if an index that is known while tracing is out of range.

    Example:
        >>> import numpy as np, unigrad as ug
        >>> ug.take(np.array([10.0, 20.0, 30.0]), np.array([-1, 0]), axis=0)
        array([30., 10.])
    """
    if axis is None:
        if x.ndim != 1:
            raise ArgumentError(f"take: axis is needed for an array with {x.ndim} axes")
        axis = 0
    axis = normalise_axis(axis, x.ndim)
    if indices.dtype.kind not in ("int", "uint"):
        raise ArgumentError(f"take: indices are integers, got {told(indices.type)}")
    return take_within(x, _wrapped(indices, x.shape[axis], axis), axis=axis)


@take.check
def _(x: Any, indices: Any, axis: int | None) -> None:
    """Indices that are at hand are known: they are in range, as NumPy says."""
    shape = np.shape(x) if not hasattr(x, "shape") else tuple(x.shape)
    if isinstance(indices, (int, np.integer, np.ndarray)) and (axis is not None or len(shape) == 1):
        at = normalise_axis(0 if axis is None else axis, len(shape))
        _raise_outside(np.asarray(indices), shape[at], at)


def _raise_outside(values: Any, size: int, axis: int) -> None:
    if values.size and size and values.dtype.kind in "iu":
        bad = values[(values < -size) | (values >= size)].ravel()
        if bad.size:
            raise IndexRangeError(f"index {bad[0]} is out of range for axis {axis} of size {size}")


@composite
def index(arrays: Sequence[Array], template: Any) -> Any:
    """``x[template]`` with the integer arrays after the first of ``arrays`` in its places."""
    x, *rest = arrays
    if not rest:
        return getitem(x, template)
    return _index_with_arrays(x, *_without_masks(x, rest, template))


index.name = "x[...]"  # as the user writes it, for messages


def _without_masks(x: Any, arrays: list[Any], template: Any) -> tuple[list[Any], list[Any]]:
    """A key with the positions of what each known mask selects, as NumPy reads it."""
    pending, indices, entries = list(arrays), list[Any](), list[Any]()
    masks: list[tuple[int, Any]] = []
    for entry in template:
        array = pending.pop(0) if entry is PLACE else None
        if array is None or array.dtype.kind != "bool" or not array.ndim:
            indices += [] if array is None else [array]
            entries.append(entry)
            continue
        if array.op is not CONSTANT:
            raise ArgumentError(
                "how many elements a traced condition selects depends on values; use ug.where"
                " (a boolean NumPy array can be an index)"
            )
        mask = array.params[0]
        masks.append((len(entries), mask))
        indices += [x.scope.constant(one, DTYPES["int64"]) for one in np.nonzero(mask)]
        entries += [PLACE] * mask.ndim
    used = sum(1 for entry in entries if entry is not None and entry is not Ellipsis)
    for at, mask in masks:
        before = entries[:at]
        axis = sum(1 for entry in before if entry is not None and entry is not Ellipsis)
        axis += x.ndim - used if Ellipsis in before else 0
        if mask.shape != x.shape[axis : axis + mask.ndim]:
            raise IndexRangeError(
                f"a boolean index of shape {mask.shape} does not fit axis {axis} and following of"
                f" the shape {x.shape}"
            )
    return indices, entries


def _index_with_arrays(x: Any, arrays: Sequence[Any], entries: list[Any]) -> Any:
    """Slices first, then the indexed axes together, as one gather."""
    for array in arrays:
        if array.dtype.kind == "bool":
            raise ArgumentError("a single truth value is no index; use ug.where")
        if array.dtype.kind not in ("int", "uint"):
            raise ArgumentError(f"an index array holds integers, got {told(array.type)}")
    # Beside arrays, an int is an array of no axes (NumPy's rule).
    pending = list(arrays)
    indices: list[Any] = []
    basic: list[Any] = []
    used = sum(1 for entry in entries if entry is not None and entry is not Ellipsis)
    if Ellipsis not in entries:
        entries.append(Ellipsis)
    at = entries.index(Ellipsis)
    entries[at : at + 1] = [slice(None)] * (x.ndim - used)
    axes: list[int] = []
    for entry in entries:
        if entry is PLACE:
            indices.append(pending.pop(0))
        elif isinstance(entry, int):
            indices.append(x.scope.constant(entry, DTYPES["int64"]))
        else:
            basic.append(entry)
            continue
        axes.append(len(basic))
        basic.append(slice(None))
    x = getitem(x, tuple(basic))
    together = axes == list(range(axes[0], axes[0] + len(axes)))
    place = axes[0] if together else 0
    rest = [axis for axis in range(x.ndim) if axis not in axes]
    if not together or place != axes[0]:
        x = permute_dims(x, (*rest[:place], *axes, *rest[place:]))
    shape = broadcast_shapes([tensor(one).shape for one in indices])
    flat: Any = None
    for offset, one in enumerate(indices):
        size = x.shape[place + offset]
        wrapped = broadcast_to(astype(_wrapped(one, size, place + offset), "int64"), shape)
        count = size if isinstance(size, int) else dim_value(size, "int64")
        flat = wrapped if flat is None else flat * count + wrapped
    sizes = x.shape
    merged = product(sizes[place : place + len(axes)])
    x = reshape(x, (*sizes[:place], merged, *sizes[place + len(axes) :]))
    return take_within(x, flat, axis=place)


def _wrapped(indices: Any, size: Size, axis: int) -> Any:
    """Indices with negative ones wrapped: known ones are checked, others clamped into range."""
    if indices.__class__ is Node and indices.op is CONSTANT and isinstance(size, int):
        values = indices.params[0]
        _raise_outside(values, size, axis)
        return indices.scope.constant(np.where(values < 0, values + size, values), indices.dtype)
    count = size if isinstance(size, int) else dim_value(size, DTYPES["int64"])
    return clip_between(where(indices < 0, indices + count, indices), 0, count - 1)
