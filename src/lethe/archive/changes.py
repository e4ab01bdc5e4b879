"""Changes with consequences: rename (the folder follows), move, share, delete."""

from __future__ import annotations

from lethe.archive import items
from lethe.archive.context import Context, Event
from lethe.archive.model import ASSESSOR, EXPERIMENT, PROJECT, RECONSTRUCTION, SCAN, SUBJECT, Item, Resource
from lethe.archive.names import check_label
from lethe.archive.problem import Problem
from lethe.archive.types.table import is_a
from lethe.archive.uris import uri_of

_KINDS = {PROJECT: "ProjectEvent", SUBJECT: "SubjectEvent", SCAN: "ScanEvent"}


def event_kind(item: Item) -> str:
    """Return the name of the event family of an item."""
    if item.kind in {EXPERIMENT, ASSESSOR}:
        if is_a(item.xsi_type, "xnat:imageSessionData"):
            return "SessionEvent"
        return "ImageAssessorEvent" if item.kind == ASSESSOR else "SubjectAssessorEvent"
    return _KINDS.get(item.kind, "ResourceEvent")


def tell(ctx: Context, item: Item, status: str, login: str) -> None:
    """Publish an event about an item within the present transaction."""
    event = Event(event_kind(item), status, item.project, uri_of(ctx, item), item.xsi_type, login)
    ctx.events.publish(event)


def tell_resource(ctx: Context, owner: Item, resource: Resource, status: str, login: str) -> None:
    """Publish an event about a resource within the present transaction."""
    uri = uri_of(ctx, owner, resource)
    event = Event("ResourceEvent", status, owner.project, uri, "xnat:resourceCatalog", login)
    ctx.events.publish(event)


def rename(ctx: Context, item: Item, label: str, *, login: str) -> Item:
    """Give a subject, experiment or assessor another label; its folder is renamed with it.

    Raises
    ------
    Problem
        409 if the label is taken in its project.
    """
    check_label(label)
    with ctx.store.write() as db:
        items.check_free(ctx, item.kind, item.project, label, but=item.pk)
        old = items.folder_of(ctx, item)
        folder = items.free_folder(ctx, item.kind, item.project, item.parent, label)
        db.execute(
            "UPDATE item SET label = ?, folder = ?, modified = MAX(?, modified + 0.001), modified_by = ?"
            " WHERE pk = ?",
            (label, folder, ctx.store.now(), login, item.pk),
        )
        renamed = items.by_pk(ctx, item.pk)
        ctx.store.move(old, items.folder_of(ctx, renamed))
        return renamed


def move_to_subject(ctx: Context, session: Item, subject: Item, *, login: str) -> None:
    """Put an experiment under another subject of its project."""
    if subject.project != session.project:
        raise Problem(409, "The subject belongs to another project.")
    with ctx.store.write() as db:
        db.execute(
            "UPDATE item SET parent = ?, modified = MAX(?, modified + 0.001), modified_by = ? WHERE pk = ?",
            (subject.pk, ctx.store.now(), login, session.pk),
        )


def share(ctx: Context, item: Item, project: str, label: str, *, login: str) -> None:
    """Share a subject, experiment or assessor into `project` under `label`.

    Raises
    ------
    Problem
        409 if it is there already or the label is taken there.
    """
    check_label(label)
    with ctx.store.write() as db:
        if project in items.projects_of(ctx, item):
            raise Problem(409, f"Already assigned to project:{project}")
        items.check_free(ctx, item.kind, project, label)
        db.execute(
            "INSERT INTO share (item, project, label, created, created_by) VALUES (?,?,?,?,?)",
            (item.pk, project, label, ctx.store.now(), login),
        )


def unshare(ctx: Context, item: Item, project: str) -> bool:
    """Take an item out of a project it was shared into; false if it was not."""
    with ctx.store.write() as db:
        return db.execute("DELETE FROM share WHERE item = ? AND project = ?", (item.pk, project)).rowcount > 0


def transfer(ctx: Context, item: Item, project: str, label: str, *, login: str) -> None:
    """Make `project` the owner of an item and of all below it, a subject's sessions too; files move along.

    Raises
    ------
    Problem
        409 if a label is taken there.
    """
    with ctx.store.write():
        parent = item.parent
        if item.kind == EXPERIMENT:
            subject = items.by_pk(ctx, parent or 0)
            parent = items.ensure_subject(ctx, project, subject.label, login=login)[0].pk
        _adopt(ctx, item, project, label, parent, login)
        for session in items.children(ctx, item, EXPERIMENT) if item.kind == SUBJECT else ():
            _adopt(ctx, session, project, session.label, item.pk, login)


def _adopt(ctx: Context, item: Item, project: str, label: str, parent: int | None, login: str) -> None:
    check_label(label)
    with ctx.store.write() as db:
        unshare(ctx, item, project)
        items.check_free(ctx, item.kind, project, label, but=item.pk)
        old = items.folder_of(ctx, item)
        folder = items.free_folder(ctx, item.kind, project, parent, label)
        db.execute(
            "UPDATE item SET project = ?, label = ?, folder = ?, parent = ?,"
            " modified = MAX(?, modified + 0.001), modified_by = ? WHERE pk = ?",
            (project, label, folder, parent, ctx.store.now(), login, item.pk),
        )
        for child in items.many(ctx, "parent = ?", item.pk):
            if child.kind == ASSESSOR:
                items.check_free(ctx, ASSESSOR, project, child.label, but=child.pk)
        db.execute(
            "UPDATE item SET project = ? WHERE parent = ? AND kind != ?", (project, item.pk, EXPERIMENT)
        )
        ctx.store.move(old, items.folder_of(ctx, items.by_pk(ctx, item.pk)))


def delete(ctx: Context, item: Item, *, login: str) -> None:
    """Remove an item, all below it, and their files. Its accession id is not given again."""
    with ctx.store.write() as db:
        tell(ctx, item, "DELETED", login)
        folder = items.folder_of(ctx, item)
        below = [SUBJECT] if item.kind == PROJECT else [EXPERIMENT, ASSESSOR, SCAN, RECONSTRUCTION]
        for kind in below:
            for child in items.children(ctx, item, kind):
                delete(ctx, child, login=login)
        if item.kind == PROJECT:
            _forget_project(ctx, item.id)
        db.execute("DELETE FROM item WHERE pk = ?", (item.pk,))
        ctx.store.drop(folder)


def _forget_project(ctx: Context, project: str) -> None:
    with ctx.store.write() as db:
        db.execute("INSERT OR IGNORE INTO retired VALUES ('project', ?)", (project,))
        for table in ("membership", "share", "invitation", "config", "visit", "favorite", "study_protocol"):
            db.execute(f"DELETE FROM {table} WHERE project = ?", (project,))  # noqa: S608
        db.execute("DELETE FROM setting WHERE key = ?", (f"visibility.{project}",))
        db.execute("DELETE FROM setting WHERE key GLOB ?", (f"project.{project}.*",))
