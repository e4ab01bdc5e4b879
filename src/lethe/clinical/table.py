"""Clinical tables in and out. Every cell is text, so that what is not changed stays byte for byte."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from lethe.clinical import redcap
from lethe.clinical.cells import check_column
from lethe.clinical.dictionary import Dictionary
from lethe.clinical.issues import Issue, refuse
from lethe.clinical.raw import frame, read_rows, trim
from lethe.clinical.rows import row_numbers
from lethe.errors import Misconfigured
from lethe.files import write_bytes

PRID = "prid"
CENTRE = "centre"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A table of text, not checked, and where its cells stand in the file.

    Attributes
    ----------
    table : pandas.DataFrame
    places : mapping of (row, column) to int
        Row of a cell of a joined row, where it is not the row's own.
    issues : tuple of Issue
        What was wrong while reading.
    """

    table: pd.DataFrame
    places: Map[tuple[int, str], int] = field(default_factory=dict)
    issues: tuple[Issue, ...] = ()

    def located(self, issues: Sequence[Issue]) -> list[Issue]:
        """Return the issues with the rows in which the cells stand."""
        return [replace(one, row=self.places.get((one.row, one.column), one.row)) for one in issues]


def read_table(
    path: Path,
    dictionary: Dictionary,
    *,
    patient_column: str,
    mapping: redcap.Mapping | None = None,
    centre: str = "",
) -> pd.DataFrame:
    """Read and check a table.

    Parameters
    ----------
    path : Path
        CSV (comma, semicolon or tab; UTF-8), Excel (first sheet) or a REDCap export (raw or labelled).
    dictionary : Dictionary
    patient_column : str
        Column that names the patient: the dictionary's, or ``prid`` for a linked table.
    mapping : Mapping, optional
        Names of a REDCap project; with it the file is read as an export of REDCap.
    centre : str
        Code of the only centre whose rows may be in the table; empty: any.

    Returns
    -------
    pandas.DataFrame
        All text, missing cells empty, columns and rows in the order of the file.

    Raises
    ------
    Misconfigured
        The file does not exist or is of another kind; the mapping does not fit.
    Refused
        Something in the table is wrong; column and row are named (the header is row 1), the value never.
    """
    loaded = load(path, dictionary, mapping)
    refuse(loaded.issues)
    refuse(structure(loaded.table, dictionary, patient_column))
    refuse(other_centres(loaded.table, dictionary, centre))
    refuse(loaded.located(cell_faults(loaded.table, dictionary)))
    return loaded.table


def load(path: Path, dictionary: Dictionary, mapping: redcap.Mapping | None = None) -> Loaded:
    """Read a file into a table of text without checking its cells; raises like `read_table`."""
    header, body = trim(read_rows(path))
    if mapping is None and not redcap.is_export(header, dictionary):
        return Loaded(frame(header, body))
    joined = redcap.join(header, body, dictionary, mapping or redcap.Mapping())
    return Loaded(joined.table, joined.places, joined.issues)


def structure(table: pd.DataFrame, dictionary: Dictionary, patient_column: str) -> list[Issue]:
    """Return what is wrong with columns and patients."""
    names = list(table.columns)
    allowed = set(dictionary.variables) | {PRID} if patient_column == PRID else set(dictionary.variables)
    known = sum(name in allowed for name in names)
    if patient_column not in names:
        return [Issue("patient-column", "", 0, f"The table has no patient column {patient_column!r}")]
    issues = [
        Issue("column-unknown", _safe(name, place, known, len(names)), 0, "not in the dictionary")
        for place, name in enumerate(names, 1)
        if name not in allowed
    ]
    patients = [text.strip() for text in table[patient_column]]
    first: dict[str, int] = {}
    for row, patient in zip(row_numbers(table), patients, strict=True):
        if not patient:
            issues.append(Issue("patient-missing", patient_column, row, "the patient is missing"))
        elif first.setdefault(" ".join(patient.casefold().split()), row) != row:
            issues.append(
                Issue("patient-duplicate", patient_column, row, "the patient is in the table before")
            )
    return issues


def other_centres(table: pd.DataFrame, dictionary: Dictionary, centre: str) -> list[Issue]:
    """Return the rows that are not of `centre`; none when it is empty.

    Raises
    ------
    Misconfigured
        The dictionary has no such centre.
    """
    if not centre:
        return []
    if CENTRE not in dictionary.variables or centre not in dictionary.variables[CENTRE].codes:
        raise Misconfigured("centre", "The dictionary has no centre of that code.")
    if CENTRE not in table.columns:
        return [Issue("centre-other", CENTRE, 0, "the column is not there, so the centre is not known")]
    return [
        Issue("centre-other", CENTRE, row, f"the row is not of centre {centre}")
        for row, text in zip(row_numbers(table), table[CENTRE], strict=True)
        if text != centre
    ]


def cell_faults(table: pd.DataFrame, dictionary: Dictionary) -> list[Issue]:
    """Return what is wrong with the cells of the columns that the dictionary knows."""
    rows = row_numbers(table)
    known = [name for name in table.columns if name in dictionary.variables]
    found = (
        check_column(dictionary.variables[name], table[name].tolist(), rows, dictionary) for name in known
    )
    return [issue for issues in found for issue in issues]


def _safe(name: str, place: int, known: int, columns: int) -> str:
    """A header that is mostly unknown may be a row of data: then only the position is named."""
    return repr(name) if 2 * known > columns and name.isidentifier() and name.isascii() else f"number {place}"


def write_table(table: pd.DataFrame, path: Path, mode: int = 0o644) -> None:
    """Write CSV: UTF-8, commas, line feeds; equal tables give equal bytes."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(table.itertuples(index=False, name=None))
    write_bytes(path, stream.getvalue().encode(), mode)
