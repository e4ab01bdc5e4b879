"""Subjects, experiments, scans, assessors and reconstructions: list, make, change, delete, share."""

from __future__ import annotations

from starlette.responses import Response

from lethe.archive import access, changes, items, workflows
from lethe.archive.intake import headers, intake_of
from lethe.archive.intake.images import look_before_adoption, require_seen
from lethe.archive.model import ASSESSOR, EXPERIMENT, RECONSTRUCTION, SCAN, SUBJECT, Item
from lethe.archive.problem import Problem, not_found
from lethe.archive.types.table import TYPES, XsiType, is_a
from lethe.archive.web import answers
from lethe.archive.web.address import Address, Place, resolve
from lethe.archive.web.below import ANCESTOR, WORD, store_below
from lethe.archive.web.columns import asked_types, listing, mapping
from lethe.archive.web.documents import document, stamp, type_of_item
from lethe.archive.web.fields import Wish, wish
from lethe.archive.web.request import Call
from lethe.governance.roles import Right

KIND = {"subjects": SUBJECT, "experiments": EXPERIMENT, "scans": SCAN, "assessors": ASSESSOR,
        "reconstructions": RECONSTRUCTION}  # fmt: skip


# ---- lists --------------------------------------------------------------------------------------


def list_items(call: Call, address: Address) -> Response:
    """Answer ``GET`` of a collection."""
    above = address.steps[:-1]
    kind = KIND[address.listing]
    place = resolve(call, above) if above else None
    if call.flag("fields"):
        return answers.table(mapping(kind), call.format)
    project = place.scope if place else None
    if kind in {SCAN, ASSESSOR, RECONSTRUCTION}:
        if place is None:
            raise Problem(404, "There is nothing at this address.")
        found = items.children(call.ctx, place.item, kind)
        return answers.table(listing(call, kind, found, project=project), call.format)
    if place is None:
        found = _everywhere(call, kind)
    elif place.item.kind == SUBJECT:
        found = _of_subject(call, place)
    else:
        access.require(call.ctx, call.user, place.item, Right.READ)
        found = _of_project(call, kind, place.item.id)
    return answers.table(listing(call, kind, found, project=project), call.format)


def _kinds(call: Call, kind: str) -> str:
    """Return the condition for the kinds, and the data types asked for, of a list."""
    where = _kind_words(call, kind)
    asked = [name for name in asked_types(call) if name]
    if not asked:
        return where
    types = sorted(name for name in TYPES if any(is_a(name, wanted) for wanted in asked))
    marks = ", ".join(f"'{name}'" for name in types)
    return f"{where} AND xsi_type IN ({marks})"


def _kind_words(call: Call, kind: str) -> str:
    """Return the SQL condition on kinds: assessors are listed only where their type is asked for."""
    if kind == EXPERIMENT and any(is_a(name, "xnat:derivedData") for name in asked_types(call)):
        return "kind IN ('experiment', 'assessor')"
    if kind == EXPERIMENT and "xnat:experimentData" in asked_types(call):
        return "kind IN ('experiment', 'assessor')"
    return f"kind = '{kind}'"


def _of_project(call: Call, kind: str, project: str) -> list[Item]:
    shared = "pk IN (SELECT item FROM share WHERE project = ?)"
    where = f"{_kinds(call, kind)} AND (project = ? OR {shared}) ORDER BY pk"
    return items.many(call.ctx, where, project, project)


def _of_subject(call: Call, place: Place) -> list[Item]:
    found = items.many(call.ctx, "kind = 'experiment' AND parent = ? ORDER BY pk", place.item.pk)
    scope = place.scope
    if scope is None or scope == place.item.project:
        return found
    return [item for item in found if scope in items.projects_of(call.ctx, item)]


def _everywhere(call: Call, kind: str) -> list[Item]:
    readable = sorted(access.readable_projects(call.ctx, call.user))
    found: dict[int, Item] = {}
    for start in range(0, len(readable), 400):
        piece = readable[start : start + 400]
        marks = ",".join("?" * len(piece))
        shared = f"pk IN (SELECT item FROM share WHERE project IN ({marks}))"  # noqa: S608
        where = f"{_kinds(call, kind)} AND (project IN ({marks}) OR {shared})"
        found |= {item.pk: item for item in items.many(call.ctx, where, *piece, *piece)}
    return [found[pk] for pk in sorted(found)]


# ---- write --------------------------------------------------------------------------------------


