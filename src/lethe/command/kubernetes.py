"""A command as the job that the Container Service makes of it on a Kubernetes cluster.

For trying a cluster before XNAT is connected to it, and for reading what a run will look like there.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from lethe.errors import Misconfigured

Json = dict[str, Any]
NAMESPACE = "xnat-jobs"
ARCHIVE, BUILD = "xnat-archive", "xnat-build"
"""Claims of the archive, of which inputs are mounted, and of the build folder, of which outputs are."""
USER = 10001


def inputs_of(definition: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
    """Return replacement key -> value of every input, the default for those that are not named.

    Raises
    ------
    Misconfigured
        An input is not known, or a value is not in its list.
    """
    entries = {str(entry["name"]): entry for entry in definition["inputs"]}
    if unknown := sorted(set(values) - set(entries)):
        raise Misconfigured("no-input", f"The command has no input {unknown[0]}.", remedy=_offered(entries))
    found = {}
    for name, entry in entries.items():
        value = values.get(name, str(entry.get("default-value") or ""))
        if entry.get("select-values") and value not in entry["select-values"]:
            offered = ", ".join(entry["select-values"])
            raise Misconfigured("no-value", f"Input {name} has no such value.", remedy=f"Choose {offered}.")
        found[str(entry["replacement-key"])] = value
    return found


def _filled(text: str, inputs: Mapping[str, str]) -> str:
    for key, value in inputs.items():
        text = text.replace(key, value)
    return text


def _offered(entries: Mapping[str, Any]) -> str:
    return f"There are: {', '.join(sorted(entries)) or 'none'}."


def job_manifest(
    definition: Mapping[str, Any],
    folders: Mapping[str, str],
    *,
    name: str,
    values: Mapping[str, str] | None = None,
    constraints: Mapping[str, str] | None = None,
    namespace: str = NAMESPACE,
) -> Json:
    """Return the job that runs a command once.

    Parameters
    ----------
    definition : mapping
        Contents of a ``command.json``.
    folders : mapping of str to str
        Mount of the command -> folder inside the claim of the archive (read-only mounts) or of the build
        folder (the writable one).
    name : str
        Name of the job.
    values : mapping of str to str, optional
        Inputs of the command.
    constraints : mapping of str to str, optional
        Labels that a node must have.

    Raises
    ------
    Misconfigured
        A mount has no folder, a folder leads out of its claim, an input is wrong.
    """
    mounts = [_mount(mount, folders) for mount in definition["mounts"]]
    inputs = inputs_of(definition, values or {})
    line = _filled(definition["command-line"], {key: shlex.quote(value) for key, value in inputs.items()})
    environment = {"HOME": "/tmp", **definition["environment-variables"]}  # noqa: S108
    pod: Json = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "command",
                "image": definition["image"],
                "command": ["/bin/sh", "-c", line],
                "env": [{"name": key, "value": _filled(text, inputs)} for key, text in environment.items()],
                "resources": _resources(definition),
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [*mounts, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
            }
        ],
        "volumes": [
            {"name": "archive", "persistentVolumeClaim": {"claimName": ARCHIVE, "readOnly": True}},
            {"name": "build", "persistentVolumeClaim": {"claimName": BUILD}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
        ],
    }
    if constraints:
        pod["nodeSelector"] = dict(constraints)
    labels = {key.replace("/", "-"): value for key, value in definition["container-labels"].items()}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"backoffLimit": 0, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


def _resources(definition: Mapping[str, Any]) -> Json:
    return {
        "requests": {"memory": f"{definition['reserve-memory']}Mi", "cpu": "100m"},
        "limits": {
            "memory": f"{definition['limit-memory']}Mi",
            "cpu": f"{round(definition['limit-cpu'] * 1000)}m",
        },
    }


def _mount(mount: Mapping[str, Any], folders: Mapping[str, str]) -> Json:
    folder = folders.get(str(mount["name"]), "")
    path = PurePosixPath(folder)
    if not folder or path.is_absolute() or ".." in path.parts:
        raise Misconfigured(
            "no-folder-of-mount",
            f"Mount {mount['name']} needs a folder inside its claim.",
            remedy=f"Add --folder {mount['name']}=PATH, without a leading slash.",
        )
    return {
        "name": "build" if mount["writable"] else "archive",
        "mountPath": mount["path"],
        "subPath": folder,
        "readOnly": not mount["writable"],
    }
