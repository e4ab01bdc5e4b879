"""Read the first sheet of an Excel workbook as text, refusing what a sheet can hide."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from lethe.errors import Refused


def read_excel(path: Path) -> list[list[str]]:
    """Return the rows of the first sheet.

    Whole numbers lose the ``.0`` that Excel gives them; dates become ISO 8601.

    Raises
    ------
    Refused
        Not a workbook; merged cells, an error value, or a formula that was never computed.
    """
    try:
        values = openpyxl.load_workbook(path, data_only=True)
        formulas = openpyxl.load_workbook(path, data_only=False)
    except (BadZipFile, InvalidFileException, KeyError, ValueError):
        raise Refused("excel", "The file is not an Excel workbook.", remedy="Save it as .xlsx.") from None
    sheet, source = values.worksheets[0], formulas.worksheets[0]
    if sheet.merged_cells.ranges:
        row = min(area.min_row for area in sheet.merged_cells.ranges)
        raise Refused("excel-merged", f"Row {row}: merged cells.", remedy="Undo the merging in Excel.")
    rows = []
    for row, (cells, originals) in enumerate(
        zip(sheet.iter_rows(values_only=True), source.iter_rows(values_only=True), strict=True), 1
    ):
        rows.append([_text(cell, original, row) for cell, original in zip(cells, originals, strict=True)])
    return rows


def _text(cell: Any, original: Any, row: int) -> str:
    if cell is None and original is not None:
        raise Refused("excel-formula", f"Row {row}: a formula without a stored result.")
    if isinstance(cell, str) and cell.startswith("#") and cell.endswith(("!", "?", "/A", "/0!")):
        raise Refused("excel-error", f"Row {row}: an error value of Excel.")
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(int(cell))
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else format(cell, ".12g")
    if isinstance(cell, dt.datetime):
        midnight = cell.time() == dt.time()
        return cell.strftime("%Y-%m-%d" if midnight else "%Y-%m-%d %H:%M")
    if isinstance(cell, dt.time):
        return cell.strftime("%H:%M")
    return str(cell)
