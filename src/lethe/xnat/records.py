"""The governance records of a collection on an XNAT, and the archive's own clock.

Agreements, ethics approvals, deviations and policies are one JSON document in the config service of the
intake project (tool ``lethe``, path ``collection``): readable by those who have a role there, writable by its
owners, every version kept by the archive with author and date. The collection project may become public, and
its configuration with it, so nothing of this lies there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime

from lethe.errors import Misconfigured, Refused
from lethe.governance.collection import Collection
from lethe.governance.definition import document, of_document
from lethe.governance.state import Entry, State, Value
from lethe.xnat.client import Archive

MOST_SKEW = timedelta(minutes=15)
_NOBODY = "guest"

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present moment of this machine."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is logged in, and how far the archive's clock is ahead of this machine's."""

    login: str
    administrator: bool
    ahead: timedelta
    clock: Clock

    @property
    def now(self) -> datetime:
        """The archive's present moment."""
        return self.clock() + self.ahead

    @property
    def today(self) -> date:
        """The archive's present day in UTC; validity dates are judged by it."""
        return self.now.astimezone(UTC).date()


def caller(archive: Archive, clock: Clock = utc_now) -> Caller:
    """Return who is logged in.

    Raises
    ------
    Refused
        Nobody is logged in, or the clocks of archive and this machine are more than `MOST_SKEW` apart, so
        that nobody can say whether an agreement is in force.
    """
    answer = archive.request("GET", "/xapi/users/username", "ask who is logged in")
    login = answer.text.strip()
    if not login or login == _NOBODY:
        raise Refused("login", "Nobody is logged in.", remedy="Check user and password, or log in again.")
    ahead = _moment(answer.headers.get("Date", "")) - clock()
    if abs(ahead) > MOST_SKEW:
        raise Refused(
            "clock-skew",
            "The clocks of the archive and of this machine are more than "
            f"{MOST_SKEW.seconds // 60} minutes apart, so validity dates cannot be judged.",
            remedy="Set both by a time server (NTP), then start again.",
        )
    roles = archive.request("GET", f"/xapi/users/{login}/roles", "ask for the own roles").json()
    return Caller(login, "Administrator" in roles, ahead, clock)


def _moment(text: str) -> datetime:
    try:
        return parsedate_to_datetime(text)
    except ValueError:
        raise Misconfigured(
            "no-clock", "The archive's answers carry no date.", remedy="Check the proxy in front of it."
        ) from None


def read_config(archive: Archive, project: str, path: str) -> str | None:
    """Return a configuration of the tool ``lethe`` of a project, None if there is none."""
    answer = archive.request(
        "GET",
        f"/data/projects/{project}/config/lethe/{path}",
        "read a configuration",
        params={"contents": "true"},
        ok=(200, 204, 404),
    )
    return answer.content.decode("utf-8") if answer.status_code == 200 else None


def write_config(archive: Archive, project: str, path: str, text: str) -> None:
    """Store a new version of a configuration of the tool ``lethe``."""
    archive.request(
        "PUT",
        f"/data/projects/{project}/config/lethe/{path}",
        "store a configuration",
        params={"inbody": "true"},
        data=text.encode(),
        headers={"Content-Type": "text/plain"},
    )


def read(archive: Archive, collection: Collection) -> dict[Entry, Value] | None:
    """Return the governance records; None when there are none (or the intake project may not be seen).

    Raises
    ------
    Misconfigured
        The document is broken or another collection's.
    """
    text = read_config(archive, collection.intake, "collection")
    if text is None:
        return None
    try:
        raw = json.loads(text)
    except ValueError:
        raw = None
    return of_document(raw, collection)


def write(archive: Archive, collection: Collection, state: State) -> None:
    """Store the governance records of a state."""
    text = json.dumps(document(collection, state), sort_keys=True, ensure_ascii=False, indent=1)
    write_config(archive, collection.intake, "collection", text + "\n")


def required(archive: Archive, collection: Collection) -> dict[Entry, Value]:
    """Return the governance records, or refuse.

    Raises
    ------
    Refused
        There are none, or they may not be seen.
    """
    found = read(archive, collection)
    if found is None:
        raise Refused(
            "no-records",
            f"No governance records of {collection.name} can be seen.",
            remedy="Record them with lethe collection apply; reading them needs a role in "
            f"{collection.intake}.",
        )
    return found
