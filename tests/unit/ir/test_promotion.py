"""Promotion: the Array API within a kind, JAX's lattice across kinds, and Python's weak numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from unigrad.ir.types import TensorType, promote

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        ("int8[2]", "int32[2]", "int32"),
        ("uint8[2]", "int8[2]", "int16"),
        ("uint64[2]", "int64[2]", "float64"),
        ("float16[2]", "bfloat16[2]", "float32"),
        ("int64[2]", "float16[2]", "float16"),
        ("bool[2]", "uint8[2]", "uint8"),
        # a number of the array's kind, or of one to the left of it, takes the array's dtype
        ("float32[2]", "~float64", "float32"),
        ("float16[2]", "~int64", "float16"),
        ("int8[2]", "~bool", "int8"),
        # one of a kind further to the right brings its kind, and still no width
        ("int32[2]", "~float64", "~float64"),
        ("bool[2]", "~float64", "~float64"),
        ("bool[2]", "~int64", "~int64"),
        ("~int64", "~float64", "~float64"),
    ],
)
def test_two_types_have_one_dtype_in_either_order(a: str, b: str, wanted: str) -> None:
    for first, second in ((a, b), (b, a)):
        dtype, weak = promote(TensorType.parse(first), TensorType.parse(second))
        assert f"{'~' * weak}{dtype}" == wanted


@pytest.mark.parametrize("target", ["numpy", "torch:eager"])
@pytest.mark.parametrize(
    ("function", "dtype"),
    [
        (lambda x, mask, count: x * (1.0 - mask), "float32"),
        (lambda x, mask, count: ug.where(mask, count, 0.5) + x, "float32"),
        (lambda x, mask, count: (mask + 1) * count, "int32"),
        (lambda x, mask, count: count * 0.5, "float64"),
        (lambda x, mask, count: ug.exp(count * 0.5) * x, "float32"),
    ],
)
def test_a_number_met_on_the_way_does_not_widen_an_array(
    function: Callable[..., Any], dtype: str, target: str
) -> None:
    x, mask, count = np.ones(2, "float32"), np.array([True, False]), np.array([1, 2], "int32")
    with ug.use(target):
        assert ug.function(function)(x, mask, count).dtype == dtype
