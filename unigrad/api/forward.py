"""Forward mode as users call it: ``jvp``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack, cast

from unigrad.api.call import Call, name_of, transformed, typed_like
from unigrad.compiler.arguments import flat_signature
from unigrad.compiler.function import has_traced_leaf
from unigrad.errors import ArgumentError, locate
from unigrad.ir.nodes import Scope, current_scope, tensor
from unigrad.ir.source import caller_location
from unigrad.ops.apply import jvp_of, results
from unigrad.trace.array import TracedArray
from unigrad.trace.structure import flatten, mismatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unigrad.config import Overrides

__all__ = ["jvp"]


def jvp(
    function: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    has_aux: bool = False,  # noqa: FBT001, FBT002
    *,
    target: Any = None,
    **settings: Unpack[Overrides],
) -> Any:
    """The value of a function and its derivative along ``tangents``.

    Args:
        function: any function of arrays and structures of arrays.
        primals: where to evaluate it, a tuple or list.
        tangents: the direction: the same structure, shapes and dtypes as ``primals``.
        has_aux: whether the function returns ``(out, aux)``.
        target: where it runs, whatever the settings say.
        settings: ``autodiff`` (``"graph"`` or ``"native"``), ``conventions``, ``default_float``,
            ``optimise``, ``check_stale``, whatever the settings say.

    Returns:
        ``(out, tangent_out)``, with ``has_aux`` ``(out, tangent_out, aux)``.

    Example:
        >>> import unigrad as ug
        >>> ug.jvp(lambda x: x * x, (3.0,), (1.0,))
        (np.float64(9.0), np.float64(6.0))
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError("ug.jvp: primals and tangents are tuples or lists of arguments")
    primals, tangents = tuple(primals), tuple(tangents)
    (_, expected), (_, given) = flatten(primals), flatten(tangents)
    label = name_of(function)
    if expected != given:
        raise locate(
            ArgumentError(f"the tangents of {label}: {mismatch(expected, given)}"),
            caller_location(),
        )
    if current_scope() is not None and has_traced_leaf((primals, tangents)):
        return _traced_jvp(function, primals, tangents, has_aux=has_aux)
    count = len(primals)

    def body(*args: Any) -> Any:
        return _traced_jvp(function, args[:count], args[count:], has_aux=has_aux)

    chosen = {"target": target, **settings}
    run = transformed("jvp", function, body, (count, has_aux), chosen)
    run.signature_of = flat_signature(2 * count)
    return run(*primals, *tangents)


def _traced_jvp(
    function: Callable[..., Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    *,
    has_aux: bool,
) -> Any:
    label = name_of(function)
    call = Call(function, primals, {}, list(range(len(primals))))
    closed = call.close(label)
    place = cast("Scope", current_scope())
    given, _ = flatten(tangents)
    directions = [
        typed_like(
            place, given[call.arrays[index]], tensor(call.nodes[index]), f"the tangent of {label}"
        )
        for index in call.differentiated
    ]
    node = place.node(
        jvp_of, (*call.nodes, *closed.captures, *directions), (closed.graph, call.wrt)
    )
    found = [TracedArray(one) for one in results(node, place)]
    count = len(closed.graph.outputs)
    out = closed.structure.unflatten(found[:count])
    tangent = closed.structure.unflatten(found[count:])
    if has_aux:
        return out[0], tangent[0], out[1]
    return out, tangent
