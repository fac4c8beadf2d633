"""Writes the pages of the reference that follow from the code; run it when an op or a row changes.

``reference/ops.md`` is made of the ops and the tables of the backends in this repository. The table
of differences in ``reference/conventions.md`` is made of the records that the tests hold every
target against. A test asks that what is committed is what this writes.

    python docs/generate.py
"""  # noqa: INP001  (a program, in no package)

from __future__ import annotations

import ast
import importlib
import inspect
import json
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import unigrad as ug
from unigrad.backend import OURS, registry
from unigrad.ops.families import ZERO
from unigrad.ops.spec import OPS, Composite, Op

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from unigrad.backend import Backend

REFERENCE = Path(__file__).parent / "reference"
RECORDS = Path(__file__).parents[1] / "tests" / "conformance" / "conventions.json"

ROOMS = {
    "elementwise": "Elementwise",
    "reduction": "Reductions",
    "shape": "Shapes",
    "indexing": "Indexing",
    "contraction": "Products",
    "linalg": "Matrices",
    "creation": "Creation",
    "nn": "Neural networks",
    "special": "Special functions",
}
"""The files of ``unigrad/ops`` and what their section is called."""

NAMESPACES = {"ug": ug, "ug.linalg": ug.linalg, "ug.nn": ug.nn, "ug.special": ug.special}


# -- ops -------------------------------------------------------------------------------------------


HEAD = """\
# Ops and coverage

Made by `python docs/generate.py` from the ops and the tables of the backends.

For each backend:

- **row**: one expression of the framework
- **ours**: a row whose own gradient breaks [the convention](conventions.md); in native mode
  unigrad's rule stands around it
- **some**: a row for some dtypes or parameters, for others as said behind it
- **lowered**: said in other ops
- **no**: cannot run there

The derivative is a **formula** (elementwise), a **vjp**, or **0** for what is constant; **none**
where no argument is a float. A function without these entries is made of other ops,
and runs where they do.
"""

INTERNAL = """\
## What the others are made of

Ops without a public name, which a backend needs all the same.
"""


def ops_page() -> str:
    """``reference/ops.md``."""
    backends = own_backends()
    public = list(public_functions())
    parts = [HEAD]
    for room, title in ROOMS.items():
        functions = [(name, value) for name, value in public if room_of(name, value) == room]
        parts.append(f"## {title}\n\n{ops_table(functions, backends)}")
    named = [value for _, value in public]
    internal = [(op.name, op) for op in OPS.values() if op not in named]
    parts += [INTERNAL, ops_table(internal, backends), *reasons(backends), *gaps(backends)]
    return "\n".join(parts)


GAPS = """\
## Native mode: what a framework gets wrong

With `autodiff="native"` the framework differentiates. Where it does so wrongly, whatever the op,
the transform is written out by unigrad's rules instead, with all that it holds; the rest stays the
framework's. NumPy has no derivatives of its own and runs graph mode. One promise is graph mode's
alone on every backend: that a branch of `where` which is not selected contributes exactly 0 where
it is singular. Another is graph mode's alone where XLA compiles: the derivative of a quotient of
numbers so large or small that the square of the divisor overflows or vanishes. On the tape and
under the accumulators of a program of your own, native mode leaves to the framework what it does
with them; TensorFlow's accumulators inside each other err in eager mode, by themselves.

| backend | modes | what it does |
| --- | --- | --- |"""


def gaps(backends: Sequence[Backend]) -> Iterator[str]:
    """The transforms that a framework gets wrong, and in which modes."""
    yield GAPS
    for backend in backends:
        for gap in backend.gaps:
            modes = ", ".join(gap.modes) or "all"
            yield f"| {backend.name} | {modes} | {gap.reason} |"
    yield ""


def own_backends() -> list[Backend]:
    """The backends of this repository, which all come with the package itself."""
    from importlib.metadata import distribution

    own = distribution("unigrad").entry_points.select(group="unigrad.backends")
    names = {entry.name for entry in own}
    return [registry.found(name) for name in registry.names() if name in names]


def public_functions() -> Iterator[tuple[str, Any]]:
    """Everything that users call to make arrays of arrays, by its shortest public name."""
    seen: set[int] = set()
    for space, module in NAMESPACES.items():
        for name, value in vars(module).items():
            ours = getattr(value, "__module__", "").startswith("unigrad.ops.")
            if (isinstance(value, Op) or (inspect.isfunction(value) and ours)) and (
                id(value) not in seen
            ):
                seen.add(id(value))
                yield f"{space}.{name}", value


