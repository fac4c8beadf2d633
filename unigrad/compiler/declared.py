"""A graph whose types were declared, as a function: traced already, compiled once per target.

A call is checked against the declared types, and named dimensions against each other; then one
compiled signature serves it, whatever the sizes are.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from unigrad.backend import registry
from unigrad.compiler.arguments import Arguments, Leaf, Static, bind, leaf_of, read_like
from unigrad.compiler.function import Function
from unigrad.errors import DTypeError, ShapeError, TracingError, locate
from unigrad.ir.dims import Dim
from unigrad.ir.nodes import current_scope, tensor
from unigrad.ir.rebuild import inline
from unigrad.ir.source import caller_location
from unigrad.ir.types import TensorType, told
from unigrad.ops.elementwise import astype
from unigrad.ops.shape import reweigh
from unigrad.ops.spec import as_node
from unigrad.trace.array import TracedArray, node_of, wrap
from unigrad.trace.structure import flatten
from unigrad.trace.tracer import Traced
from unigrad.transforms.sizes import bind_sizes, with_sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unigrad.compiler.making import Compiled
    from unigrad.compiler.state import Epoch
    from unigrad.config import Settings
    from unigrad.ir.dims import Size
    from unigrad.ir.nodes import Node, Scope
    from unigrad.ir.types import DType

__all__ = ["DeclaredFunction", "text_of", "traced_from_text"]


class DeclaredFunction(Function):
    """The function of a graph: its inputs by position or by name, its outputs as one structure.

    Attributes:
        traced: the graph, the structure of its outputs, and the tensors that it holds.
        input_names: names of the inputs that a call passes.
        input_types: their declared types.
    """

    def __init__(self, traced: Traced, name: str) -> None:
        graph = traced.graph
        count = len(graph.inputs) - len(traced.hidden)
        self.traced = traced
        self.input_names = graph.input_names[:count]
        self.input_types = graph.input_types[:count]
        self._keywords = set(self.input_names)

        def body(*args: Any, **kwargs: Any) -> Any:
            return self._inline(args, kwargs)

        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter(one, kind) for one in self.input_names]
        body.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
        body.__name__ = body.__qualname__ = name
        _, self._structure = flatten((tuple(0 for _ in parameters), {}))
        super().__init__(body, name=name)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """What the graph computes, in the structure of its outputs."""
        if not args and kwargs.keys() == self._keywords:  # the fast way is one of positions
            args, kwargs = tuple([kwargs[name] for name in self.input_names]), {}
        return super().__call__(*args, **kwargs)

    # -- what a call was given ---------------------------------------------------------------------

    def read(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        """What a call was given, checked against the declared types."""
        return self._checked(args, kwargs, leaf_of)

    def _like(self, like: tuple[Any, ...], keywords: dict[str, Any]) -> Arguments:
        if like or keywords:
            return self._checked(like, keywords, read_like)
        return self._arguments([Leaf(None, type_, "numpy") for type_ in self.input_types])

    def _values(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        return bind(self.signature_of, self._name, args, kwargs)[0]

    def _arguments(self, leaves: Sequence[Leaf]) -> Arguments:
        return Arguments(
            self._structure,
            tuple(leaves),
            tuple(range(len(leaves))),
            self.input_names,
            tuple((name, ((place, ""),)) for place, name in enumerate(self.input_names)),
        )

    def _checked(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], reader: Callable[[Any], Any]
    ) -> Arguments:
        """Arguments under their declared types, which they have."""
        named = zip(self.input_names, self.input_types, self._values(args, kwargs), strict=True)
        leaves = [self._leaf(name, type_, value, reader) for name, type_, value in named]
        self._sizes([leaf.type.shape for leaf in leaves])
        if _on_tape(leaves):  # a tape asks for derivatives at these very sizes
            return self._arguments(leaves)
        pairs = zip(leaves, self.input_types, strict=True)
        return self._arguments([leaf._replace(type=type_) for leaf, type_ in pairs])

    def _sizes(self, shapes: Sequence[tuple[Size, ...]]) -> dict[str, Size]:
        try:
            return bind_sizes(self.input_names, self.input_types, shapes)
        except ShapeError as error:
            raise locate(ShapeError(f"{self._name}: {error}"), caller_location()) from None

    def _leaf(
        self, name: str, declared: TensorType, value: Any, reader: Callable[[Any], Any]
    ) -> Leaf:
        try:
            leaf = reader(value)
        except DTypeError as error:
            self._refuse(name, declared, str(error))
        if isinstance(leaf, Static):
            self._refuse(name, declared, f"given the {type(value).__name__} {value!r}")
        if leaf.owner == "python" and leaf.value is not None:
            if not _holds(declared.dtype, value):
                self._refuse(name, declared, f"given the {type(value).__name__} {value!r}")
        elif leaf.type.dtype is not declared.dtype:
            advice = f"convert it with .astype({declared.dtype.name!r})"
            self._refuse(name, declared, f"given {told(leaf.type)}; {advice}")
        return leaf._replace(type=TensorType(declared.dtype, leaf.type.shape, weak=declared.weak))

    def _refuse(self, name: str, declared: TensorType, given: str) -> NoReturn:
        error = DTypeError(f"{self._name}: {name}: expected {declared}, {given}")
        raise locate(error, caller_location()) from None

    # -- compiling ---------------------------------------------------------------------------------

    def _traced(self, epoch: Epoch, settings: Settings, arguments: Arguments) -> Traced:
        """The declared graph, with the sizes of these arguments in it."""
        del epoch, settings
        if arguments.types == self.input_types:
            return self.traced
        sizes = self._sizes([type_.shape for type_ in arguments.types])
        return self.traced._replace(graph=with_sizes(self.traced.graph, sizes))

    def _remember(
        self,
        epoch: Epoch,
        settings: Settings,
        args: tuple[Any, ...],
        arguments: Arguments,
        place: tuple[Any, ...],
        compiled: Compiled,
    ) -> None:
        shapes = _shape_tests(self.input_types)
        if shapes is None or arguments.types != self.input_types:
            return
        leaves = [
            leaf._replace(type=_Tested(leaf.type.dtype, shape))  # pyright: ignore[reportArgumentType]
            for leaf, shape in zip(arguments.leaves, shapes, strict=True)
        ]
        tested = dataclasses.replace(arguments, leaves=tuple(leaves))
        super()._remember(epoch, settings, args, tested, place, compiled)

    # -- inside another trace ----------------------------------------------------------------------

    def _inline(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        place = current_scope()
        if place is None:
            what = f"{self._name}: a traced value was passed after its function had returned"
            raise locate(TracingError(what), caller_location())
        named = zip(self.input_names, self.input_types, self._values(args, kwargs), strict=True)
        nodes = [self._node(place, name, type_, value) for name, type_, value in named]
        graph = with_sizes(self.traced.graph, self._sizes([node.shape for node in nodes]))
        nodes.extend(as_node(place, value) for value in self.traced.hidden)
        return self.traced.structure.unflatten([wrap(one) for one in inline(graph, nodes, place)])

    def _node(self, place: Scope, name: str, declared: TensorType, value: Any) -> Node:
        """An argument as a node of its declared dtype."""
        try:
            node = (
                node_of(value, place) if isinstance(value, TracedArray) else as_node(place, value)
            )
        except DTypeError as error:
            self._refuse(name, declared, str(error))
        have = tensor(node)
        if have.dtype is not declared.dtype:
            if not have.weak or _RANK[have.dtype.kind] > _RANK[declared.dtype.kind]:
                self._refuse(name, declared, f"given {have}")
            node = astype(node, declared.dtype)
        if tensor(node).weak is not declared.weak:
            node = place.node(reweigh, (node,), (declared.weak,))
        return node

    def __reduce__(self) -> tuple[Any, ...]:
        named = self.traced.structure.paths() != ("",)
        return _restored, (self._name, text_of(self.traced), named)


# -- helpers ---------------------------------------------------------------------------------------

_RANK = {"bool": 0, "uint": 1, "int": 1, "float": 2, "complex": 3}


def _holds(dtype: DType, value: Any) -> bool:
    """Whether a Python number is a value of a dtype."""
    if dtype.kind == "bool" or isinstance(value, bool):
        return dtype.kind == "bool" and isinstance(value, bool)
    if dtype.kind in ("int", "uint"):
        limits = np.iinfo(dtype.numpy)
        return isinstance(value, int) and limits.min <= value <= limits.max
    return isinstance(value, (int, float))


def _on_tape(leaves: Sequence[Leaf]) -> bool:
    """Whether a framework's tape records what is computed with an argument."""
    for leaf in leaves:
        if leaf.owner not in ("python", "numpy") and leaf.value is not None:
            on_tape = getattr(registry.runtime(registry.found(leaf.owner)), "on_tape", None)
            if on_tape is not None and on_tape([leaf.value]) is not None:
                return True
    return False


