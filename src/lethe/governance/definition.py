"""A collection as a file: strict YAML to a state, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

import yaml

from lethe.errors import Misconfigured
from lethe.governance.collection import Collection
from lethe.governance.roles import GROUPS, Visibility
from lethe.governance.shapes import (
    Fault,
    Listed,
    Named,
    Record,
    Shape,
    Text,
    Whole,
    Word,
    day,
    flag,
    read_yaml,
)
from lethe.governance.state import COLLECTION, INTAKE, PLACES, RECORDS, Entry, State, Value, of_kind
from lethe.governance.terms import Use, terms_of
from lethe.identity import Mode

ARRIVALS = ("wait", "archive")
"""What becomes of arriving sessions: they wait for the sender's word, or are archived when at rest."""

EVENTS = {
    "session-archived": ("org.nrg.xnat.eventservice.events.SessionEvent", "CREATED"),
    "session-merged": ("org.nrg.xnat.eventservice.events.SessionEvent", "MERGED"),
    "scan-created": ("org.nrg.xnat.eventservice.events.ScanEvent", "CREATED"),
}
"""Events a command may follow: our word -> event type and status of XNAT's Event Service."""

_ROLE = Word(tuple(str(role) for role in GROUPS), code="unknown-role")
_PLAIN = Text(r"[^@]+", 500, "a text without a mail address")
_WRAPPER = Text(r"[A-Za-z0-9][A-Za-z0-9._-]*", 100, "the name of a wrapper, as deface-scan")
_CODE = Text(r"[A-Za-z0-9][A-Za-z0-9_-]*", 20, "a short code of a centre: letters, digits, _ and -")
_LOGIN = Text(r"[A-Za-z0-9._@-]+", 100, "a login, or the mail address of an account")
_DOCUMENT: dict[str, Shape] = {"reference": _PLAIN, "since": day, "until": day}
_CENTRE = Record(
    {
        "name": _PLAIN,
        "contact": _PLAIN,
        "agreement": Record(
            {**_DOCUMENT, "uses": Listed(Word(tuple(Use)))}, frozenset({"reference", "since", "uses"})
        ),
        "ethics": Record(
            {**_DOCUMENT, "kind": Word(("approval", "waiver"))}, frozenset({"reference", "since", "kind"})
        ),
    },
    frozenset({"name"}),
)
_ATTRIBUTE = Text(r"[A-Z][A-Za-z0-9]*", 64, "the keyword of a DICOM attribute")
_DEVIATION = Record(
    {"action": _PLAIN, "justification": _PLAIN, "approved_by": _PLAIN, "until": day},
    frozenset({"action", "justification", "approved_by", "until"}),
)
_RECORDS: dict[str, Shape] = {
    "collection": _PLAIN,
    "access": Record({"agreement": flag}),
    "centres": Named(_CODE, _CENTRE),
    "people": Named(_LOGIN, Record({"centre": _CODE, COLLECTION: _ROLE, INTAKE: _ROLE})),
    "profile": Record({"name": _WRAPPER, "approved_by": _PLAIN, "approved": day}, frozenset({"name"})),
    "deviations": Named(_ATTRIBUTE, _DEVIATION),
    "lookup": Record(
        {
            "mode": Word(tuple(str(mode) for mode in Mode)),
            "width_bits": Whole(16, 128),
            "shift_days": Whole(1, 3650),
            "keeper": _PLAIN,
        },
        frozenset({"mode"}),
    ),
}
_FILE = Record(
    {
        **_RECORDS,
        "name": Text(most=200),
        "description": Text(most=2000),
        "visibility": Word(tuple(Visibility)),
        "arrival": Word(ARRIVALS),
        "commands": Record({place: Listed(_WRAPPER) for place in PLACES}),
        "automation": Named(
            Text(r"[A-Za-z0-9][A-Za-z0-9 ._-]*", 100, "a name without colon"),
            Record(
                {
                    "event": Word(tuple(EVENTS)),
                    "command": _WRAPPER,
                    "active": flag,
                    "inputs": Named(_WRAPPER, Text()),
                },
                frozenset({"event", "command"}),
            ),
        ),
        "fields": Named(Text(r"[a-z][a-z0-9_]*", 60, "a lower-case name"), Text()),
    },
    frozenset({"collection", "people"}),
)
_DOCUMENT_SHAPE = Record({"format": Whole(1, 1), **_RECORDS}, frozenset({"format", "collection"}))


