"""The Container Service: register commands, enable wrappers, launch, wait, and say why a run failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lethe.errors import Misconfigured, Refused, Unavailable
from lethe.xnat.client import Archive

_POLL_S = 0.5
_POLL_MOST_S = 5.0
_REASON_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A registered wrapper: the thing that is enabled and launched."""

    command_id: int
    wrapper_id: int
    name: str
    root: str


@dataclass(frozen=True, slots=True)
class Job:
    """One launch: `root_uri` is the object's archive URI (``/archive/experiments/E/scans/1``)."""

    wrapper: Wrapper
    root_uri: str


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: `reason` is the last line that it wrote when it failed."""

    job: Job
    status: str
    reason: str = ""

    @property
    def complete(self) -> bool:
        """True when the run succeeded and its outputs were stored."""
        return self.status == "Complete"


def is_terminal(status: str) -> bool:
    """Tell whether a workflow status is an end."""
    return status == "Complete" or status.startswith(("Failed", "Killed"))


def _wrapper_of(command: dict[str, Any], wrapper: dict[str, Any]) -> Wrapper:
    roots = [entry["name"] for entry in wrapper["external-inputs"]]
    return Wrapper(int(command["id"]), int(wrapper["id"]), str(wrapper["name"]), roots[0])


def register(archive: Archive, definition: dict[str, Any]) -> list[Wrapper]:
    """Register a command, or find the same name and version already there.

    Parameters
    ----------
    definition : dict
        Contents of a ``command.json``.

    Returns
    -------
    list of Wrapper
        Its wrappers with the server's ids.
    """
    query = {"name": str(definition["name"]), "version": str(definition["version"])}
    found = archive.request("GET", "/xapi/commands", "list commands", params=query).json()
    found = [row for row in found if all(str(row.get(key)) == value for key, value in query.items())]
    if not found:
        created = archive.request("POST", "/xapi/commands", "register a command", json=definition).json()
        found = [archive.request("GET", f"/xapi/commands/{int(created)}", "read a command").json()]
    return [_wrapper_of(found[0], wrapper) for wrapper in found[0]["xnat"]]


def enable(archive: Archive, project: str, wrapper: Wrapper) -> None:
    """Enable a wrapper for the site and for one project."""
    archive.request("PUT", f"/xapi/wrappers/{wrapper.wrapper_id}/enabled", "enable a command for the site")
    archive.request(
        "PUT",
        f"/xapi/projects/{project}/wrappers/{wrapper.wrapper_id}/enabled",
        "enable a command for the project",
    )


def available(archive: Archive, project: str, xsi_type: str) -> list[dict[str, Any]]:
    """Return the enabled commands that fit a type of object in `project`."""
    rows: list[dict[str, Any]] = archive.request(
        "GET",
        "/xapi/commands/available",
        "list available commands",
        params={"project": project, "xsiType": xsi_type},
    ).json()
    return [row for row in rows if row["enabled"]]


def registered(archive: Archive, name: str) -> Wrapper:
    """Find a wrapper by its name among all registered commands.

    Raises
    ------
    Misconfigured
        No command has a wrapper of that name.
    """
    for command in archive.request("GET", "/xapi/commands", "list commands").json():
        for wrapper in command.get("xnat", []):
            if wrapper["name"] == name:
                return _wrapper_of(command, wrapper)
    raise Misconfigured(
        "not-registered", f"No wrapper is called {name}.", remedy="Register its command first."
    )


def launch(archive: Archive, project: str, job: Job, inputs: dict[str, str] | None = None) -> str:
    """Queue one run and return its workflow id.

    Raises
    ------
    Refused
        The server could not queue it.
    """
    answer = archive.request(
        "POST",
        f"/xapi/projects/{project}/wrappers/{job.wrapper.wrapper_id}/root/{job.wrapper.root}/launch",
        "launch a command",
        json={job.wrapper.root: job.root_uri, **(inputs or {})},
        ok=(200, 500),
    ).json()
    if answer.get("status") != "success":
        raise Refused("launch", "The archive could not queue the command.", remedy="See the archive's log.")
    return str(answer["workflow-id"])


def containers(archive: Archive, project: str) -> list[dict[str, Any]]:
    """Return the runs of a project, as the Container Service describes them."""
    rows: list[dict[str, Any]] = archive.request(
        "GET", f"/xapi/projects/{project}/containers", "list runs"
    ).json()
    return rows


def workflow_status(archive: Archive, workflow: str) -> str:
    """Return the status line of a workflow."""
    item = archive.request(
        "GET", f"/data/workflows/{workflow}", "read a workflow", params={"format": "json"}
    ).json()
    return str(item["items"][0]["data_fields"]["status"])


def root_value(container: dict[str, Any]) -> str:
    """Return the archive URI that a run was launched on, empty when it is not told."""
    for entry in container.get("inputs", []):
        if str(entry.get("type", "")).startswith(("raw", "wrapper-external")):
            return str(entry.get("value", ""))
    return ""


def running(archive: Archive, project: str) -> dict[tuple[int, str], str]:
    """Return (wrapper id, root URI) -> workflow id of the runs that have not ended."""
    return {
        (int(row["wrapper-id"]), root_value(row)): str(row["workflow-id"])
        for row in containers(archive, project)
        if not is_terminal(str(row["status"]))
    }


def failure_reason(archive: Archive, project: str, workflow: str) -> str:
    """Return the last line that a failed run wrote to its error stream, or its last history message."""
    for row in containers(archive, project):
        if str(row.get("workflow-id")) != workflow:
            continue
        for stream in ("stderr", "stdout"):
            text = archive.request(
                "GET", f"/xapi/containers/{row['id']}/logs/{stream}", "read a log", ok=(200, 204, 404)
            )
            lines = [line.strip() for line in text.text.splitlines() if line.strip()] if text.ok else []
            if lines and text.status_code == 200:
                return lines[-1][:_REASON_LENGTH]
        history = row.get("history") or []
        return str(history[-1].get("message") or history[-1].get("status")) if history else ""
    return ""


def run_all(
    archive: Archive,
    project: str,
    jobs: Sequence[Job],
    *,
    timeout_s: float = 3600.0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Ended]:
    """Launch every job, wait for all, and tell how each ended.

    A job that already runs (queued before this program was stopped) is waited for, not launched again.

    Raises
    ------
    Unavailable
        Not all had ended after `timeout_s` seconds.
    """
    present = running(archive, project) if jobs else {}
    waiting: dict[str, Job] = {}
    for job in jobs:
        workflow = present.get((job.wrapper.wrapper_id, job.root_uri)) or launch(archive, project, job)
        waiting[workflow] = job
    ended: dict[Job, Ended] = {}
    deadline = time.monotonic() + timeout_s
    pause = _POLL_S
    while waiting:
        for workflow in list(waiting):
            status = workflow_status(archive, workflow)
            if is_terminal(status):
                job = waiting.pop(workflow)
                reason = "" if status == "Complete" else failure_reason(archive, project, workflow)
                ended[job] = Ended(job, status, reason)
                pause = _POLL_S
                if progress is not None:
                    progress(len(ended), len(jobs))
        if waiting and time.monotonic() > deadline:
            raise Unavailable(
                "run-timeout",
                f"{len(waiting)} runs have not ended in time.",
                remedy="Look at the runs of the project; start again to wait for them.",
            )
        if waiting:
            time.sleep(pause)
            pause = min(pause * 1.2, _POLL_MOST_S)
    return [ended[job] for job in jobs]
