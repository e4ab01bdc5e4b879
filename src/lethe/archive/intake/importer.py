"""The import service: an upload of DICOM objects becomes sessions (contract section 4.1)."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from lethe.archive import access, items
from lethe.archive.context import Context
from lethe.archive.intake import commit, prearchive, unpack
from lethe.archive.intake.commit import Archived, Overwrite
from lethe.archive.intake.net import kept_aside
from lethe.archive.intake.prearchive import Status
from lethe.archive.intake.receive import Arrival, Batch, Intake, Told
from lethe.archive.intake.routing import UNASSIGNED, Targets, clean_label
from lethe.archive.model import User
from lethe.archive.problem import Problem, not_found
from lethe.archive.uris import labelled_uri
from lethe.archive.web.request import flag
from lethe.errors import Quarantined, Refused

_CHUNK = 1 << 20
_MOST_WORDS = 200
SESSION_IMPORTER, DICOM_ZIP, GRADUAL = "SI", "DICOM-zip", "gradual-DICOM"
HANDLERS = {name.lower(): name for name in (SESSION_IMPORTER, DICOM_ZIP, GRADUAL)}


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """Parameters of one import, read once.

    `place` is ``archive``, ``prearchive`` or empty (the project decides); `timestamp` names an existing or
    new folder of the prearchive; `commit` ends a session that has no destination, `words` are kept with it.
    """

    user: User
    handler: str = SESSION_IMPORTER
    targets: Targets = field(default_factory=Targets)
    place: str = ""
    timestamp: str = ""
    overwrite: Overwrite = Overwrite.NONE
    ignore_unparsable: bool = False
    quarantine: bool = False
    auto_archive: bool = False
    commit: bool = False
    words: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, user: User, parameters: Mapping[str, str], handler: str) -> ImportRequest:
        """Read the parameters; both spellings of the targets, booleans as everywhere.

        Raises
        ------
        Problem
            404 for an unknown handler, 400 for a destination that is none.
        """
        known = HANDLERS.get(handler.lower())
        if known is None:
            raise Problem(404, "Unknown import handler.")
        place, targets, timestamp = _destination(parameters.get("dest", ""))
        return cls(
            user=user,
            handler=known,
            targets=Targets(
                _given(parameters, "project", "PROJECT_ID") or targets.project,
                clean_label(_given(parameters, "subject", "SUBJECT_ID") or targets.subject),
                clean_label(_given(parameters, "session", "EXPT_LABEL") or targets.session),
            ),
            place=place,
            timestamp=timestamp,
            overwrite=Overwrite.of(parameters.get("overwrite", "").lower()),
            ignore_unparsable=flag(parameters, "Ignore-Unparsable"),
            quarantine=flag(parameters, "quarantine"),
            auto_archive=any(flag(parameters, name) for name in ("AA", "auto-archive", "Direct-Archive")),
            commit=parameters.get("action", "").lower() == "commit",
            words={name: _said(parameters, name) for name in prearchive.SAID if name in parameters},
        )


@dataclass(frozen=True, slots=True)
class Imported:
    """URIs of the sessions, each with ``/data``, and those that were archived (see `acknowledge`)."""

    uris: list[str]
    sessions: list[Archived] = field(default_factory=list)


def import_upload(intake: Intake, path: Path, request: ImportRequest) -> Imported:
    """Import a zip, a tar or a single object; the file stays the caller's.

    Either every session of the upload is in place when this returns, or it raises and nothing of the upload
    is left (objects kept aside by the net excepted).
    """
    _check_targets(intake.ctx, request)
    shared = request.handler == DICOM_ZIP and not request.place and not request.commit
    batch = None if shared else Batch(timestamp=request.timestamp)
    touched: set[int] = set()
    try:
        _unfold(intake, path, request, batch, touched)
        for pk in touched:
            prearchive.note(intake.ctx, pk, request.words)
        if batch is None:
            return _leave_receiving(intake, touched, request)
        return _finish(intake, sorted(touched), request)
    except BaseException:
        for pk in batch.sessions.values() if batch is not None else ():
            if prearchive.get(intake.ctx, pk) is not None:
                prearchive.change(intake.ctx, pk, status=Status.READY)
                intake.delete(pk)
        raise


def import_object(intake: Intake, path: Path, request: ImportRequest) -> Imported:
    """Take one DICOM object into the open session of its study (gradual import)."""
    _check_targets(intake.ctx, request)
    arrival = Arrival(
        request.user, request.targets, source="gradual", replace=request.overwrite is Overwrite.DELETE
    )
    try:
        pk = _accept(intake, path, arrival, "")
    except Quarantined as kept:
        raise kept_aside([kept.code]) from kept
    if pk is None:
        return Imported([])
    prearchive.note(intake.ctx, pk, request.words)
    return Imported(["/data" + prearchive.by_pk(intake.ctx, pk).url])


def acknowledge(ctx: Context, imported: Imported) -> None:
    """Note that the sender has the answer: from now on the same upload is a conflict."""
    if imported.sessions:
        with ctx.store.write() as db:
            db.executemany(
                "DELETE FROM intake_unacknowledged WHERE experiment = ?",
                [(done.item.pk,) for done in imported.sessions],
            )


def archive_mode(ctx: Context, project: str) -> int:
    """Return the prearchive code of a project: 0 manual, 4 archive at once, 5 archive and overwrite."""
    return int(ctx.store.setting(f"project.{project}.prearchive_code", "4"))


def _unfold(
    intake: Intake, path: Path, request: ImportRequest, batch: Batch | None, touched: set[int]
) -> None:
    arrival = Arrival(
        request.user,
        request.targets,
        source="uploader",
        replace=request.overwrite is Overwrite.DELETE and batch is None,
        durable=False,
        batch=batch,
    )
    set_aside: list[str] = []
    empty = True
    for spooled, md5 in _objects(intake.ctx, path):
        empty = False
        try:
            pk = _accept(intake, spooled, arrival, md5)
        except Quarantined as kept:
            set_aside.append(kept.code)
            continue
        except Refused as refusal:
            if refusal.code != "unparsable":
                raise
            if request.ignore_unparsable:
                continue
            raise Problem(400, f"{refusal.sentence} {refusal.remedy}") from refusal
        finally:
            spooled.unlink(missing_ok=True)
        if pk is not None:
            touched.add(pk)
    if set_aside:
        raise kept_aside(set_aside)
    if empty:
        raise Problem(400, "The upload holds no file.")


def _objects(ctx: Context, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield each object of the upload as a spool file of its own, with its md5."""
    if unpack.kind_of(path) == "dicom":
        copy = ctx.store.temporary(".dcm")
        os.link(path, copy)
        yield copy, ""
        return
    for member in unpack.members(path):
        if _is_litter(member.name):
            continue
        spooled, digest = ctx.store.temporary(".dcm"), hashlib.md5(usedforsecurity=False)
        try:
            with spooled.open("xb", buffering=0) as stream:
                while piece := member.stream.read(_CHUNK):
                    digest.update(piece)
                    stream.write(piece)
        except BaseException:
            spooled.unlink(missing_ok=True)
            raise
        yield spooled, digest.hexdigest()


