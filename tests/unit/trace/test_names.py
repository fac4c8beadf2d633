"""The names of the user's variables in what is written, however they were assigned."""

from __future__ import annotations

from typing import Any

import numpy as np

import unigrad as ug


def lines_of(function: Any, *like: Any) -> list[str]:
    source = ug.function(function).source("numpy", *like)
    return [line.partition("  #")[0].strip() for line in source.splitlines()]


def test_what_is_unpacked_is_named_by_its_place() -> None:
    def decay(p: Any, t: Any) -> Any:
        height, rate, floor = p
        return height * ug.exp(-rate * t) + floor * p[1]

    lines = lines_of(decay, "float64[3]", "float64[n]")
    assert {"height = p[0]", "rate = p[1]", "floor = p[2]"} <= set(lines)


def test_each_of_several_has_its_own() -> None:
    def model(x: Any, y: Any) -> Any:
        u, v = np.exp(x), np.exp(y)
        a, b, c = u * v, u + v, u - v
        first = second = a * b
        if (third := ug.sin(first)) is not None:
            pass
        return first + second + third * third * c * c + a

    lines = lines_of(model, "float64[2]", "float64[2]")
    assert {"u = np.exp(x)", "v = np.exp(y)", "a = u * v", "c = u - v"} <= set(lines)
    assert "first = a * b" in lines
    assert "third = np.sin(first)" in lines


def test_an_element_that_no_variable_takes_has_no_name() -> None:
    def total(x: Any) -> Any:
        y = x * x
        return sum(element * element for element in y)

    assert not any(line.startswith("element") for line in lines_of(total, "float64[2]"))
