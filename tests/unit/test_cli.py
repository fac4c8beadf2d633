"""The command line, run in this process, and once in one of its own with broken backends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

import unigrad as ug
from unigrad import config
from unigrad.cli import app
from unigrad.ir.text import from_text
from unigrad.ops.spec import OPS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

MODEL = """\
import unigrad as ug


def chain(x):
    u = 3 * x + 2
    return u ** 4


@ug.function
def loss(X, w):
    z = ug.tanh(X @ w)
    return ug.mean(z * z)


class Model:
    @staticmethod
    def twice(x):
        return 2 * x


with ug.graph("difference_of_squares") as g:
    a, b = ug.input("a", "float64[n]"), ug.input("b", "float64[n]")
    g.output(y=ug.sum((a - b) * (a + b)))


def misfit(x):
    return x @ x


number = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "cli_model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in [name for name in os.environ if name.startswith("UNIGRAD_")]:
        monkeypatch.delenv(name)
    config.reset()
    yield tmp_path
    sys.modules.pop("cli_model", None)
    config.reset()


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def succeed(*words: str) -> str:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_help_shows_how_types_are_written() -> None:
    assert "float64[n, 3]" in " ".join(succeed("show", "--help").split())


def test_version() -> None:
    assert succeed("--version") == f"unigrad {ug.__version__}\n"


# -- targets ---------------------------------------------------------------------------------------


def test_targets_without_devices_are_told_from_metadata() -> None:
    found = {one["name"]: one for one in json.loads(succeed("targets", "--no-devices", "--json"))}
    assert found["numpy"] == {
        "name": "numpy", "installed": True, "version": metadata.version("numpy"), "modes": [],
        "derivatives": ["graph"], "devices": [], "exchange": {}, "install": "", "problem": "",
    }  # fmt: skip
    assert found["torch"]["modes"] == ["torch:eager", "torch:compile"]
    assert found["torch"]["derivatives"] == ["graph", "native"]


def test_one_target_is_asked_for_its_devices() -> None:
    output = succeed("targets", "numpy")
    heading, row = output.splitlines()
    assert heading.split() == ["backend", "version", "modes", "derivatives", "devices"]
    assert row.split() == ["numpy", metadata.version("numpy"), "-", "graph", "cpu"]


def test_how_arrays_go_from_one_framework_to_another_is_measured() -> None:
    pytest.importorskip("torch")
    found = json.loads(succeed("targets", "numpy", "torch", "strict", "--json"))
    exchange = {one["name"]: one["exchange"] for one in found}
    assert exchange == {
        "numpy": {"torch": "shared"}, "torch": {}, "strict": {"torch": "shared"},
    }  # fmt: skip
    output = succeed("targets", "numpy", "torch")
    assert "array from  to torch" in output
    assert "numpy       shared" in output


def test_an_unknown_target_is_an_error_without_a_traceback() -> None:
    result = run("targets", "nunpy")
    assert result.exit_code == 1
    assert result.stderr.startswith("TargetError: unknown backend 'nunpy'; did you mean 'numpy'?")
    assert "Traceback" not in result.output


