"""The words of a textual graph: one pattern cuts a line, and every error knows its column."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from unigrad.errors import GraphFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Line"]

_TOKEN: Final = re.compile(
    r"""
    (?P<blank>   [ \t\r]+ | \#.* )
  | (?P<node>    %[0-9]+ )
  | (?P<graph>   @[0-9]+ )
  | (?P<type>    ~?[a-z]+[0-9]*\[[^\[\]"\#]*\] )
  | (?P<size>    \{[^{}"\#]*\} )
  | (?P<string>  "[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*" )
  | (?P<number>  -?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)? | -inf\b )
  | (?P<word>    [^\W\d][\w.]* )
  | (?P<mark>    [()=,:/] )
  | (?P<strange> . )
    """,
    re.VERBOSE,
)
_LONGEST_MESSAGE: Final = 500  # characters; it may quote the text
_NOUNS: Final = {
    "node": "a node such as %0",
    "graph": "a graph such as @1",
    "type": "a type such as float64[n, 3]",
    "number": "a number",
    "word": "a name",
}


def _words(text: str) -> Iterator[tuple[str, str, int]]:
    """The kind of each word, the word, and the column where it begins; the end comes last."""
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind != "blank":
            yield kind, match[0], match.start() + 1
    yield "end", "", len(text) + 1


class Line:
    """One line, read word by word: of all its words only the next two are kept.

    Attributes:
        number: of the line.
        kind: the kind of the next word; ``"end"`` after the last.
        word: the next word.
        column: where it begins.
        end: the column behind the line.
    """

    __slots__ = ("_ahead", "_words", "column", "end", "kind", "number", "word")

    def __init__(self, text: str, number: int) -> None:
        self.number = number
        self.end = len(text) + 1
        self._words = _words(text)
        self._ahead = next(self._words)
        self.advance()

    def advance(self) -> None:
        """Go on to the next word."""
        self.kind, self.word, self.column = self._ahead
        self._ahead = next(self._words, self._ahead)

    @property
    def word_after(self) -> str:
        """The word after the next one."""
        return self._ahead[1]

    def error(self, message: str, column: int | None = None) -> GraphFormatError:
        """An error at the next word, or at a column."""
        if len(message) > _LONGEST_MESSAGE:
            message = f"{message[:_LONGEST_MESSAGE]} ..."
        return GraphFormatError(message, self.number, self.column if column is None else column)

    def expected(self, what: str) -> GraphFormatError:
        """An error that says what should have stood here."""
        word = self.word
        found = f"{word[:40]!r}" if word else "the end of the line"
        return self.error(f"expected {what}, found {found}")

    def take(self, kind: str) -> str:
        """Take a word of that kind."""
        if self.kind != kind:
            raise self.expected(_NOUNS[kind])
        word = self.word
        self.advance()
        return word

    def skip(self, word: str) -> bool:
        """Take this very word if it comes next."""
        if self.word == word:
            self.advance()
            return True
        return False

    def mark(self, word: str) -> None:
        """Take this very word."""
        if not self.skip(word):
            raise self.expected(repr(word))

    def done(self) -> None:
        """Nothing may follow."""
        if self.kind != "end":
            raise self.expected("the end of the line")

    def integer(self) -> int:
        """Take a whole number without a sign."""
        column = self.column
        word = self.take("number")
        if not word.isdecimal():
            raise self.error(f"expected a whole number, found {word[:40]!r}", column)
        return self._convert(int, word, column)

    def amount(self) -> int | float:
        """Take a number: an int if it is written as one."""
        column = self.column
        word = self.take("number")
        whole = word.removeprefix("-").isdecimal()
        return self._convert(int if whole else float, word, column)

    def _convert(self, kind: Any, word: str, column: int) -> Any:
        try:
            return kind(word)
        except ValueError as error:  # more digits than Python converts
            raise self.error(str(error), column) from None

    def string(self) -> str:
        """Take a string."""
        word = self.word
        self.advance()
        return json.loads(word) if "\\" in word else word[1:-1]

    def name(self) -> str:
        """Take a name the user gave, bare or as a string; ``""`` if there is none."""
        if self.kind == "string":
            return self.string()
        return self.take("word") if self.kind == "word" else ""
