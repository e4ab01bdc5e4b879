"""Services around sessions and headers: archive, validate, move, delete, rebuild, dump, refresh, routing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from lethe.archive import access, content, items
from lethe.archive.context import Context
from lethe.archive.intake import commit, dump, prearchive, refresh
from lethe.archive.intake.commit import RESOURCE, Overwrite
from lethe.archive.intake.http_prearchive import may_work, row_of_uri, rows_table, target_project
from lethe.archive.intake.images import resources_below
from lethe.archive.intake.params import Asked, Endpoint
from lethe.archive.intake.prearchive import Row
from lethe.archive.intake.receive import Intake, stored_targets
from lethe.archive.intake.routing import Targets, clean_label
from lethe.archive.model import Item
from lethe.archive.problem import Problem, not_found
from lethe.archive.uris import labelled_uri, resolve_uri
from lethe.archive.web.answers import Table, as_json, table, text
from lethe.archive.web.request import flag

_SERVICES = "/data/services"
_UID = re.compile(r"[0-9.]{1,64}")


def routes(ctx: Context, intake: Intake) -> list[Route]:
    """Return the routes of these services."""

    def archive(ctx: Context, asked: Asked) -> Response:
        return _archive(intake, asked)

    def refreshed(ctx: Context, asked: Asked) -> Response:
        return _refresh(intake, asked)

    def on_each(work: Callable[[Row, Asked], Row], status: str) -> Callable[[Context, Asked], Response]:
        def serve(ctx: Context, asked: Asked) -> Response:
            rows = [work(row, asked) for row in _sources(ctx, asked)]
            return rows_table(rows, asked.get("format"), status=status)

        return serve

    def move(row: Row, asked: Asked) -> Row:
        return intake.move(row.pk, target_project(ctx, asked.user, asked.get("newProject")))

    def delete(row: Row, asked: Asked) -> Row:
        intake.delete(row.pk)
        return row

    def rebuild(row: Row, asked: Asked) -> Row:
        return intake.build(row.pk)

    pages = {
        f"{_SERVICES}/archive": Endpoint(ctx, POST=archive),
        f"{_SERVICES}/validate-archive": Endpoint(ctx, POST=_validate, GET=_validate),
        f"{_SERVICES}/prearchive/move": Endpoint(ctx, POST=on_each(move, "")),
        f"{_SERVICES}/prearchive/delete": Endpoint(ctx, POST=on_each(delete, "QUEUED_DELETING")),
        f"{_SERVICES}/prearchive/rebuild": Endpoint(ctx, POST=on_each(rebuild, "")),
        f"{_SERVICES}/dicomdump": Endpoint(ctx, GET=_dump),
        f"{_SERVICES}/refresh/catalog": Endpoint(ctx, POST=refreshed, PUT=refreshed),
        "/data/routing/{study}": Endpoint(ctx, GET=_routing, PUT=_set_routing, DELETE=_drop_routing),
    }
    return [Route(path, endpoint.serve, methods=endpoint.methods) for path, endpoint in pages.items()]


# ---- archive --------------------------------------------------------------------------------------


def _sources(ctx: Context, asked: Asked) -> list[Row]:
    uris = asked.all("src")
    if not uris:
        raise Problem(400, "No source is named.")
    return [row_of_uri(ctx, asked.user, uri) for uri in uris]


def _archive(intake: Intake, asked: Asked) -> Response:
    ctx, rows = intake.ctx, _sources(intake.ctx, asked)
    request = _request(ctx, asked)
    done = []
    for row in rows:
        _check_create(ctx, asked, request.project or row.project)
        request = replace(request, may_replace=_may_replace(ctx, asked, request.project or row.project))
        if not row.built:
            intake.build(row.pk)
        done.append(commit.archive(intake, row.pk, request))
    if len(rows) > 1:
        return rows_table(rows, asked.get("format"), status="QUEUED_ARCHIVING")
    uri = "/data" + labelled_uri(ctx, done[0].item)
    if asked.get("redirect") == "true":
        return RedirectResponse(uri, 303)
    return Response(f"{uri}\r\n", media_type="text/uri-list")


def _request(ctx: Context, asked: Asked) -> commit.Request:
    return commit.Request(
        login=asked.user.login,
        project=asked.first("project", "newProject"),
        subject=clean_label(asked.first("subject", "newSubject")),
        session=clean_label(asked.first("session", "label", "newLabel")),
        overwrite=Overwrite.of(asked.get("overwrite").lower()),
        quarantine=flag(asked.as_dict(), "quarantine"),
    )


def _check_create(ctx: Context, asked: Asked, name: str) -> None:
    project = items.find_project(ctx, name)
    if project is not None:
        access.require(ctx, asked.user, project, "create")


def _may_replace(ctx: Context, asked: Asked, name: str) -> bool:
    project = items.find_project(ctx, name)
    return project is not None and access.right(ctx, asked.user, project.id, "delete")


def _validate(ctx: Context, asked: Asked) -> Response:
    request = _request(ctx, asked)
    rows = [
        {"src": row.url, "type": "CONFLICT", "message": sentence}
        for row in _sources(ctx, asked)
        for sentence in commit.warnings(ctx, row, request)
    ]
    return table(Table(("src", "type", "message"), rows), asked.get("format"))


# ---- headers and catalogues -----------------------------------------------------------------------


def _dump(ctx: Context, asked: Asked) -> Response:
    path = _dump_source(ctx, asked)
    rows = dump.dump(path, asked.all("field"), summary=flag(asked.as_dict(), "summary"))
    return table(Table(dump.COLUMNS, rows), asked.get("format"))


def _dump_source(ctx: Context, asked: Asked) -> Path:
    words = [word for word in asked.get("src").strip("/").split("/") if word]
    if words[:1] == ["data"]:
        words.pop(0)
    if words[:1] == ["prearchive"]:
        return _prearchive_source(ctx, asked, words)
    if words[:1] != ["archive"]:
        raise Problem(400, "The source is neither in the archive nor in the prearchive.")
    item = resolve_uri(ctx, "/" + "/".join(words)).item
    access.require(ctx, asked.user, item, "read")
    scans = [item] if item.kind == "scan" else items.children(ctx, item, "scan")
    return _first_object(ctx, scans)


def _first_object(ctx: Context, scans: list[Item]) -> Path:
    for scan in scans:
        for resource in content.list_resources(ctx, [scan]):
            if resource.label == RESOURCE or resource.format == RESOURCE:
                for entry in content.list_files(ctx, resource)[:1]:
                    return content.file_path(ctx, resource, entry)
    raise Problem(404, "No DICOM object was found there.")


def _prearchive_source(ctx: Context, asked: Asked, words: list[str]) -> Path:
    row = row_of_uri(ctx, asked.user, "/".join(words[:5]))
    scans = prearchive.folder_of(ctx, row) / "SCANS"
    wanted = words[6] if len(words) > 6 and words[5] == "scans" else ""
    for scan in sorted(scans.iterdir()) if scans.is_dir() else ():
        if wanted in {"", scan.name}:
            for file in sorted((scan / RESOURCE).glob("*.dcm"))[:1]:
                return file
    raise Problem(404, "No DICOM object was found there.")


def _refresh(intake: Intake, asked: Asked) -> Response:
    ctx, uris = intake.ctx, asked.all("resource")
    if not uris:
        raise Problem(400, "No resource is named.")
    options = {word for text in asked.all("options") for word in text.split(",")}
    for uri in uris:
        place = resolve_uri(ctx, uri)
        access.require(ctx, asked.user, place.item, "edit")
        if "delete" in options:
            access.require(ctx, asked.user, place.item, "delete")
        found = [place.resource] if place.resource else resources_below(ctx, place.item)
        for resource in found:
            refresh.refresh(ctx, resource, options, net=intake.net, login=asked.user.login)
    return text("")


# ---- routing of a study ---------------------------------------------------------------------------


def _study(asked: Asked) -> str:
    if not _UID.fullmatch(asked.path["study"]):
        raise Problem(400, "A study is named by its UID.")
    return asked.path["study"]


def _stored(ctx: Context, asked: Asked) -> Targets:
    targets = stored_targets(ctx, _study(asked))
    if not targets.project or not may_work(ctx, asked.user, targets.project):
        raise Problem(404, "No routing is stored for this study.")
    return targets


def _routing(ctx: Context, asked: Asked) -> Response:
    targets = _stored(ctx, asked)
    return as_json(
        {"project": targets.project, "subject": targets.subject, "label": targets.session}
        | {"studyInstanceUID": _study(asked)}
    )


def _set_routing(ctx: Context, asked: Asked) -> Response:
    study = _study(asked)
    project = target_project(ctx, asked.user, asked.first("project", "PROJECT_ID"))
    subject = clean_label(asked.first("subject", "SUBJECT_ID"))
    session = clean_label(asked.first("session", "label", "EXPT_LABEL"))
    existing = stored_targets(ctx, study).project
    if existing and not may_work(ctx, asked.user, existing):
        raise not_found("study")
    with ctx.store.write() as db:
        db.execute(
            "INSERT INTO intake_routing VALUES (?,?,?,?,?,?) ON CONFLICT (study) DO UPDATE SET"
            " project = excluded.project, subject = excluded.subject, session = excluded.session,"
            " login = excluded.login, created = excluded.created",
            (study, project, subject, session, asked.user.login, ctx.store.now()),
        )
    return text("")


def _drop_routing(ctx: Context, asked: Asked) -> Response:
    _stored(ctx, asked)
    with ctx.store.write() as db:
        db.execute("DELETE FROM intake_routing WHERE study = ?", (_study(asked),))
    return text("")
