"""Deviations from a profile: what differs, why, who approved it and until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from lethe.errors import Misconfigured, Refused

_FIELDS = ("attribute", "action", "justification", "approved_by", "until")


@dataclass(frozen=True)
class Deviation:
    """One approved difference from a profile.

    Parameters
    ----------
    attribute : str
        Keyword of the attribute.
    action : str
        Name of one of the profile's actions.
    justification : str
        Why the study needs it.
    approved_by : str
        Who answers for it.
    until : date
        Last day on which it may be compiled.
    """

    attribute: str
    action: str
    justification: str
    approved_by: str
    until: date

    @property
    def summary(self) -> str:
        """What the compiled script says about it."""
        return f"{self.attribute} {self.action}, until {self.until.isoformat()}"


def load_deviations(paths: Sequence[Path], *, today: date) -> tuple[Deviation, ...]:
    """Read deviation files: YAML mappings, or lists of them.

    Parameters
    ----------
    paths : sequence of Path
        The files.
    today : date
        The present day.

    Raises
    ------
    Misconfigured
        A file is no such YAML, or two deviations name one attribute.
    Refused
        A deviation is not justified or not signed, or has expired.
    """
    found: dict[str, Deviation] = {}
    for path in paths:
        for entry in _entries(path):
            deviation = _deviation(entry, today)
            if deviation.attribute in found:
                raise Misconfigured(
                    "deviation-doubled",
                    f"Two deviations name {deviation.attribute}.",
                    remedy="Leave one of them.",
                )
            found[deviation.attribute] = deviation
    return tuple(found[name] for name in sorted(found))


def _entries(path: Path) -> list[Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise Misconfigured(
            "deviation-unreadable", "A deviation file cannot be read.", remedy="Name a YAML file."
        ) from None
    return data if isinstance(data, list) else [data]


def _deviation(entry: Any, today: date) -> Deviation:
    if not isinstance(entry, dict) or set(entry) - set(_FIELDS) or not entry.get("attribute"):
        raise Misconfigured(
            "deviation-fields",
            "A deviation has not the fields that it must have.",
            remedy=f"Write {', '.join(_FIELDS)}.",
        )
    name = str(entry["attribute"])
    for field in _FIELDS[1:4]:
        if not str(entry.get(field) or "").strip():
            raise Refused(
                "deviation-unsigned",
                f"The deviation for {name} lacks {field}.",
                remedy="Let the principal investigator approve it, and write it down.",
            )
    until = entry.get("until")
    if not isinstance(until, date):
        raise Refused(
            "deviation-endless",
            f"The deviation for {name} has no last day.",
            remedy="Write until: YYYY-MM-DD.",
        )
    if until < today:
        raise Refused(
            "deviation-expired",
            f"The deviation for {name} was approved until {until.isoformat()}.",
            remedy="Have it approved again, or leave it out.",
        )
    action, justification, approved_by = (str(entry[field]).strip() for field in _FIELDS[1:4])
    return Deviation(name, action, justification, approved_by, until)
