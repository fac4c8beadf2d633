"""What functions of NumPy mean in unigrad, each with NumPy's own parameters and defaults."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import numpy as np

from unigrad.errors import TracingError, locate
from unigrad.ir.dims import product
from unigrad.ir.source import caller_location
from unigrad.ir.types import broadcast_shapes
from unigrad.ops.families import normalise_axis
from unigrad.trace.array import TracedArray

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["FUNCTIONS", "NOT_GIVEN", "Adapter", "as_operand", "named", "refused", "truth"]

Adapter: TypeAlias = "Callable[..., Any]"

NOT_GIVEN: Final[Any] = np._NoValue  # noqa: SLF001  (what NumPy itself passes for "not given")

FUNCTIONS: Final[dict[Any, Adapter]] = {}
"""For each NumPy function an adapter with NumPy's parameters, after the namespace."""


def refused(what: str, advice: str) -> TracingError:
    return locate(TracingError(f"{what}; {advice}"), caller_location())


def named(namespace: Any, name: str) -> Any:
    return operator.attrgetter(name)(namespace)


def as_operand(ug: Any, value: Any) -> Any:
    """An operand as NumPy reads it: nested lists are arrays, also with traced values in them."""
    if not isinstance(value, (list, tuple)):
        return value
    members = [as_operand(ug, one) for one in cast("Sequence[Any]", value)]
    if any(isinstance(one, TracedArray) for one in members):
        return ug.stack(members)
    return ug.asarray(value)


def truth(ug: Any, value: Any) -> Any:
    """What NumPy takes for true: everything but 0."""
    return value if getattr(value, "dtype", type(value)) in (np.bool_, bool) else ug.not_equal(value, 0)


def _means(*names: str) -> Callable[[Adapter], Adapter]:
    """Say what functions of NumPy mean; one that this NumPy lacks is left out."""

    def register(adapter: Adapter) -> Adapter:
        for name in names:
            try:
                FUNCTIONS[named(np, name)] = adapter
            except AttributeError:
                continue
        return adapter

    return register


# -- reductions ------------------------------------------------------------------------------------


