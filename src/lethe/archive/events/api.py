"""``/xapi/events``: subscriptions, actions, deliveries, preferences; each with a twin below a project."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from lethe.archive import access, items
from lethe.archive.containers import registry, rights
from lethe.archive.containers.api.call import Call, Handler, route
from lethe.archive.context import Context
from lethe.archive.events import delivery, subscriptions
from lethe.archive.events.kinds import KINDS, PROVIDER, EventKind, kind_of
from lethe.archive.events.subscriptions import Subscription
from lethe.archive.problem import Problem
from lethe.archive.web.answers import as_json, text

Json = dict[str, Any]
_PAGE = 50


def routes(ctx: Context) -> list[Route]:
    """Return the routes."""
    found = [
        route(ctx, "/xapi/events/prefs", "GET", _prefs),
        route(ctx, "/xapi/events/prefs", "PUT POST", _set_prefs),
        route(ctx, "/xapi/events/events", "GET", _kinds),
        route(ctx, "/xapi/events/event", "GET", _kind),
    ]
    for base in ("/xapi/events", "/xapi/projects/{project}/events"):
        found += [
            route(ctx, f"{base}/subscriptions", "GET", _list),
            route(ctx, f"{base}/subscription", "POST", _create),
            route(ctx, f"{base}/subscription/filter", "GET", _filter),
            route(ctx, f"{base}/subscription/filter/validate", "POST", _validate),
            route(ctx, f"{base}/subscription/{{id}}/activate", "POST", _activate(True)),
            route(ctx, f"{base}/subscription/{{id}}/deactivate", "POST", _activate(False)),
            route(ctx, f"{base}/subscription/{{id}}", "GET", _read),
            route(ctx, f"{base}/subscription/{{id}}", "PUT", _replace),
            route(ctx, f"{base}/subscription/{{id}}", "DELETE", _delete),
            route(ctx, f"{base}/actions", "GET", _all_actions),
            route(ctx, f"{base}/actionsbyevent", "GET", _actions_by_event),
            route(ctx, f"{base}/delivered", "GET POST", _delivered),
            route(ctx, f"{base}/delivered/count", "GET POST", _count),
            route(ctx, f"{base}/delivered/summary", "GET POST", _summary),
            route(ctx, f"{base}/delivered/{{id}}", "GET", _one_delivered),
        ]
    return found


def _scope(call: Call) -> str:
    """Ask for the right that the path needs: the project's owner, else an administrator of the site."""
    call.known()
    if "project" in call.path:
        return call.project("manage")
    access.require_admin(call.user)
    return ""


def _on(call: Call) -> None:
    if not subscriptions.enabled(call.ctx):
        raise Problem(405, "Event Service disabled.")


def _prefs(call: Call) -> Response:
    call.known()
    return as_json({"enabled": subscriptions.enabled(call.ctx)})


def _set_prefs(call: Call) -> Response:
    call.known()
    access.require_admin(call.user)
    wish = call.json()
    if not isinstance(wish, dict) or not isinstance(wish.get("enabled"), bool):
        raise Problem(400, 'The preferences are {"enabled": true} or {"enabled": false}.')
    subscriptions.set_enabled(call.ctx, wish["enabled"])
    return text("")


# ---- events and actions -----------------------------------------------------------------------------------


def _kind_document(kind: EventKind) -> Json:
    return {
        "id": kind.type,
        "type": kind.type,
        "event-type": kind.type,
        "display-name": kind.display,
        "description": f"{kind.display} events",
        "statuses": list(kind.statuses),
        "event-scope": ["PROJECT", "SITE"],
        "is-xsi-type": False,
    }


def _kinds(call: Call) -> Response:
    call.known()
    return as_json([_kind_document(kind) for kind in KINDS.values()])


def _asked_kind(call: Call) -> EventKind:
    kind = kind_of(call.query.get("event-type", ""))
    if kind is None:
        raise Problem(404, "This archive has no such event type.")
    return kind


def _kind(call: Call) -> Response:
    call.known()
    return as_json(_kind_document(_asked_kind(call)))


def _all_actions(call: Call) -> Response:
    """List the enabled commands that can be launched on the object of any event."""
    return _actions(call, {kind.root for kind in KINDS.values()})


def _actions_by_event(call: Call) -> Response:
    """List the enabled commands that can be launched on the object of one event."""
    return _actions(call, {_asked_kind(call).root})


