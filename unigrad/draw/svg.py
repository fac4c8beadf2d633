"""The picture as SVG: boxes from top to bottom, values in blue, derivatives in orange.

The text stands alone: no script, no style sheet from outside, no font to load. It brings its own
light background, so that it can be read on a dark page.
"""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Final

from unigrad.draw.scene import GAP, HEADER, PAD_X, PAD_Y, scene_of, text_width

if TYPE_CHECKING:
    from unigrad.draw.picture import Picture
    from unigrad.draw.scene import DrawnBox, Line, Scene

__all__ = ["render"]

_MONO: Final = "ui-monospace, 'SFMono-Regular', Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_SANS: Final = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"
_FILLS: Final = {
    "input": ("#eff6ff", "#93c5fd"), "output": ("#ecfdf5", "#6ee7b7"),
    "variable": ("#ffffff", "#cbd5e1"), "constant": ("#f8fafc", "#cbd5e1"),
    "op": ("#ffffff", "#cbd5e1"), "port": ("none", "none"),
}  # fmt: skip
_STYLE: Final = f"""\
text {{ font-family: {_MONO}; font-size: 13px; fill: #334155; }}
.title {{ font-family: {_SANS}; font-size: 18px; font-weight: 600; fill: #0f172a; }}
.small {{ font-family: {_SANS}; font-size: 12px; fill: #64748b; }}
.name {{ font-size: 14px; font-weight: 700; fill: #0f172a; }}
.value {{ font-size: 14px; fill: #1d4ed8; }}
.gradient, .number {{ fill: #b45309; }}
.number {{ font-weight: 700; }}
.symbol {{ font-size: 11px; fill: #92400e; }}
.edge {{ fill: none; stroke: #64748b; stroke-width: 1.5; }}
.none {{ stroke: #cbd5e1; stroke-dasharray: 4 4; }}
.frame {{ fill: #f8fafc; stroke: #cbd5e1; stroke-width: 1.2; }}
.halo {{ fill: #ffffff; fill-opacity: 0.9; }}
"""
_MARGIN: Final = 28.0


def render(picture: Picture) -> str:
    """The SVG text of a picture."""
    scene = scene_of(picture, GAP)
    legend = _legend(picture)
    head = [_text(picture.title, 0, 0, "title"), _text(picture.subtitle, 0, 20, "small")]
    top = 44.0 if picture.subtitle else 26.0
    widest = max(
        scene.width,
        text_width(picture.title, 18),
        *(text_width(one, 12) * 0.9 for one in (picture.subtitle, *legend)),
    )
    parts: list[str] = []
    _write(scene, (widest - scene.width) / 2, top, parts)
    foot = top + scene.height + 34
    parts += [_text(line, 0, foot + 16 * i, "small") for i, line in enumerate(legend)]
    height = foot + 16 * (len(legend) - 1) if legend else foot - 34
    w, h = math.ceil(widest + 2 * _MARGIN), math.ceil(height + 2 * _MARGIN + 12)
    name = escape(f"{picture.title} {picture.subtitle}".strip())
    size = f'viewBox="0 0 {w} {h}" width="{w}" height="{h}" style="max-width: 100%; height: auto"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{name}">',
        f"<title>{name}</title>",
        f"<style>{_STYLE}</style>",
        _ARROW,
        f'<rect width="{w}" height="{h}" rx="10" fill="#ffffff"/>',
        f'<g transform="translate({_MARGIN:g},{_MARGIN + 14:g})">',
        *head,
        *parts,
        "</g>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


_ARROW: Final = (
    '<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8"'
    ' markerHeight="8" orient="auto-start-reverse" markerUnits="userSpaceOnUse">'
    '<path d="M0,1 L9,5 L0,9 z" fill="#64748b"/></marker></defs>'
)


