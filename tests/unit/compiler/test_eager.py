"""Ops called on arrays at once: each call is a small function, which is remembered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import unigrad as ug
from unigrad.errors import ArgumentError


@pytest.mark.parametrize("values", [(1, 1.0, True), (True, 1, 1.0), (0.0, -0.0, False)])
def test_numbers_that_python_counts_as_equal_make_different_arrays(values: tuple[Any, ...]) -> None:
    for value in values:
        made, wanted = ug.full((2,), value), np.full((2,), value)
        assert made.dtype == wanted.dtype
        assert np.signbit(made.astype(float)).tolist() == np.signbit(wanted.astype(float)).tolist()


def test_an_axis_that_equals_another_is_still_checked() -> None:
    assert ug.sum(np.ones((2, 3)), axis=1).tolist() == [3.0, 3.0]
    for axis in (1.0, True):
        with pytest.raises(ArgumentError, match="an axis is an int"):
            ug.sum(np.ones((2, 3)), axis=axis)  # type: ignore[arg-type]


def test_parameters_may_come_as_arrays_of_integers() -> None:
    assert ug.zeros(np.array([2, 3])).shape == (2, 3)
    assert ug.sum(np.ones((2, 3)), axis=np.array(1)).shape == (2,)
    assert ug.reshape(np.ones(6), np.array([3, -1])).shape == (3, 2)


def test_a_parameter_that_cannot_be_remembered_is_named() -> None:
    wanted = "var: correction is a Python value that is known beforehand, got ndarray"
    with pytest.raises(ArgumentError, match=wanted):
        ug.var(np.ones(3), correction=np.ones(3))  # type: ignore[arg-type]


@pytest.mark.parametrize("correction", ["1", None, [1], 1j])
def test_a_correction_is_a_number(correction: Any) -> None:
    with pytest.raises(ArgumentError, match="var: correction is a Python number, got"):
        ug.var(np.ones(3), correction=correction)
