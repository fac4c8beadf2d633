"""What is no graph is refused with line and column, whatever it is."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.unit.ir.graphs import VALID, graphs
from unigrad.errors import GraphFormatError
from unigrad.ir.text import from_text, to_text
from unigrad.ops.spec import OPS


def edited(old: str, new: str) -> str:
    assert VALID.count(old) >= 1
    return VALID.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "the text ends where 'unigrad graph 1' should stand"),
        ("import os", 1, 1, "this is no graph"),
        (edited("graph 1", "graph 2"), 1, 15, "expected format 1, found format 2"),
        (edited("graph 1", "graph 1 1"), 1, 17, "expected the end of the line, found '1'"),
        (edited("graph 1", "graph 1.5"), 1, 15, "expected a whole number"),
        (edited("graph 1\n", "graph 1\nops: sin/2 sin/2\n"), 2, 12, "given twice"),
        (edited("graph 1\n", "graph 1\nops: sum/2\n"), 18, 8, "expected version 1 of sum"),
        (edited("define @1 ", "define "), 3, 8, "expected a graph such as @1, found 'square'"),
        (edited("multiply(%0, %0)", "multiply(%0, %1)"), 5, 21, "%1 is not defined above"),
        (edited("multiply(%0, %0)", "multiply(%0)"), 5, 8, "expected 2 operands, found 1"),
        (edited("multiply(%0, %0)", "multiply(%0, %0, %0)"), 5, 8, "expected 2 operands, found 3"),
        (edited("multiply(", "multiplied("), 5, 8, "there is no op 'multiplied'"),
        (edited("multiply(", "__import__("), 5, 8, "there is no op '__import__'"),
        (edited("float64[n]\n  return", "float32[n]\n  return"), 5, 8, "the text says float32"),
        (edited("float64[n]\n  return", "float64[m]\n  return"), 5, 8, "the text says float64"),
        (edited("%1 = mul", "%0 = mul"), 5, 3, "%0 is defined twice"),
        (edited("  return %1\n", ""), 6, 1, "expected a node such as %0, or 'return', found 'end'"),
        (edited("end\n", ""), 8, 1, "expected 'end', found 'graph'"),
        (edited("graph slope", "define @1"), 9, 8, "@1 is defined twice"),
        (edited("graph=@1", "graph=@2"), 13, 26, "@2 is not defined above"),
        (edited("graph=@1", "graph=3"), 13, 8, "vjp: "),
        (edited("wrt=(0,)", "wrt=(7,)"), 13, 8, "vjp: tuple index out of range"),
        (edited("wrt=(0,)", "wrt=(0)"), 13, 36, "expected ',', found ')'"),
        (edited("shape=({n},)", "shape=({n m},)"), 12, 35, "expected '+', '-', '*' or '//'"),
        (edited("shape=({n},)", "shape=({2*n},)"), 12, 8, "the text says float64[n]"),
        (edited("position=1", "position=9"), 14, 8, "get: "),
        (edited("axis=0", "axis=5"), 16, 8, "concat: axis 5 is out of range"),
        (edited("axis=0", "axis=-1"), 16, 8, "expected the parameters (0,), found (-1,)"),
        (edited("axis=0", "axis=nonsense"), 16, 28, "expected a value, found 'nonsense'"),
        (edited("axis=0", "axes=0"), 16, 23, "'axes' is no parameter"),
        (edited("axis=0", "0"), 16, 24, "expected its parameters by name: axis"),
        (edited("axis=0", "axis=0, axis=0"), 16, 31, "'axis' is given twice"),
        (edited(", axis=0", ""), 16, 21, "'axis' missing"),
        (edited("(%4, %5, ", "("), 16, 8, "concat: "),
        (edited("constant(1.0)", "constant(1)"), 11, 17, "expected a float for float64"),
        (edited("constant(1.0)", 'constant("AAAA")'), 11, 17, "float64[] has 8 bytes, found 3"),
        (edited("AAAAAAAA8D8", "AAAAAAA8D8"), 15, 17, "constant: "),
        (edited("AAAAAAAA8D8", "!AAAAAAA8D8"), 15, 17, "constant: "),
        (edited("AQA==", "AQA=="[:2]), 15, 17, "constant: "),
        (edited("float64[2]", "float64[4611686018427387904]"), 15, 17, "bytes, found 16"),
        (edited("float64[2]", "float64[n]"), 15, 8, "the shape of a constant is made of numbers"),
        (edited("float64[2]", "bool[16]"), 15, 17, "a bool is a byte that is 0 or 1"),
        (edited("(0,), keepdims=False", "(0,), keepdims=0"), 17, 8, "expected the parameters"),
        (edited("dtype=float32", "dtype=3"), 18, 8, "astype: "),
        (edited("float64[n + 2]", "float99[n + 2]"), 16, 33, "unknown dtype"),
        (edited("float64[n + 2]", "float64[n + ]"), 16, 33, "is not a type"),
        (edited("y=%8", "y=%3"), 20, 12, "a node with several results is no output"),
        (edited("y=%8", "y %8"), 20, 12, "expected '=', found '%8'"),
        (edited("%9, %7", "%9 %7"), 20, 27, "expected ',', found '%7'"),
        (VALID + "graph again\nend\n", 22, 1, "expected nothing after the graph"),
        (VALID.replace("keepdims=False", "keepdims=$"), 17, 36, "expected a value, found '$'"),
        (VALID.replace('"AAAA', "AAAA"), 15, 17, "expected a value"),
    ],
)
def test_what_is_no_graph_is_told_with_line_and_column(
    text: str, line: int, column: int, message: str
) -> None:
    with pytest.raises(GraphFormatError) as caught:
        from_text(text, OPS)
    assert message in str(caught.value)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert str(caught.value).startswith(f"line {line}, column {column}: ")


NEST = "unigrad graph 1\ngraph\n  %0 = input() : float64[]\n  %1 = "


@pytest.mark.parametrize(
    "line",
    [
        f"reshape(%0, shape={'(' * 100_000}) : float64[]",
        f"reshape(%0, shape=({{{'(' * 100_000}n}},)) : float64[]",
        f"reshape(%0, shape=({{n{'*n' * 100_000}}},)) : float64[]",
        f"reshape(%0, shape=({'1, ' * 1000})) : float64[{', '.join('1' * 1000)}]",
        f"sum(%0, axis=({'9' * 10_000},), keepdims=False) : float64[]",
        f"constant({'9' * 10_000}) : int64[]",
        "constant(300) : uint8[]",
        "constant(-1) : uint64[]",
        "constant(1e10) : float16[]",
        "constant(nan) : int64[]",
        "constant((1.0, 2)) : complex64[]",
        "constant((1.0, 2.0)) : float64[]",
        'constant("") : float64[0, 99999999999999999999999]',
        "constant(@0) : float64[]",
        "constant(None) : float64[]",
        "constant(1.0, 2.0) : float64[]",
        "constant() : float64[]",
        f"iota(shape=({10**40},), axis=0, dtype=int64) : int64[3]",
        'iota(shape="abc", axis=0, dtype=int64) : int64[3]',
        "iota(shape=(3,), axis=0, dtype=(1, 2)) : int64[3]",
        f"getitem(%0, key=((0, {10**30}, 2),)) : float64[]",
        "getitem(%0, key=3) : float64[]",
        "expand_dims(%0, axis=(0, 5)) : float64[1, 1]",
        "reshape(%0, shape=(2,)) : float64[2]",
        "reshape(%0, shape=(-1,)) : float64[-1]",
        "broadcast_to(%0, shape=(-3,)) : float64[3]",
        f"sum(%0, axis=({'0, ' * 10_000}), keepdims=False) : float64[]",
        "logical_and(%0, %0) : bool[]",
        "bitwise_and(%0, %0) : float64[]",
        'contract(%0, %0, %0, subscripts="->") : float64[]',
        "sin(%0, %0) : float64[]",
        "sin(%0 : float64[]",
        "sin(%0) float64[]",
        "sin(%0) : float64",
        "sin(%0) : (float64[])",
        "sin() : float64[]",
        "input(x) : float64[], float64[]",
        "input(x, y) : float64[]",
        "get(%0, position=0) : float64[]",
        "vjp(%0, graph=None, wrt=(), seeds=()) : ()",
        "",
        "%",
        "\x00",
        '"' * 50_000,
        "\\" * 50_000,
    ],
    ids=lambda line: line[:40],
)
def test_a_hostile_line_is_refused(line: str) -> None:
    with pytest.raises(GraphFormatError) as caught:
        from_text(f"{NEST}{line}\n  return %1\nend\n", OPS)
    assert caught.value.line in (3, 4, 5)
    assert len(str(caught.value)) < 600


def test_every_cut_of_a_text_is_refused() -> None:
    for length in range(len(VALID.rstrip())):
        with pytest.raises(GraphFormatError):
            from_text(VALID[:length], OPS)
    assert to_text(from_text(VALID.rstrip(), OPS)) == VALID


PIECES = [
    "%0", "%3", "@1", "(", ")", ",", "=", ":", "{", "}", "[", "]", '"', "#", "\n", " ", "-", "1",
    "0.5", "nan", "None", "True", "float32", "float64[n]", "float64[]", "bool[]", "{n}", "(0,)",
    "axis=(0,)", "sum", "sin", "input", "constant", "return", "end", "graph", "define", "e9",
    "999999999", "\\", "é",
]  # fmt: skip


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_mutated_text_is_a_graph_or_a_format_error(data: st.DataObject) -> None:
    text = data.draw(st.just(VALID) | graphs().map(to_text))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        stop = min(start + data.draw(st.sampled_from([0, 0, 1, 2, 5, 30])), len(text))
        piece = data.draw(st.sampled_from(PIECES) | st.text(max_size=2) | st.just(text[start:stop]))
        text = text[:start] + piece + text[stop:]
    error = None
    try:
        canonical = to_text(from_text(text, OPS))
    except GraphFormatError as found:
        error = found
    if error is None:
        assert to_text(from_text(canonical, OPS)) == canonical
    else:
        assert 1 <= error.line <= text.count("\n") + 1
        assert 1 <= error.column <= len(text.split("\n")[error.line - 1]) + 1


@given(st.text(max_size=60), st.booleans())
def test_any_text_is_a_graph_or_a_format_error(text: str, heading: bool) -> None:
    assume(text.strip() != "")
    with pytest.raises(GraphFormatError):
        from_text("unigrad graph 1\n" + text if heading else text, OPS)
