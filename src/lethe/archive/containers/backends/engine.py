"""Run a command in a Docker container that can do nothing but read its input and write its output."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests
from docker.api.client import APIClient
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.utils.utils import kwargs_from_env

from lethe.archive.containers.backends import (
    LOG_BYTES,
    RUN_LABEL,
    STDERR,
    STDOUT,
    Cause,
    Ending,
    RunSpec,
    Signals,
)
from lethe.errors import Refused, Unavailable

Json = dict[str, Any]

_Client: Any = APIClient  # the SDK has no annotations
_from_env: Any = kwargs_from_env
_ANSWER_SECONDS = 5
_CALL_SECONDS = 60
_WAIT_SECONDS = 1
PIDS = 1024
TMP_MIB = 1024
_KILLED_BY_SIGNAL = 137


class DockerBackend:
    """Runs commands on a Docker engine.

    Parameters
    ----------
    host : str
        Address of the engine; empty for the environment's (``DOCKER_HOST``, else the local socket).
    translate : tuple of str
        Prefix of archive paths and what the engine's machine calls it; both empty for the same machine.
    """

    name = "docker"

    def __init__(self, host: str = "", translate: tuple[str, str] = ("", "")) -> None:
        self._host = host
        self._translate = translate
        self._api: Any = None
        self._lock = threading.Lock()

    # ---- the engine -----------------------------------------------------------------------------

    def api(self) -> Any:
        """Return the engine's low-level client.

        Raises
        ------
        Unavailable
            No engine answers.
        """
        with self._lock:
            if self._api is None:
                self._api = self._connect()
            return self._api

    def _connect(self) -> Any:
        settings: dict[str, Any] = {"base_url": self._host} if self._host else _from_env()
        try:
            api = _Client(**settings, timeout=_CALL_SECONDS)
            api.timeout = _ANSWER_SECONDS
            api.ping()
            api.timeout = _CALL_SECONDS
        except (DockerException, requests.RequestException, OSError) as error:
            raise Unavailable(
                "no-engine",
                "No Docker engine answers.",
                remedy="Start the engine, or serve the archive with --backend process.",
            ) from error
        return api

    def answers(self) -> bool:
        """Return whether the engine answers now."""
        try:
            self.api().ping()
        except (Unavailable, DockerException, requests.RequestException):
            with self._lock:
                self._api = None
            return False
        return True

    def has_image(self, image: str) -> bool:
        """Return whether an image is on the engine's machine."""
        try:
            self.api().inspect_image(image)
        except (Unavailable, DockerException, requests.RequestException):
            return False
        return True

    # ---- runs -----------------------------------------------------------------------------------

    def start(self, spec: RunSpec) -> str:
        """Create and start the container; return its id."""
        api = self.api()
        self.remove(spec)
        try:
            handle = str(api.create_container(**self._description(api, spec))["Id"])
            api.start(handle)
        except ImageNotFound as error:
            raise Unavailable(
                "no-image",
                f"The image {spec.image} is not on this machine.",
                remedy="Build it with scripts/build-images or pull it.",
            ) from error
        except (APIError, requests.RequestException) as error:
            self.remove(spec)
            raise Unavailable(
                "engine-error", f"The engine refused to start the container: {why(error)}"
            ) from error
        return handle

    def _description(self, api: Any, spec: RunSpec) -> dict[str, Any]:
        line = ["/bin/sh", "-c", spec.command_line]
        entry = (
            {"entrypoint": line[:2], "command": line[2:]} if spec.override_entrypoint else {"command": line}
        )
        return {
            "image": spec.image,
            "name": spec.name,
            "environment": {"HOME": "/tmp", **spec.environment},  # noqa: S108
            "labels": dict(spec.labels),
            "user": spec.user,
            "working_dir": spec.working_directory or None,
            "network_disabled": True,
            "host_config": self._host_config(api, spec),
            **entry,
        }

    def _host_config(self, api: Any, spec: RunSpec) -> Any:
        limits = spec.limits
        memory = int(limits.memory_mib * (1 << 20)) if limits.memory_mib else None
        reserved = int(limits.reserve_memory_mib * (1 << 20)) if limits.reserve_memory_mib else None
        return api.create_host_config(
            binds={
                self._outside(bind.host): {"bind": bind.inside, "mode": "rw" if bind.writable else "ro"}
                for bind in spec.binds
            },
            network_mode="none",
            read_only=True,
            tmpfs={"/tmp": f"rw,nosuid,nodev,mode=1777,size={TMP_MIB}m"},  # noqa: S108
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            pids_limit=PIDS,
            mem_limit=memory,
            memswap_limit=memory,  # no swap on top
            mem_reservation=reserved if reserved and (memory is None or reserved < memory) else None,
            nano_cpus=int(limits.cpus * 1e9) if limits.cpus else None,
            shm_size=limits.shm_bytes,
            log_config={"Type": "json-file", "Config": {"max-size": f"{LOG_BYTES >> 20}m", "max-file": "2"}},
        )

    def _outside(self, host: Path) -> str:
        ours, theirs = self._translate
        path = str(host)
        return theirs + path[len(ours) :] if ours and theirs and path.startswith(ours) else path

    def wait(self, handle: str, spec: RunSpec, signals: Signals) -> Ending:
        """Wait for the container; its streams are written to the log files meanwhile."""
        readers = [
            threading.Thread(target=self._read_log, args=(handle, spec, name), daemon=True)
            for name in (STDOUT, STDERR)
        ]
        for reader in readers:
            reader.start()
        cause = self._watch(handle, spec, signals)
        if cause is Cause.DETACHED:
            return Ending(cause)
        if cause is not Cause.EXITED:
            with suppress(APIError, requests.RequestException):
                self.api().kill(handle)
        for reader in readers:
            reader.join(_ANSWER_SECONDS)
        return self._ending(handle, cause)

    def _watch(self, handle: str, spec: RunSpec, signals: Signals) -> Cause:
        deadline = time.monotonic() + spec.timeout_seconds
        while True:
            if signals.kill.is_set():
                return Cause.KILLED
            if signals.detach.is_set():
                return Cause.DETACHED
            if time.monotonic() > deadline:
                return Cause.TIMEOUT
            if any(size(spec.logs / name) > LOG_BYTES for name in (STDOUT, STDERR)):
                return Cause.LOG_FULL
            try:
                self.api().wait(handle, timeout=_WAIT_SECONDS)
                return Cause.EXITED
            except NotFound:
                return Cause.LOST
            except (requests.exceptions.Timeout, requests.exceptions.ConnectionError):
                continue  # still running: the engine answers a wait only at the end
            except Unavailable:
                signals.kill.wait(_WAIT_SECONDS)  # the engine restarts

    def _ending(self, handle: str, cause: Cause) -> Ending:
        try:
            state = self.api().inspect_container(handle)["State"]
        except NotFound:
            return Ending(Cause.LOST)
        code = int(state.get("ExitCode", 0))
        if cause is Cause.EXITED and state.get("OOMKilled") and code:
            return Ending(Cause.OUT_OF_MEMORY, code)
        return Ending(cause, code or _KILLED_BY_SIGNAL if cause is not Cause.EXITED else code)

    def _read_log(self, handle: str, spec: RunSpec, name: str) -> None:
        """Copy one stream from the start of the container, until it ends."""
        wanted = {"stdout": name == STDOUT, "stderr": name == STDERR}
        with (
            (spec.logs / name).open("wb", buffering=0) as target,
            suppress(APIError, Unavailable, requests.RequestException, OSError),
        ):
            api = self._connect()
            api.timeout = None  # a silent run sends nothing for hours
            for piece in api.logs(handle, stream=True, follow=True, **wanted):
                target.write(piece)

    def find(self, spec: RunSpec) -> str | None:
        """Return the id of the container of this name, running or ended."""
        try:
            return str(self.api().inspect_container(spec.name)["Id"])
        except NotFound:
            return None

    def remove(self, spec: RunSpec) -> None:
        """Remove the containers of this run, of whatever attempt or step, ending them if they work."""
        wanted = {"label": f"{RUN_LABEL}={spec.labels[RUN_LABEL]}"}
        with suppress(NotFound, APIError, requests.RequestException, Unavailable):
            for found in self.api().containers(all=True, filters=wanted):
                self.api().remove_container(found["Id"], force=True, v=True)

    def run_names(self) -> set[str]:
        """Return the names of all runs whose containers the engine knows, of this archive or another."""
        try:
            found = self.api().containers(all=True, filters={"label": RUN_LABEL})
        except (Unavailable, APIError, requests.RequestException):
            return set()
        return {str(one["Labels"][RUN_LABEL]) for one in found}

    # ---- images ---------------------------------------------------------------------------------

    def images(self) -> list[Json]:
        """Return the engine's images: ``image-id``, ``tags``, ``labels``."""
        return [
            {
                "image-id": row["Id"],
                "tags": list(row.get("RepoTags") or []),
                "labels": dict(row.get("Labels") or {}),
            }
            for row in self.api().images()
        ]

    def image_labels(self, image: str) -> dict[str, str]:
        """Return the labels of an image.

        Raises
        ------
        Refused
            The image is not on the engine's machine.
        """
        try:
            return dict(self.api().inspect_image(image)["Config"].get("Labels") or {})
        except NotFound as error:
            raise Refused("no-image", f"The image {image} is not on this machine.") from error

    def pull(self, image: str) -> None:
        """Fetch an image.

        Raises
        ------
        Unavailable
            It cannot be had.
        """
        try:
            self.api().pull(image)
        except (APIError, requests.RequestException) as error:
            raise Unavailable("no-pull", f"The image {image} could not be pulled.") from error


def size(path: Path) -> int:
    """Return the size of a file, 0 while it is not there."""
    return path.stat().st_size if path.exists() else 0


def why(error: Exception) -> str:
    """Return what the engine said, or the kind of the error."""
    return str(getattr(error, "explanation", None) or type(error).__name__)
