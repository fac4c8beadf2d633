"""Settings: spelling of targets, precedence of sources, where a value came from, and bad input."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from types import SimpleNamespace
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import unigrad as ug
from unigrad import config
from unigrad.config import Settings, Target, canonical_device
from unigrad.errors import ArgumentError, SettingsError, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project folder of its own: no variable, no file of the machine reaches the tests."""
    for variable in [name for name in os.environ if name.startswith("UNIGRAD_")]:
        monkeypatch.delenv(variable)
    home = tmp_path / "home"
    for variable in ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(home))
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    config.reset()
    yield folder
    monkeypatch.undo()
    config.reset()


def write_user_file(text: str) -> Path:
    path = platformdirs.user_config_path("unigrad", appauthor=False) / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path


# --- devices and targets


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        ("cpu", "cpu"),
        ("CPU:0", "cpu"),
        ("cpu:1", "cpu:1"),
        ("gpu", "gpu"),
        ("cuda", "gpu"),
        ("gpu:1", "gpu:1"),
        ("cuda:0", "gpu:0"),
        ("rocm:2", "gpu:2"),
        ("gpu:00", "gpu:0"),
        ("/GPU:0", "gpu:0"),
        ("/device:GPU:0", "gpu:0"),
        ("/device:CPU:0", "cpu"),
        ("/physical_device:GPU:3", "gpu:3"),
        ("/job:localhost/replica:0/task:0/device:GPU:1", "gpu:1"),
        ("tpu:0", "tpu:0"),
        ("mps", "mps"),
        ("mps:0", "mps"),
        ("meta", "meta"),
        (" gpu:0 ", "gpu:0"),
    ],
)
def test_a_device_has_one_spelling(spelling: str, canonical: str) -> None:
    assert canonical_device(spelling) == canonical
    assert canonical_device(canonical) == canonical


def test_device_objects_of_jax_and_tensorflow_are_accepted() -> None:
    assert canonical_device(SimpleNamespace(platform="gpu", id=1)) == "gpu:1"
    assert canonical_device(SimpleNamespace(platform="cpu", id=0)) == "cpu"
    assert canonical_device(SimpleNamespace(name="/device:GPU:0", device_type="GPU")) == "gpu:0"


def test_device_objects_of_torch_are_accepted() -> None:
    torch = pytest.importorskip("torch")
    assert canonical_device(torch.device("cuda:1")) == "gpu:1"
    assert canonical_device(torch.device("cuda")) == "gpu"
    assert canonical_device(torch.zeros(1).device) == "cpu"
    assert Target("torch", "eager", torch.device("cuda", 0)) == Target.parse("torch:eager@cuda:0")


@pytest.mark.parametrize(
    "wrong", ["", "gpu:", "gpu:x", "gpu:-1", ":0", "gpu 0", "gpu:0:1", 3, None]
)
def test_what_is_no_device_is_told_so(wrong: object) -> None:
    with pytest.raises(TargetError, match=r"gpu:1|gpu:0"):
        canonical_device(wrong)


@pytest.mark.parametrize(
    ("spelling", "parts", "canonical"),
    [
        ("numpy", ("numpy", None, None), "numpy"),
        ("np", ("numpy", None, None), "numpy"),
        ("torch:eager", ("torch", "eager", None), "torch:eager"),
        ("pytorch:compile@cuda:0", ("torch", "compile", "gpu:0"), "torch:compile@gpu:0"),
        ("tf:graph@/GPU:0", ("tensorflow", "graph", "gpu:0"), "tensorflow:graph@gpu:0"),
        ("jax@cpu", ("jax", None, "cpu"), "jax@cpu"),
        ("  Torch:Eager ", ("torch", "eager", None), "torch:eager"),
        ("my-backend:fast_mode", ("my-backend", "fast_mode", None), "my-backend:fast_mode"),
    ],
)
def test_targets_are_read_and_printed(
    spelling: str, parts: tuple[str, str | None, str | None], canonical: str
) -> None:
    target = Target.parse(spelling)
    assert (target.backend, target.mode, target.device) == parts
    assert str(target) == canonical


names = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)
devices = st.builds("{}:{}".format, st.sampled_from(["gpu", "cuda", "tpu"]), st.integers(0, 99))


@given(names, st.none() | names, st.none() | devices)
def test_a_printed_target_reads_back(backend: str, mode: str | None, device: str | None) -> None:
    target = Target(backend, mode, device)
    assert Target.parse(str(target)) == target
    assert Target.parse(target) is target


@given(st.text(max_size=20))
def test_any_text_is_a_target_or_a_target_error(text: str) -> None:
    try:
        target = Target.parse(text)
    except TargetError as error:
        assert "backend[:mode][@device]" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert Target.parse(str(target)) == target


@pytest.mark.parametrize(
    "wrong",
    ["", ":eager", "torch:", "torch@", "@gpu", "torch:eager:x", "a b", "cuda:0", "torch@gpu:x"],
)
def test_a_malformed_target_names_the_grammar(wrong: str) -> None:
    with pytest.raises(TargetError) as caught:
        Target.parse(wrong)
    assert "backend[:mode][@device]" in str(caught.value)
    assert repr(wrong) in str(caught.value)


def test_a_target_that_is_no_text_is_told_its_type() -> None:
    with pytest.raises(TargetError, match=r"got 3 of type int.*backend\[:mode\]\[@device\]"):
        config.use(3)  # pyright: ignore[reportArgumentType] - the mistake under test


# --- settings


def test_defaults() -> None:
    settings = config.current()
    assert settings == Settings("numpy", "graph", "unigrad", "float64", target_is_default=True)
    assert settings.target == Target("numpy")
    assert settings.target_is_default


def test_equal_settings_are_one_object() -> None:
    made = Settings("torch@cuda:0", "native", default_float="float32")
    assert Settings(Target("pytorch", None, "gpu:0"), "native", default_float=np.float32) is made
    assert copy.deepcopy(made) is made
    assert copy.copy(made) is made
    assert pickle.loads(pickle.dumps(made)) is made
    assert Settings("torch") is not made
    assert {made: 1}[made] == 1


def test_settings_do_not_change() -> None:
    with pytest.raises(AttributeError):
        config.current().autodiff = "native"  # pyright: ignore[reportAttributeAccessIssue]


def test_current_is_one_object_as_long_as_nothing_changes() -> None:
    assert config.current() is config.current()
    with config.use("torch"):
        inside = config.current()
        assert config.current() is inside
    with config.use("torch"):
        assert config.current() is inside


def test_resolve_puts_call_arguments_in() -> None:
    settings = Settings("torch:eager", "native", "framework", "float32")
    assert config.resolve(settings) is settings
    assert config.resolve(settings, autodiff="native") is settings
    changed = config.resolve(settings, target="jax", default_float="bfloat16")
    assert changed is Settings("jax", "native", "framework", "bfloat16")


def test_a_target_that_somebody_chose_is_not_the_default_one() -> None:
    assert not config.resolve(config.current(), target="numpy").target_is_default
    assert config.resolve(config.current(), autodiff="native").target_is_default
    with config.use("numpy"):
        assert not config.current().target_is_default


@pytest.mark.parametrize(
    "dtype", ["float32", "FLOAT32", np.float32, np.dtype("float32"), np.dtype(np.float32)]
)
def test_default_float_may_be_a_dtype(dtype: object) -> None:
    assert config.resolve(config.current(), default_float=dtype).default_float == "float32"


def test_default_float_may_be_a_dtype_of_anyone() -> None:
    torch = pytest.importorskip("torch")
    assert Settings(default_float=float).default_float == "float64"
    assert Settings(default_float=ml_dtypes.bfloat16).default_float == "bfloat16"
    assert Settings(default_float=torch.bfloat16).default_float == "bfloat16"


