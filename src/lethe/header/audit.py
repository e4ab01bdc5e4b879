"""What a script really does to every attribute of Table E.1-1: found by running it, not by reading it.

The script runs as CTP runs it, because that is what happens in a hospital. Every attribute is planted at the
top level, in an item of every sequence that the script works on, two such sequences deep, and in a sequence
that it does not mention; in each of its value representations and as UN; with a value that identifies and,
where there is one, with a value that a rule may take for a harmless one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lethe.errors import Refused
from lethe.header.anonymizer import Anonymizer
from lethe.header.deid import MEANINGS
from lethe.header.e1 import EDITION, Row, Table, load_table
from lethe.header.lookup import LookupTable
from lethe.header.names import keyword
from lethe.header.objectfile import read_object
from lethe.header.planting import Kind, Place, Plant, build, plants
from lethe.header.raw import Dataset
from lethe.header.scope import METHOD_CODES
from lethe.header.script import Script
from lethe.header.view import View

_UNMENTIONED = (0x00400260, 0x00540220, 0x00081032, 0x00400100)
_CODE = re.compile(r"1131[01][0-9]")


class Act(StrEnum):
    """What became of a planted value."""

    REMOVED = "removed"
    EMPTIED = "emptied"
    REPLACED = "replaced"
    CLEANED = "items cleaned"
    HELD = "object not sent"
    KEPT = "kept"


class Verdict(StrEnum):
    """How that compares with the table."""

    MET = "met"
    GONE = "gone"  # the value is gone, by another action than the table names
    SURVIVES = "survives"


@dataclass(frozen=True)
class Finding:
    """The verdict on one attribute, with what led to it.

    Parameters
    ----------
    row : Row
        The row of the table.
    demand : frozenset of str
        Letters allowed with the chosen options.
    acts : tuple of Act
        What the script did, in any place.
    verdict : Verdict
        The worst over all plants.
    survivors : tuple of str
        Place, value representation and sort of the values that survived.
    """

    row: Row
    demand: frozenset[str]
    acts: tuple[Act, ...]
    verdict: Verdict
    survivors: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the finding for JSON."""
        return {
            "tag": self.row.tag,
            "keyword": keyword(int(self.row.tag, 16)) if self.row.single else "",
            "demand": "/".join(sorted(self.demand)),
            "acts": [str(act) for act in self.acts],
            "verdict": str(self.verdict),
            "survivors": list(self.survivors),
        }


@dataclass(frozen=True)
class Audit:
    """The audit of one script.

    Parameters
    ----------
    edition : str
        Edition of the table.
    options : tuple of str
        Method codes that the script writes: the options it claims.
    findings : tuple of Finding
        One for each row.
    """

    edition: str
    options: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def survivors(self) -> tuple[Finding, ...]:
        """The rows of which a value survives."""
        return tuple(finding for finding in self.findings if finding.verdict is Verdict.SURVIVES)

    @property
    def coverage(self) -> tuple[int, int]:
        """Attributes of which no value survives, and attributes of the table (652 in edition 2026c)."""
        single = [finding for finding in self.findings if finding.row.single]
        return sum(finding.verdict is not Verdict.SURVIVES for finding in single), len(single)

    def as_dict(self) -> dict[str, Any]:
        """Return the audit for JSON."""
        covered, total = self.coverage
        return {
            "edition": self.edition,
            "options": {code: MEANINGS.get(code, "") for code in self.options},
            "covered": covered,
            "total": total,
            "verdicts": dict(Counter(str(finding.verdict) for finding in self.findings)),
            "survivors": [finding.as_dict() for finding in self.survivors],
            "attributes": [finding.as_dict() for finding in self.findings],
        }


class AnyPatient(LookupTable):
    """A lookup table that knows every patient."""

    def __init__(self) -> None:
        super().__init__({"prid/any": "A1B2"})

    def find(self, kind: str, key: str) -> str | None:
        return {"shift": "-12", "prid": "A1B2"}.get(kind, "1/1/1990" if "date" in kind.lower() else "7")


def audit(script: Script, *, edition: str = EDITION, options: Sequence[str] | None = None) -> Audit:
    """Compare what a script does with what an edition of PS3.15 demands.

    Parameters
    ----------
    script : Script
        The compiled script.
    edition : str
        Edition of Table E.1-1.
    options : sequence of str, optional
        Method codes of the chosen options; by default those that the script writes into (0012,0064).

    Raises
    ------
    Refused
        The script sends not even an object without anything planted.
    """
    table = load_table(edition)
    chosen = tuple(options) if options is not None else claimed_options(script)
    engine = Anonymizer(script, AnyPatient(), as_ctp=True)
    cleaned = _suits(engine)
    seen: dict[str, list[tuple[Plant, Act]]] = {row.tag: [] for row in table.rows}
    for group in plants(table.rows, _places(script, table)).values():
        for plant, act in _acts(engine, group, cleaned=cleaned):
            seen[plant.row.tag].append((plant, act))
    return Audit(edition, chosen, tuple(_finding(row, chosen, seen[row.tag]) for row in table.rows))


