"""From what is there to what is wanted: a list of changes in a safe order, each with a sentence.

Doors close before they open: a narrower visibility and a lesser role come first, records before the roles
that need them, a wider visibility last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from lethe.errors import Refused
from lethe.governance.collection import Collection
from lethe.governance.roles import INSIDE, OUTSIDE, Role, Visibility
from lethe.governance.state import (
    COLLECTION,
    INTAKE,
    Entry,
    State,
    Value,
    centre_of,
    demands_agreement,
    terms,
    without_terms,
)
from lethe.governance.terms import Use

# kinds whose last value cannot be taken away
_FOREVER = frozenset({"project", "name", "description", "visibility", "arrival", "demand", "events"})
_ORDER = (
    "project", "name", "description", "arrival", "demand", "centre", "agreement", "ethics", "person",
    "lookup", "profile", "deviation", "field", "command", "events", "automation", "role", "visibility",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One fact that is to become another; None: the fact is not there."""

    entry: Entry
    old: Value | None
    new: Value | None

    @property
    def narrows(self) -> bool:
        """True for what takes rights away from people."""
        if self.entry.kind == "visibility" and self.old is not None and self.new is not None:
            return OUTSIDE[Visibility(str(self.new))] < OUTSIDE[Visibility(str(self.old))]
        if self.entry.kind != "role" or self.old is None:
            return False
        return self.new is None or _rights(self.new) < _rights(self.old)

    @property
    def verb(self) -> str:
        """``add``, ``change`` or ``remove``."""
        return "add" if self.old is None else "remove" if self.new is None else "change"

    def sentence(self, collection: Collection) -> str:
        """Return the change in words; no mail address is in it."""
        return _sentence(self, collection)

    def as_dict(self, collection: Collection) -> dict[str, Any]:
        """Return the change for programs."""
        kind, place, name = self.entry
        where = {COLLECTION: collection.name, INTAKE: collection.intake}.get(place, "")
        return {
            "verb": self.verb, "kind": kind, "project": where, "name": name, "old": self.old, "new": self.new,
            "sentence": self.sentence(collection),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, and what is there beyond the file and stays.

    Attributes
    ----------
    changes : tuple of Change
        In the order in which they are to be done.
    kept : tuple of Change
        Removals that only `prune` would do.
    warnings : tuple of str
        What is not wrong in the file but ought to be looked at.
    """

    changes: tuple[Change, ...]
    kept: tuple[Change, ...]
    warnings: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """True when the archive is not what the file says."""
        return bool(self.changes or self.kept)


def difference(
    found: State, wanted: State, *, prune: bool = False, own: str = "", founded: Sequence[str] = ()
) -> Plan:
    """Return the changes that make `found` what `wanted` says.

    Parameters
    ----------
    found, wanted : State
    prune : bool
        Also remove what `wanted` does not name.
    own : str
        Login of the person who applies: a change that takes the own rights away comes last.
    founded : sequence of str
        Places where `own` is owner only by having created the project; unless wanted, this role goes at once.
    """
    changes: list[Change] = []
    kept: list[Change] = []
    side_effects = {Entry("role", place, own) for place in founded}
    for entry in {*found, *wanted}:
        change = Change(entry, found.get(entry), wanted.get(entry))
        if _same(change.old, change.new) or (change.new is None and entry.kind in _FOREVER):
            continue
        stays = change.new is None and not prune and entry not in side_effects
        (kept if stays else changes).append(change)

    def rank(change: Change) -> tuple[int, int, Entry]:
        return (0, 2, change.entry) if change.entry in side_effects else _rank(change, own)

    return Plan(tuple(sorted(changes, key=rank)), tuple(sorted(kept, key=rank)))


def applied(state: State, change: Change) -> dict[Entry, Value]:
    """Return a state after one change."""
    after = {entry: value for entry, value in state.items() if entry != change.entry}
    return after if change.new is None else {**after, change.entry: change.new}


def check_terms(found: State, plan: Plan, day: date) -> Plan:
    """Refuse a plan that gives somebody a role no agreement covers; warn of what is so already.

    Raises
    ------
    Refused
        The person's centre has no agreement on record, none in force, or none for access.
    """
    after: State = found
    for change in plan.changes:
        after = applied(after, change)
    for change in plan.changes:
        if change.entry.kind == "role" and change.new is not None and not change.narrows:
            require_terms(after, change.entry.name, day)
    warnings = [
        f"{login} holds a role, but no agreement of {centre or 'a centre'} covers it on {day.isoformat()}."
        for login, centre in without_terms(after, day)
    ]
    for centre in sorted(entry.name for entry in after if entry.kind == "centre"):
        warnings += [
            f"The {one} of centre {centre} ends soon." for one in terms(after, centre).ends_soon(day)
        ]
    return Plan(plan.changes, plan.kept, tuple(warnings))


def require_terms(state: State, login: str, day: date) -> None:
    """Raise `Refused` unless an agreement covers a role of `login`, where the collection demands one."""
    if not demands_agreement(state):
        return
    centre = centre_of(state, login)
    if not centre:
        raise Refused(
            "no-centre",
            f"The collection demands an agreement, but no centre is recorded for {login}.",
            remedy="Record it: 'centre' in the collection file, or lethe access grant --centre CODE.",
        )
    terms(state, centre).check(day, Use.ACCESS)


def _same(old: Value | None, new: Value | None) -> bool:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return dict(old) == dict(new)
    return old == new


def _rights(role: Value) -> frozenset[Any]:
    return INSIDE.get(Role(str(role)), frozenset())


def _rank(change: Change, own: str) -> tuple[int, int, Entry]:
    place = _ORDER.index(change.entry.kind)
    if change.entry.kind == "project":
        return 0, change.entry.place != INTAKE, change.entry
    if change.narrows and change.entry.kind == "role" and change.entry.name == own:
        # the intake project keeps the trail, so the right in it goes last of all
        return 5, change.entry.place == INTAKE, change.entry
    if change.narrows:
        return 1, place, change.entry
    if change.new is None:
        return 4, -place, change.entry
    return 2, place, change.entry


# ---- words ------------------------------------------------------------------------------------------------

_SINGLE = {
    "name": "name", "description": "description", "arrival": "arrival of sessions",
    "demand": "rule of access", "lookup": "lookup policy", "profile": "profile",
}  # fmt: skip


def _sentence(change: Change, collection: Collection) -> str:
    kind, place, name = change.entry
    project = {COLLECTION: collection.name, INTAKE: collection.intake}.get(place, collection.name)
    old, new = change.old, change.new
    match kind:
        case "project":
            return f"create the project {project}, private"
        case "visibility":
            return f"set {project} from {old or 'private'} to {new}"
        case "role" if new is None:
            return f"revoke the role {old} of {name} in {project}"
        case "role" if old is None:
            return f"grant {name} the role {new} in {project}"
        case "role":
            return f"change the role of {name} in {project} from {old} to {new}"
        case "command":
            return f"{'disable' if new is None else 'enable'} {name} in {project}"
        case "events":
            return "switch the event service of the archive on"
        case _ if kind in _SINGLE:
            what = f"the {_SINGLE[kind]} of {project}"
        case "field":
            what = f"the field {name} of {project}"
        case "automation":
            what = f"the automation '{name}' of {collection.intake}"
        case "person":
            what = f"the centre of {name}"
        case "agreement" | "ethics":
            what = f"the {'data transfer agreement' if kind == 'agreement' else 'ethics approval'} of {name}"
        case _:
            what = f"the {kind} {name}"
    if new is None:
        return f"remove {what}"
    if old is None:
        return f"record {what}: {_words(new)}"
    return f"change {what}: {_turned(old, new)}"


def _words(value: Value) -> str:
    if not isinstance(value, Mapping):
        return value
    return ", ".join(f"{key} {_one(one)}" for key, one in value.items())


def _one(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={one}" for key, one in sorted(value.items())) or "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _turned(old: Value, new: Value) -> str:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return f"from '{_words(old)}' to '{_words(new)}'"
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    parts = [
        f"{key} from {_one(old[key]) if key in old else 'none'} to {_one(new[key]) if key in new else 'none'}"
        for key in keys
    ]
    return ", ".join(parts)
