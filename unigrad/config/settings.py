"""The record that decides how a graph is compiled, and the check of every value that goes into it.

Values come from people, through calls, environment variables and files alike, so there is one
check, which is told where the value was written.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, TypedDict, cast, get_args

from unigrad.config.target import Target
from unigrad.errors import SettingsError, TargetError, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "DEFAULT",
    "NAMES",
    "Autodiff",
    "Choice",
    "Conventions",
    "FloatName",
    "Settings",
    "checked",
    "did_you_mean",
    "resolve",
    "settle",
]

Autodiff = Literal["graph", "native"]
Conventions = Literal["unigrad", "framework"]
FloatName = Literal["float64", "float32", "float16", "bfloat16"]

NAMES = ("target", "autodiff", "conventions", "default_float")
_KNOWN: dict[str, tuple[str, ...]] = {
    "autodiff": get_args(Autodiff),
    "conventions": get_args(Conventions),
    "default_float": get_args(FloatName),
}


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
        target_is_default: whether nobody chose the target, so that a foreign tensor may go to its
            own framework.
    """

    target: Target
    autodiff: Autodiff
    conventions: Conventions
    default_float: FloatName
    target_is_default: bool

    def __new__(
        cls,
        target: str | Target = "numpy",
        autodiff: str = "graph",
        conventions: str = "unigrad",
        default_float: object = "float64",
        target_is_default: bool = False,  # noqa: FBT001, FBT002 - fields come in their order, too
    ) -> Self:
        """Return the one object with these values; raise SettingsError for an unknown one."""
        given = {
            "target": target,
            "autodiff": autodiff,
            "conventions": conventions,
            "default_float": default_float,
        }
        choice = checked(given, "Settings")
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


def checked(given: Mapping[str, object], where: str) -> Choice:
    """Check what one source gives; None means that it says nothing."""
    choice: Choice = {}
    for name, value in given.items():
        if name not in NAMES:
            message = f"unknown setting {name!r} in {where}: the settings are {listed(NAMES)}"
            raise SettingsError(message + did_you_mean(name, NAMES))
        if value is None:
            continue
        match name:
            case "target":
                try:
                    choice["target"] = Target.parse(cast("str | Target", value))
                except TargetError as error:
                    message = f"{error} (in {where})"
                    raise TargetError(message) from None
            case "autodiff":
                choice["autodiff"] = cast("Autodiff", _one_of(name, value, where))
            case "conventions":
                choice["conventions"] = cast("Conventions", _one_of(name, value, where))
            case _:
                choice["default_float"] = cast("FloatName", _one_of(name, value, where))
    return choice


def _one_of(name: str, value: object, where: str) -> str:
    known = _KNOWN[name]
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


def settle(settings: Settings, choice: Choice) -> Settings:
    """Return ``settings`` with what ``choice`` says put in."""
    return Settings(
        choice.get("target", settings.target),
        choice.get("autodiff", settings.autodiff),
        choice.get("conventions", settings.conventions),
        choice.get("default_float", settings.default_float),
        settings.target_is_default and "target" not in choice,
    )


DEFAULT = Settings(target_is_default=True)


def resolve(
    settings: Settings,
    *,
    target: str | Target | None = None,
    autodiff: str | None = None,
    conventions: str | None = None,
    default_float: object = None,
) -> Settings:
    """Return ``settings`` with a call's own arguments put in; an argument that is None keeps.

    Raises:
        TargetError: ``target`` is malformed.
        SettingsError: another value is unknown.

    Example:
        >>> resolve(Settings("torch"), autodiff="native").autodiff
        'native'
    """
    if target is None and autodiff is None and conventions is None and default_float is None:
        return settings
    try:
        return _resolve(settings, target, autodiff, conventions, default_float)
    except TypeError:  # an unhashable value: no cache, and the message that it deserves
        return _resolve.__wrapped__(settings, target, autodiff, conventions, default_float)


@functools.lru_cache(maxsize=256)
def _resolve(settings: Settings, *values: object) -> Settings:
    return settle(settings, checked(dict(zip(NAMES, values, strict=True)), "the call"))
