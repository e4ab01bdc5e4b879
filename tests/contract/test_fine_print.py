"""What the contract says in passing, and clients stumble over: each was wrong once."""

from __future__ import annotations

import requests

from contract.helpers import PASSWORDS, dicom_bytes, dicom_zip, fresh


def rows(answer):
    return answer.json()["ResultSet"]["Result"]


def test_a_path_with_an_xsi_type_test_is_read_as_well_as_written(site):
    project = site.new_project()
    path = "xnat:subjectData/demographics[@xsi:type=xnat:demographicData]/gender"
    subject = site.pyx().select.project(project).subject("S1")
    subject.create()
    subject.attrs.set(path, "female")
    assert subject.attrs.get(path) == "female"
    listed = site.rq("GET", f"/data/projects/{project}/subjects", params={"columns": path, "format": "json"})
    assert rows(listed)[0]["gender"] == "female"


def test_a_number_that_is_none_is_refused_and_documents_stay_json(site):
    project = site.new_project()
    session = site.mr(project)
    scan = f"/data/experiments/{session}/scans/1"
    site.rq("PUT", scan + "?xsiType=xnat:mrScanData")
    for value in ("NaN", "inf", "-1e999"):
        assert site.rq("PUT", f"{scan}?xnat:mrScanData/parameters/tr={value}").status_code == 400
    assert "NaN" not in site.rq("GET", f"/data/experiments/{session}?format=json").text


def test_a_rename_answers_200_without_a_body(site):
    project = site.new_project()
    site.mr(project)
    answer = site.rq("PUT", f"/data/projects/{project}/subjects/S1?label=S2")
    assert (answer.status_code, answer.text) == (200, "")


def test_a_catalogue_opens_as_the_contract_spells_it(site):
    project = site.new_project()
    site.rq("PUT", f"/data/projects/{project}/resources/R")
    number = rows(site.rq("GET", f"/data/projects/{project}/resources"))[0]["xnat_abstractresource_id"]
    wanted = f'<cat:Catalog ID="{number}" xmlns:cat="http://nrg.wustl.edu/catalog">'
    lines = site.rq("GET", f"/data/projects/{project}/resources/R").text.splitlines()
    assert lines[:2] == ['<?xml version="1.0" encoding="UTF-8"?>', wanted]


def test_a_form_makes_a_resource_with_its_format(site):
    project = site.new_project()
    form = {"xnat:resourceCatalog/label": (None, "FORMED"), "xnat:resourceCatalog/format": (None, "TXT")}
    url = f"{site.url}/data/projects/{project}/resources"
    assert requests.post(url, auth=("admin", PASSWORDS["admin"]), files=form, timeout=60).status_code == 200
    assert [(row["label"], row["format"]) for row in rows(site.rq("GET", url.removeprefix(site.url)))] == [
        ("FORMED", "TXT")
    ]


def test_a_form_sent_to_a_folder_keeps_the_name_of_its_file(site):
    project = site.new_project()
    base = f"/data/projects/{project}/resources/R/files"
    site.rq("PUT", base + "/sub/", files={"file": ("part.txt", b"x")})
    assert site.rq("GET", base + "/sub/part.txt").content == b"x"


def test_a_range_that_is_none_is_passed_over_and_a_known_file_is_not_sent_again(site):
    project = site.new_project()
    file = f"/data/projects/{project}/resources/R/files/a.txt"
    site.rq("PUT", file + "?inbody=true", data=b"abc")
    for given, status in (("bytes=abc", 200), ("bytes=2-1", 200), ("lines=0-1", 200), ("bytes=1-1", 206)):
        assert site.rq("GET", file, headers={"Range": given}).status_code == status, given
    tag = site.rq("GET", file).headers["ETag"]
    assert site.rq("GET", file, headers={"If-None-Match": tag}).status_code == 304
    site.rq("PUT", file + "?inbody=true&overwrite=true", data=b"abd")
    assert site.rq("GET", file, headers={"If-None-Match": tag}).content == b"abd"


def test_slashes_too_many_are_forgiven(site):
    assert site.rq("GET", "/xapi/plugins/?format=json").status_code == 200
    assert requests.get(site.url + "//data/auth", auth=("alice", PASSWORDS["alice"]), timeout=60).text
    with site.connect() as client:
        assert "containers" in client.plugins


