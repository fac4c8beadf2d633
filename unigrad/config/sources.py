"""What the environment and the settings files say: read when asked for, never written."""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from unigrad.config.settings import NAMES, Choice, checked
from unigrad.errors import SettingsError
from unigrad.outside import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Layer", "environment", "files", "unknown_environment"]

_PREFIX = "UNIGRAD_"
_FILE_VARIABLE = "UNIGRAD_CONFIG"
_MOST_DOTS = 1_000  # in a line
_VARIABLES = {name: _PREFIX + name.upper() for name in NAMES}


@dataclass(frozen=True, slots=True)
class Layer:
    """One source of the process: what it says, and how to name it."""

    source: str
    path: Path | None
    choice: Choice


def environment() -> Iterator[Layer]:
    """Yield what each of our environment variables says."""
    for name, variable in _VARIABLES.items():
        text = os.environ.get(variable, "").strip()  # empty is how a shell says: not set
        if text:
            source = f"environment {variable}"
            yield Layer(source, None, checked({name: text}, source))


def unknown_environment() -> list[str]:
    """Return the variables that look like ours and are not: most likely misspelled."""
    ours = {*_VARIABLES.values(), _FILE_VARIABLE}
    return sorted(name for name in os.environ if name.startswith(_PREFIX) and name not in ours)


def files() -> Iterator[Layer]:
    """Yield what the project's file says, then what the user's says, of those that exist."""
    named = os.environ.get(_FILE_VARIABLE, "").strip()
    project = _named_file(named) if named else _project_file()
    if project is not None:
        yield project
    import platformdirs

    user = platformdirs.user_config_path("unigrad", appauthor=False) / "config.toml"
    if _is_file(user):
        layer = _layer("user file", user)
        if layer is not None:
            yield layer


def _named_file(named: str) -> Layer:
    path = Path(named).expanduser().absolute()
    layer = _layer(f"file named by {_FILE_VARIABLE}", path)
    if layer is None:
        message = f"{_FILE_VARIABLE} names {one_line(str(path))}, which has no table [tool.unigrad]"
        raise SettingsError(message)
    return layer


def _project_file() -> Layer | None:
    try:
        folder = Path.cwd()
    except FileNotFoundError:  # the working folder was deleted under us
        return None
    for parent in (folder, *folder.parents):
        for name in ("unigrad.toml", "pyproject.toml"):
            if _is_file(parent / name):
                layer = _layer("project file", parent / name)
                if layer is not None:
                    return layer
    return None


def _is_file(path: Path) -> bool:
    # Path.is_file raises where a folder above may not be searched; to us nothing is there
    return os.path.isfile(path)  # noqa: PTH113


def _layer(kind: str, path: Path) -> Layer | None:
    """Read one settings file; None for a ``pyproject.toml`` without our table."""
    where = f"{kind} {one_line(str(path))}"
    try:
        return _read(kind, path, where)
    except RecursionError:
        raise _too_deep(where) from None


def _read(kind: str, path: Path, where: str) -> Layer | None:
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors put a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot read the {where}: {error}"
        raise SettingsError(message) from error
    if path.name != "pyproject.toml":
        table: object = _parse_toml(text, where)
    elif "unigrad" not in text:
        _warn_if_broken(text, where)
        return None
    else:
        tool = _parse_toml(text, where).get("tool", {})
        table = cast("dict[str, object]", tool).get("unigrad") if isinstance(tool, dict) else None
        if table is None:
            return None
    if not isinstance(table, dict):
        message = f"tool.unigrad in the {where} is {table!r}: expected a table"
        raise SettingsError(message)
    return Layer(
        f"{kind} {one_line(path.name)}", path, checked(cast("dict[str, object]", table), where)
    )


def _warn_if_broken(text: str, where: str) -> None:
    """A broken file that does not name us may belong to other tools, but is passed over aloud."""
    try:
        _parse_toml(text, where)
    except SettingsError as error:
        warnings.warn(f"{error}; no settings are read from it", stacklevel=2)


def _parse_toml(text: str, where: str) -> dict[str, object]:
    import tomllib

    # The reader takes memory by the square of the length of a dotted key.
    if any(line.count(".") > _MOST_DOTS for line in text.splitlines()):
        raise _too_deep(where)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise _too_deep(where) from None
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"at line (\d+)", str(error))  # else: at end of document
        line = int(place[1]) if place else text.count("\n") + 1
        message = f"the {where}, line {line}, is not TOML: {error}"
        raise SettingsError(message) from error


def _too_deep(where: str) -> SettingsError:
    return SettingsError(f"the {where} is nested too deep: settings are words in one table")
