"""Runs the documents: each page, and each module with examples in its docstrings, is one test.

A page is read from top to bottom, as a reader reads it, in one namespace. It is not split into
tests of its own, because what a page shows depends on what it has shown before. ::

    pytest README.md docs unigrad          # all of them
    pytest docs --refresh                  # write what the examples print into the pages

A block ```` ```python model.py ```` is a file: lines of its functions are told by that name. A
block that begins with ``>>>`` is a session, whose output is compared. Blocks of other languages are
not run.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import linecache
import os
import re
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from sybil import Document, Region
from sybil.document import PythonDocStringDocument
from sybil.evaluators.doctest import NUMBER, OutputChecker
from sybil.parsers.abstract.doctest import DocTestStringParser
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

from unigrad import config
from unigrad.ops.spec import OPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sybil import Example

ROOT = Path(__file__).parent
FLAGS = doctest.ELLIPSIS | NUMBER


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--refresh``."""
    parser.addoption(
        "--refresh", action="store_true", help="write what the examples print into the documents"
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take pages, and modules whose docstrings hold examples."""
    page = file_path.suffix == ".md"
    module = file_path.suffix == ".py" and file_path.is_relative_to(ROOT / "unigrad")
    if page or (module and ">>> " in file_path.read_text(encoding="utf-8")):
        return DocumentFile.from_parent(parent, path=file_path)
    return None


class DocumentFile(pytest.File):
    """A page or a module."""

    def collect(self) -> Iterator[pytest.Item]:
        """Give one test for all of it, if there is something to run."""
        parse = PythonDocStringDocument.parse if self.path.suffix == ".py" else Document.parse
        document = parse(str(self.path), blocks if self.path.suffix == ".md" else sessions)
        if document.regions:
            yield DocumentItem.from_parent(self, name="document", document=document)


class DocumentItem(pytest.Item):
    """All examples of one document, one after the other."""

    def __init__(self, *, document: Document, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.document = document

    def runtest(self) -> None:
        """Run every example, also after one that failed, and tell of all that failed."""
        failures: list[str] = []
        corrections: list[Correction] = []
        with in_a_fresh_process(self.path):
            for example in self.document:
                try:
                    example.evaluate()
                except WrongOutputError as error:
                    corrections.append(error.correction)
                    failures.append(f"{self.path}:{example.line}\n{error}")
                except Exception:  # noqa: BLE001 - whatever an example raises, it has failed
                    failures.append(f"{self.path}:{example.line}\n{traceback.format_exc()}")
        if corrections and self.config.getoption("--refresh"):
            correct(self.path, self.document.text, corrections)
        if failures:
            raise DocumentError("\n\n".join(failures))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what failed, not where this file noticed it."""
        if isinstance(excinfo.value, DocumentError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Call the test by the document's name."""
        return self.path, 0, str(self.path.relative_to(ROOT))


class DocumentError(Exception):
    """Examples of a document that failed."""


class Correction(NamedTuple):
    """What a session prints, and where the page says what it should."""

    start: int
    end: int
    text: str


class WrongOutputError(Exception):
    """A session that does not print what the page says."""

    def __init__(self, message: str, correction: Correction) -> None:
        super().__init__(message)
        self.correction = correction


@contextlib.contextmanager
def in_a_fresh_process(path: Path) -> Iterator[None]:
    """Let the settings be those of a fresh process, and undo what a document does to them."""
    ops = dict(OPS)
    environment = dict(os.environ)
    for name in [name for name in environment if name.startswith("UNIGRAD_")]:
        del os.environ[name]
    os.environ["XDG_CONFIG_HOME"] = str(path)  # no folder: nobody's own settings file is there
    config.reset()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        OPS.clear()
        OPS.update(ops)
        config.reset()


# -- what is run -----------------------------------------------------------------------------------

_fences = RawFencedCodeBlockLexer(re.compile(r"python(?: +(?P<file>\S+))?[ \t]*\n"))
_checker = OutputChecker()


def blocks(document: Document) -> Iterator[Region]:
    """Find the fenced blocks of Python in a page."""
    for fence in _fences(document):
        source = fence.lexemes["source"]
        start = fence.start + source.offset
        if source.startswith(">>>"):
            for session in _sessions(source, document.path):
                session.start += start
                session.end += start
                yield session
        else:
            yield Region(start, start + len(source), (fence.lexemes["file"], str(source)), execute)


def sessions(document: Document) -> Iterable[Region]:
    """Find the examples in a docstring that begin with ``>>>``."""
    return _sessions(document.text, document.path)


def execute(example: Example) -> None:
    """Run a block; a block with a file name is that file."""
    name, source = example.parsed
    file = name or f"{Path(example.path).name}:{example.line}"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(compile(source, file, "exec", dont_inherit=True), example.namespace)  # noqa: S102


def compare(example: Example) -> None:
    """Run one statement of a session and hold what it prints against what the document says."""
    stated: doctest.Example = example.parsed
    file = f"<{Path(example.path).name}, line {example.line}>"
    source = stated.source
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(source, file, "single", dont_inherit=True), example.namespace)  # noqa: S102
        except Exception as error:
            if not stated.want.startswith("Traceback"):
                raise
            told = "".join(traceback.format_exception_only(error))
            printed.write(f"Traceback (most recent call last):\n    ...\n{told}")
    got = printed.getvalue()
    flags = FLAGS
    for flag, wanted in stated.options.items():
        flags = flags | flag if wanted else flags & ~flag
    if not _checker.check_output(stated.want, got, flags):
        difference = _checker.output_difference(stated, got, flags)
        raise WrongOutputError(f">>> {source}{difference}", _correction(example, stated, got))


_sessions = DocTestStringParser(compare)


def _correction(example: Example, stated: doctest.Example, got: str) -> Correction:
    """Put ``got`` in the place of what the document says."""
    lines = example.document.text[example.start : example.end].splitlines(keepends=True)
    count = stated.source.count("\n")
    indent = " " * stated.indent
    text = "".join(
        f"{indent}{line}\n" if line.strip() else f"{indent}<BLANKLINE>\n"
        for line in got.splitlines()
    )
    return Correction(example.start + sum(map(len, lines[:count])), example.end, text)


def correct(path: Path, text: str, corrections: list[Correction]) -> None:
    """Write a document with what its examples print."""
    for start, end, output in sorted(corrections, reverse=True):
        text = text[:start] + output + text[end:]
    path.write_text(text, encoding="utf-8")
