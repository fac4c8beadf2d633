"""Equal results first, then times: what every row of the tables does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.ratio import Comparison, compare

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

__all__ = ["flat", "micros", "same", "timed"]


def flat(results: Any) -> list[np.ndarray]:
    """Return the arrays of a result in order, whatever nest of tuples they come in."""
    if isinstance(results, (tuple, list)):
        return [array for result in results for array in flat(result)]
    return [np.asarray(results.detach() if hasattr(results, "detach") else results)]


def same(ours: Any, rival: Any, rtol: float = 1e-10) -> None:
    """Compare every array of two results."""
    for mine, other in zip(flat(ours), flat(rival), strict=True):
        np.testing.assert_allclose(mine, other, rtol=rtol, atol=1e-12)


def timed(
    benchmark: BenchmarkFixture, ours: Callable[[], Any], rival: Callable[[], Any]
) -> Comparison:
    """Compare the two, and let pytest-benchmark time our side as well."""
    comparison = compare(ours, rival)
    benchmark.pedantic(ours, rounds=50, iterations=20, warmup_rounds=2)
    return comparison


def micros(comparison: Comparison) -> dict[str, float]:
    """Return what stands beside a ratio: the noise, and both times in microseconds."""
    return {
        "control": comparison.control,
        "ours_us": comparison.ours * 1e6,
        "rival_us": comparison.rival * 1e6,
    }