def test_the_open_properties_of_a_closed_site_stay_open(site):
    site.rq("POST", "/xapi/siteConfig", json={"requireLogin": True})
    try:
        for key in ("siteId", "siteUrl", "siteHome", "siteLogoPath", "buildInfo"):
            assert site.rq("GET", f"/xapi/siteConfig/{key}", None).status_code == 200, key
        assert site.rq("GET", "/xapi/siteConfig/requireLogin", None).status_code == 401
    finally:
        site.rq("POST", "/xapi/siteConfig", json={"requireLogin": False})


def test_a_property_is_set_by_json_as_by_text(site):
    for kind, body in (("application/json", '"from json"'), ("text/plain", "from text")):
        site.rq("POST", "/xapi/siteConfig/note", data=body, headers={"Content-Type": kind})
        assert site.rq("GET", "/xapi/siteConfig/note").json() == body.strip('"')


def test_the_groups_of_all_data_are_given_like_any_other(site):
    project = site.new_project()
    site.mr(project)
    subject, groups = f"/data/projects/{project}/subjects/S1", "/xapi/users/bob/groups"
    assert site.rq("GET", subject, "bob").status_code == 404
    assert site.rq("PUT", f"{groups}/ALL_DATA_ACCESS", "bob").status_code == 403
    assert site.rq("PUT", f"{groups}/ALL_DATA_ACCESS").status_code == 200
    assert "ALL_DATA_ACCESS" in site.rq("GET", groups).json()
    assert site.rq("GET", subject, "bob").status_code == 200
    assert site.rq("PUT", subject + "?group=x", "bob").status_code == 403
    assert site.rq("DELETE", f"{groups}/ALL_DATA_ACCESS").status_code == 200
    assert site.rq("GET", subject, "bob").status_code == 404


def test_pyxnats_tables_of_sessions_and_scans(site):
    client, project = site.pyx(), fresh()
    session = client.select.project(project).subject("S1").experiment("E1")
    client.select.project(project).create()
    session.scan("7").create(experiments="xnat:mrSessionData", scans="xnat:mrScanData")
    assert "1 scan " in repr(session)
    assert client.array.experiments(project_id=project).data[0]["xsiType"] == "xnat:mrSessionData"
    assert client.array.mrscans(project_id=project).data[0]["xnat:mrscandata/id"] == "7"
    other = site.new_project()
    session.share(other)
    assert session.shares().get() == [project, other]


SESSION_XML = """<?xml version="1.0" encoding="UTF-8"?>
<xnat:MRSession xmlns:xnat="http://nrg.wustl.edu/xnat" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  label="E1"><xnat:date>2020-02-02</xnat:date>
  <xnat:scans><xnat:scan ID="1" type="T1" xsi:type="xnat:mrScanData"><xnat:quality>usable</xnat:quality>
  </xnat:scan><xnat:scan ID="2" type="T2"/></xnat:scans>
  <xnat:assessors><xnat:assessor xsi:type="xnat:qcManualAssessorData" label="QC"><xnat:rater>me</xnat:rater>
  </xnat:assessor></xnat:assessors></xnat:MRSession>"""


def test_the_xml_of_a_session_brings_its_scans_and_assessors_and_goes_round(site):
    project = site.new_project()
    address = f"/data/projects/{project}/subjects/S1/experiments/E1"
    xml = {"Content-Type": "text/xml"}
    assert site.rq("PUT", address, data=SESSION_XML, headers=xml).status_code == 201
    scans = [
        (row["ID"], row["type"], row["quality"], row["xsiType"])
        for row in rows(site.rq("GET", address + "/scans"))
    ]
    assert scans == [("1", "T1", "usable", "xnat:mrScanData"), ("2", "T2", "", "xnat:mrScanData")]
    assert [row["label"] for row in rows(site.rq("GET", address + "/assessors"))] == ["QC"]
    written = site.rq("GET", address + "?format=xml").content
    assert site.rq("PUT", address, data=written.replace(b">me<", b">you<"), headers=xml).status_code == 200
    assert site.rq("GET", address + "?format=xml").content == written.replace(b">me<", b">you<")
    subject = f"/data/projects/{project}/subjects/S1"
    whole = site.rq("GET", subject + "?format=xml").content
    assert site.rq("PUT", subject, data=whole.replace(b">you<", b">her<"), headers=xml).status_code == 200
    assert b">her<" in site.rq("GET", address + "?format=xml").content
    without = b'<xnat:scans><xnat:scan type="x" xsi:type="xnat:mrScanData"/></xnat:scans>'
    broken = written.split(b"<xnat:scans>")[0] + without + b"</xnat:MRSession>"
    assert site.rq("PUT", address, data=broken, headers=xml).status_code == 422


