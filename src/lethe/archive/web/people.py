"""``/xapi/users``: profiles, making and changing users, roles, groups, active sessions."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from lethe.archive import access, accounts, items
from lethe.archive.context import Context
from lethe.archive.model import User
from lethe.archive.problem import Problem
from lethe.archive.web import answers
from lethe.archive.web.request import Call
from lethe.archive.web.services import Handler, in_thread
from lethe.archive.web.sessions import Sessions
from lethe.governance.roles import Right

SITE_ROLES = ("Administrator", "DataManager", "ALL_DATA_ADMIN", "ALL_DATA_ACCESS", "Bulk",
              "CustomFormManager", "ContainerManager", "Privileged", "non_expiring")  # fmt: skip
ALL_DATA = frozenset({"ALL_DATA_ADMIN", "ALL_DATA_ACCESS"})
"""Groups that hold for every project of the site."""
_NAMES = {"firstName": "first_name", "lastName": "last_name", "email": "email", "enabled": "enabled",
          "verified": "verified", "password": "password"}  # fmt: skip


def routes(ctx: Context, sessions: Sessions) -> list[BaseRoute]:
    """Return the routes of this module."""

    def guarded(handler: Handler) -> Any:
        """Wrap a handler; remembered credentials are forgotten when users change."""

        def run(call: Call, names: dict[str, str]) -> Response:
            access.require_login(call.user)
            if call.method != "GET":
                sessions.forget()
            return handler(call, names)

        return in_thread(ctx, run)

    def change(call: Call, names: dict[str, str]) -> Response:
        user = _change(call, names)
        if not user.enabled:
            sessions.close_all(user.login)
        return answers.as_json(profile(user))

    def enable(call: Call, names: dict[str, str]) -> Response:
        access.require_admin(call.user)
        user = _user(call, names)
        accounts.change_user(ctx, user.login, {names["what"]: _flag(names["flag"])})
        if names["what"] == "enabled" and not _flag(names["flag"]):
            sessions.close_all(user.login)
        return answers.as_json(True)

    def active(call: Call, names: dict[str, str]) -> Response:
        found = sessions.active()
        if "login" in names:
            user = _self_or_admin(call, names)
            if call.method == "DELETE":
                return answers.as_json(sessions.close_all(user.login))
            return answers.as_json({"sessions": len(found.get(user.login, []))})
        access.require_admin(call.user)
        return answers.as_json({login: {"sessions": len(ids)} for login, ids in found.items()})

    put = ["PUT", "POST"]
    return [
        Route("/xapi/users", guarded(_collection), methods=["GET", "POST"]),
        Route("/xapi/users/profiles", guarded(_profiles)),
        Route("/xapi/users/profile/{login}", guarded(_profile)),
        Route("/xapi/users/current", guarded(lambda call, _: answers.as_json(profile(call.user)))),
        Route("/xapi/users/username", in_thread(ctx, lambda call, _: answers.text(call.login))),
        Route("/xapi/users/rolemap", guarded(_role_map)),
        Route("/xapi/users/roles/{role}", guarded(_with_role)),
        Route("/xapi/users/projects", guarded(_own_projects)),
        Route("/xapi/users/active", guarded(active)),
        Route("/xapi/users/active/{login}", guarded(active), methods=["GET", "DELETE"]),
        Route("/xapi/users/{login}", guarded(_profile)),
        Route("/xapi/users/{login}", guarded(change), methods=put),
        Route("/xapi/users/{login}/{what:str}/{flag:str}", guarded(_pair(enable)), methods=["PUT", "DELETE"]),
        Route("/xapi/users/{login}/roles", guarded(_roles), methods=["GET", "PUT"]),
        Route("/xapi/users/{login}/groups", guarded(_groups), methods=["GET", "PUT"]),
    ]


def profile(user: User) -> dict[str, object]:
    """Return a user as ``/xapi/users`` shows it."""
    return {
        "id": user.number,
        "username": user.login,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "email": user.email,
        "enabled": user.enabled,
        "verified": user.verified,
        "secured": True,
        "lastModified": int(user.modified * 1000),
        "lastSuccessfulLogin": None if user.last_login is None else int(user.last_login * 1000),
        "authorization": None,
        "authMethod": "localdb",
    }


def _user(call: Call, names: dict[str, str]) -> User:
    user = accounts.find_user(call.ctx, names["login"])
    if user is None:
        raise Problem(404, "The user does not exist.")
    return user


def _self_or_admin(call: Call, names: dict[str, str]) -> User:
    if names["login"].lower() != call.login.lower():
        access.require_admin(call.user)
    return _user(call, names)


def _flag(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise Problem(400, "Say true or false.")
    return text.lower() == "true"


def _body(call: Call) -> dict[str, Any]:
    try:
        found = json.loads(call.body or b"{}")
    except ValueError:
        raise Problem(400, "The body is not JSON.") from None
    if not isinstance(found, dict):
        raise Problem(400, "The body is not a JSON object.")
    return found


def _visible(call: Call) -> None:
    if call.ctx.settings.get("restrictUserListAccessToAdmins"):
        access.require_admin(call.user)


def _collection(call: Call, names: dict[str, str]) -> Response:
    if call.method == "POST":
        return _create(call)
    _visible(call)
    return answers.as_json([user.login for user in accounts.list_users(call.ctx)])


def _create(call: Call) -> Response:
    access.require_admin(call.user)
    body = _body(call)
    user = accounts.create_user(
        call.ctx, str(body.get("username", "")), str(body.get("password") or ""),
        email=str(body.get("email") or ""), first_name=str(body.get("firstName") or ""),
        last_name=str(body.get("lastName") or ""), enabled=body.get("enabled", True) is True,
        verified=body.get("verified", True) is True,
    )  # fmt: skip
    return answers.as_json(profile(user), 201)


def _profiles(call: Call, names: dict[str, str]) -> Response:
    _visible(call)
    return answers.as_json([profile(user) for user in accounts.list_users(call.ctx)])


def _profile(call: Call, names: dict[str, str]) -> Response:
    return answers.as_json(profile(_self_or_admin(call, names)))


def _change(call: Call, names: dict[str, str]) -> User:
    """Change a user. A person may change the own name, address and password, nothing that gives rights."""
    body = _body(call)
    stranger = names["login"].lower() != call.login.lower()
    if not call.user.is_admin and (stranger or {"enabled", "verified"} & set(body)):
        raise Problem(403, "Only an administrator of the site may do this.")
    user = accounts.find_user(call.ctx, names["login"])
    if user is None:
        raise Problem(404, "The user does not exist.")
    changes = {
        ours: body[theirs] for theirs, ours in _NAMES.items() if theirs in body and body[theirs] is not None
    }
    for key, value in changes.items():
        if not isinstance(value, bool if key in {"enabled", "verified"} else str) or value == "":
            raise Problem(400, "A field of the user has a wrong type.")
    accounts.change_user(call.ctx, user.login, changes)
    return _user(call, names)


# ---- roles and groups ---------------------------------------------------------------------------


def _pair(enable: Handler) -> Handler:
    """Answer ``/{login}/enabled/{flag}``, ``/verified/{flag}``, ``/roles/{role}``, ``/groups/{group}``."""

    def handler(call: Call, names: dict[str, str]) -> Response:
        match names["what"]:
            case "enabled" | "verified" if call.method == "PUT":
                return enable(call, names)
            case "roles":
                return _set_role(call, _user_for_admin(call, names), names["flag"])
            case "groups":
                return _set_group(call, names, names["flag"])
        raise Problem(404, "There is nothing at this address.")

    return handler


def _user_for_admin(call: Call, names: dict[str, str]) -> User:
    access.require_admin(call.user)
    return _user(call, names)


def _roles(call: Call, names: dict[str, str]) -> Response:
    if call.method == "GET":
        return answers.as_json(sorted(_self_or_admin(call, names).site_roles))
    user = _user_for_admin(call, names)
    try:
        wanted = json.loads(call.body or b"[]")
    except ValueError:
        raise Problem(400, "The body is not JSON.") from None
    if not isinstance(wanted, list) or not all(isinstance(role, str) for role in wanted):
        raise Problem(400, "The body is a list of roles.")
    for role in wanted:
        _set_role(call, user, role)
    return answers.as_json([])


def _set_role(call: Call, user: User, role: str) -> Response:
    if role not in SITE_ROLES:
        raise Problem(404, "There is no such role.")
    if call.method == "DELETE":
        if role == "Administrator" and user.login.lower() == call.login.lower():
            raise Problem(403, "An administrator cannot give up the own role.")
        accounts.withdraw(call.ctx, user.login, role)
    else:
        accounts.grant(call.ctx, user.login, role)
    return answers.as_json(True)


def _groups(call: Call, names: dict[str, str]) -> Response:
    user = _self_or_admin(call, names)
    rows = call.ctx.store.read().execute(
        "SELECT project, role FROM membership WHERE login = ? ORDER BY project", (user.login,)
    )  # fmt: skip
    everywhere = sorted(ALL_DATA & user.site_roles)
    return answers.as_json([*everywhere, *(f"{row['project']}_{row['role']}" for row in rows)])


def _set_group(call: Call, names: dict[str, str], group: str) -> Response:
    if group in ALL_DATA:
        return _set_role(call, _user_for_admin(call, names), group)
    name, _, role = group.rpartition("_")
    project = items.find_project(call.ctx, name)
    if project is None or role not in {"owner", "member", "collaborator"}:
        raise Problem(404, "The group does not exist.")
    access.require(call.ctx, call.user, project, Right.MANAGE)
    user = _user(call, names)
    wanted = None if call.method == "DELETE" else role
    accounts.set_membership(call.ctx, project.id, user.login, wanted, by=call.login)
    return answers.as_json(True)


def _role_map(call: Call, names: dict[str, str]) -> Response:
    access.require_admin(call.user)
    return answers.as_json({user.login: sorted(user.site_roles) for user in accounts.list_users(call.ctx)})


def _with_role(call: Call, names: dict[str, str]) -> Response:
    access.require_admin(call.user)
    return answers.as_json([u.login for u in accounts.list_users(call.ctx) if names["role"] in u.site_roles])


def _own_projects(call: Call, names: dict[str, str]) -> Response:
    return answers.as_json(sorted(access.readable_projects(call.ctx, call.user, Right.EDIT)))
