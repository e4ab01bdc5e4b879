"""Who has access: the daily work of a collection administrator, each deed with a reason and on the trail."""

from __future__ import annotations

from dataclasses import dataclass

from lethe.errors import Misconfigured, Refused
from lethe.governance.changes import require_terms
from lethe.governance.collection import Collection
from lethe.governance.roles import GROUPS
from lethe.governance.state import INTAKE, PLACES, Entry, Value, centre_of, terms
from lethe.governance.terms import Use
from lethe.governance.trail import Record, outside, role_deed, verify
from lethe.xnat import precheck, projects, records
from lethe.xnat.client import Archive
from lethe.xnat.collections import set_role
from lethe.xnat.found import project_of
from lethe.xnat.records import Caller
from lethe.xnat.trail import Trail


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody with a role, and what covers it."""

    login: str
    project: str
    role: str
    centre: str
    agreement: str


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody who asks for a role."""

    number: str
    project: str
    login: str
    role: str
    since: str
    justification: str


@dataclass(frozen=True, slots=True)
class Audit:
    """A checked trail."""

    records: list[Record]
    faults: list[str]
    outside: list[str]


class Access:
    """Access to one collection.

    Parameters
    ----------
    archive : Archive
    collection : Collection
    who : Caller
        In whose name everything is done.

    Raises
    ------
    Refused
        The collection has no governance records that the caller may see.
    """

    def __init__(self, archive: Archive, collection: Collection, who: Caller) -> None:
        self._archive, self._collection, self._who = archive, collection, who
        self._records = records.required(archive, collection)
        self._trail = Trail(archive, collection, who)

    def holders(self) -> list[Holder]:
        """Return everybody with a role in one of the two projects."""
        found = []
        for place in PLACES[::-1]:
            project = project_of(self._collection, place)
            for login, role in sorted(projects.roles(self._archive, project).items()):
                centre = centre_of(self._records, login)
                found.append(Holder(login, project, role, centre, self._covered(centre)))
        return found

    def _covered(self, centre: str) -> str:
        if not centre:
            return "no centre on record"
        try:
            terms(self._records, centre).check(self._who.today, Use.ACCESS)
        except Refused as refused:
            return refused.code
        until = terms(self._records, centre).agreement
        return f"until {until.until.isoformat()}" if until and until.until else "in force"

    def check(self, login: str, role: str, *, centre: str = "") -> dict[Entry, Value]:
        """Raise unless `login` may get a role; return the records with the person's centre.

        Raises
        ------
        Misconfigured
            Unknown role or centre.
        Refused
            No agreement covers it, or the person has no account.
        """
        if role not in GROUPS:
            raise Misconfigured(
                "unknown-role", "There is no such role.", remedy=f"Use one of {', '.join(GROUPS)}."
            )
        precheck.account(self._archive, login)
        after: dict[Entry, Value] = dict(self._records)
        if centre:
            if Entry("centre", "", centre) not in after:
                raise Misconfigured(
                    "unknown-centre",
                    "No centre of that code is on record.",
                    remedy="Record it with its agreement in the collection file.",
                )
            after[Entry("person", "", login)] = {"centre": centre}
        require_terms(after, login, self._who.today)
        return after

    def role(self, login: str, *, place: str) -> str:
        """Return the role of somebody who has one and may lose it.

        Raises
        ------
        Refused
            The person has none, or is the last owner.
        """
        project = project_of(self._collection, place)
        present = projects.roles(self._archive, project)
        if login not in present:
            raise Refused("no-role", f"{login} has no role in {project}.", remedy="lethe access list")
        if present[login] == "owner" and list(present.values()).count("owner") == 1:
            raise Refused(
                "last-owner", f"{login} is the last owner of {project}.", remedy="Grant another owner first."
            )
        return present[login]

    def grant(self, login: str, role: str, *, why: str, place: str, centre: str = "") -> Record | None:
        """Give somebody a role; None when the person has it already; refused as `check` says."""
        after = self.check(login, role, centre=centre)
        project = project_of(self._collection, place)
        present = projects.roles(self._archive, project).get(login)
        if after != self._records:
            self._trail.append({"deed": "person", "login": login, "centre": centre}, why)
            records.write(self._archive, self._collection, after)
            self._records = after
        if present == role:
            return None
        record = self._trail.append(role_deed(project, login, role), why)
        set_role(self._archive, project, login, present, role)
        return record

    def revoke(self, login: str, *, why: str, place: str) -> Record:
        """Take somebody's role away; refused as `role` says."""
        present = self.role(login, place=place)
        project = project_of(self._collection, place)
        record = self._trail.append(role_deed(project, login, None), why)
        set_role(self._archive, project, login, present, None)
        return record

    # ---- requests -----------------------------------------------------------------------------------------

    def requests(self) -> list[Request]:
        """Return the open requests of people with an account."""
        found = []
        for place in PLACES[::-1]:
            project = project_of(self._collection, place)
            rows = self._archive.rows(f"/data/projects/{project}/pars", "list access requests")
            found += [
                Request(
                    row["par_id"],
                    project,
                    row["login"],
                    row["level"],
                    row["create_date"][:10],
                    row.get("justification", ""),
                )
                for row in rows
                if row.get("login") and not row.get("approved")
            ]
        return found

    def approve(self, number: str, *, why: str, centre: str = "", role: str = "") -> Record | None:
        """Grant what was asked for (or a lesser `role`), and close the request."""
        asked = self._asked(number)
        place = INTAKE if asked.project == self._collection.intake else PLACES[-1]
        record = self.grant(asked.login, role or asked.role, why=why, place=place, centre=centre)
        # accepting gives what was asked for; with a lesser role, the request itself is declined
        self._close(number, "decline" if role and role != asked.role else "accept")
        return record

    def decline(self, number: str, *, why: str) -> Record:
        """Close a request without granting anything."""
        asked = self._asked(number)
        what = {"deed": "decline", "project": asked.project, "login": asked.login, "role": asked.role}
        record = self._trail.append(what, why)
        self._close(number, "decline")
        return record

    def _asked(self, number: str) -> Request:
        for one in self.requests():
            if one.number == number:
                return one
        raise Refused("no-request", "No open request has that number.", remedy="lethe access requests")

    def _close(self, number: str, word: str) -> None:
        self._archive.request("PUT", f"/data/pars/{number}", "close a request", params={word: "true"})

    # ---- audit --------------------------------------------------------------------------------------------

    def audit(self, *, noted: str = "") -> Audit:
        """Check the whole trail, and compare what it tells with the roles in force.

        Parameters
        ----------
        noted : str
            Digest of a record that somebody noted outside of the archive.
        """
        found, faults = verify(
            self._trail.files(), heads=self._trail.heads(), authors=self._trail.authors(), noted=noted
        )
        state: dict[Entry, Value] = {}
        names = {place: project_of(self._collection, place) for place in PLACES}
        for place, project in names.items():
            for login, role in projects.roles(self._archive, project).items():
                state[Entry("role", place, login)] = role
        return Audit(found, faults, outside(found, state, names))