def test_headers_are_pulled_into_what_was_made_by_hand_and_types_follow_the_project(site):
    project = site.new_project()
    first, second = (site.mr(project, "S1", label) for label in ("E1", "E2"))
    for session in (first, second):
        scan = f"/data/experiments/{session}/scans/4"
        site.rq("PUT", scan + "?xsiType=xnat:mrScanData&quality=questionable")
        file = scan + "/resources/DICOM/files/1.dcm?inbody=true&format=DICOM&content=RAW"
        site.rq("PUT", file, data=dicom_bytes(num=4, desc="t1_mprage"))
    for session in (first, second):
        assert site.rq("PUT", f"/data/experiments/{session}?pullDataFromHeaders=true").status_code == 200
    site.rq("PUT", f"/data/experiments/{first}/scans/4?type=T1w")
    assert site.rq("PUT", f"/data/experiments/{second}?fixScanTypes=true").status_code == 200
    (row,) = rows(
        site.rq("GET", f"/data/experiments/{second}/scans?columns=ID,type,quality,series_description,UID")
    )
    assert (row["type"], row["quality"], row["series_description"]) == ("T1w", "questionable", "t1_mprage")
    assert row["UID"].startswith("1.2.")
    fields = site.rq("GET", f"/data/experiments/{second}?format=json").json()["items"][0]["data_fields"]
    assert (fields["modality"], fields["label"]) == ("MR", "E2")


def test_moving_a_subject_moves_its_sessions(site):
    source, target = site.new_project(), site.new_project()
    session = site.mr(source)
    file = f"/data/experiments/{session}/resources/R/files/a.txt"
    site.rq("PUT", file + "?inbody=true", data=b"a")
    subject = site.rq("PUT", f"/data/projects/{source}/subjects/S1").text
    moved = site.rq(
        "PUT", f"/data/projects/{source}/subjects/{subject}/projects/{target}?primary=true&label=M1"
    )
    assert moved.status_code == 200
    assert site.rq("GET", f"/data/projects/{source}/subjects/S1").status_code == 404
    assert site.rq("GET", f"/data/projects/{target}/subjects/M1/experiments/S1_MR1").status_code == 200
    assert rows(site.rq("GET", f"/data/projects/{source}/experiments")) == []
    assert site.rq("GET", file).content == b"a"


def test_a_script_is_enabled_with_its_coming_and_an_old_version_of_a_text_can_be_read(site):
    project = site.new_project()
    script, config = f"/xapi/anonymize/projects/{project}", f"/data/projects/{project}/config/tool/path"
    assert site.rq("GET", script + "/enabled").text == "false"
    site.rq("PUT", script, data='version "6.3"\n', headers={"Content-Type": "text/plain"})
    assert site.rq("GET", script + "/enabled").text == "true"
    for text in ("one", "two"):
        site.rq("PUT", config + "?inbody=true", data=text)
    assert site.rq("GET", config + "?contents=true&version=1").text == "one"
    assert site.rq("GET", config + "?contents=true").text == "two"


def test_options_are_told(site):
    answer = site.rq("OPTIONS", "/data/projects")
    assert answer.status_code == 200
    assert "DELETE" in answer.headers["Allow"]


def test_what_is_deleted_while_an_upload_runs_is_404_and_goes_once(site):
    project = site.new_project()
    session = site.mr(project)

    def slowly():
        yield b"x" * 100
        deleted = [
            site.rq("DELETE", f"/data/experiments/{session}?removeFiles=true").status_code for _ in "ab"
        ]
        assert deleted == [200, 404]
        yield b"x"

    file = f"/data/experiments/{session}/resources/R/files/a.bin?inbody=true"
    assert site.rq("PUT", file, data=slowly()).status_code == 404


