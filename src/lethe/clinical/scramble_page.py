"""The report of a release as one HTML page: what the variables went through, what an analysis loses."""

from __future__ import annotations

from lethe.clinical.figures import bars, intervals, points
from lethe.clinical.html import Markup, headline, page, picture, section, table
from lethe.clinical.report import NOTES, ScrambleReport
from lethe.clinical.utility import FEW, QUANTILES

_TOO_FEW = Markup(f"<p>Too few patients: such figures are told from {FEW} patients on.</p>")


def as_scramble_page(report: ScrambleReport, title: str) -> str:
    """Return the HTML text; it tells no more than the JSON report, and equal reports give equal pages."""
    figures = (
        (report.rows, "patients"),
        (len(report.variables), "variables"),
        (f"{round(report.largest_change, 2):.0%}", "largest change of a value"),
        (len(report.no_ops), "variables that rounding left unchanged"),
    )
    return page(
        f"Released table: {title}",
        (
            headline(figures),
            section(
                "What to know", Markup(f"<ul>{''.join(f'<li>{one}</li>' for one in NOTES.values())}</ul>")
            ),
            _variables(report),
            _means(report),
            _correlations(report),
            _model(report),
        ),
    )


def _variables(report: ScrambleReport) -> Markup:
    shown = [one for one in report.variables if one.treatment == "scrambled" and one.filled >= FEW]
    shares = [(one.name, one.rounded_back / one.filled) for one in shown]
    chart = picture(
        bars(shares, name="share of values unchanged by rounding"), "Values that rounding left unchanged"
    )
    header = (
        "variable",
        "role",
        "what",
        "filled",
        "changed",
        "unchanged by rounding",
        "label",
        "largest change",
    )
    rows = []
    for one in report.variables:
        largest = one.as_dict()["largest_change"]
        told = f"{largest:.1%}" if largest is not None and one.treatment == "scrambled" else ""
        rows.append(
            (one.name, one.role, one.treatment, one.filled, one.changed, one.rounded_back, one.labelled, told)
        )
    return section("What the variables went through", chart if shares else "", table(header, rows))


def _means(report: ScrambleReport) -> Markup:
    told = report.utility
    if not told.mean_change:
        return section("Means, spreads and quantiles", _TOO_FEW)
    top = max(0.01, *(abs(value) for value in told.mean_change.values()))
    chart = bars(
        [(name, abs(value)) for name, value in told.mean_change.items()],
        top=top,
        form=".2%",
        name="change of the means",
    )
    header = ("variable", "mean", "standard deviation", *(f"quantile {share:.0%}" for share in QUANTILES))
    rows = (
        (
            name,
            f"{value:+.2%}",
            f"{told.spread_change[name]:+.2%}",
            *(f"{one:+.2%}" for one in told.quantile_change[name]),
        )
        for name, value in told.mean_change.items()
    )
    return section(
        "Means, spreads and quantiles",
        picture(chart, "Change of the mean, without its sign"),
        table(header, rows),
        says="Relative changes from before to after scrambling.",
    )


def _correlations(report: ScrambleReport) -> Markup:
    told = report.utility
    if not told.correlations:
        return section("Correlations", _TOO_FEW)
    chart = points(
        [(one.before, one.after) for one in told.correlations],
        across="before",
        up="after",
        name="correlations before and after",
    )
    header = ("pair", "before", "after", "change")
    rows = (
        (f"{one.first}, {one.second}", f"{one.before:.3f}", f"{one.after:.3f}", f"{one.change:.3f}")
        for one in told.correlations[:10]
    )
    return section(
        "Correlations",
        picture(chart, f"{told.correlated_pairs} pairs of variables; on the line nothing changed"),
        table(header, rows),
    )


def _model(report: ScrambleReport) -> Markup:
    model = report.utility.model
    if model is None:
        return section("A model of outcome", Markup("<p>Too few patients for it, or no finite estimate.</p>"))
    chart = intervals(
        [(one.name, one.before, one.after) for one in model.terms],
        across="odds ratio per standard deviation",
        name="odds ratios before and after",
    )
    header = ("predictor", "before", "after")
    rows = (
        (
            one.name,
            *(f"{middle:.2f} ({low:.2f} to {high:.2f})" for low, middle, high in (one.before, one.after)),
        )
        for one in model.terms
    )
    return section(
        "A model of outcome",
        picture(chart, "Grey: before; coloured: after scrambling; intervals of 95 %"),
        table(header, rows),
        says=(
            f"Logistic regression of {model.outcome} in {', '.join(model.codes)} ({model.events} of "
            f"{model.patients} patients with all values). No coefficient moved by more than "
            f"{model.largest_shift:.2f} of its standard error."
        ),
    )
