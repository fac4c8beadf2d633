"""PyTorch: dynamic graphs (``eager``) and ``torch.compile``; our derivatives or its own."""

from __future__ import annotations

from unigrad.backend import Backend, Gap
from unigrad_torch.dialect import DIALECT
from unigrad_torch.legalise import legalise

__all__ = ["BACKEND"]

BACKEND = Backend(
    name="torch",
    dialect=DIALECT,
    runtime="unigrad_torch.runtime",
    package="torch",
    install="pip install 'unigrad[torch]'",
    tested=("2.6", "2.13"),
    modes=("eager", "compile"),
    native=True,
    gaps=(
        Gap(
            "`torch.compile` ignores a rule of ours inside `torch.func`, silently",
            lambda transform: transform.ruled,
            modes=("compile",),
        ),
        Gap(
            "Inductor adds wrongly into tangents that are one repeated zero, and crashes on some"
            " nested ones",
            lambda transform: transform.kind == "jvp",
            modes=("compile",),
        ),
    ),
    legalise=legalise,
)