def test_xml_of_another_kind_and_bodies_that_are_no_json_are_refused(site):
    project = site.new_project()
    xml = '<xnat:MRSession xmlns:xnat="http://nrg.wustl.edu/xnat" label="X"/>'
    for path in (f"/data/projects/{project}/subjects/X", f"/data/projects/{fresh()}"):
        assert site.rq("PUT", path, data=xml, headers={"Content-Type": "text/xml"}).status_code == 400
    assert site.rq("PUT", "/xapi/users/alice/roles", data="{").status_code == 400


def test_a_search_is_saved_shown_as_xml_run_and_deleted_by_its_author_alone(site):
    client, project = site.pyx("alice"), site.new_project("alice")
    site.mr(project, user="alice")
    name, address = fresh("search"), "/data/search/saved"
    wanted = [("xnat:subjectData/PROJECT", "=", project), "AND"]
    client.manage.search.save(name, "xnat:subjectData", ["xnat:subjectData/SUBJECT_LABEL"], wanted, "private")
    assert [row["subject_label"] for row in client.manage.search.get(name).data] == ["S1"]
    assert name in {row["id"] for row in rows(site.rq("GET", address, "alice"))}
    assert name not in {row["id"] for row in rows(site.rq("GET", address, "bob"))}
    assert f'ID="{name}"' in site.rq("GET", f"{address}/{name}", "alice").text
    assert site.rq("GET", f"{address}/{name}?format=json", "alice").status_code == 404
    assert site.rq("GET", f"{address}/{name}/results", "bob").status_code == 404
    document = site.rq("GET", f"{address}/{name}", "alice").content
    assert site.rq("PUT", f"{address}/{name}", "bob", data=document).status_code == 403
    assert site.rq("PUT", f"{address}/x", "bob", data="<a").status_code == 422
    client.manage.search.delete(name)
    assert site.rq("GET", f"{address}/{name}/results", "alice").status_code == 404


def test_a_search_by_custom_variable_by_list_and_by_typed_path(site):
    project = site.new_project()
    for label, gender in (("S1", "male"), ("S2", "female"), ("S3", "male")):
        path = f"/data/projects/{project}/subjects/{label}?gender={gender}"
        site.rq("PUT", f"{path}&xnat:subjectData/fields/field[name=mrs]/field={label[1]}")
    typed = "xnat:subjectData/demographics[@xsi:type=xnat:demographicData]/gender"
    for criterion, wanted in (
        ((typed, "=", "female"), ["S2"]),
        (("xnat:subjectData/label", "IN", "S1,S3"), ["S1", "S3"]),
        (("xnat:subjectData.XNAT_SUBJECTDATA_FIELD_MAP=mrs", ">=", "2"), ["S2", "S3"]),
    ):
        search = site.pyx().select("xnat:subjectData", ["xnat:subjectData/SUBJECT_LABEL"])
        found = search.where([("xnat:subjectData/project", "=", project), criterion, "AND"])
        assert [row["subject_label"] for row in found.data] == wanted, criterion


def test_what_xnatctl_reads_of_events_receivers_and_history(site):
    kinds = site.rq("GET", "/xapi/events/events").json()
    assert "org.nrg.xnat.eventservice.events.SessionEvent" in {kind["type"] for kind in kinds}
    assert isinstance(site.rq("GET", "/xapi/events/actions").json(), list)
    assert "dicomObjectIdentifier" in site.rq("GET", "/xapi/dicomscp/identifiers").json()
    project = site.new_project()
    session = site.mr(project)
    site.rq("PUT", f"/data/experiments/{session}?label=OTHER")
    history = site.rq("GET", f"/data/experiments/{session}/history?format=json").json()
    assert [(e["event_action"], e["event_status"]) for e in history["events"]][-1] == ("Renamed", "Complete")
    assert len(history["ResultSet"]["Result"]) == len(history["events"])


