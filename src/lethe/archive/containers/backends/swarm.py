"""Run a command as a service of a Docker Swarm: one task, run once, on a node that the constraints allow."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests
from docker import types
from docker.errors import APIError, NotFound

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
from lethe.archive.containers.backends.engine import PIDS, TMP_MIB, DockerBackend, size, why
from lethe.errors import Unavailable

Json = dict[str, Any]

_types: Any = types  # the SDK has no annotations
NETWORK = "lethe-closed"
"""Network of the services: internal, so nothing leads out of it. A service can have no `none` network."""
_POLL_SECONDS = 0.5
_OUT_OF_MEMORY = 137
_MIB = 1 << 20


class SwarmBackend(DockerBackend):
    """Runs commands as services of the swarm that the engine manages.

    Parameters
    ----------
    host, translate
        As for `DockerBackend`. Every node must see the archive's folders under the translated path.
    constraints : tuple of str
        Which nodes may run a command, such as ``node.labels.images==true``.
    """

    name = "swarm"

    def __init__(
        self, host: str = "", translate: tuple[str, str] = ("", ""), constraints: tuple[str, ...] = ()
    ) -> None:
        super().__init__(host, translate)
        self._constraints = constraints

    def start(self, spec: RunSpec) -> str:
        """Create the service; return its id. Which node takes it, and when, the swarm decides."""
        api = self.api()
        self.remove(spec)
        try:
            self._require_network(api)
            made = api.create_service(
                self._task(spec),
                name=spec.name,
                labels=dict(spec.labels),
                mode=_types.ServiceMode("replicated-job", replicas=1),
            )
        except (APIError, requests.RequestException) as error:
            self.remove(spec)
            raise Unavailable("swarm-error", f"The swarm refused to start the run: {why(error)}") from error
        return str(made["ID"])

    def _require_network(self, api: Any) -> None:
        if api.networks(names=[NETWORK]):
            return
        try:
            api.create_network(NETWORK, driver="overlay", internal=True, scope="swarm")
        except APIError:
            if not api.networks(names=[NETWORK]):  # else another run was quicker
                raise

    def _task(self, spec: RunSpec) -> Any:
        limits = spec.limits
        resources = _types.Resources(
            cpu_limit=int(limits.cpus * 1e9) if limits.cpus else None,
            mem_limit=int(limits.memory_mib * _MIB) if limits.memory_mib else None,
            mem_reservation=int(limits.reserve_memory_mib * _MIB) if limits.reserve_memory_mib else None,
        )
        resources.setdefault("Limits", {})["Pids"] = PIDS
        return _types.TaskTemplate(
            self._container(spec),
            resources=resources,
            restart_policy=_types.RestartPolicy(condition="none"),
            placement=_types.Placement(constraints=list(self._constraints)),
            log_driver=_types.DriverConfig("json-file", {"max-size": f"{LOG_BYTES >> 20}m", "max-file": "2"}),
            networks=[NETWORK],
        )

    def _container(self, spec: RunSpec) -> Any:
        """Return the container of the task; a service replaces the image's entrypoint by its command."""
        binds = [
            _types.Mount(bind.inside, self._outside(bind.host), type="bind", read_only=not bind.writable)
            for bind in spec.binds
        ]
        scratch = _types.Mount("/tmp", None, type="tmpfs", tmpfs_size=TMP_MIB * _MIB, tmpfs_mode=0o1777)  # noqa: S108
        environment = {"HOME": "/tmp", **spec.environment}  # noqa: S108
        return _types.ContainerSpec(
            spec.image,
            command=["/bin/sh", "-c", spec.command_line],
            env=[f"{name}={value}" for name, value in environment.items()],
            labels=dict(spec.labels),
            mounts=[*binds, scratch],
            user=spec.user,
            workdir=spec.working_directory or None,
            read_only=True,
            cap_drop=["ALL"],
        )

    # ---- following ------------------------------------------------------------------------------

    def wait(self, handle: str, spec: RunSpec, signals: Signals) -> Ending:
        """Wait for the task; what its streams hold is written to the log files meanwhile and at the end."""
        for name in (STDOUT, STDERR):
            threading.Thread(target=self._read_log, args=(handle, spec, name), daemon=True).start()
        cause, task = self._follow(handle, spec, signals)
        if cause is Cause.DETACHED:
            return Ending(cause)
        if cause is Cause.EXITED:
            for name in (STDOUT, STDERR):
                self._keep_log(handle, spec, name)
        else:
            with suppress(APIError, requests.RequestException):
                self.api().remove_service(handle)
        return self._ended(cause, task)

    def _follow(self, handle: str, spec: RunSpec, signals: Signals) -> tuple[Cause, Json]:
        deadline = time.monotonic() + spec.timeout_seconds
        while True:
            if signals.kill.is_set():
                return Cause.KILLED, {}
            if signals.detach.is_set():
                return Cause.DETACHED, {}
            if time.monotonic() > deadline:
                return Cause.TIMEOUT, {}
            if any(size(spec.logs / stream) > LOG_BYTES for stream in (STDOUT, STDERR)):
                return Cause.LOG_FULL, {}
            try:
                tasks = self.api().tasks(filters={"service": handle})
            except NotFound:
                return Cause.LOST, {}
            except (APIError, Unavailable, requests.RequestException):
                tasks = None  # the manager restarts
            if tasks == [] and self._is_gone(handle):
                return Cause.LOST, {}
            state = tasks[0]["Status"] if tasks else {}
            if state.get("State") in ("rejected", "orphaned"):
                return Cause.REJECTED, state
            if state.get("State") in ("complete", "failed", "shutdown", "remove"):
                return Cause.EXITED, state
            signals.kill.wait(_POLL_SECONDS)

    def _is_gone(self, handle: str) -> bool:
        try:
            self.api().inspect_service(handle)
        except NotFound:
            return True
        except (APIError, Unavailable, requests.RequestException):
            return False
        return False

    def _ended(self, cause: Cause, state: Json) -> Ending:
        if cause is Cause.REJECTED:
            return Ending(cause, why=f"No node of the swarm ran it: {state.get('Err', 'nothing was said')}")
        if cause is not Cause.EXITED:
            return Ending(cause)
        container = state.get("ContainerStatus") or {}
        code = int(container.get("ExitCode") or 0)
        if state.get("State") != "complete" and not code:
            return Ending(Cause.LOST)
        if code == _OUT_OF_MEMORY and self._was_starved(str(container.get("ContainerID", ""))):
            return Ending(Cause.OUT_OF_MEMORY, code)
        return Ending(cause, code)

    def _was_starved(self, container: str) -> bool:
        """Tell whether the kernel ended a container for its memory; only its own node knows."""
        with suppress(APIError, requests.RequestException):
            return bool(self.api().inspect_container(container)["State"].get("OOMKilled"))
        return False

    def _read_log(self, handle: str, spec: RunSpec, name: str) -> None:
        """Copy one stream while the task works; the stream of a service has no end of its own."""
        self._copy(handle, name, spec.logs / name, follow=True)

    def _keep_log(self, handle: str, spec: RunSpec, name: str) -> None:
        """Store the whole of one stream of a task that has ended."""
        fresh = spec.logs / f"{name}.new"
        self._copy(handle, name, fresh, follow=False)
        fresh.replace(spec.logs / name)

    def _copy(self, handle: str, name: str, target: Path, *, follow: bool) -> None:
        wanted = {"stdout": name == STDOUT, "stderr": name == STDERR}
        with (
            target.open("wb", buffering=0) as stream,
            suppress(APIError, Unavailable, requests.RequestException, OSError),
        ):
            api = self._connect()
            api.timeout = None if follow else api.timeout
            for piece in api.service_logs(handle, follow=follow, is_tty=False, **wanted):
                stream.write(piece)

    # ---- what is known --------------------------------------------------------------------------

    def find(self, spec: RunSpec) -> str | None:
        """Return the id of the service of this name."""
        try:
            return str(self.api().inspect_service(spec.name)["ID"])
        except NotFound:
            return None

    def remove(self, spec: RunSpec) -> None:
        """Remove the services of this run, of whatever attempt or step, ending them if they work."""
        wanted = {"label": f"{RUN_LABEL}={spec.labels[RUN_LABEL]}"}
        with suppress(NotFound, APIError, requests.RequestException, Unavailable):
            for found in self.api().services(filters=wanted):
                self.api().remove_service(found["ID"])

    def run_names(self) -> set[str]:
        """Return the names of all runs whose services the swarm knows, of this archive or another."""
        try:
            found = self.api().services(filters={"label": RUN_LABEL})
        except (Unavailable, APIError, requests.RequestException):
            return set()
        return {str(one["Spec"]["Labels"][RUN_LABEL]) for one in found}

    def has_image(self, image: str) -> bool:
        """Return True: which nodes hold an image only the nodes know; a run on none is rejected."""
        return True
