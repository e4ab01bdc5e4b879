"""Who may do what: every role x visibility x verb x kind of object, asked over HTTP."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import lethe.archive
from lethe.archive import access, accounts, changes, content, items
from lethe.governance.roles import Right, Role, Visibility, markdown, rights

LOGIN = {
    Role.GUEST: "guest",
    Role.USER: "una",
    Role.COLLABORATOR: "cora",
    Role.MEMBER: "max",
    Role.OWNER: "olga",
    Role.ADMINISTRATOR: "admin",
}
E = "/data/projects/{p}/subjects/S1/experiments/E1"
VERBS = [
    # right, kind, method, path, body; in an order in which nothing that is asked for is gone before
    (Right.SEE, "project", "GET", "/data/projects/{p}?format=json", None),
    (Right.SEE, "project", "GET", "/data/projects/{p}/accessibility", None),
    (Right.READ, "subject list", "GET", "/data/projects/{p}/subjects?format=json", None),
    (Right.READ, "session list", "GET", "/data/projects/{p}/experiments?format=csv", None),
    (Right.READ, "subject", "GET", "/data/projects/{p}/subjects/S1?format=json", None),
    (Right.READ, "session", "GET", E + "?format=xml", None),
    (Right.READ, "scan", "GET", E + "/scans/1", None),
    (Right.READ, "scan list", "GET", E + "/scans", None),
    (Right.READ, "resource", "GET", E + "/resources/R", None),
    (Right.READ, "file list", "GET", E + "/resources/R/files", None),
    (Right.READ, "file", "GET", E + "/resources/R/files/a.txt", None),
    (Right.READ, "file zip", "GET", E + "/resources/R/files?format=zip", None),
    (Right.CREATE, "subject", "PUT", "/data/projects/{p}/subjects/NEW", None),
    (
        Right.CREATE,
        "session",
        "PUT",
        "/data/projects/{p}/subjects/S1/experiments/NEW?xsiType=xnat:ctSessionData",
        None,
    ),
    (Right.CREATE, "scan", "PUT", E + "/scans/7?xsiType=xnat:mrScanData", None),
    (Right.CREATE, "assessor", "PUT", E + "/assessors/Q?xsiType=xnat:qcManualAssessorData", None),
    (Right.EDIT, "subject", "PUT", "/data/projects/{p}/subjects/S1?group=a", None),
    (Right.EDIT, "session", "PUT", E + "?note=n", None),
    (Right.EDIT, "resource", "PUT", E + "/resources/NEW", None),
    (Right.EDIT, "file", "PUT", E + "/resources/R/files/b.txt?inbody=true", b"b"),
    (Right.DELETE, "file", "DELETE", E + "/resources/R/files/a.txt", None),
    (Right.DELETE, "resource", "DELETE", E + "/resources/R", None),
    (Right.DELETE, "scan", "DELETE", E + "/scans/1", None),
    (Right.DELETE, "session", "DELETE", E, None),
    (Right.DELETE, "subject", "DELETE", "/data/projects/{p}/subjects/S1", None),
    (Right.MANAGE, "project", "PUT", "/data/projects/{p}?description=d", None),
    (Right.MANAGE, "users", "PUT", "/data/projects/{p}/users/Members/una", None),
    (Right.MANAGE, "visibility", "PUT", "/data/projects/{p}/accessibility/private", None),
    (Right.MANAGE, "project", "DELETE", "/data/projects/{p}", None),
]


def expected(role: Role, visibility: Visibility, right: Right, kind: str, method: str) -> set[int]:
    """Return the statuses that the table of rights allows here."""
    allowed = rights(role, visibility)
    if right in allowed:
        return {200, 201}
    if Right.SEE not in allowed:
        # a PUT of a project that is there says "in use" to people who may not see it
        return {409, 403} if (kind, method, right) == ("project", "PUT", Right.MANAGE) else {404}
    return {403}


@pytest.mark.requirement("E-17", "E-18", "E-19", "E-20", "E-26", "E-27", "E-28", "T-10")
@pytest.mark.parametrize("visibility", list(Visibility))
@pytest.mark.parametrize("role", list(Role))
def test_every_verb_answers_as_the_role_table_says(ctx, client, project, role, visibility):
    session = items.find_experiment(ctx, "E1", project)
    resource, _ = content.ensure_resource(ctx, session, "R", login="olga")
    content.add_file(ctx, resource, "a.txt", io.BytesIO(b"a"), login="olga")
    access.set_visibility(ctx, project, visibility)
    for right, kind, method, path, body in VERBS:
        answer = client(method, path.format(p=project), LOGIN[role], content=body)
        wanted = expected(role, visibility, right, kind, method)
        assert answer.status_code in wanted, (kind, method, right, answer.status_code, answer.text)


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
