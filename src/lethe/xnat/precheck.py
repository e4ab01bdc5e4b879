"""What is checked before the first change, so that nothing is half done."""

from __future__ import annotations

from datetime import date
from typing import Any

from lethe.errors import Misconfigured, Refused
from lethe.governance.changes import Plan
from lethe.governance.collection import Collection
from lethe.governance.definition import Definition
from lethe.governance.state import PLACES, Entry, State, of_kind
from lethe.header import bundled_profile
from lethe.header.deviations import Deviation
from lethe.header.profile import load_profile
from lethe.xnat.client import Archive
from lethe.xnat.found import project_of, registered_wrappers
from lethe.xnat.records import Caller


def with_logins(archive: Archive, definition: Definition) -> Definition:
    """Return the definition with logins in place of mail addresses, every person known to the archive.

    Raises
    ------
    Refused
        A person is unknown, or two accounts share one mail address.
    """
    accounts = _accounts(archive)
    if accounts is None:
        if any("@" in person for person in definition.people):
            raise Refused(
                "people-list",
                "Only an administrator may look up mail addresses in this archive.",
                remedy="Name the people of the file by login.",
            )
        return definition.with_logins({person: person for person in definition.people})
    by_mail: dict[str, list[str]] = {}
    for login, mail in accounts.items():
        if mail:
            by_mail.setdefault(mail, []).append(login)
    logins = {person: _login(person, accounts, by_mail) for person in definition.people}
    for login in logins.values():
        same = sorted(by_mail.get(accounts[login], []))
        others = [one for one in same if one in logins.values()]
        if len(others) > 1:
            raise _same_mail(others)
    return definition.with_logins(logins)


def account(archive: Archive, login: str) -> None:
    """Refuse a login without an account, as far as the caller may know.

    Raises
    ------
    Refused
        There is none.
    """
    accounts = _accounts(archive)
    if accounts is not None and login not in accounts:
        raise person_unknown(login)


def _login(person: str, accounts: dict[str, str], by_mail: dict[str, list[str]]) -> str:
    if person in accounts:
        return person
    found = sorted(by_mail.get(person.lower(), []))
    if len(found) > 1:
        raise _same_mail(found)
    if not found:
        raise person_unknown("a mail address of the file" if "@" in person else person)
    return found[0]


def _accounts(archive: Archive) -> dict[str, str] | None:
    """Return login -> mail address in lower case; None where the list is for administrators only."""
    answer = archive.request(
        "GET", "/data/users", "list the accounts", params={"format": "json"}, ok=(200, 403)
    )
    if answer.status_code == 403:
        return None
    rows = answer.json()["ResultSet"]["Result"]
    return {str(row["login"]): str(row.get("email") or "").strip().lower() for row in rows}


def _same_mail(logins: list[str]) -> Refused:
    return Refused(
        "same-mail",
        f"The accounts {' and '.join(logins)} have the same mail address, so nobody knows who acts.",
        remedy="Give each person one account with an address of its own.",
    )


def person_unknown(who: str) -> Refused:
    """Return the error for somebody without an account."""
    return Refused(
        "person-unknown", f"The archive knows no account for {who}.", remedy="Create the account first."
    )


def name_taken(project: str) -> Refused:
    """Return the error for a project id or name that is in use."""
    return Refused(
        "name-taken",
        f"The id or name of {project} is in use by another project, perhaps one you may not see.",
        remedy="Choose another name, or ask its owner.",
    )


def caller_may(who: Caller, wanted: State, plan: Plan) -> None:
    """Refuse a file after which the person who applies it could not go on.

    Raises
    ------
    Refused
        The caller is neither administrator nor owner of both projects by the file.
    """
    if who.administrator:
        return
    if any(wanted.get(Entry("role", place, who.login)) != "owner" for place in PLACES):
        raise Refused(
            "own-role",
            "By this file you are not an owner of both projects, so you could not finish or undo it.",
            remedy="Write yourself down as owner of both, or let an administrator apply it.",
        )
    if any(change.entry.kind == "events" for change in plan.changes):
        raise Refused(
            "events-off",
            "The event service of the archive is off.",
            remedy="Let an administrator apply the file once.",
        )


def names_free(archive: Archive, collection: Collection, found: State, wanted: State) -> None:
    """Refuse a project id or name that another project has, as far as the caller may see it.

    Raises
    ------
    Refused
        It is taken.
    """
    own = {collection.name, collection.intake}
    rows = archive.rows("/data/projects", "list projects", columns="ID,name,secondary_ID")
    taken = {
        str(row.get(key) or "").lower()
        for row in rows
        if row["ID"] not in own
        for key in ("ID", "name", "secondary_ID")
    }
    for place in PLACES:
        project = project_of(collection, place)
        name = str(wanted[Entry("name", place)])
        fresh = Entry("project", place) not in found
        if (fresh and project.lower() in taken) or name.lower() in taken:
            raise name_taken(project)


def commands_registered(archive: Archive, wanted: State) -> None:
    """Refuse wrappers that no registered command has.

    Raises
    ------
    Misconfigured
        One is missing.
    """
    names = {name for place in PLACES for name in of_kind(wanted, "command", place)}
    missing = sorted(names - set(registered_wrappers(archive))) if names else []
    if missing:
        raise Misconfigured(
            "not-registered",
            f"No registered command has a wrapper called {missing[0]}.",
            remedy="Register it first: lethe command register FILE/command.json",
        )


def profile_holds(wanted: State, today: date) -> None:
    """Refuse a profile that is not packaged, and deviations that it cannot have or that have expired.

    Raises
    ------
    Refused, Misconfigured
        What is wrong with them.
    """
    profile: Any = wanted.get(Entry("profile"))
    entries: dict[str, Any] = of_kind(wanted, "deviation")
    if profile is None:
        if entries:
            raise Misconfigured(
                "no-profile", "There are deviations, but no profile.", remedy="Write 'profile: {name: ...}'."
            )
        return
    deviations = []
    for name, entry in entries.items():
        until = date.fromisoformat(entry["until"])
        if until < today:
            raise Refused(
                "deviation-expired",
                f"The deviation for {name} was approved until {until.isoformat()}.",
                remedy="Have it approved again, or leave it out.",
            )
        deviations.append(
            Deviation(name, entry["action"], entry["justification"], entry["approved_by"], until)
        )
    load_profile(bundled_profile(profile["name"]), deviations)
