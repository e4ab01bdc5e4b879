"""Values of a data set as plain Python, absent ones as None or empty."""

from __future__ import annotations

import math
from sys import intern
from typing import Any, Protocol

Vector = tuple[float, ...]


class Source(Protocol):
    """A header, or a data set."""

    def get(self, keyword: str, /) -> Any:
        """Return a value, None when absent."""
        ...


def clock(text: str) -> float | None:
    """Return a DICOM time as seconds of the day, or None when it is not one."""
    digits = text.split("+")[0].split("-")[0].replace(":", "")
    if len(digits) < 6 or not digits.replace(".", "", 1).isdigit():
        return None
    return int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + float(digits[4:])


def word(dataset: Source, keyword: str) -> str:
    """Return a value as text without outer blanks; empty when absent."""
    value = dataset.get(keyword)
    return "" if value is None else intern(str(value).strip())  # the same in thousands of headers


def words(dataset: Source, keyword: str) -> tuple[str, ...]:
    """Return a multi-valued text in upper case."""
    value = dataset.get(keyword)
    if value is None:
        return ()
    parts = [value] if isinstance(value, str) else list(value)
    return tuple(intern(str(part).strip().upper()) for part in parts)


def number(dataset: Source, keyword: str) -> float | None:
    """Return the first value as a finite number, or None when absent.

    Raises
    ------
    ValueError
        It is no number.
    """
    value = dataset.get(keyword)
    if value is None or value == "":
        return None
    if not isinstance(value, (str, int, float)):
        value = next(iter(value), None)
    return None if value is None or value == "" else _finite(value)


def whole(dataset: Source, keyword: str) -> int | None:
    """Return the first value as a whole number, or None when absent."""
    value = number(dataset, keyword)
    return None if value is None else int(value)


def vector(dataset: Source, keyword: str, length: int) -> Vector | None:
    """Return exactly `length` numbers, or None."""
    value = dataset.get(keyword)
    if value is None or isinstance(value, (str, int, float)) or len(value) != length:
        return None
    return tuple(map(_finite, value))


def _finite(value: Any) -> float:
    found = float(value)
    if not math.isfinite(found):
        raise ValueError("not a finite number")
    return found
