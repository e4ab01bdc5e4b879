"""The collection administrator: roles and visibility, seen from every side (E-17 to E-29)."""

from __future__ import annotations

import pytest
import xnat

from demo_walk.server import Server
from system.conftest import Walked

pytestmark = pytest.mark.system


@pytest.fixture
def private_again(get):
    yield
    assert get("coordinator", "/data/projects/DEMO/accessibility/private", "PUT").status_code == 200


def subject_path(get) -> str:
    rows = get("admin", "/data/projects/DEMO/subjects?format=json").json()["ResultSet"]["Result"]
    return f"/data/projects/DEMO/subjects/{rows[0]['label']}?format=json"


@pytest.mark.requirement("E-21", "E-20")
def test_a_new_collection_is_private_and_unseen(walked: Walked, get):
    assert get("coordinator", "/data/projects/DEMO/accessibility").text == "private"
    assert get("curator", "/data/projects/DEMO?format=json").status_code == 404
    assert get(None, "/data/projects/DEMO?format=json").status_code in (401, 404)


@pytest.mark.requirement("E-17", "E-19", "E-22")
def test_protected_shows_the_description_but_no_data(get, private_again):
    assert get("coordinator", "/data/projects/DEMO/accessibility/protected", "PUT").status_code == 200
    assert get("curator", "/data/projects/DEMO?format=json").status_code == 200
    assert get("curator", subject_path(get)).status_code in (403, 404)


@pytest.mark.requirement("E-18")
def test_public_lets_others_read_but_never_write_or_delete(get, private_again):
    assert get("coordinator", "/data/projects/DEMO/accessibility/public", "PUT").status_code == 200
    path = subject_path(get)
    assert get("curator", path).status_code == 200
    assert get("curator", "/data/projects/DEMO/subjects/HACK", "PUT").status_code == 403
    assert get("curator", path.split("?")[0], "DELETE").status_code == 403


@pytest.mark.requirement("E-16", "E-26", "E-29")
def test_an_owner_grants_changes_and_revokes_a_role_and_it_holds_at_once(server: Server, get):
    url = "/data/projects/DEMO/users"
    assert get("coordinator", f"{url}/Collaborators/curator", "PUT").status_code == 200
    with xnat.connect(
        server.url, user="curator", password=server.passwords["curator"], loglevel="ERROR", cli=False
    ) as archive:
        assert "DEMO" in archive.projects
        assert get("curator", "/data/projects/DEMO/subjects/NEW1", "PUT").status_code == 403
        assert get("coordinator", f"{url}/Members/curator", "PUT").status_code == 200
        assert get("curator", "/data/projects/DEMO/subjects/NEW1", "PUT").status_code == 201
        assert get("curator", "/data/projects/DEMO/subjects/NEW1", "DELETE").status_code == 403
        assert get("coordinator", f"{url}/Members/curator", "DELETE").status_code == 200
        assert get("curator", "/data/projects/DEMO?format=json").status_code == 404
    assert get("coordinator", "/data/projects/DEMO/subjects/NEW1", "DELETE").status_code == 200


@pytest.mark.requirement("E-27")
@pytest.mark.parametrize("login", ["member", "collaborator"])
def test_only_an_owner_hands_out_roles_and_visibility(get, login):
    assert get(login, "/data/projects/DEMO/users/Owners/curator", "PUT").status_code == 403
    assert get(login, "/data/projects/DEMO/accessibility/public", "PUT").status_code == 403
    assert get("coordinator", "/data/projects/DEMO/accessibility").text == "private"


@pytest.mark.parametrize(
    ("path", "who"),
    [
        ("/data/projects/DEMO?format=html", "coordinator"),
        ("/data/projects/DEMO_INTAKE?format=html", "curator"),
    ],
)
def test_a_project_has_a_page(get, path, who):
    answer = get(who, path)
    assert answer.status_code == 200
    assert "text/html" in answer.headers["Content-Type"]
    assert "DEMO" in answer.text