def put_item(call: Call, address: Address) -> Response:
    """Answer ``PUT`` of an item: 201 when made, 200 when known; the body is the accession id."""
    collection, name = address.last
    wanted = wish(call, KIND[collection])
    with call.ctx.store.write():
        if collection == "subjects":
            item, made = _put_subject(call, address, name, wanted)
        elif collection == "experiments":
            item, made = _put_experiment(call, address, name, wanted)
        else:
            item, made = _put_part(call, address, collection, name, wanted)
        _check_unchanged(call, item, made)
        if not made and _renames(call, item, wanted, address):
            workflows.audit_item(call.ctx, item, "Renamed", login=call.login)
            return answers.text("")
        if made:
            _check_new_id(call, item, wanted)
        _store(call, item, wanted)
        if wanted.element is not None:
            store_below(call, items.by_pk(call.ctx, item.pk), wanted.element)
        action = f"{'Added' if made else 'Modified'} {WORD[item.kind]}"
        workflows.audit_item(call.ctx, item, action, login=call.login)
        if made:
            changes.tell(call.ctx, item, "CREATED", call.login)
    _describe(call, item)
    if item.kind in {SCAN, RECONSTRUCTION}:
        return answers.text("")
    return answers.text(item.id, 201 if made else 200)


def _describe(call: Call, item: Item) -> None:
    """Carry out ``pullDataFromHeaders`` and ``fixScanTypes``, outside of the transaction: they read files."""
    if item.kind not in {EXPERIMENT, SCAN}:
        return
    session = item if item.kind == EXPERIMENT else items.by_pk(call.ctx, item.parent or 0)
    if call.flag("pullDataFromHeaders"):
        headers.pull(call.ctx, session, login=call.login, only=item if item.kind == SCAN else None)
    if call.flag("fixScanTypes"):
        headers.fix_types(call.ctx, session, login=call.login)


def _check_unchanged(call: Call, item: Item, made: bool) -> None:
    """Refuse (412) to overwrite what somebody else wrote since the sender looked.

    ``If-Match`` bears the ``last_modified`` that the sender saw, ``If-None-Match: *`` says that there was
    nothing. XNAT passes over both.
    """
    seen = call.headers.get("if-match", "").strip()
    if seen and (made or seen.removeprefix("W/").strip('"') != stamp(item.modified)):
        raise Problem(412, "The item was changed meanwhile; read it again.")
    if call.headers.get("if-none-match", "").strip() == "*" and not made:
        raise Problem(412, "The item exists meanwhile; read it again.")


def _check_new_id(call: Call, item: Item, wanted: Wish) -> None:
    """Refuse (409) content that bears the accession id of something else."""
    given = wanted.system.get("ID")
    if given and item.kind in {SUBJECT, EXPERIMENT, ASSESSOR} and given != item.id:
        find = items.find_subject if item.kind == SUBJECT else items.find_experiment
        if find(call.ctx, given) is not None:
            raise Problem(409, "The ID of the content is already in use.")


def _writable_project(call: Call, address: Address) -> Item:
    project = resolve(call, address.steps[:1]).item
    access.require(call.ctx, call.user, project, Right.CREATE)
    return project


def _label(name: str, wanted: Wish) -> str:
    return wanted.system.get("label") or name


def _put_subject(call: Call, address: Address, name: str, wanted: Wish) -> tuple[Item, bool]:
    if address.steps[0][0] != "projects":
        return resolve(call, address.steps).item, False
    project = _writable_project(call, address)
    found = items.find_subject(call.ctx, name, project.id)
    if found is not None:
        return found, False
    return items.ensure_subject(call.ctx, project.id, _label(name, wanted), login=call.login)


def _put_experiment(call: Call, address: Address, name: str, wanted: Wish) -> tuple[Item, bool]:
    if address.steps[0][0] != "projects":
        return resolve(call, address.steps).item, False
    project = _writable_project(call, address)
    subject_name = address.name("subjects") or wanted.system.get("subject_ID")
    found = items.find_experiment(call.ctx, name, project.id)
    if found is not None:
        _move(call, project, found, subject_name)
        return items.by_pk(call.ctx, found.pk), False
    xsi_type = _wanted_type(wanted, EXPERIMENT)
    if not subject_name:
        raise Problem(422, "An experiment needs a subject.")
    subject, _ = items.ensure_subject(call.ctx, project.id, subject_name, login=call.login)
    return items.ensure_experiment(
        call.ctx, project.id, subject, _label(name, wanted), xsi_type.name, login=call.login
    )


