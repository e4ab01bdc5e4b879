"""Which row of the file a row of a table came from."""

from __future__ import annotations

import pandas as pd

FIRST_ROW = 2  # row 1 is the header


def row_numbers(table: pd.DataFrame) -> list[int]:
    """Return the rows as a spreadsheet counts them, shape (rows,).

    A table whose index is named ``row`` carries them there, as rows were left out or joined; else the rows
    follow the header one by one.
    """
    if table.index.name == "row":
        return [int(number) for number in table.index]
    return list(range(FIRST_ROW, FIRST_ROW + len(table)))


def with_rows(table: pd.DataFrame, rows: list[int]) -> pd.DataFrame:
    """Return the table with the rows of its file as index."""
    return table.set_axis(pd.Index(rows, name="row", dtype="int64"), axis=0)
