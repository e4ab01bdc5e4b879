"""Check a centre's table: what is wrong, how complete it is, who belongs into the collection and who not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lethe.clinical import dates
from lethe.clinical.dictionary import Dictionary, Role
from lethe.clinical.eligibility import RuleSet, expected, filled, row_completeness, select
from lethe.clinical.issues import Issue
from lethe.clinical.table import cell_faults, load, structure

CENTRE = "centre"
_FIRST_ROW = 2


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a centre reads about its table. Rows are counted as in a spreadsheet; no value is in here.

    Attributes
    ----------
    rows : int
    issues : tuple of Issue
        Cells and columns that break a rule of the dictionary, dates in an impossible order.
    excluded : tuple of (row, tuple of rule names)
        Rows that do not belong into the collection.
    reasons : mapping of str to str
        Rule name to the reason it stands for.
    completeness : mapping of str to float
        Share of filled cells per variable, of the cells that should be filled.
    centres : mapping of str to mapping
        Rows, eligible rows and mean completeness per code of the centre.
    """

    rows: int
    issues: tuple[Issue, ...]
    excluded: tuple[tuple[int, tuple[str, ...]], ...]
    reasons: Mapping[str, str]
    completeness: Mapping[str, float]
    centres: Mapping[str, Mapping[str, float]]

    @property
    def eligible(self) -> int:
        """Number of rows that belong into the collection."""
        return self.rows - len(self.excluded)

    @property
    def mean_completeness(self) -> float:
        """Mean of the variables' completeness."""
        return sum(self.completeness.values()) / max(1, len(self.completeness))

    def counts(self) -> dict[str, int]:
        """Return how many rows each rule excludes."""
        return {name: sum(name in rules for _, rules in self.excluded) for name in self.reasons}

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "rows": self.rows,
            "eligible": self.eligible,
            "issues": [issue.as_dict() for issue in self.issues],
            "excluded": [{"row": row, "rules": list(rules)} for row, rules in self.excluded],
            "excluded_by": self.counts(),
            "reasons": dict(self.reasons),
            "completeness": dict(self.completeness),
            "mean_completeness": self.mean_completeness,
            "centres": {name: dict(values) for name, values in self.centres.items()},
        }


def check_table(path: Path, dictionary: Dictionary, rules: RuleSet) -> CheckReport:
    """Read a table of a hospital and report on it.

    Parameters
    ----------
    path : Path
        CSV or Excel, as for `lethe.clinical.read_table`.
    dictionary : Dictionary
    rules : RuleSet

    Raises
    ------
    Misconfigured, Refused
        The file cannot be read as a table at all; a table with faults is reported on.
    """
    return report_on(load(path), dictionary, rules)


def report_on(table: pd.DataFrame, dictionary: Dictionary, rules: RuleSet) -> CheckReport:
    """Return the report on a table of text, as `lethe.clinical.table.load` gives it."""
    issues = structure(table, dictionary, dictionary.patient_column) + cell_faults(table, dictionary)
    if not any(issue.code.startswith("date") for issue in issues):
        issues += time_order(table, dictionary)
    excluded = select(table, dictionary, rules).excluded
    return CheckReport(
        rows=len(table),
        issues=tuple(sorted(issues, key=lambda issue: (issue.row, issue.column))),
        excluded=excluded,
        reasons={rule.name: rule.reason for rule in rules.rules},
        completeness=_completeness(table, dictionary),
        centres=_centres(table, dictionary, {row for row, _ in excluded}),
    )


def time_order(table: pd.DataFrame, dictionary: Dictionary) -> list[Issue]:
    """Return the cells that lie before the moment they have to follow; whole days where one has no time."""
    moments = {}
    for name in dictionary.with_role(Role.DATE):
        if name in table.columns:
            cells = table[name].tolist()
            form, _ = dates.find_format(name, cells, dictionary.formats[dictionary.variables[name].type])
            moments[name] = (dates.parse(cells, form), "%H" in form)
    issues = []
    for name, (moment, has_time) in moments.items():
        after = dictionary.variables[name].after
        if after in moments:
            earlier, earlier_has_time = moments[after]
            unit = "datetime64[s]" if has_time and earlier_has_time else "datetime64[D]"
            early = np.flatnonzero(moment.astype(unit) < earlier.astype(unit))
            issues += [Issue("order", name, int(row) + _FIRST_ROW, f"lies before {after}") for row in early]
    return issues


def _completeness(table: pd.DataFrame, dictionary: Dictionary) -> dict[str, float]:
    shares = {}
    for name, wanted in expected(table, dictionary).items():
        if wanted.any():
            shares[name] = float(filled(table, name)[wanted].mean())
    return shares


def _centres(table: pd.DataFrame, dictionary: Dictionary, excluded: set[int]) -> dict[str, dict[str, float]]:
    codes = dictionary.variables[CENTRE].codes if CENTRE in dictionary.variables else {}
    cells = table[CENTRE].tolist() if CENTRE in table.columns else [""] * len(table)
    share = row_completeness(table, dictionary)
    centres: dict[str, dict[str, float]] = {}
    for place, text in enumerate(cells):
        name = text if text in codes else "unknown"  # what is not a code may be anything: it is not repeated
        values = centres.setdefault(name, {"rows": 0, "eligible": 0, "completeness": 0.0})
        values["rows"] += 1
        values["eligible"] += place + _FIRST_ROW not in excluded
        values["completeness"] += float(share[place])
    for values in centres.values():
        values["completeness"] /= values["rows"]
    return dict(sorted(centres.items()))
