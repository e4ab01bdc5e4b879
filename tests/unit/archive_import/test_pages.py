"""The pages for people: who sees what, everything escaped, nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from lethe.archive import access, content, items
from lethe.archive.app import create_app
from lethe.archive.context import Context
from lethe.archive.pages import item
from lethe.archive.pages.markup import tag

from .conftest import as_zip, study_objects

EVIL = '<script>alert("1")</script>'
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def site(ctx: Context) -> Iterator[TestClient]:
    ctx.http_url = "http://testserver"
    with TestClient(create_app(ctx.root, ctx=ctx)) as found:
        yield found


def enter(site: TestClient, login: str, password: str = "", goal: str = "/"):  # type: ignore[no-untyped-def]
    form = {"username": login, "password": password or login, "goal": goal}
    return site.post("/app/template/Login.vm", data=form, follow_redirects=False)


def one_session(site: TestClient, ctx: Context) -> str:
    objects = study_objects(1, 1, SeriesDescription=EVIL)
    headers = {"Content-Type": "application/zip"}
    params = {"project": "P", "dest": "/archive"}
    answer = site.post("/data/services/import", params=params, content=as_zip(objects), headers=headers)
    assert answer.status_code == 200
    session = items.find_experiment(ctx, "A1B2_MR", "P")
    assert session is not None
    items.update_fields(ctx, session, {"scanner/model": EVIL, "date": EVIL}, login="alice")
    content.ensure_resource(ctx, session, 'R"><img src=x>', login="alice")
    return session.id


def test_the_first_page_greets_the_guest_as_xnatpy_expects(site: TestClient) -> None:
    page = site.get("/")
    assert page.status_code == 200
    assert '<span id="user_info">Logged in as: <span style="color:red;">Guest</span>' in page.text
    assert 'href="/lethe/"' in page.text
    assert not page.text.lower().startswith(("<html", "<!doctype"))


def test_the_first_page_sends_browsers_to_the_dashboard(site: TestClient) -> None:
    answer = site.get("/", headers=BROWSER, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (302, "/lethe/")


def test_login_opens_a_new_session_and_logout_ends_it(site: TestClient) -> None:
    site.cookies.set("JSESSIONID", "A" * 32)
    answer = enter(site, "alice", goal="/data/projects/P?format=html")
    assert (answer.status_code, answer.headers["location"]) == (303, "/data/projects/P?format=html")
    assert "A" * 32 not in answer.headers["set-cookie"]
    site.cookies.clear()
    assert enter(site, "alice").status_code == 303
    assert "Logged in as: alice" in site.get("/").text
    site.post("/app/action/LogoutUser", follow_redirects=False)
    assert "Guest" in site.get("/").text


def test_a_wrong_password_is_said_and_the_goal_stays_in_the_site(site: TestClient) -> None:
    answer = enter(site, "alice", "wrong", goal="/x")
    assert answer.status_code == 401
    assert 'value="/x"' in answer.text
    for goal in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:1"):
        site.cookies.clear()
        assert enter(site, "alice", goal=goal).headers["location"] == "/"


def test_a_form_of_another_site_is_refused(site: TestClient) -> None:
    form = {"username": "alice", "password": "alice"}
    hostile = ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"})
    for headers in hostile:
        assert site.post("/app/template/Login.vm", data=form, headers=headers).status_code == 403


def test_a_browser_gets_a_page_and_a_program_gets_json(site: TestClient, ctx: Context) -> None:
    enter(site, "alice")
    assert site.get("/data/projects/P", headers=BROWSER).headers["content-type"].startswith("text/html")
    assert site.get("/data/projects/P?format=html").headers["content-type"].startswith("text/html")
    assert site.get("/data/projects/P?format=json", headers=BROWSER).json()["items"]
    assert site.get("/data/projects/P").json()["items"]
    assert site.get("/data/projects/NONE?format=html").status_code == 404


def test_what_comes_from_data_is_escaped_wherever_it_is_shown(site: TestClient, ctx: Context) -> None:
    project = items.find_project(ctx, "P")
    assert project is not None
    items.update_fields(ctx, project, {"name": EVIL, "description": EVIL, "keywords": EVIL}, login="alice")
    content.ensure_resource(ctx, project, 'R"><img src=x>', login="alice")
    enter(site, "alice")
    number = one_session(site, ctx)
    pages = [
        site.get("/"),
        site.get("/data/projects/P?format=html"),
        site.get(f"/data/experiments/{number}?format=html"),
    ]
    for page in pages:
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
    assert "&lt;script&gt;" in pages[2].text


def test_the_action_boxes_lead_to_the_dashboard(site: TestClient, ctx: Context) -> None:
    enter(site, "alice")
    session = one_session(site, ctx)
    assert 'href="/lethe/#/c/P"' in (text := site.get("/data/projects/P?format=html").text)
    assert item.OF_PROJECT in text
    address = f"/data/experiments/{session}?format=html"
    assert f'href="/lethe/#/c/P/s/{session}"' in (text := site.get(address).text)
    assert item.OF_SESSION in text
    access.set_visibility(ctx, "P", "public")
    site.cookies.clear()
    enter(site, "bob")
    assert site.get(address).status_code == 200
    assert "/lethe/#/c/P/s/" not in site.get(address).text


def test_the_entries_have_the_words_of_the_plugin() -> None:
    screens = Path(__file__).parents[3] / "plugin/resources/META-INF/resources/templates/screens"
    project = screens / "xnat_projectData/actionsBox/LetheDashboard.vm"
    session = screens / "xnat_imageSessionData/actionsBox/LetheDeface.vm"
    assert f">{item.OF_PROJECT}</a>" in project.read_text()
    assert f">{item.OF_SESSION}</a>" in session.read_text()


def test_the_policy_forbids_everything_from_elsewhere(site: TestClient) -> None:
    enter(site, "alice")
    for address in ("/", "/data/projects/P?format=html", "/app/template/Login.vm", "/pages/lethe.css"):
        answer = site.get(address)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r'(src|href)="(https?:)?//', answer.text)
    assert site.get("/pages/secret.py").status_code == 404
    assert "<style" not in site.get("/").text


FIREFOX = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


@pytest.mark.parametrize("prefix", ["/data", "/REST", "/data/archive"])
def test_a_change_from_a_browser_needs_the_token_of_its_session(site: TestClient, prefix: str) -> None:
    enter(site, "alice")
    session, token = re.fullmatch(
        r"([0-9A-F]{32}); XNAT_CSRF=([0-9a-f-]{36})",
        site.get("/data/JSESSION?CSRF=true", headers=FIREFOX).text,
    ).groups()
    assert session not in token
    other = "0" * 8 + token[8:]
    own = FIREFOX | {"Sec-Fetch-Site": "same-origin"}
    for headers, sent, status in [
        (own | {"Sec-Fetch-Site": "cross-site"}, token, 403), (own, "", 403), (own, other, 403),
        (FIREFOX, "", 403), ({"Sec-Fetch-Site": "same-origin"}, "", 403),
        (FIREFOX, token, 201), (own, token, 200), ({}, "", 200),
    ]:  # fmt: skip
        query = {"XNAT_CSRF": sent} if sent else {}
        answer = site.put(f"{prefix}/projects/P/subjects/NEW", params=query, headers=headers)
        assert answer.status_code == status, answer.text
    assert site.get(f"{prefix}/projects/P", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
    assert token not in site.get("/data/projects/P/subjects/NEW?format=json").text


def test_a_browser_needs_the_token_below_xapi_too_and_a_program_does_not(site: TestClient) -> None:
    enter(site, "alice")
    token = site.get("/data/JSESSION?CSRF=true").text.partition("XNAT_CSRF=")[2]
    address = "/xapi/anonymize/projects/P/enabled?enable=true"
    assert site.put(address, headers=FIREFOX).status_code == 403
    assert site.put(f"{address}&XNAT_CSRF={token}", headers=FIREFOX).status_code == 200
    assert site.put(address).status_code == 200


def test_the_token_of_one_session_is_nothing_to_another(site: TestClient) -> None:
    enter(site, "alice")
    first = site.get("/data/JSESSION?CSRF=true").text.partition("XNAT_CSRF=")[2]
    enter(site, "alice")
    second = site.get("/data/JSESSION?CSRF=true").text.partition("XNAT_CSRF=")[2]
    assert first != second
    address = "/data/projects/P/subjects/NEW"
    assert site.put(address, params={"XNAT_CSRF": first}, headers=FIREFOX).status_code == 403
    assert site.put(address, params={"XNAT_CSRF": second}, headers=FIREFOX).status_code == 201


def test_markup_escapes_texts_and_attributes() -> None:
    assert tag("p", EVIL, title='"><b>') == (
        '<p title="&quot;&gt;&lt;b&gt;">&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;</p>'
    )
    assert tag("ul", [tag("li", 1), None, [tag("li", "a")]]) == "<ul><li>1</li><li>a</li></ul>"
    assert tag("input", disabled=True, value=None) == "<input disabled>"
