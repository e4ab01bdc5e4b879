"""Runs of the Container Service: which are alive, how one ended and why, its log, ending it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lethe.xnat.client import Archive
from lethe.xnat.wrappers import Wrapper

_REASON_LENGTH = 300
_NESTED = re.compile(r"^/(?:data/)?archive/projects/[^/]+/subjects/[^/]+(/experiments/.+)$")
_CODE = re.compile(r"\[[a-z0-9-]+\]$")


@dataclass(frozen=True, slots=True)
class Job:
    """One launch: `root_uri` is the object's archive URI (``/archive/experiments/E/scans/1``)."""

    wrapper: Wrapper
    root_uri: str

    @property
    def key(self) -> tuple[int, str]:
        """What tells whether two launches are the same."""
        return self.wrapper.wrapper_id, flat(self.root_uri)


def is_terminal(status: str) -> bool:
    """Tell whether a status of a workflow or run is an end."""
    return status == "Complete" or status.startswith(("Failed", "Killed"))


def flat(uri: str) -> str:
    """Return an archive URI without ``/data`` and without the project and subject of a session.

    >>> flat("/data/archive/projects/P/subjects/S/experiments/E/scans/1")
    '/archive/experiments/E/scans/1'
    """
    nested = _NESTED.match(uri)
    if nested:
        return f"/archive{nested.group(1)}"
    return uri.removeprefix("/data").removeprefix("/REST") if uri.startswith(("/data/a", "/REST/a")) else uri


def session_of(uri: str) -> str:
    """Return the id of the session (or subject, or project) in an archive URI."""
    words = flat(uri).split("/")
    return words[3] if len(words) > 3 else ""


def containers(archive: Archive, project: str, *, alive: bool = False) -> list[dict[str, Any]]:
    """Return the runs of a project as the Container Service describes them; `alive`: not ended ones only."""
    params = {"nonfinalized": "true"} if alive else {}
    rows: list[dict[str, Any]] = archive.request(
        "GET", f"/xapi/projects/{project}/containers", "list runs", params=params
    ).json()
    return [row for row in rows if not (alive and is_terminal(str(row["status"])))]


def root_value(container: Mapping[str, Any]) -> str:
    """Return the archive URI that a run was launched on, empty when it is not told."""
    values = [
        str(entry.get("value", ""))
        for kind in ("raw", "wrapper-external")
        for entry in container.get("inputs") or ()
        if str(entry.get("type", "")).startswith(kind)
    ]
    return next((flat(value) for value in values if value.startswith(("/archive/", "/data/archive/"))), "")


def key_of(container: Mapping[str, Any]) -> tuple[int, str]:
    """Return the `Job.key` of a run."""
    return int(container["wrapper-id"]), root_value(container)


def running(archive: Archive, project: str) -> dict[tuple[int, str], str]:
    """Return (wrapper id, root URI) -> workflow id of the runs that have not ended."""
    return {key_of(row): str(row["workflow-id"]) for row in containers(archive, project, alive=True)}


# ---- workflows --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow entry: `container` is the run's id where XNAT noted it, `details` may say why it failed."""

    number: str
    status: str
    container: str = ""
    details: str = ""
    scan: str = ""


def workflow(archive: Archive, number: str) -> Workflow:
    """Read one workflow."""
    item = archive.request(
        "GET", f"/data/workflows/{number}", "read a workflow", params={"format": "json"}
    ).json()
    return _workflow(item["items"][0]["data_fields"])


def workflow_status(archive: Archive, number: str) -> str:
    """Return the status line of a workflow."""
    return workflow(archive, number).status


def workflows_of(archive: Archive, project: str, session: str, pipeline: str) -> list[Workflow]:
    """Return the workflows of a wrapper on a session and its scans, oldest first.

    The way to a run whose launch was answered with ``To be assigned``. A server that does not list
    workflows gives an empty list.
    """
    response = archive.request(
        "GET",
        f"/data/services/workflows/{pipeline}",
        "find a workflow",
        params={"project": project, "experiment": session, "display": "ALL", "format": "json"},
        ok=(200, 403, 404, 500),
    )
    if response.status_code != 200:
        return []
    document = response.json()
    items = document.get("items")
    if items is not None:
        rows = [item["data_fields"] for item in items]
    else:
        rows = document.get("ResultSet", {}).get("Result", [])
    found = [_workflow(row) for row in rows if _field(row, "pipeline_name") in ("", pipeline)]
    return sorted((one for one in found if one.number.isdecimal()), key=lambda one: int(one.number))


def _field(row: Mapping[str, Any], name: str) -> str:
    """Return a column however a list spells it: ``wrk:workflowData/status``, ``status``, ``STATUS``."""
    for key, value in row.items():
        if re.split(r"[/:]", key.lower())[-1] == name:
            return "" if value is None else str(value)
    return ""


def _workflow(fields: Mapping[str, Any]) -> Workflow:
    names = ("wrk_workflowdata_id", "status", "comments", "details", "scan_id")
    return Workflow(*(_field(fields, name) for name in names))


# ---- why a run failed -------------------------------------------------------------------------------------


def failure_reason(archive: Archive, project: str, number: str) -> str:
    """Return why the run of a workflow failed, in one line."""
    found = workflow(archive, number)
    if found.container:
        return reason(archive, found.container, found.status)
    for row in containers(archive, project):
        if str(row.get("workflow-id")) == number:
            return reason(archive, str(row["id"]), found.status)
    return found.details


def reason(archive: Archive, container: str, status: str) -> str:
    """Return why a run failed: the sentence that the command itself left, else what the archive noted.

    A run that the archive ended (killed, out of memory, too long, not stored) is explained by the archive.
    """
    noted = _noted(archive, container)
    if status != "Failed" and noted:
        return noted
    for stream in ("stderr", "stdout"):
        lines = [line.strip() for line in log(archive, container, stream).splitlines() if line.strip()]
        if lines:
            said = lines[-1].removeprefix("failed: ")[:_REASON_LENGTH]
            return said if _CODE.search(said) or not noted else f"{noted} {said}"[:_REASON_LENGTH]
    return noted


def _noted(archive: Archive, container: str) -> str:
    response = archive.request("GET", f"/xapi/containers/{container}", "read a run", ok=(200, 404))
    history = (response.json().get("history") or []) if response.status_code == 200 else []
    messages = [str(step.get("message") or "") for step in history if is_terminal(str(step.get("status")))]
    return next((text[:_REASON_LENGTH] for text in reversed(messages) if text), "")


def log(archive: Archive, container: str, stream: str) -> str:
    """Return ``stdout`` or ``stderr`` of a run; empty when there is none."""
    response = archive.request(
        "GET", f"/xapi/containers/{container}/logs/{stream}", "read a log", ok=(200, 204, 404, 500)
    )
    return response.text if response.status_code == 200 else ""


def log_pieces(archive: Archive, container: str, stream: str) -> Iterator[str]:
    """Yield the log of a run piece by piece until it is complete; an empty piece means: nothing new yet."""
    since = ""
    while since != "-1":
        params = {"since": since} if since else {}
        answer = archive.request(
            "GET", f"/xapi/containers/{container}/logSince/{stream}", "read a log", params=params
        ).json()
        since = str(answer.get("timestamp", "-1"))
        yield str(answer.get("content") or "")


def kill(archive: Archive, project: str, container: str) -> bool:
    """End a run; False when it had ended already."""
    path = f"/xapi/projects/{project}/containers/{container}/kill"
    return archive.request("POST", path, "end a run", ok=(200, 400)).status_code == 200
