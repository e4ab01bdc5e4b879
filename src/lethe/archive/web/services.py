"""Login, sessions, alias tokens, users, config, workflows: the fixed addresses below ``/data``."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from lethe.archive import access, accounts, workflows
from lethe.archive.context import Context
from lethe.archive.model import User
from lethe.archive.problem import Problem
from lethe.archive.types.table import TYPES, is_a
from lethe.archive.types.xpath import split_type
from lethe.archive.web import answers, configs, pars, projects, searching
from lethe.archive.web.documents import stamp
from lethe.archive.web.gate import session_cookie
from lethe.archive.web.request import Call, small_body, user_of
from lethe.archive.web.sessions import Sessions
from lethe.archive.workflows import Workflow

Handler = Callable[[Call, dict[str, str]], Response]


def in_thread(ctx: Context, handler: Handler) -> Callable[[Request], object]:
    """Wrap a blocking handler: body into memory, then a worker thread."""

    async def endpoint(request: Request) -> Response:
        body = await small_body(request) if request.method not in {"GET", "HEAD"} else b""
        call = Call(
            ctx, user_of(request), "GET" if request.method == "HEAD" else request.method,
            request.state.words, request.query_params, request.headers, body,
        )  # fmt: skip
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            parsed = parse_qs(body.decode(errors="replace"), keep_blank_values=True)
            call.form = {key: values[-1] for key, values in parsed.items()}
        names = {key: str(value) for key, value in request.path_params.items()}
        return await to_thread.run_sync(handler, call, names)

    return endpoint


def routes(ctx: Context, sessions: Sessions) -> list[BaseRoute]:
    """Return the routes of this module."""

    def jsession(request: Request) -> Response:
        user, session_id = user_of(request), request.state.session_id
        if request.method == "DELETE":
            if session_id:
                sessions.close(session_id)
            return Response("", media_type="text/plain", headers={"Set-Cookie": session_cookie("")})
        session_id = session_id or sessions.open(user.login)
        body = session_id
        if "CSRF" in request.query_params:
            body += f"; XNAT_CSRF={sessions.token_of(session_id)}"
        return Response(body, media_type="text/plain", headers={"Set-Cookie": session_cookie(session_id)})

    async def login(request: Request) -> Response:
        fields = parse_qs((await small_body(request)).decode(errors="replace"), keep_blank_values=True)
        values = {**{k: v[-1] for k, v in fields.items()}, **request.query_params}
        if values.get("provider", values.get("authenticatorId", "localdb")) not in {"localdb", "Database"}:
            raise Problem(400, "The login provider is not known.")
        name, password = values.get("username", ""), values.get("password", "")
        user = await to_thread.run_sync(sessions.check, name, password) if name and password else None
        if user is None:
            raise Problem(401, "Authentication failed.")
        if request.state.session_id:
            sessions.close(request.state.session_id)
        await to_thread.run_sync(accounts.note_login, ctx, user.login)
        session_id = sessions.open(user.login, token="" if name.lower() == user.login.lower() else name)
        return Response(
            session_id, media_type="text/plain", headers={"Set-Cookie": session_cookie(session_id)}
        )

    def whoami(request: Request) -> Response:
        return answers.text(f"User '{user_of(request).login}' is logged in")

    def invalidate(call: Call, names: dict[str, str]) -> Response:
        access.require_login(call.user)
        alias = names["alias"]
        owner = None if call.user.is_admin else call.login
        if accounts.invalidate_token(ctx, alias, login=owner):
            sessions.forget()
            for login_name in {call.login, *(user.login for user in accounts.list_users(ctx))}:
                sessions.close_all(login_name, token=alias)
        return answers.as_json({"result": "OK"})

    def wrap(handler: Handler) -> Callable[[Request], object]:
        return in_thread(ctx, handler)

    put_get, any_way = ["GET", "PUT"], ["GET", "POST", "DELETE"]
    return [
        Route("/data/JSESSION", jsession, methods=any_way),
        Route("/data/services/auth", login, methods=["PUT", "POST"]),
        Route("/data/auth", whoami),
        Route("/data/services/tokens/issue", wrap(_issue), methods=["GET", "POST"]),
        Route("/data/services/tokens/issue/user/{login}", wrap(_issue), methods=["GET", "POST"]),
        Route("/data/services/tokens/show", wrap(_show)),
        Route("/data/services/tokens/validate/{alias}/{secret}", wrap(_validate)),
        Route("/data/services/tokens/invalidate/{alias}", wrap(invalidate), methods=any_way),
        Route("/data/services/tokens/invalidate/{alias}/{secret}", wrap(invalidate),
              methods=any_way),
        Route("/data/users", wrap(_users)),
        Route("/data/user/favorites/{kind}", wrap(projects.favorites)),
        Route("/data/user/favorites/{kind}/{project}", wrap(projects.favorites), methods=["PUT", "DELETE"]),
        Route("/data/pars", wrap(lambda call, _: pars.mine(call))),
        Route("/data/pars/{ref}", wrap(lambda call, names: pars.decide(call, names["ref"])), methods=put_get),
        Route("/data/config", wrap(lambda call, _: configs.site_config(call, []))),
        Route("/data/config/{path:path}", wrap(lambda call, _: configs.site_config(call, call.words[2:])),
              methods=put_get),
        Route("/data/workflows", wrap(_put_workflow), methods=["PUT", "POST"]),
        Route("/data/workflows/{number}", wrap(_workflow), methods=put_get),
        Route("/data/services/workflows", wrap(_workflows)),
        Route("/data/services/workflows/workflowid/{number}", wrap(_workflow)),
        Route("/data/services/workflows/{pipeline}", wrap(_workflows)),
        Route("/data/services/scan-quality-labels", wrap(_quality)),
        Route("/data/services/scan-quality-labels/{project}", wrap(_quality)),
        Route("/data/search", wrap(searching.search), methods=["POST"]),
        Route("/data/search/elements", wrap(_elements)),
        Route("/data/search/elements/{name}", wrap(_element)),
        *(Route(f"/data/{word}", wrap(_distinct(word))) for word in ("scan_types", "scanners")),
        Route("/data/investigators", wrap(
            lambda call, _: projects.investigators(call, access.readable_projects(ctx, call.user)))),
    ]  # fmt: skip


# ---- tokens -------------------------------------------------------------------------------------


def _issue(call: Call, names: dict[str, str]) -> Response:
    access.require_login(call.user)
    login = call.login
    if "login" in names:
        access.require_admin(call.user)
        user = accounts.find_user(call.ctx, names["login"])
        if user is None:
            raise Problem(404, "The user does not exist.")
        login = user.login
    return answers.as_json(_token(accounts.issue_token(call.ctx, login)))


def _token(token: accounts.Token) -> dict[str, object]:
    shown: dict[str, object] = {
        "alias": token.alias,
        "secret": token.secret,
        "xdatUserId": token.login,
        "singleUse": False,
        "estimatedExpirationTime": int(token.expires * 1000),
        "validIPAddresses": [],
        "id": token.id,
        "enabled": True,
        "created": int(token.created * 1000),
        "timestamp": int(token.created * 1000),
        "disabled": 0,
    }
    if not token.secret:
        del shown["secret"]
    return shown


def _show(call: Call, names: dict[str, str]) -> Response:
    access.require_login(call.user)
    return answers.as_json([_token(token) for token in accounts.list_tokens(call.ctx, call.login)])


def _validate(call: Call, names: dict[str, str]) -> Response:
    login = accounts.token_login(call.ctx, names["alias"], names["secret"])
    return answers.as_json({"valid": login} if login else {})


# ---- users --------------------------------------------------------------------------------------


def _users(call: Call, names: dict[str, str]) -> Response:
    access.require_login(call.user)
    if call.ctx.settings.get("restrictUserListAccessToAdmins"):
        access.require_admin(call.user)
    columns = ["xdat_user_id", "login", "firstname", "lastname", "email"]
    rows = [_user_row(user) for user in accounts.list_users(call.ctx)]
    return answers.table(answers.Table(columns, rows), call.format)


def _user_row(user: User) -> dict[str, object]:
    return {
        "xdat_user_id": user.number,
        "login": user.login,
        "firstname": user.first_name,
        "lastname": user.last_name,
        "email": user.email,
    }


# ---- workflows ----------------------------------------------------------------------------------

_NEEDED = ("id", "pipeline_name", "launch_time", "data_type")


def _workflow_item(found: Workflow) -> dict[str, object]:
    fields: dict[str, object] = {
        "wrk_workflowData_id": found.pk,
        "ID": found.id,
        "data_type": found.data_type,
        "ExternalID": found.external_id,
        "pipeline_name": found.pipeline_name,
        "status": found.status,
        "launch_time": stamp(found.launch_time),
        "current_step_launch_time": stamp(found.modified),
        **found.data,
    }
    meta = {"isHistory": False, "xsi:type": "wrk:workflowData"}
    return {"items": [{"children": [], "meta": meta, "data_fields": fields}]}


def _readable(call: Call, found: Workflow | None) -> Workflow:
    if found is not None:
        own = found.login.lower() == call.login.lower() and not call.user.is_guest
        if own or call.user.is_admin:
            return found
        if found.external_id and found.external_id in access.readable_projects(call.ctx, call.user):
            return found
    raise Problem(404, "There is no such workflow.")


def _workflow(call: Call, names: dict[str, str]) -> Response:
    if call.method == "PUT":
        return _put_workflow(call, names)
    number = names["number"]
    found = workflows.workflow(call.ctx, int(number)) if number.isdecimal() and len(number) < 18 else None
    return answers.as_json(_workflow_item(_readable(call, found)))


def _put_workflow(call: Call, names: dict[str, str]) -> Response:
    access.require_login(call.user)
    values = {}
    for name, value in call.values():
        words = name.split("/")
        if words[0] == "wrk:workflowData" and len(words) == 2:
            values[words[1].lower()] = value
    number = names.get("number") or values.pop("wrk_workflowdata_id", "")
    further = {name: values[name.lower()] for name in workflows.FIELDS if name.lower() in values}
    if number:
        found = workflows.workflow(call.ctx, int(number)) if number.isdecimal() and len(number) < 18 else None
        found = _readable(call, found)
        if found.login.lower() != call.login.lower() and not call.user.is_admin:
            raise Problem(403, "Only its creator or an administrator may change a workflow.")
        workflows.update_workflow(call.ctx, found.pk, status=values.get("status"), data=further)
        return answers.text(str(found.pk))
    if any(not values.get(name) for name in _NEEDED):
        raise Problem(400, "A new workflow needs id, pipeline_name, launch_time and data_type.")
    project = values.get("externalid", "")
    if project and project not in access.readable_projects(call.ctx, call.user):
        raise Problem(404, "Unable to find the specified project.")
    pk = workflows.create_workflow(
        call.ctx, values["id"], values["pipeline_name"], login=call.login, data_type=values["data_type"],
        project=project, status=values.get("status", "Queued"), data=further,
    )  # fmt: skip
    return answers.text(str(pk))


def _workflows(call: Call, names: dict[str, str]) -> Response:
    readable = access.readable_projects(call.ctx, call.user)
    query = call.query
    rows = call.ctx.store.read().execute(
        "SELECT * FROM workflow WHERE (? = '' OR external_id = ?) AND (? = '' OR id = ?)"
        " AND (? = '' OR status = ?) AND (? = '' OR pipeline_name = ?) ORDER BY pk",
        [value for key in ("project", "experiment", "status") for value in [query.get(key, "")] * 2]
        + [names.get("pipeline", "")] * 2,
    )  # fmt: skip
    found = [Workflow.of(row) for row in rows]
    found = [w for w in found if w.external_id in readable or call.user.is_admin or w.login == call.login]
    if query.get("display", "").upper() == "LATEST":
        found = list({(w.id, w.pipeline_name): w for w in found}.values())
    items = [_workflow_item(w)["items"] for w in found]
    return answers.as_json({"items": [item for one in items if isinstance(one, list) for item in one]})


# ---- small lists --------------------------------------------------------------------------------


def _quality(call: Call, names: dict[str, str]) -> Response:
    project = names.get("project", "")
    text = configs.get_config(call.ctx, "scan-quality", "labels", project) if project else None
    text = text or configs.get_config(call.ctx, "scan-quality", "labels")
    labels = [word.strip() for word in text.split(",")] if text else ["usable", "questionable", "unusable"]
    return answers.as_json(labels)


def _distinct(word: str) -> Handler:
    return lambda call, names: projects.distinct(call, access.readable_projects(call.ctx, call.user), word)


ELEMENTS = ("xnat:projectData", "xnat:subjectData", "xnat:mrSessionData", "xnat:ctSessionData",
            "xnat:petSessionData", "xnat:xaSessionData", "xnat:qcManualAssessorData")  # fmt: skip
"""Types that ``/data/search/elements`` names: few, since clients ask about each."""


def _elements(call: Call, names: dict[str, str]) -> Response:
    counts = call.ctx.store.read().execute("SELECT xsi_type, COUNT(*) AS n FROM item GROUP BY xsi_type")
    number = {row["xsi_type"]: row["n"] for row in counts} if call.user.is_admin else {}
    rows = [
        {
            "ELEMENT_NAME": name,
            "SINGULAR": TYPES[name].singular,
            "PLURAL": TYPES[name].singular + "s",
            "SECURED": "true",
            "COUNT": number.get(name, 0),
        }
        for name in ELEMENTS
    ]
    columns = ["ELEMENT_NAME", "SINGULAR", "PLURAL", "SECURED", "COUNT"]
    return answers.table(answers.Table(columns, rows), call.format)


def _element(call: Call, names: dict[str, str]) -> Response:
    prefix, _ = split_type(names["name"] + "/")
    if prefix is None or not any(is_a(prefix.name, root) for _, root in searching.ROOTS):
        raise Problem(404, "The data type is not known here.")
    columns = ["FIELD_ID", "HEADER", "SUMMARY", "TYPE", "REQUIRES_VALUE", "DESC", "ELEMENT_NAME", "SRC"]
    return answers.table(answers.Table(columns, _search_fields(prefix.name)), call.format)


def _search_fields(name: str) -> list[dict[str, object]]:
    kind = next(kind for kind, root in searching.ROOTS if is_a(name, root))
    return [
        {
            "FIELD_ID": field, "HEADER": field.title(), "SUMMARY": f"{name}.{field}", "TYPE": "string",
            "REQUIRES_VALUE": "false", "DESC": "", "ELEMENT_NAME": name, "SRC": 0,
        }
        for field in searching.DISPLAY[kind]
    ]  # fmt: skip
