"""Imports that meet what is there already, and what their parameters promise."""

from __future__ import annotations

import io
import zipfile

from contract.helpers import dicom_zip

ZIP = {"Content-Type": "application/zip"}


def send(site, project, data, user="admin", **more):
    query = {"project": project, "inbody": "true", **more}
    return site.rq("POST", "/data/services/import", user, params=query, data=data, headers=ZIP)


def rows(site, address):
    return site.rq("GET", address + "?format=json").json()["ResultSet"]["Result"]


def test_another_study_under_a_known_label_asks_for_overwrite_and_delete_replaces(site):
    project = site.new_project()
    session = f"/data/projects/{project}/experiments/SES"
    assert send(site, project, dicom_zip(pid="SES"), dest="/archive").status_code == 200
    scans = f"/data/projects/{project}/subjects/S1/experiments/SES/scans"
    site.rq("PUT", scans + "/1/resources/N/files/n.txt?inbody=true", data=b"made by hand")
    other = dicom_zip(pid="SES", n_series=1, n_inst=3)
    refused = send(site, project, other, dest="/archive")
    assert refused.status_code == 409
    assert "Session already exists, retry with overwrite enabled" in refused.text
    assert send(site, project, other, dest="/archive", overwrite="append").status_code == 409
    before = site.rq("GET", session + "?format=json").json()["items"][0]["data_fields"]["UID"]
    assert send(site, project, other, dest="/archive", overwrite="delete").status_code == 200
    assert site.rq("GET", session + "?format=json").json()["items"][0]["data_fields"]["UID"] != before
    assert [row["ID"] for row in rows(site, scans)] == ["1", "2"]
    assert len(rows(site, scans + "/1/resources/DICOM/files")) == 3
    assert [row["Name"] for row in rows(site, scans + "/1/resources/N/files")] == ["n.txt"]


def test_a_member_replaces_no_stored_study(site):
    project = site.new_project()
    site.rq("PUT", f"/data/projects/{project}/users/Members/bob")
    assert send(site, project, dicom_zip(pid="SES"), "bob", dest="/archive").status_code == 200
    again = send(site, project, dicom_zip(pid="SES"), "bob", dest="/archive", overwrite="delete")
    assert again.status_code == 403
    assert len(rows(site, f"/data/projects/{project}/experiments/SES/scans")) == 2


def test_what_the_sender_said_is_shown_in_the_prearchive_and_kept(site):
    project = site.new_project()
    said = {"SOURCE": "ctp", "VISIT": "V2", "PROTOCOL": "P7", "TIMEZONE": "UTC", "prevent_anon": "true"}
    place = send(site, project, dicom_zip(pid="SES"), dest="/prearchive", **said).text.strip()
    (row,) = rows(site, place)
    assert {key: row[key] for key in said} == said
    assert row["prevent_auto_commit"] == "false"
    assert site.rq("POST", place + "?action=commit&AA=true").status_code == 301
    session = site.rq("GET", f"/data/projects/{project}/experiments/SES?format=json").json()["items"][0]
    assert (session["data_fields"]["visit_id"], session["data_fields"]["protocol"]) == ("V2", "P7")


def test_a_zip_without_destination_is_committed_where_it_says_so(site):
    project = site.new_project()
    zipped = {"import-handler": "DICOM-zip"}
    waiting = send(site, project, dicom_zip(pid="A"), **zipped).text.strip()
    assert rows(site, waiting)[0]["status"] == "RECEIVING"
    done = send(site, project, dicom_zip(pid="B"), action="commit", **zipped).text.strip()
    assert done == f"/data/archive/projects/{project}/subjects/S1/experiments/B"


def test_commit_leaves_a_manual_session_in_the_prearchive_unless_told(site):
    project = site.new_project()
    site.rq("PUT", f"/data/projects/{project}/prearchive_code/0")
    place = send(site, project, dicom_zip(pid="SES")).text.strip()
    kept = site.rq("POST", place + "?action=commit")
    assert (kept.status_code, kept.text.strip()) == (200, place)
    moved = site.rq("POST", place + "?action=commit&auto-archive=true")
    assert (moved.status_code, moved.text.strip()[:14]) == (301, "/data/archive/")
    assert "Location" not in moved.headers


def test_an_empty_zip_is_refused(site):
    stream = io.BytesIO()
    zipfile.ZipFile(stream, "w").close()
    assert send(site, site.new_project(), stream.getvalue(), dest="/archive").status_code == 400
