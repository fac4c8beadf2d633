"""Structures in and out of functions: what holds arrays is taken apart, and put together again.

Dicts, lists, tuples and whatever else a user keeps parameters in become a flat list of leaves and
a :class:`Structure`, which is the key of caches and the form of results. ``optree`` does the work;
this module adds dataclasses and attrs classes as they come, without anybody registering them, and
says in plain words where two structures differ.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, cast, final

from unigrad.errors import ArgumentError, listed
from unigrad.locks import lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import optree

__all__ = ["Structure", "flatten", "map_structure", "mismatch", "register_structure"]

T = TypeVar("T")

_NAMESPACE: Final = "unigrad"
_DEEPEST_TEXT: Final = 20  # levels that a message shows


@final
class Structure:
    """The form of a tree of containers, without its leaves.

    Immutable; equal for equal containers with leaves in the same places. The order in which a
    dict was filled makes no difference, that of an ``OrderedDict`` does.

    Attributes:
        spec: the same as ``optree`` has it.

    Example:
        >>> leaves, structure = flatten({"w": 1.0, "b": (2.0, None)})
        >>> leaves, structure
        ([2.0, 1.0], {'b': (*, None), 'w': *})
        >>> structure.unflatten([20.0, 10.0])
        {'w': 10.0, 'b': (20.0, None)}
    """

    __slots__ = ("spec",)
    spec: optree.PyTreeSpec

    def __init__(self, spec: optree.PyTreeSpec) -> None:
        object.__setattr__(self, "spec", spec)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a structure is the key of caches: cannot set {name!r}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Structure) and self.spec == other.spec

    def __hash__(self) -> int:
        return hash(self.spec)

    @property
    def count(self) -> int:
        """The number of leaves."""
        return self.spec.num_leaves

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """Put leaves into the places of this structure.

        A dict comes back in the order in which it was filled when this structure was taken.

        Raises:
            ArgumentError: if the number of leaves is not :attr:`count`.
        """
        given = list(leaves)
        if len(given) != self.count:
            raise ArgumentError(f"expected {self.count} leaves for {self}, given {len(given)}")
        return self.spec.unflatten(given)

    def children(self) -> list[Structure]:
        """The structures inside of its outermost container."""
        return [Structure(child) for child in self.spec.children()]

    def keys(self) -> list[Any]:
        """What its outermost container calls them, such as the keys of a dict."""
        return self.spec.entries()

    def paths(self) -> tuple[str, ...]:
        """For each leaf, what stands behind the tree's name to reach it; ``""`` for a bare leaf.

        Example:
            >>> flatten({"layers": [1.0, 2.0]})[1].paths()
            ("['layers'][0]", "['layers'][1]")
        """
        found: list[str] = []
        stack = [("", self.spec)]
        while stack:
            path, spec = stack.pop()
            if spec.type is None:
                found.append(path)
            steps = zip(_steps(spec), spec.children(), strict=True)
            stack.extend(reversed([(path + step, child) for step, child in steps]))
        return tuple(found)

    def __str__(self) -> str:
        return _text(self.spec, 0)

    __repr__ = __str__

    def __reduce__(self) -> tuple[Any, ...]:
        # As a tree: the process that reads it may not have met the types of its records yet.
        return _structure_of, (self.unflatten([0] * self.count),)


def _structure_of(tree: Any) -> Structure:
    return flatten(tree)[1]


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """Take a tree of containers apart into its leaves and its structure.

    Containers are ``dict`` (by sorted keys), ``list``, ``tuple``, named tuples, ``OrderedDict``,
    ``defaultdict``, ``deque``, instances of dataclasses and of attrs classes, and types registered
    by :func:`register_structure` or with ``optree`` itself. ``None`` holds no leaf. Anything else
    is a leaf.

    A dataclass is its fields, and is rebuilt without running ``__init__``: a gradient need not pass
    the checks of a parameter. The exception are fields that ``__post_init__`` computes
    (``init=False``): these are no leaves but follow from the others, by running it.

    Raises:
        ArgumentError: if the tree holds itself, or is nested a thousand deep.
    """
    optree = _optree()
    leaves: list[Any]
    try:
        leaves, spec = optree.tree_flatten(tree, namespace=_NAMESPACE)
        # A record of a type never met before counts as a leaf: make it known and look again.
        while _adopt(set(map(type, leaves))):
            leaves, spec = optree.tree_flatten(tree, namespace=_NAMESPACE)
    except RecursionError as error:
        if "flattening" not in str(error):  # Python's own, of a function that calls itself
            raise
        raise ArgumentError("expected a tree of containers, given one that holds itself") from None
    return leaves, Structure(spec)


def _optree() -> Any:
    """Import ``optree`` when it is first needed; its own types are unknown in part."""
    import optree

    return optree


def map_structure(function: Callable[[Any], Any], tree: T) -> T:
    """Apply ``function`` to every leaf of a tree.

    Example:
        >>> map_structure(lambda leaf: 10 * leaf, {"w": 1, "b": [2, 3]})
        {'w': 10, 'b': [20, 30]}
    """
    leaves, structure = flatten(tree)
    return structure.unflatten([function(leaf) for leaf in leaves])


# -- types that are registered ---------------------------------------------------------------------

_lock: Final = lock()
_adopted: Final[set[type]] = set()


def register_structure(
    kind: type[T],
    flatten: Callable[[T], tuple[Iterable[Any], Any]],
    unflatten: Callable[[Any, tuple[Any, ...]], T],
) -> None:
    """Make instances of a type containers.

    Args:
        kind: the type; its subclasses are types of their own.
        flatten: takes an instance, returns ``(children, static)``: what may hold leaves, and the
            rest, which is hashable and a part of the structure.
        unflatten: takes ``static`` and the tuple of children, returns an instance. Children are
            whatever stands in the place of leaves: it should not check them.

    Raises:
        ArgumentError: if ``kind`` is no type, or is a container already.

    Example:
        >>> class Interval:
        ...     def __init__(self, *ends):
        ...         self.ends = ends
        >>> register_structure(Interval, lambda i: (i.ends, None), lambda _, ends: Interval(*ends))
        >>> flatten(Interval(1.0, 2.0))
        ([1.0, 2.0], Interval(*, *))
    """
    if not isinstance(kind, type):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(f"expected a type, given {kind!r}")

    def checked(instance: T) -> tuple[tuple[Any, ...], Any]:
        given: Any = flatten(instance)
        if not isinstance(given, tuple) or len(cast("tuple[Any, ...]", given)) != 2:  # noqa: PLR2004
            what = f"the flatten function of {kind.__name__}"
            raise ArgumentError(f"{what}: expected a pair (children, static), given {given!r}")
        children, static = cast("tuple[Iterable[Any], Any]", given)
        return tuple(children), static

    with _lock:
        if kind in _adopted:  # what its author says goes before what was guessed
            _optree().unregister_pytree_node(kind, namespace=_NAMESPACE)
            _adopted.discard(kind)
        try:
            _optree().register_pytree_node(kind, checked, unflatten, namespace=_NAMESPACE)
        except ValueError:
            what = f"{kind.__name__} is a container already"
            raise ArgumentError(f"{what}: expected a type that nobody has registered") from None


def _adopt(kinds: Iterable[type]) -> bool:
    """Register the records among types that were taken for leaves; tell whether there were any."""
    records = [kind for kind in kinds if _is_record(kind)]
    for kind in records:
        take_apart, put_together = _record_functions(kind)
        with _lock:
            try:
                _optree().register_pytree_node(kind, take_apart, put_together, namespace=_NAMESPACE)
            except ValueError:  # another thread was faster
                continue
            _adopted.add(kind)
    return bool(records)


def _is_record(kind: type) -> bool:
    """Whether instances are dataclass or attrs instances (members of an enumeration are values)."""
    if not hasattr(kind, "__dataclass_fields__") and not hasattr(kind, "__attrs_attrs__"):
        return False
    return not issubclass(kind, enum.Enum)


def _record_functions(kind: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """How to take a record apart and put it together."""
    if hasattr(kind, "__attrs_attrs__"):
        fields = kind.__attrs_attrs__
        keywords = {field.name: field.alias for field in fields if field.init}
        # An attrs default may be computed from the other attributes.
        computes = hasattr(kind, "__attrs_post_init__") or any(
            getattr(field.default, "takes_self", False) for field in fields
        )
    else:
        fields = dataclasses.fields(kind)
        keywords = {field.name: field.name for field in fields if field.init}
        computes = hasattr(kind, "__post_init__")
    names = tuple(field.name for field in fields)
    if computes and len(keywords) < len(names):
        # With further arguments (an ``InitVar``) an instance does not tell how it was made.
        _, *arguments = inspect.signature(kind.__init__).parameters
        if set(arguments) == set(keywords.values()):
            return _computing_functions(kind, keywords)

    def take_apart(record: Any) -> tuple[list[Any], tuple[str, ...], tuple[str, ...]]:
        present = tuple([name for name in names if hasattr(record, name)])
        return [getattr(record, name) for name in present], present, present

    def put_together(present: tuple[str, ...], children: Sequence[Any]) -> Any:
        record = kind.__new__(kind)
        for name, child in zip(present, children, strict=True):
            object.__setattr__(record, name, child)  # frozen ones too
        return record

    return take_apart, put_together


def _computing_functions(
    kind: Any, keywords: dict[str, str]
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The same for a record some of whose fields are computed from the others when it is made."""
    names = tuple(keywords)

    def take_apart(record: Any) -> tuple[list[Any], None, tuple[str, ...]]:
        return [getattr(record, name) for name in names], None, names

    def put_together(_: None, children: Sequence[Any]) -> Any:
        return kind(**dict(zip(keywords.values(), children, strict=True)))

    return take_apart, put_together


