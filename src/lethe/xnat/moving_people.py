"""People of an export: who has an account at the target, and who gets which role there."""

from __future__ import annotations

import secrets
from typing import Any

from lethe.errors import Refused
from lethe.xnat import projects
from lethe.xnat.collections import set_role
from lethe.xnat.moving_folder import Folder
from lethe.xnat.moving_report import Receipt
from lethe.xnat.moving_target import Target
from lethe.xnat.records import caller

Json = dict[str, Any]
_OWNER = "owner"


class People:
    """Accounts and roles.

    An account of the target is taken for the same person if login and, where both are known, mail agree.
    """

    def __init__(self, folder: Folder, target: Target, receipt: Receipt, *, create: bool) -> None:
        self._folder, self._target, self._receipt = folder, target, receipt
        self._create = create
        self._may: set[str] = set()
        self._self = ""
        self._administrator = False

    def prepare(self) -> None:
        """Find, or make, the accounts; name those that are missing or belong to somebody else."""
        who = caller(self._target.archive)
        self._self, self._administrator = who.login, who.administrator
        mails = self._mails()
        for login, person in sorted(self._folder.people.items()):
            there = mails.get(login.lower())
            if there is None and self._create:
                self._make(login, person["first_name"], person["last_name"], person["email"])
            elif there is None:
                self._receipt.people_missing.append(login)
                continue
            elif there and person["email"] and there.lower() != person["email"].lower():
                self._receipt.people_other_mail.append(login)
                continue
            self._may.add(login)

    def _mails(self) -> dict[str, str]:
        rows = self._target.rows("/data/users", "list the users")
        return {row["login"].lower(): row.get("email") or "" for row in rows}

    def _make(self, login: str, first: str, last: str, mail: str) -> None:
        body = {
            "username": login,
            "firstName": first or login,
            "lastName": last or login,
            "email": mail,
            "password": f"{secrets.token_urlsafe(32)}aA1!",
            "enabled": False,
            "verified": True,
        }
        self._target.change("POST", "/xapi/users", "make an account", json=body)
        self._receipt.people_made.append(login)

    def roles(self, name: str, project: Json, *, ours: bool) -> None:
        """Give the roles that are missing; whoever moved the project does not stay its owner by that alone.

        Parameters
        ----------
        ours : bool
            Whether the project was made by this move and is not complete yet.
        """
        have = self._have(name)
        wanted = {login: role for login, role in project["roles"].items() if login in self._may}
        for login, role in wanted.items():
            if login == self._self and ours:
                continue  # owner as creator for now
            if login.lower() not in have:
                self._give(name, login, None, role)
            elif have[login.lower()] != role:
                self._receipt.differs.append(f"{name}: role of {login}")
        if ours and not (self._administrator and self._others_own(project)):
            if project["roles"].get(self._self) != _OWNER:
                self._receipt.not_kept.append(f"{name}: {self._self} stays its owner, having moved it")
        elif ours:
            mine = project["roles"].get(self._self)
            if have.get(self._self.lower(), _OWNER) != mine:
                self._give(name, self._self, _OWNER, mine)

    def _others_own(self, project: Json) -> bool:
        return any(
            role == _OWNER and login in self._may and login != self._self
            for login, role in project["roles"].items()
        )

    def _have(self, name: str) -> dict[str, str]:
        if self._target.get(f"/data/projects/{name}", "look for a project").status_code != 200:
            return {}  # a dry run
        found = projects.roles(self._target.archive, name)
        return {login.lower(): role for login, role in found.items()}

    def _give(self, name: str, login: str, old: str | None, new: str | None) -> None:
        self._target.changes += 1
        if self._target.dry_run:
            return
        try:
            set_role(self._target.archive, name, login, old, new)
        except Refused as refused:
            raise Refused(
                refused.code,
                f"The role of an account in {name} could not be changed.",
                remedy="It needs an owner of the project or an administrator.",
            ) from None
