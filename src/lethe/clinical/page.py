"""The check report as one HTML page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from lethe.clinical.check import CheckReport

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.2rem .6rem;border-bottom:1px solid #ddd}
td.n{text-align:right;font-variant-numeric:tabular-nums}svg{vertical-align:middle}
.figures{display:flex;gap:2rem;flex-wrap:wrap}.figures b{display:block;font-size:1.7rem}
"""


def as_page(report: CheckReport, title: str) -> str:
    """Return the HTML text; equal reports give equal pages.

    Parameters
    ----------
    report : CheckReport
    title : str
        Heading, for example the name of the dictionary.
    """
    parts = [
        f"<h1>{escape(title)}</h1>",
        _figures(report),
        "<h2>What has to be corrected</h2>",
        _issues(report),
        "<h2>Who does not belong into the collection, and why</h2>",
        _excluded(report),
        "<h2>Centres</h2>",
        _centres(report),
        "<h2>Completeness of the variables, least complete first</h2>",
        "<p>Counted are cells that should be filled: variables of a treatment only where it was given.</p>",
        _completeness(report),
    ]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _figures(report: CheckReport) -> str:
    shown = (
        (report.rows, "rows"),
        (report.eligible, "eligible"),
        (len(report.issues), "cells or columns to correct"),
        (f"{report.mean_completeness:.0%}", "complete"),
    )
    return (
        '<div class="figures">' + "".join(f"<p><b>{value}</b>{name}</p>" for value, name in shown) + "</div>"
    )


def _issues(report: CheckReport) -> str:
    if not report.issues:
        return "<p>Nothing.</p>"
    rows = ((issue.row or "", issue.column, issue.sentence) for issue in report.issues)
    return _table(("row", "column", "what is wrong"), rows)


def _excluded(report: CheckReport) -> str:
    counts = report.counts()
    top = max((*counts.values(), 1))
    summary = ((report.reasons[name], number, _bar(number / top)) for name, number in counts.items())
    rows = ((row, "; ".join(report.reasons[name] for name in names)) for row, names in report.excluded)
    return _table(("reason", "rows", ""), summary) + (
        _table(("row", "reasons"), rows) if report.excluded else ""
    )


def _centres(report: CheckReport) -> str:
    rows = (
        (
            name,
            int(one["rows"]),
            int(one["eligible"]),
            f"{one['completeness']:.0%}",
            _bar(one["completeness"]),
        )
        for name, one in report.centres.items()
    )
    return _table(("centre", "rows", "eligible", "complete", ""), rows)


def _completeness(report: CheckReport) -> str:
    ordered = sorted(report.completeness.items(), key=lambda item: (item[1], item[0]))
    return _table(
        ("variable", "filled", ""), ((name, f"{share:.0%}", _bar(share)) for name, share in ordered)
    )


class _Bar(str):
    """Markup of our own, not to be escaped."""


def _bar(share: float) -> _Bar:
    colour = "#2a7f62" if share > 0.9 else "#c77d0a" if share > 0.5 else "#b3382c"
    return _Bar(
        f'<svg width="200" height="12" role="img" aria-label="{share:.0%}">'
        f'<rect width="200" height="12" fill="#eee"/>'
        f'<rect width="{200 * share:.0f}" height="12" fill="{colour}"/></svg>'
    )


def _table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _cell(value: object) -> str:
    if isinstance(value, _Bar):
        return f"<td>{value}</td>"
    number = isinstance(value, int) or str(value).endswith("%")
    return f'<td class="n">{value}</td>' if number else f"<td>{escape(str(value))}</td>"
