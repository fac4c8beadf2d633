"""What ops share: type rules, promotion, axis normalisation and samples, once per family.

A family turns a NumPy reference into an :class:`Op`. Elementwise ops need one line; the others
decorate their reference. What a family supplies is never repeated in an op.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeAlias, TypeGuard, cast

import numpy as np

from unigrad.errors import ArgumentError, ShapeError
from unigrad.ir.nodes import CONSTANT, Node, tensor
from unigrad.ir.types import DTYPES, Shape, TensorType, broadcast_shapes
from unigrad.ops.spec import (
    Array,
    Op,
    Sample,
    Zero,
    as_node,
    check_kind,
    promoted,
    signature_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unigrad.ir.nodes import Scope
    from unigrad.ir.types import DType

__all__ = [
    "as_tuple",
    "axes_kept",
    "binary",
    "comparison",
    "elementwise",
    "is_int",
    "like_first",
    "normalise_axes",
    "normalise_axis",
    "on_axes",
    "on_axis",
    "operation",
    "passed_on",
    "reduced_shape",
    "reduction",
    "scipy_special",
    "unary",
]

P = ParamSpec("P")

Formula1: TypeAlias = "Callable[[Any, Any], Any] | Zero"
"""The derivative of a unary op, ``d(out, x)``, or ``ZERO``."""

Formula2: TypeAlias = "Callable[[Any, Any, Any], Any] | Zero"
"""A derivative of a binary op, ``d(out, x, y)``, or ``ZERO``."""

Normalise: TypeAlias = "Callable[..., tuple[Any, ...]]"
"""From operand nodes and parameters as given to the parameters in their one form."""

ZERO: Final = Zero()
_BOOL: Final = DTYPES["bool"]


def passed_on(out: Any, x: Any) -> Any:
    """The formula of an op that passes its operand on as it is."""
    return 1


# -- elementwise -----------------------------------------------------------------------------------


def _infer_same(operands: tuple[Node, ...]) -> TensorType:
    first = tensor(operands[0])
    if len(operands) == 1:
        return first
    shape, weak = first.shape, first.weak
    for operand in operands[1:]:
        type_ = tensor(operand)
        if type_ is not first:
            shape = broadcast_shapes((shape, type_.shape))
            weak = weak and type_.weak
    if shape is first.shape and weak is first.weak:
        return first
    return TensorType(first.dtype, shape, weak=weak)


def _infer_bool(operands: tuple[Node, ...]) -> TensorType:
    return TensorType(_BOOL, broadcast_shapes([tensor(operand).shape for operand in operands]))


def _prepare_elementwise(kinds: str, *, floating: bool) -> Callable[..., list[Node]]:
    def prepare(op: Op[...], place: Scope, operands: Sequence[Any]) -> list[Node]:
        del op
        nodes, dtype = promoted(place, operands, floating=floating)
        check_kind(dtype, kinds)
        return nodes

    return prepare


def _reference(function: Callable[..., Any], doc: str) -> Callable[..., Any]:
    """The reference of a one-line op, with its sentence as docstring."""

    def reference(*args: Any) -> Any:
        return function(*args)

    reference.__doc__ = doc
    return reference


def elementwise(
    name: str,
    function: Callable[..., Any],
    operands: tuple[str, ...],
    d: Sequence[Callable[..., Any] | Zero] | None,
    *,
    doc: str,
    kinds: str,
    floating: bool,
    infer: Callable[..., Any] = _infer_same,
    infix: str = "",
    samples: Sequence[Sample] = (),
) -> Op[...]:
    """An elementwise op of ``operands``, with a derivative ``d(out, *operands)`` for each."""
    return Op(
        name,
        _reference(function, doc),
        operands=operands,
        infer=infer,
        prepare=_prepare_elementwise(kinds, floating=floating),
        elementwise=True,
        formulas=None if d is None else tuple(d),
        infix=infix,
        samples=samples,
    )


def unary(
    name: str,
    reference: Callable[[Any], Any],
    d: Formula1 | None = None,
    *,
    doc: str,
    kinds: str = "floating",
    floating: bool | None = None,
    infix: str = "",
    samples: Sequence[Sample] = (),
) -> Op[[Array]]:
    """An elementwise op of one operand: its name, its reference and its derivative ``d(out, x)``.

    Ops of floating kind turn integers into floats; ``d=ZERO`` declares a piecewise constant.
    """
    floating = kinds.endswith("floating") if floating is None else floating
    formulas = None if d is None else (d,)
    return elementwise(
        name, reference, ("x",), formulas,
        doc=doc, kinds=kinds, floating=floating, infix=infix, samples=samples,
    )  # fmt: skip


def binary(
    name: str,
    reference: Callable[[Any, Any], Any],
    d: tuple[Formula2, Formula2] | None = None,
    *,
    doc: str,
    kinds: str = "numeric",
    floating: bool | None = None,
    infix: str = "",
    samples: Sequence[Sample] = (),
) -> Op[[Array, Array]]:
    """An elementwise op of two operands, with a derivative ``d(out, x, y)`` for each."""
    floating = kinds.endswith("floating") if floating is None else floating
    return elementwise(
        name, reference, ("x", "y"), d,
        doc=doc, kinds=kinds, floating=floating, infix=infix, samples=samples,
    )  # fmt: skip


def comparison(
    name: str,
    reference: Callable[..., Any],
    *,
    doc: str,
    operands: tuple[str, ...] = ("x", "y"),
    kinds: str = "any",
    infix: str = "",
) -> Op[...]:
    """An elementwise op whose result is boolean and therefore constant for derivatives."""
    return elementwise(
        name, reference, operands, (ZERO,) * len(operands),
        doc=doc, kinds=kinds, floating=False, infer=_infer_bool, infix=infix,
    )  # fmt: skip


def like_first(operands: tuple[Node, ...], *params: Any) -> TensorType:
    """The type rule of an op whose result has the type of its first operand."""
    del params
    return tensor(operands[0])


def scipy_special(name: str) -> Callable[..., Any]:
    """The function of ``scipy.special`` of that name; SciPy is imported when it is first called."""

    def reference(*args: Any, **kwargs: Any) -> Any:
        return getattr(importlib.import_module("scipy.special"), name)(*args, **kwargs)

    return reference


# -- axes ------------------------------------------------------------------------------------------


def is_int(value: object) -> TypeGuard[int]:
    """Whether ``value`` is an integer of Python or NumPy, and not a boolean."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def normalise_axis(axis: Any, ndim: int) -> int:
    """One axis as a non-negative int; raises ``ArgumentError`` or ``ShapeError``."""
    if not is_int(axis):
        raise ArgumentError(f"an axis is an int, got {axis!r}")
    if not -ndim <= axis < ndim:
        raise ShapeError(f"axis {axis} is out of range for {ndim} dimension{'s' * (ndim != 1)}")
    return int(axis) % ndim


