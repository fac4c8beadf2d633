"""Patterns of nodes, written as the expressions they match: ``log(sum_(exp(x), ...))``.

Calling an op on a pattern variable makes a pattern, as calling it on a node makes a node. One
engine serves the rewrite rules and the backends' rows for fused kernels. A pattern is compiled when
it is first matched: each order of the operands of its commutative ops becomes a straight list of
steps, so that matching neither searches nor recurses.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from unigrad.errors import RuleError, listed
from unigrad.ir.nodes import CONSTANT, Node, Operators, tensor
from unigrad.ops.shape import broadcast_to
from unigrad.ops.spec import INTERPRETERS, Composite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from unigrad.ops.spec import Op

__all__ = [
    "COMMUTATIVE",
    "Index",
    "Pattern",
    "Plan",
    "Variable",
    "constant_of",
    "match",
    "number",
    "number_of",
    "variables",
]

T = TypeVar("T")
Number: TypeAlias = "bool | int | float | complex"

COMMUTATIVE: Final = frozenset(
    (
        "add", "multiply", "maximum", "minimum", "fmax", "fmin", "hypot", "logaddexp", "logaddexp2",
        "equal", "not_equal", "logical_and", "logical_or", "logical_xor",
        "bitwise_and", "bitwise_or", "bitwise_xor",
    )
)  # fmt: skip
"""The names of the ops whose two operands may change places: bit for bit the same result."""


class Variable(Operators):
    """Stands in a pattern for any node, or for any value of a parameter.

    Attributes:
        name: what a match calls it.
        test: what the node or the value must satisfy besides; ``None``: nothing.
        ops: the only ops that can make its node; ``None``: every op.
    """

    __slots__ = ("name", "ops", "test")

    def __init__(
        self,
        name: str,
        test: Callable[[Any], bool] | None = None,
        ops: frozenset[Any] | None = None,
    ) -> None:
        self.name = name
        self.test = test
        self.ops = ops

    def __repr__(self) -> str:
        return self.name


def variables(names: str, test: Callable[[Any], bool] | None = None) -> tuple[Any, ...]:
    """One :class:`Variable` for each name in ``names``.

    Args:
        names: names with spaces between them.
        test: what each of them must satisfy, a function of the node (or the parameter's value).

    Returns:
        The variables; they take operators and ops as nodes do.

    Example:
        >>> from unigrad.ops.elementwise import log
        >>> (x,) = variables("x")
        >>> log(1 + x)
        log(add(1, x))
    """
    return tuple(Variable(name, test) for name in names.split())


def constant_of(node: Node) -> Node | None:
    """The scalar constant behind a node that is one number everywhere, else ``None``."""
    if node.op is broadcast_to:
        node = node.operands[0]
    return node if node.op is CONSTANT and tensor(node).ndim == 0 else None


def number_of(node: Node) -> Number | None:
    """The number that a node is everywhere: a scalar constant, broadcast or not; else ``None``."""
    constant = constant_of(node)
    return None if constant is None else constant.params[0].item()


def _is_number(node: Node) -> bool:
    constant = constant_of(node)
    return constant is not None and tensor(constant).dtype.kind != "bool"


_NUMBER_OPS: Final[frozenset[Any]] = frozenset((CONSTANT, broadcast_to))


def number(name: str) -> Any:
    """A variable for a node that is one number everywhere (not a boolean), broadcast or not."""
    return Variable(name, _is_number, _NUMBER_OPS)


class Pattern(Operators):
    """An op applied to patterns.

    A Python number in it matches a node that is this number everywhere, whatever its dtype (``0``
    also ``-0.0``; ``True`` only a boolean). A parameter is a variable or a literal in the one form
    that nodes hold: axes as a tuple of non-negative ints. A variable that occurs twice must match
    the same node, or equal values. Commutative ops match in both orders.

    Attributes:
        op: the op of the node that it matches.
        operands: patterns, variables and numbers.
        params: variables and literals, in the order of the op's parameters.
    """

    __slots__ = ("_plans", "op", "operands", "params")

    def __init__(self, op: Op[...], operands: Sequence[Any], params: Sequence[Any]) -> None:
        self.op = op
        self.operands = tuple(operands)
        self.params = tuple(params)
        self._plans: tuple[Plan, ...] | None = None

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The ways to match it, one for each order of commutative operands."""
        if self._plans is None:
            orders = _orders(self, frozenset(_repeated(_variables(self))))
            self._plans = tuple(_compile(one) for one in orders)
        return self._plans

    @property
    def variable_names(self) -> tuple[str, ...]:
        """The names of its variables, each once, in the order in which they are written."""
        return tuple(dict.fromkeys(variable.name for variable in _variables(self)))

    def __repr__(self) -> str:
        operands = [repr(operand) for operand in self.operands]
        if self.op.variadic:
            operands = [f"[{', '.join(operands)}]"]
        names = zip(self.op.params, self.params, strict=True)
        return f"{self.op.name}({', '.join([*operands, *(f'{n}={v!r}' for n, v in names)])})"


def match(pattern: Pattern, node: Node) -> dict[str, Any] | None:
    """What the variables of ``pattern`` stand for in ``node``.

    Returns:
        A node or a parameter's value for each variable's name; ``None`` if ``node`` does not match.

    Example:
        >>> from unigrad.ir.nodes import Scope, scope
        >>> from unigrad.ir.types import TensorType
        >>> from unigrad.ops.elementwise import log
        >>> with scope(Scope()) as place:
        ...     y = place.input(TensorType.parse("float64[3]"), "y")
        ...     found = match(log(1 + variables("x")[0]), log(y + 1))
        >>> found["x"] is y
        True
    """
    if node.op is not pattern.op:
        return None
    for plan in pattern.plans:
        found = plan(node)
        if found is not None:
            return found
    return None


# -- calling an op on patterns ---------------------------------------------------------------------


def _build(op: Op[...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Pattern:
    """What an op does when one of its arguments is a variable or a pattern."""
    if isinstance(op, Composite):
        raise RuleError(f"{op.name} is said in other ops: write the pattern in these")
    positional = max(len(args) - (1 if op.variadic else len(op.operands)), 0)
    missing = [name for name in op.params[positional:] if name not in kwargs]
    if missing:
        raise RuleError(
            f"the pattern of {op.name} leaves out {listed(missing)}: write a variable if any value"
            " matches, or the value that must stand there"
        )
    operands, params = op.bind(args, dict(kwargs))
    for operand in operands:
        if not isinstance(operand, (Variable, Pattern, bool, int, float, complex)):
            raise RuleError(
                f"an operand in the pattern of {op.name} is a pattern, a variable or a number,"
                f" got {operand!r}"
            )
    for name, value in zip(op.params, params, strict=True):
        if isinstance(value, Pattern) or any(
            isinstance(v, (Variable, Pattern)) for v in _parts(value)
        ):
            raise RuleError(
                f"{name!r} in the pattern of {op.name} is a variable or a literal as a whole"
            )
    return Pattern(op, operands, params)


def _parts(value: Any) -> Iterator[Any]:
    """The entries of a literal tuple, at any depth."""
    if isinstance(value, tuple):
        for entry in value:  # pyright: ignore[reportUnknownVariableType]
            yield entry
            yield from _parts(entry)


INTERPRETERS[Variable] = INTERPRETERS[Pattern] = _build


# -- compiling -------------------------------------------------------------------------------------


def _variables(pattern: Pattern) -> Iterator[Variable]:
    for operand in pattern.operands:
        if isinstance(operand, Variable):
            yield operand
        elif isinstance(operand, Pattern):
            yield from _variables(operand)
    yield from (param for param in pattern.params if isinstance(param, Variable))


def _repeated(found: Iterable[Variable]) -> Iterator[str]:
    seen: set[str] = set()
    for variable in found:
        if variable.name in seen:
            yield variable.name
        seen.add(variable.name)


def _orders(pattern: Any, repeated: frozenset[str]) -> list[Any]:
    """The pattern in every order of the operands of its commutative ops."""
    if not isinstance(pattern, Pattern):
        return [pattern]
    op, params = pattern.op, pattern.params
    choices = [_orders(operand, repeated) for operand in pattern.operands]
    orders = [Pattern(op, chosen, params) for chosen in itertools.product(*choices)]
    if op.name in COMMUTATIVE and not all(_takes_all(one, repeated) for one in pattern.operands):
        orders += [Pattern(op, one.operands[::-1], params) for one in orders]
    return orders


def _takes_all(operand: Any, repeated: frozenset[str]) -> bool:
    """Whether an operand matches every node, so that the other order could find nothing new."""
    return isinstance(operand, Variable) and operand.test is None and operand.name not in repeated


_Step: TypeAlias = "Callable[[list[Node]], bool]"


class Plan:
    """One way to match: steps over a growing list of nodes, the root and its operands first.

    Attributes:
        op: the op of the root.
    """

    __slots__ = ("_admits", "_names", "_steps", "op")

    def __init__(
        self,
        op: Any,
        admits: Callable[[tuple[Any, ...]], bool],
        steps: Sequence[_Step],
        names: Sequence[tuple[str, int, int | None]],
    ) -> None:
        self.op = op
        self._admits = admits
        self._steps = tuple(steps)
        self._names = tuple(names)

    def admits(self, ops: tuple[Any, ...]) -> bool:
        """Whether a root whose operands are made by ``ops`` can match at all."""
        return self._admits(ops)

    def wanting(self, wanted: Sequence[str]) -> Plan:
        """The same plan, giving only ``wanted`` variables, of which ``out`` is the root itself."""
        names = [entry for entry in self._names if entry[0] in wanted]
        if "out" in wanted:
            names.append(("out", 0, None))
        return Plan(self.op, self._admits, self._steps, names)

    def __call__(self, node: Node) -> dict[str, Any] | None:
        """What the variables stand for in ``node``, an application of ``op``; or ``None``."""
        slots = [node, *node.operands]
        for step in self._steps:
            if not step(slots):
                return None
        return {
            name: slots[slot] if position is None else slots[slot].params[position]
            for name, slot, position in self._names
        }


def _compile(pattern: Pattern) -> Plan:
    """The steps that match a pattern in the order in which it is written, breadth first."""
    steps: list[_Step] = []
    names: dict[str, tuple[int, int | None]] = {}
    places: list[Any] = [pattern]
    for slot, item in enumerate(places):  # grows while it is walked: the slots of the match
        if isinstance(item, Variable):
            steps += _variable_steps(item, slot, None, names)
        elif isinstance(item, Pattern):
            if slot:
                steps.append(_opens(slot, item.op, len(item.operands)))
            elif item.op.variadic:
                steps.append(_has_length(1 + len(item.operands)))
            places.extend(item.operands)
            for position, param in enumerate(item.params):
                if isinstance(param, Variable):
                    steps += _variable_steps(param, slot, position, names)
                else:
                    steps.append(_parameter_is(slot, position, param))
        else:
            steps.append(_number_is(slot, item))
    heads = [_head(operand) for operand in pattern.operands]

    def admits(ops: tuple[Any, ...]) -> bool:
        return len(ops) == len(heads) and all(
            head is None or op in head for head, op in zip(heads, ops, strict=True)
        )

    return Plan(pattern.op, admits, steps, [(name, *where) for name, where in names.items()])


def _head(operand: Any) -> frozenset[Any] | None:
    """The ops that can make what an operand matches; ``None`` for every op."""
    if isinstance(operand, Pattern):
        return frozenset((operand.op,))
    return operand.ops if isinstance(operand, Variable) else _NUMBER_OPS


def _variable_steps(
    variable: Variable, slot: int, position: int | None, names: dict[str, tuple[int, int | None]]
) -> Iterator[_Step]:
    known = names.get(variable.name)
    if known is not None:
        yield _same(slot, position, *known)
        return
    names[variable.name] = (slot, position)
    if variable.test is not None:
        yield _passes(slot, position, variable.test)


def _opens(slot: int, op: Any, count: int) -> _Step:
    def step(slots: list[Node]) -> bool:
        node = slots[slot]
        if node.op is not op or len(node.operands) != count:
            return False
        slots.extend(node.operands)
        return True

    return step


def _has_length(length: int) -> _Step:
    return lambda slots: len(slots) == length


def _same(slot: int, position: int | None, other: int, where: int | None) -> _Step:
    if (position is None) is not (where is None):
        raise RuleError("one variable of a pattern stands both for a node and for a parameter")
    if position is None or where is None:
        return lambda slots: slots[slot] is slots[other]
    return lambda slots: slots[slot].params[position] == slots[other].params[where]


def _passes(slot: int, position: int | None, test: Callable[[Any], bool]) -> _Step:
    if position is None:
        return lambda slots: test(slots[slot])
    return lambda slots: test(slots[slot].params[position])


def _parameter_is(slot: int, position: int, value: Any) -> _Step:
    return lambda slots: slots[slot].params[position] == value


def _number_is(slot: int, value: Number) -> _Step:
    boolean = isinstance(value, bool)

    def step(slots: list[Node]) -> bool:
        found = number_of(slots[slot])
        return found is not None and found == value and isinstance(found, bool) is boolean

    return step


# -- many patterns at once -------------------------------------------------------------------------


class Index(Generic[T]):
    """Plans by the ops of a node and of its operands, so that most nodes need no matching.

    Example:
        >>> from unigrad.ops.elementwise import log
        >>> (x,) = variables("x")
        >>> index = Index((plan, "log1p") for plan in log(1 + x).plans)
    """

    def __init__(self, entries: Iterable[tuple[Plan, T]]) -> None:
        self._by_op: dict[Any, list[tuple[Plan, T]]] = {}
        for plan, value in entries:
            self._by_op.setdefault(plan.op, []).append((plan, value))
        self._known: dict[tuple[Any, ...], tuple[tuple[Plan, T], ...]] = {}

    def candidates(self, op: Any, operands: tuple[Node, ...]) -> tuple[tuple[Plan, T], ...]:
        """The plans that may match ``op`` applied to ``operands``, in the order of definition."""
        if len(operands) > _MOST_OPERANDS:
            return tuple(self._by_op.get(op, ()))
        key = (op, *[operand.op for operand in operands])
        found = self._known.get(key)
        if found is None:
            entries = self._by_op.get(op, ())
            found = self._known[key] = tuple(one for one in entries if one[0].admits(key[1:]))
        return found


_MOST_OPERANDS: Final = (
    4  # longer lists are of variadic ops: their combinations are not worth keeping
)
