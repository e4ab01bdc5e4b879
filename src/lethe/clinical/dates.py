"""Dates as text: one format per column, moved by whole days and written back in the same format.

The time of day stays as it is. DICOM times (TM) cannot be moved by CTP, and a patient's table and images
must move alike, so the offset is a whole number of days for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from lethe.clinical.issues import Issue

_FIRST_ROW = 2  # row 1 is the header
_EARLIEST, _LATEST = 1900, 2100


def find_format(column: str, values: Sequence[str], formats: Sequence[str]) -> tuple[str, list[Issue]]:
    """Return the one format in which all `values` are written, and what is wrong.

    Parameters
    ----------
    column : str
        Name for messages.
    values : sequence of str
        Cells; empty ones are missing.
    formats : sequence of str
        Patterns of `datetime.strptime` that the dictionary allows.

    Returns
    -------
    str
        The format, or ``""`` when every cell is empty or something is wrong.
    list of Issue
        Invalid dates by row; a column that mixes formats or whose days and months can be exchanged.
    """
    first_row: dict[str, int] = {}
    for row, text in enumerate(values, _FIRST_ROW):
        if text:
            first_row.setdefault(text, row)
    fitting = {text: [form for form in formats if _parse(text, form)] for text in first_row}
    bad = sorted(first_row[text] for text, forms in fitting.items() if not forms)
    if bad:
        allowed = " or ".join(formats)
        return "", [Issue("date", column, row, f"not a valid date of the form {allowed}") for row in bad]
    shared = [form for form in formats if all(form in forms for forms in fitting.values())]
    if fitting and not shared:
        common = fitting[values[first_row_of(values)]]
        row = min(first_row[text] for text, forms in fitting.items() if not set(common) & set(forms))
        return "", [Issue("date-mixed", column, row, "another date format than in the rows before")]
    if len({tuple(_parse(text, form) for text in fitting) for form in shared}) > 1:
        return "", [Issue("date-ambiguous", column, 0, "more than one of the allowed date formats fits")]
    return (shared[0] if fitting else ""), []


def first_row_of(values: Sequence[str]) -> int:
    """Return the position of the first cell that is not empty."""
    return next(position for position, text in enumerate(values) if text)


def parse(values: Sequence[str], form: str) -> npt.NDArray[np.datetime64]:
    """Return the cells as ``datetime64[s]``, shape (rows,); empty cells are NaT."""
    known = {text: _parse(text, form) for text in set(values) if text}
    return np.array([known.get(text) for text in values], dtype="datetime64[s]")


def shift(values: Sequence[str], form: str, days: Sequence[int]) -> list[str]:
    """Return the cells moved by `days` of their row, in the same format; empty cells stay empty."""
    known: dict[tuple[str, int], str] = {}
    for key in set(zip(values, days, strict=True)):
        text, offset = key
        moment = _parse(text, form) if text else None
        known[key] = (moment + timedelta(days=offset)).strftime(form) if moment else ""
    return [known[key] for key in zip(values, days, strict=True)]


def _parse(text: str, form: str) -> datetime | None:
    """Return the moment, or None unless `text` is exactly what `form` would write."""
    try:
        moment = (
            datetime.fromisoformat(text) if form.startswith("%Y-%m-%d") else datetime.strptime(text, form)
        )
    except ValueError:
        return None
    plain = moment.tzinfo is None and _EARLIEST <= moment.year <= _LATEST
    return moment if plain and moment.strftime(form) == text else None


def is_time(text: str, form: str) -> bool:
    """Return whether `text` is exactly a time of day as `form` would write it."""
    try:
        return datetime.strptime(text, form).strftime(form) == text
    except ValueError:
        return False
