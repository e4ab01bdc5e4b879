"""Requests that mean harm: each is refused, nothing leaks, nothing breaks."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile

import pytest

from lethe.archive import access, check, content, items
from lethe.archive.context import Context
from lethe.archive.intake import unpack

R = "/data/projects/{p}/resources/R/files"


def raw(client, method, path, user="olga", **more):
    """Send a path exactly as written (the client would tidy it)."""
    url = client.http.base_url.copy_with(raw_path=path.encode())
    return client(method, url, user, **more)


@pytest.mark.parametrize(
    "name",
    [
        "%2e%2e/x",
        "..%2fx",
        "a/%2e%2e/b",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "a/%2e/b",
        "a%00b",
        "a%0ab",
        "a%5c..%5cb",
    ],
)
@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_a_path_cannot_leave_its_resource(client, project, ctx, name, method):
    body = b"x" if method == "PUT" else None
    answer = raw(client, method, R.format(p=project) + f"/{name}?inbody=true", content=body)
    assert answer.status_code in {400, 404}
    assert not list(ctx.root.parent.glob("x"))
    assert check.check(ctx) == []


@pytest.mark.parametrize(
    "path", ["/data/projects/%", "/data/projects/%zz", "/data/projects/%ff%fe", "/xapi/users/%c3"]
)
def test_bad_percent_encoding_is_400(client, path):
    assert raw(client, "GET", path).status_code == 400


def archive_zip(*members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members:
            packed.writestr(name, data)
    return stream.getvalue()


def link_tar():
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as packed:
        one = tarfile.TarInfo("link")
        one.type, one.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(one)
    return stream.getvalue()


def link_zip():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        one = zipfile.ZipInfo("link")
        one.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(one, "/etc/passwd")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.zip", archive_zip(("../../evil", b"x"))),
        ("a.zip", archive_zip(("/etc/evil", b"x"))),
        ("a.zip", archive_zip(("ok", b"x"), ("a/../../evil", b"x"))),
        ("a.zip", archive_zip(("a\x01b", b"x"))),
        ("a.tar", link_tar()),
        ("a.zip", link_zip()),
        ("a.zip", b"PK\x03\x04 broken"),
        ("a.tar.gz", b"\x1f\x8b broken"),
    ],
)
def test_a_hostile_archive_is_refused_whole(client, project, ctx, name, body):
    answer = client("PUT", R.format(p=project) + f"/{name}?extract=true&inbody=true", "olga", content=body)
    assert answer.status_code == 400
    resource = content.find_resource(ctx, items.find_project(ctx, project), "R")
    assert resource is None or content.list_files(ctx, resource) == []
    assert list((ctx.root / "tmp").iterdir()) == []


@pytest.mark.requirement("E-24")
def test_script_in_labels_is_escaped_wherever_it_is_shown(client, project):
    evil = "<script>alert(1)<\u2215script>"
    made = client("PUT", f"/data/projects/{project}/subjects/x", "olga", params={"label": evil})
    assert made.status_code == 201
    listing = f"/data/projects/{project}/subjects"
    for form in ("xml", "html"):
        assert "<script>" not in client("GET", listing + f"?format={form}", "olga").text
    clash = client("PUT", f"/data/projects/{project}/subjects/S1", "olga", params={"label": evil})
    assert clash.status_code == 409
    assert "<script>" not in clash.text
    assert "&lt;script&gt;" in clash.text


def test_uploaded_html_is_never_served_as_html(client, project):
    for name in ("x.html", "x.svg", "x.xhtml", "x.xml"):
        client("PUT", R.format(p=project) + f"/{name}?inbody=true", "olga", content=b"<script>1</script>")
        answer = client("GET", R.format(p=project) + f"/{name}", "olga")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_system_fields_cannot_be_assigned(client, project):
    subject = f"/data/projects/{project}/subjects/S1"
    before = client("GET", subject, "olga").json()["items"][0]["data_fields"]
    assert client("PUT", f"{subject}?ID=XNAT_S99999", "max").status_code == 400
    assert client("PUT", f"{subject}?project=OTHER", "max").status_code == 400
    for name in ("insert_user", "xnat:subjectData/insert_date", "status", "folder", "parent"):
        client("PUT", subject, "max", params={name: "x"})
    assert client("GET", subject, "olga").json()["items"][0]["data_fields"] == before


def test_a_login_always_gets_a_new_session_id(client):
    given = "A" * 32
    client.http.cookies.clear()
    answer = client.http.put(
        "/data/services/auth",
        data={"username": "una", "password": "una"},
        headers={"Cookie": f"JSESSIONID={given}"},
    )
    assert answer.status_code == 200
    assert answer.text != given
    assert client("GET", "/data/auth", "guest", headers={"Cookie": f"JSESSIONID={given}"}).text.startswith(
        "User 'guest'"
    )
    own = {"Cookie": f"JSESSIONID={answer.text}"}
    assert client("GET", "/data/auth", "guest", headers=own).text == "User 'una' is logged in"
    again = client.http.put("/data/services/auth", data={"username": "max", "password": "max"}, headers=own)
    assert client("GET", "/data/auth", "guest", headers=own).text.startswith("User 'guest'")
    assert again.text != answer.text


def test_a_token_of_another_user_cannot_be_ended_and_an_ended_one_is_401(client):
    token = client("GET", "/data/services/tokens/issue", "una").json()
    auth = (token["alias"], token["secret"])
    assert client.http.get("/data/auth", auth=auth).text == "User 'una' is logged in"
    client("GET", f"/data/services/tokens/invalidate/{token['alias']}", "max")
    client.http.cookies.clear()
    assert client.http.get("/data/auth", auth=auth).status_code == 200
    cookie = client.http.cookies["JSESSIONID"]
    client("GET", f"/data/services/tokens/invalidate/{token['alias']}/{token['secret']}", "una")
    client.http.cookies.clear()
    assert client.http.get("/data/auth", auth=auth).status_code == 401
    assert "una" not in client("GET", "/data/auth", "guest", headers={"Cookie": f"JSESSIONID={cookie}"}).text
    assert client("GET", "/data/services/tokens/issue", "guest").status_code == 403
    assert client("GET", "/data/services/tokens/issue/user/olga", "una").status_code == 403


def test_a_token_expires(client, clock):
    token = client("GET", "/data/services/tokens/issue", "una").json()
    clock.seconds += 2 * 86400 + 1
    client.http.cookies.clear()
    assert client.http.get("/data/auth", auth=(token["alias"], token["secret"])).status_code == 401
    assert (
        client("GET", f"/data/services/tokens/validate/{token['alias']}/{token['secret']}", "una").json()
        == {}
    )


@pytest.mark.parametrize(("said", "meant"), [("10 minutes", 600), ("nonsense", 3600)])
def test_a_session_ends_after_the_time_that_the_site_says(client, clock, said, meant):
    client("POST", "/xapi/siteConfig", json={"sessionTimeout": said, "aliasTokenTimeout": said})
    token = client("GET", "/data/services/tokens/issue", "una").json()
    days = 2 * 86400 if said == "nonsense" else meant
    assert token["estimatedExpirationTime"] - token["created"] == days * 1000
    cookie = {"Cookie": f"JSESSIONID={client('GET', '/data/JSESSION', 'una').text}"}
    for waited, here in ((meant - 1, True), (meant + 1, False)):
        client.http.cookies.clear()
        clock.seconds += waited
        assert ("una" in client("GET", "/data/auth", "guest", headers=cookie).text) is here


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic YQ==", "Basic /////w==", "Basic Og=="])
def test_broken_credentials_are_no_way_in(client, header):
    answer = client("GET", "/data/projects", "guest", headers={"Authorization": header})
    assert answer.status_code in {200, 401}
    assert client("PUT", "/data/projects/X", "guest", headers={"Authorization": header}).status_code in {
        401,
        403,
    }


def test_nobody_becomes_administrator_by_the_own_profile(client):
    assert client("PUT", "/xapi/users/una", "una", json={"enabled": True}).status_code == 403
    assert client("PUT", "/xapi/users/una/roles/Administrator", "una").status_code == 403
    assert client("PUT", "/xapi/users/max", "una", json={"password": "x"}).status_code == 403
    assert (
        client("PUT", "/xapi/users/una", "una", json={"firstName": "Una", "admin": True}).status_code == 200
    )
    assert client("GET", "/xapi/siteConfig", "una").status_code == 403
    assert client("POST", "/xapi/siteConfig/siteId", "una", content=b"X").status_code == 403


def test_a_disabled_user_loses_sessions_and_tokens_at_once(client):
    token = client("GET", "/data/services/tokens/issue", "una").json()
    session = client("GET", "/data/JSESSION", "una").text
    assert client("PUT", "/xapi/users/una/enabled/false").status_code == 200
    assert client("GET", "/data/auth", "una").status_code == 401
    assert "una" not in client("GET", "/data/auth", "guest", headers={"Cookie": f"JSESSIONID={session}"}).text
    client.http.cookies.clear()
    assert client.http.get("/data/auth", auth=(token["alias"], token["secret"])).status_code == 401


def test_files_on_the_server_cannot_be_referred_to(client, project):
    answer = client("PUT", R.format(p=project) + "/x?reference=/etc/passwd", "olga", content=b"x")
    assert answer.status_code == 403


def test_the_log_holds_no_labels_names_or_queries(client, project, caplog):
    caplog.set_level("INFO", "lethe.archive")
    client("PUT", f"/data/projects/{project}/subjects/MUSTERMANN?xnat:subjectData/group=SECRET", "olga")
    client("PUT", R.format(p=project) + "/Mustermann_1960.txt?inbody=true", "olga", content=b"x")
    assert caplog.records
    text = caplog.text.lower()
    assert "mustermann" not in text
    assert "secret" not in text


def test_a_large_document_body_is_413(client, project, monkeypatch):
    monkeypatch.setattr("lethe.archive.web.request.MOST_BODY", 1000)
    answer = client("PUT", f"/data/projects/{project}/subjects/X", "olga", content=b"x" * 2000)
    assert answer.status_code == 413


def test_a_full_disk_is_507_and_loses_nothing(client, project, ctx: Context, monkeypatch):
    client("PUT", R.format(p=project) + "/a?inbody=true", "olga", content=b"one")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(content.Receiver, "write", full)
    answer = client("PUT", R.format(p=project) + "/b?inbody=true", "olga", content=b"two")
    assert answer.status_code == 507
    monkeypatch.undo()
    assert client("GET", R.format(p=project) + "/a", "olga").content == b"one"
    assert check.check(ctx) == []


def test_a_users_right_is_checked_before_the_body_is_read(client, project, ctx):
    access.set_visibility(ctx, project, "public")
    answer = client("PUT", R.format(p=project) + "/a?inbody=true", "una", content=b"x" * 100)
    assert answer.status_code == 403
    assert list((ctx.root / "tmp").iterdir()) == []


@pytest.mark.parametrize("way", ["extract", "import"])
def test_a_zip_bomb_is_stopped_on_every_way_in(client, project, ctx, monkeypatch, way):
    monkeypatch.setattr(unpack, "_RATIO_FROM", 1 << 20)
    bomb = archive_zip(("a.dcm", b"\0" * (8 << 20)))
    if way == "extract":
        answer = client("PUT", R.format(p=project) + "/a.zip?extract=true&inbody=true", "olga", content=bomb)
    else:
        url = f"/data/services/import?project={project}&dest=/archive&inbody=true&Ignore-Unparsable=true"
        answer = client("POST", url, "olga", content=bomb, headers={"content-type": "application/zip"})
    assert answer.status_code == 400
    assert "unfolds" in answer.text
    assert list((ctx.root / "tmp").iterdir()) == []


def test_a_token_opens_only_what_its_owner_may_open(client, project):
    made = client("GET", "/data/services/tokens/issue", "una").json()
    basic = (made["alias"], made["secret"])
    client.http.cookies.clear()
    answer = client.http.get(f"/data/projects/{project}", auth=basic)
    assert answer.status_code == 404
    client.http.cookies.clear()
    assert client.http.get("/data/auth", auth=basic).text == "User 'una' is logged in"
    wrong = client("GET", "/data/services/tokens/issue", "olga").json()
    client.http.cookies.clear()
    assert client.http.get("/data/auth", auth=(made["alias"], wrong["secret"])).status_code == 401