def _reduction(use: str) -> Adapter:
    def reduce(ug: Any, /, a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
        return named(ug, use)(as_operand(ug, a), axis=axis, keepdims=bool(keepdims))

    return reduce


for _name, _used in {
    "all": "all", "amax": "max", "amin": "min", "any": "any", "argmax": "argmax", "argmin": "argmin",
    "max": "max", "mean": "mean", "min": "min", "prod": "prod", "sum": "sum",
}.items():  # fmt: skip
    _means(_name)(_reduction(_used))


def _spread(use: str) -> Adapter:
    def spread(
        ug: Any, /, a: Any, axis: Any = None, *,
        ddof: float = 0, correction: float | None = None, keepdims: bool = False,
    ) -> Any:  # fmt: skip
        if correction is not None and ddof:
            raise refused(f"np.{use}: ddof= and correction= mean the same", "give one of them")
        freedom = ddof if correction is None else correction
        return named(ug, use)(as_operand(ug, a), axis=axis, correction=freedom, keepdims=bool(keepdims))

    return spread


_means("std")(_spread("std"))
_means("var")(_spread("var"))


@_means("ptp")
def _ptp(ug: Any, /, a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return ug.max(a, axis=axis, keepdims=keepdims) - ug.min(a, axis=axis, keepdims=keepdims)


@_means("count_nonzero")
def _count_nonzero(ug: Any, /, a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return ug.sum(truth(ug, a), axis=axis, keepdims=keepdims)


@_means("where")
def _where(ug: Any, /, condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None or y is None:
        raise refused(
            "np.where without x and y has a shape that depends on values", "use ug.where(condition, x, y)"
        )
    return ug.where(truth(ug, as_operand(ug, condition)), as_operand(ug, x), as_operand(ug, y))


@_means("clip")
def _clip(
    ug: Any, /, a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None  # noqa: A002
) -> Any:
    lower, upper = (one if two is None else two for one, two in ((a_min, min), (a_max, max)))
    absent = (None, NOT_GIVEN)
    lower, upper = (None if any(v is one for one in absent) else as_operand(ug, v) for v in (lower, upper))
    return ug.clip(as_operand(ug, a), lower, upper)


@_means("round", "around")
def _round(ug: Any, /, a: Any, decimals: int = 0) -> Any:
    if decimals:
        raise refused(f"np.round to {decimals} decimals", "use ug.round(x * 10**n) / 10**n")
    return ug.round(a)


_means("fix")(lambda ug, x: ug.trunc(x))
_means("tril")(lambda ug, m, k=0: ug.tril(m, k=k))
_means("triu")(lambda ug, m, k=0: ug.triu(m, k=k))
_means("copy", "real")(lambda ug, a: ug.positive(a) if a.dtype != "bool" else a)
_means("shape")(lambda ug, a: a.shape)
_means("ndim")(lambda ug, a: a.ndim)
_means("iscomplexobj")(lambda ug, x: x.dtype.kind == "complex")
_means("isrealobj")(lambda ug, x: x.dtype.kind != "complex")


@_means("size")
def _size(ug: Any, /, a: Any, axis: Any = None) -> Any:
    del ug
    if axis is None:
        return a.size
    axes = axis if isinstance(axis, tuple) else (axis,)
    return product(a.shape[normalise_axis(one, a.ndim)] for one in cast("tuple[Any, ...]", axes))


# -- shapes ----------------------------------------------------------------------------------------


@_means("reshape")
def _reshape(ug: Any, /, a: Any, shape: Any) -> Any:
    return ug.reshape(a, shape)


_means("ravel")(lambda ug, a: ug.reshape(ug.asarray(a), (-1,)))
_means("expand_dims")(lambda ug, a, axis: ug.expand_dims(a, axis=axis))
_means("squeeze")(lambda ug, a, axis=None: ug.squeeze(a, axis=axis))
_means("broadcast_to")(lambda ug, array, shape: ug.broadcast_to(array, shape))
_means("flip")(lambda ug, m, axis=None: ug.flip(m, axis=axis))
_means("flipud")(lambda ug, m: ug.flip(m, axis=0))
_means("fliplr")(lambda ug, m: ug.flip(m, axis=1))
_means("matrix_transpose", "linalg.matrix_transpose")(lambda ug, x: ug.matrix_transpose(x))


@_means("transpose")
def _transpose(ug: Any, /, a: Any, axes: Any = None) -> Any:
    return ug.permute_dims(a, tuple(range(a.ndim))[::-1] if axes is None else tuple(axes))


@_means("swapaxes")
def _swapaxes(ug: Any, /, a: Any, axis1: int, axis2: int) -> Any:
    order = list(range(a.ndim))
    first, second = (normalise_axis(axis, a.ndim) for axis in (axis1, axis2))
    order[first], order[second] = second, first
    return ug.permute_dims(a, tuple(order))


@_means("moveaxis")
def _moveaxis(ug: Any, /, a: Any, source: Any, destination: Any) -> Any:
    moved, places = (
        [normalise_axis(axis, a.ndim) for axis in (axes if isinstance(axes, (tuple, list)) else (axes,))]
        for axes in (source, destination)
    )
    if len(moved) != len(places):
        raise refused("np.moveaxis: source and destination differ in length", "name a place for each axis")
    order = [axis for axis in range(a.ndim) if axis not in moved]
    for place, axis in sorted(zip(places, moved, strict=True)):
        order.insert(place, axis)
    return ug.permute_dims(a, tuple(order))


@_means("broadcast_arrays")
def _broadcast_arrays(ug: Any, /, *args: Any) -> Any:
    arrays = [ug.asarray(as_operand(ug, one)) for one in args]
    shape = broadcast_shapes([array.shape for array in arrays])
    return tuple(ug.broadcast_to(array, shape) for array in arrays)


def _at_least(ug: Any, value: Any, ndim: int) -> Any:
    array = ug.asarray(as_operand(ug, value))
    missing = ndim - array.ndim
    return ug.reshape(array, (*(1,) * missing, *array.shape)) if missing > 0 else array


def _at_least_all(ndim: int) -> Adapter:
    def at_least(ug: Any, /, *arys: Any) -> Any:
        found = tuple(_at_least(ug, one, ndim) for one in arys)
        return found[0] if len(found) == 1 else found

    return at_least


_means("atleast_1d")(_at_least_all(1))
_means("atleast_2d")(_at_least_all(2))


@_means("concatenate")
def _concatenate(ug: Any, /, arrays: Any, axis: int | None = 0) -> Any:
    found = [ug.asarray(as_operand(ug, one)) for one in arrays]
    if axis is None:
        return ug.concat([ug.reshape(one, (-1,)) for one in found])
    return ug.concat(found, axis=axis)


@_means("stack")
def _stack(ug: Any, /, arrays: Any, axis: int = 0) -> Any:
    return ug.stack([as_operand(ug, one) for one in arrays], axis=axis)


@_means("vstack", "row_stack")
def _vstack(ug: Any, /, tup: Any) -> Any:
    return ug.concat([_at_least(ug, one, 2) for one in tup], axis=0)


@_means("hstack")
def _hstack(ug: Any, /, tup: Any) -> Any:
    found = [_at_least(ug, one, 1) for one in tup]
    return ug.concat(found, axis=0 if found[0].ndim == 1 else 1)


@_means("column_stack")
def _column_stack(ug: Any, /, tup: Any) -> Any:
    found = [_at_least(ug, one, 1) for one in tup]
    return ug.concat([ug.reshape(one, (-1, 1)) if one.ndim == 1 else one for one in found], axis=1)


@_means("take")
def _take(ug: Any, /, a: Any, indices: Any, axis: int | None = None, *, mode: str = "raise") -> Any:
    if mode != "raise":
        raise refused(f"np.take: mode={mode!r} cannot be given for traced values", "clip the indices")
    array = as_operand(ug, a)
    if axis is None:
        array, axis = ug.reshape(ug.asarray(array), (-1,)), 0
    return ug.take(array, as_operand(ug, indices), axis=axis)


# -- creation --------------------------------------------------------------------------------------


def _filled(use: str) -> Adapter:
    def like(ug: Any, /, a: Any, dtype: Any = None, *, shape: Any = None) -> Any:
        if shape is None:
            return named(ug, f"{use}_like")(a, dtype=dtype)
        return named(ug, use)(shape, dtype=a.dtype if dtype is None else dtype)

    return like


_means("zeros_like")(_filled("zeros"))
_means("ones_like")(_filled("ones"))


@_means("full_like")
def _full_like(ug: Any, /, a: Any, fill_value: Any, dtype: Any = None, *, shape: Any = None) -> Any:
    value = ug.astype(ug.asarray(as_operand(ug, fill_value)), a.dtype if dtype is None else dtype)
    return ug.broadcast_to(value, a.shape if shape is None else shape)


# -- products --------------------------------------------------------------------------------------


@_means("dot")
def _dot(ug: Any, /, a: Any, b: Any) -> Any:
    x, y = (ug.asarray(as_operand(ug, one)) for one in (a, b))
    if x.ndim == 0 or y.ndim == 0:
        return ug.multiply(x, y)
    if y.ndim <= 2 or x.ndim == 1:  # noqa: PLR2004  (where dot and matmul agree)
        return ug.matmul(x, y)
    return ug.tensordot(x, y, axes=((-1,), (-2,)))


@_means("inner")
def _inner(ug: Any, /, a: Any, b: Any) -> Any:
    x, y = (ug.asarray(as_operand(ug, one)) for one in (a, b))
    if x.ndim == 0 or y.ndim == 0:
        return ug.multiply(x, y)
    return ug.tensordot(x, y, axes=((-1,), (-1,)))


def _flat(ug: Any, value: Any) -> Any:
    return ug.reshape(ug.asarray(as_operand(ug, value)), (-1,))


_means("vdot")(lambda ug, a, b: ug.matmul(_flat(ug, a), _flat(ug, b)))
_means("outer")(lambda ug, a, b: ug.outer(_flat(ug, a), _flat(ug, b)))


@_means("tensordot")
def _tensordot(ug: Any, /, a: Any, b: Any, axes: Any = 2) -> Any:
    pairs = axes if isinstance(axes, int) else tuple(one if isinstance(one, int) else tuple(one) for one in axes)
    return ug.tensordot(as_operand(ug, a), as_operand(ug, b), axes=pairs)


_means("linalg.matmul")(lambda ug, x1, x2: ug.matmul(x1, x2))
_means("linalg.outer")(lambda ug, x1, x2: ug.outer(as_operand(ug, x1), as_operand(ug, x2)))
_means("linalg.tensordot")(lambda ug, x1, x2, *, axes=2: _tensordot(ug, x1, x2, axes))
_means("linalg.vecdot")(lambda ug, x1, x2, *, axis=-1: ug.vecdot(x1, x2, axis=axis))
_means("linalg.solve")(lambda ug, a, b: ug.linalg.solve(as_operand(ug, a), as_operand(ug, b)))


@_means("linalg.cholesky")
def _cholesky(ug: Any, /, a: Any, *, upper: bool = False) -> Any:
    if upper:
        raise refused(
            "np.linalg.cholesky: upper=True cannot be given for traced values",
            "use ug.matrix_transpose(ug.linalg.cholesky(x))",
        )
    return ug.linalg.cholesky(a)


@_means("einsum")
def _einsum(ug: Any, /, *operands: Any, optimize: Any = None) -> Any:
    del optimize  # the path is found by opt_einsum
    if not operands or not isinstance(operands[0], str):
        raise refused(
            "np.einsum: subscripts as lists cannot be given for traced values",
            "write them as text, ug.einsum('ij,jk->ik', x, y)",
        )
    return ug.einsum(operands[0], *(as_operand(ug, one) for one in operands[1:]))

