"""What ``/xapi/docker/server`` shows and stores."""

from __future__ import annotations

import re
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
    "backend",
    "swarm-mode",
    "swarm-constraints",
)
_CONSTRAINT = re.compile(r"(node|engine)\.[\w.-]+")


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
            400 for an unknown backend, Kubernetes settings, constraints that are none, a container user that
            is not ``uid`` or ``uid:gid`` or that is root.
        """
        if wish.get("backend", "docker") not in ("docker", "process", "swarm"):
            raise Problem(400, "The embedded archive runs containers with Docker, alone or as a swarm.")
        self._check_user(wish.get("container-user"))
        for one in wish.get("swarm-constraints") or ():
            _constraint(one)
        stored = {key: wish[key] for key in _USED if key in wish}
        if "backend" in stored or "swarm-mode" in stored:
            # two spellings of one setting: the later version of the Container Service names the backend
            swarm = stored.get("backend") == "swarm" or bool(stored.get("swarm-mode"))
            stored |= {"backend": "swarm" if swarm else "docker", "swarm-mode": swarm}
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
    def swarm(self) -> bool:
        """Whether runs are services of a swarm."""
        return bool(self.document()["swarm-mode"])

    @property
    def constraints(self) -> tuple[str, ...]:
        """Which nodes of the swarm may run commands, as the engine writes it."""
        return tuple(_constraint(one) for one in self.document()["swarm-constraints"] or ())

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


def _constraint(wish: object) -> str:
    """Return ``node.role==worker`` for a constraint of the Container Service; its first value counts."""
    if isinstance(wish, Mapping):
        attribute, values = str(wish.get("attribute") or ""), wish.get("values") or ()
        sign, value = str(wish.get("comparator") or "=="), str(next(iter(values), ""))
        if _CONSTRAINT.fullmatch(attribute) and sign in ("==", "!=") and value:
            return f"{attribute}{sign}{value}"
    raise Problem(400, "A constraint has attribute (node.role), comparator (== or !=) and values.")
