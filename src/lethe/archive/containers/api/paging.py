"""The paged list of runs: XNAT's ``PaginatedRequest`` as a condition, an order and a page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lethe.archive.problem import Problem

_PAGE, _MOST = 50, 500
_COLUMNS = {
    "id": "id", "status": "status", "status-time": "status_time", "timestamp": "created",
    "project": "project", "user-id": "login", "workflow-id": "workflow", "wrapper-id": "wrapper",
    "wrapper-name": "wrapper_name",
    "pipeline-name": "wrapper_name", "command-id": "command", "container-id": "handle",
    "container-name": "name", "backend": "backend", "bulk-launch-id": "bulk",
}  # fmt: skip
_TIMES = frozenset({"status_time", "created"})
_BOUNDS = {"gt": ">", "ge": ">=", "gte": ">=", "lt": "<", "le": "<=", "lte": "<="}
_OPERATORS = {"EQ": "=", "NE": "!=", "GT": ">", "GE": ">=", "LT": "<", "LE": "<="}


@dataclass(frozen=True, slots=True)
class Page:
    """What a request asks for: the SQL condition and its values, the order, how many rows from where."""

    where: str
    values: tuple[object, ...]
    order: str
    limit: int
    offset: int


def read(wish: Mapping[str, Any]) -> Page:
    """Read the body of ``POST /xapi/containers``.

    ``page`` (from 1), ``size``, ``sort_col``, ``sort_dir`` (``asc``, ``desc``) and ``filters``: by column a
    text, a list, or an object with ``value`` or ``values``, ``like``, ``not`` and the bounds ``gt``, ``ge``,
    ``lt``, ``le`` (times in milliseconds). Column names with hyphens or in camel case.

    Raises
    ------
    Problem
        400 for a column or an operator that is not known: nothing is passed over in silence.
    """
    filters = wish.get("filters") or {}
    if not isinstance(filters, Mapping):
        raise Problem(400, "The filters must be a JSON object.")
    conditions, values = ["1 = 1"], list[object]()
    for name, given in filters.items():
        text, more = _condition(_column(name), given)
        conditions.append(text)
        values += more
    down = str(wish.get("sort_dir", "desc")).lower()
    if down not in {"asc", "desc"}:
        raise Problem(400, "The direction is asc or desc.")
    column = _column(wish["sort_col"]) if wish.get("sort_col") else "id"
    size = min(_whole(wish.get("size"), _PAGE), _MOST)
    return Page(
        " AND ".join(conditions), tuple(values), f"{column} {down}, id {down}", size,
        (_whole(wish.get("page"), 1) - 1) * size,
    )  # fmt: skip


def _column(name: object) -> str:
    key = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", str(name)).lower().replace("_", "-")
    found = _COLUMNS.get(key)
    if found is None:
        raise Problem(400, f"Containers are filtered and sorted by {', '.join(_COLUMNS)}.")
    return found


def _condition(column: str, given: object) -> tuple[str, list[object]]:
    wish: Mapping[str, Any] = given if isinstance(given, Mapping) else {"value": given}
    known = {"value", "values", "like", "not", "operator", "type", "backend", *_BOUNDS}
    if not wish.keys() <= known:
        raise Problem(400, f"A filter has {', '.join(sorted(known))}.")
    parts, values = list[str](), list[object]()
    operator = str(wish.get("operator", "EQ")).upper()
    single = wish.get("value")
    if isinstance(single, list) or wish.get("values") is not None or operator == "IN":
        several = [_plain(column, one) for one in (wish.get("values") or single or [])]
        parts.append(f"{column} IN ({','.join('?' * len(several))})")
        values += several
    elif single is not None:
        if operator in {"LIKE", "ILIKE"}:
            wish = {**wish, "like": single}
        elif operator in _OPERATORS:
            parts.append(f"{column} {_OPERATORS[operator]} ?")
            values.append(_plain(column, single))
        else:
            raise Problem(400, f"The operator is IN, LIKE, {', '.join(_OPERATORS)}.")
    if wish.get("like") is not None:
        text = str(wish["like"])
        parts.append(f"{column} LIKE ?")
        values.append(text if "%" in text else f"%{text}%")
    for word, sign in _BOUNDS.items():
        if wish.get(word) is not None:
            parts.append(f"{column} {sign} ?")
            values.append(_plain(column, wish[word]))
    if not parts:
        raise Problem(400, "A filter needs a value.")
    text = " AND ".join(parts)
    return (f"NOT ({text})" if wish.get("not") is True else f"({text})"), values


def _plain(column: str, value: object) -> object:
    """Return a value as the database compares it: times in seconds, numbers as numbers."""
    if column in _TIMES:
        try:
            return float(str(value)) / 1000
        except ValueError:
            raise Problem(400, "Times are milliseconds since 1970.") from None
    if column in {"id", "workflow", "wrapper", "command"}:
        text = str(value)
        if not text.isdecimal() or len(text) > 15:
            raise Problem(400, "Numbers are whole.")
        return int(text)
    return str(value)


def _whole(value: object, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default