def room_of(name: str, value: Any) -> str:
    """The section of a public function: its namespace, its family, or the file that defines it."""
    space = name.split(".")[1]
    if space in ROOMS:
        return space
    if isinstance(value, Op) and value.params[:2] == ("axis", "keepdims"):
        return "reduction"
    for room, names in defined_names().items():
        module = importlib.import_module(f"unigrad.ops.{room}")
        if any(vars(module).get(name) is value for name in names):
            return room
    return ""


@cache
def defined_names() -> dict[str, list[str]]:
    """What each file of ``unigrad/ops`` defines and does not import, in its order."""
    found: dict[str, list[str]] = {}
    for room in ROOMS:
        module = importlib.import_module(f"unigrad.ops.{room}")
        found[room] = []
        for statement in ast.parse(inspect.getsource(module)).body:
            if isinstance(statement, ast.FunctionDef):
                found[room].append(statement.name)
            elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
                targets = getattr(statement, "targets", None) or [statement.target]
                found[room] += [one.id for one in targets if isinstance(one, ast.Name)]
    return found


def ops_table(functions: Sequence[tuple[str, Any]], backends: Sequence[Backend]) -> str:
    """One line for each function."""
    heads = ["", "", "derivative", *(backend.name for backend in backends)]
    lines = [row(heads), row(["---"] * len(heads))]
    for name, value in functions:
        if isinstance(value, Op) and not isinstance(value, Composite):
            facts = [derivative(value), *(coverage(value, backend) for backend in backends)]
        else:
            facts = [""] * (1 + len(backends))
        lines.append(row([f"`{name}{signature(value)}`", summary(value), *facts]))
    return "\n".join([*lines, ""])


def row(cells: Sequence[str]) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"


def signature(function: Any) -> str:
    """The arguments, without their annotations."""
    parameters = list(inspect.signature(inspect.unwrap(function)).parameters.values())
    if isinstance(function, Op) and parameters[0].kind is inspect.Parameter.VAR_POSITIONAL:
        return f"({', '.join(function.operands)})"  # a one-line op takes just these
    shown: list[str] = []
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        shown.append(f"{star}{parameter.name}{default}")
    return f"({', '.join(shown)})"


def summary(function: Any) -> str:
    """The first sentence, in Markdown."""
    first = inspect.cleandoc(function.__doc__ or "").partition("\n\n")[0]
    return " ".join(first.split()).replace("``", "`").replace("|", "\\|")


def derivative(op: Op[...]) -> str:
    """How the derivative is given."""
    if op.constant or (op.formulas and all(formula is ZERO for formula in op.formulas)):
        return "0"
    if op.formulas is not None:
        return "formula"
    return "vjp" if op.vjp_rule else "none"


def coverage(op: Op[...], backend: Backend) -> str:
    """What a backend has for an op."""
    rows = [template.row for template in backend.dialect.templates.get(op, ())]
    rest = "lowered" if op.lowering else "no"
    if not rows:
        return rest
    word = "ours" if any(one.gradient == OURS for one in rows) else "row"
    return word if any(one.when is None for one in rows) else f"some, else {rest}"


def reasons(backends: Sequence[Backend]) -> Iterator[str]:
    """Why a backend cannot do what it says it cannot."""
    for backend in backends:
        for op, reason in backend.dialect.unsupported.items():
            yield f"- `{op.name}` on {backend.name}: {reason}\n"


# -- conventions -----------------------------------------------------------------------------------

BEGIN, END = "<!-- made by docs/generate.py -->", "<!-- to here -->"


def conventions_page() -> str:
    """``reference/conventions.md`` with its table of differences."""
    text = (REFERENCE / "conventions.md").read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([f"{before}{BEGIN}", *differences(), f"{END}{after}"])


def differences() -> Iterator[str]:
    """A line for each point at which a framework's own value or gradient breaks the convention."""
    records = json.loads(RECORDS.read_text(encoding="utf-8"))["records"]
    broken = [one for one in records if one["native_breaks"] and one["dtype"] == "float64"]
    yield row(["function", "at", "value", "gradient", "differs in"])
    yield row(["---"] * 5)
    for function, points in groupby(broken, key=lambda one: one["expr"]):
        label = f"`{function}`"
        for point in points:
            at, gradient = (
                ", ".join(map(number, one)) if isinstance(one, list) else number(one)
                for one in (point["inputs"], point["expected_grad"])
            )
            value, breaks = number(point["expected_value"]), ", ".join(point["native_breaks"])
            yield row([label, at, value, gradient, breaks])
            label = ""


def number(value: Any) -> str:
    """An entry of the records as a person writes it."""
    if isinstance(value, list):
        return f"[{', '.join(map(number, value))}]"
    if isinstance(value, dict):
        return f"empty {value['empty']}"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "none" if value is None else str(value).lower().replace("_", " ")


PAGES = {"ops.md": ops_page, "conventions.md": conventions_page}


def main() -> None:
    """Write the pages."""
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
