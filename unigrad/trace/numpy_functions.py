"""What functions of NumPy mean in unigrad, each with NumPy's own parameters and defaults."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import numpy as np

from unigrad.errors import TracingError, locate
from unigrad.ir.dims import product
from unigrad.ir.source import caller_location
from unigrad.ir.types import as_dtype, broadcast_shapes
from unigrad.ops.families import normalise_axis
from unigrad.ops.spec import INTERPRETERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["FUNCTIONS", "NOT_GIVEN", "Adapter", "as_operand", "named", "refused", "truth"]

Adapter: TypeAlias = "Callable[..., Any]"

NOT_GIVEN: Final[Any] = getattr(np, "_NoValue", None)
"""What NumPy's own functions pass on for an argument that was not given."""

FUNCTIONS: Final[dict[Any, Adapter]] = {}
"""For each NumPy function an adapter with NumPy's parameters, after the namespace."""


def refused(what: str, advice: str) -> TracingError:
    """The error for a call that unigrad has no words for, at the user's line."""
    return locate(TracingError(f"{what}; {advice}"), caller_location())


def named(namespace: Any, name: str) -> Any:
    """The public function of that name, such as ``nn.sigmoid``."""
    return operator.attrgetter(name)(namespace)


def as_operand(ug: Any, value: Any) -> Any:
    """An operand as NumPy reads it: nested lists are arrays, also with traced values in them."""
    if not isinstance(value, (list, tuple)):
        return value
    members = [as_operand(ug, one) for one in cast("Sequence[Any]", value)]
    if any(type(one) in INTERPRETERS for one in members):
        return ug.stack(members)
    return ug.asarray(value)


def truth(ug: Any, value: Any) -> Any:
    """What NumPy takes for true: everything but 0."""
    if isinstance(value, (bool, int, float)):
        return bool(value)
    return value if as_dtype(value.dtype).kind == "bool" else ug.not_equal(value, 0)


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


def _of_arrays(use: str) -> Adapter:
    """A function whose arguments are arrays and nothing else."""

    def call(ug: Any, /, *arrays: Any) -> Any:
        return named(ug, use)(*(as_operand(ug, one) for one in arrays))

    return call


_means("fix")(_of_arrays("trunc"))
_means("linalg.matmul")(_of_arrays("matmul"))
_means("linalg.outer")(_of_arrays("outer"))
_means("linalg.solve")(_of_arrays("linalg.solve"))
_means("matrix_transpose", "linalg.matrix_transpose")(_of_arrays("matrix_transpose"))


# -- questions -------------------------------------------------------------------------------------


@_means("shape")
def _shape(ug: Any, /, a: Any) -> Any:
    del ug
    return a.shape


@_means("ndim")
def _ndim(ug: Any, /, a: Any) -> Any:
    del ug
    return a.ndim


@_means("size")
def _size(ug: Any, /, a: Any, axis: Any = None) -> Any:
    del ug
    if axis is None:
        return a.size
    axes = cast("tuple[Any, ...]", axis if isinstance(axis, tuple) else (axis,))
    return product(a.shape[normalise_axis(one, a.ndim)] for one in axes)


@_means("iscomplexobj")
def _iscomplexobj(ug: Any, /, x: Any) -> bool:
    del ug
    return x.dtype.kind == "complex"


@_means("isrealobj")
def _isrealobj(ug: Any, /, x: Any) -> bool:
    del ug
    return x.dtype.kind != "complex"


# -- reductions ------------------------------------------------------------------------------------


