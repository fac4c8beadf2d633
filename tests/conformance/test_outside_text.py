"""Text from outside stays text: names of files, functions, keys and inputs are never statements."""

from __future__ import annotations

import ast
import enum
import json
import math
import types
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import unigrad as ug
from tests.targets import PYTORCH_IS_LOUD, TARGETS, ways
from unigrad.errors import ArgumentError, ShapeError
from unigrad.outside import access, identifier, literal, one_line

pytestmark = PYTORCH_IS_LOUD

ENDS = [
    "\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\0",
    "\udcff", "\ud800", "\u202e", "\x1b[31m",
]  # fmt: skip
"""What ends a line somewhere, is no text, or makes a line read as another."""

STATEMENT = "raise SystemExit('it ran')"


def model(x: Any, y: Any) -> Any:
    hidden = ug.tanh(x * y)
    return ug.sum(hidden * hidden)


def in_file(file: str, function: Any = model) -> Any:
    """A function as if it stood in a file of that name."""
    code = function.__code__.replace(co_filename=file)
    return types.FunctionType(code, function.__globals__, function.__name__)


def hostile(end: str) -> str:
    return f"model{end}{STATEMENT}{end}    {STATEMENT}{end}#.py"


def is_same_program(source: str, other: str) -> bool:
    """Whether two sources differ in comments alone, and line by line."""
    try:
        programs = [ast.dump(ast.parse(one)) for one in (source, other)]
    except SyntaxError:
        return False
    lines = [len(one.splitlines()) for one in (source, other)]
    return programs[0] == programs[1] and lines[0] == lines[1]


@pytest.mark.parametrize("end", ENDS, ids=ascii)
@pytest.mark.parametrize("target", ["numpy", "torch", "tensorflow", "jax"])
def test_the_name_of_a_file_stays_a_comment(end: str, target: str) -> None:
    like = ("float64[n]", "float64[n]")
    source = ug.grad(in_file(hostile(end))).source(target, *like)
    assert is_same_program(source, ug.grad(in_file("model.py")).source(target, *like))
    assert source.isascii()
    assert f"# model{one_line(end)}" in source


@pytest.mark.parametrize(("target", "autodiff"), ways(TARGETS))
def test_a_function_of_a_file_of_any_name_runs(target: str, autodiff: str) -> None:
    x, y = np.array([0.5, -1.0, 2.0]), np.array([1.0, 3.0, 0.25])
    function = in_file("".join(map(hostile, ENDS)))
    with ug.use(target, autodiff=autodiff):
        for _ in range(2):  # by the general way, then through the guard
            value, slope = ug.value_and_grad(function)(x, y)
    h = np.tanh(x * y)
    np.testing.assert_allclose(value, np.sum(h * h))
    np.testing.assert_allclose(slope, 2 * h * (1 - h * h) * y)


@pytest.mark.parametrize("end", ENDS, ids=ascii)
def test_an_error_tells_the_name_of_a_file_in_one_line(end: str) -> None:
    def wrong(x: Any) -> Any:
        return x + np.ones(7)

    with pytest.raises(ShapeError) as caught:
        ug.function(in_file(hostile(end), wrong))(np.ones(3))
    (note,) = caught.value.__notes__
    assert note.splitlines()[0].startswith(f'  File "model{one_line(end)}')
    assert note.isascii()


@pytest.mark.parametrize("end", ENDS, ids=ascii)
def test_a_function_of_any_name_runs_and_is_drawn(end: str) -> None:
    def square(x: Any) -> Any:
        return x * x

    square.__name__ = square.__qualname__ = hostile(end)
    assert ug.function(square)(3.0) == 9.0
    assert ug.grad(square)(3.0) == 6.0
    source = ug.function(square).source("numpy", 3.0)
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    drawing = ug.draw(square, 3.0)
    ET.fromstring(drawing.svg.encode())  # noqa: S314  (our own text)
    assert ug.from_text(ug.to_text(ug.function(square).graph(3.0)))


@pytest.mark.parametrize("end", ENDS, ids=ascii)
@pytest.mark.parametrize("target", ["numpy", "torch", "tensorflow", "jax"])
def test_keys_of_dicts_stay_literals(end: str, target: str) -> None:
    key = f"a']{end}{STATEMENT}"
    f = ug.function(lambda d: {key: d[key] * 2.0, "b": d["b"]})
    given = {key: np.array([1.0, 2.0]), "b": np.array([3.0])}
    with ug.use(target):
        for _ in range(2):
            assert np.array_equal(f(given)[key], [2.0, 4.0])
    source = f.source(target, given)
    assert STATEMENT not in [ast.unparse(one) for one in ast.walk(ast.parse(source))]
    drawing = ug.draw(f, given)
    ET.fromstring(drawing.svg.encode())  # noqa: S314  (our own text)
    assert all(line.isprintable() for line in drawing.text.split("\n"))


