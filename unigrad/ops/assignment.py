"""Assignment as a value: what an array is after ``x[...] = value``.

A basic key cuts the array into pieces, one axis after the other, and joins them around the value;
integer and boolean arrays say where each element comes from. All of it is made of linear ops, so
that derivatives go through it in both ways.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from unigrad.errors import ArgumentError, IndexRangeError, ShapeError
from unigrad.ir.dims import Dim, product
from unigrad.ir.nodes import CONSTANT, current_scope
from unigrad.ir.types import broadcast_shapes
from unigrad.ops.elementwise import astype, equal, maximum, where
from unigrad.ops.indexing import PLACE, index
from unigrad.ops.key import indexed_shape, normalise_key
from unigrad.ops.reduction import max_
from unigrad.ops.shape import broadcast_to, concat, getitem, iota, reshape, stack, take_within
from unigrad.ops.spec import Array, composite, promoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unigrad.ir.nodes import Scope
    from unigrad.ir.types import Shape

__all__ = ["assigned", "joined"]


@composite
def joined(arrays: Sequence[Array], shape: Any) -> Any:
    """The members of a nested list, read in C order, as one array of ``shape``."""
    members, _ = promoted(cast("Scope", current_scope()), arrays)
    if all(member.shape == members[0].shape for member in members):
        whole = stack(members)
    else:
        whole = concat([reshape(member, (-1,)) for member in members])
    return whole if whole.shape == shape else reshape(whole, shape)


joined.name = "asarray"  # what the user called


@composite
def assigned(arrays: Sequence[Array], template: Any) -> Any:
    """The first array after ``x[template] = value``; its index arrays follow the value."""
    x, value, *indices = arrays
    value = astype(value, x.dtype)  # as NumPy casts, also towards integers
    if not indices:
        return _in_box(x, value, normalise_key(x.shape, template))
    if any(isinstance(size, Dim) for size in x.shape):
        raise ShapeError(f"assignment by an index array needs known sizes; x has shape {x.shape}")
    if all(one.op is CONSTANT for one in indices):
        return _at_known(x, value, [one.params[0] for one in indices], template)
    if any(one.dtype.kind == "bool" for one in indices):
        return _where_true(x, value, indices, template)
    return _at_traced(x, value, indices, template)


assigned.name = "x[...] = value"


def _size(x: Any) -> int:
    """The number of elements, which is known."""
    return cast("int", product(x.shape))


def _fitted(value: Any, shape: Shape) -> Any:
    """The value in the shape of what it is assigned to; NumPy drops leading axes of size 1."""
    have = value.shape
    while len(have) > len(shape) and have[0] == 1:
        have = have[1:]
    try:
        fits = broadcast_shapes((have, shape)) == shape
    except ShapeError:
        fits = False
    if not fits:
        raise ShapeError(f"a value of shape {value.shape} does not fit into the shape {shape}")
    value = value if have == value.shape else reshape(value, have)
    return value if have == shape else broadcast_to(value, shape)


def _in_box(x: Any, value: Any, key: tuple[Any, ...]) -> Any:
    """By ints and slices."""
    shape = indexed_shape(key)
    value = _fitted(value, shape)
    if 0 in shape:
        return x
    entries = [entry for entry in key if entry is not None]
    box: list[Any] = [
        entry if entry.__class__ is tuple else (entry, entry + 1, 1) for entry in entries
    ]
    kept = indexed_shape(tuple(box))
    return _replaced(x, box, value if kept == shape else reshape(value, kept), 0)


def _replaced(x: Any, box: list[Any], value: Any, axis: int) -> Any:
    """``x`` with the value in a box of it, from ``axis`` on; it is all of ``x`` before."""
    while axis < x.ndim and box[axis] == (0, x.shape[axis], 1):
        axis += 1
    if axis == x.ndim:
        return value
    start, stop, step = cast("tuple[Any, Any, int]", box[axis])
    whole = (slice(None),) * axis
    part = _replaced(getitem(x, (*whole, slice(start, stop, step))), box, value, axis + 1)
    if step != 1:
        size: int = x.shape[axis]
        source = np.arange(size)
        source[slice(start, stop, step)] = size + np.arange(part.shape[axis])
        return take_within(concat((x, part), axis=axis), source, axis=axis)
    pieces = [part]
    if start != 0:
        pieces.insert(0, getitem(x, (*whole, slice(0, start))))
    if stop != x.shape[axis]:
        pieces.append(getitem(x, (*whole, slice(stop, x.shape[axis]))))
    return concat(pieces, axis=axis)


def _at_known(x: Any, value: Any, indices: list[Any], template: tuple[Any, ...]) -> Any:
    """By arrays that are known: NumPy itself says which element goes where, and which is last."""
    key = tuple(indices.pop(0) if entry is PLACE else entry for entry in template)
    size = _size(x)
    try:
        positions = cast("Any", np.arange(size).reshape(x.shape)[key])
    except IndexError as error:
        raise IndexRangeError(str(error)) from None
    if value.ndim == 0:
        mask = np.zeros(size, bool)
        mask[positions.ravel()] = True
        return where(mask.reshape(x.shape), value, x)
    value = _fitted(value, positions.shape)
    if not positions.size:
        return x
    source = np.arange(size)
    source[positions.ravel()] = size + np.arange(positions.size)
    both = concat((reshape(x, (-1,)), reshape(value, (-1,))))
    return take_within(both, source.reshape(x.shape), axis=0)


def _where_true(x: Any, value: Any, indices: list[Any], template: tuple[Any, ...]) -> Any:
    """By a condition: one value for all elements that it selects."""
    mask = indices[0]
    alone = [entry for entry in template if entry is not Ellipsis] == [PLACE]
    before = x.ndim - mask.ndim if template[0] is Ellipsis else 0
    if not alone or mask.shape != x.shape[before : before + mask.ndim]:
        raise ArgumentError(
            f"a boolean array of shape {mask.shape} does not select from the shape {x.shape} here"
        )
    behind = x.ndim - mask.ndim - before
    have = value.shape
    # What it selects is one axis, of a length that depends on values.
    while len(have) > (behind if not before else 0) and have[0] == 1:
        have = have[1:]
    if len(have) > behind or (before and have):
        raise ArgumentError(
            "how many elements a traced condition selects depends on values; assign one value, or"
            " choose with y = ug.where(condition, value, y)"
        )
    value = value if have == value.shape else reshape(value, have)
    return where(reshape(mask, (*mask.shape, *(1,) * behind)), value, x)


def _at_traced(x: Any, value: Any, indices: list[Any], template: tuple[Any, ...]) -> Any:
    """By integers that are traced: each element asks which assignment to it was the last."""
    size = _size(x)
    places = cast("Any", np.arange(size).reshape(x.shape))
    positions = index((places, *indices), template)
    value = _fitted(value, positions.shape)
    count = _size(positions)
    if count == 0:
        return x
    if count == 1:
        return where(equal(places, reshape(positions, (1,) * x.ndim)), reshape(value, ()), x)
    hit = equal(np.arange(size)[:, None], reshape(positions, (1, count)))
    last = max_(where(hit, iota((1, count), 1, "int64"), -1), axis=1)
    found = take_within(reshape(value, (-1,)), maximum(last, 0), axis=0)
    chosen = where(last >= 0, found, reshape(x, (-1,)))
    return reshape(chosen, x.shape)
