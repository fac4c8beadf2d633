"""The command line: which targets are here, which settings hold, and what becomes of a function.

A framework is never imported to look at its name and version. To ask it for its devices it is
imported in a process of its own, so that one which is broken stops nothing else.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, ParamSpec, TypeVar, cast

import numpy as np
import typer
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

import unigrad
from unigrad import config
from unigrad.backend import registry
from unigrad.compiler import Function
from unigrad.errors import BackendError, DTypeError, UnigradError
from unigrad.ir.nodes import graph_parameters
from unigrad.ir.text import to_text
from unigrad.ir.types import TensorType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unigrad.backend.registry import Backend
    from unigrad.ir.nodes import Graph

__all__ = ["app", "main"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Model math, written once: values and derivatives from NumPy, PyTorch and others.",
)

_NARROWEST: Final = 110  # columns, where the output is no terminal
_CALLER: Final = f"{Path(typer.__file__).parent}{os.sep}"
"""Where typer stands: it calls us, so it looks like the user's own program, and is not."""


def main() -> None:
    """The console entry point; exits with 0, with 1 after an error, with 2 after a wrong call."""
    app()


def _console(*, stderr: bool = False) -> Console:
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console = Console(stderr=stderr, highlight=False, width=max(console.width, _NARROWEST))
    return console


def _told(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Tell errors of unigrad without a traceback, with their notes."""

    @functools.wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return command(*args, **kwargs)
        except UnigradError as error:
            told = Text.assemble((f"{type(error).__name__}: ", "bold red"), str(error))
            console = _console(stderr=True)
            console.print(told, soft_wrap=True)
            for note in getattr(error, "__notes__", ()):
                if f'"{_CALLER}' not in note:
                    console.print(Text(note), soft_wrap=True)
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


# -- targets ---------------------------------------------------------------------------------------


@app.command()
@_told
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
    console = _console()
    console.print(table)
    for one in found:
        told = one["problem"] or one["install"]
        if told:
            style = "bold red" if one["problem"] else "bold"
            console.print(Text.assemble((f"\n{one['name']}: ", style), told), soft_wrap=True)


def _target(name: str, *, devices: bool) -> dict[str, Any]:
    """What is known of one backend."""
    told: dict[str, Any] = {
        "name": name, "installed": False, "version": "", "modes": [], "derivatives": [],
        "devices": [], "install": "", "problem": "",
    }  # fmt: skip
    try:
        backend = registry.found(name)
    except BackendError as error:
        told["problem"] = str(error)
        return told
    # The default mode comes first.
    told["modes"] = [f"{name}:{mode}" for mode in backend.modes]
    told["derivatives"] = ["graph", *(["native"] if backend.native else [])]
    if not registry.installed(backend):
        told["install"] = backend.install
        return told
    told["installed"] = True
    told["version"] = _version_of(backend.package)
    if devices:
        told["devices"], told["problem"] = _devices(backend)
    return told


def _version_of(package: str) -> str:
    """The version of the distribution that an import package came with."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        names = metadata.packages_distributions().get(package, [])
        return metadata.version(names[0]) if names else "unknown version"


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


# -- settings --------------------------------------------------------------------------------------


@app.command("config")
@_told
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
        source = origin.source if origin.path is None else f"{origin.source} ({origin.path})"
        table.add_row(
            Text(name, style="bold"),
            Text(str(origin.value)),
            Text(source),
            Text("\n".join(map(_said, origin.overridden)) or "-"),
        )
    console = _console()
    console.print(table)
    if unknown:
        known = ", ".join(f"UNIGRAD_{name.upper()}" for name in found)
        told = f"unknown environment variables: {', '.join(unknown)} (the known ones are {known}"
        console.print()
        console.print(Text(f"{told}, UNIGRAD_CONFIG)", style="yellow"), soft_wrap=True)


def _said(origin: config.Origin) -> str:
    return f"{origin.value} ({origin.source})"


# -- functions -------------------------------------------------------------------------------------

_Where = Annotated[
    str, typer.Argument(metavar="MODULE:FUNCTION", help="A module, or the path of a .py file.")
]
_Like = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TYPE",
        help="float64\\[n, 3], or NAME=TYPE, for each argument in their order; others are numbers.",
    ),
]
_Grad = Annotated[bool, typer.Option("--grad", help="Its gradient.")]
_ValueAndGrad = Annotated[bool, typer.Option("--value-and-grad", help="Its value and gradient.")]
_Argnames = Annotated[
    list[str] | None,
    typer.Option("--argname", metavar="NAME", help="What to differentiate by; the first argument."),
]


