"""A named dimension as a number of the computation, as a known size is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import unigrad as ug

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "a mean": lambda x: ug.sum(x) / x.shape[0],
    "on the left": lambda x: ug.sum(x.shape[0] * x),
    "in arithmetic of sizes": lambda x: ug.sum(x) / (2 * x.shape[0] - 1),
    "in a condition": lambda x: ug.sum(ug.where(x > x.shape[0] - 3, x, 0)),
    "to a power": lambda x: ug.sum(x**2) ** 0.5 * x.shape[0],
    "all elements": lambda x: ug.sum(x) / x.size,
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_named_size_counts_as_the_number_that_it_is(name: str, dtype: str) -> None:
    f = FUNCTIONS[name]
    for g in (ug.function(f), ug.grad(f)):
        compiled = g.compile(f"{dtype}[n]")
        for count in (3, 5):
            x = np.arange(1.0, count + 1, dtype=dtype)
            got, want = np.asarray(compiled(x)), np.asarray(g(x))
            assert got.dtype == want.dtype
            np.testing.assert_allclose(got, want, rtol=1e-6)