def test_a_broken_backend_stops_nothing_else(tmp_path: Path) -> None:
    info = tmp_path / "strange-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[unigrad.backends]\n"
        "missing = strange_missing:BACKEND\n"
        "crashing = strange:CRASHING\n"
        "absent = strange:ABSENT\n"
    )
    (tmp_path / "strange.py").write_text(
        "from unigrad.backend import Backend\n"
        "from unigrad_numpy.dialect import DIALECT\n"
        "CRASHING = Backend('crashing', DIALECT, 'strange_runtime', 'json', 'pip install json')\n"
        "ABSENT = Backend('absent', DIALECT, 'strange_runtime', 'no_such', 'pip install it')\n"
    )
    (tmp_path / "strange_runtime.py").write_text("import os\nos._exit(7)\n")
    root = Path(ug.__file__).parents[1]
    paths = [str(tmp_path), str(root), str(root / "backends")]
    done = subprocess.run(
        [
            sys.executable, "-c", "from unigrad.cli import main; main()",
            "targets", "missing", "crashing", "absent", "numpy",
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.strip()}
    assert rows["numpy"][-1] == "cpu"
    assert rows["missing"][1] == "broken"
    assert rows["absent"][1:3] == ["not", "installed"]
    assert (
        "missing: the backend 'missing' (strange_missing:BACKEND) cannot be loaded" in done.stdout
    )
    assert "crashing: does not start: the process ended with 7" in done.stdout
    assert "absent: pip install it" in done.stdout


# -- settings --------------------------------------------------------------------------------------


def test_config_says_where_each_setting_came_from(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "unigrad.toml").write_text('target = "torch"\nautodiff = "native"\n')
    monkeypatch.setenv("UNIGRAD_TARGET", "numpy")
    monkeypatch.setenv("UNIGRAD_TAGET", "torch")
    output = succeed("config")
    target = next(line for line in output.splitlines() if line.startswith("target"))
    assert "environment UNIGRAD_TARGET" in target
    assert "torch (project file unigrad.toml)" in target
    assert "unknown environment variables: UNIGRAD_TAGET" in output
    found = json.loads(succeed("config", "--json"))
    assert found["unknown"] == ["UNIGRAD_TAGET"]
    assert found["settings"]["autodiff"] == {
        "value": "native",
        "source": "project file unigrad.toml",
        "path": str(folder / "unigrad.toml"),
        "overridden": ["graph (default)"],
    }


def test_a_wrong_setting_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del folder
    monkeypatch.setenv("UNIGRAD_AUTODIFF", "sideways")
    result = run("config")
    assert result.exit_code == 1
    assert result.stderr.startswith("SettingsError: 'sideways'")


# -- show ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["cli_model:chain", "cli_model.py:chain", "./cli_model.py:chain"])
def test_show_prints_graph_and_source(folder: Path, where: str) -> None:
    del folder
    output = succeed("show", where, "--like", "float64[n]")
    assert "graph chain\n  %0 = input(x) : float64[n]\n" in output
    assert "# u, cli_model.py:5" in output
    assert "def chain(x):\n    u = 3.0 * x + 2.0" in output
    assert "\x1b" not in output


def test_an_argument_of_which_nothing_is_said_is_a_number(folder: Path) -> None:
    del folder
    result = CliRunner().invoke(app, ["show", "cli_model:chain", "--target", "torch"])
    assert result.exit_code == 0
    assert "def chain(x):\n    u = 3.0 * x + 2.0" in result.stdout
    assert result.stderr == "taken as numbers: x (--like gives them other types)\n"
    result = CliRunner().invoke(app, ["show", "cli_model:loss", "--like", "X=float64[n, 3]"])
    assert result.exit_code == 1
    assert "taken as numbers: w (" in result.stderr
    assert "matmul: takes vectors and matrices, not scalars" in result.stderr
    assert "x ──3──▶ u ──4·u³──▶ chain" in succeed("draw", "cli_model:chain")


def test_the_graph_that_is_shown_parses_back(folder: Path) -> None:
    del folder
    text = succeed("show", "cli_model:chain", "--like", "float64", "--only", "graph")
    assert from_text(text, OPS).input_names == ("x",)


def test_the_source_that_is_shown_runs(folder: Path) -> None:
    del folder
    source = succeed(
        "show", "cli_model:loss", "--like", "w=float64[3]", "--like", "X=float64[n, 3]",
        "--only", "source", "--value-and-grad", "--argname", "w", "--target", "numpy",
    )  # fmt: skip
    space: dict[str, Any] = {}
    exec(source, space)  # noqa: S102  (what the command is for)
    X, w = np.ones((4, 3)), np.full(3, 0.1)
    value, gradient = space["loss_value_and_grad"](X, w)
    assert value == pytest.approx(np.tanh(0.3) ** 2)
    np.testing.assert_allclose(gradient, 2 * np.tanh(0.3) * (1 - np.tanh(0.3) ** 2), rtol=1e-12)


def test_show_names_no_line_of_the_command_line_itself(folder: Path) -> None:
    del folder
    output = succeed("show", "cli_model:chain", "--like", "float64", "--grad")
    assert "typer" not in output
    assert all("cli_model.py" in line for line in output.splitlines() if "#" in line)


def test_show_another_target_without_running_it(folder: Path) -> None:
    del folder
    types = ("--like", "float64[n, 3]", "--like", "float64[3]")
    output = succeed("show", "cli_model:loss", "--target", "torch", *types)
    assert "import torch" in output


def test_a_graph_by_hand_needs_no_types(folder: Path) -> None:
    del folder
    output = succeed("show", "cli_model:g")
    assert "def difference_of_squares(a, b):" in output
    types = ("--like", "float64[4]", "--like", "float64[4]")
    assert "def difference_of_squares_grad" in succeed("show", "cli_model:g", "--grad", *types)


def test_a_function_inside_of_a_class(folder: Path) -> None:
    del folder
    assert "def twice(x):" in succeed("show", "cli_model:Model.twice", "--like", "float32[2]")


# -- draw ------------------------------------------------------------------------------------------


def test_draw_into_the_terminal(folder: Path) -> None:
    del folder
    output = succeed("draw", "cli_model:chain", "--at", "x=3.0")
    assert "x ──3──▶ u ──5324──▶ chain" in output
    assert "∂chain/∂x = 5324·3 = 15972" in output
    assert "u = 3·x + 2  float64[n]" in succeed("draw", "cli_model:chain", "--like", "float64[n]")
    arrays = ("--at", "[[1.0, 2.0], [3.0, 4.0]]", "--at", "[0.5, -0.5]")
    assert "2 \N{MULTIPLICATION SIGN} 2, 1 … 4" in succeed("draw", "cli_model:loss", *arrays)


def test_draw_into_a_file(folder: Path) -> None:
    assert succeed("draw", "cli_model:g", "-o", "g.svg") == "wrote g.svg\n"
    assert (folder / "g.svg").read_text(encoding="utf-8").startswith("<svg ")
    ops = ("--detail", "ops", "--at", "3", "--output", "chain.txt")
    succeed("draw", "cli_model:chain", *ops)
    assert "3·□" in (folder / "chain.txt").read_text(encoding="utf-8")


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("show", "cli_model:misfit", "--like", "float64[3, 2]"), "ShapeError: matmul"),
        (
            ("draw", "cli_model:loss", "--at", "w=1.0"),
            "ArgumentError: loss(X, w): missing a required argument: 'X'",
        ),
        (
            ("show", "cli_model:chain", "--like", "float65[3]"),
            "DTypeError: unknown dtype 'float65'",
        ),
        (("show", "cli_model:chain", "--target", "nunpy", "--like", "float64"), "TargetError"),
        (("draw", "cli_model:chain", "--at", "1.0", "-o", "c.png"), "ArgumentError: a picture is"),
    ],
)
def test_errors_of_unigrad_are_told_without_a_traceback(
    folder: Path, words: tuple[str, ...], message: str
) -> None:
    del folder
    result = run(*words)
    assert result.exit_code == 1
    assert result.stderr.startswith(message)
    assert "Traceback" not in result.output
    assert "typer" not in result.output


