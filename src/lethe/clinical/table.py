"""Clinical tables in and out. Every cell is text, so that what is not changed stays byte for byte."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lethe.clinical.cells import check_column
from lethe.clinical.dictionary import Dictionary
from lethe.clinical.issues import Issue, refuse
from lethe.errors import Misconfigured, Refused
from lethe.files import write_bytes

PRID = "prid"
_FIRST_ROW = 2
_EXCEL = {".xlsx", ".xlsm"}


def read_table(path: Path, dictionary: Dictionary, *, patient_column: str) -> pd.DataFrame:
    """Read and check a table.

    Parameters
    ----------
    path : Path
        CSV (comma, semicolon or tab; UTF-8) or Excel (first sheet).
    dictionary : Dictionary
    patient_column : str
        Column that names the patient: the dictionary's, or ``prid`` for a linked table.

    Returns
    -------
    pandas.DataFrame
        All text, missing cells empty, columns and rows in the order of the file.

    Raises
    ------
    Misconfigured
        The file does not exist or is of another kind.
    Refused
        Something in the table is wrong; column and row are named (the header is row 1), the value never.
    """
    table = load(path)
    refuse(structure(table, dictionary, patient_column))
    refuse(cell_faults(table, dictionary))
    return table


def load(path: Path) -> pd.DataFrame:
    """Read a file into a table of text without looking at its meaning; raises like `read_table`."""
    if not path.is_file():
        raise Misconfigured("no-table", "The table file does not exist.", remedy="Name a CSV or Excel file.")
    if path.suffix.lower() in _EXCEL:
        from lethe.clinical.excel import read_excel

        rows = read_excel(path)
    elif path.suffix.lower() in {".csv", ".tsv", ".txt"}:
        rows = _read_csv(path)
    else:
        raise Misconfigured("table-kind", "The table is neither CSV nor Excel (.xlsx).")
    return _frame(rows)


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
    for row, patient in enumerate(patients, _FIRST_ROW):
        if not patient:
            issues.append(Issue("patient-missing", patient_column, row, "the patient is missing"))
        elif first.setdefault(" ".join(patient.casefold().split()), row) != row:
            issues.append(
                Issue("patient-duplicate", patient_column, row, "the patient is in the table before")
            )
    return issues


def cell_faults(table: pd.DataFrame, dictionary: Dictionary) -> list[Issue]:
    """Return what is wrong with the cells of the columns that the dictionary knows."""
    known = [name for name in table.columns if name in dictionary.variables]
    found = (check_column(dictionary.variables[name], table[name].tolist(), dictionary) for name in known)
    return [issue for issues in found for issue in issues]


def _safe(name: str, place: int, known: int, columns: int) -> str:
    """A header that is mostly unknown may be a row of data: then only the position is named."""
    return repr(name) if 2 * known > columns and name.isidentifier() and name.isascii() else f"number {place}"


def _read_csv(path: Path) -> list[list[str]]:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        row = data.count(b"\n", 0, problem.start) + 1
        raise Refused(
            "encoding", f"Row {row}: the table is not in UTF-8.", remedy="Save it as CSV UTF-8."
        ) from None
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        raise Refused("encoding", f"Row {row}: a zero byte; the table is not UTF-8 text.")
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        raise Refused("csv", "The table is not well-formed CSV: a quotation mark is left open.") from None


def _frame(rows: Sequence[Sequence[str]]) -> pd.DataFrame:
    filled = [row for row, cells in enumerate(rows) if any(cells)]
    body = rows[1 : filled[-1] + 1] if filled else []
    if not body:
        raise Refused("table-empty", "The table has no row below its header.")
    width = max(map(_width, rows))
    header = [name.strip() for name in rows[0][:width]]
    refuse(_header_faults(header, width))
    for row, cells in enumerate(body, _FIRST_ROW):
        if not any(cells):
            raise Refused("row-blank", f"Row {row} is blank.", remedy="Remove it.")
        if len(cells) < width:
            raise Refused("csv-ragged", f"Row {row} has fewer cells than the header.")
    columns = zip(*(cells[:width] for cells in body), strict=True)
    return pd.DataFrame(dict(zip(header, map(list, columns), strict=True)), dtype=object)


def _width(cells: Sequence[str]) -> int:
    """Return the number of cells without the empty ones at the end."""
    width = len(cells)
    while width and not cells[width - 1]:
        width -= 1
    return width


def _header_faults(header: Sequence[str], width: int) -> list[Issue]:
    issues = [
        Issue("column-unnamed", f"number {place}", 0, "the column has no name")
        for place in range(1, width + 1)
        if place > len(header) or not header[place - 1]
    ]
    counts = Counter(header)
    issues += [
        Issue("column-twice", f"number {place}", 0, "its name is there twice")
        for place, name in enumerate(header, 1)
        if name and counts[name] > 1
    ]
    return issues


def write_table(table: pd.DataFrame, path: Path, mode: int = 0o644) -> None:
    """Write CSV: UTF-8, commas, line feeds; equal tables give equal bytes."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(table.itertuples(index=False, name=None))
    write_bytes(path, stream.getvalue().encode(), mode)
