"""A function of plain arguments that uses a traced value of the trace around it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import unigrad as ug
from unigrad.errors import TracingError

TARGETS = [
    {"target": "numpy"},
    {"target": "torch", "autodiff": "graph"},
    {"target": "torch", "autodiff": "native"},
]


@pytest.fixture(params=TARGETS, ids=lambda one: "-".join(one.values()), autouse=True)
def _settings(request: Any) -> Any:
    if request.param["target"] != "numpy":
        pytest.importorskip("torch")
    with ug.use(**request.param):
        yield


def test_a_gradient_at_a_number_inside_a_gradient() -> None:
    assert ug.grad(lambda x: ug.grad(lambda y: x * y * y)(2.0))(3.0) == 4.0


def test_value_and_grad_at_a_number_inside_a_gradient() -> None:
    assert ug.grad(lambda x: ug.value_and_grad(lambda y: x * y)(2.0)[0])(3.0) == 2.0


def test_vjp_at_a_number_inside_a_gradient() -> None:
    assert ug.grad(lambda x: ug.vjp(lambda y: x * y * y, 2.0)[1](1.0)[0])(3.0) == 4.0


def test_a_function_of_an_array_inside_a_gradient() -> None:
    def outer(x: Any) -> Any:
        return ug.function(lambda y: ug.sum(x * y))(np.ones(3))

    assert ug.grad(outer)(2.0) == 3.0


def test_two_levels_around() -> None:
    def outer(x: Any) -> Any:
        return ug.grad(lambda y: ug.grad(lambda z: x * y * z)(1.0))(2.0)

    assert ug.grad(outer)(3.0) == 1.0


def test_a_pullback_takes_a_traced_cotangent() -> None:
    assert ug.grad(lambda c: ug.vjp(lambda y: y * y, 2.0)[1](c)[0])(3.0) == 4.0


def test_a_pullback_from_outside_takes_a_traced_cotangent() -> None:
    _, pullback = ug.vjp(lambda y: y * y, 2.0)
    assert ug.grad(lambda c: pullback(c)[0])(3.0) == 4.0


def test_a_function_of_plain_arguments_alone_still_runs_at_once() -> None:
    seen = []

    def outer(x: Any) -> Any:
        seen.append(float(ug.grad(lambda y: y * y)(3.0)))
        return x * seen[-1]

    assert ug.grad(outer)(1.0) == 6.0
    assert seen == [6.0]


def test_a_value_whose_function_has_returned_is_refused() -> None:
    kept = []
    ug.function(lambda x: kept.append(x) or x)(1.0)
    with pytest.raises(TracingError, match="used after the function that made it had returned"):
        ug.grad(lambda x: ug.grad(lambda y: y * kept[0])(2.0) * x)(3.0)
