"""A session from the prearchive into the archive, in one transaction."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from lethe.archive import content, items, workflows
from lethe.archive.context import Context, Event
from lethe.archive.digests import md5_of
from lethe.archive.intake import prearchive
from lethe.archive.intake.folders import SessionFolder
from lethe.archive.intake.images import check_transfer
from lethe.archive.intake.objects import same_content
from lethe.archive.intake.prearchive import Row, Status
from lethe.archive.intake.receive import Intake
from lethe.archive.model import FileEntry, Item
from lethe.archive.problem import Problem
from lethe.archive.uris import uri_of

RESOURCE, FORMAT, CONTENT = "DICOM", "DICOM", "RAW"


class Overwrite(StrEnum):
    """What may happen to a session that is in the archive already."""

    NONE = "none"
    """Nothing: refuse."""
    APPEND = "append"
    """Add what is new; refuse other bytes under a known UID."""
    DELETE = "delete"
    """Add what is new; where it meets other images (of a known UID, scan or session), it replaces them."""

    @classmethod
    def of(cls, text: str) -> Overwrite:
        """Read the parameter; ``override`` is another word for ``delete``, empty for ``none``."""
        try:
            return cls({"": "none", "override": "delete"}.get(text, text))
        except ValueError as error:
            raise Problem(400, "overwrite is none, append or delete.") from error


@dataclass(frozen=True, slots=True)
class Request:
    """Where to archive to, where that differs from what the session says, and how.

    `may_replace` says whether the sender may put other bytes in the place of a stored image: that removes
    one, so it needs the right to delete.
    """

    login: str
    project: str = ""
    subject: str = ""
    session: str = ""
    overwrite: Overwrite = Overwrite.NONE
    quarantine: bool = False
    unacknowledged: bool = False
    may_replace: bool = True


@dataclass(frozen=True, slots=True)
class Archived:
    """The session in the archive and whether it was made now."""

    item: Item
    created: bool


@dataclass(slots=True)
class _Work:
    """What one archiving needs to know, gathered before the transaction."""

    ctx: Context
    row: Row
    request: Request
    session: SessionFolder
    digests: Mapping[Path, str]
    events: list[Event] = field(default_factory=list)


def archive(intake: Intake, pk: int, request: Request) -> Archived:
    """Archive a READY session; on a conflict it stays in the prearchive as CONFLICT.

    Raises
    ------
    Problem
        400 without project or subject, 403 while somebody works on it, 409 for a conflict.
    """
    ctx = intake.ctx
    row = prearchive.claim(ctx, pk, Status.ARCHIVING)
    try:
        with intake.held(pk) as session:
            if request.project not in {"", row.project}:
                check_transfer(intake.net, request.project, session.all_files())
            if row.built and row.built.get("objects") != session.count:  # something came after the building
                row = prearchive.change(ctx, pk, built=session.built())
            work = _Work(ctx, row, request, session, _digests(session))
            with ctx.store.write():
                done = _transaction(work)
                for event in work.events:  # noted in the transaction itself: no crash comes between
                    ctx.events.publish(event)
            session.closed = True
    except Problem as problem:
        state = Status.CONFLICT if problem.status == 409 else Status.READY
        prearchive.change(ctx, pk, status=state, message=problem.sentence)
        raise
    except BaseException:
        prearchive.change(ctx, pk, status=Status.ERROR, message="The session could not be archived.")
        raise
    intake.forget(pk)
    return done


def warnings(ctx: Context, row: Row, request: Request) -> list[str]:
    """Return what would stand in the way of archiving a session now."""
    try:
        project, subject, label = _targets(ctx, row, request)
        found = items.find_experiment(ctx, label, project)
        if found is not None:
            _check_same_session(ctx, found, row, project, subject, request)
    except Problem as problem:
        return [problem.sentence]
    return []


def _transaction(work: _Work) -> Archived:
    ctx, request = work.ctx, work.request
    project, subject_label, label = _targets(ctx, work.row, request)
    found = items.find_experiment(ctx, label, project)
    if found is not None:
        _check_same_session(ctx, found, work.row, project, subject_label, request)
        item, created = found, False
        _take_over(work, found)
    else:
        item, created = _create(work, project, subject_label, label)
    for scan in work.row.built["scans"]:
        _archive_scan(work, item, scan)
    if request.quarantine:
        items.set_status(ctx, item, "quarantine", login=request.login)
    prearchive.remove(ctx, work.row)
    if request.unacknowledged:
        ctx.store.read().execute("INSERT OR IGNORE INTO intake_unacknowledged VALUES (?)", (item.pk,))
    _tell(work, "SessionEvent", "CREATED" if created else "MERGED", item)
    action = "Transferred from prearchive" if created else "Merged from prearchive"
    workflows.audit(ctx, item.id, action, login=request.login, data_type=item.xsi_type, project=project)
    return Archived(items.by_pk(ctx, item.pk), created)


def _targets(ctx: Context, row: Row, request: Request) -> tuple[str, str, str]:
    name = request.project or ("" if prearchive.is_unassigned(row) else row.project)
    project = items.find_project(ctx, name) if name else None
    if project is None:
        raise Problem(400, "Unable to identify destination project.")
    subject = request.subject or row.subject
    if not subject:
        raise Problem(400, "Unable to identify subject.")
    if not row.built:
        raise Problem(400, "The session is not built yet.")
    return project.id, subject, request.session or row.label


def _check_same_session(
    ctx: Context, found: Item, row: Row, project: str, subject: str, request: Request
) -> None:
    owner = items.by_pk(ctx, found.parent or 0)
    if found.project != project or found.kind != "experiment":
        raise Problem(409, "The session label already exists for another object of this project.")
    if subject not in {owner.label, owner.id}:
        raise Problem(409, "Session already exists for another subject.")
    if found.xsi_type != row.built["xsi_type"]:
        raise Problem(409, "Invalid modification of session modality via archive process.")
    _check_no_work(ctx, found)
    same = found.data.get("UID", row.study) == row.study
    if request.overwrite is Overwrite.NONE and not (same and _is_unacknowledged(ctx, found)):
        raise Problem(409, "Session already exists, retry with overwrite enabled")
    if not same and request.overwrite is not Overwrite.DELETE:
        raise Problem(409, "Invalid modification of session UID via archive process.")


def _check_no_work(ctx: Context, found: Item) -> None:
    row = ctx.store.read().execute(
        "SELECT 1 FROM workflow WHERE id = ? AND status != 'Complete' AND status NOT LIKE 'Failed%'"
        " AND status NOT LIKE 'Killed%' LIMIT 1",
        (found.id,),
    ).fetchone()  # fmt: skip
    if row is not None:
        raise Problem(409, TRANSIENT)


TRANSIENT = "Session processing in progress; retry when it has ended."


def _is_unacknowledged(ctx: Context, found: Item) -> bool:
    sql = "SELECT 1 FROM intake_unacknowledged WHERE experiment = ?"
    return ctx.store.read().execute(sql, (found.pk,)).fetchone() is not None


def _create(work: _Work, project: str, subject_label: str, label: str) -> tuple[Item, bool]:
    ctx, login = work.ctx, work.request.login
    subject, made = items.ensure_subject(ctx, project, subject_label, login=login)
    if made:
        _tell(work, "SubjectEvent", "CREATED", subject)
    built = work.row.built
    data = {**_visit(work.row), **_texts(built["fields"])}
    item, _ = items.ensure_experiment(ctx, project, subject, label, built["xsi_type"], login=login, data=data)
    return item, True


def _visit(row: Row) -> dict[str, Any]:
    """Return the fields that the sender of a session named."""
    pairs = {"visit_id": row.words.get("VISIT"), "protocol": row.words.get("PROTOCOL")}
    return {name: value for name, value in pairs.items() if value}


def _take_over(work: _Work, session: Item) -> None:
    """Describe a session anew that another study replaces."""
    if session.data.get("UID", work.row.study) != work.row.study:
        _check_replace(work)
        data = {**session.data, **_visit(work.row), **_texts(work.row.built["fields"])}
        items.set_data(work.ctx, session, data, login=work.request.login)


def _archive_scan(work: _Work, session: Item, scan: Mapping[str, Any]) -> None:
    ctx, login = work.ctx, work.request.login
    uid = scan["fields"].get("UID", "")
    known = {one.data.get("UID", ""): one for one in items.children(ctx, session, "scan")}
    item = known.get(uid) or items.find_scan(ctx, session, scan["id"])
    if item is not None and item.data.get("UID", uid) != uid:
        if work.request.overwrite is not Overwrite.DELETE:
            raise Problem(409, f"Session already contains a scan {item.id} with another series UID.")
        _check_replace(work)
        _clear_scan(work, item, scan)
    if item is None:
        item, _ = items.ensure_scan(
            ctx, session, scan["id"], scan["xsi_type"], login=login, data=_texts(scan["fields"])
        )
        _tell(work, "ScanEvent", "CREATED", item)
    resource, new = content.ensure_resource(ctx, item, RESOURCE, login=login, format=FORMAT, content=CONTENT)
    files = work.session.files(scan["id"])
    if new and not _known_objects(ctx, session, {file.name for file in files}):
        _take_folder(work, resource.pk, files, content.resource_folder(ctx, resource))
    else:
        _merge(work, session, item, resource.pk, files)


def _clear_scan(work: _Work, item: Item, scan: Mapping[str, Any]) -> None:
    """Remove the images of a scan that another series replaces; what else was stored with it stays."""
    ctx, fresh = work.ctx, {file.name for file in work.session.files(scan["id"])}
    resource = content.find_resource(ctx, item, RESOURCE)
    if resource is not None:
        gone = [entry for entry in content.list_files(ctx, resource) if entry.path not in fresh]
        content.delete_files(ctx, resource, gone)
    ctx.store.read().execute("UPDATE item SET xsi_type = ? WHERE pk = ?", (scan["xsi_type"], item.pk))
    items.set_data(ctx, item, {**item.data, **_texts(scan["fields"])}, login=work.request.login)


def _take_folder(work: _Work, resource: int, files: list[Path], target: Path) -> None:
    """Rename the whole folder of a new scan: one move, however many slices."""
    now, login = work.ctx.store.now(), work.request.login
    work.ctx.store.read().executemany(
        "INSERT INTO file (resource, path, size, md5, format, content, created, created_by)"
        " VALUES (?,?,?,?,?,?,?,?)",
        [
            (resource, file.name, file.stat().st_size, work.digests[file], FORMAT, CONTENT, now, login)
            for file in files
        ],
    )
    if files:
        work.ctx.store.put(files[0].parent, target)


def _merge(work: _Work, session: Item, scan: Item, resource: int, files: list[Path]) -> None:
    ctx, login = work.ctx, work.request.login
    home = content.resource_by_pk(ctx, resource)
    if home is None:
        raise Problem(500)
    known = _known_objects(ctx, session, {file.name for file in files})
    fresh: list[content.Incoming] = []
    for file in files:
        there = known.get(file.name)
        if there is not None and _is_same(ctx, there, file, work.digests[file]):
            continue
        if there is not None:
            _check_replace(work)
            if there[0].resource != resource:
                old = content.resource_by_pk(ctx, there[0].resource)
                content.delete_files(ctx, old or home, [there[0]])
        link = ctx.store.temporary(".dcm")
        os.link(file, link)
        fresh.append(
            content.Incoming(file.name, link, file.stat().st_size, work.digests[file], FORMAT, CONTENT)
        )
    if fresh:
        content.add_files(ctx, home, fresh, login=login, overwrite=True)
        count, _ = content.statistics(ctx, home)
        items.update_fields(ctx, scan, {"frames": str(count)}, login=login)


def _check_replace(work: _Work) -> None:
    if work.request.overwrite is not Overwrite.DELETE:
        raise Problem(409, "Session already contains an object with the same UID and other content.")
    if not work.request.may_replace:
        raise Problem(403, "Stored images are not changed; only an owner of the project may replace them.")


def _is_same(ctx: Context, there: tuple[FileEntry, Path], file: Path, md5: str) -> bool:
    entry, path = there
    return entry.md5 == md5 or (path.exists() and same_content(path, file))


def _known_objects(ctx: Context, session: Item, names: set[str]) -> dict[str, tuple[FileEntry, Path]]:
    """Return the objects of a session that have one of `names`, whatever scan they are in."""
    rows = ctx.store.read().execute(
        "SELECT file.* FROM file JOIN resource ON resource.pk = file.resource"
        " JOIN item ON item.pk = resource.owner"
        " WHERE item.parent = ? AND item.kind = 'scan' AND resource.label = ?",
        (session.pk, RESOURCE),
    )  # fmt: skip
    found: dict[str, tuple[FileEntry, Path]] = {}
    folders: dict[int, Path] = {}
    for entry in (FileEntry.of(row) for row in rows):
        if entry.path not in names:
            continue
        if entry.resource not in folders:
            resource = content.resource_by_pk(ctx, entry.resource)
            if resource is None:
                continue
            folders[entry.resource] = content.resource_folder(ctx, resource)
        found[entry.path] = (entry, folders[entry.resource] / entry.path)
    return found


def _digests(session: SessionFolder) -> dict[Path, str]:
    return {file: session.digest(file.name) or md5_of(file) for file in session.all_files()}


def _texts(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {path: str(value) for path, value in fields.items()}


def _tell(work: _Work, kind: str, status: str, item: Item) -> None:
    uri = uri_of(work.ctx, item)
    work.events.append(Event(kind, status, item.project, uri, item.xsi_type, work.request.login))