# --- use


def test_use_nests_and_ends() -> None:
    before = config.current()
    with config.use("torch:eager", autodiff="native") as outer:
        assert outer is config.current() is Settings("torch:eager", "native")
        with config.use(default_float="float32"):
            assert config.current() is Settings("torch:eager", "native", default_float="float32")
            with config.use("jax", autodiff="graph"):
                assert config.current() is Settings("jax", default_float="float32")
        assert config.current() is outer
    assert config.current() is before


def test_use_ends_on_an_exception() -> None:
    before = config.current()
    with pytest.raises(ZeroDivisionError), config.use("torch"):
        raise ZeroDivisionError
    assert config.current() is before


def test_use_can_be_entered_again() -> None:
    torch, jax = config.use("torch"), config.use("jax")
    with torch, jax, torch:
        assert config.current().target.backend == "torch"
        with jax, torch:
            pass
        assert config.current().target.backend == "torch"
    with torch:
        assert config.current().target.backend == "torch"
    assert config.current().target_is_default


def test_use_decorates_functions() -> None:
    @config.use("torch")
    def backend(depth: int) -> list[str]:
        """Recursive on purpose: the decorator is entered within itself."""
        return [config.current().target.backend, *(backend(depth - 1) if depth else [])]

    assert backend(2) == ["torch"] * 3
    assert backend.__name__ == "backend"
    assert config.current().target_is_default


def test_use_decorates_coroutine_functions_but_no_generators() -> None:
    @config.use("torch")
    async def backend() -> str:
        await asyncio.sleep(0)
        return config.current().target.backend

    assert asyncio.run(backend()) == "torch"

    def generator() -> Iterator[int]:
        yield 1

    with pytest.raises(ArgumentError, match="inside it"):
        config.use("torch")(generator)


def test_asynchronous_tasks_do_not_see_each_other() -> None:
    async def task(backend: str) -> list[str]:
        seen: list[str] = []
        for _ in range(5):
            with config.use(backend):
                await asyncio.sleep(0)
                seen.append(config.current().target.backend)
            await asyncio.sleep(0)
            seen.append(config.current().target.backend)
        return seen

    async def main() -> list[list[str]]:
        return await asyncio.gather(task("torch"), task("jax"))

    assert asyncio.run(main()) == [["torch", "numpy"] * 5, ["jax", "numpy"] * 5]


def test_threads_do_not_see_each_other_even_through_one_object() -> None:
    shared = config.use("torch")
    both = threading.Barrier(2)

    def inside() -> str:
        with shared:
            both.wait(timeout=10)
            backend = config.current().target.backend
            both.wait(timeout=10)
        return backend + config.current().target.backend

    with config.use("jax"), ThreadPoolExecutor(2) as pool:
        assert [f.result() for f in [pool.submit(inside) for _ in range(2)]] == ["torchnumpy"] * 2
        assert pool.submit(lambda: config.current().target.backend).result() == "numpy"
        in_context = pool.submit(copy_context().run, lambda: config.current().target.backend)
        assert in_context.result() == "jax"


def test_a_generator_left_late_takes_its_own_choice_away_and_no_other() -> None:
    def steps() -> Iterator[str]:
        with config.use("torch", autodiff="native"):
            yield config.current().target.backend

    running = steps()
    assert next(running) == "torch"
    with config.use("jax"):
        assert config.current() is Settings("jax", "native")
        running.close()
        assert config.current() is Settings("jax")
    assert config.current().target_is_default


# --- configure, environment, files


