"""What the caches keep, what they let go, and what they tell apart."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from typing import Any

import numpy as np
import pytest

import unigrad as ug
from unigrad.errors import ArgumentError


def test_a_function_and_what_it_closes_over_are_let_go() -> None:
    class Big:
        array = np.ones(20_000)

    def made() -> Any:
        big = Big()

        def total(x: Any) -> Any:
            return ug.sum(x * big.array)

        x = np.ones(20_000)
        ug.function(total)(x)
        ug.grad(total)(x)
        ug.vjp(total, x)[1](1.0)
        ug.jvp(total, (x,), (x,))
        return weakref.ref(total), weakref.ref(big)

    function, big = made()
    gc.collect()
    assert function() is None
    assert big() is None


def test_an_object_whose_method_ran_is_let_go() -> None:
    class Model:
        @ug.function
        def twice(self, x: Any) -> Any:
            return 2 * x

    model = Model()
    assert model.twice(1.0) == 2.0
    assert ug.grad(model.twice)(1.0) == 2.0
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None


def test_objects_that_are_equal_have_caches_of_their_own() -> None:
    class Model:
        def __init__(self, factor: Any) -> None:
            self.factor = factor

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Model)

        def __hash__(self) -> int:
            return 1

        @ug.function
        def scaled(self, x: Any) -> Any:
            return self.factor * x

    three, five = Model(3.0), Model(5.0)
    assert (three.scaled(2.0), five.scaled(2.0)) == (6.0, 10.0)


def test_static_arguments_that_python_counts_as_equal_are_told_apart() -> None:
    @ug.function(static="factors")
    def scaled(x: Any, factors: Any) -> Any:
        return x * factors[0]

    x = np.ones(2, np.int32)
    assert scaled(x, (2,)).dtype == np.int32
    assert scaled(x, (2.0,)).dtype == np.float64

    @ug.function(static="sign")
    def signed(x: Any, sign: Any) -> Any:
        return ug.copysign(x, sign)

    assert signed(1.0, 0.0) == 1.0
    assert signed(1.0, -0.0) == -1.0


def test_nan_as_a_static_argument_is_traced_once() -> None:
    @ug.function(static="fill")
    def filled(x: Any, fill: Any) -> Any:
        return ug.where(x > 0, x, fill)

    for _ in range(3):
        filled(1.0, float("nan"))
    assert filled.cache_info().traces == 1


def test_a_static_name_that_is_no_argument_is_refused() -> None:
    with pytest.raises(ArgumentError, match="static names 'axes', which is no argument of total"):

        @ug.function(static="axes")
        def total(x: Any, axis: Any) -> Any:
            return ug.sum(x, axis=axis)


def test_none_as_the_result() -> None:
    assert ug.function(lambda x: None)(1.0) is None
    assert ug.function(lambda x: {"a": None})(1.0) == {"a": None}


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f))]
)
def test_ops_and_their_gradients_are_copied(again: Any) -> None:
    assert again(ug.sin) is ug.sin
    assert again(ug.grad(ug.sin))(0.0) == 1.0


def test_the_log_says_that_numpy_has_no_derivatives_of_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def square(x: Any) -> Any:
        return x * x

    with caplog.at_level("INFO", "unigrad"):
        ug.grad(square, target="numpy")(3.0)
        ug.function(square, target="numpy", autodiff="native")(3.0)
        assert "derivatives" not in caplog.text
        ug.grad(square, target="numpy", autodiff="native")(3.0)
    assert caplog.messages[0] == "compiling square_grad for numpy, of Python float"
    told = "numpy has no derivatives of its own: square_grad has those of unigrad"
    assert caplog.messages[-1] == told
