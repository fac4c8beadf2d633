"""Sizes read from text, as they are printed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from unigrad.ir.dims import (
    DEEPEST_PARENTHESES,
    LONGEST_TEXT,
    MOST_PRODUCTS,
    DimSyntaxError,
    intern_terms,
    multiply_terms,
    positive_part,
    symbol,
    terms_of,
)

if TYPE_CHECKING:
    from unigrad.ir.dims import Polynomial, Size

__all__ = ["parse_size"]


def parse_size(text: str) -> Size:
    """Read a size as it is printed: ``parse_size(str(size)) is size``.

    Python's grammar of integers, names, ``+ - * //``, unary minus, ``max(size, 0)`` and
    parentheses, and nothing else. No code runs, and the time and the stack that hostile text can
    take are bounded.

    Raises:
        DimSyntaxError: if the text is anything else, longer than 10,000 characters, nested in more
            than 200 parentheses, multiplies out to too many terms, or divides by 0.

    Example:
        >>> parse_size("2*(n + 1)"), parse_size("7*n//2"), parse_size("3*4")
        (2*n + 2, ((7*n)//2), 12)
    """
    if len(text) > LONGEST_TEXT:
        raise DimSyntaxError(f"{len(text)} characters; at most {LONGEST_TEXT} are read", 1)
    return _Reader().read(text)


_TOKEN: Final = re.compile(r"max\(|,\s*0\s*\)|[0-9]+|[^\W\d]\w*|//|\S")
_BINDING: Final = {"(": 0, "max(": 0, "+": 1, "-": 1, "*": 2, "//": 2, "unary -": 3}


class _Reader:
    """An operator-precedence parser: nesting is not recursion; subexpressions are not interned."""

    __slots__ = ("operators", "products", "values")

    def __init__(self) -> None:
        self.values: list[Polynomial] = []
        self.operators: list[tuple[str, int]] = []
        self.products = 0

    def read(self, text: str) -> Size:
        after_value = False
        depth = 0
        for match in _TOKEN.finditer(text):
            word, column = match[0], match.start() + 1
            if after_value and word[-1] == ")":
                self.close("(" if word == ")" else "max(", column)
                depth -= 1
            elif after_value and _BINDING.get(word):
                self.apply(binding=_BINDING[word])
                self.operators.append((word, column))
                after_value = False
            elif not after_value and word in {"(", "max(", "-"}:
                depth += word != "-"
                if depth > DEEPEST_PARENTHESES:
                    raise DimSyntaxError(f"over {DEEPEST_PARENTHESES} nested parentheses", column)
                self.operators.append(("unary -" if word == "-" else word, column))
            elif not after_value and word[0] not in "+*/),":
                self.values.append(_value(word, column))
                after_value = True
            else:
                raise _unexpected(repr(word[:40]), column, after_value=after_value)
        if not after_value:
            raise _unexpected("the end of the text", len(text) + 1, after_value=False)
        self.apply(binding=1)
        if self.operators:
            raise DimSyntaxError("'(' is never closed", self.operators[-1][1])
        return intern_terms(self.values.pop())

    def close(self, opening: str, column: int) -> None:
        """End what ``(`` or ``max(`` began."""
        self.apply(binding=1)
        if not self.operators or self.operators.pop()[0] != opening:
            raise DimSyntaxError(
                f"{')' if opening == '(' else ', 0)'!r} without {opening!r}", column
            )
        if opening == "max(":
            self.values.append(dict(terms_of(positive_part(intern_terms(self.values.pop()))) or ()))

    def apply(self, binding: int) -> None:
        """Apply the operators on top of the stack that bind at least so tightly."""
        while self.operators and _BINDING[self.operators[-1][0]] >= binding:
            operator, column = self.operators.pop()
            right = self.values.pop()
            left = {} if operator == "unary -" else self.values.pop()
            if operator == "*":
                self.products += len(left) * len(right)
                if self.products > MOST_PRODUCTS:
                    raise DimSyntaxError("this multiplies out to too many terms", column)
                left = multiply_terms(left.items(), right.items())
            elif operator == "//":
                try:
                    left = dict(terms_of(intern_terms(left) // intern_terms(right)) or ())
                except (ValueError, ZeroDivisionError) as error:
                    raise DimSyntaxError(str(error), column) from None
            else:
                sign = 1 if operator == "+" else -1
                for factors, coefficient in right.items():
                    left[factors] = left.get(factors, 0) + sign * coefficient
            self.values.append(left)


def _value(word: str, column: int) -> Polynomial:
    try:
        return {(): int(word)} if word[0] in "0123456789" else dict(symbol(word).terms)
    except ValueError as error:
        reason = error.reason if isinstance(error, DimSyntaxError) else str(error)
        raise DimSyntaxError(reason, column) from None


def _unexpected(found: str, column: int, *, after_value: bool) -> DimSyntaxError:
    expected = "'+', '-', '*' or '//'" if after_value else "an integer, a name, '-' or '('"
    return DimSyntaxError(f"expected {expected}, found {found}", column)