def test_every_source_in_order(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def backend() -> str:
        return config.current().target.backend

    assert backend() == "numpy"
    user = write_user_file('target = "user"\nautodiff = "native"\n')
    assert backend() == "numpy"  # read once: what is written later is not seen ...
    config.reload()  # ... until asked for
    assert backend() == "user"
    (project / "unigrad.toml").write_text('target = "project"\n', encoding="utf-8")
    config.reload()
    assert backend() == "project"
    monkeypatch.setenv("UNIGRAD_TARGET", "environment")
    assert backend() == "project"
    config.reload()
    assert backend() == "environment"
    config.configure("configured")
    assert backend() == "configured"
    with config.use("used"):
        assert backend() == "used"
        assert config.resolve(config.current(), target="called").target == Target("called")
        origin = config.origins()["target"]
        config.configure("again", default_float="float16")
        assert backend() == "used"
        assert config.current().default_float == "float16"  # not named by use
    assert backend() == "again"
    assert config.current().autodiff == "native"  # named by the user file alone

    assert (str(origin.value), origin.source, origin.path) == ("used", "ug.use", None)
    assert [(str(lost.value), lost.source, lost.path) for lost in origin.overridden] == [
        ("configured", "ug.configure", None),
        ("environment", "environment UNIGRAD_TARGET", None),
        ("project", "project file unigrad.toml", project / "unigrad.toml"),
        ("user", "user file config.toml", user),
        ("numpy", "default", None),
    ]
    config.reset()
    assert backend() == "environment"


def test_origins_name_every_setting() -> None:
    with config.use("torch", conventions="framework"), config.use("jax"):
        origins = config.origins()
    assert tuple(origins) == config.settings.NAMES
    assert origins["autodiff"] == config.Origin("graph", "default")
    assert origins["conventions"].source == "ug.use"
    assert [str(lost.value) for lost in origins["target"].overridden] == ["torch", "numpy"]


def test_configure_keeps_what_it_does_not_name() -> None:
    config.configure("torch")
    config.configure(autodiff="native")
    assert config.current() is Settings("torch", "native")
    config.reload()
    assert config.current() is Settings("torch", "native")
    config.reset()
    assert config.current().target_is_default


def test_configure_reads_neither_environment_nor_files_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert config.current().autodiff == "graph"
    monkeypatch.setenv("UNIGRAD_AUTODIFF", "native")
    config.configure("torch")
    assert config.current() is Settings("torch", "graph")


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("UNIGRAD_TARGET", " tf:xla@/GPU:0 ", Settings("tensorflow:xla@gpu:0")),
        ("UNIGRAD_AUTODIFF", "native", Settings(autodiff="native", target_is_default=True)),
        (
            "UNIGRAD_CONVENTIONS",
            "Framework",
            Settings(conventions="framework", target_is_default=True),
        ),
        (
            "UNIGRAD_DEFAULT_FLOAT",
            "float32",
            Settings(default_float="float32", target_is_default=True),
        ),
        ("UNIGRAD_TARGET", "", Settings(target_is_default=True)),
    ],
)
def test_environment(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, expected: Settings
) -> None:
    monkeypatch.setenv(variable, text)
    config.reload()
    assert config.current() is expected