# -- in words --------------------------------------------------------------------------------------


def mismatch(expected: Structure, given: Structure) -> str:
    """Say where two structures differ first, for an error; ``""`` if they do not.

    Example:
        >>> mismatch(flatten({"w": [1, 2]})[1], flatten({"w": [1, 2, 3]})[1])
        "the structures differ at ['w']: expected a list of 2, given a list of 3"
    """
    if expected == given:
        return ""
    path, left, right = "", expected.spec, given.spec
    while left.type is right.type and left.entries() == right.entries():
        pairs = zip(_steps(left), left.children(), right.children(), strict=True)
        for step, left_child, right_child in pairs:
            if left_child != right_child:
                path, left, right = path + step, left_child, right_child
                break
        else:
            kind = cast("type", left.type).__name__
            return f"the structures differ{_at(path)}: two of {kind} whose static parts differ"
    return f"the structures differ{_at(path)}: {_difference(left, right)}"


def _at(path: str) -> str:
    return f" at {path}" if path else ""


def _difference(left: optree.PyTreeSpec, right: optree.PyTreeSpec) -> str:
    """How two nodes differ in type, in keys or in number."""
    if left.type is right.type and _has_keys(left):
        wanted, found = left.entries(), right.entries()
        missing = [repr(key) for key in wanted if key not in found]
        unknown = [repr(key) for key in found if key not in wanted]
        if not missing and not unknown:
            return f"expected the keys in the order {_keys(left)}, given {_keys(right)}"
        parts = [f"missing {listed(missing)}"] if missing else []
        parts += [f"not expected {listed(unknown)}"] if unknown else []
        return f"expected the keys {_keys(left)}: {'; '.join(parts)}"
    return f"expected {_noun(left)}, given {_noun(right)}"


