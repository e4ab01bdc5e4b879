"""Custom fields: free values beside the typed ones."""

from __future__ import annotations

import pytest


@pytest.mark.requirement("E-72")
def test_values_are_merged_read_and_removed(client, project):
    path = f"/xapi/custom-fields/projects/{project}/subjects/S1/fields"
    assert client("PUT", path, "max", json={"form": {"mrs": 2}, "note": "text"}).status_code == 200
    assert client("PUT", path, "max", json={"form": {"nihss": 7}}).json()["form"] == {"mrs": 2, "nihss": 7}
    assert client("GET", path + "/note", "cora").text == "text"
    assert client("GET", path + "/form", "cora").json() == {"mrs": 2, "nihss": 7}
    assert client("DELETE", path + "/note", "max").status_code == 200
    assert client("GET", path + "/note", "cora").status_code == 404


@pytest.mark.parametrize(("user", "status"), [("cora", 403), ("una", 404), ("guest", 404)])
def test_writing_needs_the_right_to_edit(client, project, user, status):
    path = f"/xapi/custom-fields/projects/{project}/fields"
    assert client("PUT", path, user, json={"a": 1}).status_code == status


@pytest.mark.parametrize(
    "path", ["projects/{p}/subjects/fields", "fields", "projects/{p}/x/fields", "projects/{p}"]
)
def test_addresses_that_name_no_item_are_404(client, project, path):
    assert client("GET", "/xapi/custom-fields/" + path.format(p=project)).status_code == 404


def test_bodies_other_than_objects_are_400(client, project):
    path = f"/xapi/custom-fields/projects/{project}/fields"
    assert client("PUT", path, content=b"[1]").status_code == 400
    assert client("PUT", path, content=b"{").status_code == 400
