"""``/xapi/commands`` and ``/xapi/wrappers``: definitions, enablement, settings, what is available."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response
from starlette.routing import Route

from lethe.archive.containers import registry, rights, views
from lethe.archive.containers.api.call import Call, Handler, route
from lethe.archive.context import Context
from lethe.archive.problem import Problem
from lethe.archive.web.answers import as_json, text


def routes(ctx: Context) -> list[Route]:
    """Return the routes; the more specific ones first."""
    x = "/xapi"
    found = [
        route(ctx, f"{x}/commands/available/site", "GET", _available_site),
        route(ctx, f"{x}/commands/available", "GET", _available),
        route(ctx, f"{x}/projects/{{project}}/commands/available", "GET", _available),
        route(ctx, f"{x}/commands", "GET", _list),
        route(ctx, f"{x}/commands", "POST", _create),
        route(ctx, f"{x}/commands/{{cid}}", "GET", _read),
        route(ctx, f"{x}/commands/{{cid}}", "POST", _replace),
        route(ctx, f"{x}/commands/{{cid}}", "DELETE", _delete),
        route(ctx, f"{x}/commands/{{cid}}/wrappers", "POST", _create_wrapper),
        route(ctx, f"{x}/commands/{{cid}}/wrappers/{{wid}}", "POST", _replace_wrapper),
        route(ctx, f"{x}/wrappers/{{wid}}", "DELETE", _delete_wrapper),
    ]
    for project in ("", "/projects/{project}"):
        for wrapper in ("/wrappers/{wid}", "/commands/{cid}/wrappers/{wname}"):
            base = f"{x}{project}{wrapper}"
            found += [
                route(ctx, f"{base}/enabled", "GET", _enabled(lambda state: state)),
                route(ctx, f"{base}/disabled", "GET", _enabled(lambda state: not state)),
                route(ctx, f"{base}/enabled", "PUT", _enable(True)),
                route(ctx, f"{base}/disabled", "PUT", _enable(False)),
                route(ctx, f"{base}/config", "GET", _config),
                route(ctx, f"{base}/config", "POST", _set_config),
                route(ctx, f"{base}/config", "DELETE", _delete_config),
            ]
    return found


# ---- definitions ------------------------------------------------------------------------------------------


def _list(call: Call) -> Response:
    call.known()
    filters = {key: call.query.get(key, "") for key in ("name", "version", "image")}
    found = registry.documents(call.ctx, **filters)
    if not rights.is_manager(call.user):
        found = [command for command in found if command["visibility"] != "private"]
    return as_json(found)


def _read(call: Call) -> Response:
    call.known()
    return as_json(registry.document(call.ctx, call.number("cid")))


def _create(call: Call) -> Response:
    call.manager()
    command = registry.parsed(call.json(), image=call.query.get("image", ""))
    return as_json(registry.add_command(call.ctx, command, login=call.user.login), 201)


def _replace(call: Call) -> Response:
    call.manager()
    registry.replace_command(call.ctx, call.number("cid"), registry.parsed(call.json()))
    return text("")


def _delete(call: Call) -> Response:
    call.manager()
    registry.delete_command(call.ctx, call.number("cid"))
    return Response(status_code=204)


def _create_wrapper(call: Call) -> Response:
    call.manager()
    return as_json(registry.add_wrapper(call.ctx, call.number("cid"), call.json()), 201)


def _replace_wrapper(call: Call) -> Response:
    call.manager()
    registry.replace_wrapper(call.ctx, call.number("cid"), call.number("wid"), call.json())
    return text("")


def _delete_wrapper(call: Call) -> Response:
    call.manager()
    registry.delete_wrapper(call.ctx, call.number("wid"))
    return Response(status_code=204)


# ---- available --------------------------------------------------------------------------------------------


def _available(call: Call) -> Response:
    call.known()
    ref = call.path.get("project") or call.query.get("project", "")
    if not ref:
        return _available_site(call)
    try:
        project = Call(call.ctx, call.user, "GET", {"project": ref}, {}, b"").project()
    except Problem:
        return as_json([])  # a project that cannot be read offers nothing
    return as_json(views.available(call.ctx, call.user, call.query.get("xsiType", ""), project))


def _available_site(call: Call) -> Response:
    call.known()
    return as_json(views.available(call.ctx, call.user, call.query.get("xsiType", "")))


# ---- enablement and settings ------------------------------------------------------------------------------


def _wrapper_id(call: Call) -> int:
    """Return the wrapper that the path names; 404 if there is none."""
    if "wid" in call.path:
        number: int | None = call.number("wid")
    else:
        number = registry.wrapper_id_of(call.ctx, call.number("cid"), call.path["wname"])
    if number is None or registry.find_wrapper(call.ctx, number) is None:
        raise Problem(404, "There is no such wrapper.")
    return number


def _manage(call: Call) -> str:
    """Ask for the right to change settings where the path says; return the project, empty for the site."""
    if "project" in call.path:
        call.known()
        return call.project("manage")
    call.manager()
    return ""


def _enabled(show: Callable[[bool], bool]) -> Handler:
    def handler(call: Call) -> Response:
        call.known()
        project = call.project()
        number = _wrapper_id(call)
        site = show(registry.is_enabled(call.ctx, number))
        if not project:
            return as_json(site)
        here = show(registry.is_enabled(call.ctx, number, project))
        return as_json({"enabled-for-site": site, "enabled-for-project": here, "project": project})

    return handler


def _enable(enabled: bool) -> Handler:
    def handler(call: Call) -> Response:
        project = _manage(call)
        registry.set_enabled(call.ctx, _wrapper_id(call), enabled, project)
        return text("")

    return handler


def _config(call: Call) -> Response:
    project = _manage(call)
    number = _wrapper_id(call)
    return as_json(registry.effective_config(call.ctx, number, project))


def _set_config(call: Call) -> Response:
    project = _manage(call)
    number = _wrapper_id(call)
    registry.set_config(call.ctx, number, _checked_config(call.json()), project)
    if call.query.get("enable", "true").lower() not in ("false", "0"):
        registry.set_enabled(call.ctx, number, True, project)
    return text("", 201)


def _checked_config(document: object) -> dict[str, object]:
    if not isinstance(document, dict) or not all(
        isinstance(part, dict) and all(isinstance(entry, dict) for entry in part.values())
        for part in (document.get("inputs") or {}, document.get("outputs") or {})
    ):
        raise Problem(400, "Settings are a JSON object with the objects 'inputs' and 'outputs'.")
    return document


def _delete_config(call: Call) -> Response:
    project = _manage(call)
    registry.set_config(call.ctx, _wrapper_id(call), None, project)
    return Response(status_code=204)
