"""``/xapi/anonymize``: the scripts of site and projects are kept and shown; none is applied here."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from lethe.archive import access, items
from lethe.archive.context import Context
from lethe.archive.model import Item
from lethe.archive.problem import Problem, not_found
from lethe.archive.web import answers
from lethe.archive.web.request import Call, flag
from lethe.archive.web.services import in_thread
from lethe.governance.roles import Right

_DEFAULT = 'version "6.3"\n'
_SITE = ""
_SITE_SWITCH = "enableSitewideAnonymizationScript"


def routes(ctx: Context) -> list[BaseRoute]:
    """Return the routes of this module."""
    get_put = ["GET", "PUT"]
    base = "/xapi/anonymize"
    return [
        Route(f"{base}/default", in_thread(ctx, lambda call, _: answers.text(_DEFAULT))),
        Route(f"{base}/site", in_thread(ctx, lambda call, _: _script(call, _SITE)), methods=get_put),
        Route(f"{base}/site/enabled", in_thread(ctx, lambda call, _: _enabled(call, _SITE)), methods=get_put),
        Route(f"{base}/projects/{{project}}",
              in_thread(ctx, lambda call, names: _script(call, _project(call, names).id)), methods=get_put),
        Route(f"{base}/projects/{{project}}/enabled",
              in_thread(ctx, lambda call, names: _enabled(call, _project(call, names).id)), methods=get_put),
    ]  # fmt: skip


def _project(call: Call, names: dict[str, str]) -> Item:
    project = items.find_project(call.ctx, names["project"])
    if project is None:
        raise not_found("project")
    access.require(call.ctx, call.user, project, Right.MANAGE if call.method == "PUT" else Right.READ)
    return project


def _script(call: Call, project: str) -> Response:
    _check_site(call, project)
    key = f"anonymize.script.{project}"
    if call.method == "PUT":
        try:
            call.ctx.store.set_setting(key, call.body.decode())
        except UnicodeDecodeError as error:
            raise Problem(400, "The script is not UTF-8.") from error
        return answers.text("")
    script = call.ctx.store.setting(key, None if project else _DEFAULT)
    return Response(status_code=204) if script is None else answers.text(str(script))


def _enabled(call: Call, project: str) -> Response:
    _check_site(call, project)
    key = f"anonymize.enabled.{project}" if project else f"site.{_SITE_SWITCH}"
    if call.method == "PUT":
        call.ctx.store.set_setting(key, flag(call.query, "enable") if "enable" in call.query else True)
        return answers.text("")
    if not project:
        return answers.as_json(bool(call.ctx.settings.get(_SITE_SWITCH)))
    has_script = call.ctx.store.setting(f"anonymize.script.{project}") is not None
    return answers.as_json(bool(call.ctx.store.setting(key, has_script)))


def _check_site(call: Call, project: str) -> None:
    if not project and call.method == "PUT":
        access.require_admin(call.user)
    elif not project:
        access.require_login(call.user)
