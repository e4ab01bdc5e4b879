"""``/xapi/docker``: the engine, its images, commands that images carry in a label."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.routing import Route

from lethe.archive.containers import hubs, registry
from lethe.archive.containers.api.call import Call, route
from lethe.archive.containers.runner import Runner
from lethe.archive.containers.settings import ServerSettings
from lethe.archive.context import Context
from lethe.archive.problem import Problem
from lethe.archive.web.answers import as_json, text
from lethe.errors import Refused, Unavailable

if TYPE_CHECKING:
    from lethe.archive.containers.backends.engine import DockerBackend

_LABEL = "org.nrg.commands"
_PING_SECONDS = 5.0


def routes(ctx: Context, runner: Runner) -> list[Route]:
    """Return the routes."""
    server = Server(ctx, runner)
    return [
        route(ctx, "/xapi/docker/server", "GET", server.show),
        route(ctx, "/xapi/docker/server", "POST", server.change),
        route(ctx, "/xapi/docker/server/ping", "GET", server.ping),
        route(ctx, "/xapi/docker/images", "GET", server.images),
        route(ctx, "/xapi/docker/image-summaries", "GET", server.summaries),
        route(ctx, "/xapi/docker/images/save", "POST", server.save),
        route(ctx, "/xapi/docker/pull", "POST", server.pull),
        route(ctx, "/xapi/docker/hubs", "GET", _hubs),
        route(ctx, "/xapi/docker/hubs", "POST", _new_hub),
        route(ctx, "/xapi/docker/hubs/{hub}/ping", "GET", _ping_hub),
        route(ctx, "/xapi/docker/hubs/{hub}/pull", "POST", server.pull),
        route(ctx, "/xapi/docker/hubs/{hub}", "GET", _hub),
        route(ctx, "/xapi/docker/hubs/{hub}", "POST PUT", _change_hub),
        route(ctx, "/xapi/docker/hubs/{hub}", "DELETE", _delete_hub),
    ]


class Server:
    """Handlers that talk to the engine."""

    def __init__(self, ctx: Context, runner: Runner) -> None:
        self._ctx, self._runner = ctx, runner

    def _ready(self) -> bool:
        """Commands can be run: by the engine, or without one by the process backend."""
        return self._ctx.backend != "docker" or self._runner.docker().answers()

    def show(self, call: Call) -> Response:
        """``GET /docker/server``."""
        call.manager()
        return as_json({**ServerSettings(self._ctx).document(), "ping": self._ready()})

    def change(self, call: Call) -> Response:
        """``POST /docker/server``."""
        call.manager()
        wish = call.json()
        if not isinstance(wish, dict):
            raise Problem(400, "The body must be a JSON object.")
        settings = ServerSettings(self._ctx)
        settings.change(wish)
        return as_json({**settings.document(), "ping": self._ready()}, 201)

    def ping(self, call: Call) -> Response:
        """``GET /docker/server/ping``."""
        call.manager()
        if not self._ready():
            raise Problem(424, "No Docker engine answers.")
        return text("OK")

    def _engine(self, call: Call) -> DockerBackend:
        call.manager()
        docker = self._runner.docker()
        if not docker.answers():
            raise Problem(424, "No Docker engine answers.")
        return docker

    def images(self, call: Call) -> Response:
        """``GET /docker/images``."""
        return as_json(self._engine(call).images())

    def summaries(self, call: Call) -> Response:
        """``GET /docker/image-summaries``: images, those of registered commands first."""
        rows = self._engine(call).images()
        by_tag = {tag: row for row in rows for tag in row["tags"]}
        summaries: dict[str, dict[str, Any]] = {}
        for command in registry.documents(self._ctx):
            image = by_tag.get(command["image"])
            key = image["image-id"] if image else command["image"]
            summaries.setdefault(key, _summary(image, command["image"]))["commands"].append(command)
        for row in rows:
            if row["tags"]:
                summaries.setdefault(row["image-id"], _summary(row, row["tags"][0]))
        return as_json(list(summaries.values()))

    def save(self, call: Call) -> Response:
        """``POST /docker/images/save?image=``: register what an image carries in its label."""
        return as_json(self._save(call, self._engine(call), _named(call)))

    def pull(self, call: Call) -> Response:
        """``POST /docker/pull?image=&save-commands=`` from the default hub, or below a hub."""
        engine = self._engine(call)
        wanted = call.path.get("hub") or next(
            str(hub["id"]) for hub in hubs.listing(self._ctx) if hub["default"]
        )
        image = hubs.full_name(hubs.find(self._ctx, wanted), _named(call))
        try:
            engine.pull(image)
        except Unavailable as error:
            raise Problem(500, error.sentence) from error
        save = call.query.get("save-commands", "false").lower() not in ("false", "0")
        return as_json(self._save(call, engine, image) if save else [])

    def _save(self, call: Call, engine: DockerBackend, image: str) -> list[dict[str, Any]]:
        try:
            listed = json.loads(engine.image_labels(image).get(_LABEL, "[]"))
        except Refused as refusal:
            raise Problem(404, refusal.sentence) from refusal
        except ValueError as error:
            raise Problem(400, f"The label {_LABEL} of the image is not JSON.") from error
        entries = listed if isinstance(listed, list) else [listed]
        commands = [registry.parsed(entry, image=image) for entry in entries]
        with self._ctx.store.write():
            numbers = [
                registry.add_command(self._ctx, command, login=call.user.login) for command in commands
            ]
            return [registry.document(self._ctx, number) for number in numbers]


# ---- hubs -------------------------------------------------------------------------------------------------


def _hubs(call: Call) -> Response:
    call.manager()
    return as_json(hubs.listing(call.ctx))


def _hub(call: Call) -> Response:
    call.manager()
    return as_json(hubs.find(call.ctx, call.path["hub"]))


def _wish(call: Call) -> dict[str, Any]:
    wish = call.json() or {}
    if not isinstance(wish, dict):
        raise Problem(400, "The body must be a JSON object.")
    return wish


def _is_default(call: Call) -> bool:
    return call.query.get("default", "false").lower() not in ("false", "0")


def _new_hub(call: Call) -> Response:
    call.manager()
    number = hubs.save(call.ctx, _wish(call), default=_is_default(call))
    return as_json(hubs.find(call.ctx, str(number)), 201)


def _change_hub(call: Call) -> Response:
    call.manager()
    number, wish = int(hubs.find(call.ctx, call.path["hub"])["id"]), _wish(call)
    if wish:
        hubs.save(call.ctx, wish, number=number, default=_is_default(call))
    elif _is_default(call):
        hubs.choose(call.ctx, number)
    return as_json(hubs.find(call.ctx, str(number)))


def _delete_hub(call: Call) -> Response:
    call.manager()
    hubs.delete(call.ctx, int(hubs.find(call.ctx, call.path["hub"])["id"]))
    return Response(status_code=204)


def _ping_hub(call: Call) -> Response:
    """Tell whether something listens at the address of a hub."""
    call.manager()
    hub = hubs.find(call.ctx, call.path["hub"])
    parts = urlsplit(str(hub["url"]))
    if parts.hostname:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            with socket.create_connection((parts.hostname, port), _PING_SECONDS):
                pass
        except OSError:
            raise Problem(500, "The hub does not answer.") from None
    return text("OK")


def _named(call: Call) -> str:
    image = call.query.get("image", "")
    if not image:
        raise Problem(400, "Name an image.")
    return image


def _summary(image: dict[str, Any] | None, name: str) -> dict[str, Any]:
    return {
        "server": "Local" if image else None,
        "image-id": image["image-id"] if image else None,
        "image-names": image["tags"] if image else [name],
        "commands": [],
    }
