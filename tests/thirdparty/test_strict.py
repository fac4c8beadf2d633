"""A backend that knows the public interface alone does what those in the tree do, or says no first.

``unigrad_strict`` is a package of its own, beside this file. It is installed like any plugin:

    pip install --no-deps -e tests/thirdparty
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import array_api_strict as xp
import numpy as np
import pytest

import unigrad as ug
from tests.conformance.checker import check, read_records
from tests.conformance.test_conventions import STABILISED
from unigrad.backend import registry
from unigrad.errors import TargetError, UnsupportedError
from unigrad.testing import check as checks
from unigrad.testing import scenarios
from unigrad.testing.models import MODELS, POINTS
from unigrad.trace.structure import flatten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGE = Path(__file__).parent / "unigrad_strict"
RUNNING = (
    "logistic",
    "network",
    "selection",
    "log_mixture",
    "statistics",
    "inner_derivative",
    "factors",
)
REFUSED = {
    "gaussian_process": "iota",
    "cross_entropy": "take_within",
    "attention": "contract",
    "indexing": "take_within",
    "least_squares": "solve_matrix",
}


@pytest.fixture(autouse=True)
def _strict() -> Iterator[None]:
    assert "strict" in registry.names(), "first: pip install --no-deps -e tests/thirdparty"
    with ug.use("strict"):
        yield


# -- the package -----------------------------------------------------------------------------------


def test_it_is_small_and_uses_the_public_interface_alone() -> None:
    texts = [path.read_text() for path in PACKAGE.glob("*.py")]
    assert sum(bool(line.strip()) for text in texts for line in text.splitlines()) < 100
    used = {name for text in texts for name in _imports(text) if name.startswith("unigrad")}
    rooms = {".".join(name.split(".")[:2]) for name in used}
    assert rooms == {"unigrad.backend", "unigrad.errors", "unigrad.ir", "unigrad.ops"}


def _imports(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_it_is_found_among_the_others() -> None:
    assert {"numpy", "strict"} <= set(registry.names())
    assert "strict" not in registry.broken()


def test_showing_its_source_does_not_import_the_framework() -> None:
    program = (
        "import sys, unigrad as ug\n"
        "print(ug.grad(lambda x: ug.sum(ug.sin(x))).source('strict', 'float64[3]'))\n"
        "print('array_api_strict' in sys.modules)\n"
    )
    printed = _run(program).stdout
    assert "import array_api_strict as xp" in printed
    assert "return xp.cos(x)" in printed
    assert printed.splitlines()[-1] == "False"


# -- what it runs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RUNNING)
def test_values_are_those_of_numpy(name: str) -> None:
    _agree(lambda: ug.function(MODELS[name])(*POINTS[name]))


@pytest.mark.parametrize("name", RUNNING)
def test_gradients_are_those_of_numpy(name: str) -> None:
    arguments = tuple(range(len(POINTS[name])))
    _agree(lambda: ug.grad(_summed(MODELS[name]), argnums=arguments)(*POINTS[name]))


@pytest.mark.parametrize("name", RUNNING)
def test_forward_derivatives_are_those_of_numpy(name: str) -> None:
    _agree(lambda: ug.jvp(MODELS[name], POINTS[name], POINTS[name]))


@pytest.mark.parametrize("name", RUNNING)
def test_second_derivatives_are_those_of_numpy(name: str) -> None:
    arguments = tuple(range(len(POINTS[name])))
    gradient = ug.grad(_summed(MODELS[name]), argnums=arguments)
    _agree(lambda: ug.jvp(gradient, POINTS[name], POINTS[name]))


def _summed(model: Callable[..., Any]) -> Callable[..., Any]:
    def total(*args: Any) -> Any:
        return sum(ug.sum(leaf) for leaf in flatten(model(*args))[0])

    return total


def _agree(run: Callable[[], Any]) -> None:
    """The same arrays from the strict library as from NumPy."""
    got, structure = flatten(run())
    with ug.use("numpy"):
        want, expected = flatten(run())
    assert structure == expected
    for one, other in zip(got, want, strict=True):
        assert isinstance(one, (np.ndarray, np.generic))
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_the_convention_holds_where_it_runs() -> None:
    records = [STABILISED.get(record.id, record) for record in read_records()]
    complaints = [text for record in records for text in check(record)]
    wrong = [text for text in complaints if "UnsupportedError" not in text]
    assert not wrong, "\n".join(wrong)
    assert len(complaints) < len(records) / 2  # most of it runs


def test_the_scenarios_of_every_op_hold_where_it_runs() -> None:
    refused: list[str] = []
    for scenario in scenarios():
        try:
            checks(scenario, "strict", order=1)
        except UnsupportedError as error:
            refused.append(f"{scenario.name}: {error}")
    assert len(refused) < len(list(scenarios())) / 2  # most of it runs
    assert not [text for text in refused if "strict" not in text]


def test_ops_without_a_row_are_lowered() -> None:
    source = ug.function(ug.nn.softmax, static="axis").source("strict", "float64[3]")
    assert "xp.max(" in source
    assert "softmax(" not in source.replace("def softmax(", "")
    np.testing.assert_allclose(ug.nn.softmax(np.zeros(4)), np.full(4, 0.25))


def test_its_own_arrays_come_back_as_they_came() -> None:
    x = xp.asarray([1.0, 2.0])
    value, gradient = ug.value_and_grad(lambda x: ug.sum(x * x))(x)
    assert isinstance(value, type(x))
    assert isinstance(gradient, type(x))
    np.testing.assert_array_equal(np.asarray(gradient), [2.0, 4.0])


def test_its_arrays_choose_it_where_nobody_chose_a_target() -> None:
    printed = _run(
        "import array_api_strict as xp, unigrad as ug\n"
        "print(type(ug.sin(xp.asarray([0.0]))).__module__)\n"
    ).stdout
    assert printed.startswith("array_api_strict")


# -- what it does not run --------------------------------------------------------------------------


@pytest.mark.parametrize("name", REFUSED)
def test_what_it_cannot_do_is_said_before_anything_runs(name: str) -> None:
    with pytest.raises(UnsupportedError, match=f"strict has no row for the op '{REFUSED[name]}'"):
        ug.function(MODELS[name])(*POINTS[name])
    with pytest.raises(UnsupportedError, match=REFUSED[name]):
        ug.function(MODELS[name]).source("strict", *POINTS[name])


def test_a_declared_gap_gives_its_reason() -> None:
    with pytest.raises(UnsupportedError, match="the Array API has no error function"):
        ug.special.erf(1.0)


def test_a_dtype_that_it_lacks_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="no dtype float16"):
        ug.sin(np.ones(2, np.float16))


def test_a_device_that_it_lacks_is_refused() -> None:
    with pytest.raises(TargetError, match="strict has no device 'gpu'"), ug.use("strict@gpu"):
        ug.sin(1.0)


# -- broken ones -----------------------------------------------------------------------------------

BROKEN = {
    "unimportable": "import a_framework_that_nobody_has\n",
    "outdated": """
