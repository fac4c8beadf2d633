"""Reads and prints what a graph is to become and where it runs: ``backend[:mode][@device]``.

Every framework spells devices in its own way and people spell backends in several; one canonical
spelling makes targets comparable. Which backends and modes exist is not known here: the registry
checks that when a target is about to run.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from unigrad.errors import TargetError

__all__ = ["Target", "canonical_device"]

_GRAMMAR = (
    "a target is spelled backend[:mode][@device], as in numpy, torch:eager, torch@cpu "
    "or jax:jit@gpu:0"
)
_BACKEND_ALIASES = {"pytorch": "torch", "tf": "tensorflow", "np": "numpy"}
# PyTorch names AMD's devices cuda as well, JAX names them rocm; to the user both are a gpu.
_DEVICE_ALIASES = {"cuda": "gpu", "rocm": "gpu", "hip": "gpu"}
# Frameworks report a lone device now with an index and now without; one spelling is enough.
_LONE_DEVICES = frozenset({"cpu", "mps", "meta"})
_WORD = re.compile(r"[a-z][a-z0-9_-]*")
_DEVICE = re.compile(
    r"(?:/job:[^/:]+)?(?:/replica:\d+)?(?:/task:\d+)?"  # how TensorFlow says where a tensor lives
    r"/?(?:(?:physical_)?device:)?"
    r"(?P<kind>[a-z][a-z0-9_]*)(?::(?P<index>\d+))?"
)


def canonical_device(device: object) -> str:
    """Return the one spelling of a device: ``cpu``, ``gpu``, ``gpu:1``, ``tpu:0``, ``mps``.

    Args:
        device: text (``"cuda:0"``, ``"/GPU:0"``, ``"/job:a/task:0/device:GPU:0"``) or a native
            device object of PyTorch, JAX or TensorFlow; no framework is imported to look at it.

    Raises:
        TargetError: it is neither.

    Example:
        >>> canonical_device("cuda:0"), canonical_device("/device:GPU:1"), canonical_device("cuda")
        ('gpu:0', 'gpu:1', 'gpu')
    """
    if isinstance(device, str):
        return _device_from_text(device)
    kind, index = getattr(device, "type", None), getattr(device, "index", None)  # torch.device
    if not isinstance(kind, str):
        kind, index = getattr(device, "platform", None), getattr(device, "id", None)  # jax.Device
    if isinstance(kind, str):
        return _device_from_text(kind if index is None else f"{kind}:{index}")
    name = getattr(device, "name", None)  # tf.config.LogicalDevice
    if isinstance(name, str):
        return _device_from_text(name)
    message = (
        "expected a device as text, such as 'cpu' or 'gpu:0', or as an object of a framework, "
        f"got {device!r} of type {type(device).__name__}"
    )
    raise TargetError(message)


def _device_from_text(text: str) -> str:
    found = _DEVICE.fullmatch(text.strip().lower())
    if found is None:
        message = (
            f"{text!r} is not a device: expected a kind and perhaps a number, "
            "as in cpu, gpu, gpu:1, cuda:0, tpu:0 or mps"
        )
        raise TargetError(message)
    kind = _DEVICE_ALIASES.get(found["kind"], found["kind"])
    index = None if found["index"] is None else int(found["index"])
    if index is None or (index == 0 and kind in _LONE_DEVICES):
        return kind
    return f"{kind}:{index}"


@dataclass(frozen=True, slots=True)
class Target:
    """What a graph becomes and where it runs; the spelling of its parts is made canonical.

    Attributes:
        backend: name of the backend, such as ``"numpy"`` or ``"torch"``.
        mode: name of the mode, such as ``"eager"``; None for the backend's default mode.
        device: as :func:`canonical_device` spells it; None for the input's own device.

    Example:
        >>> str(Target.parse("pytorch:compile@cuda:0"))
        'torch:compile@gpu:0'
    """

    backend: str
    mode: str | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        """Bring every part to its canonical spelling, or raise TargetError."""
        for part in ("backend", "mode"):
            word: object = getattr(self, part)
            if word is None and part == "mode":
                continue
            if not isinstance(word, str) or _WORD.fullmatch(word.lower()) is None:
                message = f"{word!r} is not the name of a {part}: {_GRAMMAR}"
                raise TargetError(message)
            # setattr past the freeze, as the generated __init__ does
            object.__setattr__(self, part, word.lower())
        backend = _BACKEND_ALIASES.get(self.backend, self.backend)
        object.__setattr__(self, "backend", backend)
        if self.device is not None:
            object.__setattr__(self, "device", canonical_device(self.device))

    @classmethod
    def parse(cls, target: str | Target) -> Target:
        """Read ``backend[:mode][@device]``; a Target is returned as it is.

        Raises:
            TargetError: the text does not have that form. Whether the backend and its mode exist
                is checked by the registry when the target is about to run.
        """
        if isinstance(target, Target):
            return target
        if not isinstance(target, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            message = f"expected text, got {target!r} of type {type(target).__name__}: {_GRAMMAR}"
            raise TargetError(message)
        return _parse_target(target)

    def __str__(self) -> str:
        mode = "" if self.mode is None else f":{self.mode}"
        device = "" if self.device is None else f"@{self.device}"
        return f"{self.backend}{mode}{device}"


@functools.lru_cache(maxsize=256)
def _parse_target(text: str) -> Target:
    name, at, device = text.strip().partition("@")
    backend, colon, mode = name.partition(":")
    try:
        return Target(backend, mode if colon else None, device if at else None)
    except TargetError as error:
        message = f"cannot read the target {text!r}: {error}"
        raise TargetError(message if _GRAMMAR in message else f"{message}; {_GRAMMAR}") from None
