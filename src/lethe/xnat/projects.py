"""People, roles and visibility of a project on an XNAT."""

from __future__ import annotations

from lethe.governance.roles import GROUPS, Role
from lethe.xnat.client import Archive


def set_visibility(archive: Archive, project: str, level: str) -> None:
    """Set the project ``private``, ``protected`` or ``public`` (E-17, E-22)."""
    archive.request("PUT", f"/data/projects/{project}/accessibility/{level}", "set the visibility")


def roles(archive: Archive, project: str) -> dict[str, str]:
    """Return login -> role (``owner``, ``member``, ``collaborator``, or a custom group's name)."""
    names = {group: str(role) for role, group in GROUPS.items()}
    rows = archive.rows(f"/data/projects/{project}/users", "list the people of the project")
    return {row["login"]: names.get(row["displayname"], row["displayname"]) for row in rows}


def grant(archive: Archive, project: str, login: str, role: str) -> None:
    """Give `login` one role in the project; a former role is replaced."""
    group = GROUPS[Role(role)]
    archive.request("PUT", f"/data/projects/{project}/users/{group}/{login}", "grant a role")


def revoke(archive: Archive, project: str, login: str, role: str) -> None:
    """Take a role away."""
    group = GROUPS[Role(role)]
    archive.request("DELETE", f"/data/projects/{project}/users/{group}/{login}", "revoke a role")