def _legend(picture: Picture) -> list[str]:
    known = any(edge.number is not None for edge in picture.edges)
    shown = any(edge.exists for edge in picture.edges)
    lines: list[str] = []
    if shown:
        lines.append("Beside an arrow: the derivative of what it points to by what it comes from.")
    if known:
        lines.append("Along a path they multiply; over all paths the products add up.")
    return lines


def _text(text: str, x: float, y: float, style: str, anchor: str = "") -> str:
    where = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}"{where}>{escape(text)}</text>'


def _write(scene: Scene, left: float, top: float, parts: list[str]) -> None:
    """Boxes, arrows and labels of a scene, moved to its place; frames below what is in them."""
    parts.append(f'<g transform="translate({left:.1f},{top:.1f})">')
    for drawn in scene.drawn:
        _write_box(drawn, parts)
    for path, edge in scene.paths:
        style = "edge" if edge.exists else "edge none"
        port = scene.drawn[edge.target].inner is not None
        marker = "" if port else ' marker-end="url(#arrow)"'
        parts.append(f'<path class="{style}" d="{path}"{marker}/>')
    for label in scene.labels:
        x, y = label.x, label.y
        parts.append(
            f'<rect class="halo" x="{x - label.width / 2:.1f}" y="{y - label.height / 2:.1f}"'
            f' width="{label.width:.1f}" height="{label.height:.1f}" rx="4"/>'
        )
        base = y + 4.5 - (6 if label.symbol else 0)
        parts.append(_text(label.number, x, base, "number", "middle"))
        if label.symbol:
            parts.append(_text(label.symbol, x, base + 14, "symbol", "middle"))
    parts.append("</g>")


def _write_box(drawn: DrawnBox, parts: list[str]) -> None:
    box = drawn.box
    if box.kind == "port":
        return
    fill, stroke = _FILLS[box.kind]
    dashed = ' stroke-dasharray="5 4"' if box.kind == "constant" else ""
    parts.append(
        f'<rect x="{drawn.x:.1f}" y="{drawn.y:.1f}" width="{drawn.width:.1f}"'
        f' height="{drawn.height:.1f}" rx="{6 if box.kind == "op" else 9}" fill="{fill}"'
        f' stroke="{stroke}" stroke-width="1.3"{dashed}/>'
    )
    y = drawn.y + PAD_Y + 11
    if drawn.inner is not None:
        inner, name = drawn.inner, drawn.lines[0]
        for port in inner.ports.values():  # behind the name
            x = drawn.x + inner.left + port
            parts.append(f'<path class="edge" d="M{x:.1f},{drawn.y:.1f} v{HEADER:g}"/>')
        parts.append(
            f'<rect x="{drawn.x + PAD_X - 3:.1f}" y="{drawn.y + 4:.1f}" rx="3" fill="{fill}"'
            f' width="{name.width + 6:.1f}" height="{HEADER - 6:g}"/>'
        )
        parts.append(_line(name, drawn.x + PAD_X, y))
        _write(inner, drawn.x + inner.left, drawn.y + HEADER, parts)
        return
    for line in drawn.lines:
        parts.append(_line(line, drawn.middle, y, "middle"))
        y += 20
    if drawn.footer:
        y += 4
        parts.append(
            f'<path d="M{drawn.x + 10:.1f},{y - 15:.1f} H{drawn.x + drawn.width - 10:.1f}"'
            f' stroke="{stroke}" stroke-width="1"/>'
        )
        for line in drawn.footer:
            parts.append(_line(line, drawn.middle, y + 2, "middle"))
            y += 18


def _line(line: Line, x: float, y: float, anchor: str = "") -> str:
    where = f' text-anchor="{anchor}"' if anchor else ""
    runs = "".join(
        f'<tspan class="{style}">{escape(text)}</tspan>'
        if style
        else f"<tspan>{escape(text)}</tspan>"
        for text, style in line.runs
    )
    return f'<text x="{x:.1f}" y="{y:.1f}" xml:space="preserve"{where}>{runs}</text>'
