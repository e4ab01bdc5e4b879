"""``/data/prearchive``: list, browse, build, move, commit, delete (contract section 4.4)."""

from __future__ import annotations

import mimetypes
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from lethe.archive import access, items
from lethe.archive.context import Context
from lethe.archive.intake import commit, document, prearchive
from lethe.archive.intake.commit import RESOURCE
from lethe.archive.intake.params import Asked, Endpoint
from lethe.archive.intake.prearchive import Row, Status
from lethe.archive.intake.receive import Intake
from lethe.archive.intake.routing import UNASSIGNED
from lethe.archive.intake.runtime import auto_request, wants_archive
from lethe.archive.model import User
from lethe.archive.problem import Problem, not_found
from lethe.archive.uris import labelled_uri
from lethe.archive.web.answers import Table, as_json, table, text
from lethe.archive.web.request import flag

_ROOT = "/data/prearchive"
_SESSION = _ROOT + "/projects/{project}/{timestamp}/{folder}"
_CHUNK = 1 << 20


def routes(ctx: Context, intake: Intake) -> list[Route]:
    """Return the routes of the prearchive."""

    def act(ctx: Context, asked: Asked) -> Response:
        return _act(intake, asked)

    def delete(ctx: Context, asked: Asked) -> Response:
        intake.delete(row_for(ctx, asked).pk)
        return text("")

    pages = {
        _ROOT: Endpoint(ctx, GET=_list, PUT=_refresh),
        _ROOT + "/projects": Endpoint(ctx, GET=_list),
        _ROOT + "/projects/{project}": Endpoint(ctx, GET=_list),
        _SESSION: Endpoint(ctx, GET=_show, POST=act, DELETE=delete),
        _SESSION + "/scans": Endpoint(ctx, GET=_scans),
        _SESSION + "/resources": Endpoint(ctx, GET=_session_resources),
        _SESSION + "/logs": Endpoint(ctx, GET=_logs),
        _SESSION + "/scans/{scan}": Endpoint(ctx, GET=_scan),
        _SESSION + "/scans/{scan}/resources": Endpoint(ctx, GET=_resources),
        _SESSION + "/scans/{scan}/resources/{resource}": Endpoint(ctx, GET=_files),
        _SESSION + "/scans/{scan}/resources/{resource}/files": Endpoint(ctx, GET=_files),
        _SESSION + "/scans/{scan}/resources/{resource}/files/{name}": Endpoint(ctx, GET=_file),
    }
    return [Route(path, endpoint.serve, methods=endpoint.methods) for path, endpoint in pages.items()]


def may_work(ctx: Context, user: User, project: str) -> bool:
    """Tell whether a user may see and change the prearchive of a project."""
    if project == UNASSIGNED:
        return user.is_admin
    return access.right(ctx, user, project, "edit")


def row_for(ctx: Context, asked: Asked) -> Row:
    """Return the session a path names, if the user may work on it (403)."""
    words = [asked.path[name] for name in ("project", "timestamp", "folder")]
    return allowed_row(ctx, asked.user, *words)


def allowed_row(ctx: Context, user: User, project: str, timestamp: str, folder: str) -> Row:
    """Return a session of the prearchive; 403 without the right, 404 if there is none."""
    if not may_work(ctx, user, _project_id(ctx, user, project)):
        raise Problem(403, "The user has not the right to work on this prearchive.")
    row = prearchive.find(ctx, _project_id(ctx, user, project), timestamp, folder)
    if row.private:
        raise Problem(404, "Unable to find the specified prearchive session.")
    return row


def row_of_uri(ctx: Context, user: User, uri: str) -> Row:
    """Return the session that ``[/data]/prearchive/projects/P/T/NAME`` names."""
    words = [word for word in uri.strip("/").split("/") if word]
    if words[:1] == ["data"]:
        words.pop(0)
    if len(words) < 5 or words[:2] != ["prearchive", "projects"]:
        raise Problem(400, "A source is no session of the prearchive.")
    return allowed_row(ctx, user, *words[2:5])


def rows_table(rows: Sequence[Row], form: str, *, status: str = "") -> Response:
    """Return prearchive rows as a list; `status` overrides what they say."""
    shown = [{**row.public(), **({"status": status} if status else {})} for row in rows]
    return table(Table(prearchive.COLUMNS, shown), form)


def _list(ctx: Context, asked: Asked) -> Response:
    named = asked.path.get("project", "")
    if asked.user.is_guest:
        raise Problem(403, "Log in first.")
    if named:
        projects = [_project_id(ctx, asked.user, one) for one in named.split(",")]
        if not all(may_work(ctx, asked.user, one) for one in projects):
            raise Problem(403, "The user has not the right to see this prearchive.")
        rows = prearchive.listing(ctx, projects, asked.get("tag"))
    else:
        every = prearchive.listing(ctx, None, asked.get("tag"))
        allowed = {one for one in {row.project for row in every} if may_work(ctx, asked.user, one)}
        rows = [row for row in every if row.project in allowed]
    return rows_table([row for row in rows if not row.private], asked.get("format"))


def _project_id(ctx: Context, user: User, name: str) -> str:
    if name == UNASSIGNED:
        return name
    project = items.find_project(ctx, name)
    if project is None:
        raise not_found("project") if user.is_admin else Problem(403, "The project is unknown or closed.")
    return project.id


def _refresh(ctx: Context, asked: Asked) -> Response:
    access.require_admin(asked.user)
    return text("")


def _show(ctx: Context, asked: Asked) -> Response:
    row = row_for(ctx, asked)
    form = asked.get("format").lower()
    if form == "zip":
        return zip_of(ctx, prearchive.folder_of(ctx, row), row.label)
    if form == "xml":
        if not row.built:
            raise Problem(404, "The session is not built yet.")
        return Response(
            document.session_xml(row, str(ctx.settings.get("siteUrl") or "")), media_type="text/xml"
        )
    return rows_table([row], form)


