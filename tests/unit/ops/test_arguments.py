"""Arguments that no op can work with: refused while tracing, and named as the user called it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from unigrad.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError

if TYPE_CHECKING:
    from collections.abc import Callable

V, M = np.ones(3), np.ones((2, 3))


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: ug.zeros((-1, 2)), ShapeError, r"zeros: a size is 0 or more, got \(-1, 2\)"),
        (lambda: ug.broadcast_to(V, (-1, 3)), ShapeError, "broadcast_to: a size is 0 or more"),
        (lambda: ug.reshape(V, (-2,)), ShapeError, "reshape: a size is -1 or more"),
        (lambda: ug.eye(-1), ShapeError, "eye: a size is 0 or more"),
        (lambda: ug.permute_dims(M, 1), ShapeError, r"\(1,\) is no permutation of the 2 axes"),
        (lambda: ug.concat([V, M]), ShapeError, "concat: joined arrays have equally many axes"),
        (lambda: ug.concat([1.0, 2.0]), ShapeError, "concat: scalars have no axis .* ug.stack"),
        (lambda: ug.concat([M, M.T]), ShapeError, "concat: sizes differ on an axis other than 0"),
        (
            lambda: ug.stack([V, V[1:]]),
            ShapeError,
            r"stack: stacked .* float64\[3\] and float64\[2",
        ),
        (lambda: ug.roll(V, 1.5), ArgumentError, "roll: a shift is an int, got 1.5"),
        (lambda: ug.tril(V), ShapeError, r"tril: takes matrices \(..., n, m\), got shape \(3,\)"),
        (
            lambda: ug.take(V[:0], np.array([0])),
            ShapeError,
            "take: nothing can be taken along axis",
        ),
        (
            lambda: ug.tensordot(M @ M.T, M @ M.T, axes=((0, 0), (0, 1))),
            ShapeError,
            "tensordot: .* names an axis twice",
        ),
        (
            lambda: ug.linalg.solve(np.eye(3), V[1:]),
            ShapeError,
            r"solve: .* \(given: float64\[3, 3\] and float64\[2\]\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    call: Callable[[], Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        call()


@pytest.mark.parametrize(
    ("key", "kind", "message"),
    [
        (5, IndexRangeError, r"x\[...\]: index 5 is out of range for axis 0 of size 3"),
        ((0, 0), IndexRangeError, r"x\[...\]: 2 indices for 1 axes"),
        ("a", ArgumentError, r"x\[...\]: 'a' is no index: ints, slices, None, ..."),
        (1.5, ArgumentError, r"x\[...\]: an index array holds integers"),
        (slice(None, None, 0), ArgumentError, "the step of a slice is not 0"),
        (slice(0.5, 2), ArgumentError, "a slice is made of ints, got 0.5:2:None"),
        (slice("a"), ArgumentError, "a slice is made of ints"),
    ],
)
def test_an_index_is_made_of_integers(key: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        ug.function(lambda x: x[key])(V)


@pytest.mark.parametrize(
    "call",
    [
        ug.sin,
        ug.grad(ug.sum),
        ug.function(lambda x: x[0]),
        lambda z: ug.function(lambda x: x * z)(np.ones(2)),
        lambda z: ug.function(lambda x: 1j * x)(np.ones(2)),
        lambda z: ug.zeros(2, dtype=z.dtype),
    ],
)
def test_complex_numbers_wait_for_their_rules(call: Callable[[Any], Any]) -> None:
    """A gradient by some other convention would be a silent wrong answer."""
    with pytest.raises(DTypeError, match="complex numbers are not computed with"):
        call(np.ones(2, complex))


def test_triangles_of_booleans_are_boolean() -> None:
    full = np.ones((2, 2), bool)
    for make, wanted in ((ug.tril, np.tril), (ug.triu, np.triu)):
        assert make(full).dtype == np.bool_
        np.testing.assert_array_equal(make(full, k=1), wanted(full, k=1))
