"""Dates as text: one format per column, moved by whole days and written back in the same format.

The time of day stays as it is. DICOM times (TM) cannot be moved by CTP, and a patient's table and images
must move alike, so the offset is a whole number of days for both.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from functools import cache

import numpy as np
import numpy.typing as npt

from lethe.clinical.issues import Issue

_ISO_DAY = "%Y-%m-%d"
_EARLIEST, _LATEST = 1900, 2100


def find_format(
    column: str, values: Sequence[str], rows: Sequence[int], formats: Sequence[str]
) -> tuple[str, list[Issue]]:
    """Return the one format in which all `values` are written, and what is wrong.

    Parameters
    ----------
    column : str
        Name for messages.
    values : sequence of str
        Cells; empty ones are missing.
    rows : sequence of int
        Their rows in the file, for messages.
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
    for row, text in zip(rows, values, strict=True):
        if text:
            first_row.setdefault(text, row)
    if _first_fits(first_row, formats):
        return formats[0], []
    fitting = {form: {text for text in first_row if _parse(text, form)} for form in formats}
    bad = sorted(first_row[text] for text in first_row.keys() - set().union(*fitting.values()))
    if bad:
        allowed = " or ".join(formats)
        return "", [Issue("date", column, row, f"not a valid date of the form {allowed}") for row in bad]
    shared = [form for form in formats if len(fitting[form]) == len(first_row)]
    if first_row and not shared:
        first = next(iter(first_row))
        like_the_first = set().union(*(texts for texts in fitting.values() if first in texts))
        odd = min(first_row[text] for text in first_row.keys() - like_the_first)
        return "", [Issue("date-mixed", column, odd, "another date format than in the rows before")]
    if len(shared) > 1 and len({tuple(_parse(text, form) for text in first_row) for form in shared}) > 1:
        return "", [Issue("date-ambiguous", column, 0, "more than one of the allowed date formats fits")]
    return (shared[0] if first_row else ""), []


def _first_fits(texts: Collection[str], formats: Sequence[str]) -> bool:
    """Return whether all texts are of the first format and, as ISO shapes exclude each other, of no other."""
    shapes = [_shape(form) for form in formats]
    if not texts or not all(shapes) or shapes[0] is None or not match_all(shapes[0], texts):
        return False
    try:
        years = np.array(list(texts), dtype="datetime64[Y]").astype(int) + 1970
    except ValueError:
        return False
    return bool(years.min() >= _EARLIEST and years.max() <= _LATEST)


def match_all(shape: re.Pattern[str], texts: Collection[str]) -> bool:
    """Return whether every text has the shape; one call of the expression for all of them."""
    joined = "".join(f"{text}\0" for text in texts)
    return joined.count("\0") == len(texts) and bool(re.fullmatch(f"(?:{shape.pattern}\0)*", joined))


def parse(values: Sequence[str], form: str) -> npt.NDArray[np.datetime64]:
    """Return the cells as ``datetime64[s]``, shape (rows,); empty cells are NaT."""
    if _shape(form):  # numpy reads ISO 8601 itself
        return np.array([text or "NaT" for text in values], dtype="datetime64[s]")
    known = {text: _parse(text, form) for text in set(values) if text}
    return np.array([known.get(text) for text in values], dtype="datetime64[s]")


def shift(values: Sequence[str], form: str, days: Sequence[int]) -> list[str]:
    """Return the cells moved by `days` of their row, in the same format; empty cells stay empty."""
    if form.startswith(_ISO_DAY):
        return _shift_iso(values, days)
    known: dict[tuple[str, int], str] = {}
    for text, offset in set(zip(values, days, strict=True)):
        moment = _parse(text, form) if text else None
        known[text, offset] = (moment + timedelta(days=offset)).strftime(form) if moment else ""
    return [known[key] for key in zip(values, days, strict=True)]


def _shift_iso(values: Sequence[str], days: Sequence[int]) -> list[str]:
    """Move the ten characters of the day; what follows is the time of day and stays as it is."""
    known: dict[tuple[str, int], str] = {("", offset): "" for offset in days}
    moved = []
    for text, offset in zip(values, days, strict=True):
        key = (text[:10], offset)
        if key not in known:
            known[key] = (date.fromisoformat(key[0]) + timedelta(days=offset)).isoformat()
        moved.append(known[key] + text[10:])
    return moved


def _parse(text: str, form: str) -> datetime | None:
    """Return the moment, or None unless `text` is exactly what `form` would write."""
    shape = _shape(form)
    if shape and not shape.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text) if shape else datetime.strptime(text, form)
    except ValueError:
        return None
    plain = moment.tzinfo is None and _EARLIEST <= moment.year <= _LATEST
    return moment if plain and (shape or moment.strftime(form) == text) else None


@cache
def _shape(form: str) -> re.Pattern[str] | None:
    """Return the exact form of an ISO 8601 pattern, or None for another pattern."""
    if not form.startswith(_ISO_DAY):
        return None
    digits = re.sub("%[mdHMS]", "[0-9]{2}", form.replace("%Y", "[0-9]{4}"))
    return re.compile(digits) if "%" not in digits else None


def is_time(text: str, form: str) -> bool:
    """Return whether `text` is exactly a time of day as `form` would write it."""
    try:
        return datetime.strptime(text, form).strftime(form) == text
    except ValueError:
        return False
