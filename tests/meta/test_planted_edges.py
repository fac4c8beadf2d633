"""What the tests of edges are for is seen by them: counts in half precision, slices past an end."""

from __future__ import annotations

import numpy as np
import pytest

import unigrad as ug
from tests.conformance.test_slices_of_named_dimensions import run
from tests.conformance.test_values_at_the_edges import COUNT, EVEN
from unigrad.ops import key
from unigrad.ops.spec import OPS


@pytest.mark.parametrize("name", ["mean", "max", "logsumexp"])
def test_a_count_in_half_precision_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = EVEN.astype(np.float16)
    op = OPS[name]
    right = ug.grad(lambda x: op(x))(x)  # noqa: PLW0108  (traced anew)
    monkeypatch.setattr(op, "accumulates", False)
    wrong = ug.grad(lambda x: op(x))(x)  # noqa: PLW0108
    assert float(right[0]) == pytest.approx(1 / COUNT, rel=3e-2)
    assert not abs(float(wrong[0]) - 1 / COUNT) < 1e-6


def test_a_slice_that_is_counted_past_the_start_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key, "positive_part", lambda size: size)
    bare = ug.function(lambda x: [x[-3:]]).compile("float64[n]", target="numpy")
    (found,) = run("numpy", bare, np.arange(2.0))
    assert found.tolist() != [0.0, 1.0]
