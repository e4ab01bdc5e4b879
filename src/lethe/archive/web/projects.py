"""Projects: list, make, change, visibility, small texts."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.responses import Response

from lethe.archive import access, accounts, changes, items, workflows
from lethe.archive.intake import intake_of, prearchive
from lethe.archive.model import Item
from lethe.archive.problem import Problem
from lethe.archive.types.table import TYPES
from lethe.archive.web import answers
from lethe.archive.web.address import resolve
from lethe.archive.web.columns import listing, mapping
from lethe.archive.web.documents import document, stamp
from lethe.archive.web.fields import Wish, wish
from lethe.archive.web.request import Call
from lethe.governance.roles import Right

_NAMES = ("name", "secondary_ID")
_VERBS: dict[str, dict[str, Right]] = {
    "accessible": {},
    "restrict": {"edit": Right.EDIT, "delete": Right.DELETE},
    "permissions": {"read": Right.READ, "create": Right.CREATE, "edit": Right.EDIT, "delete": Right.DELETE},
    "data": {"readable": Right.READ, "writable": Right.EDIT},
}
_VISIT_SECONDS = 600.0
_RECENT_SECONDS = 30 * 86400.0
_SEARCH = (
    "accessible",
    "data",
    "owner",
    "member",
    "collaborator",
    "admin",
    "recent",
    "activeSince",
    "favorite",
)


def list_projects(call: Call) -> Response:
    """Answer ``GET /projects``: what the sender may see."""
    if call.flag("fields"):
        return answers.table(mapping("project"), call.format)
    shown = access.readable_projects(call.ctx, call.user, Right.SEE)
    for name, words in _VERBS.items():
        value = call.query.get(name, "").lower()
        if name not in call.query or value == "false":
            continue
        wanted = Right.READ if name == "accessible" else words.get(value)
        if wanted is None:
            raise Problem(400, f"{name} is one of {', '.join(words)}.")
        shown &= access.readable_projects(call.ctx, call.user, wanted)
    roles = [role for role in ("owner", "member", "collaborator") if call.flag(role)]
    if roles:
        mine = call.ctx.store.read().execute(
            "SELECT project, role FROM membership WHERE login = ?", (call.login,)
        )  # fmt: skip
        shown &= {row["project"] for row in mine if row["role"] in roles}
    shown &= _used(call, shown)
    found = [p for p in items.many(call.ctx, "kind = 'project' ORDER BY id COLLATE NOCASE") if p.id in shown]
    if any(name in call.query for name in _SEARCH):
        return answers.table(_search_rows(call, found), call.format)
    return answers.table(listing(call, "project", found), call.format)


def _used(call: Call, shown: set[str]) -> set[str]:
    """Return the projects that ``recent``, ``favorite`` and ``activeSince`` leave."""
    db = call.ctx.store.read()
    left = set(shown)
    if call.flag("recent"):
        moment = call.ctx.store.now() - _RECENT_SECONDS
        rows = db.execute("SELECT project FROM visit WHERE login = ? AND moment > ?", (call.login, moment))
        left &= {row["project"] for row in rows}
    if call.flag("favorite"):
        rows = db.execute("SELECT project FROM favorite WHERE login = ?", (call.login,))
        left &= {row["project"] for row in rows}
    if call.query.get("activeSince"):
        try:
            since = datetime.fromisoformat(call.query["activeSince"])
        except ValueError:
            raise Problem(400, "activeSince is a date.") from None
        seconds = (since if since.tzinfo else since.replace(tzinfo=UTC)).timestamp()
        left &= {
            row["project"]
            for row in db.execute(
                "SELECT project FROM item GROUP BY project HAVING MAX(modified) >= ?", (seconds,)
            )
        }
    return left


def favorites(call: Call, names: dict[str, str]) -> Response:
    """Answer ``GET /data/user/favorites/Project`` and ``PUT|DELETE .../{project}``."""
    access.require_login(call.user)
    if names["kind"].lower() != "project":
        raise Problem(404, "Only projects are favorites.")
    if "project" in names:
        project = resolve(call, [("projects", names["project"])]).item
        with call.ctx.store.write() as db:
            if call.method == "PUT":
                db.execute("INSERT OR IGNORE INTO favorite VALUES (?, ?)", (call.login, project.id))
            else:
                db.execute("DELETE FROM favorite WHERE login = ? AND project = ?", (call.login, project.id))
        return answers.text("")
    rows = call.ctx.store.read().execute(
        "SELECT project FROM favorite WHERE login = ? ORDER BY project", (call.login,)
    )  # fmt: skip
    return answers.table(answers.Table(["id"], [{"id": row["project"]} for row in rows]), call.format)


def _note_visit(call: Call, project: Item) -> None:
    """Remember that somebody looked at a project, at most once in ten minutes."""
    if call.user.is_guest:
        return
    now = call.ctx.store.now()
    row = call.ctx.store.read().execute(
        "SELECT moment FROM visit WHERE login = ? AND project = ?", (call.login, project.id)
    ).fetchone()  # fmt: skip
    if row is None or now - row["moment"] > _VISIT_SECONDS:
        with call.ctx.store.write() as db:
            db.execute(
                "INSERT INTO visit VALUES (?, ?, ?) ON CONFLICT (login, project)"
                " DO UPDATE SET moment = excluded.moment",
                (call.login, project.id, now),
            )


def _search_rows(call: Call, found: list[Item]) -> answers.Table:
    """Return the columns of XNAT's project search (lower case), which some filters answer with."""
    number = call.user.number
    visits = {
        row["project"]: stamp(row["moment"])
        for row in call.ctx.store.read().execute(
            "SELECT project, moment FROM visit WHERE login = ?", (call.login,)
        )
    }
    columns = ["id", "name", "description", "secondary_id", "pi", "project_invs", "project_access",
               "project_access_img", "insert_date", "insert_user", f"user_role_{number}",
               f"last_accessed_{number}", "URI"]  # fmt: skip
    rows = [
        {
            "id": p.id,
            "name": p.data.get("name"),
            "description": p.data.get("description"),
            "secondary_id": p.data.get("secondary_ID"),
            "pi": " ".join(filter(None, (p.data.get("PI/firstname"), p.data.get("PI/lastname")))),
            "project_access": access.visibility(call.ctx, p.id).value,
            "insert_date": stamp(p.created),
            "insert_user": p.created_by,
            f"last_accessed_{number}": visits.get(p.id, ""),
            f"user_role_{number}": group_name(access.role_in(call.ctx, call.user, p.id).value),
            "URI": f"/data/projects/{p.id}",
        }
        for p in found
    ]
    return answers.Table(columns, rows)