def _move(call: Call, project: Item, session: Item, subject_name: str | None) -> None:
    """Put a known experiment under another subject if the request names one."""
    if not subject_name:
        return
    subject = items.find_subject(call.ctx, subject_name, project.id)
    if subject is None and session.project != project.id:
        subject = items.find_subject(call.ctx, subject_name)  # not shared itself, see `address.resolve`
    if subject is not None and subject.pk == session.parent:
        return
    if session.kind != EXPERIMENT or session.project != project.id:
        raise Problem(409, "Specified label is already in use.")
    access.require(call.ctx, call.user, session, Right.EDIT)
    if subject is None:
        subject, _ = items.ensure_subject(call.ctx, project.id, subject_name, login=call.login)
    changes.move_to_subject(call.ctx, session, subject, login=call.login)


def _put_part(call: Call, address: Address, collection: str, name: str, wanted: Wish) -> tuple[Item, bool]:
    session = resolve(call, address.steps[:-1]).item
    if session.kind != EXPERIMENT:
        raise Problem(400, "Scans and assessors belong to an image session.")
    access.require(call.ctx, call.user, session, Right.CREATE)
    kind = KIND[collection]
    name = wanted.system.get("ID", name) if kind == SCAN else name
    if kind == ASSESSOR:
        found = items.find_assessor(call.ctx, session, name)
        if found is not None:
            return found, False
        xsi_type = _wanted_type(wanted, kind)
        return items.ensure_assessor(call.ctx, session, _label(name, wanted), xsi_type.name, login=call.login)
    found = items.one(call.ctx, "kind = ? AND parent = ? AND id = ?", kind, session.pk, name)
    if found is not None:
        return found, False
    if kind == RECONSTRUCTION and wanted.type is None:
        wanted.type = TYPES["xnat:reconstructedImageData"]
    return items.ensure_scan(
        call.ctx, session, name, _wanted_type(wanted, kind).name, login=call.login, kind=kind
    )


def _wanted_type(wanted: Wish, kind: str) -> XsiType:
    if wanted.type is None:
        raise Problem(417, "Need PUT Contents")
    if not is_a(wanted.type.name, ANCESTOR[kind]) or wanted.type.name == "xnat:imageScanData":
        raise Problem(400, "The data type does not fit the address.")
    return wanted.type


def _renames(call: Call, item: Item, wanted: Wish, address: Address) -> bool:
    """Carry out a new label (and nothing else then); refuse other changes of identity."""
    project = address.name("projects") if address.steps[0][0] == "projects" else None
    access.require(call.ctx, call.user, item, Right.EDIT)
    system = wanted.system
    if item.kind in {SCAN, RECONSTRUCTION}:
        return False
    if system.get("ID", item.id) not in {item.id, address.last[1]}:
        raise Problem(400, "ID cannot be modified")
    if system.get("project", item.project) not in {item.project, project}:
        raise Problem(400, "Project must be modified through separate URI.")
    label = system.get("label")
    if not label or label in {item.label, items.label_in(call.ctx, item, project)}:
        return False
    changes.rename(call.ctx, item, label, login=call.login)
    return True


def _store(call: Call, item: Item, wanted: Wish) -> None:
    xsi_type = type_of_item(item)
    data = wanted.apply(item.kind, xsi_type, item.data)
    if data != item.data:
        items.set_data(call.ctx, item, data, login=call.login)
    for switch, status in (("activate", "active"), ("quarantine", "quarantine")):
        if call.flag(switch) and item.kind == EXPERIMENT:
            if status == "active" and item.status == "quarantine":
                access.require(call.ctx, call.user, item, Right.DELETE)
            items.set_status(call.ctx, item, status, login=call.login)


def post_item(call: Call, address: Address) -> Response:
    """Answer ``POST`` of XML to a collection: 200 and the URL of what was made; 409 if it was there."""
    wanted = wish(call, KIND[address.listing])
    label = wanted.system.get("label") or wanted.system.get("ID", "")
    if not label:
        raise Problem(422, "The content has no label.")
    place = resolve(call, address.steps[:-1]) if len(address.steps) > 1 else None
    if place is None or place.project is None:
        raise Problem(422, "Post to a project.")
    project = place.project
    find = items.find_subject if address.listing == "subjects" else items.find_experiment
    if find(call.ctx, label, project.id) is not None:
        raise Problem(409, "Specified label is already in use.")
    target = Address([*address.steps[:-1], (address.listing, label)])
    made = put_item(call, target)
    made_id = bytes(made.body).decode()
    url = f"/data/{address.listing}/{made_id}"
    return Response(url, 200, {"Location": url}, media_type="text/plain")


