"""The fast way into a compiled signature: a test written for it, in source, and nothing else.

The test asks what a look-up would have to find out (types, dtypes, shapes, that no tape records)
and calls the native function in the same breath. A miss costs one failed comparison and goes the
general way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from unigrad.outside import literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unigrad.compiler.arguments import Leaf
    from unigrad.ir.types import TensorType

__all__ = ["MISS", "guard", "returned", "silenced", "silencing"]

MISS: Final = object()
"""What a guard answers to a call of another signature."""


def guard(
    args: Sequence[Any],
    accesses: Sequence[str],
    leaves: Sequence[Leaf],
    native: Callable[..., Any],
    runtime: Any,
    tests: Sequence[str],
    active: str,
    recorded: str,
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
) -> Callable[..., Any] | None:
    """A function of positional arguments that calls ``native`` or answers :data:`MISS`.

    Args:
        args: the arguments of a call that it is to recognise.
        accesses: for each array in them, how it is reached: ``"a0"``, ``"a1['w'][0]"``.
        leaves: these arrays.
        native: the native function of them.
        runtime: that of the backend.
        tests: what a native array must be, as text about ``{x}`` of shape ``{shape}``.
        active: what must be so whatever the arrays are.
        recorded: what one of the native arrays at least must be.
        asarray: what brings a NumPy array to the backend.
        numpy_out: whether results are NumPy arrays.
        device: the device that the target names.
        outputs: the types of the results.
        shared: how each result is made the caller's own.
        rebuild: puts the results into their structure.
        render: the text of that structure, if it has a literal.
        nested: whether ``native`` returns the structure itself.
        label: what it is called in tracebacks.

    Returns:
        The guard; ``None`` if the arguments hold a container that is not tested so quickly.
    """
    from unigrad.backend.load import load  # imported by need

    names = [f"x{position}" for position in range(len(leaves))]
    space: dict[str, Any] = {
        "ndarray": np.ndarray, "native": native, "MISS": MISS, **silencing(runtime),
        "copy": getattr(runtime, "copy", None),
        "asarray": asarray,
        "to_numpy": runtime.to_numpy, "rebuild": rebuild, "device": device,
        "place": getattr(runtime, "place", None), **getattr(runtime, "GUARD_NAMES", {}),
    }  # fmt: skip
    forms = _containers(args, space)
    if forms is None:
        return None
    asked: list[str] = []
    native_names: list[str] = []
    passed: list[str] = []
    is_numpy = runtime.ARRAY_TYPE is np.ndarray
    for name, leaf in zip(names, leaves, strict=True):
        dtype, shape = leaf.type.dtype, leaf.type.shape
        if leaf.owner == "python":
            space[f"{name}_type"] = type(leaf.value)
            space[f"{name}_dtype"] = dtype.numpy.type if is_numpy else dtype
            asked.append(f"type({name}) is {name}_type")
            passed.append(
                f"{name}_dtype({name})" if is_numpy else f"asarray({name}, {name}_dtype, device)"
            )
            continue
        if leaf.owner == "numpy":
            space[f"{name}_dtype"] = dtype.numpy
            asked += [
                f"type({name}) is ndarray",
                f"{name}.dtype is {name}_dtype",
                f"{name}.shape == {shape}",
            ]
            space[f"{name}_as"] = dtype
            passed.append(name if is_numpy else f"asarray({name}, {name}_as, device)")
            continue
        for fact in runtime.GUARD_FACTS:
            found = getattr(leaf.value, fact)
            space[f"{name}_{fact}"] = found() if callable(found) else found
        space[f"{name}_type"] = type(leaf.value)
        native_names.append(name)
        asked += [test.format(x=name, shape=shape) for test in tests]
        moves = device is not None and runtime.place(leaf.value, device) is not leaf.value
        passed.append(f"place({name}, device)" if moves else name)
    call = f"native({', '.join(passed)})"
    lines = returned(
        call, outputs, shared, numpy_out=numpy_out, is_numpy=is_numpy, render=render, nested=nested
    )
    lines = silenced(lines, runtime)
    if active and native_names:
        asked.insert(0, active)
    asked += _any_of(recorded, native_names)
    # Bare arrays are named as they are passed; others are taken out of what holds them.
    given = [f"a{position}" for position in range(len(args))]
    taken: list[str] = []
    for name, access in zip(names, accesses, strict=True):
        if access in given:
            given[given.index(access)] = name
        else:
            taken.append(f"{name} = {access}")
    inner = [
        *taken,
        f"if {' and '.join(asked) or 'True'}:",
        *(f"    {line}" for line in lines),
    ]
    if forms:
        inner = [f"if {' and '.join(forms)}:", *(f"    {line}" for line in inner)]
    body = [
        "def guard(*args):",
        f"    if len(args) == {len(args)}:",
        *([f"        {''.join(f'{name}, ' for name in given)}= args"] if given else []),
        *(f"        {line}" for line in inner),
        "    return MISS",
    ]
    return load("\n".join(body) + "\n", "guard", f"guard {label}", space)


def _any_of(test: str, names: Sequence[str]) -> list[str]:
    """The test that one of these arrays passes ``test``; none if there is nothing to ask."""
    return [f"({' or '.join(test.format(x=name) for name in names)})"] if test and names else []


def _containers(args: Sequence[Any], space: dict[str, Any]) -> list[str] | None:
    """Tests of the containers in ``args``; ``None`` if one is no dict, list or tuple."""
    tests: list[str] = []
    stack: list[tuple[str, Any]] = [(f"a{position}", arg) for position, arg in enumerate(args)]
    stack.reverse()
    while stack:
        access, value = stack.pop()
        kind: Any = value.__class__
        known = f"form_{len(space)}"
        if kind is dict:
            keys = [literal(key) for key in value]
            if None in keys:
                return None
            space[known] = frozenset(value)
            tests += [f"type({access}) is dict", f"{access}.keys() == {known}"]
            inside = [
                (f"{access}[{key}]", one) for key, one in zip(keys, value.values(), strict=True)
            ]
        elif kind is list or kind is tuple or _is_record(kind):
            space[known] = kind
            tests += [f"type({access}) is {known}", f"len({access}) == {len(value)}"]
            inside = [(f"{access}[{position}]", one) for position, one in enumerate(value)]
        elif value is None:
            tests.append(f"{access} is None")
            continue
        elif hasattr(value, "dtype") or kind in (bool, int, float):
            continue
        else:
            return None
        stack.extend(reversed(inside))
    return tests


def _is_record(kind: Any) -> bool:
    """Whether a class is a named tuple."""
    return hasattr(kind, "_fields") and issubclass(kind, tuple)


def silencing(runtime: Any) -> dict[str, Any]:
    """The names that :func:`silenced` lines use."""
    names = ("silence", "restore", "is_casting", "exact")
    return {name: getattr(runtime, name) for name in names if hasattr(runtime, name)}


def silenced(lines: list[str], runtime: Any) -> list[str]:
    """Lines that run without the framework's warnings and casts of its own, if it has any."""
    if hasattr(runtime, "is_casting"):
        exact = ["if is_casting():", "    with exact():", *(f"        {line}" for line in lines)]
        return [*exact, *lines]
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
