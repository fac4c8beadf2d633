"""What is to be compared: a row for each target and each way to differentiate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from unigrad.backend import registry
from unigrad.config import Target
from unigrad.errors import ArgumentError, BackendError, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DERIVATIVES", "Row", "rows"]

DERIVATIVES: Final[dict[str, dict[str, str]]] = {
    "graph": {"autodiff": "graph", "conventions": "unigrad"},
    "native": {"autodiff": "native", "conventions": "unigrad"},
    "framework": {"autodiff": "native", "conventions": "framework"},
}
"""Who differentiates: our rules; the framework, by our conventions; the framework as it is."""


class Row(NamedTuple):
    """One line of the comparison.

    Attributes:
        target: as settings spell it.
        derivative: a key of :data:`DERIVATIVES`.
    """

    target: str
    derivative: str

    @property
    def backend(self) -> str:
        """The name of the framework, which has a process of its own."""
        return Target.parse(self.target).backend

    def __str__(self) -> str:
        return f"{self.target} {self.derivative}"


def rows(targets: Sequence[str] = (), derivatives: Sequence[str] = ()) -> list[Row]:
    """The rows for targets, or for every mode of every backend that is installed.

    Args:
        targets: such as ``"torch:compile"``; one without a mode is its default mode.
        derivatives: keys of :data:`DERIVATIVES`; our rules and the bare framework by default.

    Raises:
        ArgumentError: for an unknown way to differentiate.
        TargetError: for an unknown target.
    """
    for name in derivatives:
        if name not in DERIVATIVES:
            raise ArgumentError(f"{name!r} is none of {listed(DERIVATIVES)}")
    found: list[Row] = []
    for target in targets or _installed():
        parsed = Target.parse(target)
        backend, mode = registry.get(parsed)
        full = str(Target(parsed.backend, mode or None, parsed.device))
        for name in derivatives or ("graph", "framework"):
            row = Row(full, name if backend.native else "graph")
            if row not in found:
                found.append(row)
    return found


def _installed() -> list[str]:
    targets: list[str] = []
    for name in registry.names():
        try:
            backend = registry.found(name)
        except BackendError:
            continue
        if registry.installed(backend):
            targets += [f"{name}:{mode}" for mode in backend.modes] or [name]
    return targets