from unigrad.backend import Backend, Dialect
BACKEND = Backend(
    name="outdated", dialect=Dialect("outdated", imports={}, rows={}, dtypes="", number=""),
    runtime="", package="numpy", install="", interface=0,
)
""",
    "mistaken": "BACKEND = 'a text'\n",
    "leaving": "import sys\nsys.exit('goodbye')\n",
    "stopping": "class Stop(BaseException): pass\nraise Stop('enough')\n",
    "leaving_later": """
from unigrad.backend import Backend, Dialect
BACKEND = Backend(
    name="leaving_later", runtime="leaving_framework", package="numpy", install="",
    dialect=Dialect("leaving_later", imports={}, rows={}, dtypes="", number=""),
)
""",
    "misspelled": """
from unigrad.backend import Backend, Dialect
from unigrad.ops import elementwise
BACKEND = Backend(
    name="misspelled", runtime="", package="numpy", install="", dialect=Dialect(
        "misspelled", imports={}, rows={elementwise.sin: "sin(z)"}, dtypes="", number=""
    ),
)
""",
    "absent": """
from unigrad.backend import Backend, Dialect
BACKEND = Backend(
    name="absent", dialect=Dialect("absent", imports={}, rows={}, dtypes="", number=""),
    runtime="absent", package="a_framework_that_nobody_has", install="pip install nobody-has-it",
)
""",
    "ancient": """
from unigrad.backend import Backend, Dialect
BACKEND = Backend(
    name="ancient", dialect=Dialect("ancient", imports={}, rows={}, dtypes="", number=""),
    runtime="", package="ancient", tested=("2.1", "3.0"), install="pip install -U ancient",
)
""",
    "changed": """
from unigrad.backend import Backend, Dialect
BACKEND = Backend(
    name="changed", dialect=Dialect("changed", imports={}, rows={}, dtypes="", number=""),
    runtime="not_there_any_more", package="changed", tested=("0.1", "0.4"), install="",
)
""",
    "clashing": """
