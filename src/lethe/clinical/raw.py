"""Files into rows of text, before anything is known about their meaning."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lethe.clinical.issues import Issue, refuse
from lethe.clinical.rows import FIRST_ROW
from lethe.errors import Misconfigured, Refused

_EXCEL = {".xlsx", ".xlsm"}
Rows = Sequence[Sequence[str]]


def read_rows(path: Path) -> Rows:
    """Read the header and every row of a CSV file or of the first sheet of a workbook.

    Raises
    ------
    Misconfigured
        The file does not exist or is of another kind.
    Refused
        It cannot be read as a table; column and row are named, the value never.
    """
    if not path.is_file():
        raise Misconfigured("no-table", "The table file does not exist.", remedy="Name a CSV or Excel file.")
    if path.suffix.lower() in _EXCEL:
        from lethe.clinical.excel import read_excel

        return read_excel(path)
    if path.suffix.lower() in {".csv", ".tsv", ".txt"}:
        return _read_csv(path)
    raise Misconfigured("table-kind", "The table is neither CSV nor Excel (.xlsx).")


def _read_csv(path: Path) -> Rows:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        place = _place(data, problem.start)
        raise Refused("encoding", f"{place}: not UTF-8.", remedy="Save the table as CSV UTF-8.") from None
    if "\0" in text:
        place = _place(data, data.index(b"\0"))
        raise Refused("encoding", f"{place}: a zero byte; the table is not UTF-8 text.")
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True))
    except csv.Error:
        raise Refused("csv", "The table is not well-formed CSV: a quotation mark is left open.") from None


def _delimiter(text: str) -> str:
    return max(",;\t", key=text.split("\n", 1)[0].count)


def _place(data: bytes, start: int) -> str:
    """Return column and row of a byte; Latin-1 reads any byte, and quotes and delimiters are ASCII."""
    before = data[:start].decode("latin-1")
    cells = list(
        csv.reader(io.StringIO(before + "x", newline=""), delimiter=_delimiter(data.decode("latin-1")))
    )
    return f"Column number {len(cells[-1])}, row {len(cells)}"


def trim(rows: Rows) -> tuple[list[str], Rows]:
    """Return the header and the rows below it without empty ends.

    Raises
    ------
    Refused
        A column has no name, no row is below the header, a row is blank or too short.
    """
    filled = [row for row, cells in enumerate(rows) if any(cells)]
    body = rows[1 : filled[-1] + 1] if filled else []
    if not body:
        raise Refused("table-empty", "The table has no row below its header.")
    width = max(map(_width, rows))
    header = [name.strip() for name in rows[0][:width]] + [""] * (width - len(rows[0]))
    refuse(_unnamed(header))
    for row, cells in enumerate(body, FIRST_ROW):
        if not any(cells):
            raise Refused("row-blank", f"Row {row} is blank.", remedy="Remove it.")
        if len(cells) < width:
            raise Refused("csv-ragged", f"Row {row} has fewer cells than the header.")
    return header, body


def frame(header: Sequence[str], body: Rows) -> pd.DataFrame:
    """Return a table of text; raise `Refused` when two columns have one name."""
    refuse(_doubled(header))
    width = len(header)
    columns = zip(*(cells if len(cells) == width else cells[:width] for cells in body), strict=True)
    # equal cells share one text: a large table takes half the memory, and is faster to go through
    shared: dict[str, str] = {}
    cells = (list(map(shared.setdefault, column, column)) for column in columns)
    return pd.DataFrame(dict(zip(header, cells, strict=True)), dtype=object)


def _unnamed(header: Sequence[str]) -> list[Issue]:
    return [
        Issue("column-unnamed", f"number {place}", 0, "the column has no name")
        for place, name in enumerate(header, 1)
        if not name
    ]


def _doubled(header: Sequence[str]) -> list[Issue]:
    counts = Counter(header)
    return [
        Issue("column-twice", f"number {place}", 0, "its name is there twice")
        for place, name in enumerate(header, 1)
        if counts[name] > 1
    ]


def _width(cells: Sequence[str]) -> int:
    """Return the number of cells without the empty ones at the end."""
    width = len(cells)
    while width and not cells[width - 1]:
        width -= 1
    return width
