"""The audit trail of access: who changed what, when and why, as a chain of records.

Each record holds the digest of the one before, so that a record that is changed, removed or put in between
breaks the chain. There is no secret key: whoever may write the trail could sign, too. What a forger would
have to forge as well is kept elsewhere: every head of the chain in the version history of the archive's
config service, which offers no way to delete, and the author of each file in the archive's catalogue.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from lethe.errors import Misconfigured
from lethe.governance.state import State

START = "0" * 64
"""What the first record holds in place of a digest."""

_MOST_WHY = 300
_DEED = "role"


@dataclass(frozen=True, slots=True)
class Record:
    """One deed.

    Parameters
    ----------
    number : int
        1, 2, 3, ...
    before : str
        SHA-256 of the record before, as lower-case hex.
    when : str
        The archive's clock, UTC, ``2026-12-31T23:59:59Z``.
    who : str
        Login of the person who did it.
    what : mapping
        ``deed`` and what belongs to it; for roles ``project``, ``login`` and ``role`` (null: none any more).
    why : str
        The reason given.
    """

    number: int
    before: str
    when: str
    who: str
    what: Mapping[str, Any]
    why: str

    @property
    def data(self) -> bytes:
        """The record as it is stored; equal records have equal bytes."""
        values = {
            "number": self.number, "before": self.before, "when": self.when, "who": self.who,
            "what": dict(self.what), "why": self.why,
        }  # fmt: skip
        return (json.dumps(values, sort_keys=True, ensure_ascii=False, indent=1) + "\n").encode()

    @property
    def digest(self) -> str:
        """SHA-256 of the stored bytes."""
        return digest_of(self.data)

    @property
    def file(self) -> str:
        """Name of its file: the number alone, so that two writers cannot both store the same number."""
        return file_of(self.number)

    @classmethod
    def read(cls, data: bytes) -> Record | None:
        """Return the record of stored bytes; None if they are no record."""
        try:
            values = json.loads(data)
            record = cls(
                int(values["number"]), str(values["before"]), str(values["when"]), str(values["who"]),
                dict(values["what"]), str(values["why"]),
            )  # fmt: skip
        except (ValueError, KeyError, TypeError):
            return None
        return record if record.data == data else None

    def after(self, before: Record | None) -> Record:
        """Return the record as the one that follows `before`."""
        if before is None:
            return replace(self, number=1, before=START)
        return replace(self, number=before.number + 1, before=before.digest)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain at some moment, as the config service keeps it."""

    number: int
    digest: str


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of bytes as lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def file_of(number: int) -> str:
    """Return the file name of a record."""
    return f"{number:08d}.json"


def stamp(moment: datetime) -> str:
    """Return a moment as records write it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def reason(text: str) -> str:
    """Return a checked reason: one line, without mail addresses.

    Raises
    ------
    Misconfigured
        Empty, too long, or with a mail address.
    """
    found = " ".join(text.split())
    if not found or len(found) > _MOST_WHY:
        raise Misconfigured("why", "Say why in one line, at most 300 characters.", remedy="Use --why TEXT.")
    if re.search(r"\S@\S", found):
        raise Misconfigured(
            "why-mail", "The reason holds a mail address.", remedy="Name the request or document instead."
        )
    return found


def role_deed(project: str, login: str, role: str | None) -> dict[str, Any]:
    """Return what a record says of a role; None: taken away."""
    return {"deed": _DEED, "project": project, "login": login, "role": role}


# ---- checking ---------------------------------------------------------------------------------------------


def verify(
    files: Mapping[str, bytes],
    *,
    heads: Sequence[Head] = (),
    authors: Mapping[str, str] | None = None,
    noted: str = "",
) -> tuple[list[Record], list[str]]:
    """Check a trail and return its records and everything that is wrong with it.

    Parameters
    ----------
    files : mapping of str to bytes
        Every file of the trail.
    heads : sequence of Head
        Every head that was ever recorded.
    authors : mapping of str to str, optional
        File name -> login that stored it, by the archive's catalogue.
    noted : str
        A digest that somebody noted outside of the archive; it must be in the chain.
    """
    faults: list[str] = []
    records: list[Record] = []
    before = START
    for number, name in enumerate(sorted(files), start=1):
        record = Record.read(files[name])
        if record is None:
            faults.append(f"{name} is no record, or its bytes were changed")
            before = digest_of(files[name])
            continue
        if name != file_of(number) or record.number != number:
            faults.append(f"{name} is not number {number}: a record is missing or one too many")
        if record.before != before:
            faults.append(f"{name} does not follow the record before it")
        author = (authors or {}).get(name, record.who)
        if author != record.who:
            faults.append(f"{name} was stored by {author} but speaks of {record.who}")
        before = record.digest
        records.append(record)
    digests = [record.digest for record in records]
    for head in heads:
        place = head.number - 1
        if not 0 <= place < len(digests) or digests[place] != head.digest:
            faults.append(f"the head recorded for number {head.number} is not in the chain")
    if noted and noted not in digests:
        faults.append("the noted digest is not in the chain")
    return records, faults


def roles_of(records: Sequence[Record]) -> dict[tuple[str, str], str]:
    """Return (project, login) -> role as the trail tells it."""
    found: dict[tuple[str, str], str] = {}
    for record in records:
        if record.what.get("deed") == _DEED:
            key = (str(record.what.get("project")), str(record.what.get("login")))
            found.pop(key, None)
            if record.what.get("role"):
                found[key] = str(record.what["role"])
    return found


def outside(records: Sequence[Record], state: State, projects: Mapping[str, str]) -> list[str]:
    """Return where the roles in force differ from what the trail tells.

    Parameters
    ----------
    projects : mapping of str to str
        Place (``collection``, ``intake``) -> project id.
    """
    told = roles_of(records)
    real = {
        (projects[entry.place], entry.name): str(role)
        for entry, role in state.items()
        if entry.kind == "role"
    }
    lines = []
    for project, login in sorted({*told, *real}):
        is_told, is_real = told.get((project, login), "none"), real.get((project, login), "none")
        if is_told != is_real:
            lines.append(f"{login} in {project}: the trail says {is_told}, the archive {is_real}")
    return lines
