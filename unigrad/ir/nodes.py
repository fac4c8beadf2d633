"""The graph: immutable typed nodes, interned where they are made, and closed graphs of them.

A *scope* is a place where nodes are made: a function being traced, the body of a derivative. It
interns what it makes, so that a common subexpression exists once. The table belongs to the scope
and not to the process: one user's node must never carry another's line. Nodes are numbered as they
are made and operands come first, so sorting by number is a topological order and no walk over a
graph needs recursion.
"""

from __future__ import annotations

import itertools
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import numpy as np

from unigrad.errors import VerificationError
from unigrad.ir.operators import Operators
from unigrad.ir.types import DType, NodeType, Shape, TensorType, as_dtype
from unigrad.outside import one_line

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from types import CodeType, FrameType

__all__ = [
    "CONSTANT",
    "INPUT",
    "Graph",
    "Node",
    "Operators",
    "Origin",
    "Primitive",
    "Scope",
    "array_of",
    "caller_frame",
    "caller_origin",
    "current_scope",
    "derived",
    "graph_parameters",
    "name_after",
    "origin_of",
    "reachable",
    "scope",
    "tensor",
]

Origin: TypeAlias = "tuple[CodeType, int, str]"
"""Where the user wrote it: a code object, the offset of the instruction in it, and a role.

The role is ``""`` for the user's own operation, ``"ct"`` or ``"t"`` for the cotangent or tangent of
its result, ``"d"`` for what a derivative rule needs on the way, and a number for an element that is
unpacked (``a, b = x``).
"""


class Primitive(Protocol):
    """What a node needs of the op that it applies."""

    @property
    def name(self) -> str:
        """The op's name in the textual form."""
        ...

    def infer(self, operands: tuple[Node, ...], params: tuple[Any, ...]) -> NodeType:
        """The type of the result; raises ``ShapeError`` or ``DTypeError``."""
        ...


class _Leaf:
    """An op without operands whose type is given and not inferred."""

    def __init__(self, name: str) -> None:
        self.name = name

    def infer(self, operands: tuple[Node, ...], params: tuple[Any, ...]) -> NodeType:
        raise VerificationError(
            f"the type of {self.name!r} is given, not inferred ({operands}, {params})"
        )

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> str:
        return self.name.upper()


INPUT: Final = _Leaf("input")
CONSTANT: Final = _Leaf("constant")


class Node(Operators):
    """One op applied to operands. Compared by identity, immutable but for its list of origins.

    Attributes:
        op: the op, or ``INPUT`` or ``CONSTANT``.
        operands: the nodes it reads.
        params: the op's parameters, normalised, in the order of its signature.
        type: the type of the result; a tuple of types for an op with several results.
        scope: where it was made.
        origins: every place of the user's source that made it, first one first.
        index: its number; operands have smaller ones.
    """

    __slots__ = ("index", "op", "operands", "origins", "params", "scope", "type")

    def __init__(
        self,
        op: Primitive,
        operands: tuple[Node, ...],
        params: tuple[Any, ...],
        type_: NodeType,
        scope: Scope,
        origins: tuple[Origin, ...],
    ) -> None:
        self.op = op
        self.operands = operands
        self.params = params
        self.type = type_
        self.scope = scope
        self.origins = origins
        self.index = _next_index()

    @property
    def shape(self) -> Shape:
        """The shape of the one array that this node stands for."""
        return tensor(self).shape

    @property
    def dtype(self) -> DType:
        """The dtype of the one array that this node stands for."""
        return tensor(self).dtype

    @property
    def ndim(self) -> int:
        """The number of axes of the one array that this node stands for."""
        return tensor(self).ndim

    def __repr__(self) -> str:
        operands = ", ".join(f"%{operand.index}" for operand in self.operands)
        return f"<%{self.index} = {self.op.name}({operands}): {self.type}>"


_next_index = itertools.count().__next__


def tensor(node: Node) -> TensorType:
    """The type of a node that stands for one array (not for several results)."""
    type_ = node.type
    if type_.__class__ is TensorType:
        return type_  # pyright: ignore[reportReturnType]
    raise VerificationError(f"{node!r} has several results; take one with `get`")


def array_of(node: Node) -> np.ndarray[Any, Any] | None:
    """The value of a constant node; ``None`` for any other node."""
    return node.params[0] if node.op is CONSTANT else None