def test_the_nearest_project_file_wins(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = project / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    (project / "unigrad.toml").write_text('target = "far"\n', encoding="utf-8")
    (project / "a" / "pyproject.toml").write_text(
        '[project]\nname = "x"\n[tool.unigrad]\nautodiff = "native"\n', encoding="utf-8"
    )
    (inner / "pyproject.toml").write_text("[tool.ruff]\n", encoding="utf-8")  # not about unigrad
    config.reload()
    assert config.current() is Settings(autodiff="native", target_is_default=True)
    origin = config.origins()["autodiff"]
    assert origin.source == "project file pyproject.toml"
    assert origin.path == project / "a" / "pyproject.toml"

    (project / "a" / "unigrad.toml").write_text('target = "near"\n', encoding="utf-8")
    config.reload()
    assert config.current() is Settings("near")


def test_a_named_file_replaces_the_search(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "unigrad.toml").write_text('autodiff = "native"\n', encoding="utf-8")
    named = project / "gpu.toml"
    named.write_text('\ufefftarget = "torch@gpu"\n', encoding="utf-8")  # with a byte order mark
    monkeypatch.setenv("UNIGRAD_CONFIG", "gpu.toml")
    config.reload()
    assert config.current() is Settings("torch@gpu")
    origin = config.origins()["target"]
    assert (origin.source, origin.path) == ("file named by UNIGRAD_CONFIG gpu.toml", named)
    monkeypatch.setenv("UNIGRAD_CONFIG", os.devnull)  # no file at all
    config.reload()
    assert config.current().target_is_default


def test_other_variables_are_shown_and_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIGRAD_TRAGET", "torch")
    monkeypatch.setenv("UNIGRAD_AUTODIFF", "native")
    config.reload()
    assert config.current().target_is_default
    assert config.unknown_environment() == ["UNIGRAD_TRAGET"]


def test_a_deleted_working_folder_has_no_project_file(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = project / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    try:
        gone.rmdir()
    except OSError:
        pytest.skip("this system does not let a working folder go")
    config.reload()
    assert config.current().target_is_default


# --- bad input


def test_unknown_settings_list_the_known_ones() -> None:
    for choose in (config.use, config.configure):
        with pytest.raises(SettingsError) as caught:
            choose(autodif="native")  # pyright: ignore[reportArgumentType] - the mistake under test
        message = str(caught.value)
        assert f"unknown setting 'autodif' in ug.{choose.__name__}" in message
        assert "target, autodiff, conventions, default_float, optimise and check_stale" in message
        assert "did you mean 'autodiff'?" in message


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("autodiff", "natve", ["'natve'", "graph or native", "did you mean 'native'?"]),
        ("conventions", "torch", ["'torch'", "unigrad or framework"]),
        ("default_float", "float63", ["'float63'", "float32, float16 or bfloat16", "did you mean"]),
        ("default_float", np.int32, ["int32", "float64"]),
        ("default_float", [], ["[]", "float64"]),
        ("autodiff", True, ["True", "graph or native"]),
        ("autodiff", [], ["[]", "graph or native"]),
        ("target", [], ["[]", "backend[:mode][@device]"]),
    ],
)
def test_unknown_values_list_the_known_ones(name: str, value: object, expected: list[str]) -> None:
    for choose in (config.use, config.configure, lambda **k: config.resolve(config.current(), **k)):
        with pytest.raises(SettingsError) as caught:
            choose(**{name: value})
        for part in expected:
            assert part in str(caught.value)
    assert config.current().target_is_default


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("UNIGRAD_AUTODIFF", "both"),
        ("UNIGRAD_TARGET", "torch:"),
        ("UNIGRAD_DEFAULT_FLOAT", "double"),
    ],
)
def test_a_wrong_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str
) -> None:
    monkeypatch.setenv(variable, text)
    config.reload()
    for _ in range(2):  # it stays wrong until it is put right
        with pytest.raises(SettingsError, match=f"environment {variable}"):
            config.current()
    with pytest.raises(SettingsError, match=variable), config.use("torch"):
        pytest.fail("entered the block")
    monkeypatch.delenv(variable)
    assert config.current().target_is_default


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('target = "torch"\nautodiff = native\n', "line 2"),
        ('target = "torch"\n\nautodiff = "nat', "line 3"),
        ('traget = "torch"\n', "'traget'.*did you mean 'target'"),
        ('autodiff = "both"\n', "'both'.*graph or native"),
        ("default_float = 32\n", "32.*float64"),
        ("target = 1\n", r"got 1 of type int.*backend\[:mode\]"),
    ],
)
def test_a_wrong_file_is_named(project: Path, text: str, expected: str) -> None:
    (project / "unigrad.toml").write_text(text, encoding="utf-8")
    config.reload()
    with pytest.raises(SettingsError, match=expected) as caught:
        config.current()
    assert str(project / "unigrad.toml") in str(caught.value)


