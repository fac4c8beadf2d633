"""The words of a textual graph: one pattern cuts a line, and every error knows its column."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from unigrad.errors import GraphFormatError

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


class Line:
    """The words of one line and how far they are read."""

    __slots__ = ("at", "number", "words")

    def __init__(self, text: str, number: int) -> None:
        self.number = number
        self.at = 0
        self.words: list[tuple[str, str, int]] = []
        for match in _TOKEN.finditer(text):
            kind = match.lastgroup
            if kind != "blank":
                self.words.append((str(kind), match[0], match.start() + 1))
        self.words.append(("end", "", len(text) + 1))

    @property
    def kind(self) -> str:
        """The kind of the next word; ``"end"`` after the last."""
        return self.words[self.at][0]

    @property
    def word(self) -> str:
        """The next word."""
        return self.words[self.at][1]

    @property
    def column(self) -> int:
        """Where the next word begins."""
        return self.words[self.at][2]

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
        found, word, _ = self.words[self.at]
        if found != kind:
            raise self.expected(_NOUNS[kind])
        self.at += 1
        return word

    def skip(self, word: str) -> bool:
        """Take this very word if it comes next."""
        if self.words[self.at][1] == word:
            self.at += 1
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
        word = self.words[self.at][1]
        self.at += 1
        return json.loads(word) if "\\" in word else word[1:-1]

    def name(self) -> str:
        """Take a name the user gave, bare or as a string; ``""`` if there is none."""
        if self.kind == "string":
            return self.string()
        return self.take("word") if self.kind == "word" else ""
