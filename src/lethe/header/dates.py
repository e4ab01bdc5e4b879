"""Dates as CTP reckons with them: a lenient calendar, one bad value empties the list."""

from __future__ import annotations

from lethe.header.text import java_float, java_int

_GREGORIAN_FROM = 2299161  # Julian day number of 15 October 1582
_DROPPED = str.maketrans("", "", "@:T- \t\n\r\f\v")


def to_day(year: int, month: int, day: int) -> int:
    """Return the Julian day number of a date; months and days may overflow."""
    year += (month - 1) // 12
    month = (month - 1) % 12 + 1
    number = _gregorian(year, month, 1) + day - 1
    return number if number >= _GREGORIAN_FROM else _julian(year, month, 1) + day - 1


def _gregorian(year: int, month: int, day: int) -> int:
    a = (14 - month) // 12
    y, m = year + 4800 - a, month + 12 * a - 3
    return day + (153 * m + 2) // 5 + 365 * y + y // 4 - y // 100 + y // 400 - 32045


def _julian(year: int, month: int, day: int) -> int:
    a = (14 - month) // 12
    y, m = year + 4800 - a, month + 12 * a - 3
    return day + (153 * m + 2) // 5 + 365 * y + y // 4 - 32083


def from_day(number: int) -> tuple[int, int, int]:
    """Return year, month, day of a Julian day number."""
    if number >= _GREGORIAN_FROM:
        a = number + 32044
        b = (4 * a + 3) // 146097
        c = a - 146097 * b // 4
    else:
        b, c = 0, number + 32082
    d = (4 * c + 3) // 1461
    e = c - 1461 * d // 4
    m = (5 * e + 2) // 153
    return 100 * b + d - 4800 + m // 10, m + 3 - 12 * (m // 10), e - (153 * m + 2) // 5 + 1


def parse(value: str) -> tuple[int, int, int, float] | None:
    """Return year, month, day and the seconds of the day of a DA or DT text; None where it is none."""
    text = value.translate(_DROPPED)
    if text.startswith("00"):
        text = "19" + text[2:]
    parts = [java_int(text[:4]), java_int(text[4:6]), java_int(text[6:8])]
    if len(text) < 8 or None in parts:
        return None
    year, month, day = (part or 0 for part in parts)
    seconds = 0.0
    rest = text[8:].partition("&")[0]
    if rest:
        hours, minutes = java_int(rest[:2]), java_int(rest[2:4])
        if hours is None or (len(rest) > 2 and minutes is None):
            return None
        seconds = hours * 3600.0 + (minutes or 0) * 60.0
        if len(rest) > 4:
            further = java_float(rest[4:])
            if further is None:
                return None
            seconds += further
    return year, month, day, seconds


def show(number: int, original: str) -> str:
    """Write a day in the form of the original value, with what followed the date there."""
    year, month, day = from_day(number)
    year = year if year > 0 else 1 - year
    if "-" in original:
        return f"{year:04d}-{month:02d}-{day:02d}{original[10:]}"
    return f"{year:04d}{month:02d}{day:02d}{original[8:]}"


def shift(value: str, days: int) -> str | None:
    """Move one value by whole days; None where it cannot be read."""
    parts = parse(value)
    if parts is None:
        return None
    year, month, day, seconds = parts
    return show(to_day(year, month, day) + int(seconds // 86400) + days, value)


def modify(value: str, year: int | None, month: int | None, day: int | None) -> str | None:
    """Replace parts of one value; None keeps the part."""
    parts = parse(value)
    if parts is None:
        return None
    number = to_day(parts[0], parts[1], parts[2]) + int(parts[3] // 86400)
    old_year, old_month, old_day = from_day(number)
    return show(
        to_day(
            old_year if year is None else year,
            old_month if month is None else month,
            old_day if day is None else day,
        ),
        value,
    )