def _noun(spec: optree.PyTreeSpec) -> str:
    kind = spec.type
    if kind is None:
        return "a leaf"
    if kind is type(None):
        return "None"
    if _has_keys(spec):
        keys = {0: "no keys", 1: f"the key {_keys(spec)}"}
        inside = keys.get(spec.num_children, f"the keys {_keys(spec)}")
        return f"{_article(kind)} with {inside}"
    fields = _fields(spec)
    if fields is not None:
        return f"{_article(kind)}({', '.join(fields)})"
    return f"{_article(kind)} of {spec.num_children}"


def _article(kind: type) -> str:
    return f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"


def _keys(spec: optree.PyTreeSpec) -> str:
    return listed([repr(key) for key in spec.entries()])


def _has_keys(spec: optree.PyTreeSpec) -> bool:
    return spec.type is not None and issubclass(spec.type, dict) and _fields(spec) is None


def _fields(spec: optree.PyTreeSpec) -> list[str] | None:
    """Attribute names of the children of a named tuple or a record; ``None`` for other nodes."""
    kind: Any = spec.type
    if kind is None:
        return None
    if issubclass(kind, tuple):
        names: tuple[str, ...] = getattr(cast("Any", kind), "_fields", ())
        return list(names) or None
    entries = spec.entries()
    if _is_record(kind) and all(isinstance(entry, str) for entry in entries):
        return entries
    return None


def _steps(spec: optree.PyTreeSpec) -> list[str]:
    """What is written behind a node to reach each of its children."""
    fields = _fields(spec)
    if fields is not None:
        return [f".{name}" for name in fields]
    return [f"[{entry!r}]" for entry in spec.entries()]


def _text(spec: optree.PyTreeSpec, depth: int) -> str:
    """A structure as its containers would print, with ``*`` for leaves."""
    kind = spec.type
    if kind is None or kind is type(None):
        return "*" if kind is None else "None"
    if depth == _DEEPEST_TEXT:
        return "..."
    parts = [_text(child, depth + 1) for child in spec.children()]
    if kind is list:
        return f"[{', '.join(parts)}]"
    if kind is tuple:
        return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
    if _has_keys(spec):
        pairs = zip(spec.entries(), parts, strict=True)
        inside = f"{{{', '.join(f'{key!r}: {part}' for key, part in pairs)}}}"
        return inside if kind is dict else f"{kind.__name__}({inside})"
    fields = _fields(spec)
    if fields is not None:
        parts = [f"{name}={part}" for name, part in zip(fields, parts, strict=True)]
    return f"{kind.__name__}({', '.join(parts)})"