def _actions(call: Call, roots: set[str]) -> Response:
    project = _scope(call)
    if not project and call.query.get("project"):
        project = rights.project_of(call.ctx, call.user, call.query["project"]).id
    found = []
    for entry in registry.every_wrapper(call.ctx):
        root = entry.wrapper.root
        if (
            root is None
            or root.type not in roots
            or not registry.runnable(call.ctx, entry.wrapper_id, project)
        ):
            continue
        key = f"{PROVIDER}:{entry.wrapper_id}"
        found.append(
            {
                "id": key,
                "action-key": key,
                "display-name": entry.wrapper.label or entry.wrapper.name,
                "description": entry.wrapper.description or entry.command.description,
                "attributes": {
                    item.name: {
                        "description": item.description,
                        "type": item.type,
                        "default-value": item.default,
                        "required": item.required,
                        "restrict-to": list(item.select_values) or None,
                    }
                    for item in entry.command.inputs
                    if item.name not in {one.command_input for one in entry.wrapper.inputs}
                },
            }
        )
    return as_json(found)


# ---- subscriptions ----------------------------------------------------------------------------------------


def _list(call: Call) -> Response:
    project = _scope(call)
    if not subscriptions.enabled(call.ctx):
        return text("")
    return as_json([one.document() for one in subscriptions.listing(call.ctx, project)])


def _found(call: Call) -> Subscription:
    project = _scope(call)
    one = subscriptions.get(call.ctx, call.number("id"))
    if one is None or (project and one.projects != (project,)):
        raise Problem(404, "There is no such subscription.")
    return one


def _create(call: Call) -> Response:
    project = _scope(call)
    _on(call)
    one = subscriptions.save(call.ctx, call.json(), owner=call.user.login, project=project)
    return text(f"{one.name}:{one.id}", 201)


def _read(call: Call) -> Response:
    return as_json(_found(call).document())


def _replace(call: Call) -> Response:
    one = _found(call)
    _on(call)
    project = items.find_project(call.ctx, call.path["project"]) if "project" in call.path else None
    subscriptions.save(
        call.ctx, call.json(), owner=one.owner, project=project.id if project else "", number=one.id
    )
    return text("")


def _delete(call: Call) -> Response:
    subscriptions.delete(call.ctx, _found(call).id)
    return Response(status_code=204)


def _activate(active: bool) -> Handler:
    def handler(call: Call) -> Response:
        subscriptions.set_active(call.ctx, _found(call).id, active)
        return text("")

    return handler


_NODES = {
    "Project": ("id", "label"),
    "Subject": ("id", "label", "project-id"),
    "Session": ("id", "label", "xsiType", "project-id", "subject-id"),
    "Scan": ("id", "label", "xsiType", "scan-type", "series-description"),
    "Assessor": ("id", "label", "xsiType"),
    "SubjectAssessor": ("id", "label", "xsiType"),
    "Resource": ("id", "label"),
}


def _filter(call: Call) -> Response:
    """Say what a payload filter of an event type can look at, each with an example."""
    _scope(call)
    kind = _asked_kind(call)
    names = _NODES.get(kind.root, ("id", "label"))
    return as_json({name: {"type": "string", "default-filter": f'(@.{name} == "value")'} for name in names})


def _validate(call: Call) -> Response:
    _scope(call)
    wish = call.json()
    if not isinstance(wish, dict):
        raise Problem(400, "The body must be a JSON object.")
    subscriptions.check_filter(wish.get("payload-filter"))
    return text("")


# ---- deliveries -------------------------------------------------------------------------------------------


def _delivered(call: Call) -> Response:
    """Answer the paged list: ``page``, ``size``, and ``filters`` on subscription, project, user, error."""
    project = _scope(call)
    wish = call.json() if call.method == "POST" else None
    wish = wish if isinstance(wish, dict) else {}
    page, size = wish.get("page") or 1, wish.get("size") or _PAGE
    if not (isinstance(page, int) and isinstance(size, int) and page > 0 and size > 0):
        raise Problem(400, "'page' and 'size' are whole numbers from 1.")
    filters = wish.get("filters") or {}
    if not isinstance(filters, dict) or not filters.keys() <= delivery.FILTERS.keys():
        raise Problem(400, f"Deliveries are filtered by {', '.join(delivery.FILTERS)}.")
    plain = {name: one.get("value") if isinstance(one, dict) else one for name, one in filters.items()}
    return as_json(delivery.listing(call.ctx, project, filters=plain, limit=size, offset=(page - 1) * size))


def _one_delivered(call: Call) -> Response:
    found = delivery.listing(call.ctx, _scope(call), number=call.number("id"))
    if not found:
        raise Problem(404, "There is no such delivery.")
    return as_json(found[0])


def _count(call: Call) -> Response:
    return as_json(delivery.count(call.ctx, _scope(call)))


def _summary(call: Call) -> Response:
    """Count deliveries by subscription and last status."""
    counts: dict[tuple[int, str, str], int] = {}
    for row in delivery.listing(call.ctx, _scope(call)):
        key = (row["subscription"]["id"], row["subscription"]["name"], row["status"][-1]["status"])
        counts[key] = counts.get(key, 0) + 1
    return as_json(
        [
            {"subscription": {"id": number, "name": name}, "status": status, "count": count}
            for (number, name, status), count in sorted(counts.items())
        ]
    )