class _Tested(NamedTuple):
    """A type as an emitted guard looks at it: the shape is an expression of the arguments."""

    dtype: DType
    shape: str


def _shape_tests(types: Sequence[TensorType]) -> list[str] | None:
    """For each argument its shape in terms of the first ones; ``None`` for sizes like ``2*n``."""
    first: dict[Dim, str] = {}
    tests: list[str] = []
    for position, type_ in enumerate(types):
        sizes: list[str] = []
        for axis, size in enumerate(type_.shape):
            if isinstance(size, Dim):
                if not str(size).isidentifier():
                    return None
                # A slice, so that an argument with fewer axes has another shape and no error.
                sizes.append(first.setdefault(size, f"*x{position}.shape[{axis}:{axis + 1}]"))
            else:
                sizes.append(str(size))
        tests.append(f"({''.join(f'{one}, ' for one in sizes)})")
    return tests


def text_of(traced: Traced) -> str:
    """The textual form of a graph; raises ``TypeError`` if it holds a tensor of a tape."""
    from unigrad.ir.text import to_text

    if traced.hidden:
        raise TypeError(f"the graph {traced.graph.name!r} holds a tensor of a tape: it has no text")
    return to_text(traced.graph)


def traced_from_text(text: str, *, named: bool) -> Traced:
    """What :func:`text_of` printed; outputs by name, or the one output alone."""
    from unigrad.ir.text import from_text
    from unigrad.ops.spec import OPS

    graph = from_text(text, OPS)
    return Traced(graph, flatten(dict.fromkeys(graph.output_names, 0) if named else 0)[1], ())


def _restored(name: str, text: str, named: bool) -> DeclaredFunction:  # noqa: FBT001  (unpickled)
    return DeclaredFunction(traced_from_text(text, named=named), name)
