"""What a call was given: which leaves are arrays, which are settings, and of what types.

Arrays and Python numbers are inputs. Strings, enums, callables and the like are static: part of the
signature, never traced. Types in text (``"float64[n, 3]"``) stand for arrays where no array is at
hand.
"""

from __future__ import annotations

import inspect
import re
import sys
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from unigrad.backend import registry
from unigrad.errors import ArgumentError, BackendError, DTypeError, locate, with_article
from unigrad.ir.source import caller_location
from unigrad.ir.types import DTYPES, TensorType, as_dtype, is_numpy
from unigrad.ops.spec import default_float
from unigrad.outside import one_line
from unigrad.trace.capture import as_numpy, is_setting, refusal
from unigrad.trace.structure import Structure, flatten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from unigrad.backend.registry import Backend

__all__ = [
    "Arguments", "Leaf", "Static", "bind", "flat_signature", "owner_of", "read", "read_like",
    "signature",
]  # fmt: skip


class Static:
    """A leaf that is a setting and no array: equal settings are equal signatures."""

    __slots__ = ("_exact", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self._exact = _exact(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Static) and self._exact == other._exact

    def __hash__(self) -> int:
        return hash(self._exact)

    def __repr__(self) -> str:
        return f"static {self.value!r}"


def _exact(value: Any) -> Any:
    """What tells settings apart that Python counts as equal: 1, 1.0 and True; 0.0 and -0.0."""
    kind: type = value.__class__
    if isinstance(value, (float, np.floating)):
        return kind, float(cast("float", value)).hex()  # nan is equal to itself
    if isinstance(value, tuple):
        return kind, tuple([_exact(one) for one in cast("tuple[Any, ...]", value)])
    return kind, value


class Leaf(NamedTuple):
    """One array or number of a call."""

    value: Any
    type: TensorType
    owner: str  # "python", "numpy" or the backend whose array it is


@dataclass(frozen=True, slots=True)
class Arguments:
    """A call, taken apart.

    Attributes:
        structure: of the bound arguments.
        leaves: the arrays and numbers, in order.
        plan: for each leaf of the structure, the number of the array, or its static value.
        names: for each array, what to call it.
        parameters: for each argument, its name and where its arrays are in it.
    """

    structure: Structure
    leaves: tuple[Leaf, ...]
    plan: tuple[int | Static, ...]
    names: tuple[str, ...]
    parameters: tuple[tuple[str, tuple[tuple[int, str], ...]], ...]

    @property
    def types(self) -> tuple[TensorType, ...]:
        """The types of the arrays."""
        return tuple(leaf.type for leaf in self.leaves)

    def rebuild(self, values: Sequence[Any]) -> Any:
        """The bound arguments with ``values`` in place of the arrays."""
        return self.structure.unflatten(
            [values[one] if isinstance(one, int) else one.value for one in self.plan]
        )


def signature(function: Any) -> inspect.Signature | None:
    """The Python signature of a function, ``None`` where it has none (some builtins)."""
    # Remembered weakly: a function and what it closes over must be free to go. A bound method goes
    # at once, and is remembered with the function that it binds.
    inner = getattr(function, "__func__", None)
    known, key = (_signatures, function) if inner is None else (_bound_signatures, inner)
    try:
        return known[key]
    except KeyError:
        found = known[key] = _read_signature(function)
        return found
    except TypeError:  # neither hashable nor weakly referable
        return _read_signature(function)


_signatures: weakref.WeakKeyDictionary[Any, inspect.Signature | None] = weakref.WeakKeyDictionary()
_bound_signatures: weakref.WeakKeyDictionary[Any, inspect.Signature | None] = (
    weakref.WeakKeyDictionary()
)


def _read_signature(function: Any) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def bind(
    function: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], list[str]]:
    """Arguments in their places, and a name for each positional one.

    Defaults that the call leaves alone stay what they are in Python, and are not traced.

    Raises:
        ArgumentError: if they do not fit; the message has the signature.
    """
    known = signature(function)
    if known is None:
        return args, kwargs, [f"x{i}" for i in range(len(args))]
    try:
        bound = known.bind(*args, **kwargs)
    except TypeError as error:
        raise locate(ArgumentError(f"{name}{known}: {error}"), caller_location()) from None
    names: list[str] = []
    for parameter in known.parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            count = len(bound.arguments.get(parameter.name, ()))
            names.extend(f"{parameter.name}_{i}" for i in range(count))
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names.append(parameter.name)
    return bound.args, bound.kwargs, names[: len(bound.args)]


def owner_of(value: Any) -> Backend | None:
    """The backend whose native array ``value`` is, among those whose framework is imported."""
    kind: type = value.__class__
    known = _owners.get(kind)
    if known is not None:
        return known
    for name in registry.names():
        if name == "numpy":
            continue
        try:
            backend = registry.found(name)
            own = backend.package in sys.modules and registry.runtime(backend).is_native(value)
        except BackendError:
            if kind.__module__.partition(".")[0] == name:
                raise  # an array of that very framework
            continue  # one broken backend must not stop the others
        if own:
            _owners[kind] = backend
            return backend
    return None


_owners: dict[type, Backend] = {}


