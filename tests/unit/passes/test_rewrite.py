"""The walk that applies rules: types, names, barriers, reports, and rules that break contracts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.passes.tools import arrays_for, assert_same, checked, graph_of, names
from unigrad.errors import RuleError, ShapeError
from unigrad.ir.nodes import Graph, Node, Scope, scope
from unigrad.ir.source import variable_name
from unigrad.ir.types import DTYPES, TensorType
from unigrad.ops.apply import get, vjp_of
from unigrad.ops.elementwise import (
    astype,
    barrier,
    cos,
    exp,
    log,
    log1p,
    maximum,
    negative,
    sin,
    tanh,
)
from unigrad.ops.pattern import variables
from unigrad.ops.reduction import sum_
from unigrad.ops.shape import getitem, reshape
from unigrad.passes.pipeline import BEFORE_DIFFERENTIATION, PIPELINE, optimise_bodies, run
from unigrad.passes.rewrite import Report, rewriting, rule, rule_on, shared
from unigrad.testing.reference import evaluate

x, y, axis, keepdims = variables("x y axis keepdims")


@rule(log(1 + x))
def to_log1p(x: Node, out: Node) -> Any:
    """Exact near 0."""
    result: Any = log1p(x)
    return result if result.type is out.type else None


def test_a_rule_replaces_what_it_matches() -> None:
    graph = graph_of(lambda a: log(1 + a) * 3, "float64[4]")
    result, report = checked((rewriting("test", to_log1p),), graph)
    assert names(result) == ["log1p", "constant", "multiply"]
    (firing,) = report
    assert (firing.pass_name, firing.rule, firing.count) == ("test", "to_log1p", 1)
    assert firing.reason == "Exact near 0."


def test_a_rule_knows_where_it_is_written() -> None:
    assert to_log1p.file == __file__
    assert to_log1p.name in repr(to_log1p)
    assert str(to_log1p.line) in repr(to_log1p)


def test_nothing_to_do_gives_the_same_graph_back() -> None:
    graph = graph_of(lambda a: sin(a) * 3, "float64[4]")
    result, report = run(PIPELINE, graph)
    assert result is graph
    assert len(report) == 0
    assert str(report) == "nothing was rewritten"


def test_names_and_origins_are_inherited() -> None:
    def model(a: Any) -> Any:
        rate = log(1 + a)
        return rate * 1

    graph = graph_of(model, "float64[4]")
    result, report = checked(PIPELINE, graph)
    (node,) = result.nodes[1:]
    assert node.op is log1p
    assert variable_name(node) == "rate"
    lines = {firing.location.line for firing in report if firing.location is not None}
    first = model.__code__.co_firstlineno
    assert lines == {first + 1, first + 2}
    assert all(
        firing.location is not None and firing.location.file == __file__ for firing in report
    )
    assert f"{__file__}:{first + 1}: stabilise: log_of_one_plus: " in str(report)


def test_a_name_survives_the_node_that_bore_it() -> None:
    def model(a: Any) -> Any:
        wave = sin(a) * 1
        return exp(wave)

    result, _ = checked(PIPELINE, graph_of(model, "float64[4]"))
    assert [variable_name(node) for node in result.nodes if node.op is sin] == ["wave"]


def test_graph_attributes_are_kept() -> None:
    place = Scope()
    with scope(place):
        a: Any = place.input(TensorType(DTYPES["float64"], (4,)), "speed")
        unused = place.input(TensorType(DTYPES["int64"], ()), "unused")
        graph = Graph([a, unused], [a * 1, a + 0, a], name="model", output_names=["u", "v", "w"])
    result, _ = checked(PIPELINE, graph)
    assert result.input_names == ("speed", "unused")
    assert result.output_names == ("u", "v", "w")
    assert result.name == "model"
    assert result.outputs == (result.inputs[0],) * 3


def test_equal_expressions_become_one_also_the_other_way_round() -> None:
    graph = graph_of(lambda a, b: [a * b, b * a, maximum(a, b) - maximum(b, a), a - b, b - a],
                     "float64[4]", "float64[4]")  # fmt: skip
    result, _ = checked((rewriting("test"),), graph)
    assert sorted(names(result)) == ["maximum", "multiply", "subtract", "subtract", "subtract"]
    arrays = arrays_for(graph)
    assert_same(evaluate(graph, arrays), evaluate(result, arrays))


def test_barriers_are_neither_looked_through_nor_shared() -> None:
    place = Scope()
    with scope(place):
        a: Any = place.input(TensorType(DTYPES["float64"], (4,)), "a")
        first: Any = barrier(-a)
    with scope(Scope()):  # as two checkpoints make them: equal, and yet two
        second: Any = Node(barrier, first.operands, (), first.type, place, ())
    with scope(place):
        graph = Graph([a], [-first, -second, first + second, log(1 + barrier(a * 1))])
    result, report = checked(PIPELINE, graph)
    barriers = [node for node in result.nodes if node.op is barrier]
    assert len(barriers) == 3
    assert names(result).count("negative") == 3
    assert {firing.rule for firing in report} == {"log_of_one_plus", "unit_dropped"}


def test_a_rule_that_changes_a_type_is_named() -> None:
    @rule_on(sin)
    def narrowed(node: Any) -> Any:
        """Wrong on purpose."""
        return astype(node.operands[0], "float32")

    @rule(sum_(x, axis=axis, keepdims=keepdims))
    def flattened(x: Any) -> Any:
        """Wrong on purpose."""
        return x

    for wrong, build in ((narrowed, sin), (flattened, sum_)):
        with pytest.raises(RuleError, match=rf"{wrong.name}.*never changes a type"):
            run((rewriting("test", wrong),), graph_of(build, "float64[3]"))


def test_what_a_rule_makes_is_as_weak_as_what_it_replaces() -> None:
    @rule(x * 1)
    def strengthened(x: Any) -> Any:
        """Strong, where a number as weak as Python's is wanted: it does not apply."""
        return astype(x, x.dtype)

    @rule(sum_(x, axis=axis, keepdims=keepdims))
    def weakened(x: Any) -> Any:
        """Weak, where what was added up is strong: it is made strong."""
        return getitem(x, 0)

    weak, fired = run((rewriting("test", strengthened),), graph_of(lambda a: a * 1, "~float64"))
    assert (weak.output_types[0].weak, len(fired)) == (True, 0)
    strong, fired = run((rewriting("test", weakened),), graph_of(sum_, "~float64[3]"))
    assert (strong.output_types[0].weak, len(fired)) == (False, 1)


