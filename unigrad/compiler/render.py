"""The text of a structure where Python has a literal for it: tuples, lists, dicts, words, None."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from unigrad.backend.load import load
from unigrad.outside import literal as plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unigrad.backend.emit import Parameter
    from unigrad.trace.structure import Structure

__all__ = ["literal", "unpacked"]


def unpacked(
    native: Callable[..., Any],
    parameters: Sequence[Parameter],
    inputs: int,
    outputs: int,
    render: Callable[[Sequence[str]], str | None] | None,
    label: str,
) -> tuple[Callable[..., Any], bool]:
    """A function of structures around one of arrays that returns the tuple of its results.

    Returns:
        The function, and whether it returns results flat because their structure has no literal.
    """
    names = [f"y{position}" for position in range(outputs)]
    result = None if render is None else render(names)
    flat = render is not None and result is None
    result = result or (names[0] if len(names) == 1 and not flat else _tuple(names))
    arguments = [f"x{number}" for number, _ in enumerate(parameters)]
    leaves: dict[int, str] = {}
    for argument, parameter in zip(arguments, parameters, strict=True):
        leaves.update((position, argument + path) for position, path in parameter.leaves)
    passed = [leaves[position] for position in sorted(leaves)]
    if len(passed) < inputs:  # what the function took from around it comes last
        arguments.append("*hidden")
        passed.append("*hidden")
    text = (
        f"def call({', '.join(arguments)}):\n"
        f"    {_tuple(names)} = native({', '.join(passed)})\n"
        f"    return {result}\n"
    )
    return load(text, "call", f"call {label}", {"native": native}), flat


def _tuple(names: Sequence[str]) -> str:
    return f"({''.join(f'{name}, ' for name in names)})"


class _Text:
    """The text of one leaf, so that it is not taken for a string of the structure."""

    def __init__(self, text: str) -> None:
        self.text = text


def literal(structure: Structure, texts: Sequence[str]) -> str | None:
    """The structure as Python text with ``texts`` as leaves, or ``None`` if it has no literal."""
    return _render(structure.unflatten([_Text(text) for text in texts]))


def _render(tree: Any) -> str | None:
    if isinstance(tree, _Text):
        return tree.text
    if tree is None or isinstance(tree, (str, bytes)):
        return plain(tree)  # a setting, as it is
    kind: type = tree.__class__
    if kind is dict:
        items = cast("dict[Any, Any]", tree)
        parts = [(plain(key), _render(value)) for key, value in items.items()]
        if any(None in part for part in parts):
            return None
        return "{" + ", ".join(f"{key}: {value}" for key, value in parts) + "}"
    if kind is tuple or kind is list:
        inner = [_render(one) for one in cast("list[Any]", tree)]
        if any(one is None for one in inner):
            return None
        joined = ", ".join(cast("list[str]", inner))
        if kind is list:
            return f"[{joined}]"
        return f"({joined},)" if len(inner) == 1 else f"({joined})"
    return None
