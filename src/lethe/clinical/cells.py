"""Check the cells of a column against its variable."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from lethe.clinical import dates
from lethe.clinical.dictionary import MOMENTS, NUMBERS, Dictionary, Type, Variable
from lethe.clinical.issues import Issue
from lethe.clinical.numeric import column

_INTEGER = re.compile(r"-?[0-9]+")
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]{1,9})?")
_COMMA = re.compile(r"-?[0-9]+,[0-9]+")


def check_column(
    variable: Variable, values: Sequence[str], rows: Sequence[int], dictionary: Dictionary
) -> list[Issue]:
    """Return what is wrong with the cells of one column; empty cells are missing and allowed.

    Parameters
    ----------
    variable : Variable
    values : sequence of str, shape (rows,)
    rows : sequence of int, shape (rows,)
        Their rows in the file, for messages.
    dictionary : Dictionary
        Gives the date formats.
    """
    if variable.type is Type.TEXT:
        return []
    if variable.type in MOMENTS:
        return dates.find_format(variable.name, values, rows, dictionary.formats[variable.type])[1]
    texts = set(values) - {"", variable.ceiling_label}
    if _all_allowed(variable, texts):
        return []
    faults = {text: _fault(variable, text, dictionary) for text in texts}
    if not any(faults.values()):
        return []
    issues = []
    for row, text in zip(rows, values, strict=True):
        if fault := faults.get(text):
            issues.append(Issue(fault[0], variable.name, row, fault[1]))
    return issues


def _all_allowed(variable: Variable, texts: set[str]) -> bool:
    """Return whether a whole column is certainly without fault; most columns are, and this is much faster."""
    if variable.type not in NUMBERS:
        return variable.type is not Type.TIME and texts <= set(variable.codes)
    if not texts or not dates.match_all(_INTEGER if variable.type is Type.INTEGER else _DECIMAL, texts):
        return not texts
    values = column(list(texts))
    low = -np.inf if variable.minimum is None else float(variable.minimum)
    high = np.inf if variable.maximum is None else float(variable.maximum)
    return bool(values.min() >= low and values.max() <= high)


def _fault(variable: Variable, text: str, dictionary: Dictionary) -> tuple[str, str] | None:
    if variable.ceiling_label and text == variable.ceiling_label:
        return None
    if variable.type in NUMBERS:
        return _number_fault(variable, text)
    if variable.type is Type.TIME:
        fits = any(dates.is_time(text, form) for form in dictionary.formats["time"])
        return None if fits else ("time", "not a valid time of day")
    return None if text in variable.codes else ("code", "not one of the codes of the dictionary")


def _number_fault(variable: Variable, text: str) -> tuple[str, str] | None:
    if _COMMA.fullmatch(text):
        return ("decimal-comma", "a decimal comma; write a point")
    form = _INTEGER if variable.type is Type.INTEGER else _DECIMAL
    if not form.fullmatch(text):
        return ("number", f"not a number of type {variable.type}")
    value = float(text)
    low, high = variable.minimum, variable.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        return ("range", f"outside the range {low} to {high}")
    return None