@pytest.mark.parametrize("end", ENDS, ids=ascii)
def test_inputs_of_a_saved_graph_may_be_called_anything(end: str) -> None:
    name = json.dumps(hostile(end))
    graph = ug.from_text(
        f"unigrad graph 1\ngraph {name}\n  %0 = input({name}) : float64[]\n"
        f"  %1 = sin(%0) : float64[]\n  return {name}=%1\nend\n"
    )
    for drawing in (ug.draw(graph), ug.draw(graph, 2.0)):
        ET.fromstring(drawing.svg.encode())  # noqa: S314  (our own text)
        assert all(line.isprintable() for line in drawing.text.split("\n"))
    assert ug.to_text(ug.from_text(ug.to_text(graph))) == ug.to_text(graph)


class Key(enum.IntEnum):
    """A key whose text is no literal."""

    FIRST = 1


class Liar(str):
    """A key that prints what it is not."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"0] or [{STATEMENT}][0"


@pytest.mark.parametrize("key", [Key.FIRST, Liar("a"), np.str_("a"), math.nan, (Liar("b"),)])
def test_keys_without_a_literal_work_in_calls_and_are_named_in_sources(key: Any) -> None:
    f = ug.function(lambda d: {key: d[key] * 2.0})
    for _ in range(2):
        assert f({key: 3.0})[key] == 6.0
    for show in (f.source, lambda target, like: f.compile(like, target=target)):
        with pytest.raises(ArgumentError, match="a key there is no plain value"):
            show("numpy", {key: 3.0})


def test_an_argument_by_a_name_that_is_no_identifier() -> None:
    f = ug.function(lambda **named: named["a]b"] * named["x\ny"])
    assert f(**{"a]b": 2.0, "x\ny": 3.0}) == 6.0
    source = f.source("numpy", **{"a]b": 2.0, "x\ny": 3.0})
    assert "def lambda_(a_b, x_y):" in source


# -- the functions that it passes ------------------------------------------------------------------


def test_what_is_one_line_stays_as_it_is() -> None:
    assert one_line("C:\\models\\größe 2.py") == "C:\\models\\größe 2.py"
    assert [one_line(end).isprintable() for end in ENDS] == [True] * len(ENDS)


def test_every_letter_makes_an_identifier_that_python_keeps() -> None:
    wrong: list[str] = []
    for letter in map(chr, (*range(0x3000), *range(0xD7F0, 0x10000), *range(0x1D400, 0x1D800))):
        for text in (letter, f"x{letter}", f"{letter}x"):
            name = identifier(text)
            if name and list(ast.walk(ast.parse(name, mode="eval")))[1].__dict__["id"] != name:
                wrong.append(text)
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("x", "x"), ("class", "class_"), ("max", "max_"), ("_x_", "x"), ("", ""), ("...", ""),
        ("2x", "x2x"), ("layers[0].w", "layers_0_w"), ("<lambda>", "lambda_"), ("_", ""),
        ("x\N{SUPERSCRIPT TWO}", "x2"), ("\N{MATHEMATICAL BOLD SMALL U}", "u"),
        ("\N{LATIN SMALL LIGATURE FI}", "fi"), ("e\N{COMBINING ACUTE ACCENT}", "é"),
        ("\N{MATHEMATICAL BOLD SMALL I}f", "if_"),
        ("\N{DEVANAGARI LETTER KA}\N{DEVANAGARI VOWEL SIGN I}", "कि"),
    ],
)  # fmt: skip
def test_identifiers(text: str, name: str) -> None:
    assert identifier(text) == name
    assert identifier(name) == name


@pytest.mark.parametrize("path", ["", "['w']", "[0][1].scale", "['a]b'].c", "[-1]", "[('a', 1)]"])
def test_ways_into_structures(path: str) -> None:
    assert access(path) == path


@pytest.mark.parametrize(
    "path",
    [
        f"['w']\n{STATEMENT}", "[f()]", "(0)", ".a()", "[<Key.FIRST: 1>]", "['a'] + 1", "[nan]",
        "[0]#", "[0:1]", "[" * 10_000, " if x else y", "[x]", "; y",
    ],
)  # fmt: skip
def test_what_is_no_way_into_a_structure(path: str) -> None:
    assert access(path) is None


@pytest.mark.parametrize("value", [None, True, 3, -2.5, "a\n'", b"\xff", (), (1, ("x",))])
def test_literals(value: Any) -> None:
    text = literal(value)
    assert text is not None
    assert ast.literal_eval(text) == value