@app.command()
@_told
def show(
    where: _Where,
    *,
    target: Annotated[
        str | None, typer.Option(help="Such as torch:compile; the current one by default.")
    ] = None,
    like: _Like = None,
    grad: _Grad = False,
    value_and_grad: _ValueAndGrad = False,
    argnames: _Argnames = None,
    only: Annotated[
        Literal["graph", "source"] | None, typer.Option(help="Leave the other one out.")
    ] = None,
) -> None:
    """Print the graph of a function, as traced, and its native source for a target."""
    function = _transformed(_load(where), grad, value_and_grad, argnames)
    declared = isinstance(function, unigrad.Definition)
    args, kwargs = _arguments(like or [], _type)
    if not declared:
        kwargs |= _numbers(function, args, kwargs)
    parts: list[str] = []
    graph = function.graph if declared else function.graph(*args, **kwargs)
    _forget_caller(graph)
    if only != "source":
        parts.append(to_text(graph, origins=True))
    if only != "graph":
        parts.append(
            function.source(target) if declared else function.source(target, *args, **kwargs)
        )
    console = _console()
    for place, text in enumerate(parts):
        if place:
            typer.echo()
        if console.is_terminal:
            console.print(Syntax(text, "python", theme="ansi_dark", background_color="default"))
        else:
            typer.echo(text, nl=not text.endswith("\n"))


def _forget_caller(graph: Graph) -> None:
    """Take the places of typer from the nodes that a transform made in its service."""
    stack = [graph]
    seen: set[Graph] = set()
    while stack:
        top = stack.pop()
        if top in seen:
            continue
        seen.add(top)
        for node in top.nodes:
            stack.extend(graph_parameters(node))
            node.origins = tuple(
                origin for origin in node.origins if not origin[0].co_filename.startswith(_CALLER)
            )


@app.command()
@_told
def draw(
    where: _Where,
    *,
    like: _Like = None,
    at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VALUE",
            help="The value of an argument, 3.0, or NAME=VALUE. Repeat the option for each.",
        ),
    ] = None,
    grad: _Grad = False,
    value_and_grad: _ValueAndGrad = False,
    argnames: _Argnames = None,
    detail: Annotated[
        Literal["variables", "ops"], typer.Option(help="What the boxes are.")
    ] = "variables",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file, .svg or .txt.")
    ] = None,
) -> None:
    """Draw the graph of a function: into a file, or as text into the terminal."""
    if like and at:
        raise typer.BadParameter("give types (--like) or values (--at), not both")
    function = _transformed(_load(where), grad, value_and_grad, argnames)
    args, kwargs = _arguments(like or at or [], _type if like else _value)
    if not at and not isinstance(function, unigrad.Definition):
        kwargs |= _numbers(function, args, kwargs)
    drawing = unigrad.draw(function, *args, detail=detail, **kwargs)
    if output is None:
        typer.echo(drawing.text)
        return
    try:
        drawing.save(output)
    except OSError as error:
        raise typer.BadParameter(f"cannot write {output}: {error.strerror}") from None
    typer.echo(f"wrote {output}")


