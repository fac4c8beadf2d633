"""Reverse mode as users call it: ``grad``, ``value_and_grad`` and ``vjp``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack, cast

import numpy as np

from unigrad.api.call import (
    Call,
    choice,
    name_of,
    places_of,
    scalar_output,
    transformed,
    typed_like,
)
from unigrad.compiler.arguments import flat_signature
from unigrad.compiler.function import Function, has_traced_leaf
from unigrad.errors import (
    ArgumentError,
    DifferentiationError,
    DTypeError,
    ShapeError,
    locate,
    with_article,
)
from unigrad.ir.nodes import Scope, current_scope, tensor
from unigrad.ir.rebuild import inline
from unigrad.ir.source import caller_location
from unigrad.ir.types import as_dtype
from unigrad.ops.apply import results, vjp_of
from unigrad.ops.elementwise import astype
from unigrad.trace.array import TracedArray
from unigrad.trace.structure import flatten, mismatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unigrad.config import Overrides

__all__ = ["grad", "value_and_grad", "vjp"]


def grad(
    function: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,  # noqa: FBT001, FBT002  (JAX's signature)
    *,
    target: Any = None,
    **settings: Unpack[Overrides],
) -> Function:
    """The gradient of a scalar function.

    Args:
        function: returns one scalar of a floating dtype (or ``(scalar, aux)`` with ``has_aux``).
        argnums: which positional arguments to differentiate; the first by default.
        argnames: which arguments to differentiate, by name.
        has_aux: whether the function also returns something that is passed through.
        target: where it runs, whatever the settings say.
        settings: ``autodiff`` (``"graph"`` or ``"native"``), ``conventions``, ``default_float``,
            ``optimise``, ``check_stale``, whatever the settings say.

    Returns:
        A function of the same arguments. Its result has the structure, shapes and dtypes of the
        chosen argument (a tuple of them for several), with zeros for integers and for arguments
        that do not matter; with ``has_aux``, ``(gradient, aux)``.

    Raises:
        DifferentiationError: when called, if the function's value is not one floating scalar.

    Example:
        >>> import unigrad as ug
        >>> ug.grad(lambda x: x ** 3)(2.0)
        np.float64(12.0)
    """
    return _gradient("grad", function, argnums, argnames, has_aux, {"target": target, **settings})


def value_and_grad(
    function: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,  # noqa: FBT001, FBT002
    *,
    target: Any = None,
    **settings: Unpack[Overrides],
) -> Function:
    """The value and the gradient of a scalar function, value first; arguments as for :func:`grad`.

    Returns:
        A function to ``(value, gradient)``, or with ``has_aux`` to ``((value, aux), gradient)``.

    Example:
        >>> import unigrad as ug
        >>> ug.value_and_grad(lambda x: x * x)(3.0)
        (np.float64(9.0), np.float64(6.0))
    """
    return _gradient(
        "value_and_grad", function, argnums, argnames, has_aux, {"target": target, **settings}
    )


def _gradient(
    kind: str,
    function: Callable[..., Any],
    argnums: Any,
    argnames: Any,
    has_aux: bool,  # noqa: FBT001
    settings: dict[str, Any],
) -> Function:
    if not callable(function):
        raise ArgumentError(
            f"ug.{kind} takes a function, got {with_article(type(function).__name__)}"
        )
    chosen = choice(kind, argnums, argnames)
    label = name_of(function)

    def body(*args: Any, **kwargs: Any) -> Any:
        places = places_of(label, function, chosen, args, kwargs)
        call = Call(function, args, kwargs, places)
        closed = call.close(label)
        scalar_output(closed, label, has_aux=has_aux)
        place = cast("Scope", current_scope())
        type_ = tensor(closed.graph.outputs[0])
        one = place.constant(1, type_.dtype, weak=type_.weak)
        node = place.node(
            vjp_of, (*call.nodes, *closed.captures, one), (closed.graph, call.wrt, (0,))
        )
        found = [TracedArray(result) for result in results(node, place)]
        count = len(closed.graph.outputs)
        value = closed.structure.unflatten(found[:count])
        gradient = call.arrange(found[count:], single=chosen.single)
        if kind == "grad":
            return (gradient, value[1]) if has_aux else gradient
        return value, gradient

    given = (kind, function, argnums, argnames, has_aux, settings)
    return transformed(kind, function, body, (chosen, has_aux), settings, remake=(_gradient, given))


def vjp(
    function: Callable[..., Any],
    *primals: Any,
    has_aux: bool = False,
    target: Any = None,
    **settings: Unpack[Overrides],
) -> Any:
    """The value of a function and its pullback.

    Args:
        function: any function of arrays and structures of arrays.
        *primals: where to evaluate it.
        has_aux: whether the function returns ``(out, aux)``.
        target: where it runs, whatever the settings say.
        settings: ``autodiff`` (``"graph"`` or ``"native"``), ``conventions``, ``default_float``,
            ``optimise``, ``check_stale``, whatever the settings say.

    Returns:
        ``(out, pullback)``, with ``has_aux`` ``(out, pullback, aux)``. ``pullback`` takes a
        cotangent of the structure of ``out`` and returns the tuple of cotangents of ``primals``; it
        can be called again.

    Example:
        >>> import unigrad as ug
        >>> out, pullback = ug.vjp(lambda x, y: x * y, 2.0, 3.0)
        >>> pullback(1.0)
        (np.float64(3.0), np.float64(2.0))
    """
    from unigrad.compiler.derivative import residual_pullback  # imported by need

    chosen = {"target": target, **settings}
    if current_scope() is not None and has_traced_leaf(primals):
        return _traced_vjp(function, primals, has_aux=has_aux)
    label = name_of(function)

    def forward(*args: Any) -> Any:
        return function(*args)

    def pull(cotangent: Any, *args: Any) -> Any:
        return _traced_vjp(function, args, has_aux=has_aux)[1](cotangent)

    value = transformed("value", function, forward, ("vjp", has_aux), chosen)
    value.signature_of = flat_signature(len(primals))
    inside = current_scope() is not None  # the function may use values of the trace around it
    kept = None if has_aux or inside else residual_pullback(value, primals)
    aux: Any = None
    if kept is not None:
        out, pull_flat = kept

        def backward(cotangent: Any) -> Any:
            return pull_flat(*flatten(cotangent)[0])

    else:
        result = value(*primals)
        out, aux = result if has_aux else (result, None)
        again = transformed("pullback", function, pull, has_aux, chosen)
        again.signature_of = flat_signature(len(primals) + 1)

        def backward(cotangent: Any) -> Any:
            return again(cotangent, *primals)

    _, structure = flatten(out)

    def pullback(cotangent: Any) -> Any:
        _, given = flatten(cotangent)
        if given != structure:
            raise locate(
                ArgumentError(f"the cotangent of {label}: {mismatch(structure, given)}"),
                caller_location(),
            )
        return backward(_as_out(cotangent, out, label))

    return (out, pullback, aux) if has_aux else (out, pullback)


def _as_out(cotangent: Any, out: Any, label: str) -> Any:
    """A cotangent of the shapes of the results; its Python numbers take their dtypes."""
    given, structure = flatten(cotangent)
    wanted, _ = flatten(out)
    leaves: list[Any] = []
    for one, like in zip(given, wanted, strict=True):
        if isinstance(one, (int, float)) and not isinstance(one, np.generic):
            one = np.asarray(one, as_dtype(like.dtype).numpy)  # noqa: PLW2901
        elif not hasattr(one, "dtype"):
            raise locate(
                DTypeError(
                    f"the cotangent of {label}: {with_article(type(one).__name__)} is not an array"
                ),
                caller_location(),
            )
        if tuple(one.shape) != tuple(like.shape):
            raise locate(
                ShapeError(
                    f"the cotangent of {label} has shape {tuple(one.shape)},"
                    f" expected {tuple(like.shape)}"
                ),
                caller_location(),
            )
        if not as_dtype(like.dtype).is_floating:
            one = astype(one, as_dtype(like.dtype))  # noqa: PLW2901  (nothing depends on it)
        if as_dtype(one.dtype) is not as_dtype(like.dtype):
            raise locate(
                DifferentiationError(
                    f"the cotangent of {label} has dtype {as_dtype(one.dtype)},"
                    f" expected {as_dtype(like.dtype)}"
                ),
                caller_location(),
            )
        leaves.append(one)
    return structure.unflatten(leaves)


def _traced_vjp(function: Callable[..., Any], primals: tuple[Any, ...], *, has_aux: bool) -> Any:
    label = name_of(function)
    call = Call(function, primals, {}, list(range(len(primals))))
    closed = call.close(label)
    place = cast("Scope", current_scope())
    operands = (*call.nodes, *closed.captures)
    found = [TracedArray(node) for node in inline(closed.graph, operands, place)]
    result = closed.structure.unflatten(found)
    out, aux = result if has_aux else (result, None)
    leaves, structure = flatten(out)
    seeds = tuple(i for i in range(len(leaves)) if tensor(closed.graph.outputs[i]).is_floating)

    def pullback(cotangent: Any) -> Any:
        given, given_structure = flatten(cotangent)
        if given_structure != structure:
            raise locate(
                ArgumentError(f"the cotangent of {label}: {mismatch(structure, given_structure)}"),
                caller_location(),
            )
        here = cast("Scope", current_scope())
        cotangents = [
            typed_like(here, given[i], tensor(closed.graph.outputs[i]), f"the cotangent of {label}")
            for i in seeds
        ]
        node = here.node(vjp_of, (*operands, *cotangents), (closed.graph, call.wrt, seeds))
        pulled = [TracedArray(one) for one in results(node, here)[len(closed.graph.outputs) :]]
        return call.arrange(pulled, single=False)

    return (out, pullback, aux) if has_aux else (out, pullback)
