"""Patterns: how they are written, what they match, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from unigrad.errors import ArgumentError, RuleError
from unigrad.ir.nodes import Node, Scope, scope
from unigrad.ir.types import DTYPES, TensorType
from unigrad.ops.contraction import matmul
from unigrad.ops.elementwise import add, exp, log, maximum, negative, power, subtract, where
from unigrad.ops.linalg import tril
from unigrad.ops.pattern import Index, constant_of, match, number, number_of, variables
from unigrad.ops.reduction import sum_
from unigrad.ops.shape import broadcast_to, concat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

x, y, z, axis, keepdims = variables("x y z axis keepdims")
TRUE = True


class Nodes:
    """Inputs in an open scope."""

    def __init__(self) -> None:
        self.place = Scope()
        self.a, self.b, self.c = (
            self.place.input(TensorType(DTYPES["float64"], (2, 3)), name) for name in "abc"
        )  # type: Any

    def constant(self, value: Any, dtype: str = "float64") -> Node:
        return self.place.constant(value, DTYPES[dtype])


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    made = Nodes()
    with scope(made.place):
        yield made


def test_variables_stand_for_nodes(nodes: Nodes) -> None:
    a, b = nodes.a, nodes.b
    assert match(x - y, a - b) == {"x": a, "y": b}
    assert match(x - y, a + b) is None
    assert match(exp(x) - y, a - b) is None
    assert match(exp(x) - y, exp(a) - b) == {"x": a, "y": b}


def test_a_variable_used_twice_matches_one_node(nodes: Nodes) -> None:
    assert match(x - x, nodes.a - nodes.a) == {"x": nodes.a}
    assert match(x - x, nodes.a - nodes.b) is None


@pytest.mark.parametrize("op", [add, maximum])
def test_commutative_ops_match_in_both_orders(nodes: Nodes, op: Callable[..., Any]) -> None:
    pattern = op(exp(x), y)
    for node in (op(exp(nodes.a), nodes.b), op(nodes.b, exp(nodes.a))):
        assert match(pattern, node) == {"x": nodes.a, "y": nodes.b}
    assert match(subtract(exp(x), y), nodes.b - exp(nodes.a)) is None


def test_a_repeated_variable_is_found_in_every_order(nodes: Nodes) -> None:
    a, b, c = nodes.a, nodes.b, nodes.c
    for node in (a * c + b * c, c * a + b * c, a * c + c * b, c * a + c * b):
        found = match(x * z + y * z, node)
        assert found is not None
        assert found["z"] is c
        assert {found["x"], found["y"]} == {a, b}


def test_numbers_match_constants_of_every_dtype_broadcast_or_not(nodes: Nodes) -> None:
    single = nodes.place.input(TensorType(DTYPES["float32"], (3,)), "single")
    assert match(1 + x, 1 + nodes.a) == {"x": nodes.a}
    assert match(1 + x, single + 1) == {"x": single}
    assert match(1 + x, broadcast_to(nodes.constant(1.0), (2, 3)) + nodes.a) == {"x": nodes.a}
    assert match(1 + x, 2 + nodes.a) is None
    assert match(1 + x, nodes.a + nodes.b) is None
    assert match(1 + x, nodes.constant([1.0, 1.0, 1.0]) + nodes.a) is None


def test_truth_values_are_no_numbers(nodes: Nodes) -> None:
    c = number("c")
    chosen = where(nodes.constant(value=True, dtype="bool"), nodes.a, nodes.b)
    assert match(where(TRUE, x, y), chosen) is not None
    assert match(where(1, x, y), chosen) is None
    assert match(where(c, x, y), chosen) is None


def test_a_number_variable_takes_numbers_alone(nodes: Nodes) -> None:
    pattern = number("c") * x
    found = match(pattern, nodes.a * 2.5)
    assert found is not None
    assert number_of(found["c"]) == 2.5
    assert found["x"] is nodes.a
    assert match(pattern, nodes.a * nodes.b) is None


def test_a_predicate_decides(nodes: Nodes) -> None:
    (narrow,) = variables("x", lambda node: node.ndim == 1)
    (first,) = variables("axis", lambda axes: axes == (0,))
    pattern = sum_(exp(x), axis=first, keepdims=keepdims)
    assert match(exp(narrow), exp(nodes.a)) is None
    assert match(pattern, sum_(exp(nodes.a), axis=1)) is None
    assert match(pattern, sum_(exp(nodes.a), axis=0)) == {
        "x": nodes.a, "axis": (0,), "keepdims": False,
    }  # fmt: skip


def test_parameters_are_variables_or_normalised_literals(nodes: Nodes) -> None:
    pattern = sum_(x, axis=axis, keepdims=True)
    assert match(pattern, sum_(nodes.a, axis=-1, keepdims=True)) == {"x": nodes.a, "axis": (1,)}
    assert match(pattern, sum_(nodes.a, axis=-1)) is None
    twice = sum_(sum_(x, axis=axis, keepdims=True), axis=axis, keepdims=True)
    inner = sum_(nodes.a, axis=0, keepdims=True)
    assert match(twice, sum_(inner, axis=0, keepdims=True)) is not None
    assert match(twice, sum_(inner, axis=1, keepdims=True)) is None


def test_variadic_ops_match_their_count(nodes: Nodes) -> None:
    pattern = concat([x, y], axis=axis)
    assert match(pattern, concat([nodes.a, nodes.b], axis=1)) == {
        "x": nodes.a, "y": nodes.b, "axis": 1,
    }  # fmt: skip
    assert match(pattern, concat([nodes.a, nodes.b, nodes.a], axis=1)) is None


def test_infix_operators_make_patterns(nodes: Nodes) -> None:
    a, b = nodes.a, nodes.b
    assert match(-(x**2), -(a**2)) == {"x": a}
    assert match(2 / x, 2 / a) == {"x": a}
    assert match(-x + y, b - a) is None
    assert repr(negative(power(x, 2))) == "negative(pow(x, 2))"


def test_a_fused_kernel_is_a_pattern(nodes: Nodes) -> None:
    weights = nodes.place.input(TensorType(DTYPES["float64"], (3, 4)), "w")
    bias = nodes.place.input(TensorType(DTYPES["float64"], (4,)), "b")
    pattern = matmul(x, y) + z
    assert pattern.variable_names == ("x", "y", "z")
    for node in (matmul(nodes.a, weights) + bias, bias + matmul(nodes.a, weights)):
        assert match(pattern, node) == {"x": nodes.a, "y": weights, "z": bias}


def test_a_parameter_left_out_is_refused() -> None:
    with pytest.raises(RuleError, match="leaves out keepdims"):
        sum_(x, axis=axis)
    with pytest.raises(RuleError, match="leaves out axis and keepdims"):
        log(sum_(exp(x)))


def test_what_is_no_pattern_is_refused(nodes: Nodes) -> None:
    with pytest.raises(RuleError, match="got array"):
        x + np.ones(3)
    with pytest.raises(RuleError, match="as a whole"):
        sum_(x, axis=(axis, 1), keepdims=False)
    with pytest.raises(RuleError, match="in other ops"):
        tril(x)
    with pytest.raises(ArgumentError, match="no argument 'axes'"):
        sum_(x, axis=axis, keepdims=True, axes=3)
    mixed = sum_(x, axis=x, keepdims=True)
    with pytest.raises(RuleError, match="for a node and for a parameter"):
        match(mixed, sum_(nodes.a))


def test_number_of_looks_through_a_broadcast_only(nodes: Nodes) -> None:
    assert number_of(broadcast_to(nodes.constant(2.5), (4,))) == 2.5
    assert number_of(nodes.a) is None
    assert number_of(-nodes.constant(2.5)) is None
    assert constant_of(nodes.constant([2.5])) is None


def test_an_index_offers_what_may_match_in_the_order_of_definition(nodes: Nodes) -> None:
    patterns = {"exp": exp(x) + y, "any": x + y, "one": 1 + x, "log": log(x)}
    index = Index((plan, name) for name, pattern in patterns.items() for plan in pattern.plans)

    def offered(node: Any) -> list[str]:
        return list(dict.fromkeys(name for _, name in index.candidates(node.op, node.operands)))

    assert offered(nodes.a + nodes.b) == ["any"]
    assert offered(nodes.b + exp(nodes.a)) == ["exp", "any"]
    assert offered(1 + exp(nodes.a)) == ["exp", "any", "one"]
    assert offered(log(nodes.a)) == ["log"]
    assert offered(exp(nodes.a)) == []
