"""Planted mistakes in ops and rows: every check must report them, and name the op."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import unigrad_numpy.dialect as numpy_dialect

import unigrad as ug
from tests.conformance import checker
from tests.meta.planted import planted
from unigrad.backend import Dialect
from unigrad.errors import DifferentiationError, UnigradError
from unigrad.ops import contraction, elementwise, linalg, reduction, shape
from unigrad.ops.families import ZERO
from unigrad.testing import check, check_gradient, check_grads, check_value, op_scenarios, probe

if TYPE_CHECKING:
    from collections.abc import Iterator

e, r, s, c = elementwise, reduction, shape, contraction


@pytest.fixture(autouse=True)
def on_numpy() -> Iterator[None]:
    with ug.use("numpy", autodiff="graph"):
        yield


def complaints(op: Any, run: Any = check) -> list[str]:
    """What the checks of an op's scenarios say."""
    found: list[str] = []
    for scenario in op_scenarios(op):
        try:
            run(scenario)
        except (AssertionError, UnigradError) as error:
            found.append(f"{type(error).__name__}: {error}")
    return found


# -- derivatives -------------------------------------------------------------------------------


def _sum_too_large(g: Any, out: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    del out
    return r.spread(g, x, axis, keepdims) * 1.001


def _sum_squared(g: Any, out: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    del out
    return r.spread(g, x, axis, keepdims) * r.spread(g, x, axis, keepdims)


def _first_of_ties(g: Any, out: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    hits = e.equal(x, r.restore(out, x, axis, keepdims))
    return e.where(hits, r.restore(g, x, axis, keepdims), 0)


WRONG_DERIVATIVES = [
    pytest.param(
        e.sin, {"formulas": (lambda out, x: 1.001 * e.cos(x),)}, "input [0]", id="a factor"
    ),
    pytest.param(e.tanh, {"formulas": (lambda out, x: 1 + out * out,)}, "input [0]", id="a sign"),
    pytest.param(
        e.multiply,
        {"formulas": (lambda out, x, y: y, lambda out, x, y: y)},
        "input [1]",
        id="an operand",
    ),
    pytest.param(
        e.divide,
        {"formulas": (lambda out, x, y: 1 / y, ZERO)},
        "input [1]",
        id="a zero that is none",
    ),
    pytest.param(e.exp, {"formulas": (ZERO,)}, "input [0]", id="declared constant"),
    pytest.param(r.sum_, {"constant": True}, "input [0]", id="an op declared constant"),
    pytest.param(r.sum_, {"vjp_rule": _sum_too_large}, "input [0]", id="a vjp"),
    pytest.param(
        s.concat, {"vjp_rule": lambda g, out, *arrays, axis: tuple(arrays)}, "", id="not of g"
    ),
    pytest.param(
        e.where,
        {"vjp_rule": lambda g, out, c, x, y: (None, e.where(c, 0, g), e.where(c, g, 0))},
        "input",
        id="branches exchanged",
    ),
    pytest.param(
        e.where,
        {"jvp_rule": lambda tangents, out, c, x, y: tangents[1]},
        "forward",
        id="a jvp alone",
    ),
    pytest.param(
        linalg.solve_matrix,
        {
            "vjp_rule": lambda g, out, a, b: (
                -c.matmul(linalg.solve_matrix(a, g), c.matrix_transpose(out)),
                linalg.solve_matrix(a, g),
            )
        },
        "input",
        id="a transposition left out",
    ),
]


@pytest.mark.parametrize(("op", "parts", "where"), WRONG_DERIVATIVES)
def test_a_wrong_derivative_is_reported(op: Any, parts: Any, where: str) -> None:
    with planted(op, **parts):
        found = complaints(op, check_gradient)
    assert found
    assert all(op.name in text for text in found)
    assert any(where in text and "expected" in text for text in found)
    assert not complaints(op, check_gradient), "it is right again"


@pytest.mark.parametrize("modes", [("reverse",), ("forward",)], ids=lambda modes: modes[0])
def test_either_mode_alone_finds_a_wrong_formula(modes: tuple[str, ...]) -> None:
    def model(x: Any) -> Any:
        return ug.sum(ug.nn.sigmoid(x))

    with (
        planted(e.sigmoid, formulas=(lambda out, x: out * (1 + out),)),
        pytest.raises(AssertionError, match=f"model: the {modes[0]} derivative"),
    ):
        check_grads(model, (np.array([0.3, -0.2]),), modes=modes)
    check_grads(model, (np.array([0.3, -0.2]),), modes=modes)


def test_a_wrong_second_derivative_alone_is_reported() -> None:
    # The first derivative of sin is right; differentiated again it is constant.
    wrong = {"formulas": (lambda out, x: e.cos(e.stop_gradient(x)),)}
    point = (np.array([0.3, 1.1]),)
    with planted(e.sin, **wrong):
        check_grads(ug.sin, point, order=1)
        for modes in (("reverse",), ("forward",), ("reverse", "forward")):
            with pytest.raises(AssertionError, match=r"derivative of sin: the .* derivative"):
                check_grads(ug.sin, point, order=2, modes=modes)
        assert complaints(e.sin, check_gradient)
    check_grads(ug.sin, point, order=3)


def test_a_wrong_third_derivative_alone_is_reported() -> None:
    with planted(e.cos, formulas=(lambda out, x: -e.sin(e.stop_gradient(x)),)):
        check_grads(ug.sin, (0.4,), order=2)
        with pytest.raises(AssertionError, match=r"derivative of the .* derivative of sin"):
            check_grads(ug.sin, (0.4,), order=3)


def test_the_message_names_function_input_mode_and_both_numbers() -> None:
    def energy(x: Any, y: Any) -> Any:
        return ug.sum(x * ug.square(y["inner"]))

    with (
        planted(e.square, formulas=(lambda out, x: 3 * x,)),
        pytest.raises(AssertionError) as caught,
    ):
        check_grads(energy, (np.ones(2), {"inner": np.array([2.0, 3.0])}), modes=("reverse",))
    message = str(caught.value)
    assert "energy" in message
    assert "reverse" in message
    assert "[1]['inner']" in message
    assert re.search(r"is [-.\de]+ along a random direction, expected [-.\de]+", message)
    assert "[2. 3.]" in message  # where


def test_a_wrong_convention_is_reported_by_the_ops_own_samples() -> None:
    with planted(e.relu, formulas=(lambda out, x: e.where(x >= 0, 1, 0),)):
        found = complaints(e.relu, check_gradient)
    assert len(found) == 1
    assert "relu" in found[0]
    assert "kink" in found[0]


@pytest.mark.parametrize(
    ("op", "parts", "label"),
    [
        pytest.param(
            e.maximum,
            {
                "formulas": (
                    lambda out, x, y: e.where(x >= y, 1, 0),
                    lambda out, x, y: e.where(x >= y, 0, 1),
                )
            },
            "maximum",
            id="ties of maximum",
        ),
        pytest.param(
            e.absolute, {"formulas": (lambda out, x: e.where(x >= 0, 1, -1),)}, "abs", id="abs at 0"
        ),
        pytest.param(
            e.power,
            {"formulas": (lambda out, x, y: y * x ** (y - 1), lambda out, x, y: out * e.log(x))},
            "pow(x,y)",
            id="powers at 0",
        ),
        pytest.param(r.max_, {"vjp_rule": _first_of_ties}, "max", id="ties of max"),
        pytest.param(
            e.where,
            {
                "vjp_rule": lambda g, out, c, x, y: (
                    None,
                    g * e.astype(c, g.dtype),
                    g * e.astype(e.logical_not(c), g.dtype),
                )
            },
            "where",
            id="no selection",
        ),
    ],
)
def test_a_broken_convention_is_reported_by_the_records(op: Any, parts: Any, label: str) -> None:
    records = [record for record in checker.read_records() if label in record.op]
    assert records
    with planted(op, **parts):
        found = [text for record in records for text in checker.check(record)]
    assert any("gradient in" in text for text in found)
    assert not [text for record in records for text in checker.check(record)]


# -- rules that break their contract -----------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "parts", "message"),
    [
        pytest.param(
            e.sin, {"formulas": (lambda out, x: e.astype(e.cos(x), "float32"),)},
            "'sin' has type float32", id="another dtype",
        ),
        pytest.param(
            r.sum_, {"vjp_rule": lambda g, out, x, *, axis, keepdims: g}, "'sum' has type float64",
            id="another shape",
        ),
        pytest.param(
            c.matmul, {"vjp_rule": lambda g, out, x, y: c.matmul(g, c.matrix_transpose(y))},
            "'matmul' returns 1 cotangents for 2 operands", id="too few",
        ),
        pytest.param(
            r.sum_, {"vjp_rule": _sum_squared}, "vjp of 'sum' is not linear", id="not linear",
        ),
    ],
)  # fmt: skip
def test_a_rule_that_breaks_its_contract_is_named(op: Any, parts: Any, message: str) -> None:
    with planted(op, **parts):
        found = complaints(op, check_gradient)
    assert any(message in text and text.startswith("RuleError") for text in found), found


def test_an_op_without_a_derivative_is_named_with_the_users_line() -> None:
    def model(x: Any) -> Any:
        flipped = ug.flip(x)  # the line that is told
        return ug.sum(flipped * x)

    with (
        planted(s.flip, vjp_rule=None),
        pytest.raises(DifferentiationError, match="'flip'") as caught,
    ):
        ug.grad(model)(np.ones(3))
    note = "\n".join(caught.value.__notes__)
    assert "flipped = ug.flip(x)" in note
    assert "test_planted_rules.py" in note
    with planted(s.flip, vjp_rule=None), pytest.raises(DifferentiationError, match="'flip'"):
        ug.jvp(model, (np.ones(3),), (np.ones(3),))
    with planted(s.flip, vjp_rule=None):  # a constant needs no derivative
        assert ug.grad(lambda x: ug.sum(ug.flip(ug.stop_gradient(x)) * x))(np.ones(1)) == 1


def test_an_elementwise_op_without_formulas_is_named() -> None:
    with planted(e.atan, formulas=None), pytest.raises(DifferentiationError, match="'atan'"):
        ug.grad(ug.atan)(0.5)


# -- values ------------------------------------------------------------------------------------


def _index_of_smallest(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    return np.argmin(x, axis[0] if len(axis) == 1 else None, keepdims=keepdims)


@pytest.mark.parametrize(
    ("op", "reference", "message"),
    [
        pytest.param(e.exp, lambda x: np.exp(x) * (1 + 1e-9), "the value", id="a value"),
        pytest.param(e.less, np.less_equal, "the value", id="a comparison"),
        pytest.param(s.flip, lambda x, *, axis=None: x, "the value", id="a move"),
        pytest.param(
            r.argmax, _index_of_smallest,
            "the value", id="an index",
        ),
    ],
)  # fmt: skip
def test_a_wrong_reference_is_reported(op: Any, reference: Any, message: str) -> None:
    with planted(op, reference=reference):
        found = complaints(op, check_value)
    assert found
    assert all(op.name in text and message in text for text in found)
    assert not complaints(op, check_value)


def _row(op: Any, text: str) -> Any:
    known = numpy_dialect.DIALECT
    wrong = Dialect(
        "wrong", imports=known.imports, rows={op: text}, dtypes=known.dtypes, number=known.number
    )
    return wrong.templates[op]


@pytest.mark.parametrize(
    ("op", "text"),
    [
        pytest.param(e.tanh, "np.arctan(x)", id="another function"),
        pytest.param(e.subtract, "y - x", id="operands exchanged"),
        pytest.param(r.sum_, "x.sum(axis=axis)", id="keepdims forgotten"),
        pytest.param(e.log1p, "np.log(1.0 + x) * 1.0000001", id="a value"),
        pytest.param(e.square, "np.square(x).astype(np.float32)", id="a dtype"),
    ],
)
def test_a_wrong_row_is_reported(op: Any, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(numpy_dialect.DIALECT.templates, op, _row(op, text))
    found = complaints(op, check_value)
    assert found
    assert all(op.name in line for line in found)


def test_a_wrong_row_in_a_derivative_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    # The value of sin is right; its derivative is written with the wrong row.
    monkeypatch.setitem(numpy_dialect.DIALECT.templates, e.cos, _row(e.cos, "np.cos(x) * 1.0001"))
    assert not complaints(e.sin, check_value)
    assert complaints(e.sin, check_gradient)


def test_a_bundle_shows_the_same_difference() -> None:
    scenarios = [one for one in op_scenarios(e.tanh) if one.name == "tanh-float64"]
    groups = [one.args for one in scenarios]
    right = ug.function(probe(scenarios))(*groups)[0]
    with planted(e.tanh, formulas=(lambda out, x: 1 + out * out,)):
        wrong = ug.function(probe(scenarios))(*groups)[0]
    assert set(right) == set(wrong)
    np.testing.assert_array_equal(right["value"], wrong["value"])
    for name in set(right) - {"value"}:
        assert not np.allclose(right[name][0], wrong[name][0]), name


# -- what check_grads itself refuses -----------------------------------------------------------


def test_differences_that_say_nothing_are_refused() -> None:
    with pytest.raises(AssertionError, match="not finite"):
        check_grads(ug.log, (np.array([1.0, -1.0]),))


@pytest.mark.parametrize(
    "options",
    [{"modes": ("backward",)}, {"modes": ()}, {"order": 0}],
    ids=["mode", "no mode", "order"],
)
def test_arguments_without_a_meaning_are_refused(options: Any) -> None:
    with pytest.raises(ug.errors.ArgumentError):
        check_grads(ug.sin, (1.0,), **options)


def test_the_arguments_of_what_is_checked_come_as_a_tuple() -> None:
    with pytest.raises(
        ug.errors.ArgumentError, match="args is a tuple of arguments, got an ndarray"
    ):
        check_grads(ug.sin, np.ones(3))  # type: ignore[arg-type]
