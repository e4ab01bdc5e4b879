"""The core's addresses below ``/xapi``: schemas, site configuration, plugins, access."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from importlib.metadata import version
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from lethe.archive import access, items
from lethe.archive.context import Context
from lethe.archive.problem import Problem, not_found
from lethe.archive.settings import OPEN
from lethe.archive.types.table import NAMESPACES, TYPES
from lethe.archive.types.xsd import schema
from lethe.archive.web import answers, custom, pars
from lethe.archive.web.request import Call
from lethe.archive.web.services import in_thread
from lethe.governance.roles import Right

BUILD = {
    "version": "1.9.2",
    "buildNumber": "Manual",
    "buildDate": "Wed May 01 10:15:00 UTC 2024",
    "buildId": "lethe",
    "commit": "n/a",
    "branch": "main",
    "isDirty": "false",
    "implementation": "lethe.archive",
}
"""What the server says it is; clients choose their dialect by ``version``."""

PLUGINS = {
    "containers": {
        "id": "containers", "name": "Container Service Plugin", "version": "3.7.3",
        "pluginClass": "org.nrg.containers.config.ContainersConfig", "beanName": "containersConfig",
        "logConfigurationFile": None,
    },
    "lethe": {
        "id": "lethe", "name": "Lethe", "version": version("lethe"),
        "pluginClass": "example.lethe.LethePlugin", "beanName": "lethePlugin", "logConfigurationFile": None,
    },
}  # fmt: skip
"""Plugins of a real XNAT whose REST surface, data types and pages are here."""


def routes(ctx: Context) -> list[BaseRoute]:
    """Return the routes of this module."""
    started = time.monotonic()

    def uptime(call: Call, names: dict[str, str]) -> Response:
        seconds = int(time.monotonic() - started)
        days, rest = divmod(seconds, 86400)
        hours, rest = divmod(rest, 3600)
        return answers.as_json(
            {
                "Days": str(days),
                "Hours": str(hours),
                "Minutes": str(rest // 60),
                "Seconds": f"{rest % 60}.000",
            }
        )

    get_post, any_way = ["GET", "POST"], ["GET", "PUT", "DELETE"]
    return [
        Route("/xapi/siteConfig/buildInfo", in_thread(ctx, lambda call, _: answers.as_json(build()))),
        Route("/xapi/siteConfig/buildInfo/{key}", in_thread(ctx, _build_property)),
        Route("/xapi/siteConfig/uptime", in_thread(ctx, uptime)),
        Route("/xapi/siteConfig/values/{keys}", in_thread(ctx, _values)),
        Route("/xapi/siteConfig", in_thread(ctx, _site), methods=get_post),
        Route("/xapi/siteConfig/{key}", in_thread(ctx, _property), methods=get_post),
        Route("/xapi/plugins", in_thread(ctx, lambda call, _: answers.as_json(PLUGINS))),
        Route("/xapi/plugins/{id}", in_thread(ctx, _plugin)),
        Route("/xapi/schemas", in_thread(ctx, lambda call, _: answers.as_json(list(NAMESPACES)))),
        Route("/xapi/schemas/datatypes", in_thread(ctx, _types)),
        Route("/xapi/schemas/datatypes/all", in_thread(ctx, _types)),
        Route("/xapi/schemas/{name:path}", in_thread(ctx, _schema)),
        Route("/xapi/custom-fields/{path:path}", in_thread(ctx, custom.serve), methods=any_way),
        Route("/xapi/access/projects", in_thread(ctx, _projects)),
        Route("/xapi/projects/{project}/access-requests", in_thread(ctx, _access_requests), methods=get_post),
    ]


def build() -> dict[str, str]:
    """Return the build information, with the version of the library."""
    return {**BUILD, "letheVersion": version("lethe")}


def _build_property(call: Call, names: dict[str, str]) -> Response:
    found = build().get(names["key"])
    if found is None:
        raise Problem(404, "There is no such property.")
    return answers.text(found)


# ---- site configuration -------------------------------------------------------------------------


def _site(call: Call, names: dict[str, str]) -> Response:
    access.require_admin(call.user)
    if call.method == "POST":
        for key, value in (_document(call) if not call.form else call.form).items():
            _set(call, key, value)
        return answers.text("")
    return answers.as_json({**call.ctx.settings.all(), "siteUrl": _shown(call, "siteUrl")})


def _document(call: Call) -> dict[str, Any]:
    try:
        found = json.loads(call.body or b"{}")
    except ValueError:
        raise Problem(400, "The body is not JSON.") from None
    if not isinstance(found, dict):
        raise Problem(400, "The body is not a JSON object.")
    return found


def _set(call: Call, key: str, value: Any) -> None:
    default = call.ctx.settings.get(key)
    if isinstance(value, str) and not isinstance(default, str):
        with suppress(ValueError):
            value = json.loads(value)
    if isinstance(default, bool) and not isinstance(value, bool):
        raise Problem(400, "This property is true or false.")
    call.ctx.settings.set(key, value)


def _property(call: Call, names: dict[str, str]) -> Response:
    key = names["key"]
    if call.method == "POST":
        access.require_admin(call.user)
        text = call.body.decode(errors="replace").strip()
        _set(call, key, _text(text) if "json" in call.headers.get("content-type", "") else text)
        return answers.text("")
    if key not in OPEN:
        access.require_admin(call.user)
    value = _shown(call, key)
    if value is None:
        raise Problem(404, "There is no such property.")
    return answers.as_json(value)


def _text(body: str) -> str:
    """Return the text that a JSON body is; any other value stays as it is written."""
    with suppress(ValueError):
        value = json.loads(body)
        return value if isinstance(value, str) else body
    return body


def _values(call: Call, names: dict[str, str]) -> Response:
    keys = names["keys"].split(",")
    if not set(keys) <= OPEN:
        access.require_admin(call.user)
    return answers.as_json({key: _shown(call, key) for key in keys})


def _shown(call: Call, key: str) -> Any:
    """Return a property; a site that was told no address shows the one it listens on."""
    value = call.ctx.settings.get(key)
    return (value or call.ctx.http_url) if key == "siteUrl" else value


# ---- schemas, plugins, access -------------------------------------------------------------------


def _schema(call: Call, names: dict[str, str]) -> Response:
    prefix = names["name"].split("/")[0]
    if prefix not in NAMESPACES or names["name"] not in {prefix, f"{prefix}/{prefix}"}:
        raise Problem(404, "There is no such schema.")
    return Response(schema(prefix), media_type="application/xml")


def _types(call: Call, names: dict[str, str]) -> Response:
    return answers.as_json(sorted(TYPES))


def _plugin(call: Call, names: dict[str, str]) -> Response:
    found = PLUGINS.get(names["id"])
    if found is None:
        raise Problem(404, "There is no such plugin.")
    return answers.as_json(found)


def _projects(call: Call, names: dict[str, str]) -> Response:
    readable = access.readable_projects(call.ctx, call.user)
    found = [
        p for p in items.many(call.ctx, "kind = 'project' ORDER BY id COLLATE NOCASE") if p.id in readable
    ]
    return answers.as_json(
        [
            {
                "ID": project.id,
                "name": project.data.get("name", project.id),
                "secondary_ID": project.data.get("secondary_ID", project.id),
                "description": project.data.get("description", ""),
                "role": access.role_in(call.ctx, call.user, project.id).value.capitalize(),
                "accessibility": access.visibility(call.ctx, project.id).value,
            }
            for project in found
        ]
    )


def _access_requests(call: Call, names: dict[str, str]) -> Response:
    project = items.find_project(call.ctx, names["project"])
    if project is None:
        raise not_found("project")
    if not access.right(call.ctx, call.user, project.id, Right.SEE) and call.user.is_guest:
        raise not_found("project")
    if call.method == "GET":
        return pars.requests(call, project.id)
    return pars.request_access(call, project.id)
