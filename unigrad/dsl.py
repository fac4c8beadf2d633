"""Graphs by hand: inputs are declared by type, expressions are written once, outputs are named.

What is defined is the same graph that a traced function gives, with two differences. Its types are
declared and not taken from a call, so that one compiled function serves every size of a named
dimension; and it returns its outputs by name. ::

    with ug.graph("difference_of_squares") as g:
        a, b = ug.input("a", "float64[n]"), ug.input("b", "float64[n]")
        g.output(y=(a - b) * (a + b))
    g(a=np.ones(3), b=np.zeros(3))["y"]
"""

from __future__ import annotations

import keyword
import threading
import unicodedata
from typing import TYPE_CHECKING, Any, Final, Self

from unigrad.compiler.arguments import signature
from unigrad.compiler.declared import DeclaredFunction, text_of, traced_from_text
from unigrad.errors import (
    ArgumentError,
    DTypeError,
    ShapeError,
    TracingError,
    listed,
    locate,
    with_article,
)
from unigrad.ir.nodes import INPUT, Graph, Scope, current_scope, scope, tensor
from unigrad.ir.source import caller_location, variable_name
from unigrad.ir.types import DType, TensorType, told
from unigrad.outside import one_line
from unigrad.trace.array import ARGUMENT, TracedArray, fixed
from unigrad.trace.structure import flatten
from unigrad.trace.tracer import Traced, leaf_node
from unigrad.transforms.sizes import unbound

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from unigrad.compiler.function import Function
    from unigrad.compiler.state import CacheInfo
    from unigrad.ir.nodes import Node
    from unigrad.passes.rewrite import Report

__all__ = ["Definition", "graph", "input_"]


class _Open(threading.local):
    """The definitions whose blocks this thread is in, innermost last."""

    def __init__(self) -> None:
        self.definitions: list[Definition] = []


_open: Final = _Open()


def graph(name: str) -> Definition:
    """Define a graph by hand, in a ``with`` block.

    Args:
        name: what to call it in emitted code and messages.

    Returns:
        A context manager that is the function after its block: it takes the inputs by name, or in
        the order in which they were declared, and returns a dict of the outputs.

    Raises:
        ArgumentError: if ``name`` is empty or not text.

    Example:
        >>> import numpy as np, unigrad as ug
        >>> with ug.graph("difference_of_squares") as g:
        ...     a, b = ug.input("a", "float64[n]"), ug.input("b", "float64[n]")
        ...     g.output(y=(a - b) * (a + b))
        >>> g(a=np.array([3.0, 2.0]), b=np.array([1.0, 2.0]))["y"]
        array([8., 0.])
    """
    return Definition(name)


def input_(name: str, type: str | TensorType | DType) -> TracedArray:  # noqa: A002  (its own word)
    """Declare an input of the graph whose block is running.

    Args:
        name: by which a call passes it; a Python identifier.
        type: such as ``"float64[n, 3]"`` with a named dimension, ``"float64[]"`` or ``"float64"``
            for a scalar; every input with the dimension ``n`` has the same ``n``.

    Returns:
        The handle to compute with: operators, methods, and the functions of unigrad and NumPy.

    Raises:
        TracingError: outside every ``with ug.graph(...)`` block.
        ArgumentError: if the name is taken, or is no identifier.
        DTypeError: if ``type`` is no type.
    """
    definition = _open.definitions[-1] if _open.definitions else None
    if definition is None or not definition.is_current():
        raise locate(
            TracingError(
                "ug.input declares an input of a graph: call it inside `with ug.graph(...) as g:`"
                " (the arguments of a traced function are its inputs already)"
            ),
            caller_location(),
        )
    return definition.declare(name, type)


