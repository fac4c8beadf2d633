"""The names of an emitted file: all of them come from here, so that each means one thing.

Arguments, variables, sizes and captured arrays are names of one function; functions, imports and
helpers are seen from all. What is wanted is what the user called it; where that is taken, a number
is put behind.
"""

from __future__ import annotations

import builtins
import keyword
from typing import TYPE_CHECKING

from unigrad.outside import identifier

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

__all__ = ["FileNames", "Names"]


class Names:
    """Names that differ from each other, and from all that is visible where they stand.

    Attributes:
        taken: those that were given out.
    """

    def __init__(self, *visible: Container[str], also: set[str] | None = None) -> None:
        """Begin without a name.

        Args:
            *visible: names that may not be hidden; they may grow.
            also: where names are noted besides.
        """
        self.taken: set[str] = set()
        self._visible = visible
        self._also = also
        self._next: dict[str, int] = {}

    def fresh(self, *wanted: str) -> str:
        """The first of ``wanted`` that has letters, with a number behind it where it is taken."""
        word = next(word for word in map(identifier, wanted) if word)
        number = self._next.get(word, 0)
        name = f"{word}_{number}" if number else word
        while name in self.taken or any(name in one for one in self._visible):
            number += 1
            name = f"{word}_{number}"
        self._next[word] = number
        self.taken.add(name)
        if self._also is not None:
            self._also.add(name)
        return name


class FileNames:
    """The names of one file.

    Attributes:
        functions: those of its functions, which are the name of no variable.
    """

    def __init__(self, head: Iterable[str]) -> None:
        """Begin with what the head of the file gives a meaning: imports and helpers."""
        self._reserved = frozenset((*keyword.kwlist, *dir(builtins), "math", *head))
        self._variables: set[str] = set()
        self.functions = Names(self._reserved, self._variables)

    def of_function(self) -> Names:
        """Names for the inside of one function: none hides a function, an import or a helper."""
        return Names(self._reserved, self.functions.taken, also=self._variables)
