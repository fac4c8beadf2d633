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
    from collections.abc import Iterable, Iterator, Sequence

    from sybil import Example

ROOT = Path(__file__).parent
FLAGS = doctest.ELLIPSIS | NUMBER


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--refresh``."""
    parser.addoption(
        "--refresh",
        action="store_true",
        help="write what is printed anew, into the documents and into tests/golden",
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
        corrections: list[tuple[Example, str]] = []
        with as_in_a_fresh_process(self.path):
            for example in self.document:
                try:
                    example.evaluate()
                except WrongOutputError as error:
                    if example.parsed.want.startswith("Traceback") == error.got.startswith(
                        "Traceback"
                    ):
                        corrections.append((example, error.got))
                    failures.append(f"{self.path}:{example.line}\n{error}")
                except Exception:  # noqa: BLE001 - whatever an example raises, it has failed
                    failures.append(f"{self.path}:{example.line}\n{traceback.format_exc()}")
        if self.config.getoption("--refresh") and self.path.suffix == ".md":
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


class WrongOutputError(Exception):
    """A statement that does not print what the document says."""

    def __init__(self, source: str, got: str, want: str) -> None:
        super().__init__(f">>> {source}expected:\n{want or 'nothing'}\ngot:\n{got or 'nothing'}")
        self.got = got


@contextlib.contextmanager
def as_in_a_fresh_process(path: Path) -> Iterator[None]:
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
_statement = re.compile(r"^>>> .*\n(?:^\.\.\..*\n)*", re.MULTILINE)
_prompt = re.compile(r"^(?:>>>|\.\.\.) ?", re.MULTILINE)
_checker = OutputChecker()


def blocks(document: Document) -> Iterator[Region]:
    """Find the fenced blocks of Python in a page; in a session, one region for each statement."""
    files: dict[str, str] = {}
    number = 0
    for fence in _fences(document):
        text = fence.lexemes["source"]
        start = fence.start + text.offset
        if not text.startswith(">>>"):
            name = fence.lexemes["file"] or f"{Path(document.path).name}:{start}"
            before = files.get(name, "")
            files[name] = f"{before}\n\n{text}" if before else text
            yield Region(start, start + len(text), File(name, files[name], str(text)), execute)
            continue
        statements = list(_statement.finditer(text))
        ends = [*(statement.start() for statement in statements[1:]), len(text)]
        for statement, end in zip(statements, ends, strict=True):
            # What is printed may hold blank lines: it ends where the next statement begins.
            source, want = _prompt.sub("", statement.group()), text[statement.end() : end]
            number += 1
            parsed = doctest.Example(source, want, lineno=number)
            yield Region(start + statement.start(), start + end, parsed, compare)


def sessions(document: Document) -> Iterable[Region]:
    """Find the examples in a docstring that begin with ``>>>``."""
    return DocTestStringParser(compare)(document.text, document.path)


class File(NamedTuple):
    """A file as far as a page has shown it, and the part that comes now."""

    name: str
    text: str
    part: str


def execute(example: Example) -> None:
    """Run a block; a block with a file name goes on where the last one of that name ended."""
    file: File = example.parsed
    before = file.text.count("\n") - file.part.count("\n")
    linecache.cache[file.name] = (
        len(file.text),
        None,
        file.text.splitlines(keepends=True),
        file.name,
    )
    code = compile("\n" * before + file.part, file.name, "exec", dont_inherit=True)
    exec(code, example.namespace)  # noqa: S102


def compare(example: Example) -> None:
    """Run one statement of a session and hold what it prints against what the document says."""
    stated: doctest.Example = example.parsed
    file = f"<python-input-{stated.lineno}>"
    linecache.cache[file] = (0, None, stated.source.splitlines(keepends=True), file)
    code = compile(stated.source, file, "single", dont_inherit=True)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(code, example.namespace)  # noqa: S102
        except Exception as error:
            if not stated.want.startswith("Traceback"):
                raise
            told = "".join(traceback.format_exception_only(error))
            printed.write(f"Traceback (most recent call last):\n    ...\n{told}")
    got, want = without_blank_end(printed.getvalue()), without_blank_end(stated.want)
    flags = FLAGS
    for flag, wanted in stated.options.items():
        flags = flags | flag if wanted else flags & ~flag
    if not _checker.check_output(want, got, flags):
        raise WrongOutputError(stated.source, got, want)


def without_blank_end(text: str) -> str:
    """End a text with one line break, or with none if it is empty."""
    return text.rstrip() + "\n" if text.strip() else ""


def correct(path: Path, text: str, corrections: Sequence[tuple[Example, str]]) -> None:
    """Write a page with what its sessions print."""
    for example, got in reversed(corrections):
        printed = example.end - len(example.parsed.want)
        text = text[:printed] + got + text[example.end :]
    path.write_text(text, encoding="utf-8")
