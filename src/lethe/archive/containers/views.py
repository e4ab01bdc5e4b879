"""Runs and wrappers as the Container Service shows them."""

from __future__ import annotations

import json
from typing import Any

from lethe.archive.containers import registry, rights, runs
from lethe.archive.containers.model import Wrapper
from lethe.archive.containers.registry import Registered
from lethe.archive.containers.runs import Run
from lethe.archive.context import Context
from lethe.archive.model import User
from lethe.archive.types.table import is_a

Json = dict[str, Any]
_CONTEXTS = {
    "Project": "xnat:projectData",
    "Subject": "xnat:subjectData",
    "Session": "xnat:imageSessionData",
    "Scan": "xnat:imageScanData",
    "Assessor": "xnat:imageAssessorData",
    "SubjectAssessor": "xnat:subjectAssessorData",
    "Resource": "xnat:resourceCatalog",
    "ProjectAsset": "xnat:abstractProjectAsset",
}


def milliseconds(seconds: float) -> int:
    """Return a time as JSON dates of XNAT are: milliseconds since 1970."""
    return round(seconds * 1000)


# ---- wrappers ---------------------------------------------------------------------------------------------


def contexts_of(wrapper: Wrapper) -> tuple[str, ...]:
    """Return where a wrapper is offered: as declared, else by the type of its root input."""
    if wrapper.contexts:
        return wrapper.contexts
    return (_CONTEXTS[wrapper.root.type],) if wrapper.root is not None else ("site",)


def fits(wrapper: Wrapper, xsi_type: str) -> bool:
    """Return whether a wrapper is offered on objects of a type; generic contexts take every subtype."""
    return any(one == xsi_type or is_a(xsi_type, one) for one in contexts_of(wrapper))


def available(ctx: Context, user: User, xsi_type: str, project: str = "") -> list[Json]:
    """Return the wrappers a user could launch on a type of object, enabled or not.

    Without a project: those of the whole site.
    """
    found = []
    for entry in registry.every_wrapper(ctx):
        if xsi_type and not fits(entry.wrapper, xsi_type):
            continue
        if project and not rights.may_launch(ctx, user, entry.wrapper, project):
            continue
        found.append(_summary(ctx, entry, project))
    return found


def _summary(ctx: Context, entry: Registered, project: str) -> Json:
    command, wrapper = entry.command, entry.wrapper
    return {
        "command-id": entry.command_id,
        "command-name": command.name,
        "command-label": command.label,
        "command-description": command.description,
        "wrapper-id": entry.wrapper_id,
        "wrapper-name": wrapper.name,
        "wrapper-label": wrapper.label,
        "wrapper-description": wrapper.description,
        "wrapper-contexts": list(contexts_of(wrapper)),
        "image-name": command.image,
        "image-type": "docker",
        "enabled": registry.runnable(ctx, entry.wrapper_id, project),
        "root-element-name": wrapper.root.name if wrapper.root else None,
    }


# ---- runs -------------------------------------------------------------------------------------------------


def run_document(ctx: Context, run: Run, *, numbers: dict[str, int] | None = None) -> Json:
    """Return a run as the container object of the Container Service."""
    definition = json.loads(run.definition)
    plan: Json = json.loads(run.plan) if run.plan else {}
    swarm = run.backend == "swarm"
    limits = ("reserve-memory", "limit-memory", "limit-cpu", "shm-size", "container-labels")
    return {
        "id": run.id,
        "command-id": run.command,
        "wrapper-id": run.wrapper,
        "status": run.status,
        "status-time": milliseconds(run.status_time),
        "container-id": run.handle or None,
        "container-name": run.name,
        "workflow-id": None if run.workflow is None else str(run.workflow),
        "user-id": run.login,
        "project": run.project or None,
        "backend": "swarm" if swarm else "docker",  # `process` is a thing of the embedded archive only
        "lethe-backend": run.backend or None,
        "swarm": swarm,
        "service-id": run.handle or None if swarm else None,
        "task-id": None,
        "node-id": None,
        "docker-image": definition["image"],
        "command-line": plan.get("shown_line", definition["command-line"]),
        "override-entrypoint": definition["override-entrypoint"],
        "working-directory": plan.get("working_directory") or None,
        "subtype": "docker",
        "parent-source-object-name": None,
        "bulk-launch-id": run.bulk or None,
        "env": _environment(ctx, run, plan),
        "ports": plan.get("ports", {}),
        "mounts": [_mount(ctx, run, mount) for mount in plan.get("mounts", ())],
        "inputs": _inputs(run, plan),
        "outputs": _outputs(run, plan),
        "history": [_history(row) for row in runs.history(ctx, run.id)],
        "log-paths": [],
        **{key: definition.get(key) for key in limits},
        "swarm-constraints": None,
        "runtime": None,
        "ipc-mode": None,
        "auto-remove": None,
        "network": "none",
        "gpus": None,
        "generic-resources": None,
        "ulimits": None,
        "secrets": [],
    }


def _environment(ctx: Context, run: Run, plan: Json) -> Json:
    host = ctx.settings.get("processingUrl") or ctx.settings.get("siteUrl") or ctx.http_url
    return {
        **plan.get("shown_environment", {}),
        "XNAT_HOST": host,
        "XNAT_USER": run.alias or None,
        "XNAT_PASS": "******",
        "XNAT_WORKFLOW_ID": str(run.workflow or ""),
        "XNAT_EVENT_ID": str(run.workflow or ""),
    }


def _mount(ctx: Context, run: Run, mount: Json) -> Json:
    direct = bool(mount["directory"]) and not mount["copy"]
    return {
        "name": mount["name"],
        "writable": mount["writable"],
        "xnat-host-path": mount["directory"]
        if direct
        else f"build/{run.name}/{run.attempt}/mounts/{mount['name']}",
        "container-host-path": None,
        "container-path": mount["path"],
        "input-files": [],
    }


def _inputs(run: Run, plan: Json) -> list[Json]:
    definition = json.loads(run.definition)
    secret = {entry["name"] for entry in definition["inputs"] if entry["sensitive"]}
    secret |= {entry["name"] for entry in plan.get("inputs", ()) if entry["sensitive"]}
    raw = [
        {
            "type": "raw",
            "name": name,
            "value": "******" if name in secret else value,
            "sensitive": name in secret,
        }
        for name, value in run.parameters.items()
    ]
    raw.sort(key=lambda entry: entry["value"] != run.root_uri)  # the root first
    return raw + list(plan.get("inputs", ()))


def _outputs(run: Run, plan: Json) -> list[Json]:
    created = json.loads(run.outputs) or {}
    return [
        {
            "name": f"{output['command_output']}:{output['name']}",
            "from-command-output": output["command_output"],
            "from-output-handler": output["name"],
            "type": output["type"],
            "required": output["required"],
            "mount": output["mount"],
            "path": output["path"],
            "glob": output["glob"] or None,
            "label": output["label"],
            "format": output["format"],
            "content": output["content"],
            "tags": list(output["tags"]),
            "created": created.get(output["name"]),
            "handled-by": output["parent_handler"] or output["parent"],
        }
        for output in plan.get("outputs", ())
    ]


def _history(row: Any) -> Json:
    return {
        "id": row["id"],
        "status": row["status"],
        "entity-type": row["entity_type"],
        "entity-id": row["entity_id"] or None,
        "time-recorded": milliseconds(row["time"]),
        "external-timestamp": None,
        "exitCode": None if row["exit_code"] is None else str(row["exit_code"]),
        "message": row["message"] or None,
    }
