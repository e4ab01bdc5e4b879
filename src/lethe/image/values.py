"""Values of a data set as plain Python, absent ones as None or empty."""

from __future__ import annotations

from pydicom.dataset import Dataset

Vector = tuple[float, ...]


def clock(text: str) -> float | None:
    """Return a DICOM time as seconds of the day, or None when it is not one."""
    digits = text.split("+")[0].split("-")[0].replace(":", "")
    if len(digits) < 6 or not digits.replace(".", "", 1).isdigit():
        return None
    return int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + float(digits[4:])


def word(dataset: Dataset, keyword: str) -> str:
    """Return a value as text without outer blanks; empty when absent."""
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip()


def words(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """Return a multi-valued text in upper case."""
    value = dataset.get(keyword)
    if value is None:
        return ()
    parts = [value] if isinstance(value, str) else list(value)
    return tuple(str(part).strip().upper() for part in parts)


def number(dataset: Dataset, keyword: str) -> float | None:
    """Return the first value as a number, or None when absent."""
    value = dataset.get(keyword)
    if value is None or value == "":
        return None
    if not isinstance(value, (str, int, float)):
        value = next(iter(value), None)
    return None if value is None else float(value)


def whole(dataset: Dataset, keyword: str) -> int | None:
    """Return the first value as a whole number, or None when absent."""
    value = number(dataset, keyword)
    return None if value is None else int(value)


def vector(dataset: Dataset, keyword: str, length: int) -> Vector | None:
    """Return exactly `length` numbers, or None."""
    value = dataset.get(keyword)
    if value is None or isinstance(value, (str, int, float)) or len(value) != length:
        return None
    return tuple(float(part) for part in value)