class Scope:
    """A place where nodes are made and interned.

    Attributes:
        parent: the scope in which this one was opened; a node of it that is used here is a capture.
        bodies: where closed graphs are interned; shared by all scopes of one trace.
        origin: if set, what nodes made here inherit instead of the caller's line: the origins of
            the node that a rule serves.
        open: whether the function behind it is still running.
        graphs: closed graphs by their inputs and outputs (in the outermost scope).
        hidden: inputs that the user captured instead of passing, with their native values (in the
            outermost scope).
        masking: whether products of cotangents look for the support of a selection.
        supports: the supports of cotangents, once they were asked for.
    """

    __slots__ = (
        "_alive", "_table", "bodies", "graphs", "hidden", "masking", "open", "origin", "parent",
        "supports",
    )  # fmt: skip

    def __init__(self, parent: Scope | None = None) -> None:
        self._table: dict[Any, Node] = {}
        self._alive: list[object] = []
        self.parent = parent
        self.origin: tuple[Origin, ...] | None = None
        self.open = True
        self.bodies: Scope = self if parent is None else parent.bodies
        self.graphs: dict[Any, Graph] = {}
        self.hidden: list[tuple[Node, Any]] = []
        self.masking = True
        self.supports: dict[Node, Any] = {}

    def node(self, op: Primitive, operands: tuple[Node, ...], params: tuple[Any, ...]) -> Node:
        """The node that applies ``op``; the one that stands already if there is one."""
        key = (op, operands, params)
        node = self._table.get(key)
        origins = self.origin
        if origins is None:
            origins = caller_origin()
        if node is None:
            node = Node(op, operands, params, op.infer(operands, params), self, origins)
            self._table[key] = node
        elif origins is not node.origins:
            _add_origins(node, origins)
        return node

    def input(self, type_: TensorType, name: str = "", origins: tuple[Origin, ...] = ()) -> Node:
        """A fresh input, equal to no other."""
        return Node(INPUT, (), (name,), type_, self, origins)

    def canonical_input(
        self, position: int, type_: TensorType, name: str, origins: tuple[Origin, ...]
    ) -> Node:
        """The one input of that position, type and name of every closed graph of the trace."""
        key = (INPUT, position, type_, name)
        node = self._table.get(key)
        if node is None:
            node = self._table[key] = Node(INPUT, (), (name,), type_, self, origins)
        return node

    def constant(self, value: object, dtype: DType | None = None, *, weak: bool = False) -> Node:
        """The node of a constant, interned by dtype and bytes (large arrays by identity).

        ``0.0``, ``-0.0``, ``True``, ``1`` and ``nan`` are all different.
        """
        with np.errstate(over="ignore"):  # a number beyond a narrow dtype is its infinity
            array = np.asarray(value, None if dtype is None else dtype.numpy)
        if array.nbytes <= _BYTES_LIMIT:
            key = (CONSTANT, array.dtype.str, array.dtype.name, array.shape, array.tobytes(), weak)
        else:
            key = (CONSTANT, id(array), weak)
        node = self._table.get(key)
        if node is None:
            if array.flags.writeable:
                if array.nbytes > _BYTES_LIMIT:
                    self._alive.append(value)  # its id is the key: it must stay its own
                array = _snapshot(array, copy=array is value)
            type_ = TensorType(dtype or as_dtype(array.dtype), array.shape, weak=weak)
            origins = caller_origin() if self.origin is None else self.origin
            node = Node(CONSTANT, (), (array,), type_, self, origins)
            self._table[key] = node
        return node


_BYTES_LIMIT: Final = 64 * 1024


def _snapshot(array: np.ndarray[Any, Any], *, copy: bool) -> np.ndarray[Any, Any]:
    """A read-only array of the values of today."""
    frozen = array.copy() if copy else array.view()
    frozen.flags.writeable = False
    return frozen


def _add_origins(node: Node, origins: tuple[Origin, ...]) -> None:
    """Let a node that is met again keep every place that made it."""
    known = node.origins
    new = tuple(origin for origin in origins if origin not in known)
    if new and len(known) < _ORIGINS_LIMIT:
        node.origins = known + new


_ORIGINS_LIMIT: Final = 8


# -- the scope of this thread ----------------------------------------------------------------------


class _Local(threading.local):
    scope: Scope | None = None


_local = _Local()