@dataclass(frozen=True, slots=True)
class Definition:
    """A checked collection file.

    Attributes
    ----------
    collection : Collection
    data : mapping
        The content, each value in its one spelling.
    """

    collection: Collection
    data: Mapping[str, Any]

    @property
    def people(self) -> tuple[str, ...]:
        """The persons as the file names them: logins or mail addresses."""
        return tuple(self.data["people"])

    def with_logins(self, logins: Mapping[str, str]) -> Definition:
        """Return the definition with every person named by login.

        Raises
        ------
        Misconfigured
            Two entries are the same person.
        """
        people: dict[str, Any] = {}
        for person, record in self.data["people"].items():
            if logins[person] in people:
                raise Misconfigured(
                    "person-twice",
                    f"Two entries of 'people' are the account {logins[person]}.",
                    remedy="Leave one of them.",
                )
            people[logins[person]] = record
        return Definition(self.collection, {**self.data, "people": people})

    def state(self) -> dict[Entry, Value]:
        """Return what the file wants, fact by fact; what it leaves out has its safe default."""
        data, name = self.data, self.data.get("name", self.collection.name)
        found: dict[Entry, Value] = dict.fromkeys((Entry("project", place) for place in PLACES), "there")
        found[Entry("name", COLLECTION)] = name
        found[Entry("name", INTAKE)] = f"{name} (intake)"
        if "description" in data:
            found[Entry("description", COLLECTION)] = data["description"]
            found[Entry("description", INTAKE)] = f"Intake of: {data['description']}"
        found[Entry("visibility", COLLECTION)] = data.get("visibility", Visibility.PRIVATE.value)
        found[Entry("visibility", INTAKE)] = Visibility.PRIVATE.value
        found[Entry("arrival", INTAKE)] = data.get("arrival", ARRIVALS[0])
        found |= _records({"access": {"agreement": True}, **data})
        for place in PLACES:
            for login, person in data["people"].items():
                if place in person:
                    found[Entry("role", place, login)] = person[place]
            for wrapper in data.get("commands", {}).get(place, ()):
                found[Entry("command", place, wrapper)] = "enabled"
        for label, rule in data.get("automation", {}).items():
            found[Entry("automation", "", label)] = {"active": True, "inputs": {}, **rule}
        if data.get("automation"):
            found[Entry("events")] = "on"
        found |= {Entry("field", "", key): text for key, text in data.get("fields", {}).items()}
        return found


def parse(text: str, name: str = "the collection file") -> Definition:
    """Read a collection file.

    Raises
    ------
    Misconfigured
        What is wrong, with the line: unknown key or role, a faulty value, a centre nobody recorded, no owner.
    """
    raw, lines = read_yaml(text, name)
    return of_data(raw, name, lines)


def of_data(
    raw: Any, name: str = "the collection", lines: Mapping[tuple[str, ...], int] = MappingProxyType({})
) -> Definition:
    """Check what a collection file holds; faults as `parse` says them, with a line where one is known."""
    try:
        data = _FILE(raw, ())
        collection = Collection(data["collection"])
        _check(data)
    except Fault as fault:
        raise fault.outcome(name, lines) from None
    return Definition(collection, data)


def _check(data: Mapping[str, Any]) -> None:
    """Check what one value alone cannot show."""
    centres = data.get("centres", {})
    _check_dates(centres)
    for login, person in data["people"].items():
        if person.get("centre", "") not in {"", *centres}:
            path = ("people", login, "centre")
            raise Fault("unknown-centre", path, "this centre is not in 'centres'", "Record the centre.")
    for place in PLACES:
        if not any(person.get(place) == "owner" for person in data["people"].values()):
            remedy = f"Write '{place}: owner' for the collection administrator."
            raise Fault("no-owner", ("people",), f"nobody owns the {place} project", remedy)
    enabled = data.get("commands", {}).get(INTAKE, ())
    for label, rule in data.get("automation", {}).items():
        if rule["command"] not in enabled:
            path = ("automation", label, "command")
            raise Fault("not-enabled", path, "this command is not in commands.intake", "Add it there.")


def _check_dates(centres: Mapping[str, Any]) -> None:
    for code, centre in centres.items():
        for kind in ("agreement", "ethics"):
            try:
                terms_of(code, centre.get(kind), None)
            except Misconfigured as faulty:
                at = ("centres", code, kind, "until")
                raise Fault(
                    faulty.code, at, "the document ends before it starts", "Swap the dates."
                ) from None


