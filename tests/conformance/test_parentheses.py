"""Every row of every table with operands that bind least, where what binds most stands around.

Text is put into text: whatever a row's own text is, and whatever is put into it, the expression
must mean what the graph says. So each row is filled with sums and put inside of an attribute, and
read back as Python reads it; and each op is written with sums and comparisons in the place of its
operands, inside of an index, a product and a power, and run.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from tests.targets import EAGER, PYTORCH_IS_LOUD, TARGETS, of, ways
from unigrad.backend import Dialect, registry
from unigrad.backend.dialect import ATOM, Template, binding_of
from unigrad.ops.spec import OPS
from unigrad.testing.checks import compare
from unigrad.testing.reference import evaluate
from unigrad.testing.scenarios import op_scenarios

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unigrad.testing import Scenario

pytestmark = PYTORCH_IS_LOUD

BACKENDS = ("numpy", "torch", "tensorflow", "jax")
TESTED = [name for name in OPS if name not in ("vjp", "jvp", "get")]

WIDE = ("float64", "int64", "bool")
"""Dtypes that every target computes in: what text is written is the same for others."""

# -- run -------------------------------------------------------------------------------------------


def taken_apart(array: Any) -> tuple[Any, Any]:
    """Two arrays of which a sum, or of booleans a comparison, is ``array``."""
    if array.dtype.kind == "b":
        return array.astype(np.int64), np.zeros(array.shape, np.int64)
    part = np.ones(array.shape, array.dtype)
    return array - part, part


def around(y: Any) -> tuple[Any, ...]:
    """What binds most, around a result that is used once."""
    if y.dtype.kind == "bool":
        return ug.expand_dims(y, axis=0), ~y
    return ug.expand_dims(y, axis=0), y * 3, 3 - y, y**2, -y


def written(scenario: Scenario) -> tuple[Any, list[Any]]:
    """A function of the parts of a scenario's arrays, and these parts, anew for each context.

    What is used twice gets a name: so each context has arrays of its own.
    """
    parts = [one for array in scenario.args for one in taken_apart(np.asarray(array))]
    kinds = [np.asarray(array).dtype.kind for array in scenario.args]

    def model(*given: Any) -> Any:
        found: list[Any] = []
        for number, start in enumerate(range(0, len(given), max(len(parts), 1))):
            some = given[start : start + len(parts)]
            pairs = zip(some[::2], some[1::2], kinds, strict=True)
            args = [x > y if kind == "b" else x + y for x, y, kind in pairs]
            contexts = around(scenario.call(*args))
            if number < len(contexts):
                found.append(contexts[number])
        return found

    return model, parts * 5


@pytest.mark.parametrize("target", of(EAGER))
@pytest.mark.parametrize("name", TESTED)
def test_an_op_inside_of_anything_takes_anything(name: str, target: str) -> None:
    for scenario in op_scenarios(OPS[name]):
        if not scenario.args or not all(np.asarray(x).dtype.name in WIDE for x in scenario.args):
            continue
        model, parts = written(scenario)
        with ug.use(target, optimise=False):
            function = ug.function(model)
            wanted = evaluate(function.graph(*parts), parts)
            found = function(*parts)
        rtol = 2e-2 if wanted[0].dtype.itemsize == 2 else 1e-5
        for have, want in zip(found, wanted, strict=True):
            compare(scenario.name, np.asarray(have), want, rtol=rtol)


# -- read ------------------------------------------------------------------------------------------


def templates(backend: str) -> Iterator[tuple[str, Template]]:
    """Every row of a backend, in every mode, with what it is for."""
    one = registry.found(backend)
    for dialect in (one.dialect, *one.dialects.values()):
        assert isinstance(dialect, Dialect)
        for op, rows in dialect.templates.items():
            for row in rows:
                yield f"{op.name}: {row.row.text}", row
                if row.faithful is not None:
                    yield f"{op.name}, faithful: {row.faithful.row.text}", row.faithful
        for fused in dialect.fused.values():
            yield from ((row.text, template) for row, template in fused)


def filled(template: Template) -> tuple[str, dict[str, str]]:
    """A row with a comparison or a sum in each hole, as the emitter fills holes; and the names."""
    text, names = "", {}
    for piece in template.pieces:
        if isinstance(piece, str):
            text += piece
            continue
        name = f"hole_{len(names)}"
        names[name] = inside = f"{name}_x + {name}_y"
        text += piece.prefix
        text += inside if binding_of(inside) >= piece.binding else f"({inside})"
    return text, names


def with_marks(template: Template) -> str:
    """A row with a name in each hole."""
    text, count = "", 0
    for piece in template.pieces:
        if isinstance(piece, str):
            text += piece
            continue
        text += f"{piece.prefix}hole_{count}"
        count += 1
    return text


class _Filler(ast.NodeTransformer):
    """Puts trees in the place of names: what text with all its parentheses means."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        inside = self.names.get(node.id)
        return node if inside is None else ast.parse(inside, mode="eval").body


