"""The callable that users hold: traced once per signature, compiled once per target, fast after.

A :class:`Function` wraps a Python function, or a transform of one, and works in three ways: on
traced values it runs inside the trace around it; on arrays it finds, or makes, the compiled
signature and calls it; asked for its source, graph or explanation, it stops half way.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from unigrad import config
from unigrad.backend import registry
from unigrad.compiler.arguments import Arguments, bind, leaf_of, read, read_like, signature
from unigrad.compiler.collector import collector_paused
from unigrad.compiler.failure import reraise
from unigrad.compiler.guard import MISS
from unigrad.compiler.state import CacheInfo, log, state_of
from unigrad.errors import ArgumentError, listed, locate
from unigrad.ir.nodes import Graph, current_scope
from unigrad.ir.source import caller_location
from unigrad.ir.types import told
from unigrad.ops.spec import Op
from unigrad.outside import access, one_line
from unigrad.trace.array import OuterValueError, TracedArray
from unigrad.trace.structure import flatten
from unigrad.trace.tracer import Traced, trace

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from unigrad.backend.emit import Emitted, Parameter
    from unigrad.backend.registry import Backend
    from unigrad.compiler.arguments import Leaf
    from unigrad.compiler.making import Compiled
    from unigrad.compiler.state import Epoch
    from unigrad.config import Settings
    from unigrad.passes.rewrite import Report

__all__ = ["Function", "has_traced_leaf", "placed"]

_SETTINGS: Final = 16  # for how many settings a guard is kept


class Function:
    """A function of model math, on whatever target the settings name.

    Attributes:
        cache_info: counters of the cache.
    """

    # So that TensorFlow's AutoGraph does not rewrite what a tf.function of the user's calls.
    autograph_info__: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str = "",
        static: Sequence[str] = (),
        settings: dict[str, Any] | None = None,
        chain: Hashable = (),
        body: Callable[..., Any] | None = None,
        anchor: Any = None,
        signature_of: Any = None,
        remake: tuple[Any, tuple[Any, ...]] | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self._body = function if body is None else body
        self._name = one_line(name or getattr(function, "__name__", type(function).__name__))
        # What an op takes beside arrays (axis, keepdims) is never traced.
        self.static = frozenset((*static, *(function.params if isinstance(function, Op) else ())))
        self.remake = remake
        self.overrides = {
            key: value for key, value in (settings or {}).items() if value is not None
        }
        self.chain: Hashable = (chain, self.static, tuple(sorted(self.overrides.items(), key=str)))
        self.anchor = function if anchor is None else anchor
        self._state = state_of(self.anchor, self.chain)
        self.signature_of = function if signature_of is None else signature_of

    # -- calling -----------------------------------------------------------------------------------

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Run on arrays; on traced values, become part of the trace around it."""
        settings = config.current()
        state = self._state
        epoch = state.epoch
        if not kwargs and (epoch.changed is None or epoch.changed(self.anchor) is None):
            fast = epoch.guards.get(settings)
            if fast is not None:
                try:
                    result = fast(*args)
                except Exception as error:  # noqa: BLE001
                    reraise(error, self._name)
                if result is not MISS:
                    state.hits += 1
                    return result
        return self._general(settings, args, kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method, the function is bound and cached with its object."""
        if instance is None:
            return self
        bound = cast("Any", self.function).__get__(instance, owner)
        return Function(
            bound, name=self._name, static=tuple(self.static), settings=self.overrides,
            body=None if self._body is self.function else functools.partial(self._body, instance),
        )  # fmt: skip

    def _general(self, settings: Settings, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The way of a call that no guard took."""
        if _is_traced(args, kwargs):
            return self._body(*args, **kwargs)
        around = current_scope()
        if around is None:
            return self._run(settings, args, kwargs)
        try:
            return self._run(settings, args, kwargs)
        except OuterValueError as error:
            if error.bodies is not around.bodies:
                raise
        # Its arguments are plain, but it uses a value of the trace around it: it belongs there.
        return self._body(*args, **kwargs)

    def _run(self, settings: Settings, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run on arrays by the general way."""
        chosen = config.resolve(settings, **self.overrides) if self.overrides else settings
        arguments = self.read(args, kwargs)
        epoch = self._state.epoch_of(self.anchor, self._name)
        if chosen.check_stale:
            self._check(epoch, chosen, arguments)
        compiled, place = self._find(epoch, chosen, arguments)
        if not kwargs and not chosen.check_stale:
            self._remember(epoch, settings, args, arguments, place, compiled)
        try:
            return compiled.call(*[leaf.value for leaf in arguments.leaves])
        except Exception as error:  # noqa: BLE001
            reraise(error, self._name)

    def _remember(
        self,
        epoch: Epoch,
        settings: Settings,
        args: tuple[Any, ...],
        arguments: Arguments,
        place: tuple[Any, ...],
        compiled: Compiled,
    ) -> None:
        """Let the next call of this signature go the fast way, if it is one of plain arrays."""
        if compiled.traced.hidden:
            return
        if not all(plan.__class__ is int for plan in arguments.plan):
            return
        from unigrad.compiler.making import Place, fast_way  # imported by need

        fast = fast_way(self._name, args, arguments, Place(*place), compiled)
        if fast is not None:
            guards = {} if len(epoch.guards) > _SETTINGS else dict(epoch.guards)
            guards[settings] = fast
            epoch.guards = guards

    def read(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        """Take a call apart."""
        bound, keywords, names = bind(self.signature_of, self._name, args, kwargs)
        return read(self._name, bound, keywords, names, self.static)

    # -- compiling ---------------------------------------------------------------------------------

    def _find(
        self, epoch: Epoch, settings: Settings, arguments: Arguments
    ) -> tuple[Compiled, tuple[Any, ...]]:
        """The compiled signature for these arguments, and where it runs."""
        place, kinds = _place(settings, arguments.leaves)
        key = (
            place, kinds, settings.autodiff, settings.conventions, settings.default_float,
            settings.optimise, arguments.structure, arguments.types, arguments.plan,
        )  # fmt: skip
        state = self._state
        known = state.look_up(epoch, key)
        if known is not None:
            return known, place
        from unigrad.compiler.making import Place, make  # imported by need

        # Not under the lock: the function may call another that is being compiled elsewhere, and
        # which calls this one. Two threads that compile one signature at once agree.
        state.misses += 1
        types = listed(map(told, arguments.types))
        log().info("compiling %s for %s, of %s", self._name, place[0].name, types)
        traced = self._traced(epoch, settings, arguments)
        if traced.hidden:  # what the function took from around it counts as passed
            hidden = [cast("Leaf", leaf_of(value)) for value in traced.hidden]
            place, _ = _place(settings, (*arguments.leaves, *hidden))
        opaque = getattr(registry.runtime(place[0]), "opaque", None)
        if opaque is not None:  # a compiler of the caller's need not look in here
            opaque(Function.__call__)
        try:
            compiled = make(self._name, settings, arguments, Place(*place), traced)
        except Exception as error:  # noqa: BLE001
            reraise(error, self._name)
        if not traced.hidden:
            epoch.keep(epoch.compiled, key, compiled)
        return compiled, place

    def trace(self, settings: Settings, arguments: Arguments) -> Traced:
        """The graph of one signature, shared by all targets."""
        return self._traced(self._state.epoch_of(self.anchor, self._name), settings, arguments)

    def _traced(self, epoch: Epoch, settings: Settings, arguments: Arguments) -> Traced:
        key = (arguments.structure, arguments.types, arguments.plan, settings.default_float)
        state = self._state
        known = epoch.traced.get(key)
        if known is not None:
            return known
        state.traces += 1
        if state.traces > 1:
            types = listed(map(told, arguments.types))
            log().info("tracing %s again, of %s", self._name, types)
        from unigrad.compiler.randomness import drawn  # imported by need
        from unigrad.compiler.reads import test_of_reads

        with drawn(self.anchor, self._name):
            traced = self._trace_anew(settings, arguments)
        if not epoch.is_watched:
            # After the trace, whose own assignments are no change.
            epoch.changed = test_of_reads(self.anchor)
            epoch.is_watched = True
        if not traced.hidden:
            epoch.keep(epoch.traced, key, traced)
        return traced

    def _trace_anew(self, settings: Settings, arguments: Arguments) -> Traced:
        def run(inputs: Sequence[TracedArray]) -> Any:
            args, kwargs = arguments.rebuild(inputs)
            return self._body(*args, **kwargs)

        with collector_paused(), config.use(default_float=settings.default_float):
            return trace(run, arguments.types, arguments.names, name=self._name)

    def _check(self, epoch: Epoch, settings: Settings, arguments: Arguments) -> None:
        """Raise if a trace of today differs from the one that is remembered."""
        from unigrad.compiler.stale import compare  # imported by need

        key = (arguments.structure, arguments.types, arguments.plan, settings.default_float)
        known = epoch.traced.get(key)
        if known is not None:
            compare(self._name, known, self._trace_anew(settings, arguments))

    # -- half way ----------------------------------------------------------------------------------

    def _like(self, like: tuple[Any, ...], keywords: dict[str, Any]) -> Arguments:
        bound, rest, names = bind(self.signature_of, self._name, like, keywords)
        return read(self._name, bound, rest, names, self.static, leaf=read_like)

    def settings(self, target: Any = None) -> Settings:
        """The settings in force, with those of this function on top."""
        overrides = dict(self.overrides)
        if target is not None:
            overrides["target"] = target
        return config.resolve(config.current(), **overrides)

    def graph(self, /, *like: Any, **keywords: Any) -> Graph:
        """The graph for arguments like these, as traced.

        Args:
            *like: arrays, numbers, or types in text such as ``"float64[n, 3]"``.
            **keywords: the same, by name.

        Example:
            >>> import unigrad as ug
            >>> f = ug.function(lambda x: ug.sin(x) + 1)
            >>> len(f.graph("float64[3]"))
            4
        """
        return self.trace(self.settings(), self._like(like, keywords)).graph

    def source(self, target: Any = None, /, *like: Any, **keywords: Any) -> str:
        """The native source for a target; it needs no unigrad, and to be shown, no framework.

        Arrays that the function captured are its last parameters; :meth:`constants` gives them.
        Every argument of the function in it is a native array, and a number is one without axes:
        ``np.float64(3.0)``, ``torch.tensor(3.0)``. Dicts, lists and tuples of arrays go in and come
        out as they are. A dataclass goes in as it is and comes out flat, as a tuple of its arrays.

        Args:
            target: such as ``"torch"``; the current one if ``None``.
            *like: arrays, numbers, or types in text such as ``"float64[n, 3]"``.
            **keywords: the same, by name.

        Example:
            >>> import unigrad as ug
            >>> square = ug.function(lambda x: x * x)
            >>> print(ug.grad(square).source("numpy", 3.0))  # doctest: +ELLIPSIS
            def ...
        """
        return self._emitted(target, like, keywords).text

    def constants(self, target: Any = None, /, *like: Any, **keywords: Any) -> dict[str, Any]:
        """The NumPy arrays that the last parameters of :meth:`source` take, by their names.

        They are what the function captured, and what was computed of that alone.

        Args:
            target: as for :meth:`source`, which is asked for the same arguments.
            *like: arrays, numbers, or types in text such as ``"float64[n, 3]"``.
            **keywords: the same, by name.

        Example:
            >>> import numpy as np, unigrad as ug
            >>> scale = np.array([1.0, 2.0])
            >>> ug.function(lambda x: x * scale).constants("numpy", "float64[2]")
            {'scale': array([1., 2.])}
        """
        found = self._emitted(target, like, keywords).constants
        return {name: node.params[0].copy() for name, node in found.items()}

    def _emitted(self, target: Any, like: tuple[Any, ...], keywords: dict[str, Any]) -> Emitted:
        from unigrad.compiler.pipeline import write  # imported by need
        from unigrad.compiler.render import literal

        settings = self.settings(target)
        arguments = self._like(like, keywords)
        backend, mode = registry.get(settings.target)
        traced = self.trace(settings, arguments)
        emitted, _ = write(
            traced.graph, backend, settings, mode=mode, device=settings.target.device,
            name=self._name, parameters=_parameters(arguments),
            render=lambda texts: literal(traced.structure, texts),
        )  # fmt: skip
        return emitted

    def compile(self, /, *like: Any, target: Any = None, **keywords: Any) -> Callable[..., Any]:
        """The bare native callable for arguments like these: no checks, native arrays in and out.

        Args:
            *like: arrays, numbers, or types in text such as ``"float64[n, 3]"``.
            target: such as ``"torch:compile"``; the current one by default.
            **keywords: further arguments, by name.

        Returns:
            A function of the arguments that are no settings, in their order.
        """
        from unigrad.compiler.pipeline import build  # imported by need
        from unigrad.compiler.render import literal

        settings = self.settings(target)
        arguments = self._like(like, keywords)
        backend, mode = registry.get(settings.target)
        traced = self.trace(settings, arguments)
        program = build(
            traced.graph, backend, settings, registry.Compilation(mode, settings.target.device),
            name=self._name, label=f"{settings.target} {self._name}",
            parameters=_parameters(arguments),
            render=lambda texts: literal(traced.structure, texts),
        )  # fmt: skip
        if traced.hidden:

            def with_hidden(*args: Any) -> Any:
                return program.call(*args, *traced.hidden)

            return with_hidden
        if program.emitted.flat:
            unflatten = traced.structure.unflatten

            def call(*args: Any) -> Any:
                return unflatten(program.call(*args))

            return call
        return program.call

    def explain(self, /, *like: Any, **keywords: Any) -> Report:
        """Which rewriting rules fired, and where, for arguments like these."""
        from unigrad.compiler.pipeline import is_native, optimise, passes_of  # imported by need

        settings = self.settings()
        traced = self.trace(settings, self._like(like, keywords))
        native = is_native(settings, registry.get(settings.target)[0])
        return optimise(traced.graph, native=native, passes=passes_of(settings))[1]

    def cache_info(self) -> CacheInfo:
        """Hits, misses and traces of this function."""
        return self._state.info()

    def cache_clear(self) -> None:
        """Forget every graph and every compiled signature."""
        self._state.clear()

    def __repr__(self) -> str:
        return f"<unigrad function {self._name}{signature(self.signature_of) or '(...)'}>"

    def __reduce__(self) -> tuple[Any, ...] | str:
        if self.remake is not None:
            maker, args = self.remake
            return maker, args
        # A decorated function is found under its own name; any other is made of the one inside.
        name = getattr(self.function, "__qualname__", "")
        module = sys.modules.get(getattr(self.function, "__module__", ""))
        if getattr(module, name, None) is self and not _goes_by_value(module):
            return name
        return _remade, (self.function, tuple(self.static), self.overrides)

    def __copy__(self) -> Function:
        return self

    def __deepcopy__(self, memo: Any) -> Function:
        del memo
        return self


def _goes_by_value(module: Any) -> bool:
    """Whether whoever pickles sends the functions of a module themselves, and not their names.

    Another process has another ``__main__``: to it cloudpickle and its like send what a function
    is made of. A pickler asks for no more than ``__reduce__``, so who asks is seen by the frame.
    """
    frame = sys._getframe(2)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    asking = str(frame.f_globals.get("__name__", ""))
    return getattr(module, "__name__", "") == "__main__" and (
        "cloudpickle" in asking or asking.startswith("dill")
    )


def _remade(function: Any, static: tuple[str, ...], overrides: dict[str, Any]) -> Function:
    return Function(function, static=static, settings=overrides)


def has_traced_leaf(tree: Any) -> bool:
    """Whether a traced value is among the leaves of ``tree``."""
    return any(leaf.__class__ is TracedArray for leaf in flatten(tree)[0])


def _is_traced(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    if current_scope() is None:
        return any(arg.__class__ is TracedArray for arg in args)
    return has_traced_leaf((args, kwargs))


def _place(
    settings: Settings, leaves: Sequence[Leaf]
) -> tuple[tuple[Backend, str, str | None, bool, Any], tuple[Any, ...]]:
    """Where arrays run (the fields of ``Place``), and of what kind each of them is."""
    backend, mode, device = placed(settings, leaves)
    # Without arrays in, a result is an array of the target, as creation functions make them.
    owners = tuple([leaf.owner for leaf in leaves])
    native_in = not owners or any(owner not in ("python", "numpy") for owner in owners)
    tape: Any = None
    kinds: tuple[Any, ...] = owners
    values = [leaf.value for leaf in leaves]
    if device is None and backend.name != "numpy":
        device_of = getattr(registry.runtime(backend), "device_of", None)
        device = device_of(values) if device_of is not None else None
    if native_in:
        on_tape = getattr(registry.runtime(backend), "on_tape", None)
        tape = on_tape(values) if on_tape is not None else None
        kinds = tuple([type(value) for value in values])
    return (backend, mode, device, native_in, tape), kinds


def placed(settings: Settings, leaves: Sequence[Leaf]) -> tuple[Backend, str, str | None]:
    """Backend, mode and device of a call; by default, a tensor's own framework runs it."""
    if settings.target_is_default:
        for leaf in leaves:
            if leaf.owner not in ("python", "numpy"):
                backend = registry.found(leaf.owner)
                return backend, backend.modes[0] if backend.modes else "", None
    backend, mode = registry.get(settings.target)
    return backend, mode, settings.target.device


def _parameters(arguments: Arguments) -> list[Parameter]:
    """Arguments as parameters of a source, whose text must reach every array in them."""
    from unigrad.backend.emit import Parameter  # imported by need

    for name, leaves in arguments.parameters:
        for _, path in leaves:
            if access(path) is None:
                error = ArgumentError(
                    f"the argument {name} has an array at {one_line(path)}, which no source can"
                    " reach: a key there is no plain value; use strings or integers as keys"
                )
                raise locate(error, caller_location())
    return [Parameter(name, leaves) for name, leaves in arguments.parameters]
