"""The checker of the convention must report what is wrong: planted mistakes, all of them.

The first part plants a wrong expectation beside a right function, the second a wrong function
beside the right expectation, the third wrong numbers in the comparison itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from tests.conformance.checker import (
    Record,
    check,
    check_together,
    decode,
    disagreement,
    read_records,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDS = read_records()
ONE_OF_EACH = {(record.op, record.dtype): record for record in RECORDS}.values()

ABS = Record(
    id="planted",
    op="abs",
    expr="ug.abs(x)",
    point="x=[-2, 0, 3]",
    inputs=[[-2.0, 0.0, 3.0]],
    dtype="float64",
    expected_value=[2.0, 0.0, 3.0],
    expected_grad=[[-1.0, 0.0, 3.0]],
    cotangent="ramp",
    reason="sign(x) times the cotangent 1, 2, 3",
)


@pytest.fixture(autouse=True)
def on_numpy() -> Iterator[None]:
    with ug.use("numpy", autodiff="graph"):
        yield


def _moved(value: Any) -> Any:
    """Return the same notation with another number in every place."""
    if isinstance(value, list):
        return [_moved(entry) for entry in value]
    if isinstance(value, str):
        return {"nan": 0.0, "inf": "-inf", "-inf": "inf"}[value]
    return value + 1e-2 * max(1.0, abs(value))


def _numbers(value: Any) -> bool:
    """Whether ``value`` holds at least one number to move, and is a promise."""
    return isinstance(value, (int, float, list)) or value in ("nan", "inf", "-inf")


@pytest.mark.parametrize("record", ONE_OF_EACH, ids=lambda record: f"{record.op}-{record.id}")
def test_a_moved_expectation_is_reported(record: Record) -> None:
    if _numbers(record.expected_value) and np.size(record.expected_value):
        wrong = replace(record, expected_value=_moved(record.expected_value))
        complaints = check(wrong)
        assert any("value is" in text for text in complaints), complaints
    for position, gradient in enumerate(record.gradients()):
        if gradient is not None and _numbers(gradient) and np.size(gradient):
            gradients = list(record.gradients())
            gradients[position] = _moved(gradient)
            complaints = check(replace(record, expected_grad=gradients))
            told = f"gradient in {'xyz'[position]} is"
            assert any(told in text for text in complaints), complaints


def test_a_right_record_is_not_reported() -> None:
    assert check(ABS) == []


@pytest.mark.parametrize(
    ("expr", "complaint"),
    [
        pytest.param("ug.abs(x) + 1e-3", "value is", id="wrong value"),
        pytest.param("ug.maximum(x, -x)", "", id="the same function by another op"),
        pytest.param("ug.abs(ug.stop_gradient(x))", "gradient in x is", id="no gradient"),
        pytest.param("x * ug.sign(x) + 1e-12 * x", "", id="within the tolerance"),
        pytest.param("abs(x) + 0 * abs(x) ** 0.5", "gradient in x is", id="wrong at the kink only"),
        pytest.param("ug.sum(ug.abs(x))", "value is shape ()", id="wrong shape"),
        pytest.param(
            "ug.astype(ug.abs(x), ug.float32)", "value is dtype float32", id="wrong dtype"
        ),
        pytest.param("ug.abs(x) + ug.no_such_name(x)", "value raises", id="an unexpected error"),
    ],
)
def test_a_wrong_function_is_reported(expr: str, complaint: str) -> None:
    complaints = check(replace(ABS, expr=expr))
    if complaint:
        assert any(complaint in text for text in complaints), complaints
        assert all(text.startswith("planted") for text in complaints), "the id names the record"
    else:
        assert complaints == []


@pytest.mark.parametrize("promise", ["RAISES", "RAISES_OR_NONFINITE"])
def test_a_missing_error_is_reported(promise: str) -> None:
    wrong = replace(ABS, expected_value=promise, expected_grad="UNSPECIFIED")
    assert any("expected an error" in complaint for complaint in check(wrong))


def test_a_foreign_error_does_not_pass_for_a_promised_one() -> None:
    wrong = replace(ABS, expr="[][0]", expected_value="RAISES", expected_grad="UNSPECIFIED")
    assert any("IndexError" in complaint for complaint in check(wrong))


def test_records_that_are_one_function_are_told_apart() -> None:
    wrong = replace(ABS, id="value", expected_value=[2.0, 0.0, 4.0])
    slope = replace(ABS, id="slope", expected_grad=[[-1.0, 0.5, 3.0]])
    silent = replace(ABS, id="silent", expected_value="RAISES")
    raising = replace(ABS, id="raising", expr="ug.max(ug.zeros((0,)))", expected_value="RAISES")
    integral = replace(ABS, id="integral", expr="ug.argmax(x)", expected_value=2)
    integral = replace(integral, expected_grad=None)
    found = check_together([ABS, wrong, slope, silent, raising, integral, ABS])
    assert [one.split()[0] for one in found] == ["silent", "value", "value", "slope"]
    together = [replace(integral, expected_value=1), ABS]
    assert [one.split()[0] for one in check_together(together)] == ["integral"]


def test_a_record_that_no_function_can_be_made_of_does_not_hide_the_others() -> None:
    wrong = replace(ABS, id="value", expected_value=[2.0, 0.0, 4.0])
    broken = replace(ABS, id="broken", expr="ug.no_such_name(x)")
    found = check_together([wrong, broken])
    assert {one.split()[0] for one in found} == {"value", "broken"}


def test_without_a_promise_nothing_is_compared_but_the_form() -> None:
    assert check(replace(ABS, expected_value="UNSPECIFIED", expected_grad="UNSPECIFIED")) == []


@pytest.mark.parametrize(
    ("got", "want", "agree"),
    [
        (np.nan, np.nan, True),
        (np.nan, 1.0, False),
        (1.0, np.nan, False),
        (np.inf, np.inf, True),
        (-np.inf, np.inf, False),
        (np.inf, 1e300, False),
        (1e300, np.inf, False),
        (np.nan, np.inf, False),
        (-0.0, 0.0, True),
        (1.0 + 5e-7, 1.0, True),
        (1.0 + 5e-6, 1.0, False),
        (5e-10, 0.0, True),
        (5e-9, 0.0, False),
    ],
)
def test_numbers_agree_by_the_stated_tolerance(got: float, want: float, agree: bool) -> None:
    different = disagreement(np.asarray(got), np.asarray(want), "float64")
    assert (different is None) is agree


def test_the_absolute_tolerance_grows_with_the_largest_expected_number() -> None:
    want = np.asarray([0.0, 1000.0, np.inf])
    assert disagreement(np.asarray([5e-7, 1000.0, np.inf]), want, "float64") is None
    assert disagreement(np.asarray([5e-6, 1000.0, np.inf]), want, "float64") is not None


def test_the_notation_of_arrays_is_read() -> None:
    np.testing.assert_array_equal(
        decode(["nan", "-inf", -0.0], "float64"), [np.nan, -np.inf, -0.0], strict=True
    )
    assert np.signbit(decode(-0.0, "float32"))
    assert decode({"empty": [0, 3]}, "float32").shape == (0, 3)
    assert decode(1, "float32").dtype == np.float32
