"""Rewrite rules and the one walk that applies them.

A rule says that one expression may stand for another. A pass is a named list of rules. The walk
builds the graph anew, operands first, and tries rules on every node as it is made, also on the
nodes that a rule makes, so that what comes out is in normal form after one linear walk. Building
anew in a fresh table also shares what has become equal.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, runtime_checkable

from unigrad.errors import Location, RuleError, UnigradError
from unigrad.ir.nodes import CONSTANT, INPUT, Graph, Node, Primitive, Scope, scope, tensor
from unigrad.ir.rebuild import copy_node
from unigrad.ir.source import location_of
from unigrad.ops.elementwise import astype, barrier
from unigrad.ops.pattern import COMMUTATIVE, Index, Pattern, Plan
from unigrad.ops.spec import OPS
from unigrad.outside import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from unigrad.ir.nodes import Origin

__all__ = [
    "Firing",
    "Pass",
    "Report",
    "Rewriting",
    "Rule",
    "rewrite",
    "rewriting",
    "rule",
    "rule_on",
    "shared",
]


# -- rules -----------------------------------------------------------------------------------------


class Rule:
    """One expression that may stand for another, and why.

    Attributes:
        name: the name of its function.
        function: what makes the replacement; it returns ``None`` where the rule does not apply.
        file: where it is written.
        line: where it is written.
    """

    def __init__(self, function: Callable[..., Any], plans: Callable[[], Iterable[Plan]]) -> None:
        self.name: str = function.__name__
        self.function = function
        self._plans = plans
        self.file = function.__code__.co_filename
        self.line = function.__code__.co_firstlineno

    @cached_property
    def plans(self) -> tuple[Plan, ...]:
        """The ways to match what it replaces, compiled when they are first needed."""
        return tuple(self._plans())

    @property
    def reason(self) -> str:
        """Why the rule stands: its docstring."""
        return inspect.cleandoc(self.function.__doc__ or "")

    def __repr__(self) -> str:
        return f"<rule {self.name}, {self.file}:{self.line}>"


def rule(*patterns: Pattern) -> Callable[[Callable[..., Any]], Rule]:
    """Make a rule of a function of pattern variables.

    Args:
        patterns: what it replaces; the function names variables that occur in each of them, and
            may name ``out``, the node that matched. It returns the node that may stand for it, or
            ``None`` if there is none after all.

    Raises:
        RuleError: if the function names what is no variable of the patterns.

    Example:
        >>> from unigrad.ops.elementwise import log, log1p
        >>> from unigrad.ops.pattern import variables
        >>> (x,) = variables("x")
        >>> @rule(log(1 + x))
        ... def log_of_one_plus(x):
        ...     '''``1 + x`` loses the digits of a small ``x``.'''
        ...     return log1p(x)
        >>> log_of_one_plus.name
        'log_of_one_plus'
    """

    def decorate(function: Callable[..., Any]) -> Rule:
        wanted = _parameters(function)
        for pattern in patterns:
            unknown = [name for name in wanted if name not in (*pattern.variable_names, "out")]
            if unknown:
                raise RuleError(
                    f"{function.__name__} takes {unknown[0]!r}, which is not in {pattern!r}"
                )
        return Rule(
            function,
            lambda: (plan.wanting(wanted) for pattern in patterns for plan in pattern.plans),
        )

    return decorate


def rule_on(*ops: Any, operand: Sequence[Any] = ()) -> Callable[[Callable[[Node], Any]], Rule]:
    """Make a rule of a function of a node, for what no pattern can say.

    Args:
        ops: the ops of the nodes that it inspects.
        operand: if given, at least one operand must have been made by one of these ops; it keeps
            the rule from being tried in vain.
    """
    makers = frozenset(operand)

    def admits(found: tuple[Any, ...]) -> bool:
        return not makers or not makers.isdisjoint(found)

    def decorate(function: Callable[[Node], Any]) -> Rule:
        (name,) = _parameters(function)
        return Rule(function, lambda: (Plan(op, admits, (), ((name, 0, None),)) for op in ops))

    return decorate


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the arguments of a plain function."""
    code = function.__code__
    return code.co_varnames[: code.co_argcount]


def shared(node: Node) -> bool:
    """Whether something else reads ``node`` too, so that it is computed in any case.

    A rule that only saves work asks this before it replaces what it matched inside.
    """
    place = node.scope
    return isinstance(place, _Place) and place.uses.get(node, 0) > 1


# -- passes ----------------------------------------------------------------------------------------


@runtime_checkable
class Pass(Protocol):
    """A step from graph to graph with the same inputs, outputs and meaning."""

    @property
    def name(self) -> str:
        """What a report calls it."""
        ...

    def __call__(self, graph: Graph, report: Report) -> Graph:
        """The new graph; what was done is told to ``report``."""
        ...


