"""What a text may hold: memory stays in proportion to it, and what says too much is refused."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

import unigrad as ug
from unigrad.errors import GraphFormatError, VerificationError
from unigrad.ir import bounds, lexer
from unigrad.ir.text import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

_LENGTH: Final = 200_000  # characters
_MOST: Final = 100  # bytes for each character: 20 MB of text take less than 2 GB


def _filled(head: str, line: Callable[[int], str], tail: str = "return\nend\n") -> str:
    """A text of about that length, of lines that differ."""
    lines: list[str] = []
    length = 0
    while length < _LENGTH:
        lines.append(line(len(lines)))
        length += len(lines[-1])
    return f"unigrad graph 1\n{head}{''.join(lines)}{tail}"


def _sum(number: int, count: int) -> str:
    return "+".join(f"s{number}_{i}" for i in range(count))


def _definition(number: int) -> str:
    holds = f"graph=@{number}, wrt=(), seeds=()) : (float64[],)\n"
    return (
        f"define @{number + 1}\n%0 = input() : float64[]\n%1 = vjp(%0, {holds}"
        f"%2 = get(%1, position=0) : float64[]\n%3 = vjp(%2, {holds}"
        "%4 = get(%3, position=0) : float64[]\nreturn %4\nend\n"
    )


LARGE = {
    "marks": _filled("graph\n%0 = sin(", lambda _: "("),
    "entries": _filled("graph\n%0 = input() : float64[]\n%1 = sum(%0, axis=(", lambda _: "0,"),
    "empty lines": _filled("graph\n", lambda _: "\n"),
    "comments": _filled("graph\n", lambda i: f"# {i}\n"),
    "inputs": _filled("graph\n", lambda i: f"%{i}=input():bool[]\n"),
    "nodes": _filled("graph\n%0=input():float64[]\n", lambda i: f"%{i + 1}=sin(%{i}):float64[]\n"),
    "numbers": _filled("graph\n", lambda i: f"%{i}=constant({i}):int64[]\n"),
    "bodies": _filled("", lambda i: f"define @{i}\nreturn\nend\n", "graph\nreturn\nend\n"),
    "sizes": _filled("graph\n", lambda i: f"%{i}=input():float64[size{i}]\n"),
    "sums": _filled("graph\n", lambda i: f"%{i}=input():float64[{_sum(i, 1000)}]\n"),
    "one letter": _filled("graph\n", lambda _: "a"),
    "quotation marks": _filled("graph\n", lambda _: '"'),
    "braces": _filled("graph\n%0 = input() : float64[]\n%1 = sum(%0, axis=", lambda _: "{"),
    "a constant": 'unigrad graph 1\ngraph\n%0 = constant("'
    + "AAAA" * (_LENGTH // 4)
    + f'") : uint8[{_LENGTH // 4 * 3}]\nreturn %0\nend\n',
}
"""Long texts, graphs or not, of as much as can be of one thing."""

SHORT = {
    "products in a type": "graph\n"
    + "".join(
        f"%{i} = input() : float64[({_sum(2 * i, 70)})*({_sum(2 * i + 1, 70)})]\n"
        for i in range(100)
    )
    + "return\nend\n",
    "products in a shape": "graph\n%0 = input() : float64["
    + ",".join(_sum(i, 60) for i in range(8))
    + "]\n%1 = reshape(%0, shape=({n},)) : float64[n]\nreturn %1\nend\n",
    "graphs that hold each other twice": "define @1\n%0 = input() : float64[]\nreturn %0\nend\n"
    + "".join(map(_definition, range(1, 60)))
    + "graph\nreturn\nend\n",
}
"""Short texts that say very much."""


def _peak(text: str) -> int:
    """The most memory that reading takes at once, beside the text."""
    tracemalloc.start()
    try:
        ug.from_text(text)
    except GraphFormatError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize("name", LARGE)
def test_memory_stays_in_proportion_to_the_text(name: str) -> None:
    assert _peak(LARGE[name]) < _MOST * len(LARGE[name])


@pytest.mark.parametrize("name", SHORT)
def test_a_short_text_that_says_very_much_is_refused(name: str) -> None:
    text = f"unigrad graph 1\n{SHORT[name]}"
    assert _peak(text) < 50_000_000
    with pytest.raises(GraphFormatError) as caught:
        ug.from_text(text)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("bound", "value", "text", "said"),
    [
        ("_MOST_NODES", 2, "%0 = input() : bool[]\n%1 = input() : bool[]\n" * 2, "over 2 nodes"),
        ("_MOST_OF_SIZES", 20, "%0 = input() : int8[abcdefghijklmnop, q]\n", "20 characters of"),
        ("_MOST_BYTES", 7, "%0 = constant(1.0) : float64[]\n", "constants of over 7 bytes"),
    ],
)
def test_what_passes_a_bound_is_told(
    bound: str, value: int, text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, bound, value)
    with pytest.raises(GraphFormatError, match=said):
        ug.from_text(f"unigrad graph 1\ngraph\n{text}return\nend\n")


def test_graphs_within_each_other_end_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "_DEEPEST_GRAPHS", 3)
    texts = [
        f"unigrad graph 1\ndefine @1\n%0 = input() : float64[]\nreturn %0\nend\n"
        f"{''.join(map(_definition, range(1, depth)))}graph\nreturn\nend\n"
        for depth in (3, 4)
    ]
    ug.from_text(texts[0])
    with pytest.raises(GraphFormatError, match="over 3 graphs within each other"):
        ug.from_text(texts[1])


def test_what_is_written_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = ug.function(lambda x: x * np.arange(10.0)).graph("float64[10]")
    monkeypatch.setattr(bounds, "_MOST_BYTES", 80)
    assert ug.from_text(ug.to_text(graph))
    monkeypatch.setattr(bounds, "_MOST_BYTES", 79)
    with pytest.raises(VerificationError, match="constants of over 79 bytes, which no text may"):
        ug.to_text(graph)
    assert len(fingerprint(graph)) == 64


# -- planted faults: without a bound, the same measure sees that the memory grows ------------------


def test_sizes_that_multiply_out_without_a_bound_take_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "_MOST_OF_SIZES", 1 << 60)
    text = f"unigrad graph 1\n{SHORT['products in a type']}"
    assert _peak(text.replace("s", "t")) > _MOST * len(text)


def test_words_that_are_all_kept_take_more(monkeypatch: pytest.MonkeyPatch) -> None:
    lazily = lexer._words  # noqa: SLF001
    monkeypatch.setattr(lexer, "_words", lambda text: iter(list(lazily(text))))
    assert _peak(LARGE["marks"]) > _MOST * len(LARGE["marks"])
