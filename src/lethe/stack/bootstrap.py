"""Finish a fresh XNAT by REST: what an administrator would click, once, the same way everywhere.

Every step looks before it changes, so a second run changes nothing and a broken-off one is simply run again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lethe.errors import Misconfigured, Refused
from lethe.xnat import commands
from lethe.xnat.client import Archive, connect

ADMIN = "admin"
_DEFAULT_PASSWORD = "admin"  # noqa: S105 - what a fresh XNAT is born with, and loses here


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the site shall be.

    Parameters
    ----------
    url : str
        Address that people use.
    site : str
        Short name of the site, part of every id that XNAT gives.
    guests : bool
        Let people without an account see public collections (E-18); else the whole site is closed.
    engine : str
        Where the Container Service finds its engine.
    archive_inside, archive_outside : str
        The data folder as XNAT sees it, and as the engine's host does.
    owner : str
        ``uid:gid`` that containers run as.
    """

    url: str
    site: str = "LETHE"
    guests: bool = False
    engine: str = "tcp://engine:2375"
    archive_inside: str = "/data/xnat"
    archive_outside: str = "/data/xnat"
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to settle: its name, whether it is so already, and how it is made so."""

    name: str
    settled: Callable[[], bool]
    make: Callable[[], None]


def site_settings(wanted: Wanted) -> dict[str, Any]:
    """Return the properties of ``/xapi/siteConfig`` that a closed, careful site has."""
    return {
        "initialized": True,
        "siteId": wanted.site,
        "siteUrl": wanted.url,
        "requireLogin": not wanted.guests,
        # accounts are made by the collection administrators' procedure, never by the visitor
        "securityNewUserRegistrationDisabled": True,
        "userRegistration": False,
        # collections are made as code, from an approved request
        "uiAllowNonAdminProjectCreation": False,
        "restrictUserListAccessToAdmins": True,
        # the owner decides about visibility (E-22); a new project is private (E-21)
        "securityAllowNonPrivateProjects": True,
    }


def receiver() -> dict[str, Any]:
    """Return the C-STORE receiver that the central CTP sends to; the routing script tells where things go."""
    return {
        "aeTitle": "XNAT",
        "port": 8104,
        "identifier": "dicomObjectIdentifier",
        "enabled": True,
        "customProcessing": False,
        "directArchive": False,
        "anonymizationEnabled": True,
        "whitelistEnabled": False,
        "routingExpressionsEnabled": False,
    }


def engine(wanted: Wanted) -> dict[str, Any]:
    """Return the settings of the Container Service (``/xapi/docker/server``)."""
    moved = wanted.archive_inside != wanted.archive_outside
    return {
        "name": "Lethe",
        "host": wanted.engine,
        "backend": "docker",
        "swarm-mode": False,
        "auto-cleanup": True,
        "pull-images-on-xnat-init": False,
        "container-user": wanted.owner or None,
        "path-translation-xnat-prefix": wanted.archive_inside if moved else None,
        "path-translation-docker-prefix": wanted.archive_outside if moved else None,
    }


def definitions(folder: Path) -> list[dict[str, Any]]:
    """Read every ``command.json`` below `folder`.

    Raises
    ------
    Misconfigured
        There is none, or one is no JSON.
    """
    try:
        found = [
            json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*/command.json"))
        ]
    except ValueError:
        raise Misconfigured("command-json", "A command.json is no JSON.") from None
    if not found:
        raise Misconfigured(
            "no-commands", "No command.json was found.", remedy="Run this from Lethe's folder."
        )
    return found


def steps(archive: Archive, wanted: Wanted, definitions: list[dict[str, Any]]) -> Iterator[Step]:
    """Yield what is to be settled, in this order."""
    yield _map_step(archive, "site settings", "/xapi/siteConfig", "/xapi/siteConfig", site_settings(wanted))
    yield Step(
        "receiver XNAT, port 8104",
        lambda: _receiver_row(archive) is not None and _same(_receiver_row(archive) or {}, receiver()),
        lambda: _put_receiver(archive),
    )
    yield _map_step(archive, "engine", "/xapi/docker/server", "/xapi/docker/server", engine(wanted))
    for definition in definitions:
        yield Step(
            f"command {definition['name']} {definition['version']}",
            lambda definition=definition: commands.find_command(archive, definition) is not None,  # type: ignore[misc]
            lambda definition=definition: _nothing(commands.register(archive, definition)),  # type: ignore[misc]
        )
    # off in a fresh XNAT; the subscriptions themselves belong to the collections
    yield _map_step(
        archive, "event service", "/xapi/events/prefs", "/xapi/events/prefs", {"enabled": True}, "PUT"
    )


def first_login(url: str, password: str) -> str:
    """Take the password that a fresh XNAT is born with away.

    Returns
    -------
    str
        ``kept`` if `password` is the administrator's already, else ``made``.

    Raises
    ------
    Refused
        Neither `password` nor the default one is the administrator's.
    """
    try:
        with connect(url, ADMIN, password):
            return "kept"
    except Refused as refusal:
        if refusal.code != "login":
            raise
    try:
        with connect(url, ADMIN, _DEFAULT_PASSWORD) as archive:
            archive.request(
                "PUT",
                f"/xapi/users/{ADMIN}",
                "change the first password",
                json={"username": ADMIN, "password": password},
            )
    except Refused as refusal:
        if refusal.code == "login":
            raise Refused(
                "login",
                "The administrator's password is neither that of the secrets nor that of a fresh XNAT.",
                remedy="Write the right one into secrets/admin_password.",
            ) from None
        raise
    with connect(url, ADMIN, password):
        return "made"


def _map_step(
    archive: Archive, name: str, read: str, write: str, wanted: Mapping[str, Any], method: str = "POST"
) -> Step:
    def settled() -> bool:
        answer = archive.request("GET", read, f"read the {name}", ok=(200, 404))
        return answer.status_code == 200 and bool(answer.content) and _same(answer.json(), wanted)

    return Step(
        name, settled, lambda: _nothing(archive.request(method, write, f"set the {name}", json=dict(wanted)))
    )


def _same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(_plain(found.get(key)) == _plain(value) for key, value in wanted.items())


def _plain(value: Any) -> str:
    """XNAT gives some booleans as words and some nothings as empty text."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _receiver_row(archive: Archive) -> dict[str, Any] | None:
    rows: list[dict[str, Any]] = archive.request("GET", "/xapi/dicomscp", "list the receivers").json()
    mine = receiver()
    return next(
        (row for row in rows if row["aeTitle"] == mine["aeTitle"] and row["port"] == mine["port"]), None
    )


def _put_receiver(archive: Archive) -> None:
    row = _receiver_row(archive)
    if row is None:
        archive.request("POST", "/xapi/dicomscp", "make the receiver", json=receiver())
    else:
        archive.request(
            "PUT", f"/xapi/dicomscp/{row['id']}", "change the receiver", json={**row, **receiver()}
        )


def _nothing(_: object) -> None:
    """Give a call's answer up."""
