"""The command ``targets``: the backends, their versions, modes and devices, and what is broken."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from unigrad.backend import registry
from unigrad.cli.common import app, console, told
from unigrad.errors import BackendError

if TYPE_CHECKING:
    from rich.console import Console

    from unigrad.backend.registry import Backend

__all__ = ["targets"]


@app.command()
@told
def targets(
    names: Annotated[list[str] | None, typer.Argument(help="Backends; all by default.")] = None,
    *,
    devices: Annotated[
        bool, typer.Option(help="Import each framework, in a process of its own, to ask for them.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the backends: what is installed, versions, modes, devices, and what is broken."""
    found = [_target(name, devices=devices) for name in names or registry.names()]
    if devices:
        _add_exchange(found)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("backend", "version", "modes", "derivatives", "devices", box=None, pad_edge=False)
    for one in found:
        table.add_row(
            Text(one["name"], style="bold"),
            Text(one["version"] or ("not installed" if one["install"] else "broken")),
            Text(", ".join(one["modes"]) or "-"),
            Text(", ".join(one["derivatives"]) or "-"),
            Text(", ".join(one["devices"]) or "-"),
            style="" if one["installed"] and not one["problem"] else "dim",
        )
    where = console()
    where.print(table)
    _print_exchange(found, where)
    for one in found:
        problem = one["problem"] or one["install"]
        if problem:
            style = "bold red" if one["problem"] else "bold"
            where.print(Text.assemble((f"\n{one['name']}: ", style), problem), soft_wrap=True)


def _target(name: str, *, devices: bool) -> dict[str, Any]:
    """What is known of one backend."""
    known: dict[str, Any] = {
        "name": name, "installed": False, "version": "", "modes": [], "derivatives": [],
        "devices": [], "exchange": {}, "install": "", "problem": "",
    }  # fmt: skip
    try:
        backend = registry.found(name)
    except BackendError as error:
        known["problem"] = str(error)
        return known
    # The default mode comes first.
    known["modes"] = [f"{name}:{mode}" for mode in backend.modes]
    known["derivatives"] = ["graph", *(["native"] if backend.native else [])]
    if not registry.installed(backend):
        known["install"] = backend.install
        return known
    known["installed"] = True
    known["version"] = registry.version_of(backend.package)
    if devices:
        known["devices"], known["problem"] = _devices(backend)
    return known


_ASK: Final = """\
import importlib, json, sys
sys.path[:] = json.loads(sys.argv[1])
runtime = importlib.import_module(sys.argv[2])
devices = getattr(runtime, "devices", list)()
print("devices:", json.dumps([str(device) for device in devices]))
"""
_PATIENCE: Final = 120  # seconds; TensorFlow can take twenty


def _devices(backend: Backend) -> tuple[list[str], str]:
    """The devices of a framework, or why it does not start."""
    words = [sys.executable, "-c", _ASK, json.dumps(sys.path), backend.runtime]
    try:
        done = subprocess.run(  # noqa: S603  (this very interpreter)
            words, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return [], f"does not start within {_PATIENCE} seconds"
    for line in done.stdout.splitlines():
        if line.startswith("devices: "):
            return json.loads(line.removeprefix("devices: ")), ""
    last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "")
    return [], f"does not start: {last or f'the process ended with {done.returncode}'}"


_EXCHANGE: Final = """\
import importlib, json, sys
import numpy as np
from unigrad.backend import registry
from unigrad.ir.types import DTYPES
sys.path[:] = json.loads(sys.argv[1])
runtimes = {}
for name in sys.argv[2:]:
    try:
        runtimes[name] = registry.runtime(registry.found(name))
    except Exception:
        pass  # what is wrong with it is told elsewhere
address = lambda array: np.from_dlpack(array).ctypes.data
# Aligned as frameworks align their own arrays; NumPy's are by chance, and copied if they are not.
room = np.empty(1032)
given = room[-room.ctypes.data // 8 % 8 :][:1024]
given[:] = 1.0
how = {}
for a, source in runtimes.items():
    array = source.asarray(given, DTYPES["float64"], None)
    for b, home in runtimes.items():
        if a == b or not hasattr(home, "from_dlpack"):
            continue
        try:
            taken = home.from_dlpack(array, None)
        except Exception:
            how.setdefault(a, {})[b] = "by way of NumPy"
            continue
        try:
            shared = address(taken) == address(array)
        except Exception:
            shared = False
        how.setdefault(a, {})[b] = "shared" if shared else "copied"
print("exchange:", json.dumps(how))
"""


def _add_exchange(found: list[dict[str, Any]]) -> None:
    """Ask how arrays go from one framework to another; all of them are in one process for that."""
    ready = [one["name"] for one in found if one["installed"] and not one["problem"]]
    if len(ready) < 2:  # noqa: PLR2004  (nothing to exchange)
        return
    words = [sys.executable, "-c", _EXCHANGE, json.dumps(sys.path), *ready]
    try:
        done = subprocess.run(  # noqa: S603  (this very interpreter)
            words, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return
    for line in done.stdout.splitlines():
        if line.startswith("exchange: "):
            how = json.loads(line.removeprefix("exchange: "))
            for one in found:
                one["exchange"] = how.get(one["name"], {})


def _print_exchange(found: list[dict[str, Any]], where: Console) -> None:
    """Which framework shares an array with which: from the row's to the column's."""
    names = sorted({name for one in found for name in one["exchange"]})
    if not names:
        return
    table = Table("array from", *(f"to {name}" for name in names), box=None, pad_edge=False)
    for one in found:
        if one["exchange"]:
            cells = [one["exchange"].get(name, "-") for name in names]
            table.add_row(Text(one["name"], style="bold"), *cells)
    where.print()
    where.print(table)
