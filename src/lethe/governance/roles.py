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


DEEDS: dict[tuple[str, str], Right] = {
    ("project", "see"): Right.SEE,
    ("visibility", "see"): Right.SEE,
    ("subject", "list"): Right.READ,
    ("subject", "read"): Right.READ,
    ("subject", "create"): Right.CREATE,
    ("subject", "edit"): Right.EDIT,
    ("subject", "delete"): Right.DELETE,
    ("session", "list"): Right.READ,
    ("session", "read"): Right.READ,
    ("session", "create"): Right.CREATE,
    ("session", "edit"): Right.EDIT,
    ("session", "import"): Right.CREATE,
    ("session", "delete"): Right.DELETE,
    ("scan", "list"): Right.READ,
    ("scan", "read"): Right.READ,
    ("scan", "create"): Right.CREATE,
    ("scan", "delete"): Right.DELETE,
    ("assessor", "create"): Right.CREATE,
    ("image", "download"): Right.READ,
    ("image", "add"): Right.EDIT,
    ("image", "overwrite"): Right.DELETE,
    ("image", "delete"): Right.DELETE,
    ("resource", "read"): Right.READ,
    ("resource", "create"): Right.EDIT,
    ("resource", "delete"): Right.DELETE,
    ("file", "list"): Right.READ,
    ("file", "download"): Right.READ,
    ("file", "download as zip"): Right.READ,
    ("file", "upload"): Right.EDIT,
    ("file", "overwrite"): Right.EDIT,
    ("file", "delete"): Right.DELETE,
    ("command", "launch"): Right.EDIT,
    ("command", "enable"): Right.MANAGE,
    ("subscription", "create"): Right.MANAGE,
    ("users", "change"): Right.MANAGE,
    ("visibility", "change"): Right.MANAGE,
    ("project", "edit"): Right.MANAGE,
    ("project", "delete"): Right.MANAGE,
}
"""Which right each deed needs, by kind of object and verb; in an order that can be tried out."""


def markdown() -> str:
    """Return the tables of roles, visibilities, rights and deeds for the documentation."""
    lines = ["| role | " + " | ".join(Visibility) + " |", "|---" * (len(Visibility) + 1) + "|"]
    for role in Role:
        cells = []
        for visibility in Visibility:
            allowed = rights(role, visibility)
            cells.append(", ".join(right for right in Right if right in allowed) or "nothing")
        lines.append(f"| {role} | " + " | ".join(cells) + " |")
    lines += ["", "| object | verb | right | " + " | ".join(Role) + " |", "|---" * (3 + len(Role)) + "|"]
    lines += [
        f"| {kind} | {verb} | {right} | " + " | ".join(_where(role, right) for role in Role) + " |"
        for (kind, verb), right in DEEDS.items()
    ]
    return "\n".join(lines) + "\n"


def _where(role: Role, right: Right) -> str:
    """Return in projects of which visibility a role has a right."""
    found = [visibility for visibility in Visibility if right in rights(role, visibility)]
    return "yes" if len(found) == len(Visibility) else ", ".join(found) or "no"
