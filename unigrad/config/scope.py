"""Which settings hold here and now, and why: all sources joined, the nearest to the call first.

The question is asked on every call of a unigrad function, so the answer is kept, and what makes
it stale (``configure``, ``reload``) replaces the object that it was made from.
"""

from __future__ import annotations

import functools
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack, cast

from unigrad.config.settings import DEFAULT, NAMES, Choice, Overrides, Settings, checked, settle
from unigrad.config.sources import Layer, environment, files
from unigrad.errors import ArgumentError
from unigrad.locks import lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from unigrad.config.target import Target

__all__ = ["Origin", "configure", "current", "origins", "reload", "reset", "use"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(slots=True)
class _Process:
    """What holds outside every :class:`use`: found out at the first question, then kept."""

    base: Settings | None = None
    configured: Choice = field(default_factory=Choice)
    layers: tuple[Layer, ...] | None = None  # environment and files, strongest first


@dataclass(slots=True, eq=False)
class _Scope:
    """One entered :func:`use`: all that it and those around it say, and what follows from it."""

    owner: use
    outer: _Scope | None
    choice: Choice
    resolved: tuple[Settings | None, Settings | None]  # (base, result), replaced as one


_process = _Process()
_lock = lock()
_innermost: ContextVar[_Scope | None] = ContextVar("unigrad_settings", default=None)


def current() -> Settings:
    """Return the settings that hold here and now.

    Every call of a unigrad function asks, so this is one look-up unless something has changed.

    Raises:
        SettingsError: an environment variable or a settings file is wrong.
    """
    scope = _innermost.get()
    base = _process.base
    if scope is None:
        return _load() if base is None else base
    known, settings = scope.resolved
    if settings is not None and known is base:
        return settings
    base = _load()  # configure or reload came after the scope was entered
    settings = settle(base, scope.choice)
    scope.resolved = (base, settings)
    return settings


def _load() -> Settings:
    with _lock:
        if _process.base is None:
            if _process.layers is None:
                _process.layers = (*environment(), *files())
            settings = DEFAULT
            for layer in reversed(_process.layers):
                settings = settle(settings, layer.choice)
            _process.base = settle(settings, _process.configured)
        return _process.base


class use:  # noqa: N801 - read as a verb: with ug.use("torch"):
    """Choose settings for a block: ``with ug.use("torch:eager", autodiff="native"):``.

    It holds in this thread or asynchronous task alone (a context variable: pool workers do not see
    it unless the context is copied), nests, may be entered again, and decorates functions and
    coroutine functions. ``as`` gives the settings that hold inside.

    Args:
        target: ``backend[:mode][@device]`` or a :class:`Target`.
        settings: ``autodiff``, ``conventions``, ``default_float``, ``optimise``,
            ``check_stale``: see :class:`Overrides`.

    Raises:
        TargetError: ``target`` is malformed.
        SettingsError: an unknown setting, or an unknown value of one.

    Example:
        >>> with use("torch:eager") as settings:
        ...     print(settings.target)
        torch:eager
    """

    __slots__ = ("chosen",)

    def __init__(
        self,
        target: str | Target | None = None,
        **settings: Unpack[Overrides],
    ) -> None:
        self.chosen = checked({"target": target, **settings}, "ug.use")

    def __enter__(self) -> Settings:
        outer = _innermost.get()
        choice = self.chosen if outer is None else outer.choice | self.chosen
        _innermost.set(_Scope(self, outer, choice, (None, None)))
        try:
            return current()
        except BaseException:
            _innermost.set(outer)  # __exit__ is not called when __enter__ raises
            raise

    def __exit__(self, *exception: object) -> None:
        # A generator may leave its block after its caller has entered another, so what goes is
        # the scope of this object, wherever it stands, and the others are put back without it.
        inner: list[_Scope] = []
        scope = _innermost.get()
        while scope is not None and scope.owner is not self:
            inner.append(scope)
            scope = scope.outer
        if scope is None:  # left in another context than it was entered in: nothing to undo here
            return
        rest = scope.outer
        for kept in reversed(inner):
            own = kept.owner.chosen
            rest = _Scope(kept.owner, rest, rest.choice | own if rest else own, (None, None))
        _innermost.set(rest)

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Decorate ``function``: these settings hold while it runs."""
        import inspect

        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            message = "ug.use cannot decorate a generator: write the `with` block inside it"
            raise ArgumentError(message)
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def asynchronous(*args: _P.args, **kwargs: _P.kwargs) -> object:
                with self:
                    return await cast("Any", function(*args, **kwargs))

            return cast("Callable[_P, _R]", asynchronous)

        @functools.wraps(function)
        def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            with self:
                return function(*args, **kwargs)

        return wrapper


def configure(target: str | Target | None = None, **settings: Unpack[Overrides]) -> None:
    """Choose settings for this process, below :func:`use` and above environment and files.

    What is not named stays as it was configured before. Arguments and errors as for :func:`use`.
    """
    choice = checked({"target": target, **settings}, "ug.configure")
    with _lock:
        _process.configured = _process.configured | choice
        _process.base = None


def reload() -> None:
    """Forget what environment and files said: the next question reads them again."""
    with _lock:
        _process.layers = _process.base = None


def reset() -> None:
    """Forget :func:`configure` as well: as if the process had just started."""
    with _lock:
        _process.configured = {}
        _process.layers = _process.base = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the value of one setting came from.

    Attributes:
        value: the value.
        source: for people, such as ``"environment UNIGRAD_TARGET"`` or ``"ug.use"``.
        path: the file, if the source is one.
        overridden: what weaker sources say, strongest first; the default comes last.
    """

    value: Target | str
    source: str
    path: Path | None = None
    overridden: tuple[Origin, ...] = ()


def origins() -> dict[str, Origin]:
    """Say for each setting which source won, and which lost.

    Raises:
        SettingsError: an environment variable or a settings file is wrong.

    Example:
        >>> with use("torch"):
        ...     origin = origins()["target"]
        >>> origin.source, str(origin.value)
        ('ug.use', 'torch')
    """
    current()  # whatever has not been read yet is read now
    layers: list[Layer] = []
    scope = _innermost.get()
    while scope is not None:
        layers.append(Layer("ug.use", None, scope.owner.chosen))
        scope = scope.outer
    layers.append(Layer("ug.configure", None, _process.configured))
    layers.extend(_process.layers or ())
    result: dict[str, Origin] = {}
    for name in NAMES:
        said = [
            Origin(cast("Target | str", value), layer.source, layer.path)
            for layer in layers
            if (value := layer.choice.get(name)) is not None
        ]
        said.append(Origin(getattr(DEFAULT, name), "default"))
        first = said[0]
        result[name] = Origin(first.value, first.source, first.path, tuple(said[1:]))
    return result
