"""The one permission function: every route asks here before it reads or changes anything."""

from __future__ import annotations

from lethe.archive import items, workflows
from lethe.archive.context import Context
from lethe.archive.model import PROJECT, SUBJECT, Item, User
from lethe.archive.problem import Problem, not_found
from lethe.governance.roles import Right, Role, Visibility, rights


def visibility(ctx: Context, project: str) -> Visibility:
    """Return the visibility of a project (private unless its owner said otherwise)."""
    text = ctx.store.setting(f"visibility.{project}", "private")
    if not ctx.settings.get("securityAllowNonPrivateProjects"):
        return Visibility.PRIVATE
    return Visibility(text)


def set_visibility(ctx: Context, project: str, value: str, *, by: str = "") -> None:
    """Store the visibility of a project; `by` is noted in its history.

    Raises
    ------
    Problem
        400 for an unknown word, 403 where the site forbids it.
    """
    if value not in set(Visibility):
        raise Problem(400, "Accessibility is public, protected or private.")
    if value != Visibility.PRIVATE and not ctx.settings.get("securityAllowNonPrivateProjects"):
        raise Problem(403, "The site allows private projects only.")
    with ctx.store.write():
        ctx.store.set_setting(f"visibility.{project}", value)
        if by:
            action = f"Made {value}"
            workflows.audit(ctx, project, action, login=by, data_type="xnat:projectData", project=project)


def role_in(ctx: Context, user: User, project: str) -> Role:
    """Return what `user` is to a project."""
    if user.is_guest:
        return Role.GUEST
    if user.is_admin or "ALL_DATA_ADMIN" in user.site_roles:
        return Role.ADMINISTRATOR
    row = (
        ctx.store.read()
        .execute("SELECT role FROM membership WHERE project = ? AND login = ?", (project, user.login))
        .fetchone()
    )
    if row is not None:
        return Role(row["role"])
    return Role.COLLABORATOR if "ALL_DATA_ACCESS" in user.site_roles else Role.USER


def right(ctx: Context, user: User, project: str, verb: Right | str) -> bool:
    """Return whether `user` may do `verb` in `project`.

    Parameters
    ----------
    project : str
        Id of an existing project.
    verb : Right or str
        ``see``, ``read``, ``create``, ``edit``, ``delete`` or ``manage``.
    """
    return Right(verb) in rights(role_in(ctx, user, project), visibility(ctx, project))


def may(ctx: Context, user: User, item: Item, verb: Right | str) -> bool:
    """Return whether `user` may do `verb` to an item; a project it is shared into gives reading, too."""
    verb = Right(verb)
    if item.kind == PROJECT or verb is not Right.READ:
        return right(ctx, user, item.project, verb)
    if any(right(ctx, user, project, verb) for project in items.projects_of(ctx, item)):
        return True
    if item.kind == "assessor":
        return may(ctx, user, items.by_pk(ctx, item.parent or 0), verb)
    return False


def require(ctx: Context, user: User, item: Item, verb: Right | str) -> None:
    """Raise unless `user` may do `verb` to `item`.

    Raises
    ------
    Problem
        404 if the user may not even know of the item, else 403. (A protected project is known, so its
        data answer 403; an item of a private project answers 404.)
    """
    if may(ctx, user, item, verb):
        return
    first = Right.SEE if item.kind == PROJECT else Right.READ
    if may(ctx, user, item, first):
        raise Problem(403, "The user has not the right to do this.")
    if right(ctx, user, item.project, Right.SEE):
        raise Problem(403, "The data of this project are protected.")
    raise not_found({PROJECT: "project", SUBJECT: "subject", "scan": "scan"}.get(item.kind, "experiment"))


def require_admin(user: User) -> None:
    """Raise 403 unless `user` administers the site."""
    if not user.is_admin:
        raise Problem(403, "Only an administrator of the site may do this.")


def require_login(user: User) -> None:
    """Raise 403 for the guest."""
    if user.is_guest:
        raise Problem(403, "Log in first.")


def readable_projects(ctx: Context, user: User, verb: Right | str = Right.READ) -> set[str]:
    """Return the ids of the projects in which `user` may do `verb` (few queries, whatever their number)."""
    wanted = Right(verb)
    db = ctx.store.read()
    everything = [row["id"] for row in db.execute("SELECT id FROM item WHERE kind = 'project'")]
    mine = {
        row["project"]: Role(row["role"])
        for row in db.execute("SELECT project, role FROM membership WHERE login = ?", (user.login,))
    }
    shown = {}
    if ctx.settings.get("securityAllowNonPrivateProjects"):
        prefix = "visibility."
        shown = {
            row["key"].removeprefix(prefix): Visibility(row["value"].strip('"'))
            for row in db.execute("SELECT key, value FROM setting WHERE key LIKE 'visibility.%'")
        }
    base = role_in(ctx, user, "")
    return {
        project
        for project in everything
        if wanted in rights(mine.get(project, base) if base in {Role.USER, Role.COLLABORATOR} else base,
                            shown.get(project, Visibility.PRIVATE))
    }  # fmt: skip