def delete_item(call: Call, address: Address) -> Response:
    """Answer ``DELETE`` of an item; addressed through a sharing project only the share goes."""
    place = resolve(call, address.steps)
    item = place.item
    shared = {row["project"] for row in items.shares(call.ctx, item)}
    if place.project is not None and place.project.id in shared:
        access.require(call.ctx, call.user, place.project, Right.DELETE)
        changes.unshare(call.ctx, item, place.project.id)
        return answers.text("")
    access.require(call.ctx, call.user, item, Right.DELETE)
    with call.ctx.store.write():
        items.by_pk(call.ctx, item.pk)  # 404 if somebody else was faster
        changes.delete(call.ctx, item, login=call.login)
        workflows.audit_item(call.ctx, item, f"Removed {WORD[item.kind]}", login=call.login)
    return answers.text("")


def get_item(call: Call, address: Address) -> Response:
    """Answer ``GET`` of an item."""
    return document(call, resolve(call, address.steps).item)


# ---- sharing, status, history -------------------------------------------------------------------


def sharing(call: Call, item: Item, tail: list[str]) -> Response:
    """Answer ``GET|PUT|DELETE .../projects[/P2]`` of a subject, experiment or assessor."""
    if call.method == "GET":
        return _projects(call, item)
    if len(tail) != 2:
        raise Problem(400, "Name one project.")
    target = items.find_project(call.ctx, tail[1])
    if target is None or not access.right(call.ctx, call.user, target.id, Right.SEE):
        raise not_found("project")
    if call.method == "DELETE":
        return _unshare(call, item, target)
    access.require(call.ctx, call.user, target, Right.CREATE)
    label = call.query.get("label") or item.label
    moved = call.flag("primary")
    access.require(call.ctx, call.user, item, Right.DELETE if moved else Right.READ)
    seen = look_before_adoption(intake_of(call.ctx).net, call.ctx, item, target.id, moved=moved)
    with call.ctx.store.write():
        require_seen(call.ctx, item, seen)
        if moved:
            changes.transfer(call.ctx, item, target.id, label, login=call.login)
        else:
            changes.share(call.ctx, item, target.id, label, login=call.login)
    return answers.text("")


def _unshare(call: Call, item: Item, target: Item) -> Response:
    if target.id == item.project:
        raise Problem(400, "This would delete the item itself; use DELETE of the item.")
    access.require(call.ctx, call.user, target, Right.DELETE)
    if not changes.unshare(call.ctx, item, target.id) and item.kind == SUBJECT:
        raise Problem(403, f"Subject is not assigned to specified project {target.id}")
    return answers.text("")


def _projects(call: Call, item: Item) -> Response:
    readable = access.readable_projects(call.ctx, call.user, Right.SEE)
    rows = []
    for name in items.projects_of(call.ctx, item):
        project = items.find_project(call.ctx, name)
        if project is not None and project.id in readable:
            rows.append(
                {
                    "label": items.label_in(call.ctx, item, project.id),
                    "ID": project.id,
                    "Secondary_ID": project.data.get("secondary_ID"),
                    "Name": project.data.get("name"),
                }
            )
    return answers.table(answers.Table(["label", "ID", "Secondary_ID", "Name"], rows), call.format)


def history(call: Call, item: Item) -> Response:
    """Answer ``.../history``: the workflow entries about an item; as JSON under ``events``, too."""
    rows = call.ctx.store.read().execute(
        "SELECT pk, pipeline_name, status, launch_time, login FROM workflow WHERE id = ? ORDER BY pk",
        (item.id,),
    ).fetchall()  # fmt: skip
    columns = ["event_id", "event_action", "event_status", "event_date", "event_user"]
    found = [
        {
            "event_id": row["pk"],
            "event_action": row["pipeline_name"],
            "event_status": row["status"],
            "event_date": stamp(row["launch_time"]),
            "event_user": row["login"],
        }
        for row in rows
    ]
    listed = answers.Table(columns, found)
    if call.format not in {"", "json"}:
        return answers.table(listed, call.format)
    return answers.as_json({**answers.result_set(listed), "events": found})
