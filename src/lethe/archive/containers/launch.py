"""From a launch request to a run in the queue."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from lethe.archive import access, items, uris
from lethe.archive.containers import registry, rights, runs
from lethe.archive.containers.registry import Registered
from lethe.archive.containers.runs import Run, Subject
from lethe.archive.context import Context
from lethe.archive.model import PROJECT, SCAN, Item, User
from lethe.archive.problem import Problem
from lethe.errors import Refused

Json = dict[str, Any]
UNASSIGNED = "To be assigned"


@dataclass(frozen=True, slots=True)
class Request:
    """What a launch request says: project of the path (maybe none), root name of the path (maybe none)."""

    wrapper_id: int
    command_id: int
    project: str
    root: str
    params: Mapping[str, str]


def texts(body: object) -> dict[str, str]:
    """Return the values of a launch body as texts; 400 for anything that is not an object of plain values."""
    if not isinstance(body, Mapping):
        raise Problem(400, "The body must be a JSON object of texts.")
    found = {}
    for key, value in body.items():
        if isinstance(value, Mapping | list):
            raise Problem(400, f"The value of '{key}' must be a text.")
        if value is not None:
            found[str(key)] = json.dumps(value) if isinstance(value, bool) else str(value)
    return found


def queue(
    ctx: Context, user: User, found: Registered, params: Mapping[str, str], *, project: str, bulk: str = ""
) -> Run:
    """Put one run into the queue.

    Parameters
    ----------
    project : str
        Id of the project it runs in; empty: the project of the root object.

    Raises
    ------
    Problem
        403 when the user lacks the rights its outputs need.
    Refused
        ``no-root``: the root object is missing, unknown, unreadable or of another project.
    """
    params = _addressed(ctx, found, params, project)
    item, uri = _root_item(ctx, user, found, params, project)
    project = project or (item.project if item is not None else "")
    if not project and not rights.is_manager(user):
        raise Problem(403, "Only a container manager may launch a command of the whole site.")
    if project and not rights.may_launch(ctx, user, found.wrapper, project):
        access.require(ctx, user, items.find_project(ctx, project) or items.by_pk(ctx, 0), "read")
        raise Problem(403, "The user may not add what this command writes.")
    return runs.enqueue(
        ctx,
        found,
        params,
        registry.effective_config(ctx, found.wrapper_id, project),
        project=project,
        login=user.login,
        root_uri=uri,
        about=_about(ctx, item),
        bulk=bulk,
    )


_BY_ID = {
    "Project": "projects",
    "Subject": "subjects",
    "Session": "experiments",
    "Assessor": "experiments",
    "SubjectAssessor": "experiments",
}


def _addressed(ctx: Context, found: Registered, params: Mapping[str, str], project: str) -> dict[str, str]:
    """Return the parameters with a bare id or label of an object written as its address."""
    kinds = {one.name: _BY_ID[one.type] for one in found.wrapper.external if one.type in _BY_ID}
    return {
        name: f"/archive/{kinds[name]}/{quote(_id_of(ctx, kinds[name], value, project), safe='')}"
        if name in kinds and value and "/" not in value
        else value
        for name, value in params.items()
    }


def _id_of(ctx: Context, kind: str, value: str, project: str) -> str:
    """Return the accession id of an object that is named by its label in the project of the launch."""
    item = None
    if project and kind == "experiments":
        item = items.find_experiment(ctx, value, project)
    elif project and kind == "subjects":
        item = items.find_subject(ctx, value, project)
    return value if item is None else item.id


def _root_item(
    ctx: Context, user: User, found: Registered, params: Mapping[str, str], project: str
) -> tuple[Item | None, str]:
    root = found.wrapper.root
    if root is None:
        return None, ""
    uri = params.get(root.name, "")
    try:
        place = uris.resolve_uri(ctx, uri)
        access.require(ctx, user, place.item, "read")
    except Problem as problem:
        raise Refused("no-root", f"The object given for '{root.name}' cannot be found.") from problem
    if project and project not in items.projects_of(ctx, place.item):
        raise Refused("no-root", f"The object given for '{root.name}' is not in this project.")
    return place.item, uris.uri_of(ctx, place.item, place.resource)


def _about(ctx: Context, item: Item | None) -> Subject:
    if item is None:
        return Subject()
    if item.kind == SCAN:
        session = items.by_pk(ctx, item.parent or 0)
        return Subject(session.id, item.xsi_type, item.id)
    return Subject(item.id, "xnat:projectData" if item.kind == PROJECT else item.xsi_type)


# ---- answers ----------------------------------------------------------------------------------------------


def launch_one(ctx: Context, user: User, request: Request) -> tuple[Json, bool]:
    """Queue what a launch request asks for; return the report and whether it was queued."""
    found = registry.find_wrapper(ctx, request.wrapper_id)
    if found is None:
        return _report(request, workflow=UNASSIGNED), True  # as the Container Service does; nothing will run
    try:
        _check_root(found, request.root)
        run = queue(ctx, user, found, request.params, project=request.project)
    except Problem:
        raise
    except Refused as refusal:
        return _report(request, message=refusal.sentence), False
    return _report(request, workflow=str(run.workflow)), True


def launch_many(ctx: Context, user: User, request: Request) -> Json:
    """Queue one run for each object of a bulk launch; return the bulk report.

    Raises
    ------
    Problem
        400 when the root value is not a JSON list in a text; 404 for an unknown wrapper.
    """
    found = registry.find_wrapper(ctx, request.wrapper_id)
    if found is None:
        raise Problem(404, f"No wrapper with ID {request.wrapper_id}.")
    name = request.root or (found.wrapper.root.name if found.wrapper.root else "")
    bulk = str(uuid.uuid4())
    report: Json = {
        "bulk-launch-id": bulk,
        "pipeline-name": found.wrapper.name,
        "successes": [],
        "failures": [],
    }
    with ctx.store.write():
        for uri in _targets(request.params.get(name, "")):
            single = Request(
                request.wrapper_id,
                request.command_id,
                request.project,
                request.root,
                {**request.params, name: uri},
            )
            try:
                _check_root(found, request.root)
                queue(ctx, user, found, single.params, project=request.project, bulk=bulk)
                report["successes"].append(_report(single, workflow=UNASSIGNED))
            except Problem:
                raise
            except Refused as refusal:
                report["failures"].append(_report(single, message=refusal.sentence))
    return report


def _targets(value: str) -> list[str]:
    try:
        listed = json.loads(value)
    except ValueError:
        listed = None
    if not isinstance(listed, list) or not all(isinstance(entry, str) for entry in listed):
        raise Problem(400, "A bulk launch takes a JSON list of archive URIs, written as a text.")
    return list(dict.fromkeys(listed))


def _check_root(found: Registered, name: str) -> None:
    root = found.wrapper.root
    if name and (root is None or root.name != name):
        raise Refused("no-root", f"The command has no root input '{name}'.")


def _report(request: Request, *, workflow: str = "", message: str = "") -> Json:
    report: Json = {
        "status": "failure" if message else "success",
        "params": dict(request.params),
        "id": 0 if message else None,
        "command-id": None if message else request.command_id,
        "wrapper-id": request.wrapper_id,
    }
    return report | ({"message": message} if message else {"workflow-id": workflow})
