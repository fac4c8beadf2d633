"""The callable that users hold: traced once per signature, compiled once per target, fast after.

A :class:`Function` wraps a Python function, or a transform of one, and works in three ways: on
traced values it runs inside the trace around it; on arrays it finds, or makes, the compiled
signature and calls it; asked for its source, graph or explanation, it stops half way.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from unigrad import config
from unigrad.backend import registry
from unigrad.backend.emit import Parameter
from unigrad.compiler.arguments import Arguments, Leaf, bind, owner_of, read, read_like, signature
from unigrad.compiler.guard import MISS, guard, returned
from unigrad.compiler.pipeline import Program, build, optimise, write
from unigrad.compiler.render import literal
from unigrad.compiler.state import CacheInfo, log, state_of
from unigrad.ir.nodes import CONSTANT, INPUT, Graph, Node, current_scope
from unigrad.ops import elementwise, shape
from unigrad.trace.array import TracedArray
from unigrad.trace.structure import flatten
from unigrad.trace.tracer import Traced, trace

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from unigrad.backend.registry import Backend
    from unigrad.config import Settings
    from unigrad.passes.rewrite import Report

__all__ = ["Function", "Tape", "has_traced_leaf"]

_VIEWS: Final = {
    shape.reshape, shape.permute_dims, shape.broadcast_to, shape.expand_dims, shape.squeeze, shape.flip,
    shape.getitem, elementwise.stop_gradient, elementwise.barrier, elementwise.positive,
}  # fmt: skip


@dataclass(slots=True)
class Compiled:
    """One signature on one target.

    Attributes:
        call: takes the arrays of a call, returns what the user gets.
        program: the native function and its source.
        traced: the graph and the structure of the result.
        tape: the caller's tape recorded when this was compiled.
    """

    call: Callable[..., Any]
    program: Program
    traced: Traced


class Function:
    """A function of model math, on whatever target the settings name.

    Attributes:
        cache_info: counters of the cache.
    """

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
    ) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._body = function if body is None else body
        self._name = name or getattr(function, "__name__", type(function).__name__)
        self.static = frozenset(static)
        self.overrides = {key: value for key, value in (settings or {}).items() if value is not None}
        self.chain: Hashable = (chain, self.static, tuple(sorted(self.overrides.items(), key=str)))
        self.anchor = function if anchor is None else anchor
        self._state = state_of(self.anchor, self.chain)
        self.signature_of = function if signature_of is None else signature_of

    # -- calling -----------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        settings = config.current()
        if not kwargs:
            fast = self._state.guards.get(settings)
            if fast is not None:
                result = fast(*args)
                if result is not MISS:
                    return result
        return self._general(settings, args, kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method, the function is bound and cached with its object."""
        if instance is None:
            return self
        bound = self._function.__get__(instance, owner)
        return Function(
            bound, name=self._name, static=tuple(self.static), settings=self.overrides,
            body=None if self._body is self._function else functools.partial(self._body, instance),
        )  # fmt: skip

    def _general(self, settings: Settings, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The way of a call that no guard took."""
        if _is_traced(args, kwargs):
            return self._body(*args, **kwargs)
        chosen = config.resolve(settings, **self.overrides) if self.overrides else settings
        arguments = self._read(args, kwargs)
        compiled, plain = self._find(chosen, arguments)
        if plain and not kwargs and all(isinstance(one, int) for one in arguments.plan):
            self._install_guard(settings, chosen, arguments, compiled)
        return compiled.call(*[leaf.value for leaf in arguments.leaves])

    def _read(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        bound, keywords, names = bind(self.signature_of, self._name, args, kwargs)
        return read(self._name, bound, keywords, names, self.static)

    # -- compiling ---------------------------------------------------------------------------------

    def _find(self, settings: Settings, arguments: Arguments) -> tuple[Compiled, bool]:
        """The compiled signature for these arguments, and whether no tape records."""
        backend, mode, device = _placed(settings, arguments)
        owners = tuple(leaf.owner for leaf in arguments.leaves)
        # Without arrays in, a result is an array of the target, as creation functions make them.
        native_in = not owners or any(owner not in ("python", "numpy") for owner in owners)
        tape: Any = None
        if native_in or backend.name != "numpy":
            runtime = registry.runtime(backend)
            on_tape = getattr(runtime, "on_tape", None)
            tape = on_tape([leaf.value for leaf in arguments.leaves]) if on_tape and native_in else None
        key = (
            backend.name, mode, device, settings.autodiff, settings.conventions, settings.default_float,
            arguments.structure, arguments.types, arguments.plan, native_in, tape,
            tuple(type(leaf.value) if leaf.owner != "python" else leaf.owner for leaf in arguments.leaves)
            if native_in else owners,
        )  # fmt: skip
        state = self._state
        with state.lock:
            known = state.compiled.get(key)
            if known is not None:
                state.compiled.move_to_end(key)
                state.hits += 1
                return known, tape is None
        compiled = self._compile(settings, arguments, backend, mode, device, native_in, tape)
        if not compiled.traced.hidden:
            state.keep(state.compiled, key, compiled)
        return compiled, tape is None and not compiled.traced.hidden

    def _trace(self, settings: Settings, arguments: Arguments) -> Traced:
        """The graph of one signature, shared by all targets."""
        key = (arguments.structure, arguments.types, arguments.plan, settings.default_float)
        state = self._state
        known = state.traced.get(key)
        if known is not None:
            return known
        state.traces += 1
        if state.traces > 1:
            log.info("tracing %s again, for %s", self._name, [str(t) for t in arguments.types])

        def run(inputs: Sequence[TracedArray]) -> Any:
            args, kwargs = arguments.rebuild(inputs)
            return self._body(*args, **kwargs)

        with config.use(default_float=settings.default_float):  # pyright: ignore[reportArgumentType]
            traced = trace(run, arguments.types, arguments.names, name=self._name)
        if not traced.hidden:
            state.keep(state.traced, key, traced)
        return traced

    def _compile(
        self,
        settings: Settings,
        arguments: Arguments,
        backend: Backend,
        mode: str,
        device: str | None,
        native_in: bool,  # noqa: FBT001
        tape: Any,
    ) -> Compiled:
        self._state.misses += 1
        label = f"{backend.name}{':' + mode if mode else ''} {self._name}"
        log.info("compiling %s for %s", label, [str(t) for t in arguments.types])
        traced = self._trace(settings, arguments)
        runtime = registry.runtime(backend)
        check = getattr(runtime, "check_device", None)
        if check is not None:
            check(device)

        def render(texts: Sequence[str]) -> str | None:
            return literal(traced.structure, texts)

        nested_text = render([f"y{i}" for i in range(len(traced.graph.outputs))])
        nested = nested_text is not None and "{" not in nested_text and bool(traced.graph.outputs)
        native = settings.autodiff == "native" and backend.native
        attach = getattr(runtime, "attach", None)
        one_node = tape is not None and not native and attach is not None
        program = build(
            traced.graph, backend, mode if not one_node else backend.modes[0] if backend.modes else "", device,
            name=self._name, label=label,
            render=render if nested and not one_node else lambda texts: None,
            native=native, conventions=settings.conventions,
        )  # fmt: skip
        call = self._entry(settings, arguments, backend, runtime, device, traced, program, render,
                           nested=nested, native_in=native_in, tape=tape if one_node else None, label=label)  # fmt: skip
        return Compiled(call, program, traced)

    def _entry(
        self, settings: Settings, arguments: Arguments, backend: Backend, runtime: Any, device: str | None,
        traced: Traced, program: Program, render: Callable[[Sequence[str]], str | None], *,
        nested: bool, native_in: bool, tape: Any, label: str,
    ) -> Callable[..., Any]:  # fmt: skip
        """What a general call runs: conversions, the native function, and the way back."""
        rebuild = traced.structure.unflatten
        convert = [_converter(leaf, backend, runtime, device) for leaf in arguments.leaves]
        hidden = traced.hidden
        graph = traced.graph
        shared = [_shares(node) for node in graph.outputs]
        is_numpy = backend.name == "numpy" or runtime.ARRAY_TYPE is np.ndarray
        numpy_out = not native_in
        native = program.call
        if tape is not None:
            native = runtime.attach(native, Tape(self, settings, graph, backend), tape)
            nested = False
        lines = returned(
            "native(*values)", graph.output_types, shared, numpy_out=numpy_out, is_numpy=is_numpy,
            render=render, nested=nested,
        )  # fmt: skip
        from unigrad.backend.load import load  # noqa: PLC0415

        if is_numpy:
            lines = ["with errstate(all='ignore'):", *(f"    {line}" for line in lines)]
        text = "def finish(values):\n" + "".join(f"    {line}\n" for line in lines)
        finish = load(
            text, "finish", f"finish {label}",
            {"native": native, "to_numpy": runtime.to_numpy, "rebuild": rebuild, "errstate": np.errstate},
        )  # fmt: skip

        def call(*values: Any) -> Any:
            converted = [one(value) for one, value in zip(convert, values, strict=True)]
            return finish([*converted, *hidden])

        return call

    def _install_guard(
        self, settings: Settings, chosen: Settings, arguments: Arguments, compiled: Compiled
    ) -> None:
        """Let the next call of this signature go the fast way."""
        if any(parameter_leaves != ((i, ""),) for i, (_, parameter_leaves) in enumerate(arguments.parameters)):
            return
        if len(arguments.parameters) != len(arguments.leaves):
            return
        backend, mode, device = _placed(chosen, arguments)
        runtime = registry.runtime(backend)
        native_in = any(leaf.owner not in ("python", "numpy") for leaf in arguments.leaves)
        if native_in and (
            any(leaf.owner == "numpy" for leaf in arguments.leaves)
            or not hasattr(runtime, "GUARD_TESTS")
            or any(owner_of(leaf.value) is not backend for leaf in arguments.leaves if leaf.owner != "python")
        ):
            return
        graph = compiled.traced.graph

        def render(texts: Sequence[str]) -> str | None:
            return literal(compiled.traced.structure, texts)

        fast = guard(
            arguments.leaves, compiled.program.call, runtime,
            numpy_out=not native_in, device=device, outputs=graph.output_types,
            shared=[_shares(node) for node in graph.outputs],
            rebuild=compiled.traced.structure.unflatten, render=render,
            nested=not compiled.program.emitted.flat, label=f"{backend.name} {mode} {self._name}",
        )  # fmt: skip
        guards = dict(self._state.guards)
        if len(guards) > 16:  # noqa: PLR2004  (settings, not signatures)
            guards.clear()
        guards[settings] = fast
        self._state.guards = guards

    # -- half way ----------------------------------------------------------------------------------

    def _like(self, like: tuple[Any, ...], keywords: dict[str, Any]) -> Arguments:
        bound, rest, names = bind(self.signature_of, self._name, like, keywords)
        return read(self._name, bound, rest, names, self.static, leaf=read_like)

    def _settings(self, target: Any = None) -> Settings:
        overrides = dict(self.overrides)
        if target is not None:
            overrides["target"] = target
        return config.resolve(config.current(), **overrides)

    def graph(self, *like: Any, **keywords: Any) -> Graph:
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
        return self._trace(self._settings(), self._like(like, keywords)).graph

    def source(self, target: Any = None, /, *like: Any, **keywords: Any) -> str:
        """The native source for a target, which needs neither unigrad nor, to be shown, the framework.

        Args:
            target: such as ``"torch"``; the current one if ``None``.
            *like: arrays, numbers, or types in text such as ``"float64[n, 3]"``.
            **keywords: the same, by name.

        Example:
            >>> import unigrad as ug
            >>> print(ug.grad(ug.function(lambda x: x * x)).source("numpy", 3.0))  # doctest: +ELLIPSIS
            def ...
        """
        settings = self._settings(target)
        arguments = self._like(like, keywords)
        backend, _ = registry.get(settings.target)
        traced = self._trace(settings, arguments)
        emitted, _ = write(
            traced.graph, backend, name=self._name, parameters=_parameters(arguments),
            render=lambda texts: literal(traced.structure, texts),
            native=settings.autodiff == "native" and backend.native, conventions=settings.conventions,
        )  # fmt: skip
        return emitted.text

    def compile(self, *like: Any, target: Any = None, **keywords: Any) -> Callable[..., Any]:
        """The bare native callable for arguments like these: no checks, native arrays in and out.

        Args:
            *like: arrays, numbers, or types in text such as ``"float64[n, 3]"``.
            target: such as ``"torch:compile"``; the current one by default.
            **keywords: further arguments, by name.

        Returns:
            A function of the arguments that are no settings, in their order.
        """
        settings = self._settings(target)
        arguments = self._like(like, keywords)
        backend, mode = registry.get(settings.target)
        traced = self._trace(settings, arguments)
        program = build(
            traced.graph, backend, mode, settings.target.device, name=self._name,
            label=f"{settings.target} {self._name}", parameters=_parameters(arguments),
            render=lambda texts: literal(traced.structure, texts),
            native=settings.autodiff == "native" and backend.native, conventions=settings.conventions,
        )  # fmt: skip
        if traced.hidden:
            return functools.partial(program.call, **dict(zip(traced.graph.input_names[-len(traced.hidden):], traced.hidden, strict=True)))
        if program.emitted.flat:
            unflatten = traced.structure.unflatten

            def call(*args: Any) -> Any:
                return unflatten(program.call(*args))

            return call
        return program.call

    def explain(self, *like: Any, **keywords: Any) -> Report:
        """Which rewriting rules fired, and where, for arguments like these."""
        settings = self._settings()
        traced = self._trace(settings, self._like(like, keywords))
        native = settings.autodiff == "native" and registry.get(settings.target)[0].native
        return optimise(traced.graph, native=native)[1]

    def cache_info(self) -> CacheInfo:
        """Hits, misses and traces of this function."""
        return self._state.info()

    def cache_clear(self) -> None:
        """Forget every graph and every compiled signature."""
        self._state.clear()

    def __repr__(self) -> str:
        return f"<unigrad function {self._name}{signature(self.signature_of) or '(...)'}>"

    def __reduce__(self) -> tuple[Any, ...]:
        module = inspect.getmodule(self._function)
        name = getattr(self._function, "__qualname__", "")
        if self._body is self._function and getattr(module, name, None) is self:
            return name  # pyright: ignore[reportReturnType]
        return (_restore, (self._function, self.chain, self.static, self.overrides))

    def __copy__(self) -> Function:
        return self

    def __deepcopy__(self, memo: Any) -> Function:
        del memo
        return self


def _restore(function: Any, chain: Any, static: Any, overrides: Any) -> Function:
    return Function(function, static=static, settings=overrides, chain=chain[0])


class Tape:
    """What a runtime needs to put a function on the caller's tape as one node.

    Attributes:
        function: the function.
        graph: its graph; inputs are the arrays of the call, then the hidden ones.
        backend: the backend whose tape it is.
    """

    def __init__(self, function: Function, settings: Settings, graph: Graph, backend: Backend) -> None:
        self.function = function
        self.settings = settings
        self.graph = graph
        self.backend = backend

    def derivative(self, kind: str, wrt: tuple[int, ...], seeds: tuple[int, ...] = ()) -> Function:
        """The derivative as a function of flat arrays: ``"vjp"`` (inputs, cotangents) or ``"jvp"``."""
        from unigrad.compiler.derivative import graph_derivative  # noqa: PLC0415

        key = ("derivative", kind, wrt, seeds)
        known = self.graph.memo.get(key)
        if known is None:
            known = graph_derivative(self.graph, kind, wrt, seeds, self.settings, self.backend)
            self.graph.memo[key] = known
        return known


def has_traced_leaf(tree: Any) -> bool:
    """Whether a traced value is among the leaves of ``tree``."""
    return any(leaf.__class__ is TracedArray for leaf in flatten(tree)[0])


def _is_traced(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    if current_scope() is None:
        for arg in args:
            if arg.__class__ is TracedArray:
                return True
        return False
    return has_traced_leaf((args, kwargs))


def _placed(settings: Settings, arguments: Arguments) -> tuple[Backend, str, str | None]:
    """Backend, mode and device of a call: where only the default stands, a tensor's own framework."""
    if settings.target_is_default:
        for leaf in arguments.leaves:
            if leaf.owner not in ("python", "numpy"):
                backend = registry.found(leaf.owner)
                return backend, backend.modes[0] if backend.modes else "", None
    backend, mode = registry.get(settings.target)
    return backend, mode, settings.target.device


def _parameters(arguments: Arguments) -> list[Parameter]:
    return [Parameter(name, leaves) for name, leaves in arguments.parameters]


def _converter(leaf: Leaf, backend: Backend, runtime: Any, device: str | None) -> Callable[[Any], Any]:
    """What brings one argument of a call to the backend."""
    dtype = leaf.type.dtype
    if leaf.owner == backend.name:
        if backend.name == "numpy":
            from unigrad.trace.capture import as_numpy  # noqa: PLC0415

            return as_numpy
        place = getattr(runtime, "place", None)
        return (lambda value: place(value, device)) if place is not None else (lambda value: value)
    if leaf.owner == "python":
        if backend.name == "numpy":
            return dtype.numpy.type
        return lambda value: runtime.asarray(np.asarray(value, dtype.numpy), dtype, device)
    if leaf.owner == "numpy":
        return lambda value: runtime.asarray(np.ascontiguousarray(value) if value.ndim else value, dtype, device)
    other = registry.runtime(registry.found(leaf.owner))

    def travel(value: Any) -> Any:
        from_dlpack = getattr(runtime, "from_dlpack", None)
        if from_dlpack is not None:
            try:
                return from_dlpack(value, device)
            except (TypeError, RuntimeError, BufferError, ValueError):
                pass  # a layout or a dtype that DLPack does not carry goes by way of NumPy
        return runtime.asarray(other.to_numpy(value), dtype, device)

    return travel


def _shares(node: Node) -> bool:
    """Whether an output may share memory with an input or a constant."""
    while node.op in _VIEWS:
        node = node.operands[0]
    return node.op is INPUT or node.op is CONSTANT