def complaint(template: Template) -> str:
    """What is wrong with the parentheses of a row; nothing if Python reads what was meant."""
    text, names = filled(template)
    meant = _Filler(names).visit(ast.parse(with_marks(template), mode="eval").body)
    binding = binding_of(text) if template.hole is not None else template.binding
    outer = text if binding >= ATOM else f"({text})"
    read = ast.parse(f"{outer}.attribute", mode="eval").body
    wanted = ast.Attribute(meant, "attribute", ast.Load())
    return "" if ast.dump(read) == ast.dump(wanted) else f"{outer}.attribute"


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_row_is_read_as_it_is_meant(backend: str) -> None:
    rows = list(templates(backend))
    assert len(rows) > 100
    assert not {name: complaint(row) for name, row in rows if complaint(row)}


@pytest.mark.parametrize(
    "template",
    [
        Template(("x + y",), ATOM, frozenset(), None),  # pyright: ignore[reportArgumentType]
        Template(("not x",), ATOM, frozenset(), None),  # pyright: ignore[reportArgumentType]
    ],
)
def test_a_row_that_claims_to_bind_more_than_it_does_is_caught(template: Template) -> None:
    assert complaint(template)


def test_a_row_that_is_a_hole_and_claims_to_be_an_atom_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Template, "hole", None)  # the operand's own binding is forgotten
    model = ug.function(lambda x, y, z: ug.stop_gradient(x + y) * z)
    assert model(2.0, 3.0, 4.0) == 14.0


# -- what was once written without its parentheses -------------------------------------------------


def of_scalars(x: Any, y: Any, z: Any) -> tuple[Any, ...]:
    stopped = ug.stop_gradient(x + y) * z, z - ug.stop_gradient(x - y)
    extrema = ug.max(x + y) * z, ug.min(x + y) * z, ug.logsumexp(x + y) * z
    return *stopped, *extrema, -(ug.stop_gradient(x + y) ** 2)


def of_vectors(x: Any) -> tuple[Any, ...]:
    return ug.stop_gradient(x + 1)[0], ug.sum(ug.stop_gradient(x + 1)), ug.stop_gradient(x + 1) @ x


def of_integers(i: Any, j: Any, k: Any) -> tuple[Any, ...]:
    return tuple(op(i + j) * k for op in (ug.floor, ug.ceil, ug.trunc, ug.round))


@pytest.mark.parametrize(("target", "autodiff"), ways(TARGETS))
def test_operands_keep_their_parentheses(target: str, autodiff: str) -> None:
    with ug.use(target, autodiff=autodiff):
        scalars = ug.function(of_scalars)(2.0, 3.0, 4.0)
        slopes = ug.grad(lambda *args: sum(of_scalars(*args)), argnums=(0, 1, 2))(2.0, 3.0, 4.0)
        vectors = ug.function(of_vectors)(np.asarray([1.0, 2.0]))
        integers = ug.function(of_integers)(2, 3, 4)
    assert [float(one) for one in scalars] == [20.0, 5.0, 20.0, 20.0, 20.0, -25.0]
    assert [float(one) for one in slopes] == [12.0, 12.0, 21.0]
    assert [float(one) for one in vectors] == [2.0, 5.0, 8.0]
    assert [int(one) for one in integers] == [20, 20, 20, 20]


@pytest.mark.parametrize(("target", "autodiff"), ways(TARGETS))
def test_quotients_of_quotients_do_not_overflow_in_between(target: str, autodiff: str) -> None:
    def model(a: Any, b: Any, y: Any, large: Any) -> tuple[Any, ...]:
        return (a / b) / y, large / (large / y), (large / b) / (large / b), (a / b) / 0

    single = [np.asarray([x], np.float32) for x in (1e38, 1.0, 2e38, 3e38)]
    with ug.use(target, autodiff=autodiff):
        found = ug.function(model)(*single)
        slope = ug.grad(lambda a, b, y: ug.sum((a / b) / y))(*single[:3])
    np.testing.assert_allclose(np.concatenate(found), [0.5, 2e38, 1.0, np.inf], rtol=1e-6)
    np.testing.assert_allclose(slope, [0.0], atol=1e-37)  # 5e-39 is flushed to 0 by some
