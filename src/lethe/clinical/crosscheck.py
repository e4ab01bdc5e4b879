"""Cross-checks of a record: small expressions as data, so that the browser reads the same ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lethe.errors import Misconfigured

Expression = Sequence[Any]
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_LEAST = {"filled": 1, "is": 2, "above": 2, "below": 2, "less": 2, "and": 1, "or": 1, "not": 1}
_MOST = {"filled": 1, "above": 2, "below": 2, "less": 2, "not": 1}
_JOINTS = frozenset({"and", "or", "not"})


class Severity(StrEnum):
    """Whether a fault keeps a record from being complete."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """A rule over several elements of a record.

    Attributes
    ----------
    id : str
    severity : Severity
    sentence, remedy : str
        What is wrong and what to do, without a value.
    fault : sequence
        The expression that is true when there is a fault.
    """

    id: str
    severity: Severity
    sentence: str
    remedy: str
    fault: Expression

    @property
    def elements(self) -> tuple[str, ...]:
        """Names of the elements that the check looks at, in the order of its expression."""
        return tuple(dict.fromkeys(_names(self.fault)))

    def as_dict(self) -> dict[str, Any]:
        """Return the check as JSON values."""
        return {
            "id": self.id,
            "severity": self.severity.value,
            "sentence": self.sentence,
            "remedy": self.remedy,
            "elements": list(self.elements),
            "fault": self.fault,
        }


def read_checks(raw: Any, known: Mapping[str, object]) -> tuple[CrossCheck, ...]:
    """Read the checks of a record.

    Raises
    ------
    Misconfigured
        A key is missing, an expression has a word that is not known, or names no element of `known`.
    """
    try:
        checks = tuple(
            CrossCheck(
                id=str(one["id"]),
                severity=Severity(one["severity"]),
                sentence=str(one["sentence"]),
                remedy=str(one["remedy"]),
                fault=one["fault"],
            )
            for one in raw
        )
    except (KeyError, TypeError, ValueError):
        raise Misconfigured(
            "cross-check", "A cross-check needs id, severity, sentence, remedy and fault."
        ) from None
    for check in checks:
        _prove(check.fault, known, check.id)
    if len({check.id for check in checks}) < len(checks):
        raise Misconfigured("cross-check", "Two cross-checks have one id.")
    return checks


def holds(expression: Expression, record: Mapping[str, str]) -> bool:
    """Return whether an expression is true of a record (name to text; empty or absent is not filled)."""
    word, *rest = expression
    match word:
        case "and":
            return all(holds(one, record) for one in rest)
        case "or":
            return any(holds(one, record) for one in rest)
        case "not":
            return not holds(rest[0], record)
    text = record.get(rest[0], "").strip()
    match word:
        case "filled":
            return text != ""
        case "is":
            return any(_same(text, str(value)) for value in rest[1:])
        case "less":
            return _less(text, record.get(rest[1], "").strip())
        case "above":
            return _less(str(rest[1]), text)
    return _less(text, str(rest[1]))


def faults(checks: Sequence[CrossCheck], record: Mapping[str, str]) -> list[CrossCheck]:
    """Return the checks that find a fault in a record."""
    return [check for check in checks if holds(check.fault, record)]


def _names(expression: Expression) -> Iterator[str]:
    word, *rest = expression
    if word in _JOINTS:
        for one in rest:
            yield from _names(one)
    else:
        yield from rest[: 2 if word == "less" else 1]


def _prove(expression: Any, known: Mapping[str, object], where: str) -> None:
    fits = isinstance(expression, list) and len(expression) > 1 and expression[0] in _LEAST
    if not fits or not _LEAST[expression[0]] <= len(expression) - 1 <= _MOST.get(expression[0], 99):
        raise Misconfigured("cross-check", f"The expression of {where} cannot be read.")
    if expression[0] in _JOINTS:
        for one in expression[1:]:
            _prove(one, known, where)
        return
    if any(not isinstance(name, str) or name not in known for name in _names(expression)):
        raise Misconfigured("cross-check", f"The expression of {where} names an element that is not there.")
    if expression[0] in ("above", "below") and not _NUMBER.fullmatch(str(expression[2])):
        raise Misconfigured("cross-check", f"The expression of {where} compares with no number.")


def _same(text: str, value: str) -> bool:
    if _NUMBER.fullmatch(text) and _NUMBER.fullmatch(value):
        return float(text) == float(value)
    return text == value


def _less(one: str, other: str) -> bool:
    both = _NUMBER.fullmatch(one) and _NUMBER.fullmatch(other)
    return bool(both) and float(one) < float(other)
