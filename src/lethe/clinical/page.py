"""The check report as one HTML page that a coordinator can read."""

from __future__ import annotations

from lethe.clinical.check import CheckReport
from lethe.clinical.figures import bar, bars
from lethe.clinical.html import Markup, headline, page, picture, section, table


def as_page(report: CheckReport, title: str) -> str:
    """Return the HTML text; equal reports give equal pages.

    Parameters
    ----------
    report : CheckReport
    title : str
        Heading, for example the name of the dictionary.
    """
    figures = (
        (report.rows, "rows"),
        (report.eligible, "eligible"),
        (len(report.issues), "cells or columns to correct"),
        (f"{report.mean_completeness:.0%}", "complete"),
    )
    return page(
        title,
        (
            headline(figures),
            section("What has to be corrected", _issues(report)),
            section("Who does not belong into the collection, and why", _excluded(report)),
            section("Centres", _centres(report)),
            section(
                "Completeness of the variables, least complete first",
                _completeness(report),
                says="Counted are cells that should be filled: those of a treatment only where it was given.",
            ),
        ),
    )


def _issues(report: CheckReport) -> Markup:
    if not report.issues:
        return Markup("<p>Nothing.</p>")
    counts: dict[str, int] = {}
    for issue in report.issues:
        counts[issue.column or "the table"] = counts.get(issue.column or "the table", 0) + 1
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:15]
    chart = bars(most, top=most[0][1], form=".0f", name="cells to correct per column")
    rows = ((issue.row or "", issue.column, issue.sentence) for issue in report.issues)
    return Markup(
        picture(chart, "Cells to correct, by column") + table(("row", "column", "what is wrong"), rows)
    )


def _excluded(report: CheckReport) -> Markup:
    counts = report.counts()
    chart = bars(
        [(report.reasons[name], number) for name, number in counts.items()],
        top=max((*counts.values(), 1)),
        form=".0f",
        name="rows excluded per reason",
    )
    rows = ((row, "; ".join(report.reasons[name] for name in names)) for row, names in report.excluded)
    listed = table(("row", "reasons"), rows) if report.excluded else ""
    return Markup(picture(chart, "Rows, by reason; one row may have several") + listed)


def _centres(report: CheckReport) -> Markup:
    parts = [
        table(
            ("centre", "rows", "eligible", "complete", ""),
            (
                (name, one.rows, one.eligible, f"{one.completeness:.0%}", bar(one.completeness))
                for name, one in report.centres.items()
            ),
        )
    ]
    for name, one in report.centres.items():
        reasons = ", ".join(f"{report.reasons[rule]}: {n}" for rule, n in one.excluded_by.items() if n)
        least = ", ".join(f"{variable} {share:.0%}" for variable, share in one.least_complete)
        parts.append(
            table(
                (f"Centre {name}", ""),
                (("excluded", reasons or "nobody"), ("least complete variables", least or "none is missing")),
            )
        )
    return Markup("".join(parts))


def _completeness(report: CheckReport) -> Markup:
    ordered = sorted(report.completeness.items(), key=lambda item: (item[1], item[0]))
    return table(("variable", "filled", ""), ((name, f"{share:.0%}", bar(share)) for name, share in ordered))
