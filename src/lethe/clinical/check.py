"""Check a centre's table: what is wrong, how complete it is, who belongs into the collection and who not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lethe.clinical import dates, redcap
from lethe.clinical.dictionary import Dictionary, Role
from lethe.clinical.eligibility import RuleSet, expected, filled, row_completeness, select
from lethe.clinical.issues import Issue
from lethe.clinical.rows import row_numbers
from lethe.clinical.table import CENTRE, Loaded, cell_faults, load, other_centres, structure

_LEAST = 5


@dataclass(frozen=True, slots=True)
class CentreReport:
    """What one centre reads.

    Attributes
    ----------
    rows, eligible : int
    completeness : float
        Mean share of filled cells per row, of those that should be filled.
    excluded_by : mapping of str to int
        Rule name to the number of rows that it excludes.
    variables : mapping of str to float
        Share of filled cells per variable.
    """

    rows: int
    eligible: int
    completeness: float
    excluded_by: Mapping[str, int]
    variables: Mapping[str, float]

    @property
    def least_complete(self) -> list[tuple[str, float]]:
        """Variables that are not complete, at most five, least complete first."""
        short = sorted((share, name) for name, share in self.variables.items() if share < 1)
        return [(name, share) for share, name in short[:_LEAST]]


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
    centres : mapping of str to CentreReport
        By code of the centre; ``unknown`` where the cell is none.
    """

    rows: int
    issues: tuple[Issue, ...]
    excluded: tuple[tuple[int, tuple[str, ...]], ...]
    reasons: Mapping[str, str]
    completeness: Mapping[str, float]
    centres: Mapping[str, CentreReport]

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
            "centres": {name: asdict(one) for name, one in self.centres.items()},
        }


def check_table(
    path: Path,
    dictionary: Dictionary,
    rules: RuleSet,
    *,
    mapping: redcap.Mapping | None = None,
    centre: str = "",
) -> CheckReport:
    """Read a table of a hospital and report on it.

    Parameters
    ----------
    path : Path
        CSV, Excel or a REDCap export, as for `lethe.clinical.read_table`.
    dictionary : Dictionary
    rules : RuleSet
    mapping, centre
        As for `lethe.clinical.read_table`.

    Raises
    ------
    Misconfigured, Refused
        The file cannot be read as a table at all; a table with faults is reported on.
    """
    return report_on(load(path, dictionary, mapping), dictionary, rules, centre=centre)


def report_on(loaded: Loaded, dictionary: Dictionary, rules: RuleSet, *, centre: str = "") -> CheckReport:
    """Return the report on a table of text, as `lethe.clinical.table.load` gives it."""
    table = loaded.table
    issues = [*loaded.issues, *structure(table, dictionary, dictionary.patient_column)]
    issues += other_centres(table, dictionary, centre)
    cells = cell_faults(table, dictionary)
    if not any(issue.code.startswith("date") for issue in cells):
        cells += time_order(table, dictionary)
    excluded = select(table, dictionary, rules).excluded
    counted = _Counted.of(table, dictionary)
    everyone = np.ones(len(table), dtype=bool)
    return CheckReport(
        rows=len(table),
        issues=tuple(sorted(issues + loaded.located(cells), key=lambda one: (one.row, one.column))),
        excluded=excluded,
        reasons={rule.name: rule.reason for rule in rules.rules},
        completeness=counted.shares(everyone),
        centres=_centres(table, dictionary, dict(excluded), rules, counted),
    )


def time_order(table: pd.DataFrame, dictionary: Dictionary) -> list[Issue]:
    """Return the cells that lie before the moment they have to follow; whole days where one has no time."""
    rows = row_numbers(table)
    moments = {}
    for name in dictionary.with_role(Role.DATE):
        if name in table.columns:
            cells = table[name].tolist()
            allowed = dictionary.formats[dictionary.variables[name].type]
            form, _ = dates.find_format(name, cells, rows, allowed)
            moments[name] = (dates.parse(cells, form), "%H" in form)
    issues = []
    for name, (moment, has_time) in moments.items():
        after = dictionary.variables[name].after
        if after in moments:
            earlier, earlier_has_time = moments[after]
            unit = "datetime64[s]" if has_time and earlier_has_time else "datetime64[D]"
            early = np.flatnonzero(moment.astype(unit) < earlier.astype(unit))
            issues += [Issue("order", name, rows[place], f"lies before {after}") for place in early]
    return issues


@dataclass(frozen=True, slots=True)
class _Counted:
    """Which cells should be filled and which are, per variable, shape (rows,) each."""

    wanted: Mapping[str, npt.NDArray[np.bool_]]
    there: Mapping[str, npt.NDArray[np.bool_]]

    @classmethod
    def of(cls, table: pd.DataFrame, dictionary: Dictionary) -> _Counted:
        wanted = expected(table, dictionary)
        return cls(wanted, {name: filled(table, name) for name in wanted})

    def shares(self, rows: npt.NDArray[np.bool_]) -> dict[str, float]:
        """Return the share of filled cells among some rows, per variable that applies to any of them."""
        return {
            name: float(self.there[name][flags & rows].mean())
            for name, flags in self.wanted.items()
            if (flags & rows).any()
        }


def _centres(
    table: pd.DataFrame,
    dictionary: Dictionary,
    excluded: Mapping[int, tuple[str, ...]],
    rules: RuleSet,
    counted: _Counted,
) -> dict[str, CentreReport]:
    codes = dictionary.variables[CENTRE].codes if CENTRE in dictionary.variables else {}
    cells = table[CENTRE].tolist() if CENTRE in table.columns else [""] * len(table)
    # what is not a code may be anything: it is not repeated
    names = np.array([text if text in codes else "unknown" for text in cells], dtype=object)
    share = row_completeness(table, dictionary)
    reasons = [excluded.get(row, ()) for row in row_numbers(table)]
    centres = {}
    for name in sorted(set(names)):
        own = names == name
        why = [reasons[place] for place in np.flatnonzero(own)]
        centres[str(name)] = CentreReport(
            rows=len(why),
            eligible=sum(not rule_names for rule_names in why),
            completeness=float(share[own].mean()),
            excluded_by={rule.name: sum(rule.name in one for one in why) for rule in rules.rules},
            variables=counted.shares(own),
        )
    return centres
