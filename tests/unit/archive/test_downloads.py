"""Tar downloads, members of zips, and the scratch files of a user."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

from unit.archive_import.conftest import as_zip, study_objects

R = "/data/projects/{p}/subjects/S1/experiments/E1/resources/R"
CACHE = "/data/user/cache/resources"


def zipped(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, body in members.items():
            packed.writestr(name.replace("__", "/"), body)
    return stream.getvalue()


@pytest.mark.requirement("E-78")
@pytest.mark.parametrize(("form", "mode"), [("tar", "r:"), ("tar.gz", "r:gz")])
def test_files_come_as_tar_with_the_names_of_the_zip(client, project, form, mode):
    url = R.format(p=project)
    name = "long/" + "n" * 150 + "/ä.txt"
    for path, body in (("a.txt", b"A" * 1000), ("empty", b""), (name, b"u")):
        client("PUT", f"{url}/files/{path}?inbody=true" if body else f"{url}/files/{path}", "olga",
               **({"content": body} if body else {"files": {"file": ("empty", b"")}}))  # fmt: skip
    answer = client("GET", f"{url}/files?format={form}", "cora")
    assert answer.status_code == 200
    assert "tar" in answer.headers["content-type"] or "gzip" in answer.headers["content-type"]
    assert answer.content == client("GET", f"{url}/files?format={form}", "cora").content
    with tarfile.open(fileobj=io.BytesIO(answer.content), mode=mode) as packed:
        found = {one.name: packed.extractfile(one).read() for one in packed}
    with zipfile.ZipFile(io.BytesIO(client("GET", f"{url}/files?format=zip", "cora").content)) as other:
        assert found == {one: other.read(one) for one in other.namelist()}
    assert found["E1/resources/R/files/a.txt"] == b"A" * 1000
    assert client("GET", f"{url}/files/long?format={form}").status_code == 200
    assert client("GET", f"/data/projects/{project}/subjects/S1/files?format={form}").status_code == 404


def test_members_of_a_zip_are_listed_and_read_one_by_one(client, project):
    url = R.format(p=project) + "/files/x.zip"
    client("PUT", url + "?inbody=true", "olga", content=zipped(a=b"A", b__c=b"C" * 9))
    rows = client("GET", url + "?listContents=true&format=json", "cora").json()["ResultSet"]["Result"]
    assert [(row["Name"], row["Size"]) for row in rows] == [("a", "1"), ("b/c", "9")]
    assert client("GET", rows[1]["URI"], "cora").content == b"C" * 9
    assert client("GET", url + "!/b/c", "cora").content == b"C" * 9
    assert client("GET", url + "!/none", "cora").status_code == 404
    assert client("GET", R.format(p=project) + "/files/none.zip!/a", "cora").status_code == 404
    assert client("GET", url + "!/a", "una").status_code == 404
    client("PUT", R.format(p=project) + "/files/y.zip?inbody=true", "olga", content=b"no zip")
    assert client("GET", R.format(p=project) + "/files/y.zip!/a").status_code == 400
    assert client("GET", R.format(p=project) + "/files/y.zip?listContents=true").status_code == 400


def test_scratch_files_are_the_users_own_and_a_source_for_imports(client, project):
    url = f"{CACHE}/UP/files/s.zip"
    body = as_zip(study_objects(1, 2))
    assert client("PUT", url, "max", content=body).status_code == 200
    assert client("GET", url, "max").content == body
    assert client("GET", url, "olga").status_code == 404
    assert client("PUT", url, "guest", content=b"x").status_code == 403
    rows = client("GET", f"{CACHE}/UP/files", "max").json()["ResultSet"]["Result"]
    assert [(row["Name"], row["Size"]) for row in rows] == [("s.zip", str(len(body)))]
    assert [r["Name"] for r in client("GET", CACHE, "max").json()["ResultSet"]["Result"]] == ["UP"]
    imported = f"/data/services/import?project={project}&dest=/archive&src="
    assert client("POST", imported + "/user/cache/resources/UP/files/s.zip", "olga").status_code == 404
    assert client("POST", imported + "/etc/passwd", "max").status_code == 400
    assert client("POST", imported + "/user/cache/resources/../files/s.zip", "max").status_code == 400
    answer = client("POST", imported + "/user/cache/resources/UP/files/s.zip", "max")
    assert answer.status_code == 200, answer.text
    assert client("GET", answer.text.strip() + "/scans/1/resources/DICOM/files", "max").status_code == 200
    assert client("DELETE", f"{CACHE}/UP", "max").status_code == 200
    assert client("GET", f"{CACHE}/UP/files", "max").status_code == 404
    assert client("DELETE", f"{CACHE}/UP", "max").status_code == 404


@pytest.mark.parametrize(
    "path", ["..%2F..%2Fx/files/a", "1/files/a", "A/files/b%2F..%2F..%2Fc", ".x/files/a"]
)
def test_scratch_files_do_not_leave_their_folder(client, path):
    assert client("PUT", f"{CACHE}/{path}", "max", content=b"x").status_code == 400


def test_the_mapping_of_short_names_is_shown_on_request(client, project):
    rows = client("GET", f"/data/projects/{project}/subjects?fields=true").json()["ResultSet"]["Result"]
    assert {"key": "gender", "xpath": "xnat:subjectData/demographics/gender"} in rows
    assert client("GET", "/data/projects?fields=true").json()["ResultSet"]["Result"][0]["key"]


def test_anonymization_scripts_are_kept_for_their_owners(client, project):
    url = f"/xapi/anonymize/projects/{project}"
    assert client("GET", url, "max").status_code == 204
    assert client("PUT", url, "max", content=b"x").status_code == 403
    assert client("PUT", url, "olga", content='version "6.3"\n(0010,0010) := "ä"').status_code == 200
    assert client("GET", url, "cora").text.endswith(':= "ä"')
    assert client("GET", url, "una").status_code == 404
    assert client("GET", f"{url}/enabled").json() is True
    client("PUT", f"{url}/enabled?enable=false", "olga")
    assert client("GET", f"{url}/enabled").json() is False
    assert client("PUT", f"{url}/enabled", "olga", content=b"").status_code == 200
    assert client("GET", f"{url}/enabled").json() is True
    assert client("PUT", "/xapi/anonymize/site", "olga", content=b"x").status_code == 403
    assert client("GET", "/xapi/anonymize/site", "olga").text.startswith("version")
    assert client("GET", "/xapi/anonymize/site", "guest").status_code == 403
    assert client("PUT", "/xapi/anonymize/site", content=b"\xff").status_code == 400
    assert client("GET", "/xapi/anonymize/default").text.startswith('version "6')
