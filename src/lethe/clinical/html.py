"""What the pages of this room share: one file each, no script, no font, no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.2rem .6rem;border-bottom:1px solid #ddd}
td.n{text-align:right;font-variant-numeric:tabular-nums}
svg{vertical-align:middle;max-width:100%;height:auto}
figure{margin:1rem 0}figcaption{color:#555}
.figures{display:flex;gap:2rem;flex-wrap:wrap}.figures b{display:block;font-size:1.7rem}
"""


class Markup(str):
    """Markup of our own, not to be escaped."""


def page(title: str, parts: Iterable[str]) -> str:
    """Return a whole page; equal parts give equal bytes.

    Parameters
    ----------
    title : str
        Plain text.
    parts : iterable of str
        Markup, one after the other below the title.
    """
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    body = f"<h1>{escape(title)}</h1>" + "".join(parts)
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>\n'


def section(heading: str, *parts: str, says: str = "") -> Markup:
    """Return a heading, a sentence in plain text below it, and what follows."""
    sentence = f"<p>{escape(says)}</p>" if says else ""
    return Markup(f"<h2>{escape(heading)}</h2>{sentence}{''.join(parts)}")


def headline(figures: Sequence[tuple[object, str]]) -> Markup:
    """Return the few numbers that a page begins with, each with its name."""
    shown = "".join(f"<p><b>{escape(str(value))}</b>{escape(name)}</p>" for value, name in figures)
    return Markup(f'<div class="figures">{shown}</div>')


def picture(svg: Markup, caption: str) -> Markup:
    """Return a picture with its caption."""
    return Markup(f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>")


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> Markup:
    """Return a table; numbers and percentages stand at the right."""
    top = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    return Markup(f"<table><tr>{top}</tr>{body}</table>")


def _cell(value: object) -> str:
    if isinstance(value, Markup):
        return f"<td>{value}</td>"
    number = isinstance(value, int) or str(value).endswith("%")
    return f'<td class="n">{value}</td>' if number else f"<td>{escape(str(value))}</td>"