def test_a_body_that_curl_calls_a_form_is_taken_as_it_is(site):
    project = site.new_project()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    config = f"/data/projects/{project}/config/tool/path"
    site.rq("PUT", config + "?inbody=true", data=b'{"a":"b=c&d"}', headers=form)
    assert site.rq("GET", config + "?contents=true").text == '{"a":"b=c&d"}'
    subject = f"/data/projects/{project}/subjects/S1"
    xml = b"<xnat:Subject xmlns:xnat='http://nrg.wustl.edu/xnat' label='S1' group='g1'/>"
    assert site.rq("PUT", subject + "?inbody=true", data=xml, headers=form).status_code == 201
    fields = site.rq("GET", subject + "?format=json").json()["items"][0]["data_fields"]
    assert fields["group"] == "g1"
    site.rq("PUT", subject, data={"group": "g2"})
    assert site.rq("GET", subject + "?format=json").json()["items"][0]["data_fields"]["group"] == "g2"


def test_a_list_of_sessions_joins_its_scans_and_names_of_types_have_any_case(site):
    project = site.new_project()
    first, second = (site.mr(project, "S1", label) for label in ("E1", "E2"))
    for number, kind in (("1", "T1"), ("2", "T2")):
        site.rq("PUT", f"/data/experiments/{first}/scans/{number}?xsiType=xnat:mrScanData&type={kind}")
    columns = "ID,xnat:imagescandata/id,xnat:imagescandata/type,xnat:subjectData/label"
    query = {"project": project, "xsiType": "xnat:imagesessiondata", "columns": columns, "format": "json"}
    listed = rows(site.rq("GET", "/data/experiments", params=query))
    assert [tuple(row.values())[:4] for row in listed] == [
        (first, "1", "T1", "S1"),
        (first, "2", "T2", "S1"),
        (second, "", "", "S1"),
    ]


def test_a_session_is_used_where_it_is_shared_without_its_subject(site):
    source, target = site.new_project(), site.new_project()
    session = site.mr(source)
    site.rq("PUT", f"/data/experiments/{session}/scans/1?xsiType=xnat:mrScanData&type=T1w")
    site.rq("PUT", f"/data/experiments/{session}/projects/{target}?label=SHARED")
    with site.connect() as client:
        shared = client.projects[target].experiments["SHARED"]
        assert shared.scans["1"].type == "T1w"
        shared.note = "seen"
    fields = site.rq("GET", f"/data/experiments/{session}?format=json").json()["items"][0]["data_fields"]
    assert fields["note"] == "seen"
    assert site.rq("GET", f"/data/projects/{target}/subjects/{fields['subject_ID']}").status_code == 404


def test_the_prearchive_of_a_project_goes_with_it(site):
    project = site.new_project()
    query = f"dest=/prearchive/projects/{project}&inbody=true"
    zipped = {"Content-Type": "application/zip"}
    site.rq("POST", f"/data/services/import?{query}", data=dicom_zip(), headers=zipped)
    assert project in {row["project"] for row in rows(site.rq("GET", "/data/prearchive"))}
    assert site.rq("DELETE", f"/data/projects/{project}").status_code == 200
    assert project not in {row["project"] for row in rows(site.rq("GET", "/data/prearchive"))}


def test_a_list_is_filtered_by_a_custom_variable_however_it_is_encoded(site):
    project = site.new_project()
    for label in ("1", "2"):
        path = f"/data/projects/{project}/subjects/S{label}"
        site.rq("PUT", f"{path}?xnat:subjectData/fields/field[name=mrs]/field={label}")
    name = "xnat:subjectData/fields/field[name=mrs]/field"
    address = f"/data/projects/{project}/subjects?format=json"
    for found in (site.rq("GET", f"{address}&{name}=2"), site.rq("GET", address, params={name: "2"})):
        assert [row["label"] for row in rows(found)] == ["S2"]


def test_a_short_name_comes_back_as_it_was_asked_for(site):
    project = site.new_project()
    session = site.mr(project)
    site.rq("PUT", f"/data/experiments/{session}?studyInstanceUID=1.2.3")
    listed = site.rq("GET", f"/data/projects/{project}/experiments?columns=studyinstanceuid,UID&format=json")
    assert rows(listed)[0] | {"URI": ""} == {"studyInstanceUID": "1.2.3", "UID": "1.2.3", "URI": ""}
