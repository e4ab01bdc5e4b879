"""Items over HTTP: statuses, documents, lists, filters, sharing, as XNAT answers."""

from __future__ import annotations

import csv
import io

import pytest

from lethe.archive import access, accounts, items

S = "/data/projects/{p}/subjects/S1"
E = S + "/experiments/E1"


def rows(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["ResultSet"]["Result"]


def fields(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["items"][0]["data_fields"]


@pytest.mark.requirement("E-71")
def test_the_three_prefixes_are_one_tree(client, project):
    paths = [
        f"{prefix}/projects/{project}/subjects/S1"
        for prefix in ("/data", "/REST", "/data/archive", "/REST/archive")
    ]
    assert len({fields(client("GET", path))["ID"] for path in paths}) == 1
    assert client("GET", f"/archive/projects/{project}").status_code == 404


def test_labels_are_percent_decoded_once(client, project):
    made = client("PUT", f"/data/projects/{project}/subjects/S%20%2541%C3%A9", "olga")
    assert made.status_code == 201
    labels = {row["label"] for row in rows(client("GET", f"/data/projects/{project}/subjects"))}
    assert labels == {"S1", "S %41\u00e9"}


def test_a_label_is_no_address_without_its_project(client, project):
    assert client("GET", "/data/experiments/E1").status_code == 404
    assert client("GET", "/data/subjects/S1").status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/data/projects/bad id", 417),
        ("/data/projects/{p}/subjects/S1/experiments/X", 417),
        ("/data/projects/{p}/subjects/S1/experiments/X?xsiType=xnat:mrScanData", 400),
        ("/data/projects/{p}/subjects/S1/experiments/X?xsiType=no:such", 400),
        ("/data/projects/{p}/experiments/X?xsiType=xnat:mrSessionData", 422),
        (E + "/scans/9", 417),
        (E + "/scans/9?xsiType=xnat:imageScanData", 400),
        (E + "/scans/9?xsiType=xnat:mrSessionData", 400),
        (S + "?gender=hero", 400),
        ("/data/projects/{p}/subjects/a%2Fb", 400),
        ("/data/projects/NEW?xnat:projectData/ID=OTHER", 417),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(client, project, path, status):
    assert client("PUT", path.format(p=project), "olga").status_code == status


def test_a_missing_subject_is_made_with_its_session(client, project):
    path = f"/data/projects/{project}/subjects/S9/experiments/X9?xsiType=xnat:ctSessionData&date=2024-05-02"
    assert client("PUT", path, "max").status_code == 201
    found = fields(client("GET", f"/data/projects/{project}/experiments/X9"))
    subject = fields(client("GET", f"/data/projects/{project}/subjects/S9"))
    assert (found["subject_ID"], found["date"]) == (subject["ID"], "2024-05-02")


def test_a_session_moves_to_another_subject(client, project):
    client("PUT", f"/data/projects/{project}/subjects/S2", "olga")
    session = fields(client("GET", E.format(p=project)))["ID"]
    assert (
        client("PUT", f"/data/projects/{project}/subjects/S2/experiments/{session}", "olga").status_code
        == 200
    )
    assert client("GET", E.format(p=project)).status_code == 404
    assert client("GET", f"/data/projects/{project}/subjects/S2/experiments/E1").status_code == 200


def test_flat_writes_are_stored_too(client, project):
    session = fields(client("GET", E.format(p=project)))["ID"]
    client("PUT", f"/data/experiments/{session}?note=seen", "olga")
    client(
        "PUT",
        f"/data/experiments/{session}/scans/1",
        "olga",
        params={"xnat:mrScanData/parameters/tr": "2000"},
    )
    assert fields(client("GET", f"/data/experiments/{session}"))["note"] == "seen"
    assert fields(client("GET", f"/data/experiments/{session}/scans/1"))["parameters/tr"] == 2000.0


def test_event_parameters_are_not_stored(client, project):
    before = fields(client("GET", S.format(p=project)))
    client("PUT", S.format(p=project) + "?event_reason=x&event_type=y&req_format=qs&unknown_field=z", "olga")
    assert fields(client("GET", S.format(p=project))) == before


def test_a_document_is_merged_from_xml_and_comes_back_as_xml(client, project):
    body = f"""<xnat:Subject xmlns:xnat="http://nrg.wustl.edu/xnat" project="{project}" label="S1" group="g">
      <xnat:demographics xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
        xsi:type="xnat:demographicData">
      <xnat:gender>female</xnat:gender></xnat:demographics>
      <xnat:fields><xnat:field name="NIHSS">7</xnat:field></xnat:fields></xnat:Subject>"""
    path = S.format(p=project)
    answer = client("PUT", path, "olga", content=body, headers={"Content-Type": "text/xml"})
    assert answer.status_code == 200, answer.text
    text = client("GET", path + "?format=xml").text
    assert '<xnat:field name="nihss">7</xnat:field>' in text
    assert "<xnat:gender>female</xnat:gender>" in text
    copy, headers = f"/data/projects/{project}/subjects/COPY", {"Content-Type": "text/xml"}
    again = client("PUT", copy, "olga", content=text.replace('"S1"', '"COPY"'), headers=headers)
    assert again.status_code == 409  # the ID of another subject
    assert client("GET", copy).status_code == 404
    broken = client("PUT", path, "olga", content="<xnat:Subject", headers={"Content-Type": "text/xml"})
    assert broken.status_code == 422


def test_xml_by_post_makes_an_item_once(client, project):
    body = f'<Subject xmlns="http://nrg.wustl.edu/xnat" project="{project}" label="POSTED"/>'
    headers = {"Content-Type": "application/xml"}
    first = client("POST", f"/data/projects/{project}/subjects", "olga", content=body, headers=headers)
    assert (first.status_code, client("GET", first.text).status_code) == (200, 200)
    assert (
        client(
            "POST", f"/data/projects/{project}/subjects", "olga", content=body, headers=headers
        ).status_code
        == 409
    )
    made = client(
        "POST",
        "/data/projects",
        "olga",
        content='<Project ID="XP"><name>The XP</name></Project>',
        headers=headers,
    )
    assert made.status_code == 200
    assert fields(client("GET", "/data/projects/XP", "olga"))["name"] == "The XP"


def test_project_names_are_unique_against_each_other(client, project):
    assert client("PUT", "/data/projects/NAMED?name=The Name&alias=ALI", "olga").status_code == 200
    assert client("PUT", "/data/projects/OTHER?name=the name", "una").status_code == 409
    assert client("PUT", "/data/projects/named", "una").status_code == 409
    assert client("PUT", "/data/projects/OTHER?secondary_ID=ali", "una").status_code == 409
    assert client("GET", "/data/projects/OTHER", "una").status_code == 404
    assert fields(client("GET", "/data/projects/ALI", "olga"))["ID"] == "NAMED"


def test_columns_come_under_their_canonical_names(client, project):
    client(
        "PUT", S.format(p=project) + "?gender=female&xnat:subjectData/fields/field[name=mrs]/field=2", "olga"
    )
    field = "xnat:subjectData/fields/field[name=mrs]/field"
    wanted = f"ID,xnat:subjectData/label,xnat:subjectData/demographics/gender,no_such,{field}"
    row = rows(client("GET", f"/data/projects/{project}/subjects", params={"columns": wanted}))[0]
    assert row == {
        "ID": row["ID"], "label": "S1", "gender": "female",
        field: "2", "URI": f"/data/subjects/{row['ID']}",
    }  # fmt: skip
    row = rows(
        client("GET", f"/data/projects/{project}/experiments?columns=xnat:subjectAssessorData/subject_id")
    )[0]
    assert list(row) == ["subject_ID", "URI"]


def test_lists_filter_sort_and_page(client, project):
    for number, group in ((2, "a"), (10, "b"), (3, "b")):
        client("PUT", f"/data/projects/{project}/subjects/S{number}?group={group}&age={number * 10}", "olga")
    path = f"/data/projects/{project}/subjects"

    def labels(query):
        return [row["label"] for row in rows(client("GET", path + query))]

    assert labels("?group=b") == ["S10", "S3"]
    assert labels("?group=a,b&sortBy=label") == ["S2", "S3", "S10"]
    assert labels("?sortBy=label&sortOrder=DESC&limit=2&offset=1") == ["S3", "S2"]
    assert labels("?age=20-30") == ["S2", "S3"]
    assert labels("?label=S1*") == ["S1", "S10"]
    assert labels("?group=none") == []


def test_sessions_are_filtered_by_type_and_date(client, project):
    base = f"/data/projects/{project}/subjects/S1/experiments"
    client("PUT", f"{base}/CT1?xsiType=xnat:ctSessionData&date=2024-03-01", "olga")
    client("PUT", f"{base}/E1/assessors/Q1?xsiType=xnat:qcManualAssessorData&rater=jd", "olga")
    path = f"/data/projects/{project}/experiments"
    assert {row["label"] for row in rows(client("GET", path))} == {"E1", "CT1"}
    assert [row["label"] for row in rows(client("GET", path + "?xsiType=xnat:ctSessionData"))] == ["CT1"]
    both = rows(client("GET", path + "?xsiType=xnat:imageSessionData"))
    assert {row["subject_label"] for row in both} == {"S1"}
    assert [row["label"] for row in rows(client("GET", path + "?date=2024-01-01-2024-04-01"))] == ["CT1"]
    found = rows(client("GET", path + "?xsiType=xnat:qcManualAssessorData&columns=label,rater"))
    assert found[0]["rater"] == "jd"


def test_csv_quotes_what_it_must(client, project):
    client("PUT", f"/data/projects/{project}/subjects/Q", "olga", params={"group": 'a,"b"\u00e9'})
    answer = client("GET", f"/data/projects/{project}/subjects?columns=label,group&format=csv")
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert table[-1]["group"] == 'a,"b"\u00e9'
    assert answer.headers["content-type"].startswith("text/csv")


def test_a_share_has_its_own_label_and_may_be_taken_back(ctx, client, project):
    items.create_project(ctx, "OTHER", login="olga")
    subject = fields(client("GET", S.format(p=project)))["ID"]
    path = f"/data/projects/{project}/subjects/{subject}/projects"
    assert client("PUT", f"{path}/OTHER?label=ALIAS", "olga").status_code == 200
    again = client("PUT", f"{path}/OTHER", "olga")
    assert (again.status_code, "Already assigned to project:OTHER" in again.text) == (409, True)
    assert client("PUT", "/data/projects/OTHER/subjects/NEW?label=ALIAS", "olga").status_code in (200, 201)
    assert [r["label"] for r in rows(client("GET", "/data/projects/OTHER/subjects"))] == ["ALIAS"]
    assert {r["label"] for r in rows(client("GET", path, "olga"))} == {"S1", "ALIAS"}
    assert client("DELETE", f"{path}/{project}", "olga").status_code == 400
    assert client("DELETE", f"{path}/OTHER", "olga").status_code == 200
    assert client("DELETE", f"{path}/OTHER", "olga").status_code == 403
    assert client("PUT", f"{path}/NOWHERE", "olga").status_code == 404


def test_a_share_needs_rights_at_both_ends(ctx, client, project):
    items.create_project(ctx, "THEIRS", login="una")
    session = fields(client("GET", E.format(p=project)))["ID"]
    assert client("PUT", f"/data/experiments/{session}/projects/THEIRS", "una").status_code == 404
    accounts.set_membership(ctx, "THEIRS", "cora", "collaborator")
    assert client("PUT", f"/data/experiments/{session}/projects/THEIRS", "cora").status_code == 403
    accounts.set_membership(ctx, "THEIRS", "cora", "member")
    assert client("PUT", f"/data/experiments/{session}/projects/THEIRS?label=X", "cora").status_code == 200


def test_a_session_moves_to_another_project_with_its_files(ctx, client, project):
    items.create_project(ctx, "NEWHOME", login="olga")
    accounts.set_membership(ctx, "NEWHOME", "max", "member")
    client("PUT", E.format(p=project) + "/resources/R/files/a.txt?inbody=true", "olga", content=b"a")
    session = fields(client("GET", E.format(p=project)))["ID"]
    path = f"/data/experiments/{session}/projects/NEWHOME?primary=true&label=E1"
    assert client("PUT", path, "max").status_code == 403
    assert client("PUT", path, "olga").status_code == 200
    assert fields(client("GET", f"/data/experiments/{session}"))["project"] == "NEWHOME"
    assert client("GET", f"/data/experiments/{session}/resources/R/files/a.txt").content == b"a"
    assert (ctx.root / "archive/NEWHOME/arc001/E1/RESOURCES/R/a.txt").exists()


def test_quarantine_is_ended_by_those_who_may_delete(client, project):
    path = E.format(p=project)
    client("PUT", path + "?quarantine=true", "max")
    assert client("GET", path + "/status").text == "quarantine"
    assert client("PUT", path + "?activate=true", "max").status_code == 403
    assert client("PUT", path + "?activate=true", "olga").status_code == 200
    assert client("GET", path + "/status").text == "active"


def test_every_change_leaves_a_trace(client, project):
    client("PUT", E.format(p=project) + "?note=x", "max")
    client("PUT", E.format(p=project) + "/resources/R/files/a?inbody=true", "max", content=b"a")
    found = rows(client("GET", E.format(p=project) + "/history?format=json"))
    assert [(row["event_action"], row["event_user"]) for row in found] == [
        ("Modified Experiment", "max"),
        ("Uploaded file", "max"),
    ]


def test_an_error_page_has_one_heading_and_no_success_begins_like_one(client, project):
    page = client("GET", "/data/projects/NOWHERE").text
    assert page.count("<h3>") == 1
    assert page.startswith("<html>")
    for form in ("json", "csv", "xml", "html", "txt"):
        text = client("GET", f"/data/projects/{project}/subjects?format={form}").text.lower()
        assert not text.startswith(("<html", "<!doctype"))


def test_small_texts_of_a_project(client, project):
    base = f"/data/projects/{project}"
    assert client("GET", base + "/prearchive_code").text == "4"
    assert client("PUT", base + "/prearchive_code/5", "max").status_code == 403
    assert client("PUT", base + "/prearchive_code/5", "olga").status_code == 200
    assert client("PUT", base + "/prearchive_code/7", "olga").status_code == 400
    assert client("GET", base + "/prearchive_code").text == "5"
    assert rows(client("GET", base + "/scan_types")) == [{"type": "T1"}]
    assert client("DELETE", "/data/projects/NOWHERE").status_code == 400


def test_config_keeps_versions(client, project):
    path = f"/data/projects/{project}/config/seriesImportFilter/config"
    assert client("GET", path, "olga").status_code == 404
    for text in ("one", "two"):
        assert client("PUT", path + "?inbody=true", "olga", content=text).status_code in (200, 201)
    assert client("PUT", path, "max", content="x").status_code == 403
    assert client("GET", path + "?contents=true", "cora").text == "two"
    assert rows(client("GET", path, "olga"))[0]["version"] == "2"
    assert client("PUT", "/data/config/tool/path", "olga", content="x").status_code == 403


def test_invitations_are_handled_once(ctx, client, project):
    access.set_visibility(ctx, project, "protected")
    assert client("POST", f"/xapi/projects/{project}/access-requests?level=member", "una").status_code == 201
    assert client("POST", f"/xapi/projects/{project}/access-requests", "una").status_code == 409
    par = rows(client("GET", f"/data/projects/{project}/pars", "olga"))[0]
    assert (par["login"], par["level"]) == ("una", "member")
    assert client("PUT", f"/data/pars/{par['par_id']}?accept=true", "una").status_code == 404
    assert client("PUT", f"/data/pars/{par['par_id']}?accept=true", "olga").status_code == 200
    assert client("PUT", f"/data/pars/{par['par_id']}?decline=true", "olga").status_code == 409
    assert client("GET", f"/data/projects/{project}/subjects", "una").status_code == 200
    client("PUT", f"/data/projects/{project}/users/Members/max2@example.org", "olga")
    assert rows(client("GET", f"/data/projects/{project}/pars", "olga"))[-1]["email"] == "max2@example.org"


def test_workflows_are_made_changed_and_hidden(client, project):
    values = {"id": "XNAT_E00001", "pipeline_name": "QC", "launch_time": "now",
              "data_type": "xnat:mrSessionData", "ExternalID": project, "status": "Running"}  # fmt: skip
    query = {f"wrk:workflowData/{key}": value for key, value in values.items()}
    made = client("PUT", "/data/workflows", "max", params=query)
    assert made.status_code == 200
    assert client("PUT", "/data/workflows", "max", params={"wrk:workflowData/id": "x"}).status_code == 400
    path = f"/data/workflows/{made.text}"
    assert client("PUT", path + "?wrk:workflowData/status=Complete", "olga").status_code == 403
    assert client("PUT", path + "?wrk:workflowData/status=Complete", "max").status_code == 200
    assert fields(client("GET", path, "cora"))["status"] == "Complete"
    assert client("GET", path, "una").status_code == 404
    found = client("GET", f"/data/services/workflows/QC?project={project}", "cora").json()["items"]
    assert len(found) == 1


def test_users_are_listed_for_administrators_only(client):
    assert client("GET", "/data/users", "una").status_code == 403
    assert client("GET", "/data/users", "guest").status_code == 403
    assert {row["login"] for row in rows(client("GET", "/data/users"))} >= {"admin", "una"}
    body = {"username": "nina", "password": "pw", "email": "n@example.org", "firstName": "N", "lastName": "N"}
    assert client("POST", "/xapi/users", json=body).status_code == 201
    assert client("POST", "/xapi/users", json=body).status_code == 409
    assert client("GET", "/xapi/users/current", "una").json()["username"] == "una"
    assert client("PUT", "/xapi/users/nina/roles/ALL_DATA_ACCESS").status_code == 200
    assert client("GET", "/xapi/users/nina/roles").json() == ["ALL_DATA_ACCESS"]


def test_a_data_reader_of_the_whole_site_reads_every_project(client, project):
    client("PUT", "/xapi/users/una/roles/ALL_DATA_ACCESS")
    assert client("GET", f"/data/projects/{project}/subjects", "una").status_code == 200
    assert [p["ID"] for p in client("GET", "/xapi/access/projects", "una").json()] == [project]
    assert client("PUT", f"/data/projects/{project}/subjects/X", "una").status_code == 403


def test_site_configuration_is_kept(client):
    assert client("GET", "/xapi/siteConfig/buildInfo", "guest").json()["version"].startswith("1.9")
    assert client("GET", "/xapi/siteConfig/siteId", "guest").json() == "XNAT"
    assert client("GET", "/xapi/siteConfig/requireLogin", "una").status_code == 403
    assert client("POST", "/xapi/siteConfig", json={"siteId": "LETHE", "mine": [1]}).status_code == 200
    assert client("GET", "/xapi/siteConfig/values/siteId,mine").json() == {"siteId": "LETHE", "mine": [1]}
    assert client("POST", "/xapi/siteConfig/requireLogin", content="maybe").status_code == 400
    assert client("GET", "/xapi/siteConfig/nonsense").status_code == 404
    assert client("GET", "/data/version").status_code == 404