def _transformed(
    function: Any,
    grad: bool,  # noqa: FBT001
    value_and_grad: bool,  # noqa: FBT001
    argnames: Sequence[str] | None,
) -> Any:
    """What is to be shown: the function, or a derivative of it."""
    if grad and value_and_grad:
        raise typer.BadParameter("give --grad or --value-and-grad, not both")
    if not grad and not value_and_grad:
        if argnames:
            raise typer.BadParameter("--argname is of use with --grad or --value-and-grad")
        return function
    if isinstance(function, unigrad.Definition):
        names = function.graph.output_names
        if len(names) != 1:
            raise typer.BadParameter(f"the graph has several outputs: {', '.join(names)}")
        function = function[names[0]]
    transform = unigrad.grad if grad else unigrad.value_and_grad
    chosen = None if not argnames else argnames[0] if len(argnames) == 1 else tuple(argnames)
    return transform(function, argnames=chosen)


def _load(where: str) -> Any:
    """The function that ``MODULE:FUNCTION`` names, as a function of unigrad."""
    module_name, colon, path = where.rpartition(":")
    if not colon or not module_name or not path:
        raise typer.BadParameter(f"expected MODULE:FUNCTION, such as model.py:loss, got {where!r}")
    module = _module(module_name)
    found: Any = module
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            hint = config.did_you_mean(name, _functions(found))
            raise typer.BadParameter(f"{module_name} has no {path!r}{hint}") from None
    if isinstance(found, (Function, unigrad.Definition)):
        return found
    if not callable(found):
        kind = type(found).__name__
        raise typer.BadParameter(f"{where} is no function but an object of type {kind}")
    return unigrad.function(found)


def _functions(place: Any) -> list[str]:
    """The names in a module or class under which a function can be found: nothing it imports."""
    home = getattr(place, "__module__", getattr(place, "__name__", None))
    members: dict[str, Any] = getattr(place, "__dict__", {})
    return [
        name
        for name, value in members.items()
        if not name.startswith("_")
        and (
            isinstance(value, (Function, unigrad.Definition, staticmethod))
            or (callable(value) and getattr(value, "__module__", None) == home)
        )
    ]


def _module(name: str) -> Any:
    """Import a module by its dotted name, from the working folder too, or from its file."""
    if name.endswith(".py"):
        file = Path(name)
        spec = importlib.util.spec_from_file_location(file.stem, file)
        if not file.is_file() or spec is None or spec.loader is None:
            raise typer.BadParameter(f"there is no file {name}")
        sys.path.insert(0, str(file.resolve().parent))  # as `python model.py` does
        module = importlib.util.module_from_spec(spec)
        sys.modules[file.stem] = module
        spec.loader.exec_module(module)
        return module
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise  # the module is there; what it imports is not
        raise typer.BadParameter(f"there is no module {name}") from None


def _arguments(
    words: Sequence[str], read: Callable[[str], Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Positional arguments and those by name."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if equals and name.strip().isidentifier():
            kwargs[name.strip()] = read(text)
        else:
            args.append(read(word))
    return args, kwargs


def _numbers(function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, TensorType]:
    """Numbers for the arguments of which nothing is said; what was taken for one is told."""
    known = inspect.signature(function)
    try:
        given = known.bind_partial(*args, **kwargs).arguments
    except TypeError:  # the call itself says it better
        return {}
    needed = [one for one in known.parameters.values() if one.default is one.empty]
    named = [
        one.name for one in needed if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
    ]
    missing = [name for name in named if name not in given]
    if missing:
        told = f"taken as numbers: {', '.join(missing)} (--like gives them other types)"
        _console(stderr=True).print(Text(told, style="yellow"), soft_wrap=True)
    return dict.fromkeys(missing, TensorType.parse("~float64"))


def _type(text: str) -> Any:
    """A type; or a value, for an argument that is a setting or a number."""
    try:
        return TensorType.parse(text)
    except DTypeError:
        if "[" in text and not text.lstrip().startswith("["):
            raise
        return _value(text)


def _value(text: str) -> Any:
    """A Python literal, a list of numbers as an array; any other word is text."""
    try:
        value: Any = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    if isinstance(value, list):
        return cast("Any", np.asarray(cast("Any", value)))
    return value
