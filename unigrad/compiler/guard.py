"""The fast way into a compiled signature: a test written for it, in source, and nothing else.

The test asks what a look-up would have to find out (types, dtypes, shapes, that no tape records)
and calls the native function in the same breath. A miss costs one failed comparison and goes the
general way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unigrad.compiler.arguments import Leaf
    from unigrad.ir.types import TensorType

__all__ = ["MISS", "guard", "returned", "silenced", "silencing"]

MISS: Final = object()
"""What a guard answers to a call of another signature."""


def guard(
    leaves: Sequence[Leaf],
    native: Callable[..., Any],
    runtime: Any,
    *,
    asarray: Callable[..., Any],
    numpy_out: bool,
    device: str | None,
    outputs: Sequence[TensorType],
    shared: Sequence[str],
    rebuild: Callable[[Any], Any],
    render: Callable[[Sequence[str]], str | None],
    nested: bool,
    label: str,
) -> Callable[..., Any]:
    """A function of positional arrays that calls ``native`` or answers :data:`MISS`."""
    from unigrad.backend.load import load  # imported by need

    names = [f"x{position}" for position in range(len(leaves))]
    space: dict[str, Any] = {
        "ndarray": np.ndarray, "native": native, "MISS": MISS, **silencing(runtime),
        "copy": getattr(runtime, "copy", None),
        "asarray": asarray,
        "to_numpy": runtime.to_numpy, "rebuild": rebuild, "device": device,
        "place": getattr(runtime, "place", None), **getattr(runtime, "GUARD_NAMES", {}),
    }  # fmt: skip
    tests: list[str] = []
    passed: list[str] = []
    is_numpy = runtime.ARRAY_TYPE is np.ndarray
    for name, leaf in zip(names, leaves, strict=True):
        dtype, shape = leaf.type.dtype, leaf.type.shape
        if leaf.owner == "python":
            space[f"{name}_type"] = type(leaf.value)
            space[f"{name}_dtype"] = dtype.numpy.type if is_numpy else dtype
            tests.append(f"type({name}) is {name}_type")
            passed.append(
                f"{name}_dtype({name})" if is_numpy else f"asarray({name}, {name}_dtype, device)"
            )
            continue
        if leaf.owner == "numpy":
            space[f"{name}_dtype"] = dtype.numpy
            tests += [
                f"type({name}) is ndarray",
                f"{name}.dtype is {name}_dtype",
                f"{name}.shape == {shape}",
            ]
            space[f"{name}_as"] = dtype
            passed.append(name if is_numpy else f"asarray({name}, {name}_as, device)")
            continue
        for fact in runtime.GUARD_FACTS:
            space[f"{name}_{fact}"] = getattr(leaf.value, fact)
        tests += [test.format(x=name, shape=shape) for test in runtime.GUARD_TESTS]
        moves = device is not None and runtime.place(leaf.value, device) is not leaf.value
        passed.append(f"place({name}, device)" if moves else name)
    call = f"native({', '.join(passed)})"
    lines = returned(
        call, outputs, shared, numpy_out=numpy_out, is_numpy=is_numpy, render=render, nested=nested
    )
    lines = silenced(lines, runtime)
    unpack = f"({names[0]},)" if len(names) == 1 else ", ".join(names)
    active = getattr(runtime, "GUARD_ACTIVE", "")
    if active and any(leaf.owner not in ("python", "numpy") for leaf in leaves):
        tests.insert(0, active)
    body = [
        "def guard(*args):",
        f"    if len(args) == {len(names)}:",
        *([f"        {unpack} = args"] if names else []),
        f"        if {' and '.join(tests) or 'True'}:",
        *(f"            {line}" for line in lines),
        "    return MISS",
    ]
    return load("\n".join(body) + "\n", "guard", f"guard {label}", space)


def silencing(runtime: Any) -> dict[str, Any]:
    """The names that :func:`silenced` lines use."""
    if not hasattr(runtime, "silence"):
        return {}
    return {"silence": runtime.silence, "restore": runtime.restore}


def silenced(lines: list[str], runtime: Any) -> list[str]:
    """Lines that run without the framework's floating point warnings, if it gives any."""
    if not hasattr(runtime, "silence"):
        return lines
    inside = [f"    {line}" for line in lines]
    return ["state = silence()", "try:", *inside, "finally:", "    restore(state)"]


def returned(
    call: str,
    outputs: Sequence[TensorType],
    shared: Sequence[str],
    *,
    numpy_out: bool,
    is_numpy: bool,
    render: Callable[[Sequence[str]], str | None],
    nested: bool,
) -> list[str]:
    """Lines that call and return, with results as the caller's arrays came.

    The native function returns the structure itself if it is made of tuples and lists (``nested``),
    else a flat tuple.
    """
    if not outputs:
        return [f"return {render([]) or 'rebuild(())'}"]
    names = [f"y{position}" for position in range(len(outputs))]
    finished: list[str] = []
    for name, type_, alias in zip(names, outputs, shared, strict=True):
        text = name if is_numpy or not numpy_out else f"to_numpy({name})"
        if numpy_out and type_.ndim == 0:
            text += "[()]"  # NumPy's own results over all axes are scalars
        elif alias:
            text = f"{text}.copy()" if numpy_out else f"copy({text})"
        finished.append(text)
    target = render(names) if nested else f"({', '.join(names)},)"
    result = render(finished)
    if result is None:
        result = f"rebuild(({', '.join(finished)},))"
    if target == result:
        return [f"return {call}"]
    if target == names[0]:
        return [f"return {result.replace(names[0], call, 1)}"]
    return [f"{target} = {call}", f"return {result}"]
