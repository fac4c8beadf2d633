"""The command line: what is installed, what is set, and what a function becomes on a target.

``typer`` and ``rich`` are imported here and nowhere else in the library. A mistake of the user is
one sentence with the way out, never a traceback.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

import unigrad as ug
from unigrad import config
from unigrad.backend import registry
from unigrad.compiler.arguments import signature
from unigrad.errors import ArgumentError, UnigradError, listed

if TYPE_CHECKING:
    from unigrad.backend.registry import Backend

__all__ = ["app", "main"]

app = typer.Typer(
    name="unigrad",
    help="Model math, written once: values and derivatives on every framework.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console()
errors = Console(stderr=True)

Function = Annotated[str, typer.Argument(help="MODULE:FUNCTION, or path/to/file.py:FUNCTION")]
Like = Annotated[
    list[str] | None,
    typer.Option("--like", help='type of the next argument, such as "float64[n, 3]"'),
]
At = Annotated[
    list[str] | None, typer.Option("--at", help="value of an argument, such as x=3.0; may be repeated")
]


# -- what is there ---------------------------------------------------------------------------------


@app.command()
def targets() -> None:
    """What is installed: backends, versions, modes and devices."""
    table = Table("backend", "installed", "modes", "devices", box=None, pad_edge=False)
    for name in registry.names():
        table.add_row(name, *_described(name))
    console.print(table)


def _described(name: str) -> tuple[str, str, str]:
    """Version, modes and devices of a backend; a broken one says why and stops no other."""
    try:
        backend = registry.found(name)
        if not registry.installed(backend):
            return f"no: {backend.install}", ", ".join(backend.modes), ""
        list_devices = getattr(registry.runtime(backend), "devices", lambda: ["cpu"])
        devices = list_devices()
    except UnigradError as error:
        return f"broken: {error}", "", ""
    modes = [f"{mode} (default)" if not i else mode for i, mode in enumerate(backend.modes)]
    return _version(backend), ", ".join(modes), ", ".join(devices)


def _version(backend: Backend) -> str:
    known = getattr(registry.runtime(backend), "VERSION", None)
    if known is not None:
        return str(known)
    try:
        return importlib.metadata.version(backend.package)
    except importlib.metadata.PackageNotFoundError:
        return "yes"


@app.command("config")
def show_config() -> None:
    """Each setting, its value, and where it came from."""
    table = Table("setting", "value", "from", "instead of", box=None, pad_edge=False)
    for name, origin in config.origins().items():
        losers = "; ".join(f"{one.value} ({_place(one)})" for one in origin.overridden)
        table.add_row(name, str(origin.value), _place(origin), losers)
    console.print(table)
    for name in config.unknown_environment():
        console.print(f"{name} is set in the environment and is no setting of unigrad")


def _place(origin: config.Origin) -> str:
    return origin.source if origin.path is None else f"{origin.source} {origin.path}"


# -- one function ----------------------------------------------------------------------------------


@app.command()
def show(
    function: Function,
    target: Annotated[str | None, typer.Option(help="such as torch:eager; the current one")] = None,
    like: Like = None,
    grad: Annotated[bool, typer.Option("--grad", help="of the gradient")] = False,  # noqa: FBT002
    value_and_grad: Annotated[  # noqa: FBT002
        bool, typer.Option("--value-and-grad", help="of value and gradient")
    ] = False,
) -> None:
    """The graph of a function and its native source for a target."""
    found = _function(function)
    if grad:
        found = ug.grad(found)
    elif value_and_grad:
        found = ug.value_and_grad(found)
    elif not isinstance(found, ug.Function) and not hasattr(found, "source"):
        found = ug.function(found)
    types = list(like or ())
    if not types and isinstance(found, ug.Function) and (known := signature(found)) is not None:
        wanted = [p.name for p in known.parameters.values() if p.default is p.empty]
        if wanted:
            raise ArgumentError(
                f'{function}{known}: say what the arguments are: --like "float64[n, 3]" or --like'
                f" float64 once for each of {listed(wanted)}"
            )
    graph = found.graph if isinstance(found.graph, ug.Graph) else found.graph(*types)
    source = found.source(target, *types) if types or isinstance(found, ug.Function) else found.source(target)
    _print("# graph, as traced\n" + ug.to_text(graph), "text")
    _print(source, "python")


@app.command()
def draw(
    function: Function,
    like: Like = None,
    at: At = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="an .svg or .txt file; the terminal otherwise")
    ] = None,
) -> None:
    """The picture of a function: its variables, and with values the derivatives between them."""
    drawing = ug.draw(_function(function), *(like or ()), **_values(at or []))
    if output is None:
        console.print(drawing.text, markup=False, highlight=False, soft_wrap=True)
        return
    drawing.save(output)
    console.print(f"{output} written", markup=False, highlight=False)


def _print(text: str, language: str) -> None:
    """Text as it is into a pipe, coloured on a terminal."""
    if console.is_terminal and language != "text":
        console.print(Syntax(text, language, background_color="default"))
    else:
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def _values(pairs: list[str]) -> dict[str, Any]:
    """Arguments written as ``name=number`` or ``name=1,2,3``."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        try:
            numbers = [float(part) for part in text.split(",")]
        except ValueError:
            numbers = []
        if not equals or not name.isidentifier() or not numbers:
            raise ArgumentError(f"--at {pair}: a value is written like x=3.0 or x=1,2,3")
        values[name] = numbers[0] if len(numbers) == 1 else ug.asarray(numbers)
    return values


def _function(place: str) -> Any:
    """The function at ``MODULE:FUNCTION``; the module is a dotted name or a file.

    Raises:
        ArgumentError: if there is no such module or no such function in it.
    """
    where, colon, name = place.rpartition(":")
    if not colon or not where or not name:
        raise ArgumentError(f"{place!r}: a function is named like model:loss or path/to/model.py:loss")
    module = _from_file(Path(where)) if where.endswith(".py") else _from_name(where)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            known = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
            hint = config.did_you_mean(part, known)
            raise ArgumentError(f"{where} has no {name!r}{hint}")
        found = getattr(found, part)
    if not callable(found):
        raise ArgumentError(f"{place} is a {type(found).__name__}, not a function")
    return found


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise ArgumentError(f"there is no file {path}")
    sys.path.insert(0, str(path.parent.resolve()))  # as `python path/to/file.py` does
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ArgumentError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _from_name(name: str) -> Any:
    sys.path.insert(0, "")  # as `python -m` does
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name + ".").startswith(error.name + "."):
            raise
        raise ArgumentError(f"there is no module {name!r} here or among what is installed") from None


# -- the program -----------------------------------------------------------------------------------


def _version_wanted(wanted: bool) -> None:  # noqa: FBT001
    if wanted:
        console.print(f"unigrad {ug.__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[  # noqa: FBT002
        bool, typer.Option("--version", callback=_version_wanted, is_eager=True, help="the version")
    ] = False,
) -> None:
    del version


def fail(error: UnigradError) -> NoReturn:
    """Print a mistake with its notes, and leave with status 1."""
    errors.print(f"{type(error).__name__}: {error}", markup=False, highlight=False, soft_wrap=True)
    for note in getattr(error, "__notes__", ()):
        if "typer" in note:  # the line that called was this program's own
            continue
        errors.print(note, markup=False, highlight=False, soft_wrap=True)
    raise SystemExit(1)


def main() -> None:
    """Run the program; 0 is success, 1 a mistake in what was asked, 2 one in how it was asked."""
    try:
        app()
    except UnigradError as error:
        fail(error)


if __name__ == "__main__":
    main()