def group_name(role: str) -> str:
    """Return the display name of a role's group, empty for no role."""
    return {"owner": "Owners", "member": "Members", "collaborator": "Collaborators"}.get(role, "")


def put_project(call: Call, name: str) -> Response:
    """Answer ``PUT /projects/P``: 200 without a body, for a new and for a known project."""
    access.require_login(call.user)
    wanted = wish(call, "project")
    if wanted.system.get("ID", name) != name:
        raise Problem(417, "The ID of the URL and of the content differ.")
    with call.ctx.store.write():
        project = items.find_project(call.ctx, name)
        if project is None:
            project = _create(call, name, wanted)
        else:
            _require_see(call, project)
            access.require(call.ctx, call.user, project, Right.MANAGE)
        data = wanted.apply("project", TYPES["xnat:projectData"], project.data)
        _check_unique(call, project, data)
        items.set_data(call.ctx, project, data, login=call.login)
        _keep_protocols(call, project, wanted)
        level = call.query.get("accessibility") or call.form.get("accessibility")
        if level:
            access.set_visibility(call.ctx, project.id, level, by=call.login)
        workflows.audit_item(call.ctx, project, "Modified project", login=call.login)
    return answers.text("")


def post_project(call: Call) -> Response:
    """Answer ``POST /projects`` with XML: 200 and the URL of the new project."""
    access.require_login(call.user)
    wanted = wish(call, "project")
    name = wanted.system.get("ID", "")
    with call.ctx.store.write():
        if items.find_project(call.ctx, name) is not None:
            raise Problem(409, "Project ID is already in use.")
        project = _create(call, name, wanted)
        data = wanted.apply("project", TYPES["xnat:projectData"], project.data)
        _check_unique(call, project, data)
        items.set_data(call.ctx, project, data, login=call.login)
        _keep_protocols(call, project, wanted)
    url = f"/data/projects/{project.id}"
    return Response(url, 200, {"Location": url}, media_type="text/plain")