def _accept(intake: Intake, path: Path, arrival: Arrival, md5: str) -> int | None:
    receipt = intake.accept(path, arrival, md5=md5)
    if receipt.told is Told.CONFLICT:
        raise Problem(409, "An object with the same UID and other content is there already.")
    if receipt.told is Told.QUARANTINED:
        raise Quarantined(receipt.code, "The header still carries an identifying attribute.")
    return receipt.pk


def _finish(intake: Intake, sessions: list[int], request: ImportRequest) -> Imported:
    """Build what was uploaded, and archive it if that is where it goes."""
    if request.handler == SESSION_IMPORTER and not request.targets.session and len(sessions) > 1:
        raise Problem(400, "Upload included files for multiple imaging sessions.")
    for pk in sessions:
        with intake.held(pk) as session:
            session.sync()
        row = intake.build(pk)
        if row.status != Status.READY:
            raise Problem(400, row.message)
    plans = {pk: _plan(intake.ctx, pk, request) for pk in sessions}
    for pk, plan in plans.items():
        found = commit.warnings(intake.ctx, prearchive.by_pk(intake.ctx, pk), plan) if plan else []
        if found:
            raise Problem(409 if "dentify" not in found[0] else 400, found[0])
    uris: list[str] = []
    archived: list[Archived] = []
    for pk, plan in plans.items():
        if plan is None:
            intake.publish(pk)
            uris.append("/data" + prearchive.by_pk(intake.ctx, pk).url)
        else:
            archived.append(commit.archive(intake, pk, plan))
            uris.append("/data" + labelled_uri(intake.ctx, archived[-1].item))
    return Imported(uris, archived)