def test_a_broken_pyproject_counts_only_if_it_speaks_of_unigrad(project: Path) -> None:
    path = project / "pyproject.toml"
    path.write_text("[tool.other\n", encoding="utf-8")
    config.reload()
    with pytest.warns(UserWarning, match=r"pyproject\.toml, line 1, is not TOML.*no settings are"):
        assert config.current().target_is_default
    assert config.current().target_is_default  # said once
    path.write_text("[tool.unigrad\n", encoding="utf-8")
    config.reload()
    with pytest.raises(SettingsError, match="line 1"):
        config.current()
    path.write_text("[tool]\nunigrad = 3\n", encoding="utf-8")
    config.reload()
    with pytest.raises(SettingsError, match="expected a table"):
        config.current()


DEEP = 100_000


@pytest.mark.parametrize(
    "text",
    [f"target = {'[' * DEEP}", f"target{'.a' * DEEP} = 1\n", f"[target{'.a' * DEEP}]\n"],
    ids=["lists", "keys", "tables"],
)
def test_a_file_that_is_nested_without_end_is_named(project: Path, text: str) -> None:
    (project / "unigrad.toml").write_text(text, encoding="utf-8")
    config.reload()
    with pytest.raises(SettingsError, match="nested too deep"):
        config.current()


def test_a_pyproject_of_others_that_is_nested_without_end_is_passed_over_aloud(
    project: Path,
) -> None:
    (project / "pyproject.toml").write_text(f"[tool.other]\nx = {'[' * DEEP}", encoding="utf-8")
    config.reload()
    with pytest.warns(UserWarning, match="nested too deep.*no settings are read from it"):
        assert config.current().target_is_default


def test_a_file_that_is_no_text_is_named(project: Path) -> None:
    (project / "unigrad.toml").write_bytes(b"\xff\xfe\x00")
    config.reload()
    with pytest.raises(SettingsError, match=r"cannot read the project file .*unigrad\.toml"):
        config.current()


def test_a_named_file_must_be_there_and_speak(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNIGRAD_CONFIG", "nowhere.toml")
    config.reload()
    with pytest.raises(SettingsError, match=r"UNIGRAD_CONFIG .*nowhere\.toml"):
        config.current()
    (project / "pyproject.toml").write_text('[project]\nname = "x"\n', encoding="utf-8")
    monkeypatch.setenv("UNIGRAD_CONFIG", "pyproject.toml")
    config.reload()
    with pytest.raises(SettingsError, match=r"UNIGRAD_CONFIG .*no table \[tool\.unigrad\]"):
        config.current()


def test_importing_reads_nothing_and_stays_light() -> None:
    """A wrong variable must not break an import, and no reader of files is loaded by it."""
    script = (
        "import sys, unigrad.config\n"
        "print([m for m in ('tomllib', 'platformdirs', 'torch') if m in sys.modules])\n"
    )
    environment = {**os.environ, "UNIGRAD_TARGET": "::", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# -- flags -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", False), ("false", False), (" Off ", False), ("1", True), ("yes", True)],
)
def test_flags_come_from_the_environment_in_words(
    text: str, value: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNIGRAD_OPTIMISE", text)
    config.reload()
    assert config.current().optimise is value


@pytest.mark.parametrize("value", ["maybe", 2, 1.0, []])
def test_what_is_no_flag_is_an_error(value: object) -> None:
    with pytest.raises(SettingsError, match=r"'optimise' \(in ug.use\): expected true or false"):
        config.use(optimise=value)  # pyright: ignore[reportArgumentType]


def test_a_call_that_names_no_setting_says_so_at_once() -> None:
    with pytest.raises(SettingsError, match=r"unknown setting 'autodif' in ug\.grad.*autodiff"):
        ug.grad(abs, autodif="native")
    with pytest.raises(SettingsError, match=r"unknown setting 'targt' in ug\.function"):
        ug.function(targt="numpy")(abs)
