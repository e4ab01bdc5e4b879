"""Who belongs into a collection: rules kept as data, and the reason recorded for whoever does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml

from lethe.clinical.dictionary import DROPPED, Dictionary, Role
from lethe.clinical.rows import row_numbers, with_rows
from lethe.errors import Misconfigured

_TESTS = ("filled", "in", "not_in", "first", "last", "above")
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rule:
    """One condition on a row.

    Attributes
    ----------
    name, reason : str
        What is written into the report when the rule excludes a row.
    variable : str
        Column that is looked at; empty for a rule about completeness.
    wanted, unwanted : tuple of str
        Codes.
    first, last : str
        ISO dates, both included.
    above : float or None
        Share of filled variables.
    """

    name: str
    reason: str
    variable: str = ""
    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()
    first: str = ""
    last: str = ""
    above: float | None = None

    def keeps(self, table: pd.DataFrame, completeness: npt.NDArray[np.float64]) -> Flags:
        """Return for each row whether it stays, shape (rows,)."""
        if self.above is not None:
            return completeness > self.above
        cells = table[self.variable].tolist() if self.variable in table.columns else [""] * len(table)
        return np.array([self._keeps(text) for text in cells], dtype=bool)

    def _keeps(self, text: str) -> bool:
        if self.unwanted:
            return text not in self.unwanted
        if self.wanted:
            return text in self.wanted
        if not text:
            return False
        day = text[:10]
        return (not self.first or day >= self.first) and (not self.last or day <= self.last)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of a collection, in the order in which they are reported."""

    name: str
    version: str
    rules: tuple[Rule, ...]

    @classmethod
    def load(cls, dictionary: Dictionary, path: Path | None = None) -> Self:
        """Read a rule file (YAML); without `path` the one for stroke.

        Raises
        ------
        Misconfigured
            The file is not a rule set, or a rule does not fit the dictionary.
        """
        place = path or files("lethe.clinical") / "rules" / "stroke.yaml"
        try:
            raw = yaml.safe_load(place.read_text("utf-8"))
            rules = tuple(_rule(values, dictionary) for values in raw["rules"])
            return cls(str(raw["name"]), str(raw.get("version", "0")), rules)
        except FileNotFoundError:
            raise Misconfigured("rules", "The rule file does not exist.") from None
        except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError):
            raise Misconfigured(
                "rules", "The rule file is not a list of rules with name and reason."
            ) from None

    def exclusions(self, table: pd.DataFrame, dictionary: Dictionary) -> Mapping[str, Flags]:
        """Return for each rule which rows it excludes, shape (rows,) each."""
        share = row_completeness(table, dictionary)
        return {rule.name: ~rule.keeps(table, share) for rule in self.rules}


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows that belong into the collection, and why the others do not.

    Attributes
    ----------
    table : pandas.DataFrame
        The rows that stay, in their order; its index, named ``row``, tells their rows in the file.
    excluded : tuple of (row, tuple of rule names)
        Rows as a spreadsheet counts them (the header is row 1).
    """

    table: pd.DataFrame
    excluded: tuple[tuple[int, tuple[str, ...]], ...]

    def as_dict(self, rules: RuleSet) -> dict[str, Any]:
        """Return the record of what was excluded: counts and rows, no values."""
        reasons = {rule.name: rule.reason for rule in rules.rules}
        return {
            "rules": rules.name,
            "rules_version": rules.version,
            "kept": len(self.table),
            "excluded": [{"row": row, "rules": list(names)} for row, names in self.excluded],
            "excluded_by": {name: sum(name in names for _, names in self.excluded) for name in reasons},
            "reasons": reasons,
        }


def select(table: pd.DataFrame, dictionary: Dictionary, rules: RuleSet) -> Selection:
    """Return the eligible rows of a table and the record of the others.

    Parameters
    ----------
    table : pandas.DataFrame
        As `lethe.clinical.read_table` gives it.
    """
    excluding = rules.exclusions(table, dictionary)
    by_row = (
        (place, tuple(n for n, flags in excluding.items() if flags[place])) for place in range(len(table))
    )
    excluded = {place: names for place, names in by_row if names}
    kept = [place for place in range(len(table)) if place not in excluded]
    numbers = row_numbers(table)
    rows = tuple((numbers[place], names) for place, names in excluded.items())
    return Selection(with_rows(table.iloc[kept], [numbers[place] for place in kept]), rows)


def _rule(values: dict[str, Any], dictionary: Dictionary) -> Rule:
    name = str(values["name"])
    unknown = set(values) - {"name", "reason", "variable", *_TESTS}
    if unknown or not any(test in values for test in _TESTS):
        raise Misconfigured("rules", f"Rule {name!r} has no test, or a key that is not known.")
    variable = dictionary.variables.get(values.get("variable", ""))
    if ("above" in values) == (variable is not None):
        raise Misconfigured(
            "rules",
            f"Rule {name!r} names no variable of the dictionary.",
            remedy="Another dictionary needs a rule set of its own (--rules).",
        )
    if variable is not None and {"first", "last"} & set(values) and variable.role is not Role.DATE:
        raise Misconfigured("rules", f"Rule {name!r} compares dates with a variable that has none.")
    codes = {str(code) for test in ("in", "not_in") for code in values.get(test, ())}
    if variable is not None and variable.codes and not codes <= set(variable.codes):
        raise Misconfigured("rules", f"Rule {name!r} names a code that the dictionary does not have.")
    days = {
        test: date.fromisoformat(str(values[test])).isoformat()
        for test in ("first", "last")
        if test in values
    }
    return Rule(
        name=name,
        reason=str(values["reason"]),
        variable=variable.name if variable else "",
        wanted=tuple(map(str, values.get("in", ()))),
        unwanted=tuple(map(str, values.get("not_in", ()))),
        above=float(values["above"]) if "above" in values else None,
        **days,
    )


def expected(table: pd.DataFrame, dictionary: Dictionary) -> dict[str, Flags]:
    """Return which cells should be filled: per variable, shape (rows,).

    Identifiers, free text and optional variables do not count; a variable that applies only with a code of
    another one counts where that code is.
    """
    counted: dict[str, Flags] = {}
    for name, variable in dictionary.variables.items():
        if variable.role in DROPPED or variable.optional:
            continue
        flags = np.ones(len(table), dtype=bool)
        for other, codes in variable.applies.items():
            flags &= _filled_with(table, other, codes)
        counted[name] = flags
    return counted


def filled(table: pd.DataFrame, name: str) -> Flags:
    """Return which cells of a column are filled, shape (rows,); none when the column is not there."""
    if name not in table.columns:
        return np.zeros(len(table), dtype=bool)
    flags: Flags = np.asarray(table[name].to_numpy(object) != "", dtype=bool)
    return flags


def row_completeness(table: pd.DataFrame, dictionary: Dictionary) -> npt.NDArray[np.float64]:
    """Return the share of expected cells that are filled, shape (rows,)."""
    wanted = np.zeros(len(table))
    there = np.zeros(len(table))
    for name, flags in expected(table, dictionary).items():
        wanted += flags
        there += flags & filled(table, name)
    return there / np.maximum(wanted, 1)


def _filled_with(table: pd.DataFrame, name: str, codes: Sequence[str]) -> Flags:
    if name not in table.columns:
        return np.ones(len(table), dtype=bool)  # unknown: then the cell is expected, which never flatters
    flags: Flags = table[name].isin(list(codes)).to_numpy(bool)
    return flags
