"""The targets that tests run on: every mode of every framework, and both ways to differentiate."""

from __future__ import annotations

import functools
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "COMPILED", "EAGER", "FRAMEWORKS", "PYTORCH_IS_LOUD", "TARGETS", "compile_soon", "needs", "of",
    "ways",
]  # fmt: skip

PYTORCH_IS_LOUD = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.script(_method)?` is:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`torch._prims_common.check` is:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.* should not be instantiated:DeprecationWarning"),
]
"""PyTorch uses what PyTorch has deprecated, when its forward mode or its compiler is first used."""

EAGER = ("numpy", "torch:eager", "tensorflow:eager", "jax:eager")
"""Targets that run a function as soon as it is written."""

COMPILED = ("torch:compile", "tensorflow:graph", "tensorflow:xla", "jax:jit")
"""Targets that take a while for each function."""

TARGETS = (*EAGER, *COMPILED)

FRAMEWORKS = ("torch:eager", "tensorflow:eager", "jax:jit")
"""For each framework the mode in which a small function is soonest done."""


def of(targets: Iterable[str], *reasons: pytest.MarkDecorator) -> list[object]:
    """Targets as parameters of a test; one whose framework is missing is skipped, and says so."""
    return [pytest.param(target, id=target, marks=[needs(target), *reasons]) for target in targets]


def ways(targets: Iterable[str]) -> list[object]:
    """Targets with each way to differentiate, as parameters ``("target", "autodiff")``."""
    return [
        pytest.param(target, autodiff, id=f"{target}-{autodiff}", marks=needs(target))
        for target in targets
        for autodiff in ("graph", "native")
        if (target, autodiff) != ("numpy", "native")  # NumPy runs graph mode, and says so
    ]


def compile_soon(target: str, patch: pytest.MonkeyPatch) -> None:
    """Let a target compile soon rather than well, where that can be said: what is run only once.

    What XLA makes of a graph stays the same; LLVM makes no more of the code than it must.
    """
    if target == "jax:jit":
        jax = pytest.importorskip("jax")
        options = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
        patch.setattr(jax, "jit", functools.partial(jax.jit, compiler_options=options))


def needs(target: str) -> pytest.MarkDecorator:
    """What skips a test where the framework of a target is missing, and says so."""
    framework = target.partition(":")[0]
    missing = find_spec(framework) is None
    return pytest.mark.skipif(missing, reason=f"{framework} is not installed")