def _keep_protocols(call: Call, project: Item, wanted: Wish) -> None:
    """Store the definitions of custom variables; one of the same ID is replaced."""
    with call.ctx.store.write() as db:
        if wanted.replace and wanted.document is not None:
            db.execute("DELETE FROM study_protocol WHERE project = ?", (project.id,))
        db.executemany(
            "INSERT INTO study_protocol VALUES (?, ?, ?)"
            " ON CONFLICT (project, id) DO UPDATE SET xml = excluded.xml",
            [(project.id, number, text) for number, text in wanted.protocols.items()],
        )


def _require_see(call: Call, project: Item) -> None:
    """Refuse (409, as for any id in use) to say more about a project that the sender cannot see."""
    if not access.right(call.ctx, call.user, project.id, Right.SEE):
        raise Problem(409, "Project ID is already in use.")


def _create(call: Call, name: str, wanted: Wish) -> Item:
    if not (call.user.is_admin or call.ctx.settings.get("uiAllowNonAdminProjectCreation")):
        raise Problem(403, "Only an administrator may create projects on this site.")
    project = items.create_project(call.ctx, name, login=call.login)
    changes.tell(call.ctx, project, "CREATED", call.login)
    return project


def _check_unique(call: Call, project: Item, data: dict[str, object]) -> None:
    """Refuse (409) a name, secondary id or alias that another project uses as any of the four."""
    aliases = data.get("aliases/alias", {})
    mine = [str(data.get(name, "")) for name in _NAMES]
    if isinstance(aliases, dict):
        mine += [str(entry.get("alias", "")) for entry in aliases.values()]
    wanted = {text.lower() for text in [project.id, *mine] if text}
    for other in items.many(call.ctx, "kind = 'project' AND pk != ?", project.pk):
        theirs = {other.id, *(str(other.data.get(name, "")) for name in _NAMES), *items.aliases(other)}
        if wanted & {text.lower() for text in theirs if text}:
            raise Problem(409, "Project ID, name or alias is already in use.")


def delete_project(call: Call, name: str) -> Response:
    """Answer ``DELETE /projects/P``; 400 for an unknown one, as XNAT does."""
    project = items.find_project(call.ctx, name)
    if project is None:
        raise Problem(400, "Unable to find the specified project.")
    access.require(call.ctx, call.user, project, Right.SEE)
    access.require(call.ctx, call.user, project, Right.MANAGE)
    with call.ctx.store.write():
        if items.find_project(call.ctx, project.id) is None:
            raise Problem(400, "Unable to find the specified project.")
        changes.delete(call.ctx, project, login=call.login)
        waiting = prearchive.listing(call.ctx, [project.id])
        for row in waiting:
            prearchive.remove(call.ctx, row)
    for row in waiting:
        intake_of(call.ctx).forget(row.pk)
    return answers.text("")


def accessibility(call: Call, project: Item, tail: list[str]) -> Response:
    """Answer ``GET|PUT /projects/P/accessibility[/level]``."""
    if call.method == "GET":
        return answers.text(access.visibility(call.ctx, project.id).value)
    access.require(call.ctx, call.user, project, Right.MANAGE)
    level = tail[1] if len(tail) > 1 else call.body.decode(errors="replace").strip()
    access.set_visibility(call.ctx, project.id, level, by=call.login)
    return answers.text(level)


_CODES = {
    "prearchive_code": ("4", frozenset({"0", "4", "5"})),
    "quarantine_code": ("0", frozenset({"0", "1"})),
    "scan_type_mapping": ("true", frozenset({"true", "false"})),
    "current_arc": ("arc001", frozenset[str]()),
}
"""Small texts of a project: default and allowed values."""