class Definition:
    """A graph defined by hand; see :func:`graph`, which makes it.

    ``g["y"]`` is the function that returns the output ``y`` alone, as transforms want it:
    ``ug.grad(g["y"], argnames="a")``.

    Attributes:
        name: what it is called.
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
            raise locate(
                ArgumentError(f"ug.graph takes a name, such as 'loss', got {name!r}"),
                caller_location(),
            )
        self.name = self.__name__ = name
        self._scope: Scope | None = None
        self._entered: AbstractContextManager[Any] | None = None
        self._inputs: dict[str, Node] = {}
        self._outputs: dict[str, Node] = {}
        self._traced: Traced | None = None
        self._functions: dict[str | None, DeclaredFunction] = {}

    # -- defining ----------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if self._scope is not None:
            raise locate(
                TracingError(f"the graph {self.name!r} has its definition; make another ug.graph"),
                caller_location(),
            )
        self._scope = Scope()
        self._entered = scope(self._scope)
        self._entered.__enter__()
        _open.definitions.append(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        place, entered = self._scope, self._entered
        if place is None or entered is None:
            return
        _open.definitions.remove(self)
        entered.__exit__(None, None, None)
        self._entered = None
        place.open = False
        if kind is None:
            self._finish(place)

    def is_current(self) -> bool:
        """Whether its block is running, and no function is traced inside of it."""
        return self._entered is not None and current_scope() is self._scope

    def declare(self, name: str, type_: str | TensorType | DType) -> TracedArray:
        """Declare an input; :func:`input_` does so for the innermost block."""
        place = self._place("an input is declared")
        fits = isinstance(name, str) and name.isidentifier()  # pyright: ignore[reportUnnecessaryIsInstance]
        given, name = name, unicodedata.normalize("NFKC", name) if fits else ""  # as Python reads
        if not fits or keyword.iskeyword(name):
            raise locate(
                ArgumentError(f"ug.input: a name is a Python identifier, got {given!r}"),
                caller_location(),
            )
        if name in self._inputs:
            raise locate(
                ArgumentError(
                    f"ug.input: {self.name!r} has an input {name!r}"
                    f" ({told(self._inputs[name].type)}); use another name"
                ),
                caller_location(),
            )
        node = place.input(_type_of(name, type_), name)
        self._inputs[name] = node
        return fixed(node, ARGUMENT)

    def output(self, /, *values: Any, **named: Any) -> None:
        """Name outputs: ``g.output(y=...)``, or ``g.output(y)`` for a variable called ``y``.

        Args:
            *values: traced values, each assigned to a variable that gives its name.
            **named: traced values, arrays or numbers by name.

        Raises:
            TracingError: outside the block.
            ArgumentError: for a name that is taken, a value without a name, or a structure.
        """
        place = self._place("an output is named")
        outputs = {self._name_of(value): value for value in values}
        if len(outputs) < len(values) or set(outputs) & set(named):
            raise self._wrong_output("two values have the same name")
        for name, value in (outputs | named).items():
            if name in self._outputs:
                raise self._wrong_output(f"{name!r} is an output already")
            if isinstance(value, (dict, list, tuple)) or value is None:
                kind = with_article(type(value).__name__)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
                raise self._wrong_output(f"{name} is one array, got {kind}; name each part")
            self._outputs[name] = leaf_node(place, value)

    def _name_of(self, value: Any) -> str:
        node = value._node if isinstance(value, TracedArray) else None  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        name = "" if node is None else (node.params[0] if node.op is INPUT else variable_name(node))
        if not name:
            raise self._wrong_output(
                "a value that no variable holds has no name; write g.output(y=...)"
            )
        return name

    def _wrong_output(self, what: str) -> ArgumentError:
        return locate(ArgumentError(f"output of {self.name!r}: {what}"), caller_location())

    def _place(self, what: str) -> Scope:
        if self._scope is None or not self.is_current():
            raise locate(
                TracingError(f"{what} inside the block `with ug.graph({self.name!r}) as g:` alone"),
                caller_location(),
            )
        return self._scope

    def _finish(self, place: Scope) -> None:
        if not self._outputs:
            raise self._wrong_output("there is none; end the block with g.output(y=...)")
        declared = list(self._inputs.values())
        missing = unbound([tensor(node) for node in declared])
        if missing:
            what = f"no call could tell the size of {listed(sorted(missing))}"
            advice = "one input needs it alone on an axis"
            raise locate(
                ShapeError(f"the graph {self.name!r}: {what}; {advice}"), caller_location()
            )
        leaves, structure = flatten(dict(self._outputs))
        names = flatten({name: name for name in self._outputs})[0]
        hidden = [node for node, _ in place.hidden]
        made = Graph([*declared, *hidden], leaves, name=self.name, output_names=names)
        self.define(Traced(made, structure, tuple(value for _, value in place.hidden)))

    def define(self, traced: Traced) -> None:
        """Be the function of a graph whose outputs have names; a block ends with this."""
        self._traced = traced
        self.__signature__ = signature(self._function(None))

    # -- using -------------------------------------------------------------------------------------

    def __call__(self, /, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The outputs by name, for inputs by name or in their order.

        Raises:
            ArgumentError: for inputs that are missing or unknown.
            ShapeError: for shapes that do not fit the declared types, or each other.
            DTypeError: for another dtype than declared.
        """
        return self._function(None)(*args, **kwargs)

    def __getitem__(self, output: str) -> Function:
        """The function that returns one output alone."""
        names = self._defined().graph.output_names
        if output not in names:
            raise locate(
                ArgumentError(
                    f"the graph {self.name!r} has no output {output!r};"
                    f" its outputs are {listed(names)}"
                ),
                caller_location(),
            )
        return self._function(output)

    @property
    def graph(self) -> Graph:
        """The graph."""
        return self._defined().graph

    def source(self, target: Any = None, /) -> str:
        """The native source for a target; the current one if ``None``. It serves every size."""
        return self._function(None).source(target)

    def compile(self, *, target: Any = None) -> Callable[..., Any]:
        """The bare native callable of the inputs in their order: no checks, native arrays."""
        return self._function(None).compile(target=target)

    def explain(self) -> Report:
        """Which rewriting rules fired, and where."""
        return self._function(None).explain()

    def cache_info(self) -> CacheInfo:
        """Hits and misses of the cache: a definition is compiled once per target."""
        return self._function(None).cache_info()

    def _defined(self) -> Traced:
        if self._traced is not None:
            return self._traced
        if self._entered is not None:
            what = "is not defined yet: its block is running"
        elif self._scope is None:
            what = "is not defined yet: write `with ug.graph(...) as g:` and name its outputs"
        else:
            what = "has no definition: its block ended with an error"
        raise locate(TracingError(f"the graph {self.name!r} {what}"), caller_location())

    def _function(self, output: str | None) -> DeclaredFunction:
        traced = self._defined()
        known = self._functions.get(output)
        if known is None:
            if output is not None:
                place = traced.graph.output_names.index(output)
                alone = [traced.graph.outputs[place]]
                graph = Graph(traced.graph.inputs, alone, name=output, output_names=[output])
                traced = Traced(graph, flatten(0)[1], traced.hidden)
            known = self._functions.setdefault(output, DeclaredFunction(traced, self.name))
        return known

    def __repr__(self) -> str:
        if self._traced is None:
            return f"<unigrad graph {one_line(self.name)}, not defined>"
        made = self._traced.graph
        inputs = ", ".join(f"{node.params[0]}: {node.type}" for node in made.inputs)
        pairs = zip(made.output_names, made.output_types, strict=True)
        outputs = ", ".join(f"{name}: {type_}" for name, type_ in pairs)
        return f"<unigrad graph {one_line(self.name)}({inputs}) -> ({outputs})>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _definition_from_text, (self.name, text_of(self._defined()))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        del memo
        return self


def _type_of(name: str, type_: Any) -> TensorType:
    try:
        if isinstance(type_, TensorType):
            return type_
        if isinstance(type_, DType):
            return TensorType(type_)
        if isinstance(type_, str):
            return TensorType.parse(type_)
    except DTypeError as error:
        raise locate(DTypeError(f"ug.input {name!r}: {error}"), caller_location()) from None
    raise locate(
        DTypeError(f"ug.input {name!r}: a type is written like 'float64[n, 3]', got {type_!r}"),
        caller_location(),
    )


def _definition_from_text(name: str, text: str) -> Definition:
    made = Definition(name)
    made.define(traced_from_text(text, named=True))
    return made