def as_tuple(values: Any) -> tuple[Any, ...]:
    """Several values as a tuple, one value as a tuple of one."""
    return tuple(cast("Sequence[Any]", values)) if isinstance(values, (tuple, list)) else (values,)


def normalise_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Several axes, sorted, as non-negative ints; ``None`` means all."""
    if axis is None:
        return tuple(range(ndim))
    found = sorted(normalise_axis(one, ndim) for one in as_tuple(axis))
    if len(set(found)) != len(found):
        raise ShapeError(f"axis {axis} names an axis twice")
    return tuple(found)


def reduced_shape(shape: Shape, axes: tuple[int, ...], *, keepdims: bool) -> Shape:
    """The shape after a reduction over ``axes``."""
    if keepdims:
        return tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def axes_kept(shape: Shape, axes: tuple[int, ...]) -> Shape:
    """The shape with ``axes`` of size 1, as a reduction with ``keepdims`` leaves it."""
    return reduced_shape(shape, axes, keepdims=True)


def on_axis(operands: tuple[Node, ...], axis: Any) -> tuple[Any, ...]:
    """Normalise the one parameter ``axis`` of an op that works along one axis."""
    return (normalise_axis(axis, operands[0].ndim),)


def on_axes(operands: tuple[Node, ...], axis: Any) -> tuple[Any, ...]:
    """Normalise the one parameter ``axis`` of an op that works along several axes."""
    return (normalise_axes(axis, operands[0].ndim),)


# -- decorators ------------------------------------------------------------------------------------


def _prepare_kinds(kinds: str, *, floating: bool, promote: bool) -> Callable[..., list[Node]]:
    def prepare(op: Op[...], place: Scope, operands: Sequence[Any]) -> list[Node]:
        if op.variadic and not operands:
            raise ArgumentError("takes at least one array, got none")
        if not promote or not operands:
            nodes = [as_node(place, operand) for operand in operands]
            for node in nodes:
                check_kind(node.dtype, kinds)
            return nodes
        nodes, dtype = promoted(place, operands, floating=floating)
        check_kind(dtype, kinds)
        return nodes

    return prepare


def _as_they_are(*params: Any) -> tuple[Any, ...]:
    return params


def reduction(
    *,
    kinds: str = "numeric",
    floating: bool | None = None,
    result: str = "same",
    empty: bool = True,
    single: bool = False,
    further: Callable[..., tuple[Any, ...]] = _as_they_are,
    samples: Sequence[Sample] = (),
    accumulates: bool = False,
) -> Callable[[Callable[P, Any]], Op[P]]:
    """A reduction over ``axis`` with ``keepdims``; further parameters come after these two.

    Args:
        kinds: which dtypes it takes.
        floating: whether integers become floats first.
        result: ``"same"``, ``"bool"``, ``"int64"``, or ``"sum"`` (small integers grow to 64 bits).
        empty: whether it has a value over no elements.
        single: whether it takes one axis or all of them, and nothing between.
        further: from the further parameters as given to their one form.
        samples: points with their conventions.
        accumulates: whether half precision is computed in float32.
    """
    floating = kinds.endswith("floating") if floating is None else floating

    def decorate(reference: Callable[P, Any]) -> Op[P]:
        operands, params, defaults, _ = signature_of(reference)

        def normalise(
            nodes: tuple[Node, ...], axis: Any, keepdims: Any, *rest: Any
        ) -> tuple[Any, ...]:
            axes = normalise_axes(axis, nodes[0].ndim)
            if single and len(axes) not in (1, nodes[0].ndim):
                raise ArgumentError(f"takes one axis, or None for all, got axis={axis!r}")
            return (axes, bool(keepdims), *further(*rest))

        def infer(nodes: tuple[Node, ...], axis: Any, keepdims: bool, *rest: Any) -> TensorType:
            del rest
            type_ = tensor(nodes[0])
            if not empty:
                for one in axis:
                    if type_.shape[one] == 0:
                        raise ShapeError(f"has no value over an empty axis; axis {one} has size 0")
            shape = reduced_shape(type_.shape, axis, keepdims=keepdims)
            return TensorType(_reduced_dtype(type_.dtype, result), shape)

        return Op(
            reference.__name__.rstrip("_"),
            reference,
            operands=operands,
            params=params,
            defaults=defaults,
            infer=infer,
            prepare=_prepare_kinds(kinds, floating=floating, promote=True),
            normalise=normalise,
            samples=samples,
            accumulates=accumulates,
        )

    return decorate


def _reduced_dtype(dtype: DType, result: str) -> DType:
    if result in ("bool", "int64"):
        return DTYPES[result]
    if result == "sum" and dtype.kind in ("bool", "int"):
        return DTYPES["int64"]
    if result == "sum" and dtype.kind == "uint":
        return DTYPES["uint64"]
    return dtype


def operation(
    infer: Callable[..., Any],
    *,
    kinds: str = "any",
    floating: bool = False,
    promote: bool = True,
    normalise: Normalise | None = None,
    prepare: Callable[[Op[...], Scope, Sequence[Any]], list[Node]] | None = None,
    samples: Sequence[Sample] = (),
    infix: str = "",
    public: bool = True,
    accumulates: bool = False,
) -> Callable[[Callable[P, Any]], Op[P]]:
    """Any other op: a decorated NumPy reference with a type rule ``infer(operands, *params)``."""

    def decorate(reference: Callable[P, Any]) -> Op[P]:
        operands, params, defaults, variadic = signature_of(reference)
        return Op(
            reference.__name__.rstrip("_"),
            reference,
            operands=operands,
            params=params,
            defaults=defaults,
            variadic=variadic,
            infer=infer,
            prepare=prepare or _prepare_kinds(kinds, floating=floating, promote=promote),
            normalise=normalise,
            samples=samples,
            infix=infix,
            public=public,
            accumulates=accumulates,
        )

    return decorate


def is_scalar_constant(node: Node) -> bool:
    """Whether a node is a number known while tracing."""
    return node.op is CONSTANT and tensor(node).ndim == 0
