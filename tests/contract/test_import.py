"""Smoke scenarios of the XNAT contract: import and prearchive."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from contract.helpers import dicom_zip

pytestmark = pytest.mark.contract


@pytest.mark.requirement("E-65")
def test_s14_dicom_zip_import_to_archive_through_xnatpy(site):
    p = site.new_project()
    with site.connect() as c, tempfile.TemporaryDirectory() as d:
        f = d + "/s.zip"
        Path(f).write_bytes(dicom_zip(patient="SubA", pid="SubA_MR"))
        ex = c.services.import_(
            f, project=p, destination="/archive", overwrite="delete", content_type="application/zip"
        )
        assert ex.label == "SubA_MR"
        assert sorted(ex.scans.keys()) == ["1", "2"]
        assert ex.scans["1"].resources["DICOM"].file_count == 2
        assert ex.scans["SER1"].quality == "usable"


@pytest.mark.requirement("E-65")
def test_s15_import_with_explicit_subject_session_plain_post_body_is_one_crlf_termi(site):
    p = site.new_project()
    r = site.rq(
        "POST",
        "/data/services/import",
        params={
            "import-handler": "DICOM-zip",
            "project": p,
            "subject": "X1",
            "session": "X1_01",
            "dest": "/archive",
            "inbody": "true",
        },
        data=dicom_zip(),
        headers={"Content-Type": "application/zip"},
    )
    assert r.status_code == 200
    assert r.text.strip().startswith("/data/archive/projects/" + p)
    assert len(r.text.split()) == 1
    j = site.rq("GET", f"/data/projects/{p}/subjects/X1/experiments/X1_01?format=json").json()["items"][0]
    assert j["meta"]["xsi:type"] == "xnat:mrSessionData"
    assert j["data_fields"]["label"] == "X1_01"


@pytest.mark.requirement("E-71")
def test_s16_dicom_dump_all_and_filtered(site):
    p = site.new_project()
    site.rq(
        "POST",
        f"/data/services/import?project={p}&dest=/archive&inbody=true",
        data=dicom_zip(pid="DD"),
        headers={"Content-Type": "application/zip"},
    )
    with site.connect() as c:
        sc = c.projects[p].experiments["DD"].scans["1"]
        rows = sc.dicom_dump(fields=["SeriesDescription", "00080060"])
        assert {r["desc"]: r["value"] for r in rows}["Modality"] == "MR"
        assert set(rows[0]) >= {
            "tag1",
            "tag2",
            "vr",
            "value",
            "desc",
        }
        assert len(sc.dicom_dump()) > 10
        assert sc.read_dicom().SeriesDescription == "SER1"


@pytest.mark.requirement("E-65")
def test_s33_prearchive_round_trip_through_xnatpy(site):
    p = site.new_project()
    with site.connect() as c, tempfile.TemporaryDirectory() as d:
        f = d + "/s.zip"
        Path(f).write_bytes(dicom_zip(patient="PA", pid="PA_MR"))
        ps = c.services.import_(f, project=p, destination="/prearchive", content_type="application/zip")
        assert ps.status == "READY"
        assert ps.project == p
        assert ps.subject == "PA"
        assert ps.label == "PA_MR"
        assert ps.timestamp.year >= 2024
        assert [x.uri for x in c.prearchive.sessions(project=p)] == [ps.uri]
        assert sorted(s.id for s in ps.scans) == ["1", "2"]
        ex = ps.archive(subject="PA2", experiment="PA2_MR")
        assert ex.label == "PA2_MR"
        assert len(ex.scans) == 2
        assert c.prearchive.sessions(project=p) == []
