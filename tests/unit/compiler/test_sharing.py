"""What a caller gets is the caller's own: writing to a result changes nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import unigrad as ug
from unigrad.errors import DifferentiationError


@pytest.mark.parametrize("target", ["numpy", "torch:eager"])
def test_a_gradient_is_not_the_argument_that_it_equals(target: str) -> None:
    z = np.arange(3.0)
    with ug.use(target):
        for _ in range(3):  # the general way, and the guard
            gradient = ug.grad(lambda b, z: b @ z)(np.ones(3), z)
            gradient *= -1.0
    np.testing.assert_array_equal(z, [0.0, 1.0, 2.0])


def test_two_equal_gradients_are_two_arrays() -> None:
    gradient = ug.grad(lambda p: ug.sum(p["a"] + p["b"]))({"a": np.ones(2), "b": np.ones(2)})
    gradient["a"] *= 5
    np.testing.assert_array_equal(gradient["b"], [1.0, 1.0])


def test_a_gradient_that_equals_a_captured_array_can_be_written_to() -> None:
    weights = np.ones(3)
    gradient = ug.grad(lambda x: ug.sum(x * weights))(np.ones(3))
    gradient[:] = 0
    np.testing.assert_array_equal(weights, np.ones(3))


def test_a_tensor_gradient_is_not_the_tensor_that_it_equals() -> None:
    b, z = torch.ones(3), torch.arange(3.0)
    for _ in range(3):
        gradient = ug.grad(lambda b, z: b @ z)(b, z)
        gradient.zero_()
    assert z.tolist() == [0.0, 1.0, 2.0]


def test_a_tape_does_not_end_in_silence() -> None:
    weights = torch.ones(3, dtype=torch.float64, requires_grad=True)
    with ug.use("numpy"), pytest.raises(DifferentiationError, match="on the tape of torch"):
        ug.function(lambda w: ug.sum(w**2))(weights)


def test_a_guest_comes_back_home() -> None:
    with ug.use("numpy"):
        value, gradient = ug.value_and_grad(lambda w: ug.sum(w**2))(torch.ones(3))
    assert isinstance(value, torch.Tensor)
    assert isinstance(gradient, torch.Tensor)
    assert gradient.dtype is torch.float32
    assert gradient.tolist() == [2.0, 2.0, 2.0]


def test_a_setting_among_the_arrays_of_a_structure_stays_what_it_is() -> None:
    function = ug.value_and_grad(lambda p: (ug.sum(p["w"] ** 2), {"note": "hi"}), has_aux=True)
    (value, aux), gradient = function({"w": np.ones(2), "name": "weights"})
    assert (float(value), aux) == (2.0, {"note": "hi"})
    assert gradient["name"] == "weights"
    np.testing.assert_array_equal(gradient["w"], [2.0, 2.0])


def test_a_zero_that_the_user_multiplies_by_hides_no_infinity() -> None:
    assert np.isnan(ug.grad(lambda x: x * 0.0 * np.inf)(1.0))