def leaf_of(value: Any) -> Leaf | Static:
    """One leaf of a call: an array with its type, or a setting.

    Raises:
        DTypeError: for an object that only looks like an array.
    """
    kind: type = value.__class__
    if is_numpy(value):
        array = as_numpy(value)
        return Leaf(array, TensorType(as_dtype(array.dtype), array.shape), "numpy")
    if kind is float:
        return Leaf(value, TensorType(default_float(), (), weak=True), "python")
    if kind is bool:
        return Leaf(value, TensorType(DTYPES["bool"], (), weak=True), "python")
    if kind is int:
        if not -(1 << 63) <= value < (1 << 63):
            raise DTypeError(f"the int {value} does not fit into int64")
        return Leaf(value, TensorType(DTYPES["int64"], (), weak=True), "python")
    if is_setting(value):
        return Static(value)
    backend = owner_of(value)
    if backend is not None:
        return Leaf(value, registry.runtime(backend).type_of(value), backend.name)
    raise refusal(value) or DTypeError(f"{with_article(kind.__name__)} is not an array")


def read(
    name: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    names: Sequence[str],
    static: frozenset[str],
    leaf: Callable[[Any], Any] = leaf_of,
) -> Arguments:
    """Take a bound call apart.

    Raises:
        ArgumentError: for a static argument that cannot be part of a signature.
        DTypeError: for an argument that is no array; the message names it.
    """
    labels = (*names, *kwargs)
    values = (*args, *kwargs.values())
    wrapped = tuple(
        Static(value) if label in static else value
        for label, value in zip(labels, values, strict=True)
    )
    tree = (wrapped[: len(args)], dict(zip(kwargs, wrapped[len(args) :], strict=True)))
    flat, structure = flatten(tree)
    leaves: list[Leaf] = []
    plan: list[int | Static] = []
    titles: list[str] = []
    places: dict[str, list[tuple[int, str]]] = {label: [] for label in labels}
    for value, (label, inside) in zip(flat, _places(structure, names), strict=True):
        title = one_line(label + inside)
        try:
            found = value if isinstance(value, Static) else leaf(value)
        except DTypeError as error:
            error.args = (f"{name}: the argument {title}: {error.args[0]}",)
            raise locate(error, caller_location()) from None
        if isinstance(found, Static):
            try:
                hash(found)
            except TypeError:
                kind = with_article(type(found.value).__name__)
                raise locate(
                    ArgumentError(
                        f"{name}: the static argument {title} is {kind}, which has no"
                        " hash; static arguments are part of the signature"
                    ),
                    caller_location(),
                ) from None
            plan.append(found)
            continue
        plan.append(len(leaves))
        places[label].append((len(leaves), inside))
        titles.append(title)
        leaves.append(found)
    return Arguments(
        structure,
        tuple(leaves),
        tuple(plan),
        tuple(titles),
        tuple((label, tuple(found)) for label, found in places.items() if found),
    )


def _places(structure: Structure, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """For each leaf of a call, the argument that holds it, and the way to it inside of that."""
    positional, by_name = structure.children()
    labels = (*names, *by_name.keys())
    parts = (*positional.children(), *by_name.children())
    for label, part in zip(labels, parts, strict=True):
        for path in part.paths():
            yield label, path


def read_like(value: Any) -> Leaf | Static:
    """A leaf of ``like`` arguments: arrays, or types in text that stand for them."""
    if isinstance(value, TensorType):
        return Leaf(None, value, "python" if value.weak else "numpy")
    if isinstance(value, str):
        try:
            type_ = TensorType.parse(value)
        except DTypeError as error:
            if _is_meant_as_type(value):
                raise _not_a_type(value, error) from None
            return Static(value)
        return Leaf(None, type_, "python" if type_.weak else "numpy")
    return leaf_of(value)


_SHAPED = re.compile(r"\s*~?\s*(\w*)\s*\[([^\[\]]*)\]?\s*")  # the closing bracket may be forgotten
_SHORT = {
    "bf16": "bfloat16", "boolean": "bool", "double": "float64", "f16": "float16", "f32": "float32",
    "f64": "float64", "float": "float64", "half": "float16", "i16": "int16", "i32": "int32",
    "i64": "int64", "i8": "int8", "int": "int64", "single": "float32", "u16": "uint16",
    "u32": "uint32", "u64": "uint64", "u8": "uint8", "uint": "uint64",
}  # fmt: skip
"""Other libraries' words for dtypes."""


def _dtype_meant(word: str) -> str | None:
    """The dtype that a word is nearly the name of."""
    import difflib  # only for a message

    word = word.strip().lower()
    close = difflib.get_close_matches(word, DTYPES, n=1, cutoff=0.8)
    return _SHORT.get(word) or (close[0] if close else None)


def _is_meant_as_type(text: str) -> bool:
    """Whether a text that is no type was meant to be one, and is no setting such as ``"relu"``."""
    return _SHAPED.match(text) is not None or _dtype_meant(text) is not None


def _not_a_type(text: str, error: DTypeError) -> DTypeError:
    """What is wrong with a mistyped type: the type that was meant, where one can be guessed."""
    match = _SHAPED.fullmatch(text)
    word, inside = (text, None) if match is None else match.groups()
    meant = _dtype_meant(word)
    if meant is None:
        return error
    guess = meant if inside is None else f"{meant}[{inside.strip()}]"
    try:
        guess = guess if inside is None else str(TensorType.parse(guess))
    except DTypeError:  # the shape is wrong, and that is what to say
        return error
    return DTypeError(f"{text!r} is not a type; did you mean {guess!r}?")


def flat_signature(count: int) -> Any:
    """A callable whose signature has ``count`` positional parameters."""

    def flat(*_: Any) -> None:
        """Only its signature matters."""

    flat.__signature__ = inspect.Signature(  # pyright: ignore[reportFunctionMemberAccess]
        [inspect.Parameter(f"x{i}", inspect.Parameter.POSITIONAL_ONLY) for i in range(count)]
    )
    return flat
