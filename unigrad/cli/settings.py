"""The command ``config``: which settings hold, and where each of them came from."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from unigrad import config
from unigrad.cli.common import app, console, told
from unigrad.outside import one_line

__all__ = ["config_"]


@app.command("config")
@told
def config_(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Say for each setting what holds, where it came from, and what it overrode."""
    found = config.origins()
    unknown = config.unknown_environment()
    if as_json:
        settings = {
            name: {
                "value": str(origin.value),
                "source": origin.source,
                "path": None if origin.path is None else str(origin.path),
                "overridden": [_said(one) for one in origin.overridden],
            }
            for name, origin in found.items()
        }
        typer.echo(json.dumps({"settings": settings, "unknown": unknown}, indent=2))
        return
    table = Table("setting", "value", "from", "instead of", box=None, pad_edge=False)
    for name, origin in found.items():
        source = (
            origin.source
            if origin.path is None
            else f"{origin.source} ({one_line(str(origin.path))})"
        )
        table.add_row(
            Text(name, style="bold"),
            Text(str(origin.value)),
            Text(source),
            Text("\n".join(map(_said, origin.overridden)) or "-"),
        )
    where = console()
    where.print(table)
    if unknown:
        known = ", ".join(f"UNIGRAD_{name.upper()}" for name in found)
        names = ", ".join(map(one_line, unknown))
        text = f"unknown environment variables: {names} (the known ones are {known}"
        where.print()
        where.print(Text(f"{text}, UNIGRAD_CONFIG)", style="yellow"), soft_wrap=True)


def _said(origin: config.Origin) -> str:
    return f"{origin.value} ({origin.source})"