from unigrad.backend import Backend, Dialect
BACKEND = Backend(
    name="clashing", dialect=Dialect("clashing", imports={}, rows={}, dtypes="", number=""),
    runtime="", package="clashing_framework", install="",
)
""",
}


@pytest.fixture(scope="module")
def with_broken_ones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of installed packages, each a backend with something wrong."""
    folder = tmp_path_factory.mktemp("installed")
    for name, text in BROKEN.items():
        (folder / f"{name}.py").write_text(text)
        about = folder / f"{name}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[unigrad.backends]\n{name} = {name}:BACKEND\n")
    (folder / "leaving_framework.py").write_text("import sys\nsys.exit(3)\n")
    (folder / "clashing_framework.py").write_text('raise OSError("undefined symbol: cudnnCreate")')
    return folder


def test_the_others_go_on_working_beside_broken_ones(with_broken_ones: Path) -> None:
    finished = _run(
        "import array_api_strict as xp, numpy as np, unigrad as ug\n"
        "for target in ('numpy', 'strict'):\n"
        "    with ug.use(target):\n"
        "        print(ug.grad(lambda x: x ** 3)(2.0))\n"
        "print(float(ug.square(xp.asarray(3.0))))\n",
        with_broken_ones,
    )
    assert finished.stdout.split() == ["12.0", "12.0", "9.0"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("unimportable", ["BackendError", "(unimportable:BACKEND)", "a_framework_that_nobody_has"]),
        ("outdated", ["BackendError", "for interface 0", f"has interface {registry.INTERFACE}"]),
        ("mistaken", ["BackendError", "is a str", "not a unigrad.backend.Backend"]),
        ("leaving", ["BackendError", "cannot be loaded", "SystemExit: goodbye"]),
        ("stopping", ["BackendError", "cannot be loaded", "Stop: enough"]),
        ("leaving_later", ["BackendError", "does not start", "SystemExit: 3"]),
        ("misspelled", ["BackendError", "RuleError", "the row of 'sin'", "uses 'z'"]),
        ("absent", ["BackendNotInstalledError", "not installed", "pip install nobody-has-it"]),
        ("ancient", ["BackendError", "ancient 1.0 is too old", "2.1 to 3.0", "install -U ancient"]),
        ("changed", ["BackendError", "does not start with changed 1.0", "changed 0.1 to 0.4"]),
        (
            "clashing",
            ["BackendError", "itself does not import", "with or without unigrad", "cudnnCreate"],
        ),
    ],
)
def test_a_broken_one_says_what_is_wrong(
    name: str, words: list[str], with_broken_ones: Path
) -> None:
    finished = _run(
        "import unigrad as ug\n"
        "try:\n"
        f"    with ug.use({name!r}):\n"
        "        ug.sin(1.0)\n"
        "except ug.errors.UnigradError as error:\n"
        "    print(type(error).__name__, error)\n",
        with_broken_ones,
    )
    for word in words:
        assert word in finished.stdout


def test_a_framework_that_fails_names_those_that_were_there_before(with_broken_ones: Path) -> None:
    finished = _run(
        "import array_api_strict, unigrad as ug\n"
        "try:\n"
        "    with ug.use('clashing'):\n"
        "        ug.sin(1.0)\n"
        "except ug.errors.BackendError as error:\n"
        "    print(error)\n",
        with_broken_ones,
    )
    assert re.search(r"\(beside .*array_api_strict.*, imported before it", finished.stdout)


def test_those_that_cannot_be_loaded_are_listed(with_broken_ones: Path) -> None:
    finished = _run(
        "from unigrad.backend import registry\nprint(*sorted(registry.broken()))\n",
        with_broken_ones,
    )
    listed = set(finished.stdout.split())
    assert {"leaving", "misspelled", "mistaken", "outdated", "stopping", "unimportable"} <= listed
    assert not {"numpy", "strict", "absent"} & listed


@pytest.mark.parametrize("listing", [b"\xff\xfe", b"[unigrad.backends]\nno entry\n"])
def test_a_package_whose_listing_cannot_be_read_ends_nothing(
    listing: bytes, tmp_path: Path
) -> None:
    about = tmp_path / "garbled-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: garbled\nVersion: 1.0\n")
    (about / "entry_points.txt").write_bytes(listing)
    finished = _run(
        "import warnings, unigrad as ug\n"
        "with warnings.catch_warnings(record=True) as said:\n"
        "    warnings.simplefilter('always')\n"
        "    print(ug.grad(lambda x: x ** 3)(2.0))\n"
        "print(*[one.message for one in said])\n",
        tmp_path,
    )
    value, said = finished.stdout.splitlines()
    assert value == "12.0"
    assert "cannot be read" in said


def _run(program: str, *folders: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("UNIGRAD_")}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, folders))
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    return finished
