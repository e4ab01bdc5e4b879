"""Read the first sheet of an Excel workbook as text, refusing what a sheet can hide."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import openpyxl
from openpyxl.utils import get_column_letter
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
        area = min(sheet.merged_cells.ranges, key=lambda one: (one.min_row, one.min_col))
        place = f"Column {get_column_letter(area.min_col)}, row {area.min_row}"
        raise Refused("excel-merged", f"{place}: merged cells.", remedy="Undo the merging in Excel.")
    rows = []
    for row, (cells, originals) in enumerate(
        zip(sheet.iter_rows(values_only=True), source.iter_rows(values_only=True), strict=True), 1
    ):
        pairs = enumerate(zip(cells, originals, strict=True), 1)
        rows.append([_text(cell, original, place, row) for place, (cell, original) in pairs])
    return rows


def _text(cell: Any, original: Any, column: int, row: int) -> str:
    where = f"Column {get_column_letter(column)}, row {row}"
    if cell is None and original is not None:
        raise Refused("excel-formula", f"{where}: a formula without a stored result.")
    if isinstance(cell, str) and cell.startswith("#") and cell.endswith(("!", "?", "/A", "/0!")):
        raise Refused("excel-error", f"{where}: an error value of Excel.")
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