def test_a_rule_that_returns_no_node_of_the_graph_is_named() -> None:
    elsewhere = Scope().input(TensorType(DTYPES["float64"], (3,)), "elsewhere")

    @rule_on(sin)
    def numeric(node: Any) -> Any:
        """Wrong on purpose."""
        del node
        return 1.0

    @rule_on(sin)
    def foreign(node: Any) -> Any:
        """Wrong on purpose."""
        del node
        return elsewhere

    for wrong in (numeric, foreign):
        with pytest.raises(RuleError, match=f"{wrong.name}.*no node of this graph"):
            run((rewriting("test", wrong),), graph_of(sin, "float64[3]"))


def test_an_error_inside_a_rule_names_the_rule() -> None:
    @rule_on(sin)
    def misshapen(node: Any) -> Any:
        """Wrong on purpose."""
        return reshape(node.operands[0], (7,))

    with pytest.raises(ShapeError) as caught:
        run((rewriting("test", misshapen),), graph_of(sin, "float64[3]"))
    assert any("misshapen" in note for note in caught.value.__notes__)


def test_rules_without_an_end_are_named() -> None:
    @rule(sin(x))
    def grows(x: Any) -> Any:
        """Wrong on purpose."""
        return sin(x + 1) * 1

    with pytest.raises(RuleError, match=r"grows.*without an end"):
        run((rewriting("test", grows),), graph_of(sin, "float64[3]"))


def test_rules_that_undo_each_other_come_to_rest() -> None:
    @rule(sin(x))
    def there(x: Any) -> Any:
        """Half of a circle."""
        return cos(x)

    @rule(cos(x))
    def back(x: Any) -> Any:
        """The other half."""
        return sin(x)

    result, _ = checked((rewriting("test", there, back),), graph_of(sin, "float64[3]"))
    assert names(result) == ["sin"]


def test_a_rule_of_wrong_variables_is_refused_where_it_is_written() -> None:
    with pytest.raises(RuleError, match="takes 'z'"):

        @rule(x + y)
        def wrong(z: Any) -> Any:
            """Wrong on purpose."""
            return z


