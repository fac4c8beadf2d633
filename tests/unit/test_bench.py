"""Frameworks against each other: no time without equal results, every figure in its place."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests import targets
from unigrad.bench import rows
from unigrad.bench.report import Timing
from unigrad.cli import app
from unigrad.errors import ArgumentError, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

MODEL = """\
import numpy as np
import unigrad as ug


@ug.function
def loss(X, w):
    z = ug.tanh(X @ w)
    return ug.mean(z * z)


def arguments():
    return np.ones((4, 3)), np.full(3, 0.5)


def cases():
    return {"X": np.ones((4, 3)), "w": np.full(3, 0.5)}


def distance(x):
    return ug.sum(ug.abs(x))


def at_a_kink():
    return (np.array([0.0, 1.0]),)


def many(parameters, scale):
    return {"sum": parameters["a"] * scale, "last": parameters["b"][0]}


def of_many():
    return {"a": np.ones(3), "b": [np.float32(2.0)]}, 2.0


def count(x):
    return ug.argmax(x)


def broken(x):
    raise ValueError("the model is broken")


with ug.graph("difference_of_squares") as g:
    a, b = ug.input("a", "float64[n]"), ug.input("b", "float64[n]")
    g.output(y=ug.sum((a - b) * (a + b)))
"""

QUICK = ("--rounds", "2", "--seconds", "0.001")


@pytest.fixture(autouse=True)
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module in the working folder."""
    (tmp_path / "bench_model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("bench_model", None)


def bench(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["bench", *words, *QUICK])
    assert result.exit_code == code, result.output
    return result


def rows_of(*words: str, code: int = 0) -> list[dict[str, Any]]:
    return json.loads(bench(*words, "--json", code=code).stdout)["rows"]


def test_the_table_has_every_row_and_figure() -> None:
    text = bench("bench_model:loss", "--inputs", "arguments", "--target", "numpy").stdout
    for word in ("value", "gradient", "ratio", "spread", "compile", "first call", "peak", "numpy"):
        assert word in text
    assert "float64[4, 3], float64[3]" in text
    assert "1 thread" in text
    assert f"numpy {np.__version__}" in text


@pytest.mark.parametrize("target", targets.of(("torch:eager", "tensorflow:graph", "jax:jit")))
def test_a_framework_is_timed_with_our_derivatives_and_with_its_own(target: str) -> None:
    words = ("--target", "numpy", "--target", target, "--argname", "w")
    found = rows_of("bench_model:loss", "--inputs", "arguments", *words)
    assert [(row["target"], row["derivative"]) for row in found] == [
        ("numpy", "graph"), (target, "graph"), (target, "framework"),
    ]  # fmt: skip
    for row in found:
        assert not row["problem"]
        for name in ("value", "gradient"):
            assert len(row[name]["samples_seconds"]) == 2
            for figure in ("compile_seconds", "first_call_seconds", "steady_seconds"):
                assert row[name][figure] > 0
            assert row[name]["peak_bytes"] is None or row[name]["peak_bytes"] >= 0
        steady = {name: row[name]["steady_seconds"] for name in ("value", "gradient")}
        assert math.isclose(row["gradient_over_value"], steady["gradient"] / steady["value"])


@pytest.mark.parametrize("target", targets.of(("jax:jit",)))
def test_what_differs_gets_no_time(target: str) -> None:
    words = ("--inputs", "at_a_kink", "--target", "numpy", "--target", target)
    first, ours, theirs = rows_of("bench_model:distance", *words, code=1)
    assert not first["problem"]
    assert not ours["problem"]
    assert "the gradient differs from that of numpy graph: by 1.0e+00" in theirs["problem"]
    assert "value" not in theirs
    text = bench("bench_model:distance", *words, code=1).stdout
    assert "jax:jit framework: the gradient differs" in text


def test_structures_numbers_and_several_results() -> None:
    (row,) = rows_of("bench_model:many", "--inputs", "of_many", "--target", "numpy")
    assert not row["problem"]


def test_what_has_no_derivative_is_timed_without_one() -> None:
    (row,) = rows_of("bench_model:count", "--like", "int64[5]", "--target", "numpy")
    assert "gradient" not in row
    assert row["gradient_over_value"] is None
    text = bench("bench_model:count", "--like", "int64[5]", "--target", "numpy").stdout
    assert "int64[5]" in text


@pytest.mark.parametrize(
    "words",
    [
        ("bench_model:loss", "--inputs", "cases"),
        ("bench_model:loss", "--like", "float32[4, 3]", "--like", "w=float32[3]"),
        ("bench_model:distance", "--at", "[1.0, 2.0]"),
        ("bench_model:g", "--like", "float64[3]", "--like", "float64[3]"),
    ],
)
def test_arguments_are_said_in_many_ways(words: tuple[str, ...]) -> None:
    (row,) = rows_of(*words, "--target", "numpy")
    assert not row["problem"]


def test_the_report_goes_into_a_file(tmp_path: Path) -> None:
    path = tmp_path / "times.json"
    words = ("--inputs", "arguments", "--target", "numpy", "--threads", "2", "-o", str(path))
    assert "numpy" in bench("bench_model:loss", *words).stdout
    told = json.loads(path.read_text())
    assert told["format"] == 1
    assert told["function"] == "bench_model:loss"
    assert told["threads"] == 2
    assert {"python", "unigrad", "numpy"} <= set(told["versions"])
    assert {"system", "processor", "processors"} <= set(told["machine"])
    assert told["date"].endswith("+00:00")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("bench_model:loss",), "no argument for X, w; give --like"),
        (("bench_model:loss", "--like", "float64[n, 3]", "--like", "float64[3]"), "named dimen"),
        (("bench_model:los", "--like", "float64"), "did you mean 'loss'"),
        (("bench_model:loss", "--inputs", "argument"), "did you mean 'arguments'"),
        (("bench_model:loss", "--derivative", "magic"), "'magic' is none of graph, native"),
        (("bench_model:loss", "--at", "1.0", "--like", "float64"), "give one of --like"),
        (("bench_model:loss", "--target", "jaxx", "--inputs", "arguments"), "unknown backend"),
    ],
)
def test_wrong_calls(words: tuple[str, ...], message: str) -> None:
    result = CliRunner().invoke(app, ["bench", *words, *QUICK], terminal_width=300)
    assert result.exit_code in (1, 2)
    assert message in " ".join(result.output.replace("│", " ").split())


def test_an_error_of_the_model_is_told_once_and_not_for_every_target() -> None:
    result = CliRunner().invoke(app, ["bench", "bench_model:broken", "--like", "float64", *QUICK])
    assert isinstance(result.exception, ValueError)
    assert "the model is broken" in str(result.exception)


def test_rows_are_each_mode_of_what_is_installed() -> None:
    found = [str(row) for row in rows()]
    assert "numpy graph" in found
    assert "numpy framework" not in found
    assert len(found) == len(set(found))
    assert [str(row) for row in rows(["torch"], ["native"])] == ["torch:eager native"]
    with pytest.raises(ArgumentError, match="none of graph, native and framework"):
        rows(["numpy"], ["other"])
    with pytest.raises(TargetError, match="unknown mode"):
        rows(["torch:jit"])


def test_figures_of_a_timing() -> None:
    timing = Timing(1.0, 2.0, [4.0, 1.0, 2.0, 3.0])
    assert timing.steady == 2.5
    assert math.isclose(timing.spread, (3.75 - 1.25) / 2.5)
    assert Timing(1.0, 2.0, [4.0]).spread == 0.0
