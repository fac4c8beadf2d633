"""What is written in native mode, beyond the golden files."""

from __future__ import annotations

from typing import Any

import pytest

import unigrad as ug


@pytest.mark.parametrize("framework", ["torch", "tensorflow", "jax"])
def test_a_rule_of_ours_is_written_once_for_every_use_and_shape(framework: str) -> None:
    def twice(x: Any, y: Any) -> Any:
        return ug.sum(ug.hypot(x, 1.0)) + ug.sum(ug.hypot(y, 1.0))

    source = ug.grad(twice, autodiff="native").source(framework, "float64[3]", "float64[2, 2]")
    assert source.count("= differentiated(") == 1


def test_a_variable_for_the_result_of_source_names_nothing() -> None:
    text = ug.grad(lambda x: x * x, autodiff="native").source("jax", 1.0)
    assert "return x_ct" in text
