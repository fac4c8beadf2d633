"""Derivatives of large graphs: without recursion, in time and size that grow with the graph."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from tests.unit.transforms.graphs import count, expanded, graph_of, names, optimised
from unigrad.ops.apply import jvp_of, vjp_of
from unigrad.ops.elementwise import sin
from unigrad.transforms.expand import expand
from unigrad.transforms.forward import forward
from unigrad.transforms.reverse import reverse

if TYPE_CHECKING:
    from collections.abc import Callable

LONG = 100_000


def chain(length: int) -> Callable[..., Any]:
    """So many ops, one after the other."""

    def function(x: Any) -> Any:
        for number in range(length // 2):
            x = ug.sin(x) if number % 2 else x * 1.01
            x = x + 0.5
        return x

    return function


@pytest.mark.slow
def test_a_chain_of_a_hundred_thousand_ops() -> None:
    limit = sys.getrecursionlimit()
    function = ug.function(chain(LONG))
    x = 0.3
    value, slope = x, 1.0
    for number in range(LONG // 2):
        value, slope = (
            (np.sin(value), slope * np.cos(value)) if number % 2 else (value * 1.01, slope * 1.01)
        )
        value = value + 0.5
    graph = function.graph("float64[]")
    assert count(graph) == LONG
    assert function(x) == pytest.approx(value, rel=1e-12)
    found, gradient = ug.value_and_grad(function)(x)
    assert found == pytest.approx(value, rel=1e-12)
    assert gradient == pytest.approx(slope, rel=1e-9, abs=1e-300)
    assert ug.grad(function).source("numpy", x).count("np.cos(") == LONG // 4
    assert sys.getrecursionlimit() == limit


def test_a_long_chain_forward_and_twice() -> None:
    function = chain(20_000)
    first = expanded(ug.grad(function), "float64[]")
    second = expanded(ug.grad(ug.grad(function)), "float64[]")
    assert count(first) < 3 * 20_000
    assert count(second) < 8 * 20_000
    graph = graph_of(function, "float64[]")
    assert len(forward(graph, (0,))) < 4 * 20_000


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(lambda x, w: ug.sin(x) * w, id="elementwise"),
        pytest.param(lambda x, w: ug.nn.relu(x * w), id="relu"),
        pytest.param(lambda x, w: ug.where(x > 0, ug.sqrt(x), 0.0) + w, id="where"),
        pytest.param(lambda x, w: ug.where(w > 0, x, ug.log(x) * w), id="where, other branch"),
        pytest.param(lambda x, w: ug.maximum(x, w) + x, id="maximum"),
        pytest.param(lambda x, w: ug.where(x > 0, 0.0, ug.where(w > 0, x * w, 0.0)), id="nested"),
        pytest.param(lambda x, w: ug.sum(ug.where(x > 0, x, 0.0)) * w, id="sum of where"),
        pytest.param(lambda x, w: ug.logsumexp(x) * w, id="logsumexp"),
        pytest.param(lambda x, w: ug.prod(ug.abs(x)) + w, id="prod"),
        pytest.param(lambda x, w: ug.concat([x[1:], x[:1]]) * w, id="slices"),
        pytest.param(lambda x, w: ug.tril(ug.outer(x, w)) @ x, id="matrices"),
    ],
)
@pytest.mark.parametrize("kind", ["reverse", "forward", "forward over reverse"])
def test_derivatives_grow_with_the_graph(step: Any, kind: str) -> None:
    def sized(length: int) -> int:
        def function(x: Any, w: Any) -> Any:
            for _ in range(length):
                x = step(x, w)
            return ug.sum(x)

        def pushed(x: Any, w: Any, u: Any) -> Any:
            inner = ug.grad(function) if kind == "forward over reverse" else function
            return ug.jvp(lambda x: inner(x, w), (x,), (u,))[1]

        if kind == "reverse":
            return count(optimised(ug.grad(function, argnums=(0, 1)), "float64[3]", "float64[3]"))
        return count(optimised(ug.function(pushed), *["float64[3]"] * 3))

    # The first steps may be simpler than the others; after that each adds the same.
    five, ten, twenty = sized(5), sized(10), sized(20)
    assert twenty - ten <= 2 * (ten - five) + 2


def test_a_value_used_many_times_is_added_up_without_recursion() -> None:
    def function(x: Any) -> Any:
        total = x
        for number in range(5_000):
            total = total + x * float(number)
        return total

    assert ug.grad(function)(1.0) == 1 + sum(range(5_000))


def test_deep_nesting_of_selections_is_not_recursed_into() -> None:
    def function(x: Any) -> Any:
        found = ug.sqrt(x)
        for number in range(3_000):
            found = ug.where(x > float(number), found, 0.0)
        return found

    assert ug.grad(function)(1.5) == 0.0
    assert ug.grad(function)(3_000.25) == 0.5 / np.sqrt(3_000.25)


# -- nothing is done twice ---------------------------------------------------------------------


def test_equal_bodies_are_one_graph_and_are_differentiated_once() -> None:
    def function(x: Any, y: Any) -> Any:
        once = ug.grad(lambda z: ug.sin(z) * z)
        again = ug.grad(lambda z: ug.sin(z) * z)
        return once(x * y) + again(x / y) + once(x * y)

    nodes = ug.function(function).graph("float64[]", "float64[]").nodes
    derivatives = [node for node in nodes if node.op is vjp_of]
    assert len(derivatives) == 2
    first, second = (node.params[0] for node in derivatives)
    assert first is second
    assert reverse(first, (0,), (0,)) is reverse(second, (0,), (0,))


def test_bodies_that_differ_in_a_captured_value_are_one_graph() -> None:
    def function(x: Any) -> Any:
        less, more = x - 1, x + 1
        return ug.grad(lambda z: z * z * less)(x) + ug.grad(lambda z: z * z * more)(x)

    nodes = ug.function(function).graph("float64[]").nodes
    bodies = {node.params[0] for node in nodes if node.op is vjp_of}
    assert len(bodies) == 1


def test_bodies_that_differ_in_a_constant_are_two_graphs() -> None:
    def function(x: Any) -> Any:
        return ug.grad(lambda z: z * 2.0)(x) + ug.grad(lambda z: z * 3.0)(x)

    nodes = ug.function(function).graph("float64[]").nodes
    assert len({node.params[0] for node in nodes if node.op is vjp_of}) == 2


def test_value_and_gradient_share_the_forward_ops() -> None:
    def function(x: Any) -> Any:
        return ug.sum(ug.exp(ug.tanh(x)))

    graph = optimised(ug.value_and_grad(function), "float64[3]")
    assert names(graph).count("tanh") == 1
    assert names(graph).count("exp") == 1


def test_an_expansion_is_remembered() -> None:
    graph = ug.grad(ug.sin).graph("float64[]")
    assert expand(graph) is expand(graph)
    assert not [node for node in expand(graph).nodes if node.op in (vjp_of, jvp_of)]


def test_a_graph_without_transforms_is_its_own_expansion() -> None:
    graph = graph_of(lambda x: sin(x) * 2, "float64[]")
    assert expand(graph) is graph


def test_what_nobody_uses_of_a_derivative_is_not_computed() -> None:
    def product(x: Any, y: Any) -> Any:
        in_x, _ = ug.grad(lambda x, y: ug.sin(x) * ug.exp(y), argnums=(0, 1))(x, y)
        return in_x

    assert sorted(names(optimised(ug.function(product), "float64[]", "float64[]"))) == [
        "cos",
        "exp",
        "multiply",
    ]
