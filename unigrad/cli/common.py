"""What the commands share: the application, where they print, and how an error is told."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.text import Text

import unigrad
from unigrad.errors import UnigradError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CALLER", "app", "console", "told"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Model math, written once: values and derivatives from NumPy, PyTorch and others.",
)

_NARROWEST: Final = 110  # columns, where the output is no terminal
CALLER: Final = f"{Path(typer.__file__).parent}{os.sep}"
"""Where typer stands: it calls us, so it looks like the user's own program, and is not."""


def console(*, stderr: bool = False) -> Console:
    """Where a command prints."""
    found = Console(stderr=stderr, highlight=False)
    if not found.is_terminal:
        found = Console(stderr=stderr, highlight=False, width=max(found.width, _NARROWEST))
    return found


def told(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Tell errors of unigrad without a traceback, with their notes."""

    @functools.wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return command(*args, **kwargs)
        except UnigradError as error:
            text = Text.assemble((f"{type(error).__name__}: ", "bold red"), str(error))
            where = console(stderr=True)
            where.print(text, soft_wrap=True)
            for note in getattr(error, "__notes__", ()):
                if f'"{CALLER}' not in note:
                    where.print(Text(note), soft_wrap=True)
            raise typer.Exit(1) from error

    return run


def _version(asked: bool) -> None:  # noqa: FBT001  (a callback of an option)
    if asked:
        typer.echo(f"unigrad {unigrad.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version
