"""The documents are complete and up to date. Their examples run by ``conftest.py`` of the root."""

from __future__ import annotations

import inspect
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from unigrad import config, errors
from unigrad.config.settings import NAMES
from unigrad.errors import UnigradError

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["ops.md", "conventions.md"])
def test_generated_pages_are_up_to_date(name: str) -> None:
    """In a process of its own: other tests define ops."""
    program = (
        "import runpy, sys\n"
        f"pages = runpy.run_path({str(ROOT / 'docs' / 'generate.py')!r})['PAGES']\n"
        f"sys.stdout.buffer.write(pages[{name!r}]().encode())\n"
    )
    made = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert made.returncode == 0, made.stderr.decode()
    committed = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert made.stdout.decode() == committed, "run: python docs/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for link in LINK.findall(text):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target), link


def _anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub names them."""
    headings = re.findall(r"^#+ +(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        links = LINK.findall(page.read_text(encoding="utf-8"))
        found = [
            (page.parent / link.partition("#")[0]).resolve() for link in links if "//" not in link
        ]
        waiting += [one for one in found if one.suffix == ".md"]
    assert set(PAGES) - seen <= {ROOT / "CHANGELOG.md"}


def test_every_error_has_its_paragraph() -> None:
    text = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    classes = [
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, UnigradError) and value is not UnigradError
    ]
    for name in classes:
        assert f"\n## {name}\n" in text
        assert f"| [`{name}`](#{name.lower()}) |" in text


def test_every_setting_has_its_line() -> None:
    text = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    for name in NAMES:
        default = config.origins()[name]
        last = default.overridden[-1] if default.overridden else default
        line = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        assert f"`{last.value}`" in line
        assert f"`UNIGRAD_{name.upper()}`" in line


def test_the_documents_are_among_the_tests(pytestconfig: pytest.Config) -> None:
    assert {"tests", "README.md", "docs", "unigrad"} <= set(pytestconfig.getini("testpaths"))


@pytest.mark.parametrize("goal", ["demo", "test"])
def test_the_readme_says_what_the_makefile_runs(goal: str) -> None:
    """For each of the two commands, the line that installs and the line that runs."""
    rules = re.findall(r"^(\S+):(.*)\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    needs = {name: re.findall(r"\$\(\w+\)", rest)[0] for name, rest, _ in rules if "$(" in rest}
    steps = {name: [line.strip() for line in lines.splitlines()] for name, _, lines in rules}
    (install,) = (line for line in steps[needs[goal]] if line.startswith("$(PIP)"))
    (run,) = steps[goal]
    readme = [_words(line) for line in (ROOT / "README.md").read_text().splitlines()]
    assert _words(install) in readme
    assert _words(run) in readme


_SAME = {
    "$(PIP)": ".venv/bin/python -m pip",
    "$(BIN)": ".venv/bin",
    "--constraint": "-c",
    "--editable": "-e",
    "--quiet": "",
}


def _words(line: str) -> list[str]:
    for long, short in _SAME.items():
        line = line.replace(long, short)
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # prose, with an apostrophe
        return []


def test_the_backends_of_the_readme_are_those_that_exist() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        entries = tomllib.load(file)["project"]["entry-points"]["unigrad.backends"]
    readme = (ROOT / "README.md").read_text()
    table = readme.partition("| target |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)", table, re.MULTILINE)) == set(entries)