def _records(data: Mapping[str, Any]) -> dict[Entry, Value]:
    """Return the governance records of a file or document as entries."""
    found: dict[Entry, Value] = {}
    for word, kind in (("access", "demand"), ("profile", "profile"), ("lookup", "lookup")):
        if data.get(word):
            found[Entry(kind)] = data[word]
    for code, centre in data.get("centres", {}).items():
        found[Entry("centre", "", code)] = {key: centre[key] for key in ("name", "contact") if key in centre}
        found |= {Entry(kind, "", code): centre[kind] for kind in ("agreement", "ethics") if kind in centre}
    for login, person in data.get("people", {}).items():
        if "centre" in person:
            found[Entry("person", "", login)] = {"centre": person["centre"]}
    found |= {Entry("deviation", "", key): one for key, one in data.get("deviations", {}).items()}
    return found


def nested_records(state: State) -> dict[str, Any]:
    """Return the governance records of a state in the form of the file."""
    found: dict[str, Any] = {}
    for word, kind in (("access", "demand"), ("profile", "profile"), ("lookup", "lookup")):
        if Entry(kind) in state:
            found[word] = state[Entry(kind)]
    centres: dict[str, dict[str, Any]] = {
        code: dict(record) for code, record in sorted(of_kind(state, "centre").items())
    }
    for kind in ("agreement", "ethics"):
        for code, record in sorted(of_kind(state, kind).items()):
            centres.setdefault(code, {})[kind] = dict(record)
    people = {login: dict(person) for login, person in sorted(of_kind(state, "person").items())}
    deviations = dict(sorted(of_kind(state, "deviation").items()))
    filled = (("centres", centres), ("people", people), ("deviations", deviations))
    return found | {word: value for word, value in filled if value}


# ---- the document of records ------------------------------------------------------------------------------


def document(collection: Collection, state: State) -> dict[str, Any]:
    """Return the governance records as the document that the archive keeps."""
    kept = {entry: value for entry, value in state.items() if entry.kind in RECORDS}
    return {"format": 1, "collection": collection.name, **nested_records(kept)}


def of_document(raw: Any, collection: Collection) -> dict[Entry, Value]:
    """Return the entries of a stored document.

    Raises
    ------
    Misconfigured
        The document is broken, or it is another collection's.
    """
    remedy = (
        "Ask the administrator of the archive for its last good version (config service, lethe/collection)."
    )
    try:
        data = _DOCUMENT_SHAPE(raw, ())
        _check_dates(data.get("centres", {}))
    except Fault as fault:
        raise Misconfigured(
            "records-broken", f"The governance records of {collection.name} cannot be read.", remedy=remedy
        ) from fault
    if data["collection"] != collection.name:
        raise Misconfigured(
            "wrong-project",
            f"Project {collection.intake} holds the records of another collection.",
            remedy="Check the collection's name.",
        )
    return _records(data)


# ---- back to a file ---------------------------------------------------------------------------------------


def as_yaml(collection: Collection, state: State) -> str:
    """Return a state as a collection file that `parse` reads back to the same state."""
    data: dict[str, Any] = {"collection": collection.name}
    for word in ("name", "description", "visibility"):
        if Entry(word, COLLECTION) in state:
            data[word] = state[Entry(word, COLLECTION)]
    if Entry("arrival", INTAKE) in state:
        data["arrival"] = state[Entry("arrival", INTAKE)]
    records = nested_records(state)
    people = records.pop("people", {})
    for place in PLACES:
        for login, role in of_kind(state, "role", place).items():
            people.setdefault(login, {})[place] = role
    data |= records | {"people": dict(sorted(people.items()))}
    commands = {place: sorted(of_kind(state, "command", place)) for place in PLACES}
    data["commands"] = {place: names for place, names in commands.items() if names}
    data["automation"] = dict(sorted(of_kind(state, "automation").items()))
    data["fields"] = dict(sorted(of_kind(state, "field").items()))
    filled = {key: _plain(key, value) for key, value in data.items() if value not in ({}, "")}
    return yaml.dump(filled, Dumper=_Written, sort_keys=False, allow_unicode=True, width=100)


class _Written(yaml.SafeDumper):
    """Writes a value out wherever it stands; references are refused when the file is read."""

    def ignore_aliases(self, data: Any) -> bool:
        """Return true for everything."""
        return True


def _plain(key: str, value: Any) -> Any:
    """Return a value with days as days, so that the file shows them without quotes."""
    if isinstance(value, Mapping):
        return {name: _plain(name, one) for name, one in value.items()}
    if key in {"since", "until", "approved"} and isinstance(value, str):
        return date.fromisoformat(value)
    return str(value) if isinstance(value, str) else value
