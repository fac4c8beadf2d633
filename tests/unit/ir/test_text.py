"""The textual form: prints and parses back to the same graph, and reads nothing else."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.ir.graphs import VALID, graphs, kind
from unigrad.errors import GraphFormatError, UnigradError, VerificationError
from unigrad.ir.dims import symbol
from unigrad.ir.nodes import CONSTANT, Graph, Node, Scope, array_of, scope, tensor
from unigrad.ir.rebuild import close
from unigrad.ir.text import fingerprint, from_text, to_text
from unigrad.ir.types import DTYPES, TensorType
from unigrad.ir.verify import verify
from unigrad.ops import apply, indexing, linalg, nn
from unigrad.ops.contraction import einsum, tensordot
from unigrad.ops.elementwise import (
    add,
    exp,
    multiply,
    sin,
)
from unigrad.ops.reduction import mean
from unigrad.ops.shape import (
    getitem,
)
from unigrad.ops.spec import OPS


def graph_of(function: Any, *types: str, name: str = "", input_names: str = "xyzuvw") -> Graph:
    """The graph of a function of nodes."""
    place = Scope()
    with scope(place):
        inputs = [place.input(kind(text), label) for text, label in zip(types, input_names)]  # noqa: B905
        found = function(*inputs)
    return Graph(inputs, found if isinstance(found, (list, tuple)) else [found], name=name)


def constant_graph(value: Any, **weak: bool) -> Graph:
    return graph_of(lambda: Scope().constant(value, **weak))


def assert_round_trip(graph: Graph) -> Graph:
    text = to_text(graph)
    again = from_text(text, OPS)
    verify(again)
    assert to_text(again) == text
    assert fingerprint(again) == fingerprint(graph)
    assert again.input_types == graph.input_types
    assert again.output_types == graph.output_types
    assert again.input_names == graph.input_names
    assert again.output_names == graph.output_names
    assert again.name == graph.name
    return again


# -- round trips -----------------------------------------------------------------------------------


@given(graphs())
@settings(deadline=None)
def test_every_graph_prints_and_parses_back(graph: Graph) -> None:
    assert_round_trip(graph)


@given(graphs())
@settings(deadline=None)
def test_a_graph_read_into_a_used_scope_is_the_same(graph: Graph) -> None:
    place = Scope()
    once = from_text(to_text(graph), OPS, place=place)
    twice = from_text(to_text(graph), OPS, place=place)
    assert to_text(once) == to_text(twice) == to_text(graph)


@pytest.mark.parametrize(
    "name", [name for name, op in OPS.items() if op.elementwise and not op.params]
)
def test_every_elementwise_op_prints_and_parses_back(name: str) -> None:
    op = OPS[name]
    for dtype in ("float64", "int64", "bool"):
        try:
            graph = graph_of(
                op, *[f"{dtype}[n, 1]", f"{dtype}[3]", f"{dtype}[]"][: len(op.operands)]
            )
        except UnigradError:
            continue
        assert_round_trip(graph)
        return
    pytest.fail(f"{name} takes none of the dtypes")


@pytest.mark.parametrize(
    ("function", "types"),
    [
        (linalg.cholesky, ["float64[3, 3]"]),
        (linalg.solve, ["float64[3, 3]", "float64[3]"]),
        (
            lambda a, b: linalg.solve_triangular(a, b, lower=True),
            ["float64[3, 3]", "float64[3, 2]"],
        ),
        (lambda a, b: tensordot(a, b, axes=((0,), (1,))), ["float64[n, 3]", "float64[2, n]"]),
        (lambda a, b: einsum("bij,bjk->bik", a, b), ["float64[n, 2, 3]", "float64[n, 3, 4]"]),
        (lambda a: getitem(a, (slice(None, None, -2), 1)), ["float64[5, 3]"]),
        (lambda a, i: indexing.take(a, i, axis=1), ["float64[5, n]", "int64[2]"]),
        (
            lambda a: indexing.index([a, Scope().constant([0, -1])], (indexing.PLACE,)),
            ["float64[5]"],
        ),
        (lambda a: mean(a, axis=0), ["float64[n, 3]"]),
        (nn.log_softmax, ["float32[n, 3]"]),
    ],
)
def test_ops_with_parameters_print_and_parse_back(function: Any, types: list[str]) -> None:
    assert_round_trip(graph_of(function, *types))


# -- the format ------------------------------------------------------------------------------------


def test_a_text_reads_and_prints_as_it_is() -> None:
    graph = from_text(VALID, OPS)
    verify(graph)
    assert to_text(graph) == VALID
    assert graph.name == "slope"
    assert graph.output_names == ("y", "['w']", "")
    assert str(graph.output_types[0]) == "float32[]"


def test_comments_blank_lines_and_foreign_line_ends_say_nothing() -> None:
    noisy = VALID.replace("\n", '  # %1 = "\r\n\r\n# nothing \r\n')
    assert to_text(from_text(noisy, OPS)) == VALID


def test_the_user_finds_variables_and_lines_in_the_comments() -> None:
    place = Scope()
    with scope(place):
        x = place.input(kind("float64[]"), "x")
        hidden = sin(x)
        out = exp(hidden)
    line = test_the_user_finds_variables_and_lines_in_the_comments.__code__.co_firstlineno + 4
    text = to_text(Graph([x], [out]), origins=True)
    assert f"  %1 = sin(%0) : float64[]  # hidden, test_text.py:{line}\n" in text
    assert to_text(from_text(text, OPS)) == to_text(Graph([x], [out]))


def test_what_is_read_has_no_origin_of_the_reader() -> None:
    place = Scope()
    graph = from_text(VALID, OPS, place=place)
    assert all(not node.origins for node in graph.nodes)
    assert place.origin is None


def test_equal_bodies_are_one_graph_as_if_they_were_traced_here() -> None:
    section = VALID[VALID.index("define") : VALID.index("graph slope")]
    vjp = VALID.splitlines()[12]
    text = VALID.replace("graph slope", section.replace("@1", "@2") + "graph slope")
    text = text.replace(vjp, vjp + "\n" + vjp.replace("%3 =", "%30 =").replace("@1", "@2"))
    text = text.replace(
        "  return y=", "  %31 = get(%30, position=1) : float64[n]\n  return y=%31, z="
    )
    place = Scope()
    graph = from_text(text, OPS, place=place)
    (body,) = {node.params[0] for node in graph.nodes if node.op is apply.vjp_of}
    again = from_text(VALID, OPS, place=place)
    assert [node.params[0] for node in again.nodes if node.op is apply.vjp_of] == [body]


def test_order_of_construction_leaves_no_trace() -> None:
    def forwards(x: Node) -> Node:
        first, second = sin(x), exp(x)
        return add(first, second)

    def backwards(x: Node) -> Node:
        second, first = exp(x), sin(x)
        return add(first, second)

    one, other = graph_of(forwards, "float64[n]"), graph_of(backwards, "float64[n]")
    assert to_text(one) == to_text(other)
    assert fingerprint(one) == fingerprint(other)


def test_nodes_of_several_scopes_that_are_equal_are_written_once() -> None:
    place, other = Scope(), Scope()
    with scope(place):
        x = place.input(kind("float64[]"), "x")
        left = multiply(x, 2.0)
    with scope(other):
        right = multiply(x, 2.0)
    assert left is not right
    assert to_text(Graph([x], [left, right])).count("multiply") == 1
    assert_round_trip(Graph([x], [left, right]))


def test_a_graph_without_inputs_or_outputs() -> None:
    assert to_text(assert_round_trip(Graph([], []))) == "unigrad graph 1\n\ngraph\n  return\nend\n"


def test_an_input_equals_no_other() -> None:
    graph = graph_of(lambda _, y: sin(y), "float64[]", "float64[]", input_names="xx")
    assert [node.op.name for node in assert_round_trip(graph).nodes] == ["input", "input", "sin"]
    assert "sin(%1)" in to_text(graph)


def test_a_chain_of_100000_nodes_prints_and_parses() -> None:
    place = Scope()
    with scope(place):
        x = out = place.input(kind("float64[3]"), "x")
        for _ in range(100_000):
            out = sin(out)
    graph = Graph([x], [out])
    text = to_text(graph)
    again = from_text(text, OPS)
    assert len(again) == 100_001
    assert to_text(again) == text


def test_graphs_within_graphs_2000_deep_print_and_parse() -> None:
    place = Scope()
    x = place.input(kind("float64[]"), "x")
    body = Graph([x], [x])
    for _ in range(2000):
        with scope(place):
            x = place.input(kind("float64[]"), "x")
            body = Graph([x], [apply.get(apply.vjp_of([x, x], body, (0,), (0,)), 1)])
    text = to_text(body)
    assert text.count("define @") == 2000
    assert to_text(from_text(text, OPS)) == text


# -- constants -------------------------------------------------------------------------------------

FLOATS = ["float16", "bfloat16", "float32", "float64", "complex64", "complex128"]


@pytest.mark.parametrize("dtype", [name for name in DTYPES if name != "bool"])
@given(data=st.data())
def test_constants_keep_every_bit(dtype: str, data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(), (1,), (0,), (2, 3), (3, 0, 2)]))
    count = int(np.prod(shape)) * DTYPES[dtype].itemsize
    raw = data.draw(st.binary(min_size=count, max_size=count))
    array = np.ndarray(shape, DTYPES[dtype].numpy, raw)
    graph = constant_graph(array)
    found = array_of(assert_round_trip(graph).outputs[0])
    assert found is not None
    assert found.shape == shape
    assert found.dtype == array.dtype
    assert found.tobytes() == raw


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "constant(0.5) : float64[]"),
        (-0.0, "constant(-0.0) : float64[]"),
        (float("nan"), "constant(nan) : float64[]"),
        (float("-inf"), "constant(-inf) : float64[]"),
        (1e-300, "constant(1e-300) : float64[]"),
        (np.float32(0.1), "constant(0.1) : float32[]"),
        (np.float16(0.1), "constant(0.1) : float16[]"),
        (ml_dtypes.bfloat16(0.1), "constant(0.10009765625) : bfloat16[]"),
        (3, "constant(3) : int64[]"),
        (np.uint64(2**64 - 1), "constant(18446744073709551615) : uint64[]"),
        (True, "constant(True) : bool[]"),
        (np.complex64(1 - 2j), "constant((1.0, -2.0)) : complex64[]"),
        (np.array([True, False]), 'constant("AQA=") : bool[2]'),
        (np.array([], np.float32), 'constant("") : float32[0]'),
        (np.array([1, 2], ">i2"), 'constant("AQACAA==") : int16[2]'),
    ],
)
def test_how_constants_are_written(value: Any, text: str) -> None:
    graph = constant_graph(value)
    assert f"  %0 = {text}\n" in to_text(graph)
    assert_round_trip(graph)


def test_large_constants_are_read_back() -> None:
    first, second = np.arange(30_000.0), np.arange(30_000.0)[::-1].copy()
    graph = graph_of(lambda x: [add(x, first), add(x, second)], "float64[]")
    again = assert_round_trip(graph)
    arrays = [array_of(node) for node in again.nodes if node.op is CONSTANT]
    np.testing.assert_array_equal(arrays, [first, second])


def test_constants_that_differ_have_different_fingerprints() -> None:
    values = [0.0, -0.0, float("nan"), False, 0, np.float32(0), np.zeros(1), np.zeros((1, 1))]
    prints = {fingerprint(constant_graph(value)) for value in values}
    prints.add(fingerprint(constant_graph(0.0, weak=True)))
    assert len(prints) == len(values) + 1


# -- fingerprints ----------------------------------------------------------------------------------


def test_names_are_not_in_the_fingerprint() -> None:
    renamed = (
        VALID.replace("slope", "other").replace("square", "body").replace("input(x)", "input(q)")
    )
    renamed = renamed.replace("y=%8", "out=%8").replace("\"['w']\"=", "")
    assert fingerprint(from_text(renamed, OPS)) == fingerprint(from_text(VALID, OPS))
    changed = (
        VALID.replace("keepdims=False", "keepdims=True")
        .replace("keepdims=True) : float64[]", "keepdims=True) : float64[1]")
        .replace("float32[]", "float32[1]")
    )
    assert fingerprint(from_text(changed, OPS)) != fingerprint(from_text(VALID, OPS))


def test_bodies_that_differ_in_names_count_once_in_the_fingerprint() -> None:
    def twice(first: str, second: str) -> Graph:
        def function(x: Node) -> list[Node]:
            outs: list[Node] = []
            for name in (first, second):
                inner = Scope(x.scope)
                with scope(inner):
                    inside = inner.input(tensor(x), name)
                    out = sin(inside)
                body, _ = close(inner, [inside], [out], name=name)
                outs.append(apply.get(apply.jvp_of([x, x], body, (0,)), 1))
            return outs

        return graph_of(function, "float64[]")

    assert to_text(twice("a", "b")).count("define") == 2
    assert fingerprint(twice("a", "b")) == fingerprint(twice("c", "c"))


def test_the_fingerprint_is_the_same_in_every_process() -> None:
    code = (
        "import sys; from unigrad.ops import apply, reduction, shape, special; "
        "from unigrad.ops.spec import OPS; from unigrad.ir.text import *; "
        "print(fingerprint(from_text(sys.stdin.read(), OPS)))"
    )
    found = {fingerprint(from_text(VALID, OPS))}
    for seed in ("1", "2"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        run = subprocess.run(
            [sys.executable, "-c", code],
            input=VALID,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(run.stdout.strip())
    assert len(found) == 1


# -- versions of ops -------------------------------------------------------------------------------


class Doubled:
    """A foreign op with a version and parameters without names."""

    name = "foreign.doubled"

    def __init__(self, version: int) -> None:
        self.version = version

    def infer(self, operands: tuple[Node, ...], params: tuple[Any, ...]) -> TensorType:
        if len(operands) != 1 or len(params) > 2:
            raise ValueError("takes one operand and two parameters at the most")
        return tensor(operands[0])


def test_the_version_of_an_op_is_carried() -> None:
    op = Doubled(3)
    graph = graph_of(lambda x: x.scope.node(op, (x,), ((1, ()), 'a\n"é')), "float64[]")
    text = to_text(graph)
    assert text.startswith("unigrad graph 1\nops: foreign.doubled/3\n")
    assert r'foreign.doubled(%0, (1, ()), "a\n\"\u00e9")' in text
    assert to_text(from_text(text, {op.name: op})) == text
    with pytest.raises(
        GraphFormatError, match=r"line 6, column 8: expected version 1 .* version 3"
    ):
        from_text(text, {op.name: Doubled(1)})
    assert fingerprint(graph) != fingerprint(
        graph_of(lambda x: x.scope.node(Doubled(2), (x,), ((1, ()), 'a\n"é')), "float64[]")
    )


@pytest.mark.parametrize(
    "params",
    [
        (None, True, 3, -0.0),
        (float("inf"), float("-inf"), 1e-5, 10**30),
        (symbol("n") * 2 + 1, (symbol("nan"), (symbol("float64"),))),
        (DTYPES["bool"], TensorType.parse("~int64[n//2, 3]"), "", "plain # not a comment"),
        ((), ((),), ((), 1), (1, (2, (3,)))),
        ("\ud800", "\u2028\x00", '"quoted" \\ and \t'),
    ],
)
def test_parameters_of_every_kind(params: tuple[Any, ...]) -> None:
    op = Doubled(1)
    for pair in itertools.pairwise(params):
        graph = graph_of(lambda x, pair=pair: x.scope.node(op, (x,), pair), "float64[]")
        again = from_text(to_text(graph), {op.name: op})
        assert repr(again.outputs[0].params) == repr(pair)
        assert to_text(again) == to_text(graph)


# -- what has no text ------------------------------------------------------------------------------


def test_a_parameter_without_a_text_is_named() -> None:
    graph = graph_of(lambda x: x.scope.node(Doubled(1), (x,), (len,)), "float64[]")
    with pytest.raises(VerificationError, match="parameter of type builtin_function_or_method"):
        to_text(graph)


def test_a_parameter_that_is_nested_too_deep_has_no_text() -> None:
    deep: Any = ()
    for _ in range(40):
        deep = (deep,)
    graph = graph_of(lambda x: x.scope.node(Doubled(1), (x,), (deep,)), "float64[]")
    with pytest.raises(VerificationError, match="parameter of type tuple"):
        to_text(graph)


def test_a_graph_that_is_not_closed_has_no_text() -> None:
    place = Scope()
    with scope(place):
        x, y = place.input(kind("float64[]"), "x"), place.input(kind("float64[]"), "y")
        out = add(x, y)
    with pytest.raises(VerificationError, match="input of another graph"):
        to_text(Graph([x], [out]))
    with pytest.raises(VerificationError, match="the same input twice"):
        to_text(Graph([x, y, x], [out]))


def test_a_node_with_several_results_is_no_output() -> None:
    graph = from_text(VALID, OPS)
    several = next(node for node in graph.nodes if isinstance(node.type, tuple))
    with pytest.raises(VerificationError, match="several results"):
        to_text(Graph(graph.inputs, [several]))
