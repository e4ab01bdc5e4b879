"""A REDCap export as one row per patient: raw or labelled headers, events, repeats, a mapping of names.

REDCap writes one row per record, event and repeated instance, and a variable is filled in the row of the
event to which its form belongs. The rows of a record are joined; two different values for one variable are
refused unless the mapping says which event or instance counts.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pandas as pd
import yaml

from lethe.clinical.dictionary import Dictionary, Variable
from lethe.clinical.issues import Issue
from lethe.clinical.raw import Rows
from lethe.clinical.rows import FIRST_ROW, with_rows
from lethe.errors import Misconfigured

_EVENT = ("redcap_event_name", "Event Name")
_INSTANCE = ("redcap_repeat_instance", "Repeat Instance")
_SERVICE = {
    *_EVENT,
    *_INSTANCE,
    *("redcap_repeat_instrument", "Repeat Instrument"),
    *("redcap_data_access_group", "Data Access Group"),
    *("redcap_survey_identifier", "Survey Identifier"),
    *("Complete?", "Survey Timestamp"),
}
_RECORDS = ("record_id", "Record ID")
_INSTANCES = ("", "first", "last")


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a REDCap project names things.

    Attributes
    ----------
    record : str
        Header of the record identifier; empty: the patient column, or ``record_id``.
    columns : mapping of str to str
        Variable of the dictionary to header of the export, raw or labelled.
    events : mapping of str to str
        Variable to the event whose value counts.
    codes : mapping of str to mapping
        Variable to (code or label of the project to code of the dictionary).
    ignore : frozenset of str
        Headers that are left out.
    instance : str
        Which of several repeats counts: ``first``, ``last``, or empty: two different values are refused.
    """

    record: str = ""
    columns: Map[str, str] = field(default_factory=dict)
    events: Map[str, str] = field(default_factory=dict)
    codes: Map[str, Map[str, str]] = field(default_factory=dict)
    ignore: frozenset[str] = frozenset()
    instance: str = ""

    @classmethod
    def load(cls, path: Path, dictionary: Dictionary) -> Self:
        """Read a mapping file (YAML).

        Raises
        ------
        Misconfigured
            It is not a mapping, or names a variable that the dictionary does not have.
        """
        try:
            raw = yaml.safe_load(path.read_text("utf-8")) or {}
            mapping = cls(
                record=str(raw.pop("record", "")),
                columns={str(a): str(b) for a, b in raw.pop("columns", {}).items()},
                events={str(a): str(b) for a, b in raw.pop("events", {}).items()},
                codes={
                    str(name): {str(a): str(b) for a, b in codes.items()}
                    for name, codes in raw.pop("codes", {}).items()
                },
                ignore=frozenset(map(str, raw.pop("ignore", ()))),
                instance=str(raw.pop("instance", "")),
            )
        except FileNotFoundError:
            raise Misconfigured("mapping", "The mapping file does not exist.") from None
        except (yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError):
            raise Misconfigured("mapping", "The mapping file is not a mapping of names.") from None
        mapping._check(raw, dictionary)
        return mapping

    def _check(self, rest: Map[str, Any], dictionary: Dictionary) -> None:
        if rest:
            raise Misconfigured(
                "mapping", f"The mapping has a key that is not known: {min(map(str, rest))!r}."
            )
        if self.instance not in _INSTANCES:
            raise Misconfigured("mapping", "The mapping's instance is neither first nor last.")
        strange = {*self.columns, *self.events, *self.codes} - set(dictionary.variables)
        if strange:
            raise Misconfigured("mapping", f"The dictionary has no variable {min(strange)!r}.")
        for name, codes in self.codes.items():
            allowed = dictionary.variables[name].codes
            if allowed and not {*codes.values()} <= {*allowed, ""}:
                raise Misconfigured(
                    "mapping", f"The dictionary has not all codes that {name!r} is mapped to."
                )


@dataclass(frozen=True, slots=True)
class Joined:
    """A REDCap export as a table.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per record; its index, named ``row``, is the first row of the record in the export.
    places : mapping of (row, column) to int
        Row of the export in which a cell stands, where it is not the first one of the record.
    issues : tuple of Issue
        Records with two values for one variable, rows without a record.
    """

    table: pd.DataFrame
    places: Map[tuple[int, str], int]
    issues: tuple[Issue, ...]


def is_export(header: Sequence[str], dictionary: Dictionary) -> bool:
    """Return whether a header looks like REDCap's: its own columns, or labels in place of names."""
    labels = {variable.label for variable in dictionary.variables.values()}
    if any(name in _SERVICE for name in header):
        return True
    return dictionary.patient_column not in header and 2 * sum(n in labels for n in header) > len(header)


