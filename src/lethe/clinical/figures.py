"""Small pictures as SVG text: bars, curves, points, intervals. Equal numbers give equal bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from lethe.clinical.html import Markup

BEFORE, AFTER = "#7a7a7a", "#1f6f8b"
_GOOD, _FAIR, _POOR = "#2a7f62", "#c77d0a", "#b3382c"
_WIDTH, _LEFT = 720, 250
_LINE = 20


def bar(share: float) -> Markup:
    """Return one small bar for a table cell, coloured by how full it is."""
    colour = _GOOD if share > 0.9 else _FAIR if share > 0.5 else _POOR
    return Markup(
        f'<svg width="200" height="12" role="img" aria-label="{share:.0%}">'
        f'<rect width="200" height="12" fill="#eee"/>'
        f'<rect width="{200 * share:.0f}" height="12" fill="{colour}"/></svg>'
    )


def bars(rows: Sequence[tuple[str, float]], *, top: float = 1.0, form: str = ".0%", name: str) -> Markup:
    """Return horizontal bars with their names and values.

    Parameters
    ----------
    rows : sequence of (str, float)
        Name and value, not negative.
    top : float
        Value of a full bar.
    form : str
        Format of the written value.
    name : str
        What the picture shows, for who cannot see it.
    """
    room = _WIDTH - _LEFT - 70
    parts = []
    for place, (label, value) in enumerate(rows):
        y = place * _LINE
        long = room * min(1.0, value / top) if top > 0 else 0.0
        parts.append(_text(_LEFT - 8, y + 14, label, "end"))
        parts.append(f'<rect x="{_LEFT}" y="{y + 3}" width="{long:.1f}" height="14" fill="{AFTER}"/>')
        parts.append(_text(_LEFT + long + 6, y + 14, format(value, form)))
    return _svg(_WIDTH, max(1, len(rows)) * _LINE, name, parts)


def curve(points: Sequence[tuple[float, float]], *, across: str, up: str, name: str) -> Markup:
    """Return a curve of shares (0 to 1, drawn on an axis of per cent) over whole numbers."""
    width, height, left, base = 480, 260, 60, 210
    last = max(2.0, max(x for x, _ in points))
    spots = [(left + 400 * x / last, base - 190 * y) for x, y in points]
    parts = [
        f'<line x1="{left}" x2="{left + 400}" y1="{base - 190 * share:.0f}" y2="{base - 190 * share:.0f}" '
        f'stroke="#ddd"/>' + _text(left - 8, base - 190 * share + 4, f"{share:.0%}", "end")
        for share in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{AFTER}" stroke-width="2"/>')
    for (x, y), (number, _) in zip(spots, points, strict=True):
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{AFTER}"/>')
        parts.append(_text(x, base + 18, f"{number:g}", "middle"))
    parts += [_text(left + 200, base + 40, across, "middle"), _text(left, 12, up)]
    return _svg(width, height, name, parts)


def points(pairs: Sequence[tuple[float, float]], *, across: str, up: str, name: str) -> Markup:
    """Return points between -1 and 1 on both axes with the line of no change."""
    side, edge = 320, 40
    parts = [
        f'<rect x="{edge}" y="10" width="{side}" height="{side}" fill="none" stroke="#ccc"/>',
        f'<line x1="{edge}" y1="{side + 10}" x2="{side + edge}" y2="10" stroke="#ccc"/>',
    ]
    for x, y in pairs:
        cx, cy = edge + side * (x + 1) / 2, 10 + side * (1 - y) / 2
        parts.append(f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="2.5" fill="{AFTER}" fill-opacity=".5"/>')
    for value in (-1, 0, 1):
        parts.append(_text(edge + side * (value + 1) / 2, side + 26, f"{value}", "middle"))
        parts.append(_text(edge - 6, 14 + side * (1 - value) / 2, f"{value}", "end"))
    parts += [_text(edge + side / 2, side + 44, across, "middle"), _text(edge + 6, 24, up)]
    return _svg(side + edge + 20, side + 54, name, parts)


Interval = tuple[float, float, float]


def intervals(rows: Sequence[tuple[str, Interval, Interval]], *, across: str, name: str) -> Markup:
    """Return pairs of ratios with their intervals (low, middle, high) on a logarithmic axis.

    Parameters
    ----------
    rows : sequence of (str, before, after)
    across : str
        Name of the axis.
    """
    every = [value for _, *both in rows for one in both for value in one]
    low, high = math.log(min(*every, 0.5)), math.log(max(*every, 2.0))
    room, step = _WIDTH - _LEFT - 30, 34

    def x(value: float) -> float:
        return _LEFT + room * (math.log(value) - low) / (high - low)

    bottom = len(rows) * step
    parts = [f'<line x1="{x(1):.1f}" x2="{x(1):.1f}" y1="0" y2="{bottom}" stroke="#ccc"/>']
    for place, (label, *both) in enumerate(rows):
        parts.append(_text(_LEFT - 8, place * step + 20, label, "end"))
        for lane, (one, colour) in enumerate(zip(both, (BEFORE, AFTER), strict=True)):
            y = place * step + 11 + 10 * lane
            parts.append(
                f'<line x1="{x(one[0]):.1f}" x2="{x(one[2]):.1f}" y1="{y}" y2="{y}" stroke="{colour}"/>'
                f'<circle cx="{x(one[1]):.1f}" cy="{y}" r="4" fill="{colour}"/>'
            )
    for value in (0.5, 1, 2):
        parts.append(_text(x(value), bottom + 16, f"{value:g}", "middle"))
    parts.append(_text(_LEFT + room / 2, bottom + 34, across, "middle"))
    return _svg(_WIDTH, bottom + 42, name, parts)


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(width: float, height: float, name: str, parts: Sequence[str]) -> Markup:
    return Markup(
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(name, quote=True)}" font-size="12">{"".join(parts)}</svg>'
    )