@dataclass(frozen=True, eq=False)
class Rewriting:
    """A pass that is a list of rules; earlier ones are tried first."""

    name: str
    rules: tuple[Rule, ...]

    def __call__(self, graph: Graph, report: Report) -> Graph:
        """Apply the rules in one walk."""
        return rewrite((self,), graph, report)


def rewriting(name: str, *rules: Rule) -> Rewriting:
    """A pass of that name made of rules."""
    return Rewriting(name, rules)


# -- reports ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Firing:
    """A rule that fired for one line of the user's source.

    Attributes:
        pass_name: the pass that holds the rule.
        rule: the rule's name.
        reason: why the rule stands, its docstring.
        location: the user's expression, the first one of that line; ``None`` if nobody wrote it.
        count: how often.
    """

    pass_name: str
    rule: str
    reason: str
    location: Location | None
    count: int

    def __str__(self) -> str:
        place = (
            ""
            if self.location is None
            else f"{one_line(self.location.file)}:{self.location.line}: "
        )
        times = "" if self.count == 1 else f" ({self.count} times)"
        reason = self.reason.partition("\n\n")[0].replace("\n", " ")
        return f"{place}{self.pass_name}: {self.rule}{times}: {reason}"


class Report:
    """What fired and where, in the order in which it first did."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, Rule, Origin | None], int] = {}

    def add(self, pass_name: str, fired: Rule, origins: tuple[Origin, ...]) -> None:
        """Record that a rule fired in the service of a node with these origins."""
        key = (pass_name, fired, origins[0] if origins else None)
        self._counts[key] = self._counts.get(key, 0) + 1

    def extend(self, other: Report) -> None:
        """Take over what another report holds."""
        for key, count in other._counts.items():
            self._counts[key] = self._counts.get(key, 0) + count

    def __iter__(self) -> Iterator[Firing]:
        found: dict[Any, Firing] = {}
        for (name, fired, origin), count in self._counts.items():
            location = None if origin is None else location_of(origin)
            key = (name, fired, location and location[:2])
            first = found.get(key) or Firing(name, fired.name, fired.reason, location, 0)
            found[key] = replace(first, count=first.count + count)
        return iter(found.values())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or "nothing was rewritten"

    __repr__ = __str__


# -- the walk --------------------------------------------------------------------------------------


class _Member(NamedTuple):
    """A rule and the name of the pass that holds it."""

    pass_name: str
    rule: Rule


@lru_cache(maxsize=64)
def _index(passes: tuple[Rewriting, ...]) -> Index[_Member]:
    return Index(
        (plan, _Member(one.name, member))
        for one in passes
        for member in one.rules
        for plan in member.plans
    )


_DEEPEST: Final = (
    32  # rules that fire inside rules; the deepest that meaningful ones reach is about 6
)


class _Place(Scope):
    """The scope in which the walk builds: a node is rewritten as it is made.

    The table leads from an expression to what stands for it, which may be another expression.

    Attributes:
        uses: how often the nodes made so far are read in the graph that is walked.
        changed: whether anything differs from the graph that is walked.
        classes: what rules found out about nodes.
    """

    __slots__ = ("_depth", "_index", "_report", "changed", "classes", "uses")

    def __init__(self, index: Index[_Member], report: Report) -> None:
        super().__init__()
        self._index = index
        self._report = report
        self._depth = 0
        self.changed = False
        self.classes: dict[Node, Any] = {}
        self.uses: dict[Node, int] = {}

    def node(self, op: Primitive, operands: tuple[Node, ...], params: tuple[Any, ...]) -> Node:
        """The node that stands for ``op`` applied to ``operands``: in normal form."""
        key = (op, operands, params)
        if key in self._table:
            return self._met(self._table[key])
        swapped = self._swapped(op, operands, params)
        return self._settle(key, super().node(op, operands, params)) if swapped is None else swapped

    def rebuild(self, old: Node, operands: tuple[Node, ...], params: tuple[Any, ...]) -> Node:
        """What stands here for ``old``, whose operands have become ``operands``."""
        op = old.op
        if op is barrier:
            # Two barriers are two promises: they are never one node.
            return Node(op, operands, params, old.type, self, old.origins)
        key = (op, operands, params)
        known = self._table.get(key)
        if known is None:
            known = self._swapped(op, operands, params)
        if known is not None:
            self.changed = True
            return self._met(known)
        # The operands have kept their types, so the result has kept its own.
        made = self._table[key] = Node(op, operands, params, old.type, self, old.origins)
        return self._settle(key, made)

    def _swapped(
        self, op: Primitive, operands: tuple[Node, ...], params: tuple[Any, ...]
    ) -> Node | None:
        """The node of the same commutative op on the same operands, the other way round."""
        return self._table.get((op, operands[::-1], params)) if op in _COMMUTATIVE else None

    def _met(self, node: Node) -> Node:
        """A node that is met again keeps every origin (some; a hundred lines are nobody's line)."""
        known, origins = node.origins, self.origin
        if origins and origins is not known and len(known) < _MOST_ORIGINS and node.op is not INPUT:
            node.origins = known + tuple(one for one in origins if one not in known)
        return node

    def _settle(self, key: Any, made: Node) -> Node:
        """Try the rules on a new node until one fires; what that returns is in normal form."""
        for plan, member in self._index.candidates(made.op, made.operands):
            found = plan(made)
            if found is None:
                continue
            result = self._fire(member, made, found)
            if result is not None and result is not made:
                self._table[key] = result
                return result
        return made

    def _fire(self, member: _Member, made: Node, found: dict[str, Any]) -> Node | None:
        if self._depth > _DEEPEST:
            raise RuleError(f"{member.rule!r} and others rewrite {made.op.name!r} without an end")
        self._depth += 1
        try:
            result = member.rule.function(**found)
        except UnigradError as error:
            error.add_note(f"while {member.rule!r} rewrote {made!r}")
            raise
        finally:
            self._depth -= 1
        if result is None or result is made:
            return None
        if result.__class__ is not Node or result.scope is not self:
            raise RuleError(f"{member.rule!r} returned {result!r}, which is no node of this graph")
        if result.type != made.type and tensor(result).dtype is made.dtype:
            result = _as_weak_as(made, result)  # what a rule need not think of
            if result is None:
                return None
        if result.type != made.type:
            raise RuleError(
                f"{member.rule!r} replaced {made.op.name!r} of type {made.type} by"
                f" {result.op.name!r} of type {result.type}: a rewrite never changes a type"
            )
        self.changed = True
        self._report.add(member.pass_name, member.rule, self.origin or ())
        return self._met(result)


def _as_weak_as(made: Node, result: Node) -> Node | None:
    """``result``, made strong where ``made`` is; ``None`` if only ``made`` is weak."""
    have, want = tensor(result), tensor(made)
    if have.weak and not want.weak:
        return astype(result, want.dtype)
    return None if want.weak and not have.weak else result


_MOST_ORIGINS: Final = 8
_COMMUTATIVE: Final[frozenset[Any]] = frozenset(OPS[name] for name in COMMUTATIVE)


def rewrite(
    passes: tuple[Rewriting, ...],
    graph: Graph,
    report: Report,
    bodies: Mapping[Graph, Graph] | None = None,
) -> Graph:
    """Apply the rules of all ``passes`` in one walk, to their common normal form.

    Nodes that hold graphs are kept, and no rule is applied inside these. A ``barrier`` stays
    itself: it is neither looked through nor shared.

    Args:
        passes: lists of rules; where several rules match, the first one is used.
        graph: any graph.
        report: told what fired.
        bodies: graphs of the same types to put in the place of graphs that nodes hold.

    Returns:
        A graph with inputs and outputs of the same names and types; ``graph`` itself if nothing
        was to be done.

    Raises:
        RuleError: naming the rule that changes a type, or returns what is no node.
    """
    place = _Place(_index(passes), report)
    uses, old_uses = place.uses, _uses(graph)
    env: dict[Node, Node] = {}
    with scope(place):
        for node in graph.nodes:
            place.origin = node.origins
            op = node.op
            if op is INPUT:
                made = place.input(tensor(node), node.params[0], node.origins)
            elif op is CONSTANT:
                made = copy_node(place, node, ())
            else:
                params = node.params
                if bodies:
                    params = tuple([_body(param, bodies, place) for param in params])
                made = place.rebuild(
                    node, tuple([env[operand] for operand in node.operands]), params
                )
            env[node] = made
            count = old_uses[node]
            uses[made] = uses[made] + count if made in uses else count
    place.origin = None
    uses.clear()
    if not place.changed:
        return graph
    return Graph(
        [env[node] for node in graph.inputs],
        [env[node] for node in graph.outputs],
        name=graph.name,
        output_names=graph.output_names,
    )


def _body(param: Any, bodies: Mapping[Graph, Graph], place: _Place) -> Any:
    """The graph that takes the place of ``param``; any other parameter is itself."""
    new = bodies.get(param, param) if param.__class__ is Graph else param
    place.changed = place.changed or new is not param
    return new


def _uses(graph: Graph) -> dict[Node, int]:
    """How often each node of a graph is read, outputs counted."""
    uses = dict.fromkeys(graph.nodes, 0)
    for node in graph.nodes:
        for operand in node.operands:
            uses[operand] += 1
    for node in graph.outputs:
        uses[node] += 1
    return uses