def current_scope() -> Scope | None:
    """The innermost open scope of this thread, if a function is being traced."""
    return _local.scope


@contextmanager
def scope(inner: Scope | None) -> Generator[Scope | None]:
    """Make ``inner`` the scope in which this thread makes nodes; ``None`` leaves all scopes."""
    outer = _local.scope
    _local.scope = inner
    try:
        yield inner
    finally:
        _local.scope = outer


@contextmanager
def origin_of(place: Scope, node: Node) -> Generator[None]:
    """Nodes made inside serve ``node`` and inherit its origins."""
    before = place.origin
    place.origin = node.origins
    try:
        yield
    finally:
        place.origin = before


_LIBRARY: Final = __file__.rsplit("ir", 1)[0]


def derived(origins: tuple[Origin, ...], role: str = "d") -> tuple[Origin, ...]:
    """The origins of a node that a derivative rule makes in the service of another."""
    return tuple([(code, offset, role) for code, offset, _ in origins[:1]])


def name_after(node: Node, served: Node, role: str) -> None:
    """Let ``node`` be known as the cotangent or tangent of ``served``."""
    if served.origins:
        code, offset, served_role = served.origins[0]
        if served_role == "" and (code, offset, role) not in node.origins:
            node.origins = ((code, offset, role), *node.origins)


def caller_frame() -> FrameType | None:
    """The frame of the user's own code that is running: the first outside the library."""
    # The public ways to a frame cost ten times as much.
    frame = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    while frame is not None and frame.f_code.co_filename.startswith(_LIBRARY):
        frame = frame.f_back
    return frame


def caller_origin() -> tuple[Origin, ...]:
    """The user's own place."""
    frame = caller_frame()
    return () if frame is None else ((frame.f_code, frame.f_lasti, ""),)


# -- graphs ----------------------------------------------------------------------------------------


class Graph:
    """A closed function: inputs, outputs, and the nodes between, which mention nothing else.

    Attributes:
        inputs: its input nodes, in the order in which values are passed.
        outputs: the nodes it returns; one node may be returned twice, an input may be returned.
        input_names: the user's names of the inputs, ``""`` where there is none.
        output_names: names of the outputs, ``""`` where there is none.
        name: what to call it in emitted code and messages.
    """

    __slots__ = (
        "__weakref__", "_nodes", "input_names", "inputs", "memo", "name", "output_names", "outputs",
    )  # fmt: skip

    def __init__(
        self,
        inputs: Sequence[Node],
        outputs: Sequence[Node],
        *,
        name: str = "",
        output_names: Sequence[str] = (),
    ) -> None:
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.input_names = tuple(node.params[0] for node in self.inputs)
        self.output_names = tuple(output_names) or ("",) * len(self.outputs)
        self.name = name
        self._nodes: tuple[Node, ...] | None = None
        # What was derived from this graph (its derivative, its expansion): each made once.
        self.memo: dict[Any, Any] = {}

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes that the outputs need, and all inputs, operands first."""
        if self._nodes is None:
            inputs = set(self.inputs)
            rest = (node for node in reachable(self.outputs) if node not in inputs)
            self._nodes = (*self.inputs, *rest)
        return self._nodes

    @property
    def input_types(self) -> tuple[TensorType, ...]:
        """The types of the inputs."""
        return tuple(tensor(node) for node in self.inputs)

    @property
    def output_types(self) -> tuple[TensorType, ...]:
        """The types of the outputs."""
        return tuple(tensor(node) for node in self.outputs)

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        inputs = ", ".join(map(str, self.input_types))
        outputs = ", ".join(map(str, self.output_types))
        name = one_line(self.name) or "anonymous"
        return f"<Graph {name}({inputs}) -> ({outputs}), {len(self)} nodes>"


def reachable(
    outputs: Iterable[Node], stop: set[Node] | frozenset[Node] = frozenset()
) -> list[Node]:
    """Every node that ``outputs`` need, operands first; what is in ``stop`` is not walked into."""
    seen: set[Node] = set()
    stack = list(outputs)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            if node not in stop:
                stack.extend(node.operands)
    return sorted(seen, key=_index_of)


def _index_of(node: Node) -> int:
    return node.index


def graph_parameters(node: Node) -> Iterator[Graph]:
    """The closed graphs that a node holds."""
    for param in node.params:
        if param.__class__ is Graph:
            yield param
