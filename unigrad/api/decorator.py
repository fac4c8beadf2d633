"""The decorator: a Python function of arrays becomes one that runs on every target."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Unpack, cast, overload

from unigrad import config
from unigrad.compiler import Function
from unigrad.compiler.arguments import signature
from unigrad.errors import ArgumentError, with_article

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unigrad.config import Overrides

__all__ = ["function"]


@overload
def function(function: Callable[..., Any], /) -> Function: ...
@overload
def function(
    *,
    static: Sequence[str] | str = (),
    target: Any = None,
    **settings: Unpack[Overrides],
) -> Callable[[Callable[..., Any]], Function]: ...


def function(
    function: Callable[..., Any] | None = None,
    /,
    *,
    static: Sequence[str] | str = (),
    target: Any = None,
    **settings: Unpack[Overrides],
) -> Any:
    """Make a Python function of arrays one that runs on every target.

    It is traced once per input signature (structure, dtypes and shapes of its arguments) and
    compiled once per target.

    Args:
        function: takes and returns arrays, numbers, and dicts, lists, tuples, dataclasses of them.
        static: names of arguments that are settings: part of the signature, never traced.
        target: where it runs, whatever the settings say.
        settings: ``autodiff`` (``"graph"`` or ``"native"``), ``conventions``, ``default_float``,
            ``optimise``, ``check_stale``, whatever the settings say.

    Example:
        >>> import unigrad as ug
        >>> @ug.function
        ... def chain(x):
        ...     u = 3 * x + 2
        ...     return u ** 4
        >>> chain(1.0)
        np.float64(625.0)
    """
    if function is None:
        return functools.partial(_make, static=static, target=target, **settings)
    return _make(function, static=static, target=target, **settings)


def _make(
    function: Callable[..., Any], *, static: Sequence[str] | str, **settings: Any
) -> Function:
    if not callable(function):
        raise ArgumentError(
            f"ug.function takes a function, got {with_article(type(function).__name__)}"
        )
    names = (static,) if isinstance(static, str) else tuple(static)
    known = signature(function)
    if names and known is not None:
        parameters = known.parameters
        anything = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
        for name in names:
            if name not in parameters and not anything:
                raise ArgumentError(
                    f"ug.function: static names {name!r}, which is no argument of"
                    f" {getattr(function, '__name__', 'the function')}{known}"
                )
    chosen = cast("dict[str, Any]", config.checked(settings, "ug.function"))
    return Function(function, static=names, settings=chosen)
