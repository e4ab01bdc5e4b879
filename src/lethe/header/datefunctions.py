"""The functions of the script language that reckon with dates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lethe.header import dates, hashes
from lethe.header.calls import EMPTY, REMOVE, argument, failure, length_of, no_entry
from lethe.header.expression import Call
from lethe.header.text import java_int, trim

if TYPE_CHECKING:
    from lethe.header.scope import Scope


def _each(value: str, change: Callable[[str], str | None]) -> str:
    values = [change(part) for part in value.split("\\")]
    if any(part is None for part in values):
        return EMPTY
    return "\\".join(part or "" for part in values)


def _dated(call: Call, scope: Scope) -> str | None:
    """Return the date text to work on; None asks for the element's removal, "" for its emptying."""
    value = scope.text(argument(call, 0) or "")
    if value is None:
        return None
    return value if len(value) >= 8 else ""


def increment_date(call: Call, scope: Scope) -> str:
    """Move a date by days, given or from the lookup table."""
    value = _dated(call, scope)
    if value is None:
        return REMOVE
    if not value:
        return EMPTY
    if len(call.arguments) >= 3:
        kind = scope.parameter(call.arguments[2]) or ""
        text = scope.table(kind, scope.text(call.arguments[1]) or "")
        if text is None and scope.strict:
            raise no_entry()
    else:
        text = scope.parameter(argument(call, 1) or "")
    days = java_int(trim(text or ""), -(2**63), 2**63 - 1)
    if days is None:
        if scope.strict:
            raise failure("date-shift", "The number of days to shift a date by is not a number.")
        return EMPTY
    days = (days + 2**31) % 2**32 - 2**31
    return _each(value, lambda part: dates.shift(part, days))


def modify_date(call: Call, scope: Scope) -> str:
    """Replace year, month or day of a date."""
    value = _dated(call, scope)
    if value is None:
        return REMOVE
    if not value or len(call.arguments) < 4:
        return EMPTY
    year, month, day = (length_of(scope, argument) for argument in call.arguments[1:4])
    return _each(value, lambda part: dates.modify(part, year, month, day))


def hash_date(call: Call, scope: Scope) -> str:
    """Move a date back by days that follow from another value."""
    value = _dated(call, scope)
    key = scope.text(argument(call, 1) or "")
    if value is None or key is None:
        return REMOVE
    if not value:
        return EMPTY
    days = max(1, int(hashes.number(key)[-4:]) % 3650)
    return _each(value, lambda part: dates.shift(part, -days))


def date_interval(call: Call, scope: Scope) -> str:
    """Give the days from a base date of the lookup table, or a date that far from an origin."""
    problem = failure("date-interval", "An interval of dates cannot be reckoned for this object.")
    if len(call.arguments) < 3:
        raise problem
    base = scope.table(call.arguments[1], scope.outer.text(call.arguments[2]) or "")
    parts = [java_int(trim(part)) for part in (base or "").split("/")]
    date = dates.parse((scope.text(call.arguments[0]) or "")[:8])
    if len(parts) != 3 or None in parts or date is None:
        raise problem
    month, day, year = (part or 0 for part in parts)
    interval = dates.to_day(*date[:3]) - dates.to_day(year, month, day)
    origin = argument(call, 3)
    if origin is None:
        return str(interval)
    start = dates.parse((scope.parameter(origin) or "")[:8])
    if start is None:
        raise problem
    return dates.show(dates.to_day(*start[:3]) + interval, "")