def test_an_error_shows_the_users_line(folder: Path) -> None:
    del folder
    result = run("show", "cli_model:misfit", "--like", "float64[3, 2]")
    assert 'cli_model.py", line 27, in misfit\n    return x @ x\n' in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("nothing",),
        ("show", "cli_model"),
        ("show", "cli_model:"),
        ("show", "cli_model:chian"),
        ("show", "cli_model:number"),
        ("show", "no_such_module:f"),
        ("show", "no_such_file.py:f"),
        ("show", "cli_model:chain", "--grad", "--value-and-grad"),
        ("show", "cli_model:chain", "--argname", "x"),
        ("show", "cli_model:chain", "--only", "half"),
        ("draw", "cli_model:chain", "--like", "float64", "--at", "1.0"),
        ("draw", "cli_model:chain", "--at", "1.0", "-o", "no/such/folder/c.svg"),
    ],
)
def test_a_wrong_call_exits_with_two(folder: Path, words: tuple[str, ...]) -> None:
    del folder
    result = run(*words)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_python_runs_the_package_as_the_command() -> None:
    words = [sys.executable, "-m", "unigrad", "config"]
    ran = subprocess.run(words, capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("setting")


# -- names that are no text ------------------------------------------------------------------------

STRANGE = os.fsdecode(b"strange\xff\n[red]")


def test_a_file_of_any_name_is_shown_and_drawn(folder: Path) -> None:
    (folder / f"{STRANGE}.py").write_text(MODEL)
    try:
        shown = run("show", f"{STRANGE}.py:chain", "--grad")
        drawn = run("draw", f"{STRANGE}.py:chain", "--output", f"{STRANGE}.svg")
        missing = run("show", f"{STRANGE}s.py:chain")
    finally:
        sys.modules.pop(STRANGE, None)
    assert shown.exit_code == 0, shown.output
    assert "strange\\udcff\\n[red].py:5" in shown.output
    assert drawn.exit_code == 0, drawn.output
    assert "wrote strange\\udcff\\n[red].svg" in drawn.output
    assert missing.exit_code == 2


def test_a_settings_file_of_any_name_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / f"{STRANGE}.toml").write_text('target = "numpy"\n')
    monkeypatch.setenv("UNIGRAD_CONFIG", f"{STRANGE}.toml")
    monkeypatch.setenv("UNIGRAD_" + STRANGE, "1")
    config.reload()
    told = run("config")
    assert told.exit_code == 0, told.output
    assert "UNIGRAD_strange" in told.output
