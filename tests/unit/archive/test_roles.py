"""Who may do what: every role x visibility x verb x kind of object, asked over HTTP."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import lethe.archive
from lethe.archive import access, accounts, changes, content, items
from lethe.governance.roles import DEEDS, Right, Role, Visibility, markdown, rights
from unit.archive_import.conftest import as_zip, study_objects

LOGIN = {
    Role.GUEST: "guest",
    Role.USER: "una",
    Role.COLLABORATOR: "cora",
    Role.MEMBER: "max",
    Role.OWNER: "olga",
    Role.ADMINISTRATOR: "admin",
}
E = "/data/projects/{p}/subjects/S1/experiments/E1"
P = "/data/projects/{p}"
TRIES = {
    # (kind, verb): method, path, body; nothing that is asked for is gone before
    ("project", "see"): ("GET", P + "?format=json", None),
    ("visibility", "see"): ("GET", P + "/accessibility", None),
    ("subject", "list"): ("GET", P + "/subjects?format=json", None),
    ("subject", "read"): ("GET", P + "/subjects/S1?format=json", None),
    ("subject", "create"): ("PUT", P + "/subjects/NEW", None),
    ("subject", "edit"): ("PUT", P + "/subjects/S1?group=a", None),
    ("subject", "delete"): ("DELETE", P + "/subjects/S1", None),
    ("session", "list"): ("GET", P + "/experiments?format=csv", None),
    ("session", "read"): ("GET", E + "?format=xml", None),
    ("session", "create"): ("PUT", P + "/subjects/S1/experiments/NEW?xsiType=xnat:ctSessionData", None),
    ("session", "edit"): ("PUT", E + "?note=n", None),
    ("session", "import"): ("POST", "/data/services/import?project={p}&dest=/archive&inbody=true", "zip"),
    ("session", "delete"): ("DELETE", E, None),
    ("scan", "list"): ("GET", E + "/scans", None),
    ("scan", "read"): ("GET", E + "/scans/1", None),
    ("scan", "create"): ("PUT", E + "/scans/7?xsiType=xnat:mrScanData", None),
    ("scan", "delete"): ("DELETE", E + "/scans/1", None),
    ("assessor", "create"): ("PUT", E + "/assessors/Q?xsiType=xnat:qcManualAssessorData", None),
    ("image", "download"): ("GET", E + "/scans/1/resources/DICOM/files/a.dcm", None),
    ("image", "add"): ("PUT", E + "/scans/1/resources/DICOM/files/b.dcm?inbody=true", b"b"),
    ("image", "overwrite"): ("PUT", E + "/scans/1/resources/DICOM/files/a.dcm?inbody=1&overwrite=1", b"c"),
    ("image", "delete"): ("DELETE", E + "/scans/1/resources/DICOM/files/a.dcm", None),
    ("resource", "read"): ("GET", E + "/resources/R", None),
    ("resource", "create"): ("PUT", E + "/resources/NEW", None),
    ("resource", "delete"): ("DELETE", E + "/resources/R", None),
    ("file", "list"): ("GET", E + "/resources/R/files", None),
    ("file", "download"): ("GET", E + "/resources/R/files/a.txt", None),
    ("file", "download as zip"): ("GET", E + "/resources/R/files?format=zip", None),
    ("file", "upload"): ("PUT", E + "/resources/R/files/b.txt?inbody=true", b"b"),
    ("file", "overwrite"): ("PUT", E + "/resources/R/files/a.txt?inbody=true&overwrite=true", b"b"),
    ("file", "delete"): ("DELETE", E + "/resources/R/files/a.txt", None),
    ("command", "launch"): ("POST", "/xapi/projects/{p}/wrappers/{w}/root/session/launch", "launch"),
    ("command", "enable"): ("PUT", "/xapi/projects/{p}/wrappers/{w}/enabled", None),
    ("subscription", "create"): ("POST", "/xapi/projects/{p}/events/subscription", "subscription"),
    ("users", "change"): ("PUT", P + "/users/Members/una", None),
    ("visibility", "change"): ("PUT", P + "/accessibility/private", None),
    ("project", "edit"): ("PUT", P + "?description=d", None),
    ("project", "delete"): ("DELETE", P, None),
}
LATE = [("file", "delete"), ("image", "delete"), ("resource", "delete"), ("scan", "delete"),
        ("session", "delete"), ("subject", "delete"), ("users", "change"), ("visibility", "change"),
        ("project", "edit"), ("project", "delete")]  # fmt: skip
"""What takes something away that others ask for, in the order in which it is tried."""
WRAPPER = {
    "name": "w-session",
    "contexts": ["xnat:imageSessionData"],
    "external-inputs": [{"name": "session", "type": "Session", "required": True}],
    "output-handlers": [
        {"name": "h", "accepts-command-output": "o", "as-a-child-of": "session", "label": "OUT"}
    ],
}
COMMAND = {
    "name": "w", "type": "docker", "image": "x:1", "version": "1", "schema-version": "1.0",
    "command-line": "true", "mounts": [{"name": "m", "writable": True, "path": "/output"}],
    "outputs": [{"name": "o", "mount": "m", "required": False}], "xnat": [WRAPPER],
}  # fmt: skip
EVENT = "org.nrg.xnat.eventservice.events.SessionEvent"


def expected(role: Role, visibility: Visibility, deed: tuple[str, str]) -> set[int]:
    """Return the statuses that the table of rights allows here."""
    allowed, right = rights(role, visibility), DEEDS[deed]
    if right in allowed:
        return {200, 201}
    if Right.SEE not in allowed:
        # a PUT of a project that is there says "in use" to people who may not see it
        if deed == ("project", "edit"):
            return {409, 403}
        # who is not logged in is told so before anything is looked at
        early = role is Role.GUEST and (deed[0] in {"command", "subscription"} or deed[1] == "import")
        return {404, 403} if early else {404}
    return {403}


@pytest.fixture
def wrapper(client):
    number = client("POST", "/xapi/commands", json=COMMAND).json()
    (found,) = client("GET", f"/xapi/commands/{number}").json()["xnat"]
    client("PUT", f"/xapi/wrappers/{found['id']}/enabled")
    client("PUT", "/xapi/events/prefs", json={"enabled": True})
    return found["id"]


def body_of(kind, ctx, project, wrapper):
    session = items.find_experiment(ctx, "E1", project)
    if kind == "zip":
        more = {"PatientName": "S1", "PatientID": "IMPORTED"}
        return {
            "content": as_zip(study_objects(1, 1, **more)),
            "headers": {"content-type": "application/zip"},
        }
    if kind == "launch":
        return {"json": {"session": f"/archive/experiments/{session.id}"}}
    if kind == "subscription":
        filters = {"event-type": EVENT, "status": "CREATED", "project-ids": [project]}
        action = f"org.nrg.containers.services.CommandActionProvider:{wrapper}"
        return {"json": {"name": "s", "active": True, "action-key": action, "attributes": {},
                         "event-filter": filters}}  # fmt: skip
    return {} if kind is None else {"content": kind}


def test_every_deed_of_the_table_is_tried():
    assert set(TRIES) == set(DEEDS)


@pytest.mark.requirement("E-17", "E-18", "E-19", "E-20", "E-26", "E-27", "E-28", "E-75", "E-76", "T-10")
@pytest.mark.parametrize("visibility", list(Visibility))
@pytest.mark.parametrize("role", list(Role))
def test_every_deed_answers_as_the_role_table_says(ctx, client, project, wrapper, role, visibility):
    session = items.find_experiment(ctx, "E1", project)
    scan = items.find_scan(ctx, session, "1")
    for owner, label, name in ((session, "R", "a.txt"), (scan, "DICOM", "a.dcm")):
        resource, _ = content.ensure_resource(ctx, owner, label, login="olga")
        content.add_file(ctx, resource, name, io.BytesIO(b"a"), login="olga")
    access.set_visibility(ctx, project, visibility)
    for deed in [*(deed for deed in TRIES if deed not in LATE), *LATE]:
        method, path, body = TRIES[deed]
        more = body_of(body, ctx, project, wrapper)
        answer = client(method, path.format(p=project, w=wrapper), LOGIN[role], **more)
        wanted = expected(role, visibility, deed)
        assert answer.status_code in wanted, (deed, answer.status_code, answer.text)


@pytest.mark.requirement("E-21")
def test_a_new_project_is_private(client):
    client("PUT", "/data/projects/FRESH", "una")
    assert client("GET", "/data/projects/FRESH/accessibility", "una").text == "private"


@pytest.mark.requirement("E-22")
def test_visibility_may_be_said_at_creation_or_later(client):
    client("PUT", "/data/projects/OPEN?accessibility=public", "una")
    assert client("GET", "/data/projects/OPEN/accessibility", "guest").text == "public"
    client("PUT", "/data/projects/OPEN/accessibility/protected", "una")
    assert client("GET", "/data/projects/OPEN/subjects", "guest").status_code == 403
    assert client("PUT", "/data/projects/OPEN/accessibility/secret", "una").status_code == 400


@pytest.mark.requirement("E-20")
def test_lists_show_only_what_the_sender_may_see(ctx, client, project):
    def ids(path, user, key="ID"):
        return [row[key] for row in client("GET", path, user).json()["ResultSet"]["Result"]]

    assert project not in ids("/data/projects", "una")
    assert ids("/data/subjects", "una") == ids("/data/experiments", "guest") == []
    access.set_visibility(ctx, project, "protected")
    assert project in ids("/data/projects", "guest")
    assert ids("/data/subjects", "guest") == []
    access.set_visibility(ctx, project, "public")
    assert ids("/data/subjects", "guest", "label") == ["S1"]


def test_a_closed_site_answers_401_to_people_who_are_not_logged_in(ctx, client, project):
    access.set_visibility(ctx, project, "public")
    ctx.settings.set("requireLogin", True)
    for path in ("/data/projects", "/xapi/users/current", f"/data/projects/{project}/subjects"):
        answer = client("GET", path, "guest")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic")
    assert client("GET", "/data/JSESSION", "guest").status_code == 200


@pytest.mark.requirement("E-16")
def test_the_owner_decides_who_joins_and_with_which_role(client, project):
    users = f"/data/projects/{project}/users"
    assert client("PUT", f"{users}/{project}_collaborator/una", "max").status_code == 403
    rows = client("PUT", f"{users}/member/una", "olga").json()["ResultSet"]["Result"]
    assert {row["login"]: row["displayname"] for row in rows}["una"] == "Members"
    rows = client("PUT", f"{users}/Collaborators/una", "olga").json()["ResultSet"]["Result"]
    assert [row["GROUP_ID"] for row in rows if row["login"] == "una"] == [f"{project}_collaborator"]
    assert client("PUT", f"{users}/Kings/una", "olga").status_code == 404
    client("DELETE", f"{users}/Collaborators/una", "olga")
    assert client("GET", f"/data/projects/{project}", "una").status_code == 404


def test_data_shared_into_a_readable_project_can_be_read_there_but_not_changed(ctx, client, project):
    items.create_project(ctx, "OTHER", login="una")
    accounts.set_membership(ctx, "OTHER", "max", "member")
    session = items.find_experiment(ctx, "E1", project)
    changes.share(ctx, session, "OTHER", "SHARED", login="max")
    assert client("GET", "/data/projects/OTHER/experiments/SHARED?format=json", "una").status_code == 200
    assert client("GET", f"/data/experiments/{session.id}/scans", "una").status_code == 200
    assert client("PUT", f"/data/experiments/{session.id}?note=x", "una").status_code == 403
    assert client("DELETE", "/data/projects/OTHER/experiments/SHARED", "una").status_code == 200
    assert client("GET", f"/data/experiments/{session.id}", "una").status_code == 404
    assert items.find_experiment(ctx, "E1", project) is not None


def test_a_shared_subject_does_not_show_sessions_and_projects_of_others(ctx, client, project):
    items.create_project(ctx, "THEIRS", login="una")
    items.create_project(ctx, "HIDDEN", login="olga")
    subject = items.find_subject(ctx, "S1", project)
    changes.share(ctx, subject, "THEIRS", "ALIAS", login="olga")
    changes.share(ctx, subject, "HIDDEN", "S1", login="olga")
    for form in ("json", "xml"):
        text = client("GET", f"/data/projects/THEIRS/subjects/ALIAS?format={form}", "una").text
        assert "ALIAS" in text
        assert "E1" not in text
        assert "HIDDEN" not in text
    assert "E1" in client("GET", f"/data/subjects/{subject.id}?format=json", "olga").text
    assert (
        client("GET", "/data/projects/THEIRS/subjects/ALIAS/experiments", "una").json()["ResultSet"]["Result"]
        == []
    )


def test_the_table_in_the_readme_is_the_one_the_program_prints():
    readme = Path(lethe.archive.__file__).with_name("README.md").read_text()
    assert markdown() in readme
