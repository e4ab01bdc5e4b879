"""Lanes: what may be converted, what must be de-faced, what stays DICOM, what waits for a person.

The rules are data (``lanes.yaml``); a project can put its own file before them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from lethe.errors import Misconfigured
from lethe.image.series import SeriesEvidence

_FACTS = frozenset(field.name for field in fields(SeriesEvidence))
_SETS = frozenset({"image_type"})
PROJECT = "project:"
"""Names of a project's own rules begin like this."""


class Lane(StrEnum):
    """The four ways a series can take."""

    DEFACE = "deface"
    CONVERT = "convert"
    HEADER_ONLY = "header-only"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class LaneDecision:
    """The lane of a series, the rule that chose it, and why.

    Attributes
    ----------
    lane : Lane
        Where the series goes.
    rule : str
        Name of the rule; a project's rules are marked ``project:``.
    reason : str
        One sentence, free of values from the data.
    modality : str
        Modality of the series.
    coverage_mm : float or None
        Length covered along the slice normal; None when the headers do not tell. The gate before
        publication asks for it where a series stays DICOM.
    """

    lane: Lane
    rule: str
    reason: str
    modality: str = ""
    coverage_mm: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the content of ``lane.json``."""
        return {
            "lane": str(self.lane),
            "rule": self.rule,
            "reason": self.reason,
            "modality": self.modality,
            "coverage_mm": self.coverage_mm,
        }


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the lane table."""

    name: str
    lane: Lane
    reason: str
    when: Mapping[str, Any]

    def __post_init__(self) -> None:
        unknown = set(self.when) - _FACTS
        if unknown or not self.when:
            raise Misconfigured(
                "lane-rule-fact",
                f"The lane rule '{self.name}' asks for facts that do not exist, or for none.",
                remedy=f"Facts: {', '.join(sorted(_FACTS))}.",
            )
        for fact, wanted in self.when.items():
            if isinstance(wanted, Mapping):
                allowed = {"any", "none"} if fact in _SETS else {"min", "max"}
                if not wanted or set(wanted) - allowed:
                    raise Misconfigured(
                        "lane-rule-condition",
                        f"The lane rule '{self.name}' has a condition on '{fact}' that is not understood.",
                        remedy=f"Use {' and '.join(sorted(allowed))}.",
                    )
            elif fact in _SETS:
                raise Misconfigured(
                    "lane-rule-condition",
                    f"The lane rule '{self.name}' compares the set '{fact}' with a single value.",
                    remedy="Use any or none with a list of words.",
                )

    def holds(self, facts: Mapping[str, Any]) -> bool:
        """Return whether every condition is met."""
        return all(_meets(facts[fact], wanted) for fact, wanted in self.when.items())


def decide(evidence: SeriesEvidence, rules: Sequence[Rule] | None = None) -> LaneDecision:
    """Choose the lane of a series.

    Parameters
    ----------
    evidence : SeriesEvidence
        What the headers show.
    rules : sequence of Rule, optional
        The table, first match wins; the standard one when left out.

    Returns
    -------
    LaneDecision
        Quarantine when no rule fits.
    """
    facts = evidence.facts()
    for rule in standard_rules() if rules is None else rules:
        if rule.holds(facts):
            return LaneDecision(
                rule.lane, rule.name, rule.reason, evidence.modality, evidence.extent_mm or None
            )
    return LaneDecision(
        Lane.QUARANTINE,
        "unknown",
        "No rule knows this kind of series.",
        evidence.modality,
        evidence.extent_mm or None,
    )


@cache
def standard_rules() -> tuple[Rule, ...]:
    """Return the rules that come with the library."""
    text = resources.files("lethe.image").joinpath("lanes.yaml").read_text(encoding="utf-8")
    return _rules(yaml.safe_load(text), prefix="")


def project_rules(path: Path) -> tuple[Rule, ...]:
    """Return a project's rules, read from a file; see `rules_of`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable() from error
    return rules_of(text)


def rules_of(text: str) -> tuple[Rule, ...]:
    """Return a project's rules followed by the standard ones it does not drop.

    Parameters
    ----------
    text : str
        YAML or JSON with ``rules`` as in the standard table and, optionally, ``drop``: names of standard
        rules. An empty text changes nothing.

    Raises
    ------
    Misconfigured
        ``lane-rules-file``, ``lane-rules-drop``, ``lane-rule-form``, ``lane-rule-lane``,
        ``lane-rule-fact`` or ``lane-rule-condition``.
    """
    standard = standard_rules()
    if not text.strip():
        return standard
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _unreadable() from error
    own = _rules(content, prefix=PROJECT)
    drop = content.get("drop") or []
    if not isinstance(drop, list) or {str(name) for name in drop} - {rule.name for rule in standard}:
        raise Misconfigured(
            "lane-rules-drop",
            "The lane rules of the project drop a rule that does not exist.",
            remedy=f"Standard rules: {', '.join(rule.name for rule in standard)}.",
        )
    return own + tuple(rule for rule in standard if rule.name not in drop)


def _unreadable() -> Misconfigured:
    return Misconfigured(
        "lane-rules-file",
        "The lane rules of the project cannot be read.",
        remedy="Give YAML with a list under 'rules'.",
    )


def _rules(content: Any, prefix: str) -> tuple[Rule, ...]:
    if not isinstance(content, Mapping) or set(content) - {"rules", "drop"}:
        raise Misconfigured(
            "lane-rules-file",
            "A lane table holds 'rules' and nothing else but 'drop'.",
            remedy="Correct the file.",
        )
    rules: list[Rule] = []
    entries = content.get("rules") or []
    if not isinstance(entries, list):
        raise _unreadable()
    for entry in entries:
        formed = isinstance(entry, Mapping) and set(entry) == {"name", "lane", "reason", "when"}
        if not formed or not isinstance(entry["when"], Mapping):
            raise Misconfigured(
                "lane-rule-form",
                f"Lane rule {len(rules) + 1} does not have exactly name, lane, reason and when.",
                remedy="Correct the rule.",
            )
        if entry["lane"] not in list(Lane):
            raise Misconfigured(
                "lane-rule-lane",
                f"The lane rule '{entry['name']}' names a lane that does not exist.",
                remedy=f"Lanes: {', '.join(Lane)}.",
            )
        rules.append(
            Rule(f"{prefix}{entry['name']}", Lane(entry["lane"]), str(entry["reason"]), entry["when"])
        )
    return tuple(rules)


def _meets(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        if "any" in wanted or "none" in wanted:
            return ("any" not in wanted or bool(value & set(wanted["any"]))) and not (
                value & set(wanted.get("none", ()))
            )
        return bool(wanted.get("min", value) <= value <= wanted.get("max", value))
    return value in wanted if isinstance(wanted, list) else bool(value == wanted)
