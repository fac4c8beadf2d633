"""The command ``bench``: the frameworks against each other, on the user's own function."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003  (typer reads the annotations)
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from unigrad.bench import DERIVATIVES, rows, run
from unigrad.bench.inputs import Inputs
from unigrad.cli.common import app, console, told
from unigrad.errors import ArgumentError
from unigrad.outside import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from unigrad.bench import Report, Result
    from unigrad.bench.report import Timing

__all__ = ["bench"]


@app.command()
@told
def bench(
    where: Annotated[
        str, typer.Argument(metavar="MODULE:FUNCTION", help="A module, or the path of a .py file.")
    ],
    *,
    targets: Annotated[
        list[str] | None,
        typer.Option("--target", help="Such as torch:compile; every installed one by default."),
    ] = None,
    derivatives: Annotated[
        list[str] | None,
        typer.Option(
            "--derivative",
            help="Who differentiates: graph (unigrad's rules), native (the framework, by"
            " unigrad's conventions) or framework (the bare framework). By default graph and"
            " framework.",
        ),
    ] = None,
    like: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE",
            help="float64\\[32, 3], or NAME=TYPE: random numbers. One for each argument.",
        ),
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(metavar="VALUE", help="The value of an argument, 3.0, or NAME=VALUE."),
    ] = None,
    inputs: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A function of the module that returns the arguments."),
    ] = None,
    argnames: Annotated[
        list[str] | None,
        typer.Option("--argname", metavar="NAME", help="What to differentiate by; the first one."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="How many a framework may use.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is timed, in turns.")] = 15,
    seconds: Annotated[
        float, typer.Option(min=0.001, help="How long each is timed in a round.")
    ] = 0.05,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file for JSON.")] = None,
) -> None:
    """Time a function and its gradient on every framework, once their results are the same.

    Exits with 1 if a row does not run or gives other results.
    """
    try:
        chosen = rows(targets or (), derivatives or ())
        bars = Progress(
            TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(),
            console=console(stderr=True), transient=True,
        )  # fmt: skip
        with bars:
            bar = bars.add_task("starting", total=1.0)

            def progress(text: str, share: float) -> None:
                bars.update(bar, description=text, completed=share)

            report = run(
                where, chosen, _inputs(like, at, inputs), argnames=argnames or (),
                threads=threads, rounds=rounds, seconds=seconds, progress=progress,
            )  # fmt: skip
    except ArgumentError as error:
        raise typer.BadParameter(str(error)) from None
    text = json.dumps(report.as_json(), indent=2)
    if output is not None:
        _write(output, text)
    if as_json:
        typer.echo(text)
    else:
        _print(report, console())
    if any(result.problem for result in report.results):
        raise typer.Exit(1)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"cannot write {one_line(str(path))}: {error.strerror}") from None


def _inputs(like: Sequence[str] | None, at: Sequence[str] | None, function: str | None) -> Inputs:
    """What the function is called with, said in one of three ways."""
    given: list[Inputs] = []
    if like:
        given.append(Inputs("types", tuple(like)))
    if at:
        given.append(Inputs("values", tuple(at)))
    if function:
        given.append(Inputs("function", (function,)))
    if len(given) > 1:
        raise typer.BadParameter("give one of --like, --at and --inputs")
    return given[0] if given else Inputs("types")


def _print(report: Report, where: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("target")
    table.add_column("derivative")
    for heading in ("value", "gradient", "ratio", "spread", "compile", "first call", "peak"):
        table.add_column(heading, justify="right")
    timed = [result for result in report.results if not result.problem]
    last = "gradient" if any("gradient" in one.timings for one in timed) else "value"
    for result in sorted(timed, key=lambda one: one.timings[last].steady):
        table.add_row(*_cells(result, last))
    where.print(Text(f"{report.function} of {', '.join(report.inputs) or 'no arrays'}", "bold"))
    where.print(table)
    for result in report.results:
        if result.problem:
            told_ = Text.assemble((f"{result.row}: ", "bold red"), result.problem)
            where.print(told_, soft_wrap=True)
    where.print()
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    where.print(Text(f"{versions}; {report.threads} thread{'s' * (report.threads > 1)}"))
    by = ", ".join(report.argnames) or "the first argument"
    legend = (
        f"gradient: value and gradient together, by {by}; ratio: gradient over value; spread: the"
        f" middle half of {report.rounds} rounds. Spread, compile, first call and peak memory are"
        f" those of the {last}."
    )
    where.print(Text(legend, "dim"), soft_wrap=True)
    names = {result.row.derivative for result in report.results}
    meaning = {"graph": "unigrad's rules", "native": "the framework, by unigrad's conventions"}
    meaning["framework"] = "the bare framework"
    words = "; ".join(f"{name}: {meaning[name]}" for name in DERIVATIVES if name in names)
    where.print(Text(words, "dim"), soft_wrap=True)


def _cells(result: Result, last: str) -> list[str]:
    value, timing = result.timings["value"], result.timings[last]
    return [
        result.row.target,
        result.row.derivative,
        _time(value.steady),
        _time(timing.steady) if last == "gradient" else "-",
        "-" if result.ratio is None else f"{result.ratio:.2f}",
        f"{timing.spread:.0%}",
        _time(timing.compile),
        _time(timing.first),
        _memory(timing),
    ]


def _time(seconds: float) -> str:
    """Seconds with three figures, in the unit that suits them."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def _memory(timing: Timing) -> str:
    return "-" if timing.memory is None else f"{timing.memory / 2**20:.1f} MiB"