def test_a_wrong_value_is_caught_by_the_comparison() -> None:
    @rule(x * 2)
    def halved(x: Any) -> Any:
        """Wrong on purpose: a factor is lost."""
        return x

    graph = graph_of(lambda a: a * 2, "float64[4]")
    result, _ = run((rewriting("test", halved),), graph)
    arrays = arrays_for(graph)
    with pytest.raises(AssertionError):
        assert_same(evaluate(graph, arrays), evaluate(result, arrays))


def test_rules_see_what_other_rules_made() -> None:
    """One walk reaches the normal form: nothing is left for a second one."""
    graph = graph_of(lambda a: -(-(3 * (2 * (-a))) * 1) / -1 + 0, "float64[4]")
    result, _ = checked(BEFORE_DIFFERENTIATION, graph)
    assert names(result) == ["constant", "multiply"]
    again, report = run(BEFORE_DIFFERENTIATION, result)
    assert again is result
    assert len(report) == 0


def test_shared_tells_whether_a_node_is_read_elsewhere() -> None:
    seen: list[bool] = []

    @rule_on(negative)
    def watching(node: Any) -> Any:
        """Looks only."""
        seen.append(shared(node.operands[0]))

    def model(a: Any) -> Any:
        once, twice = sin(a), tanh(a)
        return [-once, -twice, exp(twice)]

    run((rewriting("test", watching),), graph_of(model, "float64[4]"))
    assert seen == [False, True]


def test_a_report_counts_by_line() -> None:
    def model(a: Any) -> Any:
        for _ in range(3):
            a = sin(a) * 1
        return a

    _, report = checked(PIPELINE, graph_of(model, "float64[4]"))
    (firing,) = report
    assert firing.count == 3
    assert "(3 times)" in str(firing)
    both = Report()
    both.extend(report)
    both.extend(report)
    assert [one.count for one in both] == [6]


def test_results_are_remembered_with_the_graph() -> None:
    graph = graph_of(lambda a: a * 1, "float64[4]")
    first, second = run(PIPELINE, graph), run(PIPELINE, graph)
    assert all(one is other for one, other in zip(first, second, strict=True))


def test_a_pass_may_be_any_function_of_a_graph() -> None:
    seen: list[list[str]] = []

    class Watching:
        name = "watching"

        def __call__(self, graph: Graph, report: Report) -> Graph:
            del report
            seen.append(names(graph))
            return graph

    graph = graph_of(lambda a: log(1 + a) * 1, "float64[4]")
    checked((rewriting("test", to_log1p), Watching(), *PIPELINE), graph)
    assert seen == [["constant", "log1p", "multiply"]]


def test_bodies_are_optimised_once_each_and_nowhere_else() -> None:
    body = graph_of(lambda a: log(1 + a) * 1, "float64[4]")
    place = Scope()
    with scope(place):
        a: Any = place.input(TensorType(DTYPES["float64"], (4,)), "a")
        several = vjp_of([a, a], body, (0,), (0,))
        other = vjp_of([sin(a), a], body, (0,), (0,))
        graph = Graph([a], [get(several, 1), get(other, 0) * 1])
    untouched, _ = checked(PIPELINE, graph)
    assert {node.params[0] for node in untouched.nodes if node.op is vjp_of} == {body}
    result, report = optimise_bodies(BEFORE_DIFFERENTIATION, graph)
    bodies = {node.params[0] for node in result.nodes if node.op is vjp_of}
    assert len(bodies) == 1
    assert names(bodies.pop()) == ["log1p"]
    assert names(result).count("multiply") == 1
    assert sum(firing.count for firing in report) == 2
    again, nothing = optimise_bodies(BEFORE_DIFFERENTIATION, result)
    assert again is result
    assert len(nothing) == 0


def test_a_chain_of_twenty_thousand_ops_needs_no_recursion() -> None:
    def chain(a: Any) -> Any:
        for _ in range(5_000):
            a = -tanh(sin(a) * 3)
        return a

    graph = graph_of(chain, "float64[2]")
    result, report = checked(PIPELINE, graph)
    assert len(result) == len(graph)
    assert len(report) == 0


def test_constants_of_the_same_bytes_and_other_dtypes_stay_apart() -> None:
    def model(a: Any, b: Any) -> Any:
        return [a * 2, b * 2, a + np.float64(-0.0), b - np.int64(0)]

    graph = graph_of(model, "float64[4]", "int64[4]")
    result, _ = checked(PIPELINE, graph)
    arrays = arrays_for(graph)
    assert_same(evaluate(graph, arrays), evaluate(result, arrays))
    assert names(result).count("multiply") == 2
