"""The record that decides how a graph is compiled, and the check of every value that goes into it.

Values come from people, through calls, environment variables and files alike, so there is one
check, which is told where the value was written.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Self, TypedDict, Unpack, cast, get_args

from unigrad.config.target import Target
from unigrad.errors import SettingsError, TargetError, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "DEFAULT",
    "NAMES",
    "Autodiff",
    "Choice",
    "Conventions",
    "FloatName",
    "Overrides",
    "Settings",
    "checked",
    "did_you_mean",
    "resolve",
    "settle",
]

Autodiff = Literal["graph", "native"]
Conventions = Literal["unigrad", "framework"]
FloatName = Literal["float64", "float32", "float16", "bfloat16"]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'graph'?"`` for the closest known word, or nothing."""
    import difflib

    close = difflib.get_close_matches(word.lower(), list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


# Equality is identity and hashing is free because equal settings are one object.
@dataclass(frozen=True, slots=True, eq=False, init=False)
class Settings:
    """Everything that decides how a graph is compiled; equal settings are the same object.

    Attributes:
        target: what runs the graph.
        autodiff: ``"graph"``: our rules differentiate; ``"native"``: the framework does.
        conventions: ``"unigrad"``: one answer at kinks and ties; ``"framework"``: its own.
        default_float: dtype name that untyped floats get.
        optimise: whether graphs are rewritten before they are written.
        check_stale: whether each call traces anew, to see that nothing has changed since.
        target_is_default: whether nobody chose the target, so that a foreign tensor may go to its
            own framework.
    """

    target: Target
    autodiff: Autodiff
    conventions: Conventions
    default_float: FloatName
    optimise: bool
    check_stale: bool
    target_is_default: bool

    def __new__(
        cls,
        target: str | Target = "numpy",
        autodiff: str = "graph",
        conventions: str = "unigrad",
        default_float: object = "float64",
        optimise: object = True,  # noqa: FBT002 - fields come in their order, too
        check_stale: object = False,  # noqa: FBT002
        target_is_default: bool = False,  # noqa: FBT001, FBT002
    ) -> Self:
        """Return the one object with these values; raise SettingsError for an unknown one."""
        values = (target, autodiff, conventions, default_float, optimise, check_stale)
        choice = checked(dict(zip(NAMES, values, strict=True)), "Settings")
        key = (*(choice.get(name) for name in NAMES), target_is_default)
        found = _interned.get(key)
        if found is None:
            made = object.__new__(cls)
            for name, value in zip(cls.__slots__, key, strict=True):
                object.__setattr__(made, name, value)
            found = _interned.setdefault(key, made)  # atomic: two threads get the same one
        return cast("Self", found)

    def __reduce__(self) -> tuple[type[Settings], tuple[object, ...]]:
        """Copy and unpickle to the interned object."""
        return Settings, tuple(getattr(self, name) for name in self.__slots__)


_interned: dict[tuple[object, ...], Settings] = {}


class Choice(TypedDict, total=False):
    """What one source says: a setting that it does not name is absent."""

    target: Target
    autodiff: Autodiff
    conventions: Conventions
    default_float: FloatName
    optimise: bool
    check_stale: bool


class Overrides(TypedDict, total=False):
    """What a call, :func:`use` or :func:`configure` may say beside the target; None says nothing.

    Attributes:
        autodiff: ``"graph"`` or ``"native"``.
        conventions: ``"unigrad"`` or ``"framework"``.
        default_float: ``"float64"``, ``"float32"``, ``"float16"``, ``"bfloat16"``, or a dtype.
        optimise: whether graphs are rewritten before they are written.
        check_stale: whether each call traces anew, to see that nothing has changed since.
    """

    autodiff: Autodiff | None
    conventions: Conventions | None
    default_float: object
    optimise: bool | None
    check_stale: bool | None


def checked(given: Mapping[str, object], where: str) -> Choice:
    """Check what one source gives; None means that it says nothing."""
    choice: dict[str, object] = {}
    for name, value in given.items():
        if name not in NAMES:
            message = f"unknown setting {name!r} in {where}: the settings are {listed(NAMES)}"
            raise SettingsError(message + did_you_mean(name, NAMES))
        if value is not None:
            choice[name] = _CHECKS[name](name, value, where)
    return cast("Choice", choice)


def _target(name: str, value: object, where: str) -> Target:
    del name
    try:
        return Target.parse(cast("str | Target", value))
    except TargetError as error:
        message = f"{error} (in {where})"
        raise TargetError(message) from None


def _flag(name: str, value: object, where: str) -> bool:
    """Read a truth value, in words where a file or the environment can hold only words."""
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in _WORDS:
        return _WORDS[word]
    message = f"{value!r} is not a value of the setting {name!r} (in {where}): "
    raise SettingsError(f"{message}expected true or false")


_WORDS: Final = {
    "true": True, "yes": True, "on": True, "1": True,
    "false": False, "no": False, "off": False, "0": False,
}  # fmt: skip


def _one_of(name: str, value: object, where: str) -> str:
    known = _WORDS_OF[name]
    spelled = _dtype_name(value) if name == "default_float" else value
    word = spelled.strip().lower() if isinstance(spelled, str) else ""
    if word in known:
        return word
    message = f"{value!r} is not a value of the setting {name!r} (in {where}): "
    message += f"expected {listed(known, conjunction='or')}"
    raise SettingsError(message + did_you_mean(word, known))


def _dtype_name(dtype: object) -> str:
    """Name a dtype of any library, since ``default_float=np.float32`` is what people write."""
    if isinstance(dtype, str):
        return dtype
    if isinstance(dtype, type):
        return "float64" if dtype is float else dtype.__name__
    name = getattr(dtype, "name", None)
    # torch.float32 has no name but prints as one
    return name if isinstance(name, str) else str(dtype).rpartition(".")[2]


_WORDS_OF: Final[dict[str, tuple[str, ...]]] = {
    "autodiff": get_args(Autodiff),
    "conventions": get_args(Conventions),
    "default_float": get_args(FloatName),
}
_CHECKS: Final[dict[str, Callable[[str, object, str], object]]] = {
    "target": _target,
    "autodiff": _one_of,
    "conventions": _one_of,
    "default_float": _one_of,
    "optimise": _flag,
    "check_stale": _flag,
}
NAMES: Final = tuple(_CHECKS)
"""The settings, in the order of the fields of :class:`Settings`."""


def settle(settings: Settings, choice: Choice) -> Settings:
    """Return ``settings`` with what ``choice`` says put in."""
    values = [cast("object", choice.get(name, getattr(settings, name))) for name in NAMES]
    is_default = settings.target_is_default and "target" not in choice
    return Settings(*values, target_is_default=is_default)  # pyright: ignore[reportArgumentType]


DEFAULT: Final = Settings(target_is_default=True)


def resolve(
    settings: Settings, target: str | Target | None = None, **given: Unpack[Overrides]
) -> Settings:
    """Return ``settings`` with a call's own arguments put in; an argument that is None keeps.

    Raises:
        TargetError: ``target`` is malformed.
        SettingsError: another value is unknown, or there is no such setting.

    Example:
        >>> resolve(Settings("torch"), autodiff="native").autodiff
        'native'
    """
    items = (("target", target), *given.items())
    if all(value is None for _, value in items):
        return settings
    try:
        return _resolve(settings, items)
    except TypeError:  # an unhashable value: no cache, and the message that it deserves
        return _resolve.__wrapped__(settings, items)


@functools.lru_cache(maxsize=256)
def _resolve(settings: Settings, items: tuple[tuple[str, object], ...]) -> Settings:
    return settle(settings, checked(dict(items), "the call"))