def code(call: Call, project: Item, tail: list[str]) -> Response:
    """Answer ``GET|PUT /projects/P/prearchive_code[/4]`` and its like."""
    default, allowed = _CODES[tail[0]]
    key = f"project.{project.id}.{tail[0]}"
    if call.method == "GET":
        access.require(call.ctx, call.user, project, Right.READ)
        return answers.text(str(call.ctx.store.setting(key, default)))
    access.require(call.ctx, call.user, project, Right.MANAGE)
    if len(tail) < 2 or tail[1] not in allowed:
        raise Problem(400, "The value is not one of those allowed.")
    call.ctx.store.set_setting(key, tail[1])
    return answers.text("")


def distinct(call: Call, projects: set[str], word: str) -> Response:
    """Answer ``scan_types`` and ``scanners``: the values in use."""
    marks = ",".join("?" * len(projects))
    kind, path = ("scan", "type") if word == "scan_types" else ("experiment", "scanner")
    found = items.many(call.ctx, f"kind = ? AND project IN ({marks})", kind, *sorted(projects))
    values = sorted({str(item.data[path]) for item in found if path in item.data})
    name = "type" if word == "scan_types" else "scanner"
    return answers.table(answers.Table([name], [{name: value} for value in values]), call.format)


def investigators(call: Call, projects: set[str]) -> Response:
    """Answer ``investigators``: the principal investigators of readable projects."""
    rows = [
        {"firstname": p.data.get("PI/firstname"), "lastname": p.data.get("PI/lastname")}
        for p in items.many(call.ctx, "kind = 'project'")
        if p.id in projects and p.data.get("PI/lastname")
    ]
    return answers.table(answers.Table(["firstname", "lastname"], rows), call.format)


def project_document(call: Call, name: str) -> Response:
    """Answer ``GET /projects/P``."""
    project = resolve(call, [("projects", name)]).item
    _note_visit(call, project)
    return document(call, project)


def members(call: Call, project: Item, tail: list[str]) -> Response:
    """Answer ``GET|PUT|DELETE /projects/P/users[/{group}/{user}]``."""
    access.require(call.ctx, call.user, project, Right.READ)
    if call.method == "GET":
        if call.ctx.settings.get("restrictUserListAccessToAdmins"):
            access.require(call.ctx, call.user, project, Right.EDIT)
        return _member_rows(call, project)
    access.require(call.ctx, call.user, project, Right.MANAGE)
    if len(tail) < 3:
        raise Problem(400, "Name a group and a user.")
    role = _role(project.id, tail[1])
    for ref in tail[2].split(","):
        user = accounts.find_user(call.ctx, ref)
        if user is None:
            if call.method == "PUT" and "@" in ref:
                invite(call, project, role, ref)
            continue
        if call.method == "PUT":
            accounts.set_membership(call.ctx, project.id, user.login, role, by=call.login)
        elif (user.login, role) in {(u.login, r) for u, r in accounts.memberships(call.ctx, project.id)}:
            accounts.set_membership(call.ctx, project.id, user.login, None, by=call.login)
    return _member_rows(call, project)


def _role(project: str, group: str) -> str:
    """Return the role of a group given as ``Members``, ``member`` or ``P_member``; 404 for an unknown one."""
    word = group.removeprefix(f"{project}_").lower().rstrip("s")
    if word not in {"owner", "member", "collaborator"}:
        raise Problem(404, "The group does not exist.")
    return word


def _member_rows(call: Call, project: Item) -> Response:
    columns = ["GROUP_ID", "displayname", "login", "firstname", "lastname", "email"]
    rows = [
        {
            "GROUP_ID": f"{project.id}_{role}",
            "displayname": group_name(role),
            "login": user.login,
            "firstname": user.first_name,
            "lastname": user.last_name,
            "email": user.email,
        }
        for user, role in accounts.memberships(call.ctx, project.id)
    ]
    return answers.table(answers.Table(columns, rows), call.format)


def invite(call: Call, project: Item, role: str, email: str) -> None:
    """Note an invitation (PAR) for somebody who has no account yet."""
    accounts.add_invitation(call.ctx, project.id, role, email=email, by=call.login)