def _reduction(use: str) -> Adapter:
    def reduce(ug: Any, /, a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
        return named(ug, use)(as_operand(ug, a), axis=axis, keepdims=bool(keepdims))

    return reduce


for _name in ("all", "any", "argmax", "argmin", "max", "mean", "min", "prod", "sum"):
    _means(_name)(_reduction(_name))
del _name
_means("amax")(_reduction("max"))
_means("amin")(_reduction("min"))


def _spread(use: str) -> Adapter:
    def spread(
        ug: Any,
        /,
        a: Any,
        axis: Any = None,
        *,
        ddof: float = 0,
        correction: float | None = None,
        keepdims: bool = False,
    ) -> Any:
        if correction is not None and ddof:
            raise refused(f"np.{use}: ddof= and correction= mean the same", "give one of them")
        freedom = ddof if correction is None else correction
        x = as_operand(ug, a)
        return named(ug, use)(x, axis=axis, correction=freedom, keepdims=bool(keepdims))

    return spread


_means("std")(_spread("std"))
_means("var")(_spread("var"))


@_means("ptp")
def _ptp(ug: Any, /, a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return ug.max(a, axis=axis, keepdims=keepdims) - ug.min(a, axis=axis, keepdims=keepdims)


@_means("count_nonzero")
def _count_nonzero(ug: Any, /, a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return ug.sum(truth(ug, a), axis=axis, keepdims=keepdims)


# -- element by element ----------------------------------------------------------------------------


@_means("where")
def _where(ug: Any, /, condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None or y is None:
        what = "np.where without x and y has a shape that depends on values"
        raise refused(what, "use ug.where(condition, x, y)")
    return ug.where(truth(ug, as_operand(ug, condition)), as_operand(ug, x), as_operand(ug, y))


@_means("clip")
def _clip(
    ug: Any,
    /,
    a: Any,
    a_min: Any = None,
    a_max: Any = None,
    *,
    min: Any = None,  # noqa: A002  (NumPy's names)
    max: Any = None,  # noqa: A002
) -> Any:
    lower = min if a_min is None or a_min is NOT_GIVEN else a_min
    upper = max if a_max is None or a_max is NOT_GIVEN else a_max
    return ug.clip(as_operand(ug, a), as_operand(ug, lower), as_operand(ug, upper))


@_means("round", "around")
def _round(ug: Any, /, a: Any, decimals: int = 0) -> Any:
    if decimals:
        raise refused(f"np.round to {decimals} decimals", "use ug.round(x * 10**n) / 10**n")
    return ug.round(a)


@_means("copy")
def _copy(ug: Any, /, a: Any) -> Any:
    return ug.asarray(as_operand(ug, a), copy=True)


@_means("real")
def _itself(ug: Any, /, a: Any) -> Any:
    del ug
    return a  # a traced value is real


# -- shapes ----------------------------------------------------------------------------------------


@_means("reshape")
def _reshape(ug: Any, /, a: Any, shape: Any) -> Any:
    return ug.reshape(a, shape)


@_means("ravel")
def _ravel(ug: Any, /, a: Any) -> Any:
    return ug.reshape(ug.asarray(as_operand(ug, a)), (-1,))


@_means("roll")
def _roll(ug: Any, /, a: Any, shift: Any, axis: Any = None) -> Any:
    return ug.roll(a, shift, axis=axis)


@_means("tile")
def _tile(ug: Any, /, A: Any, reps: Any) -> Any:  # noqa: N803  (NumPy's name)
    return ug.tile(A, reps)


@_means("expand_dims")
def _expand_dims(ug: Any, /, a: Any, axis: Any) -> Any:
    return ug.expand_dims(a, axis=axis)


@_means("squeeze")
def _squeeze(ug: Any, /, a: Any, axis: Any = None) -> Any:
    return ug.squeeze(a, axis=axis)


@_means("broadcast_to")
def _broadcast_to(ug: Any, /, array: Any, shape: Any) -> Any:
    return ug.broadcast_to(array, shape)


@_means("broadcast_arrays")
def _broadcast_arrays(ug: Any, /, *args: Any) -> Any:
    arrays = [ug.asarray(as_operand(ug, one)) for one in args]
    shape = broadcast_shapes([array.shape for array in arrays])
    return tuple(ug.broadcast_to(array, shape) for array in arrays)


@_means("flip")
def _flip(ug: Any, /, m: Any, axis: Any = None) -> Any:
    return ug.flip(m, axis=axis)


@_means("flipud")
def _flipud(ug: Any, /, m: Any) -> Any:
    return ug.flip(m, axis=0)


@_means("fliplr")
def _fliplr(ug: Any, /, m: Any) -> Any:
    return ug.flip(m, axis=1)


@_means("tril")
def _tril(ug: Any, /, m: Any, k: int = 0) -> Any:
    return ug.tril(m, k=k)


@_means("triu")
def _triu(ug: Any, /, m: Any, k: int = 0) -> Any:
    return ug.triu(m, k=k)


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
        [normalise_axis(one, a.ndim) for one in np.atleast_1d(axes).tolist()]
        for axes in (source, destination)
    )
    if len(moved) != len(places):
        what = "np.moveaxis: source and destination differ in length"
        raise refused(what, "name a place for each axis")
    order = [axis for axis in range(a.ndim) if axis not in moved]
    for place, axis in sorted(zip(places, moved, strict=True)):
        order.insert(place, axis)
    return ug.permute_dims(a, tuple(order))


def _at_least(ug: Any, value: Any, ndim: int) -> Any:
    array = ug.asarray(as_operand(ug, value))
    missing = ndim - array.ndim
    return ug.reshape(array, (*(1,) * missing, *array.shape)) if missing > 0 else array


@_means("atleast_1d")
def _atleast_1d(ug: Any, /, *arys: Any) -> Any:
    found = tuple(_at_least(ug, one, 1) for one in arys)
    return found[0] if len(found) == 1 else found


@_means("atleast_2d")
def _atleast_2d(ug: Any, /, *arys: Any) -> Any:
    found = tuple(_at_least(ug, one, 2) for one in arys)
    return found[0] if len(found) == 1 else found


@_means("concatenate")
def _concatenate(ug: Any, /, arrays: Any, axis: int | None = 0) -> Any:
    return ug.concat([as_operand(ug, one) for one in arrays], axis=axis)


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
    return ug.concat([ug.reshape(x, (-1, 1)) if x.ndim == 1 else x for x in found], axis=1)


@_means("take")
def _take(ug: Any, /, a: Any, indices: Any, axis: int | None = None, *, mode: str = "raise") -> Any:
    if mode != "raise":
        what = f"np.take: mode={mode!r} cannot be given for traced values"
        raise refused(what, "bring the indices into range first")
    if axis is None:
        return ug.take(_ravel(ug, a), as_operand(ug, indices), axis=0)
    return ug.take(as_operand(ug, a), as_operand(ug, indices), axis=axis)


# -- creation --------------------------------------------------------------------------------------


def _constant(use: str) -> Adapter:
    def like(ug: Any, /, a: Any, dtype: Any = None, *, shape: Any = None) -> Any:
        wanted = a.dtype if dtype is None else dtype
        return named(ug, use)(a.shape if shape is None else shape, dtype=wanted)

    return like


_means("zeros_like")(_constant("zeros"))
_means("ones_like")(_constant("ones"))
_means("empty_like")(_constant("empty"))


@_means("full_like")
def _full_like(ug: Any, /, a: Any, fill_value: Any, dtype: Any = None, *, shape: Any = None) -> Any:
    wanted = a.dtype if dtype is None else dtype
    value = ug.astype(ug.asarray(as_operand(ug, fill_value)), wanted)
    return ug.broadcast_to(value, a.shape if shape is None else shape)


@_means("meshgrid")
def _meshgrid(ug: Any, /, *xi: Any, indexing: str = "xy") -> Any:
    return ug.meshgrid(*(_ravel(ug, one) for one in xi), indexing=indexing)


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


@_means("vdot")
def _vdot(ug: Any, /, a: Any, b: Any) -> Any:
    return ug.matmul(_ravel(ug, a), _ravel(ug, b))


@_means("outer")
def _outer(ug: Any, /, a: Any, b: Any) -> Any:
    return ug.outer(_ravel(ug, a), _ravel(ug, b))


@_means("tensordot", "linalg.tensordot")
def _tensordot(ug: Any, /, a: Any, b: Any, axes: Any = 2) -> Any:
    pairs: Any = axes
    if isinstance(axes, (list, tuple)):
        pairs = tuple(
            tuple(cast("list[Any]", one)) if isinstance(one, list) else one
            for one in cast("Sequence[Any]", axes)
        )
    return ug.tensordot(as_operand(ug, a), as_operand(ug, b), axes=pairs)


@_means("linalg.vecdot")
def _vecdot(ug: Any, x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return ug.vecdot(as_operand(ug, x1), as_operand(ug, x2), axis=axis)


@_means("linalg.cholesky")
def _cholesky(ug: Any, /, a: Any, *, upper: bool = False) -> Any:
    # For the upper factor NumPy reads the upper triangle.
    return ug.linalg.cholesky(ug.matrix_transpose(a) if upper else a, upper=upper)


@_means("einsum")
def _einsum(ug: Any, /, *operands: Any, optimize: Any = None) -> Any:
    del optimize  # opt_einsum finds the path
    if not operands or not isinstance(operands[0], str):
        what = "np.einsum: subscripts as lists cannot be given for traced values"
        raise refused(what, "write them as text, ug.einsum('ij,jk->ik', x, y)")
    return ug.einsum(operands[0], *(as_operand(ug, one) for one in operands[1:]))
