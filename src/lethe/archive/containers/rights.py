"""Who may see, launch and end runs; all of it through the archive's one permission function."""

from __future__ import annotations

from lethe.archive import access, items, uris
from lethe.archive.containers.model import Wrapper
from lethe.archive.containers.resolve import Plan
from lethe.archive.containers.runs import Run
from lethe.archive.context import Context
from lethe.archive.model import Item, User
from lethe.archive.problem import Problem

MANAGER_ROLE = "ContainerManager"


def is_manager(user: User) -> bool:
    """Return whether a user manages commands: a site administrator or a ContainerManager."""
    return user.is_admin or MANAGER_ROLE in user.site_roles


def require_manager(user: User) -> None:
    """Raise 403 unless the user manages commands."""
    if not is_manager(user):
        raise Problem(403, "Only an administrator or a container manager may do this.")


def project_of(ctx: Context, user: User, ref: str, verb: str = "read") -> Item:
    """Return a project that the user may read (or `verb`); 404 or 403 otherwise."""
    project = items.find_project(ctx, ref)
    if project is None:
        raise Problem(404, f"Unable to find project {ref}.")
    access.require(ctx, user, project, verb)
    return project


def verbs_for(wrapper: Wrapper) -> set[str]:
    """Return the rights that the outputs of a wrapper need: edit for resources, create for new objects."""
    return {"edit" if handler.type == "Resource" else "create" for handler in wrapper.handlers}


def may_launch(ctx: Context, user: User, wrapper: Wrapper, project: str) -> bool:
    """Return whether the user holds in `project` what the outputs of the wrapper need."""
    verbs = {"read"} | verbs_for(wrapper)
    return all(access.right(ctx, user, project, verb) for verb in verbs)


def require_outputs(ctx: Context, user: User, plan: Plan) -> None:
    """Raise unless the user may add the outputs to their parents."""
    for output in plan.outputs:
        if output.parent:
            item = uris.resolve_uri(ctx, output.parent).item
            access.require(ctx, user, item, "edit" if output.type == "Resource" else "create")


def may_see(ctx: Context, user: User, run: Run) -> bool:
    """Return whether a user sees that a run exists: its launcher, readers of its project, managers."""
    if is_manager(user) or run.login == user.login:
        return True
    return bool(run.project) and items.find_project(ctx, run.project) is not None and access.right(
        ctx, user, run.project, "read"
    )  # fmt: skip


def may_control(ctx: Context, user: User, run: Run) -> bool:
    """Return whether a user may read the logs of a run, end or delete it: launcher, owner, manager."""
    if is_manager(user) or (run.login == user.login and not user.is_guest):
        return True
    return bool(run.project) and items.find_project(ctx, run.project) is not None and access.right(
        ctx, user, run.project, "manage"
    )  # fmt: skip
