"""The commands ``show`` and ``draw``: the graph of a function, its source, its picture."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  (typer reads the annotations)
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.syntax import Syntax
from rich.text import Text

import unigrad
from unigrad.cli.common import CALLER, app, console, told
from unigrad.errors import ArgumentError
from unigrad.ir.nodes import graph_parameters
from unigrad.ir.text import to_text
from unigrad.lookup import arguments, function_at, numbers, read_type, read_value
from unigrad.outside import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unigrad.ir.nodes import Graph

__all__ = ["draw", "load", "show"]

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
@told
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
    function = _transformed(load(where), grad, value_and_grad, argnames)
    declared = isinstance(function, unigrad.Definition)
    args, kwargs = arguments(like or [], read_type)
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
    printer = console()
    for place, text in enumerate(parts):
        if place:
            typer.echo()
        if printer.is_terminal:
            printer.print(Syntax(text, "python", theme="ansi_dark", background_color="default"))
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
                origin for origin in node.origins if not origin[0].co_filename.startswith(CALLER)
            )


@app.command()
@told
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
    function = _transformed(load(where), grad, value_and_grad, argnames)
    args, kwargs = arguments(like or at or [], read_type if like else read_value)
    if not at and not isinstance(function, unigrad.Definition):
        kwargs |= _numbers(function, args, kwargs)
    drawing = unigrad.draw(function, *args, detail=detail, **kwargs)
    if output is None:
        typer.echo(drawing.text)
        return
    try:
        drawing.save(output)
    except OSError as error:
        raise typer.BadParameter(
            f"cannot write {one_line(str(output))}: {error.strerror}"
        ) from None
    typer.echo(f"wrote {one_line(str(output))}")


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


def _numbers(function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Numbers for the arguments of which nothing is said; what was taken for one is told."""
    missing = numbers(function, args, kwargs)
    if missing:
        text = f"taken as numbers: {', '.join(missing)} (--like gives them other types)"
        console(stderr=True).print(Text(text, style="yellow"), soft_wrap=True)
    return missing


def load(where: str) -> Any:
    """The function that the command line names."""
    try:
        return function_at(where)
    except ArgumentError as error:
        raise typer.BadParameter(str(error)) from None