def join(header: Sequence[str], body: Rows, dictionary: Dictionary, mapping: Mapping) -> Joined:
    """Return the rows of an export joined by record.

    Parameters
    ----------
    header, body
        As `lethe.clinical.raw.trim` gives them.
    dictionary : Dictionary
    mapping : Mapping

    Raises
    ------
    Misconfigured
        No column names the record, or the mapping names a header that the export does not have.
    """
    absent = {*mapping.columns.values()} - set(header)
    if absent:
        raise Misconfigured("mapping", "The export lacks a column that the mapping names.")
    targets = {
        place: names
        for place, name in enumerate(header)
        if (names := _targets(name, dictionary, mapping)) is not None
    }
    record = _record_place(header, targets, dictionary, mapping)
    joining = _Join(dictionary, mapping)
    event, instance = (_find(header, names) for names in (_EVENT, _INSTANCE))
    for row, cells in enumerate(body, FIRST_ROW):
        joining.add(
            row,
            cells[record].strip(),
            cells[event].strip() if event is not None else "",
            bool(instance is not None and cells[instance].strip()),
            [(name, cells[place]) for place, names in targets.items() for name in names],
        )
    columns = list(dict.fromkeys(name for names in targets.values() for name in names))
    if header[record] in _RECORDS and header[record] in columns:
        columns.remove(header[record])
    return joining.result(columns)


def _targets(name: str, dictionary: Dictionary, mapping: Mapping) -> list[str] | None:
    """Return the variables that a header stands for; itself when unknown; None when it is left out."""
    mapped = [ours for ours, theirs in mapping.columns.items() if theirs == name]
    if mapped:
        return mapped
    if name in mapping.ignore:
        return None
    if name in dictionary.variables:
        return [] if name in mapping.columns else [name]
    if name in _SERVICE or name.endswith(("_complete", "_timestamp")):
        return None
    labelled = [one.name for one in dictionary.variables.values() if one.label == name]
    return labelled[:1] or [name]


def _record_place(
    header: Sequence[str], targets: Map[int, Sequence[str]], dictionary: Dictionary, mapping: Mapping
) -> int:
    if mapping.record:
        if mapping.record not in header:
            raise Misconfigured("mapping", "The export has no column of the mapping's record name.")
        return header.index(mapping.record)
    found = _find(header, _RECORDS)
    if found is not None:
        return found
    for place, names in targets.items():
        if dictionary.patient_column in names:
            return place
    raise Misconfigured(
        "redcap-record", "No column of the export names the record.", remedy="Name it in a mapping: record."
    )


def _find(header: Sequence[str], names: Sequence[str]) -> int | None:
    return next((place for place, name in enumerate(header) if name in names), None)


class _Join:
    """Rows of one export, joined record by record."""

    def __init__(self, dictionary: Dictionary, mapping: Mapping) -> None:
        self._dictionary = dictionary
        self._mapping = mapping
        self._first: dict[str, int] = {}
        self._cells: dict[str, dict[str, tuple[str, int]]] = {}
        self._issues: list[Issue] = []

    def add(
        self, row: int, record: str, event: str, repeated: bool, cells: Sequence[tuple[str, str]]
    ) -> None:
        """Take one row of the export."""
        if not record:
            self._issues.append(Issue("patient-missing", "", row, "the record is missing"))
            return
        self._first.setdefault(record, row)
        known = self._cells.setdefault(record, {})
        for name, raw in cells:
            text = self._text(name, raw)
            if not text or self._mapping.events.get(name, event) != event:
                continue
            if name not in known or (repeated and self._mapping.instance == "last"):
                known[name] = (text, row)
            elif known[name][0] != text and not (repeated and self._mapping.instance == "first"):
                sentence = f"another value than in row {known[name][1]} of the same record"
                self._issues.append(Issue("redcap-conflict", name, row, sentence))

    def result(self, columns: Sequence[str]) -> Joined:
        """Return what was taken."""
        table = pd.DataFrame(
            {name: [self._cells[one].get(name, ("", 0))[0] for one in self._first] for name in columns},
            dtype=object,
        )
        places = {
            (first, name): row
            for record, first in self._first.items()
            for name, (_, row) in self._cells[record].items()
            if row != first
        }
        return Joined(with_rows(table, list(self._first.values())), places, tuple(self._issues))

    def _text(self, name: str, raw: str) -> str:
        text = raw.strip()
        variable = self._dictionary.variables.get(name)
        if variable is None or not text:
            return text
        own = self._mapping.codes.get(name, {})
        return own[text] if text in own else _code(variable, text)


def _code(variable: Variable, text: str) -> str:
    """Return the code whose meaning a labelled export wrote; the text itself when there is none."""
    if text in variable.codes:
        return text
    meant = [code for code, meaning in variable.codes.items() if meaning.casefold() == text.casefold()]
    return meant[0] if len(meant) == 1 else text
