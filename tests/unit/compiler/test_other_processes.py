"""Functions of a program that is run, and not imported, in other processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("cloudpickle")

ROOT = Path(__file__).parents[3]
VALUES = [3.0, [2.0, 4.0], [1.0, 2.0], 6.0, [0.8414709848078965] * 2]


@pytest.mark.parametrize(
    ("how", "wanted"), [("name", [*VALUES, True]), ("value", [*VALUES, 3.0]), ("pool", VALUES)]
)
def test_functions_of_a_program_run_elsewhere(how: str, wanted: list[object]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.compiler.sent", how],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == wanted
