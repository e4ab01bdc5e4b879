"""The risk report as one HTML page that a board can decide with."""

from __future__ import annotations

from collections.abc import Sequence

from lethe.clinical.anonymity import SmallCells
from lethe.clinical.figures import bars, curve
from lethe.clinical.html import Markup, headline, page, picture, section, table
from lethe.clinical.risk import RiskReport

_SHOWN = 20


def as_risk_page(report: RiskReport, title: str) -> str:
    """Return the HTML text; equal reports give equal pages."""
    figures = (
        (report.rows, "patients"),
        (f"{report.relinked:.1%}", "found by an informed neighbour"),
        (report.after.smallest, "patients in the smallest group"),
        (f"{report.after.unique:.1%}", "alone in their group"),
    )
    return page(
        f"Risk of linkage: {title}",
        (headline(figures), _attack(report), _groups(report), _cells(report), _steps(report)),
    )


def _attack(report: RiskReport) -> Markup:
    shares = [
        ("blind guess", report.guess),
        ("the true values released", report.unscrambled),
        ("as released", report.relinked),
    ]
    tried = "" if report.attacked == report.rows else f" Tried on {report.attacked} of them."
    says = (
        f"Somebody knows the true {', '.join(report.known)} of a patient (a laboratory slip), "
        f"and takes the released row that lies nearest.{tried}"
    )
    return section(
        "An informed neighbour",
        picture(bars(shares, form=".1%", name="share of patients found"), "Patients whose own row is found"),
        picture(
            curve(report.by_known, across="known variables", up="patients found", name="found by knowledge"),
            f"The more is known, the more are found (in this order: {', '.join(report.known)})",
        ),
        says=says,
    )


def _groups(report: RiskReport) -> Markup:
    rows = (
        (name, one.groups, one.smallest, f"{one.unique:.1%}", f"{one.small:.1%}")
        for name, one in (("before", report.before), ("as released", report.after))
    )
    header = ("", "groups", "smallest group (k)", "patients alone", "patients in groups below five")
    shares = [("alone, before", report.before.unique), ("alone, as released", report.after.unique)]
    shares += [("below five, before", report.before.small), ("below five, as released", report.after.small)]
    return section(
        f"Groups that agree in {', '.join(report.quasi) or 'nothing'}",
        table(header, rows),
        picture(bars(shares, form=".1%", name="small groups"), "Patients in small groups"),
    )


def _cells(report: RiskReport) -> Markup:
    return section(
        "Small cells",
        _small("before", report.small_before),
        _small("as released", report.small_after),
        says="Cells of one to four patients in a count of one variable, or of two quasi-identifiers.",
    )


def _small(when: str, cells: Sequence[SmallCells]) -> Markup:
    if not cells:
        return Markup(f"<p>None {when}.</p>")
    rows = ((" by ".join(one.variables), one.cells, one.rows) for one in cells[:_SHOWN])
    return table((f"variables, {when}", "small cells", "patients in them"), rows)


def _steps(report: RiskReport) -> Markup:
    header = ("further step", "found", "k", "alone", "mean change of a value", "change of a correlation")
    rows = (
        (
            one.name,
            f"{one.relinked:.1%}",
            one.after.smallest,
            f"{one.after.unique:.1%}",
            f"{one.loss:.1%}",
            f"{one.correlation_change:.2f}",
        )
        for one in report.steps
    )
    shares = [("as released", report.relinked), *((one.name, one.relinked) for one in report.steps)]
    return section(
        "What further steps would buy, and cost",
        picture(
            bars(shares, form=".1%", name="found after a further step"), "Patients found after each step"
        ),
        table(header, rows),
        says="Each step is applied to what the neighbour knows and to numeric quasi-identifiers.",
    )
