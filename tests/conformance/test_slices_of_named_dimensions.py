"""Slices of an axis whose size is a name: right for every size, those below the bounds included."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import unigrad as ug
from tests.targets import of
from unigrad.backend import registry
from unigrad.ir.dim_text import parse_size
from unigrad.ir.dims import DimSyntaxError, evaluate, positive_part, symbol
from unigrad.ir.types import TensorType, as_dtype

BOUNDS = (None, -5, -3, -2, -1, 0, 1, 2, 4)
SLICES = [slice(start, stop) for start, stop in itertools.product(BOUNDS, BOUNDS)]
GIVEN = [slice(-3, None), slice(None, -3), slice(-5, -2)]


def run(target: str, bare: Any, *arrays: Any) -> list[Any]:
    runtime: Any = registry.runtime(registry.found(target.partition(":")[0]))
    found = bare(*[runtime.asarray(x, as_dtype(x.dtype), None) for x in arrays])
    return [np.asarray(runtime.to_numpy(one)) for one in found]


@pytest.mark.parametrize(
    "target",
    of(("numpy", "torch:eager", "jax:jit", "jax:eager", "tensorflow:eager", "tensorflow:graph")),
)
def test_every_slice_of_every_size(target: str) -> None:
    def taken(x: Any) -> list[Any]:
        return [x[one] for one in SLICES]

    def slopes(x: Any) -> list[Any]:
        return [ug.grad(lambda x, one=one: ug.sum(x[one] * x[one]))(x) for one in GIVEN]

    values = ug.function(taken).compile("float64[n]", target=target)
    gradients = ug.function(slopes).compile("float64[n]", target=target)
    for size in range(1, 7):
        x = np.arange(1.0, size + 1)
        for one, found in zip(SLICES, run(target, values, x), strict=True):
            np.testing.assert_array_equal(found, x[one], err_msg=f"{one} of {size}")
        for one, found in zip(GIVEN, run(target, gradients, x), strict=True):
            wanted = np.zeros(size)
            wanted[one] = 2 * x[one]
            np.testing.assert_array_equal(found, wanted, err_msg=f"{one} of {size}")


def test_the_shape_is_that_of_what_is_taken() -> None:
    n = symbol("n")
    for one in SLICES:
        graph = ug.function(lambda x, one=one: x[one]).graph("float64[n]")
        (size,) = graph.output_types[0].shape
        for length in range(1, 8):
            assert evaluate(size, {"n": length}) == len(range(length)[one]), one
    assert ug.function(lambda x: x[1:] - x[:-1]).graph("float64[n]").output_types[0].shape == (
        n - 1,
    )


@pytest.mark.parametrize("autodiff", ["graph", "native"])
@pytest.mark.parametrize("target", of(("torch:eager", "jax:jit", "tensorflow:graph")))
def test_shapes_of_slices_are_used(target: str, autodiff: str) -> None:
    def model(x: Any) -> tuple[Any, Any]:
        ends = x[-3:]
        return ug.grad(lambda y: ug.sum(ug.zeros(y[-3:].shape) + y[-3:] ** 2))(x), ug.ones(
            ends.shape
        )

    with ug.use(target, autodiff=autodiff):
        bare = ug.function(model).compile("float64[n]", target=target)
    for size in (1, 2, 3, 5):
        x = np.arange(1.0, size + 1)
        slope, ones = run(target, bare, x)
        assert ones.tolist() == [1.0] * min(size, 3)
        np.testing.assert_array_equal(slope[-3:], 2 * x[-3:])


def test_an_element_from_the_end_is_not_counted_past_the_start() -> None:
    last = ug.function(lambda x: [x[-3]]).compile("float64[n]", target="numpy")
    assert run("numpy", last, np.arange(4.0)) == [1.0]
    with pytest.raises(IndexError):
        last(np.arange(2.0))


def test_sizes_with_a_lower_end_print_and_parse() -> None:
    n = symbol("n")
    for size in (
        positive_part(n - 3),
        n - positive_part(n - 4),
        positive_part(2 * n - positive_part(n - 2) - 9),
    ):
        assert parse_size(str(size)) is size
    type_ = TensorType.parse("float64[max(n - 3, 0), 2, n]")
    assert type_.shape == (positive_part(n - 3), 2, n)
    assert TensorType.parse(str(type_)) is type_
    for text in ("max(n)", "max(n, 1)", "max(n, 0", "(n, 0)", "max()"):
        with pytest.raises(DimSyntaxError):
            parse_size(text)
