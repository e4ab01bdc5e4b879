"""Who may do what in a project: the one table of roles, visibilities and rights, as data.

Seed rows E-17 to E-29: public data may be read by everybody, protected projects show their description
only, private ones nothing; an owner may do everything, a member everything except delete, a
collaborator only read.
"""

from __future__ import annotations

from enum import StrEnum


class Visibility(StrEnum):
    """How much of a project people outside of it see."""

    PUBLIC = "public"
    PROTECTED = "protected"
    PRIVATE = "private"


class Role(StrEnum):
    """What somebody is to one project."""

    GUEST = "guest"
    """Not logged in."""
    USER = "user"
    """Logged in, without a role in this project."""
    COLLABORATOR = "collaborator"
    MEMBER = "member"
    OWNER = "owner"
    ADMINISTRATOR = "administrator"
    """Administrator of the site."""


class Right(StrEnum):
    """One kind of deed in a project."""

    SEE = "see"
    """Know that the project exists, read its description."""
    READ = "read"
    """List, open and download its data."""
    CREATE = "create"
    """Add subjects, sessions, scans, resources and files; import; share into the project."""
    EDIT = "edit"
    """Change fields, overwrite files, launch a command that writes."""
    DELETE = "delete"
    """Remove data, files and resources; end a quarantine."""
    MANAGE = "manage"
    """Change the project itself, its users, visibility, scripts, wrappers and subscriptions."""


_NOTHING: frozenset[Right] = frozenset()
_SEE = frozenset({Right.SEE})
_READ = _SEE | {Right.READ}
_WRITE = _READ | {Right.CREATE, Right.EDIT}
_ALL = frozenset(Right)

OUTSIDE: dict[Visibility, frozenset[Right]] = {
    Visibility.PUBLIC: _READ,
    Visibility.PROTECTED: _SEE,
    Visibility.PRIVATE: _NOTHING,
}
"""What people outside of a project (guests and users without a role) may do."""

INSIDE: dict[Role, frozenset[Right]] = {
    Role.COLLABORATOR: _READ,
    Role.MEMBER: _WRITE,
    Role.OWNER: _ALL,
    Role.ADMINISTRATOR: _ALL,
}
"""What a role may do, whatever the visibility."""

GROUPS: dict[Role, str] = {Role.OWNER: "Owners", Role.MEMBER: "Members", Role.COLLABORATOR: "Collaborators"}
"""Display name of the group of a role in XNAT."""


def rights(role: Role, visibility: Visibility) -> frozenset[Right]:
    """Return what `role` may do in a project of `visibility`.

    Examples
    --------
    >>> sorted(rights(Role.USER, Visibility.PROTECTED))
    ['see']
    >>> Right.DELETE in rights(Role.MEMBER, Visibility.PRIVATE)
    False
    """
    return INSIDE.get(role, _NOTHING) | OUTSIDE[visibility]


def markdown() -> str:
    """Return the table of roles, visibilities and rights for the documentation."""
    lines = ["| role | " + " | ".join(Visibility) + " |", "|---" * (len(Visibility) + 1) + "|"]
    for role in Role:
        cells = []
        for visibility in Visibility:
            allowed = rights(role, visibility)
            cells.append(", ".join(right for right in Right if right in allowed) or "nothing")
        lines.append(f"| {role} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
