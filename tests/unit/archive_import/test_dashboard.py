"""The dashboard's files at /lethe/: right types, tags, nothing outside of the folder."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from lethe.archive.context import Context
from lethe.archive.web import dashboard
from lethe.archive.web.gate import Gate
from lethe.archive.web.sessions import Sessions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    app = tmp_path / "app"
    (app / "assets").mkdir(parents=True)
    (app / "index.html").write_text("<!doctype html><title>app</title>")
    (app / "assets" / "main-9f8e7d6c.js").write_text("1")
    (app / "assets" / "brain.nii.gz").write_bytes(gzip.compress(b"n"))
    (tmp_path / "secret.txt").write_text("secret")
    (app / "link.txt").symlink_to(tmp_path / "secret.txt")
    (app / ".hidden").write_text("hidden")
    return app


@pytest.fixture
def site(ctx: Context, folder: Path) -> Iterator[TestClient]:
    middleware = [Middleware(Gate, ctx=ctx, sessions=Sessions(ctx))]
    with TestClient(Starlette(routes=dashboard.routes(ctx, folder), middleware=middleware)) as found:
        yield found


def test_lethe_leads_to_the_welcome_file(site: TestClient) -> None:
    first = site.get("/lethe", follow_redirects=False)
    assert (first.status_code, first.headers["location"]) == (302, "/lethe/")
    page = site.get("/lethe/")
    assert page.text == site.get("/lethe/index.html").text == "<!doctype html><title>app</title>"
    assert page.headers["content-type"].startswith("text/html")
    assert site.head("/lethe/").status_code == 200


@pytest.mark.parametrize(
    ("name", "kind", "lasting"),
    [("index.html", "text/html", False), ("assets/main-9f8e7d6c.js", "application/javascript", True),
     ("assets/brain.nii.gz", "application/x-gzip", False)],
)  # fmt: skip
def test_each_file_comes_with_its_type_and_tag(site: TestClient, name: str, kind: str, lasting: bool) -> None:
    answer = site.get(f"/lethe/{name}")
    assert answer.headers["content-type"].partition(";")[0] == kind
    assert "content-encoding" not in answer.headers
    assert ("immutable" in answer.headers["cache-control"]) is lasting
    again = site.get(f"/lethe/{name}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_new_build_has_a_new_tag(site: TestClient, folder: Path) -> None:
    before = site.get("/lethe/").headers["etag"]
    (folder / "index.html").write_text("<!doctype html><title>new</title>")
    assert site.get("/lethe/", headers={"If-None-Match": before}).text.endswith("<title>new</title>")


@pytest.mark.parametrize("name", ["link.txt", ".hidden", "assets", "assets/", "none.js", "%2e%2e/secret.txt"])
def test_nothing_outside_of_the_folder_is_served(site: TestClient, name: str) -> None:
    answer = site.get(f"/lethe/{name}")
    assert answer.status_code in {400, 404}
    assert "secret" not in answer.text.replace(name, "")


def test_a_closed_site_sends_the_guest_to_the_login_page(site: TestClient, ctx: Context) -> None:
    ctx.settings.set("requireLogin", True)
    answer = site.get("/lethe/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (302, "/app/template/Login.vm?goal=/lethe/")
    assert site.get("/lethe/", auth=("alice", "alice")).status_code == 200


def test_an_installation_without_the_app_says_so(ctx: Context, tmp_path: Path) -> None:
    middleware = [Middleware(Gate, ctx=ctx, sessions=Sessions(ctx))]
    app = Starlette(routes=dashboard.routes(ctx, tmp_path / "none"), middleware=middleware)
    with TestClient(app) as site:
        answer = site.get("/lethe/")
    assert answer.status_code == 503
    assert "was not built into this installation" in answer.text
