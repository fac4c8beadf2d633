"""The picture for a terminal: values, then the arrows with their derivatives, then gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unigrad.draw.expressions import number

if TYPE_CHECKING:
    from unigrad.draw.picture import Box, Edge, Picture

__all__ = ["equation", "render"]


def render(picture: Picture) -> str:
    """The picture as lines of text."""
    lines = [" ".join(filter(None, [picture.title, picture.subtitle])), ""]
    width = max((len(_head(box)) for box in picture.boxes), default=0)
    for box in picture.boxes:
        lines.append(f"  {_head(box):<{width}}  {', '.join(box.lines)}".rstrip())
        if box.inner is not None:
            lines += [f"    {one}" for one in _arrows(box.inner)]
    arrows = _arrows(picture)
    if arrows:
        lines += ["", *(f"  {one}" for one in arrows)]
    gradients = [equation(box) for box in picture.boxes if box.gradient]
    if gradients:
        lines += ["", *(f"  {one}" for one in gradients)]
    return "\n".join(lines)


def equation(box: Box) -> str:
    """The gradient at a box in one line; the range of an array is no equation."""
    label, *rest = box.gradient
    return f"{label}: {rest[-1]}" if "…" in rest[-1] else " = ".join([label, *rest])


def _head(box: Box) -> str:
    return f"{box.title} = {box.formula}" if box.formula else box.title


def _arrows(picture: Picture) -> list[str]:
    """Every arrow once, chained into lines as long as they go on: ``x ──3──▶ u ──5324──▶ y``."""
    leaving: dict[int, list[Edge]] = {}
    for edge in picture.edges:
        leaving.setdefault(edge.source, []).append(edge)
    lines: list[str] = []
    for place, box in enumerate(picture.boxes):
        while leaving.get(place):
            line, at = box.title, place
            while leaving.get(at):
                edge = leaving[at].pop(0)
                at = edge.target
                line += f" ──{_label(edge)}▶ {picture.boxes[at].title}"
            lines.append(line)
    return lines


def _label(edge: Edge) -> str:
    if not edge.exists:
        return "· "
    text = edge.symbol if edge.number is None else number(edge.number, digits=6)
    return f"{text}──" if text else ""
