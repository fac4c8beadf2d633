"""Finding backends: entry points, so that one in the tree and one from outside are found alike."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import warnings
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from unigrad.config import did_you_mean, origins
from unigrad.errors import BackendError, BackendNotInstalledError, TargetError, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.metadata import Distribution, EntryPoint

    from unigrad.backend.dialect import Dialect
    from unigrad.config import Target
    from unigrad.ir.nodes import Graph
    from unigrad.ir.types import DType, TensorType

__all__ = [
    "INTERFACE", "Backend", "Compilation", "Gap", "Runtime", "Tape", "Transform", "broken", "found",
    "get", "installed", "names", "runtime", "version_of",
]  # fmt: skip

INTERFACE: Final = 2
"""The version of what a backend must provide."""

GROUP: Final = "unigrad.backends"


class Runtime(Protocol):
    """The functions of a backend that need its framework: a module, imported when first run.

    Attributes:
        ARRAY_TYPE: the class of a plain native array.
    """

    ARRAY_TYPE: type

    def is_native(self, value: Any) -> bool:
        """Whether ``value`` is this framework's array."""
        ...

    def type_of(self, value: Any) -> TensorType:
        """Dtype and shape of a native array."""
        ...

    def asarray(self, value: Any, dtype: DType, device: Any) -> Any:
        """A native array of a NumPy array, on ``device`` (``None``: the framework's default)."""
        ...

    def to_numpy(self, value: Any) -> Any:
        """A NumPy array of a native one; a copy where memory cannot be shared."""
        ...


@dataclass(frozen=True)
class Compilation:
    """What a runtime's ``compile`` is told about the function that it is to compile.

    Attributes:
        mode: the mode of the target, ``""`` where the backend has one way only.
        device: where it runs, as targets spell it; ``None``: the framework's default.
        types: the types of the arrays in its arguments; a named dimension stands for any size.
        constants: the captured arrays, native and in place: what its last parameters hold.
        native_in: whether every argument will be a native array; if not, some may be NumPy arrays
            or numbers.
        tape: how it is run on the caller's tape: ``""`` off it, ``"node"`` as one node whose
            derivative is ours, ``"ops"`` operation by operation.
    """

    mode: str = ""
    device: str | None = None
    types: tuple[TensorType, ...] = ()
    constants: tuple[Any, ...] = ()
    native_in: bool = True
    tape: str = ""


class Tape(Protocol):
    """What ``attach`` is told: a graph, and its derivatives as functions of flat arrays."""

    graph: Graph

    def derivative(
        self, kind: str, wrt: tuple[int, ...], seeds: tuple[int, ...] = ()
    ) -> Callable[..., tuple[Any, ...]]:
        """The ``"vjp"`` (of inputs and cotangents) or ``"jvp"`` (of inputs and tangents)."""
        ...

    def keeping(self, wrt: tuple[int, ...], seeds: tuple[int, ...]) -> Any:
        """The function and its vjp as native functions that share what the first computed.

        ``forward`` takes the arguments and returns the results, then what is kept; ``pull`` of
        some of ``wrt`` takes the arguments, what was kept and the cotangents.
        """
        ...


class Transform(NamedTuple):
    """A derivative that a framework is to take.

    Attributes:
        kind: ``"vjp"`` or ``"jvp"``.
        body: what is differentiated.
        ruled: whether an op in it stands under our rule, because its native gradient breaks the
            convention.
    """

    kind: str
    body: Graph
    ruled: bool


@dataclass(frozen=True)
class Gap:
    """Transforms that a framework gets wrong.

    Attributes:
        reason: what it does instead, for the page of coverage.
        covers: whether a transform is one of them.
        modes: the modes in which this is so; all of them by default.
    """

    reason: str
    covers: Callable[[Transform], bool]
    modes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Backend:
    """A framework as unigrad sees it.

    Attributes:
        name: as in a target, ``"torch"``.
        dialect: the table of rows.
        dialects: for modes that need other rows, their tables.
        runtime: the module of the functions that need the framework, imported when first run.
        package: the framework's import name.
        install: the command that installs it.
        tested: the oldest and the newest version of the framework that it is known to work with.
        modes: the modes, default first; empty if there is one way only.
        flat: the modes whose compiler takes functions of arrays alone and not of structures (what
            they return may be tuples and lists of arrays).
        frees: the modes that see a whole function and free its arrays themselves, as soon as they
            are not needed any more.
        native: whether the framework differentiates (``autodiff="native"``).
        gaps: the transforms that it gets wrong, which our rules expand in native mode too.
        interface: the version of the backend interface that it is written for.
        legalise: further rewriting of a graph before it is written.
        decorators: lines above the function that is written for a graph.
    """

    name: str
    dialect: Dialect
    runtime: str
    package: str
    install: str
    tested: tuple[str, str] = ("", "")
    modes: tuple[str, ...] = ()
    flat: tuple[str, ...] = ()
    frees: tuple[str, ...] = ()
    native: bool = False
    gaps: tuple[Gap, ...] = ()
    interface: int = INTERFACE
    legalise: Callable[[Graph], Graph] | None = None
    decorators: Callable[[Graph], Sequence[str]] = lambda _: ()
    dialects: Mapping[str, Dialect] = field(default_factory=dict[str, "Dialect"], compare=False)

    def of_mode(self, mode: str) -> Backend:
        """The backend with the table of a mode."""
        return replace(self, dialect=self.dialects[mode]) if mode in self.dialects else self


