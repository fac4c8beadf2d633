"""Every rule, alone: it fires where it should, and both sides are the same function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.unit.passes.samples import SAMPLES
from tests.unit.passes.tools import arrays_for, assert_same, checked, graph_of
from unigrad.passes.norms import norms
from unigrad.passes.pipeline import BEFORE_DIFFERENTIATION, PIPELINE
from unigrad.passes.rewrite import Rewriting, Rule, rewriting
from unigrad.passes.stabilise import stabilise
from unigrad.testing.reference import evaluate
from unigrad.transforms.reverse import reverse

if TYPE_CHECKING:
    from collections.abc import Callable

    from unigrad.ir.nodes import Graph

RULES: dict[str, Rule] = {
    rule.name: rule for one in PIPELINE if isinstance(one, Rewriting) for rule in one.rules
}
BEFORE = {
    rule.name for one in BEFORE_DIFFERENTIATION if isinstance(one, Rewriting) for rule in one.rules
}
STABILISING = {rule.name for one in (stabilise, norms) for rule in one.rules}
# A softmax of what holds an infinity is NaN as a whole, which the same written out is not.
NOT_AT_INFINITY = {"softmax_written_out", "log_softmax_written_out"}
EVERY = [
    pytest.param(name, types, build, id=f"{name}-{number}")
    for name, samples in SAMPLES.items()
    for number, (types, build) in enumerate(samples)
]


def one_rule(name: str, graph: Graph) -> tuple[Graph, list[str]]:
    result, report = checked((rewriting("one", RULES[name]),), graph)
    return result, [firing.rule for firing in report]


def test_every_rule_of_the_pipeline_has_samples_and_nothing_else_has() -> None:
    assert set(SAMPLES) == set(RULES)
    assert set(RULES) >= BEFORE


@pytest.mark.parametrize("name", RULES)
def test_every_rule_says_why(name: str) -> None:
    reason = RULES[name].reason
    assert len(reason.split()) > 3
    assert reason[-1] in ".:"


@pytest.mark.parametrize(("name", "types", "build"), EVERY)
def test_rule_fires_and_keeps_the_value(
    name: str, types: tuple[str, ...], build: Callable[..., Any]
) -> None:
    graph = graph_of(build, *types)
    result, fired = one_rule(name, graph)
    assert name in fired
    for seed in range(5):
        arrays = arrays_for(graph, seed=seed)
        assert_same(evaluate(graph, arrays), evaluate(result, arrays))


@pytest.mark.parametrize(("name", "types", "build"), EVERY)
def test_rule_keeps_special_values(
    name: str, types: tuple[str, ...], build: Callable[..., Any]
) -> None:
    graph = graph_of(build, *types)
    result, _ = one_rule(name, graph)
    for seed in range(20):
        arrays = arrays_for(graph, special=True, infinite=name not in NOT_AT_INFINITY, seed=seed)
        wanted, found = evaluate(graph, arrays), evaluate(result, arrays)
        assert_same(wanted, found, where_finite=name in STABILISING)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize(("name", "types", "build"), EVERY)
def test_rule_keeps_other_dtypes(
    name: str, types: tuple[str, ...], build: Callable[..., Any], dtype: str
) -> None:
    graph = graph_of(build, *(text.replace("float64", dtype) for text in types))
    result, _ = one_rule(name, graph)
    arrays = arrays_for(graph)
    assert_same(evaluate(graph, arrays), evaluate(result, arrays))


@pytest.mark.parametrize(
    ("name", "types", "build"), [one for one in EVERY if one.values[0] in BEFORE]
)
def test_rule_before_differentiation_keeps_the_gradient(
    name: str, types: tuple[str, ...], build: Callable[..., Any]
) -> None:
    graph = graph_of(build, *types)
    wrt = tuple(i for i, type_ in enumerate(graph.input_types) if type_.is_floating)
    if not wrt or not graph.output_types[0].is_floating:
        return
    result, _ = one_rule(name, graph)
    before, after = reverse(graph, wrt, (0,)), reverse(result, wrt, (0,))
    for seed in range(12):
        infinite = name not in NOT_AT_INFINITY
        arrays = arrays_for(graph, special=seed > 2, infinite=infinite, seed=seed)
        arrays.append(np.ones_like(evaluate(graph, arrays)[0]))
        assert_same(
            evaluate(before, arrays), evaluate(after, arrays), where_finite=name in STABILISING
        )
