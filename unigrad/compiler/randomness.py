"""Random numbers drawn while a function is traced: they would be the same for ever after.

A generator that moved on while the function ran, and that its code can reach, is told of. Nothing
is patched: the states of the generators are compared.
"""

from __future__ import annotations

import dis
import importlib
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from unigrad.compiler.reads import names_in, reached_code
from unigrad.errors import TracingWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from types import CodeType

__all__ = ["drawn"]

_SOURCES: Final = frozenset(("random", "rand", "randn", "rng", "default_rng", "generator"))
"""Words that stand in the code of who draws: without one of them nothing is looked at."""


class _Source(NamedTuple):
    """A generator of random numbers.

    Attributes:
        name: what to call it.
        state: reads its state.
        codes: the code that may draw from it.
    """

    name: str
    state: Callable[[], Any]
    codes: list[CodeType]


@contextmanager
def drawn(function: Any, name: str) -> Generator[None]:
    """Warn if what runs inside draws random numbers that ``function`` can reach."""
    sources = list(_sources(function))
    before = [source.state() for source in sources]
    yield
    for source, first in zip(sources, before, strict=True):
        if source.state() != first:
            _warn(name, source)
            return


def _sources(function: Any) -> Iterator[_Source]:
    codes, objects = reached_code(function)
    for one in objects:
        state = _state_of(one)
        if state is not None:
            yield _Source("a random generator", state, codes)
    naming = [
        code for code in codes if _SOURCES & (names_in(code).globals | names_in(code).attributes)
    ]
    if naming:
        random: Any = importlib.import_module("random")
        numpy: Any = importlib.import_module("numpy.random")
        yield _Source("random", random.getstate, naming)
        yield _Source("np.random", lambda: _told(numpy.get_state(legacy=False)), naming)
        fresh = [code for code in naming if _makes_its_own(code)]
        if fresh:  # seeded by the system: another at each call
            yield _Source("np.random.default_rng()", iter(range(2)).__next__, fresh)


def _state_of(value: Any) -> Callable[[], Any] | None:
    """What reads the state of a generator; ``None`` for any other object."""
    module = type(value).__module__
    if module.startswith("numpy.random"):
        bits: Any = getattr(value, "bit_generator", None) or getattr(value, "_bit_generator", None)
        return None if bits is None else lambda: _told(bits.state)
    return value.getstate if module == "random" and hasattr(value, "getstate") else None


def _told(state: Any) -> str:
    """A state of NumPy's, in which arrays stand, as text that can be compared."""
    if isinstance(state, dict):
        items = cast("dict[str, Any]", state).items()
        return str([(key, _told(value)) for key, value in items])
    return str(state.tobytes()) if hasattr(state, "tobytes") else str(state)


def _makes_its_own(code: CodeType) -> bool:
    """Whether code calls ``default_rng()`` without a seed."""
    waiting = False
    for one in dis.get_instructions(code):
        if one.opname == "CALL" and waiting:
            if one.arg == 0:
                return True
            waiting = False
        waiting = waiting or one.argval == "default_rng"
    return False


def _warn(name: str, source: _Source) -> None:
    file, line = _place(source.codes)
    message = (
        f"{name} drew from {source.name} while it was traced: each later call uses the same"
        " numbers. Draw them outside and pass them in as an argument"
    )
    warnings.warn_explicit(message, TracingWarning, file, line)


def _place(codes: list[CodeType]) -> tuple[str, int]:
    """The file and the line that draws, as far as names tell."""
    for code in codes:
        for one in dis.get_instructions(code):
            line = None if one.positions is None else one.positions.lineno
            if line is not None and (one.argval in _SOURCES or one.argval in _METHODS):
                return code.co_filename, line
    return codes[0].co_filename, codes[0].co_firstlineno


_METHODS: Final = frozenset(
    ("normal", "uniform", "randint", "integers", "choice", "permutation", "shuffle", "gauss")
)
