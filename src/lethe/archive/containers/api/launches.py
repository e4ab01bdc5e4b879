"""Launch and bulk launch, in every spelling the Container Service knows, and the launch form."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from lethe.archive.containers import form, launch, registry
from lethe.archive.containers.api.call import Call, route
from lethe.archive.containers.runner import Runner
from lethe.archive.context import Context
from lethe.archive.problem import Problem
from lethe.archive.web.answers import as_json

_TARGETS = ("/wrappers/{wid}", "/wrapper/{wid}", "/commands/{cid}/wrappers/{wname}")


def routes(ctx: Context, runner: Runner) -> list[Route]:
    """Return the routes."""

    def one(call: Call) -> Response:
        report, queued = launch.launch_one(ctx, call.user, _request(call))
        runner.wake()
        return as_json(report, 200 if queued else 500)

    def many(call: Call) -> Response:
        report = launch.launch_many(ctx, call.user, _request(call))
        runner.wake()
        return as_json(report)

    found = []
    for project in ("", "/projects/{project}"):
        for target in _TARGETS:
            for root in ("/root/{root}", ""):
                base = f"/xapi{project}{target}{root}"
                found += [
                    route(ctx, f"{base}/launch", "POST", one),
                    route(ctx, f"{base}/bulklaunch", "POST", many),
                ]
            base = f"/xapi{project}{target}"
            found += [
                route(ctx, f"{base}/launch", "GET", _form),
                route(ctx, f"{base}/bulklaunch", "GET", _bulk_form),
            ]
    return found


def _request(call: Call) -> launch.Request:
    call.known()
    body = call.json()
    params = {**call.query, **(launch.texts(body) if body is not None else {})}
    return launch.Request(
        wrapper_id=_wrapper_id(call),
        command_id=call.number("cid") if "cid" in call.path else 0,
        project=call.project(),
        root=call.path.get("root", ""),
        params=params,
    )


def _wrapper_id(call: Call) -> int:
    if "wid" in call.path:
        return call.number("wid")
    return registry.wrapper_id_of(call.ctx, call.number("cid"), call.path["wname"]) or 0


def _form(call: Call) -> Response:
    call.known()
    found = registry.find_wrapper(call.ctx, _wrapper_id(call))
    if found is None:
        raise Problem(404, "There is no such wrapper.")
    root = found.wrapper.root
    targets = [call.query[root.name]] if root is not None and root.name in call.query else []
    return as_json(form.launch_form(call.ctx, call.user, found, call.query, targets, project=call.project()))


def _bulk_form(call: Call) -> Response:
    call.known()
    found = registry.find_wrapper(call.ctx, _wrapper_id(call))
    if found is None:
        raise Problem(404, "There is no such wrapper.")
    root = found.wrapper.root
    sample = call.query.get("sampleTarget") or (call.query.get(root.name, "") if root else "")
    params = dict(call.query)
    if root is not None:
        params[root.name] = sample
    targets = [sample] if sample else []
    return as_json(form.launch_form(call.ctx, call.user, found, params, targets, project=call.project()))
