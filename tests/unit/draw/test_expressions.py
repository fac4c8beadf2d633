"""Expressions read as on a blackboard, and mean what was computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from unigrad.draw.expressions import expressions, number

if TYPE_CHECKING:
    from collections.abc import Callable

X = "float64[3, 4]"


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda x, y: x + y * 2, "x + y·2"),
        (lambda x, y: (x + y) * 2, "(x + y)·2"),
        (lambda x, y: x - (y - x), "x - (y - x)"),
        (lambda x, y: (x - y) - x, "x - y - x"),
        (lambda x, y: x / (y * x), "x / (y·x)"),
        (lambda x, y: x / y / x, "x / y / x"),
        (lambda x, y: -(x + y), "-(x + y)"),
        (lambda x, y: x * -y, "x·(-y)"),
        (lambda x, y: (-x) ** 2, "(-x)²"),
        (lambda x, y: x**y, "x^y"),
        (lambda x, y: x ** (y + 1), "x^(y + 1)"),
        (lambda x, y: (x**2) ** 3, "(x²)³"),
        (lambda x, y: x**-1, "x⁻¹"),
        (lambda x, y: 2 * x**0.5, "2·x^0.5"),
        (lambda x, y: x * x, "x²"),
        (lambda x, y: ug.square(x) * 3, "x²·3"),
        (lambda x, y: ug.reciprocal(x + y), "1 / (x + y)"),
        (lambda x, y: abs(x - y), "|x - y|"),
        (lambda x, y: ug.exp(-x) * y, "exp(-x)·y"),
        (lambda x, y: x @ y.T, "x @ yᵀ"),
        (lambda x, y: (x + y).T, "(x + y)ᵀ"),
        (lambda x, y: ug.sum(x, axis=0), "sum(x, axis=0)"),
        (lambda x, y: ug.sum(x), "sum(x)"),
        (lambda x, y: ug.where(x > y, x, 0.0), "where(x > y, x, 0)"),
        (lambda x, y: ug.clip(x, 0.0, 1.0), "clip(x, 0, 1)"),
        (lambda x, y: x[1:, 0], "x[1:3, 0]"),
        (lambda x, y: x[::2], "x[:3:2, :4]"),
        (lambda x, y: ug.astype(x, "float32"), "float32(x)"),
        (lambda x, y: ug.reshape(x, (12,)), "reshape(x, (12,))"),
        (lambda x, y: ug.einsum("ij,ij->i", x, y), "einsum(x, y, ij,ij->i)"),
    ],
)
def test_expressions(function: Callable[[Any, Any], Any], text: str) -> None:
    graph = ug.function(function).graph(X, X)
    names = {node: node.params[0] for node in graph.inputs}
    inner = [node for node in graph.nodes if node not in names]
    assert expressions(inner, names)[graph.outputs[0]].text == text


def test_long_expressions_are_cut() -> None:
    def long(x: Any) -> Any:
        for _ in range(5_000):
            x = ug.sin(x) + 1
        return x

    graph = ug.function(long).graph("float64")
    found = expressions(graph.nodes[1:], {graph.inputs[0]: "x"})
    text = found[graph.outputs[0]].text
    assert len(text) <= 38
    assert text.endswith("…")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, "3"), (-0.0, "-0"), (0.1, "0.1"), (True, "True"), (7, "7"), (float("inf"), "∞"),
        (float("-inf"), "-∞"), (float("nan"), "nan"), (1e300, "1e+300"), (np.float32(0.1), "0.1"),
        (np.array(2.5), "2.5"), (np.int8(3), "3"), (1 / 3, "0.3333333333333333"),
    ],
)  # fmt: skip
def test_numbers_are_shown_in_full(value: Any, text: str) -> None:
    assert number(value) == text


def test_numbers_are_shown_to_some_digits() -> None:
    assert number(1 / 3, digits=4) == "0.3333"
    assert number(123456.0, digits=3) == "123456"