def _act(intake: Intake, asked: Asked) -> Response:
    ctx, row = intake.ctx, row_for(intake.ctx, asked)
    if row.status in prearchive.BUSY:
        raise Problem(409, "Operation already in progress on this prearchive entry.")
    match asked.get("action"):
        case "build" | "rebuild":
            return text("/data" + intake.build(row.pk).url)
        case "reset-status":
            status = Status.READY if row.built else Status.RECEIVING
            return text("/data" + prearchive.change(ctx, row.pk, status=status, message="").url)
        case "set-status":
            return text("/data" + _set_status(ctx, row, asked.get("status")).url)
        case "move":
            moved = intake.move(row.pk, target_project(ctx, asked.user, asked.get("newProject")))
            return text("/data" + moved.url, 301)
        case "commit":
            return _commit(intake, row, asked.as_dict())
    raise Problem(400, "The action is build, reset-status, set-status, move or commit.")


def target_project(ctx: Context, user: User, name: str) -> str:
    """Return the id of a project the user may put data into; 400 without a name, 403 or 404 otherwise."""
    if not name:
        raise Problem(400, "The new project is not named.")
    project = items.find_project(ctx, name)
    if project is None:
        raise not_found("project")
    access.require(ctx, user, project, "create")
    return project.id


def _set_status(ctx: Context, row: Row, status: str) -> Row:
    if status not in set(prearchive.OPEN):
        raise Problem(400, "The status cannot be set to this.")
    return prearchive.change(ctx, row.pk, status=status)


def _commit(intake: Intake, row: Row, parameters: Mapping[str, str]) -> Response:
    built = intake.build(row.pk)
    asked = any(flag(parameters, name) for name in ("AA", "auto-archive"))
    if built.status == Status.READY and (asked or wants_archive(intake.ctx, built)):
        done = commit.archive(intake, row.pk, auto_request(intake.ctx, built))
        return text("/data" + labelled_uri(intake.ctx, done.item), 301)
    return text("/data" + built.url)


def _scans(ctx: Context, asked: Asked) -> Response:
    row = row_for(ctx, asked)
    if not row.built:
        raise Problem(404, "The session is not built yet.")
    rows = [
        {
            "ID": scan["id"],
            "xsiType": scan["xsi_type"],
            "series_description": scan["fields"].get("series_description", ""),
        }
        for scan in row.built["scans"]
    ]
    return table(Table(("ID", "xsiType", "series_description"), rows), asked.get("format"))


def _scan(ctx: Context, asked: Asked) -> Response:
    row, folder = row_for(ctx, asked), _scan_folder(ctx, asked)
    if asked.get("format").lower() == "zip":
        return zip_of(ctx, folder, f"{row.label}_{asked.path['scan']}")
    return _resources(ctx, asked)


def _resources(ctx: Context, asked: Asked) -> Response:
    files = _scan_files(ctx, asked)
    size = sum(file.stat().st_size for file in files)
    rows = [{"label": RESOURCE, "file_count": len(files), "file_size": size}]
    return table(Table(("label", "file_count", "file_size"), rows), asked.get("format"))


def _session_resources(ctx: Context, asked: Asked) -> Response:
    row_for(ctx, asked)
    columns = ("category", "cat_id", "label", "file_count", "file_size")
    return table(Table(columns, []), asked.get("format"))


def _logs(ctx: Context, asked: Asked) -> Response:
    row = row_for(ctx, asked)
    entries = [{"date": row.public()["lastmod"], "entry": row.message}] if row.message else []
    return as_json({"ResultSet": {"Result": entries, "totalRecords": str(len(entries))}})


def _files(ctx: Context, asked: Asked) -> Response:
    row = row_for(ctx, asked)
    if asked.path["resource"] != RESOURCE:
        raise Problem(404, "Unable to find the specified catalog.")
    base = f"/data{row.url}/scans/{quote(asked.path['scan'], safe='')}/resources/{RESOURCE}/files"
    rows = [
        {"Name": file.name, "Size": file.stat().st_size, "URI": f"{base}/{quote(file.name)}"}
        for file in _scan_files(ctx, asked)
    ]
    return table(Table(("Name", "Size", "URI"), rows), asked.get("format"))


def _file(ctx: Context, asked: Asked) -> Response:
    for file in _scan_files(ctx, asked):
        if file.name == asked.path["name"]:
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            return FileResponse(file, media_type=kind, filename=file.name)
    raise Problem(404, "Unable to find catalog entry for given uri.")


def _scan_files(ctx: Context, asked: Asked) -> list[Path]:
    return sorted((_scan_folder(ctx, asked) / RESOURCE).glob("*.dcm"))


def _scan_folder(ctx: Context, asked: Asked) -> Path:
    scans = prearchive.folder_of(ctx, row_for(ctx, asked)) / "SCANS"
    names = {folder.name for folder in scans.iterdir()} if scans.is_dir() else set()
    if asked.path["scan"] not in names:
        raise not_found("scan")
    return scans / asked.path["scan"]


def zip_of(ctx: Context, folder: Path, name: str) -> Response:
    """Return the files below `folder` as a zip, packed without compression."""
    return StreamingResponse(
        _zip_pieces(ctx.store.root / "tmp", folder, name),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{quote(name)}.zip"'},
    )


def _zip_pieces(scratch: Path, folder: Path, name: str) -> Iterator[bytes]:
    with tempfile.TemporaryFile(dir=scratch) as packed:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                archive.write(file, f"{name}/{file.relative_to(folder)}")
        packed.seek(0)
        while piece := packed.read(_CHUNK):
            yield piece