def _plan(ctx: Context, pk: int, request: ImportRequest) -> commit.Request | None:
    """Return how a session is archived, or None if it stays in the prearchive."""
    row = prearchive.by_pk(ctx, pk)
    mode = 0 if prearchive.is_unassigned(row) else archive_mode(ctx, row.project)
    wanted = request.auto_archive or row.auto_archive == "true" or (not request.place and mode in (4, 5))
    if request.place == "prearchive" or not (request.place == "archive" or wanted):
        return None
    by_code = not request.place and mode == 5
    return commit.Request(
        login=request.user.login,
        overwrite=Overwrite.DELETE if by_code else request.overwrite,
        quarantine=request.quarantine,
        unacknowledged=True,
        may_replace=by_code or access.right(ctx, request.user, row.project, "delete"),
    )


def _leave_receiving(intake: Intake, sessions: set[int], request: ImportRequest) -> Imported:
    for pk in sessions:
        with intake.held(pk) as session:
            session.sync()
        if request.auto_archive:
            prearchive.change(intake.ctx, pk, auto_archive="true")
    return Imported(["/data" + prearchive.by_pk(intake.ctx, pk).url for pk in sorted(sessions)])


def _check_targets(ctx: Context, request: ImportRequest) -> None:
    """Refuse a named project that is unknown or closed to the user; nothing falls back to another."""
    access.require_login(request.user)
    name = request.targets.project
    if name and name != UNASSIGNED:
        project = items.find_project(ctx, name)
        if project is None:
            raise not_found("project")
        access.require(ctx, request.user, project, "create")


def _destination(dest: str) -> tuple[str, Targets, str]:
    """Read ``/archive[/projects/P[/subjects/S[/experiments/E]]]``, ``/prearchive[/projects/P[/T/NAME]]``."""
    words = [unquote(word) for word in dest.strip("/").split("/") if word]
    if words[:1] == ["data"]:
        words.pop(0)
    if not words:
        return "", Targets(), ""
    place, rest = words[0], words[1:]
    if place == "archive" and len(rest) % 2 == 0:
        pairs = dict(zip(rest[::2], rest[1::2], strict=True))
        if set(pairs) <= {"projects", "subjects", "experiments"}:
            found = (pairs.get(word, "") for word in ("projects", "subjects", "experiments"))
            return place, Targets(*found), ""
    if place == "prearchive" and (not rest or rest[0] == "projects") and len(rest) in {0, 2, 3, 4}:
        rest += [""] * (4 - len(rest))
        if not rest[2] or re.fullmatch(r"\d{8}_\d{6,9}", rest[2]):
            return place, Targets(project=rest[1], session=rest[3]), rest[2]
    raise Problem(400, "The destination is neither /archive nor /prearchive.")


def _said(parameters: Mapping[str, str], name: str) -> str:
    if name.startswith("prevent"):
        return "true" if flag(parameters, name) else "false"
    return parameters[name][:_MOST_WORDS]


def _given(parameters: Mapping[str, str], *names: str) -> str:
    return next((parameters[name] for name in names if parameters.get(name)), "")


def _is_litter(name: str) -> bool:
    """Tell files that operating systems strew into archives."""
    last = name.rsplit("/", 1)[-1]
    return last.startswith("._") or last in {".DS_Store", "Thumbs.db"} or name.startswith("__MACOSX/")