@lru_cache(maxsize=1)
def _entry_points() -> dict[str, Any]:
    from importlib import metadata  # slow to import

    try:
        return {entry.name: entry for entry in metadata.entry_points(group=GROUP)}
    except Exception:  # noqa: BLE001  (one package with a file that cannot be read; the others can)
        return {entry.name: entry for one in metadata.distributions() for entry in _listed_by(one)}


def _listed_by(package: Distribution) -> list[EntryPoint]:
    """The backends that one installed package lists."""
    try:
        return [entry for entry in package.entry_points if entry.group == GROUP]
    except Exception as error:  # noqa: BLE001
        what = f"the entry points of an installed package cannot be read: {error!r}"
        warnings.warn(f"{what}; backends in it are not found", stacklevel=2)
        return []


def names() -> tuple[str, ...]:
    """The names of all backends that are known on this machine."""
    return tuple(sorted(_entry_points(), key=lambda name: (name != "numpy", name)))


@lru_cache(maxsize=64)
def found(name: str) -> Backend:
    """The backend of that name.

    Raises:
        TargetError: if no backend has it; the message lists those that are known.
        BackendError: if its package is broken or written for another interface.
    """
    entries = _entry_points()
    if name not in entries:
        raise TargetError(
            f"unknown backend {name!r}{did_you_mean(name, entries)};"
            f" no backend of that name is installed; those known here are {listed(names())}"
        )
    entry = entries[name]
    try:
        backend = entry.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # one that exits when it is imported ends no program
        raise BackendError(
            f"the backend {name!r} ({entry.value}) cannot be loaded:"
            f" {type(error).__name__}: {error}"
        ) from error
    if not isinstance(backend, Backend):
        raise BackendError(
            f"the backend {name!r} ({entry.value}) is a {type(backend).__name__},"
            " not a unigrad.backend.Backend"
        )
    if backend.interface != INTERFACE:
        raise BackendError(
            f"the backend {name!r} is written for interface {backend.interface},"
            f" this unigrad has interface {INTERFACE}"
        )
    return backend


def broken() -> dict[str, str]:
    """Backends that cannot be loaded, with the reason."""
    reasons: dict[str, str] = {}
    for name in names():
        try:
            found(name)
        except BackendError as error:
            reasons[name] = str(error)
    return reasons


def get(target: Target) -> tuple[Backend, str]:
    """The backend of a target and its mode, defaults filled in.

    Raises:
        TargetError: if the backend or the mode is unknown.
    """
    try:
        return _get(target)
    except TargetError as error:
        origin = origins()["target"]
        if origin.value != target or origin.source in ("ug.use", "ug.configure"):
            raise  # the program's own words
        raise TargetError(f"{error} (the target {str(target)!r} is from {origin.source})") from None


def _get(target: Target) -> tuple[Backend, str]:
    backend = found(target.backend)
    mode = target.mode
    if mode is None:
        return backend, backend.modes[0] if backend.modes else ""
    if mode not in backend.modes:
        known: Sequence[str] = [f"{backend.name}:{one}" for one in backend.modes]
        has = f"the modes are {listed(known)}" if known else f"{backend.name} has no modes"
        raise TargetError(
            f"unknown mode {mode!r} of {backend.name}{did_you_mean(mode, backend.modes)}; {has}"
        )
    return backend, mode


def installed(backend: Backend) -> bool:
    """Whether the framework is there, without importing it."""
    try:
        return importlib.util.find_spec(backend.package) is not None
    except (ImportError, ValueError):  # no name of a package, or a module that tells nothing
        return backend.package in sys.modules


@lru_cache(maxsize=64)
def runtime(backend: Backend) -> Any:
    """The runtime module of a backend; imports the framework.

    Raises:
        BackendNotInstalledError: if the framework is not there; the message has the pip line.
        BackendError: if it is too old, or does not start; the message says whose failure that is.
    """
    if not installed(backend):
        raise BackendNotInstalledError(
            f"the target {backend.name!r} needs {backend.package}, which is not installed:"
            f" {backend.install}"
        )
    version = version_of(backend.package)
    oldest, newest = backend.tested
    known = f"; the backend is tested with {backend.package} {oldest} to {newest}" if oldest else ""
    if _is_older(version, oldest):
        raise BackendError(f"{backend.package} {version} is too old{known}: {backend.install}")
    try:
        importlib.import_module(backend.package)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise BackendError(
            f"{backend.package} {version} itself does not import here, with or without unigrad"
            f"{_beside(backend)}: {type(error).__name__}: {error}"
        ) from error
    try:
        return importlib.import_module(backend.runtime)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise BackendError(
            f"the backend {backend.name!r} does not start with {backend.package} {version}"
            f"{known}: {type(error).__name__}: {error}"
        ) from error


def version_of(package: str) -> str:
    """The version of the distribution that an import package came with, without importing it."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        names = metadata.packages_distributions().get(package, [])
        return metadata.version(names[0]) if names else "of unknown version"


def _is_older(version: str, oldest: str) -> bool:
    """Whether a version like ``2.13.0+cpu`` comes before one like ``2.6``."""
    parts = [tuple(int(part) for part in re.findall(r"\d+", one)[:2]) for one in (version, oldest)]
    return len(parts[0]) == 2 and parts[0] < parts[1]  # noqa: PLR2004  (else it is not known)


def _beside(backend: Backend) -> str:
    """The other frameworks in this process: two may bring libraries that exclude each other."""
    packages = {one.package for name in names() if (one := _quietly(name)) is not None}
    others = [one for one in sorted(packages - {backend.package, "numpy"}) if one in sys.modules]
    return f" (beside {listed(others)}, imported before it in this process)" if others else ""


def _quietly(name: str) -> Backend | None:
    try:
        return found(name)
    except BackendError:
        return None