def claimed_options(script: Script) -> tuple[str, ...]:
    """Return the method codes that a script writes, without that of the Basic Profile."""
    rule = script.standard.get(METHOD_CODES)
    found = _CODE.findall(rule.expression.source) if rule is not None else []
    return tuple(sorted(set(found) - {"113100"}))


def _suits(engine: Anonymizer) -> bool:
    """Say whether the script wants objects that were cleaned before."""
    for cleaned in (False, True):
        if isinstance(engine.apply(View([build([], cleaned=cleaned)])), View):
            return cleaned
    raise Refused(
        "audit-nothing-sent",
        "The script sends not even a plain CT object.",
        remedy="Lint the script first.",
    )


def _places(script: Script, table: Table) -> list[Place]:
    worked_on = [
        tag
        for tag, rule in sorted(script.standard.items())
        if any(call.name == "process" for call in rule.expression.calls())
    ]
    own = {int(row.tag, 16) for row in table.attributes}
    silent = next(tag for tag in _UNMENTIONED if tag not in worked_on and tag not in own)
    places: list[Place] = [(), (silent,), *((tag,) for tag in worked_on)]
    others = [tag for tag in worked_on if tag not in own]
    if len(others) > 1:
        places.append((others[0], others[1]))
    return places


def _acts(engine: Anonymizer, group: Sequence[Plant], *, cleaned: bool) -> Iterable[tuple[Plant, Act]]:
    outcome = engine.apply(View([build(group, cleaned=cleaned)]))
    if isinstance(outcome, View):
        data = b"".join(outcome.chunks())
        source = read_object(View([data]))
        return [(plant, _act(plant, source.dataset, data)) for plant in group]
    if outcome.status == "SKIP":
        return [(plant, Act.KEPT) for plant in group]
    if len(group) == 1:
        return [(group[0], Act.HELD)]
    half = len(group) // 2
    return [
        *_acts(engine, group[:half], cleaned=cleaned),
        *_acts(engine, group[half:], cleaned=cleaned),
    ]


def _act(plant: Plant, dataset: Dataset, data: bytes) -> Act:
    if plant.mark and plant.mark in data:
        return Act.KEPT
    here: Dataset | None = dataset
    for sequence in plant.place:
        element = None if here is None else here.index.get(sequence)
        items = [] if here is None or element is None or element.vr != "SQ" else here.items(element)
        here = items[0].dataset if items else None
    element = None if here is None else here.index.get(plant.tag)
    if here is None or element is None:
        return Act.REMOVED
    raw = here.raw(element)
    if not raw:
        return Act.EMPTIED
    if plant.vr == "SQ":
        return Act.CLEANED
    return Act.KEPT if raw.rstrip(b" \0") == plant.raw.rstrip(b" \0") else Act.REPLACED


def _finding(row: Row, chosen: Sequence[str], seen: Sequence[tuple[Plant, Act]]) -> Finding:
    demand = row.demand(chosen)
    verdicts = [(_verdict(demand, plant, act), plant) for plant, act in seen]
    order = list(Verdict)
    worst = max((verdict for verdict, _ in verdicts), key=order.index, default=Verdict.MET)
    survivors = sorted({_where(plant) for verdict, plant in verdicts if verdict is Verdict.SURVIVES})
    return Finding(row, demand, tuple(sorted({act for _, act in seen})), worst, tuple(survivors))


_EXACT = {
    "X": {Act.REMOVED},
    "Z": {Act.EMPTIED, Act.REPLACED, Act.CLEANED},
    "D": {Act.REPLACED, Act.CLEANED},
    "U": {Act.REPLACED},
    "U*": {Act.CLEANED},
    "C": {Act.REMOVED, Act.EMPTIED, Act.REPLACED, Act.CLEANED},
}


def _verdict(demand: frozenset[str], plant: Plant, act: Act) -> Verdict:
    if "K" in demand or act is Act.HELD:
        return Verdict.MET
    if act is Act.KEPT:
        harmless = "C" in demand and plant.kind is Kind.PLAUSIBLE
        return Verdict.MET if harmless else Verdict.SURVIVES
    if any(act in _EXACT[letter] for letter in demand):
        return Verdict.MET
    return Verdict.GONE


def _where(plant: Plant) -> str:
    place = " > ".join(keyword(tag) for tag in plant.place) or "top level"
    return f"{place}, {plant.vr}, {plant.kind}"
