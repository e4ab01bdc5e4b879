"""Collections, people and roles on an XNAT."""

from __future__ import annotations

from lethe.governance.collection import Collection
from lethe.xnat.client import Archive

# XNAT's own group names: the three roles of the seed documents (E-26, E-27, E-28)
GROUPS = {"owner": "Owners", "member": "Members", "collaborator": "Collaborators"}


def ensure_project(archive: Archive, project: str, *, description: str) -> None:
    """Create `project` as private when it is not there; leave an existing one as it is (E-21)."""
    if archive.exists(f"/data/projects/{project}", "look for the project"):
        return
    archive.request(
        "PUT",
        f"/data/projects/{project}",
        "create the project",
        params={"description": description, "accessibility": "private"},
    )
    # 0 = sessions wait in the prearchive until the sender says the study is complete
    archive.request("PUT", f"/data/projects/{project}/prearchive_code/0", "set the prearchive mode")


def ensure_collection(archive: Archive, collection: Collection, *, description: str) -> None:
    """Create the intake project and the collection project, both private."""
    ensure_project(archive, collection.intake, description=f"Intake of: {description}")
    ensure_project(archive, collection.name, description=description)


def set_visibility(archive: Archive, project: str, level: str) -> None:
    """Set the project ``private``, ``protected`` or ``public`` (E-17, E-22)."""
    archive.request("PUT", f"/data/projects/{project}/accessibility/{level}", "set the visibility")


def roles(archive: Archive, project: str) -> dict[str, str]:
    """Return login -> role (``owner``, ``member``, ``collaborator``, or a custom group's name)."""
    names = {group: role for role, group in GROUPS.items()}
    rows = archive.rows(f"/data/projects/{project}/users", "list the people of the project")
    return {row["login"]: names.get(row["displayname"], row["displayname"]) for row in rows}


def grant(archive: Archive, project: str, login: str, role: str) -> None:
    """Give `login` one role in the project; a former role is replaced."""
    archive.request("PUT", f"/data/projects/{project}/users/{GROUPS[role]}/{login}", "grant a role")


def revoke(archive: Archive, project: str, login: str, role: str) -> None:
    """Take a role away."""
    archive.request("DELETE", f"/data/projects/{project}/users/{GROUPS[role]}/{login}", "revoke a role")
