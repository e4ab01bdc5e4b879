"""What ``/xapi/docker/server`` shows and stores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lethe.archive.context import Context
from lethe.archive.problem import Problem

_KEY = "containers.server"
_DEFAULTS: dict[str, Any] = {
    "id": 1,
    "name": "Local",
    "host": "unix:///var/run/docker.sock",
    "cert-path": None,
    "backend": "docker",
    "swarm-mode": False,
    "path-translation-xnat-prefix": None,
    "path-translation-docker-prefix": None,
    "pull-images-on-xnat-init": False,
    "container-user": None,
    "auto-cleanup": True,
    "swarm-constraints": [],
    "max-concurrent-finalizing-jobs": None,
    "status-email-enabled": True,
    "gpu-vendor": None,
    "archive-pvc-name": None,
    "build-pvc-name": None,
    "combined-pvc-name": None,
    "archive-path-translation": None,
    "build-path-translation": None,
    "combined-path-translation": None,
}
_USED = (
    "name",
    "host",
    "container-user",
    "path-translation-xnat-prefix",
    "path-translation-docker-prefix",
)


class ServerSettings:
    """The engine's settings, kept in the database."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    def document(self) -> dict[str, Any]:
        """Return the settings as ``GET /docker/server`` shows them, without ``ping``."""
        return {**_DEFAULTS, **self._ctx.store.setting(_KEY, {})}

    def change(self, wish: Mapping[str, Any]) -> None:
        """Store new settings; what the embedded archive cannot do is refused.

        Raises
        ------
        Problem
            400 for an unknown backend, Swarm or Kubernetes settings, a container user that is not
            ``uid`` or ``uid:gid`` or that is root.
        """
        if wish.get("backend", "docker") not in ("docker", "process"):
            raise Problem(400, "The embedded archive runs containers with Docker on one machine only.")
        if wish.get("swarm-mode"):
            raise Problem(400, "The embedded archive does not use Docker Swarm.")
        self._check_user(wish.get("container-user"))
        stored = {key: wish[key] for key in _USED if key in wish}
        self._ctx.store.set_setting(_KEY, {**self._ctx.store.setting(_KEY, {}), **stored})

    def _check_user(self, user: object) -> None:
        if user in (None, ""):
            return
        numbers = str(user).split(":")
        if len(numbers) > 2 or not all(number.isdecimal() for number in numbers) or int(numbers[0]) == 0:
            raise Problem(400, "The container user is uid or uid:gid in numbers, and not root.")

    @property
    def container_user(self) -> str:
        """``uid:gid`` for containers, empty for the default."""
        return str(self.document()["container-user"] or "")

    @property
    def host(self) -> str:
        """Address of the engine; empty unless it was set."""
        return str(self._ctx.store.setting(_KEY, {}).get("host") or "")

    @property
    def translation(self) -> tuple[str, str]:
        """Prefix of archive paths here and on the engine's machine."""
        found = self.document()
        return (
            str(found["path-translation-xnat-prefix"] or ""),
            str(found["path-translation-docker-prefix"] or ""),
        )
