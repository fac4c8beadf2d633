"""The source that is emitted, held against files: what a change of the emitter changes is a diff.

``inputs/`` holds one module for each case, which says in ``source(target)`` what is emitted. Every
other folder is called after a target, with ``-native`` behind it if the framework differentiates,
and holds what comes out. Another backend is another folder. ::

    pytest tests/golden                # compare
    pytest tests/golden --refresh      # write anew, then read the diff
    mkdir tests/golden/jax             # and refresh: the files of another target

No framework is needed: a source can be shown without it.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

import unigrad as ug
from tests.emitted import names_that_meet

HERE = Path(__file__).parent
CASES = sorted(path.stem for path in (HERE / "inputs").glob("*.py"))
FOLDERS = sorted(
    path.name
    for path in HERE.iterdir()
    if path.is_dir() and path.name not in ("inputs", "__pycache__")
)


def emitted(case: str, folder: str) -> str:
    """What the target that ``folder`` is called after makes of a case."""
    target, _, native = folder.partition("-")
    names = runpy.run_path(str(HERE / "inputs" / f"{case}.py"))
    with ug.use(autodiff=native or "graph"):
        return names["source"](target)


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("case", CASES)
def test_the_emitted_source_is_the_one_on_file(
    case: str, folder: str, pytestconfig: pytest.Config
) -> None:
    file = HERE / folder / f"{case}.txt"
    source = emitted(case, folder)
    compile(source, file.name, "exec")
    assert "unigrad" not in source  # a file stands alone
    assert names_that_meet(source, folder.partition("-")[0]) == []
    if pytestconfig.getoption("--refresh"):
        file.write_text(source, encoding="utf-8")
    assert file.exists(), f"run: pytest {HERE.parent.name}/{HERE.name} --refresh"
    assert source == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_has_its_case(folder: str) -> None:
    assert sorted(path.stem for path in (HERE / folder).iterdir()) == CASES
