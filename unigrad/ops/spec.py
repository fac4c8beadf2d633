"""What an op is: its signature, its NumPy reference, its type rule and its one derivative.

One dispatcher serves every caller: on nodes an op builds, on the user's traced values it traces, on
pattern variables it makes a pattern, on arrays it runs. Which of these, the arguments say; each of
the four rooms hands its interpreter to :data:`INTERPRETERS` or :func:`set_evaluator`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeAlias, cast

import numpy as np

from unigrad import config
from unigrad.errors import ArgumentError, DTypeError, RuleError, ShapeError, listed, locate
from unigrad.ir.dims import Dim
from unigrad.ir.nodes import CONSTANT, Node, Scope, current_scope, tensor
from unigrad.ir.operators import install
from unigrad.ir.source import caller_location
from unigrad.ir.types import DTYPES, DType, NodeType, TensorType, as_dtype, is_numpy, promote, told
from unigrad.ops.signatures import Array, signature_of, standard_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "INTERPRETERS", "OPS", "Array", "Axes", "Composite", "Op", "Sample", "Zero", "apply", "as_node",
    "build", "composite", "default_float", "describe", "number_node", "set_capture",
    "set_evaluator",
]  # fmt: skip

P = ParamSpec("P")

Axes: TypeAlias = "int | tuple[int, ...] | None"


class Zero:
    """The derivative of what is constant: declared, never assumed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One point at which an op is tested, with what its convention says there.

    Attributes:
        args: the operands, as NumPy arrays or nested lists.
        params: keyword parameters.
        gradient: what the gradient of the sum of the result must be, one entry per operand
            (``None``: no expectation); absent where ordinary differences decide.
        note: why this point is a point of its own.
    """

    args: tuple[Any, ...]
    params: dict[str, Any] = field(default_factory=dict)
    gradient: tuple[Any, ...] | None = None
    note: str = ""


OPS: Final[dict[str, Op[...]]] = {}
"""Every op by name, in the order of definition."""

INTERPRETERS: Final[dict[type, Callable[[Op[...], tuple[Any, ...], dict[str, Any]], Any]]] = {}
"""For each type of argument that is not an array: what calling an op on it does."""


class Op(Generic[P]):
    """One operation, defined in one place. Calling it dispatches on what it is given.

    Attributes:
        name: its name, public or (with a leading family word) internal.
        operands: the names of its array arguments.
        params: the names of its other arguments.
        variadic: whether it takes one sequence of arrays in place of named ones.
        reference: the NumPy function that says what it computes.
        elementwise: whether it works entry by entry, with broadcasting.
        constant: whether its result is constant for every derivative.
        accumulates: whether it counts or adds up on the way to its result, which half precision
            does not hold: of such arrays it is computed in float32, and so is its derivative.
    """

    autograph_info__ = None  # what has it is not rewritten by TensorFlow's AutoGraph

    def __init__(
        self,
        name: str,
        reference: Callable[P, Any],
        *,
        operands: Sequence[str],
        params: Sequence[str] = (),
        defaults: dict[str, Any] | None = None,
        infer: Callable[..., NodeType],
        prepare: Callable[[Op[...], Scope, Sequence[Any]], list[Node]],
        normalise: Callable[..., tuple[Any, ...]] | None = None,
        variadic: bool = False,
        elementwise: bool = False,
        formulas: tuple[Any, ...] | None = None,
        infix: str = "",
        samples: Sequence[Sample] = (),
        public: bool = True,
        accumulates: bool = False,
    ) -> None:
        if name in OPS:
            raise RuleError(f"the op {name!r} is defined twice")
        self.name = name
        self.reference = reference
        self.operands = tuple(operands)
        self.params = tuple(params)
        self.defaults = defaults or {}
        self.variadic = variadic
        self.elementwise = elementwise
        self.formulas = formulas
        self.samples = tuple(samples)
        self.public = public
        self.accumulates = accumulates
        self.constant = False
        self.vjp_rule: Callable[..., Any] | None = None
        self.jvp_rule: Callable[..., Any] | None = None
        self.lowering: Callable[..., Any] | None = None
        self._infer = infer
        self._prepare = prepare
        self._normalise = normalise
        self._names = (*self.operands, *self.params)
        self.__doc__ = reference.__doc__
        self.__name__ = self.__qualname__ = name
        self.__wrapped__ = reference
        self.__signature__ = standard_signature(reference, self.operands)
        if infix:
            install(self, infix)
        OPS[name] = self

    # -- the parts of a definition that follow it --------------------------------------------------

    def vjp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Define the derivative: ``rule(cotangent, out, *operands, **params)``.

        It returns the cotangent of the one operand, or a tuple with one entry per operand (``None``
        where there is nothing to propagate). It must be linear in the cotangent.
        """
        self.vjp_rule = rule
        return rule

    def jvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Give the forward derivative where it is cheaper than the transposed one."""
        self.jvp_rule = rule
        return rule

    def lower(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Say the op in simpler ops, for a backend that has no row for it."""
        self.lowering = rule
        return rule

    # -- calling -----------------------------------------------------------------------------------

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> Array:
        """Build, trace, make a pattern or run, as the arguments say."""
        for arg in args:
            interpret = INTERPRETERS.get(arg.__class__)
            if interpret is not None:
                return interpret(self, args, kwargs)
        if kwargs or self.variadic:
            for arg in (*kwargs.values(), *(_members(args) if self.variadic else ())):
                interpret = INTERPRETERS.get(arg.__class__)
                if interpret is not None:
                    return interpret(self, args, kwargs)
        return _evaluate(self, args, kwargs)

    def bind(
        self, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[list[Any], tuple[Any, ...]]:
        """Split a call into operands and parameters, as the reference's signature says."""
        if len(args) == len(self.operands) and not (kwargs or self.params or self.variadic):
            return list(args), ()
        operands, params = self._operands_of(args, kwargs)
        if len(params) > len(self.params):
            raise self._wrong_call(f"{len(args)} positional arguments were given")
        for name in self.params[len(params) :]:
            if name in kwargs:
                params.append(kwargs[name])
            elif name in self.defaults:
                params.append(self.defaults[name])
            else:
                raise self._wrong_call(f"{name!r} is missing")
        for name in kwargs:
            if name not in self._names:
                raise self._wrong_call(f"there is no argument {name!r}")
        return operands, tuple([_hashable(value) for value in params])

    def _operands_of(
        self, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[list[Any], list[Any]]:
        """The operands of a call, and the positional arguments after them."""
        if self.variadic:
            several, *rest = args or (kwargs.pop(self.operands[0], ()),)
            return list(several), rest
        count = len(self.operands)
        operands = list(args[:count])
        for name in self.operands[len(operands) :]:
            if name not in kwargs:
                raise self._wrong_call(f"{name!r} is missing")
            operands.append(kwargs[name])
        return operands, list(args[count:])

    def _wrong_call(self, what: str) -> ArgumentError:
        params = (f"{n}={self.defaults[n]!r}" if n in self.defaults else n for n in self.params)
        words = ", ".join((*self.operands, *params))
        return locate(ArgumentError(f"{self.name}({words}): {what}"), caller_location())

    def prepare(self, place: Scope, operands: Sequence[Any]) -> tuple[Node, ...]:
        """Make nodes of the operands, of the dtypes that the op computes in."""
        return tuple(self._prepare(self, place, operands))

    def build(self, place: Scope, operands: Sequence[Any], params: tuple[Any, ...]) -> Any:
        """Apply the op in ``place`` to nodes, numbers and arrays; normalise its parameters."""
        nodes = self.prepare(place, operands)
        if self._normalise is not None:
            # One form for each parameter: a backend never sees `None` or a negative axis.
            params = self._normalise(nodes, *params)
        if self.accumulates and tensor(nodes[0]).dtype.is_half:
            cast, narrow = OPS["astype"], tensor(nodes[0]).dtype
            wide = tuple([cast.build(place, (node,), (DTYPES["float32"],)) for node in nodes])
            return cast.build(place, (place.node(self, wide, params),), (narrow,))
        return place.node(self, nodes, params)

    def infer(self, operands: tuple[Node, ...], params: tuple[Any, ...]) -> NodeType:
        """The type of the result."""
        return self._infer(operands, *params)

    def keywords(self, params: tuple[Any, ...]) -> dict[str, Any]:
        """Normalised parameters by name, as rules take them."""
        return dict(zip(self.params, params, strict=True))

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_op_named, (self.name,))


def _op_named(name: str) -> Op[...]:
    return OPS[name]


class Composite(Op[P]):
    """A public function that is said in other ops: one call for the user, no op of its own.

    Its body always sees nodes, whoever calls it, and may return several.
    """

    def __init__(self, body: Callable[P, Any]) -> None:
        operands, params, defaults, variadic = signature_of(body)
        self.name = body.__name__.rstrip("_")
        self.operands = tuple(operands)
        self.params = tuple(params)
        self.defaults = defaults
        self.variadic = variadic
        self.body: Callable[..., Any] = body
        self.public = True
        self.checked: Callable[..., None] | None = None
        self._names = (*self.operands, *self.params)
        self.__doc__ = body.__doc__
        self.__name__ = self.__qualname__ = self.name
        self.__module__ = body.__module__
        self.__wrapped__ = body
        self.__signature__ = standard_signature(body, self.operands)

    def check(self, rule: Callable[..., None]) -> Callable[..., None]:
        """Say what a call on arrays raises for their values: ``rule(*operands, **params)``."""
        self.checked = rule
        return rule

    def build(self, place: Scope, operands: Sequence[Any], params: tuple[Any, ...]) -> Any:
        """Run the body on nodes."""
        nodes = as_nodes(place, operands)
        if self.variadic:
            return self.body(nodes, **self.keywords(params))
        return self.body(*nodes, **self.keywords(params))

    def __reduce__(self) -> Any:
        return self.body.__name__  # what its module holds under this name: itself


def composite(body: Callable[P, Any]) -> Composite[P]:
    """Make a public function of a body that is written in other ops."""
    return Composite(body)


def _members(args: tuple[Any, ...]) -> tuple[Any, ...]:
    if args and isinstance(args[0], (tuple, list)):
        return tuple(cast("Sequence[Any]", args[0]))
    return ()


def _hashable(value: Any) -> Any:
    """A parameter as it is remembered: lists as tuples, NumPy's integers as Python's."""
    if isinstance(value, (list, tuple)):
        return tuple(_hashable(item) for item in cast("Sequence[Any]", value))
    if is_numpy(value):
        array: Any = value
        if array.dtype.kind in "iu":
            return _hashable(array.tolist())  # of a scalar, an int
        return array if array.ndim else array[()]
    return value


# -- arrays: run -----------------------------------------------------------------------------------

_Evaluator: TypeAlias = "Callable[[Op[...], tuple[Any, ...], dict[str, Any]], Any]"


def _no_evaluator(op: Op[...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    raise RuleError(f"{op!r} was called on arrays before `unigrad` was imported ({args}, {kwargs})")


_evaluate: _Evaluator = _no_evaluator


def set_evaluator(evaluator: _Evaluator) -> None:
    """Hand over what runs an op on arrays at once (the compiler does)."""
    global _evaluate  # noqa: PLW0603  (the one thing that a higher room hands down)
    _evaluate = evaluator


# -- nodes: build ----------------------------------------------------------------------------------


def build(op: Op[...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Node:
    """Apply an op to nodes, in this thread's scope."""
    place = current_scope()
    if place is None:
        raise RuleError(f"{op!r} was applied to nodes outside every scope")
    return apply(op, place, *op.bind(args, kwargs))


def apply(op: Op[...], place: Scope, operands: Sequence[Any], params: tuple[Any, ...]) -> Any:
    """Apply an op in ``place``; errors carry the place of the user's source."""
    try:
        return op.build(place, operands, params)
    except (ShapeError, DTypeError, ArgumentError, IndexError) as error:
        # What the user called is named: of an op without a public name, that is around this one.
        if op.public and not getattr(error, "__notes__", None):
            _describe(error, op, operands)
            locate(error, caller_location())
        raise


def _describe(error: Exception, op: Op[...], operands: Sequence[Any]) -> None:
    """Add what was given to the message of a failed call."""
    message = error.args[0] if len(error.args) == 1 else None
    if isinstance(message, str) and not message.startswith((f"{op.name}:", f"{op.name}(")):
        given = f" (given: {listed(describe(value) for value in operands)})" if operands else ""
        error.args = (f"{op.name}: {message}{given}",)


def describe(value: Any) -> str:
    """An operand as a message shows it: its type, or a Python number itself."""
    if isinstance(value, Node):
        return told(value.type)
    if isinstance(value, (bool, int, float)) and not isinstance(value, np.generic):
        return repr(value)
    dtype, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
    if dtype is not None and shape is not None:
        return f"{dtype}{list(shape)}"
    return type(value).__name__


INTERPRETERS[Node] = build


# -- operands --------------------------------------------------------------------------------------


def default_float() -> DType:
    """The dtype of a Python float on its own, as set."""
    return DTYPES[config.current().default_float]


def as_node(place: Scope, value: Any) -> Node:
    """The node for an operand: itself, or a constant for a number or a captured array."""
    if value.__class__ is Node:
        return value
    kind = _PYTHON_KINDS.get(value.__class__)
    if kind is not None:
        dtype = default_float() if kind == "float64" else DTYPES[kind]
        return number_node(place, value, dtype, weak=True)
    if value.__class__ is Dim:  # a size, which is a Python int where it is known
        size = place.node(OPS["dim_value"], (), (value, DTYPES["int64"]))
        return place.node(OPS["reweigh"], (size,), (True,))
    return _capture(place, value)


def as_nodes(place: Scope, operands: Sequence[Any], *, floating: bool = False) -> list[Any]:
    """The nodes for the operands of one call; ``None`` stays.

    A Python int that no integer dtype holds is a float beside floats, as it is in Python, and a
    ``uint64`` beside those where it is one.
    """
    large = [one for one in operands if one.__class__ is int and not -_BEYOND <= one < _BEYOND]
    if not large:
        return [None if one is None else as_node(place, one) for one in operands]
    others = [one for one in operands if not any(one is number for number in large)]
    nodes = [as_node(place, one) for one in others if one is not None]
    dtypes = [tensor(node).dtype for node in nodes]
    if floating or any(dtype.is_floating for dtype in dtypes):
        try:
            floats = {id(one): float(one) for one in large}
        except OverflowError:
            raise DTypeError("a Python int is too large for a float") from None
        return as_nodes(place, [floats.get(id(one), one) for one in operands])
    if DTYPES["uint64"] in dtypes:
        wide = {id(one): number_node(place, one, DTYPES["uint64"], weak=False) for one in large}
        return as_nodes(place, [wide.get(id(one), one) for one in operands])
    return [None if one is None else as_node(place, one) for one in operands]  # says what is wrong


_BEYOND: Final = 2**63

_PYTHON_KINDS: Final[dict[type, str]] = {bool: "bool", int: "int64", float: "float64"}


def number_node(place: Scope, value: Any, dtype: DType, *, weak: bool) -> Node:
    """The node of a number; raises ``DTypeError`` if ``dtype`` has no such number."""
    try:
        return place.constant(value, dtype, weak=weak)
    except (OverflowError, ValueError):  # the latter is NumPy's for NaN as an integer
        raise DTypeError(f"the number {value!r} does not fit into {dtype}") from None


def _no_capture(place: Scope, value: Any) -> Node:
    if is_numpy(value):
        return place.constant(value, as_dtype(value.dtype))
    raise DTypeError(f"a {type(value).__name__} is not an array ({place})")


_capture: Callable[[Scope, Any], Node] = _no_capture


def set_capture(capture: Callable[[Scope, Any], Node]) -> None:
    """Hand over what makes a node of an array that is met while tracing (``trace`` does)."""
    global _capture  # noqa: PLW0603  (handed down, as the evaluator)
    _capture = capture


def promoted(
    place: Scope, operands: Sequence[Any], *, floating: bool = False
) -> tuple[list[Node], DType]:
    """Operands cast to their common dtype: Python numbers take it, and so do integers on demand."""
    first = operands[0]
    if len(operands) == 1 and first.__class__ is Node:
        dtype = first.dtype
        if dtype.is_floating or not floating:
            return [first], dtype
    nodes: list[Node] = as_nodes(place, operands, floating=floating)
    common, weak = tensor(nodes[0]), tensor(nodes[0]).weak
    for node in nodes[1:]:
        type_ = tensor(node)
        if type_ is not common:
            dtype, weak = promote(common, type_)
            common = TensorType(dtype, (), weak=weak)
    dtype = common.dtype
    if floating and not dtype.is_floating:
        dtype = default_float()
    return [cast_node(place, node, dtype, weak=weak) for node in nodes], dtype


def cast_node(place: Scope, node: Node, dtype: DType, *, weak: bool = False) -> Node:
    """``node`` in ``dtype``: a number is made anew, anything else is cast by the op ``astype``."""
    type_ = tensor(node)
    number = node.op is CONSTANT and type_.ndim == 0 and type_.weak
    if number and not (weak and type_.dtype is dtype):
        return number_node(place, node.params[0].item(), dtype, weak=weak)
    if type_.dtype is dtype:
        return node
    cast = place.node(OPS["astype"], (node,), (dtype,))
    return place.node(OPS["reweigh"], (cast,), (True,)) if weak else cast


# Complex numbers have types and no rules yet: what is to compute with them says so here.
_KINDS: Final = {
    "any": ("bool", "uint", "int", "float"),
    "numeric": ("uint", "int", "float"),
    "real": ("uint", "int", "float"),
    "ordered": ("bool", "uint", "int", "float"),
    "floating": ("float",),
    "real floating": ("float",),
    "integral": ("uint", "int", "bool"),
    "integer": ("uint", "int"),
    "boolean": ("bool",),
}


def check_kind(dtype: DType, kinds: str) -> None:
    """Raise ``DTypeError`` if the op does not compute in ``dtype``."""
    if dtype.kind == "complex":
        raise DTypeError("complex numbers are not computed with")
    if dtype.kind not in _KINDS[kinds]:
        names = [name for name, known in DTYPES.items() if known.kind in _KINDS[kinds]]
        raise DTypeError(f"takes a dtype among {listed(names, conjunction='or')}; got {dtype}")
