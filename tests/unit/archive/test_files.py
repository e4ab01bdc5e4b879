"""Resources and files over HTTP: uploads of every form, lists, zips, ranges, catalogues."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile

import pytest
from lxml import etree

R = "/data/projects/{p}/subjects/S1/experiments/E1/resources/R"


@pytest.fixture
def base(project):
    return R.format(p=project)


def put(client, path, data=b"x", **more):
    answer = client("PUT", path, "olga", content=data, **more)
    assert answer.status_code == 200, answer.text
    return answer


def listed(client, path):
    return client("GET", path, "olga").json()["ResultSet"]["Result"]


@pytest.mark.requirement("E-66")
def test_a_raw_body_needs_no_inbody_when_its_type_says_what_it_is(client, base):
    put(client, base + "/files/a.bin", b"abc", headers={"Content-Type": "application/octet-stream"})
    row = listed(client, base + "/files")[0]
    assert (row["Name"], row["Size"], row["collection"]) == ("a.bin", "3", "R")
    assert row["digest"] == hashlib.md5(b"abc").hexdigest()
    assert client("GET", row["URI"], "olga").content == b"abc"


def test_an_empty_upload_is_400(client, base):
    assert client("PUT", base + "/files/a?inbody=true", "olga", content=b"").status_code == 400


def test_multipart_with_inbody_is_406(client, base):
    answer = client("PUT", base + "/files/a?inbody=true", "olga", files={"f": ("a", b"x")})
    assert answer.status_code == 406


def test_multipart_names_the_file_where_the_url_does_not(client, base):
    answer = client(
        "POST", base + "/files", "olga", files={"f": ("C:\\dir\\local.txt", b"abc"), "g": ("two.txt", b"d")}
    )
    assert answer.status_code == 200
    assert [row["Name"] for row in listed(client, base + "/files")] == ["local.txt", "two.txt"]


def test_broken_multipart_is_400_and_leaves_nothing(client, base, ctx):
    headers = {"Content-Type": "multipart/form-data; boundary=XX"}
    for body in (b"--XX\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\nabc", b"nonsense"):
        assert client("PUT", base + "/files/a", "olga", content=body, headers=headers).status_code == 400
    assert list((ctx.root / "tmp").iterdir()) == []
    assert client("GET", base + "/files/a", "olga").status_code == 404


def test_archives_are_unpacked_where_they_would_have_lain(client, base):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.txt", "A")
        archive.writestr("sub/b.txt", "B")
    put(client, base + "/files/deep/up.zip?extract=true&inbody=true", packed.getvalue())
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        one = tarfile.TarInfo("c.txt")
        one.size = 1
        archive.addfile(one, io.BytesIO(b"C"))
    put(client, base + "/files/up.tar.gz?extract=true&inbody=true", packed.getvalue())
    paths = {row["URI"].split("/files/")[1] for row in listed(client, base + "/files")}
    assert paths == {"deep/a.txt", "deep/sub/b.txt", "c.txt"}
    again = put(client, base + "/files/up.tar.gz?extract=true&inbody=true", packed.getvalue())
    assert again.json() == {"duplicates": ["c.txt"]}


def test_the_zip_holds_every_file_under_its_documented_name(client, project, base):
    put(client, base + "/files/k/v.txt?inbody=true")
    session = base.rsplit("/resources", 1)[0]
    put(client, session + "/scans/1/resources/DICOM/files/1.dcm?inbody=true")
    client("PUT", session + "/assessors/Q?xsiType=xnat:qcManualAssessorData", "olga")
    put(client, session + "/assessors/Q/out/resources/REP/files/r.txt?inbody=true")

    def names(path):
        answer = client("GET", path, "olga")
        assert answer.headers["content-type"] == "application/zip"
        return zipfile.ZipFile(io.BytesIO(answer.content)).namelist()

    assert names(base + "/files?format=zip") == ["E1/resources/R/files/k/v.txt"]
    assert names(session + "/scans/ALL/files?format=zip") == ["E1/scans/1-T1/resources/DICOM/files/1.dcm"]
    assert names(session + "/scans/T1/files?format=zip&structure=simplified") == ["E1/scans/1/DICOM/1.dcm"]
    assert names(session + "/scans/1/files?format=zip&structure=improved") == ["E1/scans/1_T1/DICOM/1.dcm"]
    assert len(names(session + "/files?format=zip&all=true")) == 3
    assert names(session + "/assessors/Q/files?format=zip") == [
        "E1/assessors/Q/out/resources/REP/files/r.txt"
    ]
    empty = f"/data/projects/{project}/files?format=zip"
    assert client("GET", empty, "olga").status_code == 404
    assert client("GET", empty + "&accept-not-found=true", "olga").status_code == 204


@pytest.mark.parametrize("level", ["0", "6", "9"])
def test_zips_compress_as_asked(client, base, level):
    put(client, base + "/files/zeros?inbody=true", b"0" * 300_000)
    body = client("GET", base + f"/files?format=zip&compression={level}", "olga").content
    archive = zipfile.ZipFile(io.BytesIO(body))
    assert archive.testzip() is None
    assert archive.read(archive.namelist()[0]) == b"0" * 300_000
    assert (len(body) < 10_000) == (level != "0")


def test_ranges_head_and_headers(client, base):
    put(client, base + "/files/a.txt?inbody=true", b"0123456789")
    part = client("GET", base + "/files/a.txt", "olga", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    head = client("HEAD", base + "/files/a.txt", "olga")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "10")
    assert head.headers["content-disposition"].startswith("attachment")
    assert "last-modified" in head.headers
    assert client("GET", base + "/files/none", "olga").status_code == 404
    assert client("GET", base + "/files/none?accept-not-found=true", "olga").status_code == 204


def test_folders_are_listed_and_removed(client, base):
    for path in ("a/1", "a/b/2", "ab", "c"):
        put(client, f"{base}/files/{path}?inbody=true")

    def paths(query):
        return [row["URI"].split("/files/")[1] for row in listed(client, base + "/files" + query)]

    assert paths("/a/") == ["a/1", "a/b/2"]
    assert paths("/a/?recursive=false") == ["a/1"]
    assert paths("/a*") == ["a/1", "a/b/2", "ab"]
    assert paths("?index=2") == ["ab"]
    assert client("DELETE", base + "/files/a", "olga").status_code == 200
    assert paths("") == ["ab", "c"]


def test_file_lists_filter_and_keep_the_address_they_were_asked_by(client, project, base):
    put(client, base + "/files/a.nii?inbody=true&format=NIFTI&content=RAW&tags=x&tags=y")
    put(client, base + "/files/b.txt?inbody=true&format=TXT")
    assert [r["Name"] for r in listed(client, base + "/files?file_format=NIFTI")] == ["a.nii"]
    row = listed(client, base + "/files?file_content=R*")[0]
    assert (row["file_tags"], row["file_content"]) == ("x,y", "RAW")
    assert row["URI"].startswith(f"/data/projects/{project}/subjects/XNAT_S")
    flat = f"/data/experiments/{row['URI'].split('/experiments/')[1].split('/')[0]}/files"
    assert listed(client, flat)[0]["URI"].startswith("/data/experiments/")
    assert listed(client, flat + "?collection=NONE") == []


def test_the_catalogue_is_xml_whatever_the_format(client, project, base):
    put(client, base + "/files/a.txt?inbody=true&format=TXT", b"abc")
    text = client("GET", base + "?format=json", "olga").text
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<cat:Catalog ID="')
    entry = etree.fromstring(text.encode()).find(".//{*}entry")
    assert (entry.get("URI"), entry.get("digest")) == ("a.txt", hashlib.md5(b"abc").hexdigest())
    session = base.rsplit("/resources", 1)[0]
    put(client, session + "/scans/1/resources/DICOM/files/1.dcm?inbody=true&format=DICOM")
    assert "<cat:DCMCatalog" in client("GET", session + "/scans/1/resources/DICOM", "olga").text


def test_resources_are_found_by_label_and_by_number(client, base):
    put(client, base + "/files/a?inbody=true")
    session = base.rsplit("/resources", 1)[0]
    row = listed(client, session + "/resources")[0]
    assert (row["label"], row["file_count"], row["file_size"]) == ("R", "1", "1")
    number = row["xnat_abstractresource_id"]
    assert client("GET", f"{session}/resources/{number}/files/a", "olga").content == b"x"
    assert client("PUT", f"{session}/resources/123", "olga").status_code == 400
    assert client("DELETE", f"{session}/resources/{number}", "olga").status_code == 200
    assert client("GET", f"{session}/resources/R", "olga").status_code == 404


def test_a_resource_may_be_posted_by_its_label(client, project):
    base = f"/data/projects/{project}/resources"
    made = client("POST", base, "olga", data={"xnat:resourceCatalog/label": "DOC"})
    assert made.status_code == 200
    assert [row["label"] for row in listed(client, base)] == ["DOC"]


def test_paths_that_are_still_encoded_are_decoded_a_second_time(client, base):
    put(client, base + "/files/a%20b.txt?inbody=true")
    assert client("GET", base + "/files/a%2520b.txt", "olga").status_code == 200


def test_an_unknown_parent_is_404(client, project):
    path = f"/data/projects/{project}/subjects/NONE/resources/R/files/a?inbody=true"
    assert client("PUT", path, "olga", content=b"x").status_code == 404
