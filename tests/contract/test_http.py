"""Smoke scenarios of the XNAT contract: plain HTTP."""

from __future__ import annotations

import io
import zipfile

import pytest
import requests
import xnat

pytestmark = pytest.mark.contract


@pytest.mark.requirement("E-15")
def test_s02_bad_password_is_a_login_failure_not_a_crash(site):
    try:
        xnat.connect(site.url, user="admin", password="wrong", loglevel="CRITICAL")
        raise AssertionError()
    except xnat.exceptions.XNATLoginFailedError:
        pass
    assert site.rq("GET", "/data/auth", None).status_code in (200, 401)
    assert requests.get(site.url + "/data/projects", auth=("admin", "wrong")).status_code == 401


@pytest.mark.requirement("E-15")
def test_s03_jsession_lifecycle_by_curl_style_calls(site):
    s = requests.Session()
    s.auth = ("alice", "alice")
    js = s.get(site.url + "/data/JSESSION").text.strip()
    assert js == s.cookies["JSESSIONID"]
    t = requests.get(site.url + "/data/auth", cookies={"JSESSIONID": js})
    assert t.text == "User 'alice' is logged in"
    assert s.delete(site.url + "/data/JSESSION").status_code == 200
    assert "'alice'" not in requests.get(site.url + "/data/auth", cookies={"JSESSIONID": js}).text


@pytest.mark.requirement("E-71")
def test_s13_image_session_zip_of_all_scans_entry_names_carry_id_type(site):
    p = site.new_project()
    e = site.mr(p)
    for k in ("1", "2"):
        site.rq("PUT", f"/data/experiments/{e}/scans/{k}?xsiType=xnat:mrScanData&type=T1")
        site.rq(
            "PUT",
            f"/data/experiments/{e}/scans/{k}/resources/DICOM/files/{k}.dcm?inbody=true&format=DICOM&content=RAW",
            data=b"x" * 10,
        )
    r = site.rq("GET", f"/data/experiments/{e}/scans/ALL/files?format=zip")
    z = zipfile.ZipFile(io.BytesIO(r.content))
    assert sorted(z.namelist()) == [
        "S1_MR1/scans/1-T1/resources/DICOM/files/1.dcm",
        "S1_MR1/scans/2-T1/resources/DICOM/files/2.dcm",
    ]


@pytest.mark.requirement("E-17")
def test_s27_private_project_is_invisible_404_protected_is_a_stub_public_is_readabl(site):
    p = site.new_project("alice")
    site.mr(p, user="alice")
    assert site.rq("GET", f"/data/projects/{p}?format=json", "bob").status_code == 404
    site.rq("PUT", f"/data/projects/{p}/accessibility/protected", "alice")
    assert site.rq("GET", f"/data/projects/{p}?format=json", "bob").status_code == 200
    assert site.rq("GET", f"/data/projects/{p}/subjects/S1?format=json", "bob").status_code in (403, 404)
    site.rq("PUT", f"/data/projects/{p}/accessibility/public", "alice")
    assert site.rq("GET", f"/data/projects/{p}/subjects/S1?format=json", "bob").status_code == 200
    assert site.rq("PUT", f"/data/projects/{p}/subjects/HACK", "bob").status_code == 403


@pytest.mark.requirement("E-27")
def test_s28_member_may_write_but_not_delete_owner_may(site):
    p = site.new_project("alice")
    site.mr(p, user="alice")
    site.rq("PUT", f"/data/projects/{p}/users/Members/bob", "alice")
    assert site.rq("PUT", f"/data/projects/{p}/subjects/NEW", "bob").status_code == 201
    assert site.rq("DELETE", f"/data/projects/{p}/subjects/NEW", "bob").status_code == 403
    assert site.rq("PUT", f"/data/projects/{p}/users/Owners/bob", "bob").status_code == 403
    assert site.rq("DELETE", f"/data/projects/{p}/subjects/NEW?removeFiles=true", "alice").status_code == 200


@pytest.mark.requirement("E-71")
def test_s29_resource_semantics_over_curl_409_on_re_create_duplicates_without_overw(site):
    p = site.new_project()
    b = f"/data/projects/{p}/resources/DOC"
    assert site.rq("PUT", b).status_code == 200
    assert site.rq("PUT", b).status_code == 409
    assert site.rq("PUT", b + "/files/x.txt?inbody=true", data=b"one").status_code == 200
    r = site.rq("PUT", b + "/files/x.txt?inbody=true", data=b"two")
    assert r.status_code == 200
    assert r.json() == {"duplicates": ["x.txt"]}
    assert site.rq("GET", b + "/files/x.txt").content == b"one"
    site.rq("PUT", b + "/files/x.txt?inbody=true&overwrite=true", data=b"two")
    assert site.rq("GET", b + "/files/x.txt").content == b"two"


@pytest.mark.requirement("E-71")
def test_s30_the_three_url_prefixes_are_the_same_tree(site):
    p = site.new_project()
    e = site.mr(p)
    outs = [
        site.rq("GET", f"{pre}/experiments/{e}?format=json").json()["items"][0]["data_fields"]["ID"]
        for pre in ("/data", "/REST", "/data/archive")
    ]
    assert outs == [e] * 3


@pytest.mark.requirement("E-71")
def test_s31_create_codes_201_then_200_body_is_the_accession_id_label_rename_confli(site):
    p = site.new_project()
    u = f"/data/projects/{p}/subjects/L1"
    r1, r2 = site.rq("PUT", u), site.rq("PUT", u)
    assert (r1.status_code, r2.status_code) == (201, 200)
    assert r1.text == r2.text
    site.rq("PUT", f"/data/projects/{p}/subjects/L2")
    assert site.rq("PUT", u + "?label=L2").status_code == 409
    assert site.rq("PUT", u + "?label=L3").status_code == 200
    assert site.rq("GET", f"/data/projects/{p}/subjects/L3?format=json").status_code == 200


@pytest.mark.requirement("E-71")
def test_s32_multipart_upload_curl_f_equals_in_body_upload(site):
    p = site.new_project()
    b = f"/data/projects/{p}/resources/M/files"
    assert (
        requests.put(
            site.url + b + "/m.bin", auth=("admin", "admin"), files={"file": ("local.bin", b"abc")}
        ).status_code
        == 200
    )
    assert site.rq("GET", b + "/m.bin").content == b"abc"
    row = site.rq("GET", b + "?format=json").json()["ResultSet"]["Result"][0]
    assert list(row)[:3] != []
    assert row["Name"] == "m.bin"
    assert row["Size"] == "3"
    assert row["collection"] == "M"
