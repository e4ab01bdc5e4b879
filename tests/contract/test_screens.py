"""What the dashboard's screens ask for is answered in the shape they expect (plugin design, section 5.3)."""

from __future__ import annotations

import io
import re
import time
import zipfile

import pytest
import requests

pytestmark = pytest.mark.contract

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
RECORD = "xsiType=lethe:clinicalData"
QC = "xsiType=lethe:defaceQcData"


def rows(answer):
    assert answer.status_code == 200, answer.text
    found = answer.json()["ResultSet"]
    assert found["totalRecords"] == str(len(found["Result"]))
    assert all(isinstance(value, str) for row in found["Result"] for value in row.values())
    return found["Result"]


@pytest.fixture(scope="module")
def collection(site):
    """A project of alice with two subjects; the first has a session, scans, a verdict and a record."""
    project = site.new_project("alice")
    base = f"/data/projects/{project}/subjects"
    for subject in ("P-1", "P-2"):
        assert site.rq("PUT", f"{base}/{subject}?gender=female", "alice").status_code == 201
    session = site.rq(
        "PUT", f"{base}/P-1/experiments/P-1_CT?xsiType=xnat:ctSessionData", "alice",
        params={"date": "2024-05-01", "acquisition_site": "Bern"},
    ).text  # fmt: skip
    for number, kind in (("2", "CTA head"), ("5", "CTP")):
        site.rq(
            "PUT", f"/data/experiments/{session}/scans/{number}", "alice",
            params={"xsiType": "xnat:ctScanData", "type": kind, "quality": "usable", "frames": "320"},
        )  # fmt: skip
    answer = site.rq(
        "PUT", f"/data/experiments/{session}/assessors/P-1_CT_DQC_1?{QC}", "alice",
        params={"lethe:defaceQcData/scan_id": "2", "lethe:defaceQcData/verdict": "review",
                "lethe:defaceQcData/auto_verdict": "review", "lethe:defaceQcData/removed_ml": "212.5"},
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    answer = site.rq(
        "PUT", f"{base}/P-1/experiments/P-1_CLIN_1?{RECORD}", "alice",
        params={"lethe:clinicalData/nihss_admission": "14", "lethe:clinicalData/sex": "F",
                "lethe:clinicalData/event_no": "1"},
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    return project, session


# ---- A: collections ------------------------------------------------------------------------------------


def test_collections_list_names_access_and_role(site, collection):
    project, _ = collection
    found = {r["id"]: r for r in rows(site.rq("GET", "/data/projects?format=json&accessible=true", "alice"))}
    assert found[project]["project_access"] == "private"
    assert "Owners" in found[project].values()
    assert project not in {
        r["id"] for r in rows(site.rq("GET", "/data/projects?format=json&accessible=true", "bob"))
    }
    mine = {p["ID"]: p["role"] for p in site.rq("GET", "/xapi/access/projects", "alice").json()}
    assert mine[project] == "Owner"


def test_recent_and_favorite_projects_are_those_of_the_person(site, collection):
    project, _ = collection
    other = site.new_project("alice")
    assert site.rq("GET", f"/data/projects/{project}?format=json", "alice").status_code == 200
    recent = {r["id"]: r for r in rows(site.rq("GET", "/data/projects?recent=true&format=json", "alice"))}
    assert project in recent
    assert other not in recent
    assert any(k.startswith("last_accessed_") and v for k, v in recent[project].items())
    assert site.rq("PUT", f"/data/user/favorites/Project/{other}", "alice").status_code == 200
    listed = {r["id"] for r in rows(site.rq("GET", "/data/projects?favorite=true&format=json", "alice"))}
    assert listed == {other}
    assert site.rq("DELETE", f"/data/user/favorites/Project/{other}", "alice").status_code == 200
    assert rows(site.rq("GET", "/data/projects?favorite=true&format=json", "alice")) == []


def test_projects_by_rights_and_by_activity(site, collection):
    project, _ = collection
    ids = lambda query, user="alice": {  # noqa: E731
        r.get("id") or r["ID"] for r in rows(site.rq("GET", f"/data/projects?format=json&{query}", user))
    }
    assert project in ids("permissions=edit&dataType=xnat:subjectData")
    assert project not in ids("permissions=edit&dataType=xnat:subjectData", "bob")
    assert project in ids("activeSince=2024-01-01")
    assert project not in ids("activeSince=2999-01-01")
    assert site.rq("GET", "/data/projects?permissions=fly", "alice").status_code == 400


def test_somebody_asks_for_access_and_the_owner_sees_why(site):
    project = site.new_project("alice")
    site.rq("PUT", f"/data/projects/{project}/accessibility/protected", "alice")
    address = f"/xapi/projects/{project}/access-requests"
    wish = {"level": "collaborator", "justification": "External validation of <our> model"}
    assert site.rq("POST", address, "bob", json=wish).status_code == 201
    assert site.rq("POST", address, "bob", json=wish).status_code == 409
    (mine,) = site.rq("GET", address, "bob").json()
    assert (mine["login"], mine["approved"], mine["level"]) == ("bob", "", "collaborator")
    (row,) = rows(site.rq("GET", f"/data/projects/{project}/pars?format=json", "alice"))
    assert (row["login"], row["requested"], row["justification"]) == ("bob", "true", wish["justification"])
    assert site.rq("PUT", f"/data/pars/{row['par_id']}?accept=true", "bob").status_code == 404
    assert site.rq("PUT", f"/data/pars/{row['par_id']}?accept=true", "alice").status_code == 200
    users = rows(site.rq("GET", f"/data/projects/{project}/users?format=json", "alice"))
    assert {u["login"]: u["displayname"] for u in users} == {"alice": "Owners", "bob": "Collaborators"}
    assert site.rq("POST", address, "bob", json={"level": "king"}).status_code == 400
    assert site.rq("POST", address, None, json=wish).status_code in (401, 403)


# ---- B, C: overview, subjects --------------------------------------------------------------------------


def test_overview_lists_sessions_with_site_and_subject(site, collection):
    project, session = collection
    columns = "ID,label,xsiType,date,insert_date,subject_label,acquisition_site"
    found = rows(
        site.rq("GET", f"/data/projects/{project}/experiments?columns={columns}&format=json", "alice")
    )
    by_type = {row["xsiType"]: row for row in found}
    assert set(by_type) == {"xnat:ctSessionData", "lethe:clinicalData"}
    row = by_type["xnat:ctSessionData"]
    assert list(row) == [*columns.split(","), "URI"]
    assert (row["ID"], row["acquisition_site"], row["subject_label"]) == (session, "Bern", "P-1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+", row["insert_date"])


def test_verdicts_of_a_project_come_in_typed_columns(site, collection):
    project, session = collection
    names = ["verdict", "auto_verdict", "scan_id", "removed_ml"]
    columns = ["ID", "label", "session_ID", "session_label", "subject_label", "last_modified", "insert_user"]
    columns += [f"lethe:defaceQcData/{name}" for name in names]
    address = f"/data/projects/{project}/experiments?{QC}&columns={','.join(columns)}&format=json"
    (row,) = rows(site.rq("GET", address, "alice"))
    assert list(row) == [*columns, "URI"]
    assert [row[f"lethe:defaceQcData/{name}"] for name in names] == ["review", "review", "2", "212.5"]
    assert (row["session_ID"], row["session_label"], row["subject_label"]) == (session, "P-1_CT", "P-1")
    only = f"{address}&lethe:defaceQcData/verdict=pass"
    assert rows(site.rq("GET", only, "alice")) == []


def test_records_of_a_project_come_in_typed_columns_and_as_csv(site, collection):
    project, _ = collection
    columns = (
        "ID,label,subject_label,last_modified,lethe:clinicalData/nihss_admission,lethe:clinicalData/mrs_3m"
    )
    address = f"/data/projects/{project}/experiments?{RECORD}&columns={columns}"
    (row,) = rows(site.rq("GET", f"{address}&format=json", "alice"))
    assert row["lethe:clinicalData/nihss_admission"] == "14"
    assert row["lethe:clinicalData/mrs_3m"] == ""  # a blank stays a blank
    lines = site.rq("GET", f"{address}&format=csv", "alice").text.splitlines()
    assert lines[0] == f"{columns},URI"
    assert lines[1].split(",")[4:6] == ["14", ""]


def test_subjects_list_gives_the_asked_columns(site, collection):
    project, _ = collection
    address = f"/data/projects/{project}/subjects?columns=ID,label,insert_date&format=json"
    found = rows(site.rq("GET", address, "alice"))
    assert [list(row) for row in found] == [["ID", "label", "insert_date", "URI"]] * 2
    assert [row["label"] for row in found] == ["P-1", "P-2"]


SCANS = """<xdat:bundle xmlns:xdat="http://nrg.wustl.edu/security">
<xdat:root_element_name>xnat:imageScanData</xdat:root_element_name>
{fields}<xdat:search_where method="AND"><xdat:criteria>
<xdat:schema_field>xnat:imageScanData/PROJECT</xdat:schema_field>
<xdat:comparison_type>=</xdat:comparison_type><xdat:value>{project}</xdat:value>
</xdat:criteria></xdat:search_where></xdat:bundle>"""


def scan_search(project, *names):
    fields = "".join(
        "<xdat:search_field><xdat:element_name>xnat:imageScanData</xdat:element_name>"
        f"<xdat:field_ID>{name}</xdat:field_ID></xdat:search_field>"
        for name in names
    )
    return SCANS.format(fields=fields, project=project)


def test_scans_of_a_project_come_in_one_search(site, collection):
    project, session = collection
    names = ("ID", "TYPE", "QUALITY", "FRAMES", "SESSION_ID", "SESSION_LABEL", "SUBJECT_LABEL")
    answer = site.rq("POST", "/data/search?format=json", "alice", data=scan_search(project, *names))
    found = rows(answer)
    assert [(r["id"], r["type"], r["frames"]) for r in found] == [
        ("2", "CTA head", "320"),
        ("5", "CTP", "320"),
    ]
    assert {(r["session_id"], r["session_label"], r["subject_label"]) for r in found} == {
        (session, "P-1_CT", "P-1")
    }
    bob = site.rq("POST", "/data/search?format=json", "bob", data=scan_search(project, "ID"))
    assert rows(bob) == []


def test_lists_come_compressed_when_the_client_understands(site, collection):
    project, _ = collection
    big = "columns=" + ",".join(f"xnat:subjectData/fields/field[name=v{n}]/field" for n in range(200))
    address = f"{site.url}/data/projects/{project}/subjects?{big}&format=json"
    plain = requests.get(address, auth=("alice", "alice"), headers={"Accept-Encoding": "identity"})
    packed = requests.get(address, auth=("alice", "alice"), headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) < len(plain.content) / 4


# ---- D: session ----------------------------------------------------------------------------------------


def test_session_screen_gets_item_scans_and_verdicts(site, collection):
    _, session = collection
    item = site.rq("GET", f"/data/experiments/{session}?format=json", "alice").json()["items"][0]
    assert item["data_fields"]["acquisition_site"] == "Bern"
    assert {child["field"] for child in item["children"]} >= {"scans/scan", "assessors/assessor"}
    columns = "ID,type,series_description,frames,quality,xsiType,last_modified"
    scans = rows(site.rq("GET", f"/data/experiments/{session}/scans?columns={columns}&format=json", "alice"))
    assert [list(scan) for scan in scans] == [[*columns.split(","), "URI"]] * 2
    address = f"/data/experiments/{session}/assessors?{QC}&columns=ID,label,lethe:defaceQcData/verdict"
    (verdict,) = rows(site.rq("GET", f"{address}&format=json", "alice"))
    assert verdict["lethe:defaceQcData/verdict"] == "review"
    other = f"/data/experiments/{session}/assessors?xsiType=xnat:qcManualAssessorData&format=json"
    assert rows(site.rq("GET", other, "alice")) == []


def test_quality_of_a_scan_is_set_and_listed(site, collection):
    _, session = collection
    address = f"/data/experiments/{session}/scans/5"
    answer = site.rq("PUT", f"{address}?xnat:ctScanData/quality=questionable", "alice")
    assert answer.status_code == 200, answer.text
    found = rows(site.rq("GET", f"/data/experiments/{session}/scans?columns=ID,quality&format=json", "alice"))
    assert {r["ID"]: r["quality"] for r in found} == {"2": "usable", "5": "questionable"}
    assert "questionable" in site.rq("GET", "/data/services/scan-quality-labels", "alice").json()


# ---- E, F: writing -------------------------------------------------------------------------------------


def test_a_verdict_is_written_by_a_browser_with_its_token(site, collection):
    _, session = collection
    browser = requests.Session()
    browser.headers["User-Agent"] = FIREFOX
    browser.auth = ("alice", "alice")
    token = browser.get(f"{site.url}/data/JSESSION?CSRF=true").text.partition("XNAT_CSRF=")[2]
    browser.auth = None
    address = f"{site.url}/data/experiments/{session}/assessors/P-1_CT_DQC_2?{QC}"
    fields = {"lethe:defaceQcData/verdict": "pass", "lethe:defaceQcData/scan_id": "2",
              "lethe:defaceQcData/reviewer": "alice"}  # fmt: skip
    assert browser.put(address, params=fields).status_code == 403
    assert browser.put(address, params={**fields, "XNAT_CSRF": token}).status_code == 201
    listed = (
        f"/data/experiments/{session}/assessors?{QC}&format=json&columns=label,lethe:defaceQcData/verdict"
    )
    found = rows(site.rq("GET", listed, "alice"))
    assert {r["label"]: r["lethe:defaceQcData/verdict"] for r in found}["P-1_CT_DQC_2"] == "pass"
    item = site.rq("GET", f"/data/experiments/{session}/assessors/P-1_CT_DQC_2?format=json", "alice")
    assert token not in item.text


@pytest.mark.parametrize(
    ("field", "value"), [("verdict", "perfect"), ("removed_ml", "much"), ("affine_same", "true")]
)
def test_a_value_that_the_type_does_not_hold_is_refused_by_name(site, collection, field, value):
    _, session = collection
    address = f"/data/experiments/{session}/assessors/BAD?{QC}&lethe:defaceQcData/{field}={value}"
    answer = site.rq("PUT", address, "alice")
    assert answer.status_code == 400
    assert field in answer.text
    assert value not in answer.text.replace("perfectly", "")
    assert site.rq("GET", f"/data/experiments/{session}/assessors/BAD", "alice").status_code == 404


def test_two_tabs_that_edit_one_record_do_not_overwrite_each_other(site, collection):
    project, _ = collection
    record = f"/data/projects/{project}/subjects/P-2/experiments/P-2_CLIN_1"
    new = {"If-None-Match": "*"}
    assert site.rq("PUT", f"{record}?{RECORD}", "alice", headers=new).status_code == 201
    assert site.rq("PUT", f"{record}?{RECORD}", "alice", headers=new).status_code == 412
    address = f"/data/projects/{project}/experiments?{RECORD}&label=P-2_CLIN_1&columns=label,last_modified"

    def seen():
        (row,) = rows(site.rq("GET", f"{address}&format=json", "alice"))
        return row["last_modified"]

    def write(value, moment):
        query = f"{record}?{RECORD}&lethe:clinicalData/nihss_24h={value}"
        return site.rq("PUT", query, "alice", headers={"If-Match": f'"{moment}"'}).status_code

    first = seen()
    assert write(5, first) == 200
    assert write(9, first) == 412  # the other tab looked before
    second = seen()
    assert second > first
    assert write(9, second) == 200
    item = site.rq("GET", f"{record}?format=json&includeHistory=true", "alice").json()["items"]
    assert [one["meta"]["isHistory"] for one in item] == [False, True, True]
    assert [one["data_fields"].get("nihss_24h") for one in item] == [9, 5, None]


def test_settings_of_a_collection_are_kept_with_versions(site, collection):
    project, _ = collection
    address = f"/data/projects/{project}/config/lethe/settings"
    assert site.rq("GET", f"{address}?contents=true", "alice").status_code == 404
    for text in ('{"sample": 10}', '{"sample": 20}'):
        answer = site.rq("PUT", f"{address}?inbody=true", "alice", data=text,
                         headers={"Content-Type": "application/json"})  # fmt: skip
        assert answer.status_code in (200, 201)
    assert site.rq("GET", f"{address}?contents=true", "alice").json() == {"sample": 20}
    (row,) = rows(site.rq("GET", f"{address}?format=json", "alice"))
    assert (row["version"], row["user"], row["status"]) == ("2", "alice", "enabled")
    assert site.rq("PUT", f"{address}?inbody=true", "bob", data="{}").status_code == 404


# ---- G: runs -------------------------------------------------------------------------------------------

COMMAND = {
    "type": "docker", "schema-version": "1.0", "version": "1", "image": "busybox:1.36",
    "override-entrypoint": True, "command-line": "echo grüße; touch /output/x",
    "mounts": [{"name": "o", "writable": True, "path": "/output"}],
    "inputs": [], "outputs": [{"name": "out", "mount": "o", "path": "", "required": True}],
    "xnat": [{"name": "screen", "contexts": ["xnat:imageSessionData"],
              "external-inputs": [{"name": "session", "type": "Session", "required": True}],
              "output-handlers": [{"name": "h", "type": "Resource", "accepts-command-output": "out",
                                   "as-a-child-of": "session", "label": "OUT"}]}],
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(site, collection):
    """Three runs of one wrapper, ended."""
    project, session = collection
    command = site.rq("POST", "/xapi/commands", json={**COMMAND, "name": f"screen-{project.lower()}"}).json()
    wrapper = site.rq("GET", f"/xapi/commands/{command}").json()["xnat"][0]["id"]
    site.rq("PUT", f"/xapi/wrappers/{wrapper}/enabled")
    site.rq("PUT", f"/xapi/projects/{project}/wrappers/{wrapper}/enabled", "alice")
    address = f"/xapi/projects/{project}/wrappers/{wrapper}/root/session/launch"
    ids = []
    for _ in range(3):
        made = site.rq("POST", address, "alice", json={"session": f"/archive/experiments/{session}"}).json()
        ids.append(made["workflow-id"])
    for number in ids:
        status = ""
        for _ in range(1200):
            answer = site.rq("GET", f"/data/workflows/{number}?format=json", "alice")
            status = answer.json()["items"][0]["data_fields"]["status"]
            if status == "Complete" or status.startswith(("Failed", "Killed")):
                break
            time.sleep(0.05)
        assert status == "Complete", status
    return project, wrapper, ids


def test_runs_are_paged_sorted_and_filtered(site, runs):
    project, wrapper, ids = runs

    def page(**wish):
        answer = site.rq("POST", f"/xapi/projects/{project}/containers", "alice", json=wish)
        assert answer.status_code == 200, answer.text
        return [run["workflow-id"] for run in answer.json()]

    newest = sorted(ids, key=int, reverse=True)
    assert page() == newest
    assert page(size=2) == newest[:2]
    assert page(size=2, page=2) == newest[2:]
    assert page(sort_col="id", sort_dir="asc") == newest[::-1]
    assert page(filters={"status": {"value": "Complete"}, "user-id": {"like": "ali%"}}) == newest
    assert page(filters={"status": {"values": ["Failed", "Killed"]}}) == []
    assert page(filters={"status": {"value": "Complete", "not": True}}) == []
    assert page(filters={"wrapper-id": str(wrapper), "workflow-id": ids[1]}) == [ids[1]]
    assert page(filters={"status-time": {"gt": 0, "lt": 1}}) == []
    for bad in ({"filters": {"colour": "red"}}, {"sort_col": "colour"}, {"filters": {"status": {"near": 1}}}):
        assert site.rq("POST", "/xapi/containers", "alice", json=bad).status_code == 400
    everywhere = site.rq("POST", "/xapi/containers", "alice", json={"filters": {"project": project}}).json()
    assert len(everywhere) == 3
    assert site.rq("POST", "/xapi/containers", "bob", json={"filters": {"project": project}}).json() == []


def test_log_of_a_run_is_polled_from_where_one_was(site, runs):
    project, _, _ = runs
    number = site.rq("GET", f"/xapi/projects/{project}/containers", "alice").json()[0]["id"]
    poll = site.rq("GET", f"/xapi/containers/{number}/logSince/stdout", "alice").json()
    assert (poll["content"], poll["timestamp"]) == ("grüße\n", "-1")
    rest = site.rq("GET", f"/xapi/containers/{number}/logSince/stdout?since=2", "alice").json()
    assert rest["content"] == "üße\n"


def test_workflows_of_a_project_are_listed(site, runs):
    project, _, ids = runs
    found = site.rq("GET", f"/data/services/workflows/screen?project={project}", "alice").json()["items"]
    assert {str(one["data_fields"]["wrk_workflowData_id"]) for one in found} == set(ids)
    assert {one["data_fields"]["status"] for one in found} == {"Complete"}


# ---- H, I: people, release, and what the app asks at its start -----------------------------------------


def test_people_screen_changes_roles_and_visibility(site):
    project = site.new_project("alice")
    users = f"/data/projects/{project}/users"
    assert site.rq("PUT", f"{users}/Members/bob?format=json", "alice").status_code == 200
    assert site.rq("PUT", f"{users}/Collaborators/bob?format=json", "alice").status_code == 200
    found = {u["login"]: u["GROUP_ID"] for u in rows(site.rq("GET", f"{users}?format=json", "alice"))}
    assert found == {"alice": f"{project}_owner", "bob": f"{project}_collaborator"}
    assert site.rq("DELETE", f"{users}/Collaborators/bob", "alice").status_code == 200
    assert site.rq("PUT", f"/data/projects/{project}/accessibility/public", "alice").status_code == 200
    assert site.rq("GET", f"/data/projects/{project}/accessibility", "bob").text == "public"
    history = rows(site.rq("GET", f"/data/projects/{project}/history?format=json", "alice"))
    said = [row["event_action"] for row in history]
    assert any("bob" in one for one in said), said
    assert any("public" in one for one in said), said


def test_a_selection_over_sessions_is_sized_and_downloaded(site, collection):
    project, session = collection
    for scan, label in (("2", "NIFTI"), ("2", "DEFACE_QC"), ("5", "NIFTI")):
        base = f"/data/experiments/{session}/scans/{scan}/resources/{label}/files"
        assert site.rq("PUT", f"{base}/{label}.bin?inbody=true", "alice", data=b"x" * 100).status_code == 200
    wish = {
        "projectIds": [project], "sessions": [f"{project}:P-1:P-1_CT:{session}"], "scan_types": ["CTA head"],
        "scan_formats": ["NIFTI"], "resources": [], "options": ["simplified"],
    }  # fmt: skip
    made = site.rq("POST", "/xapi/archive/downloadwithsize", "alice", json=wish)
    assert made.status_code == 200, made.text
    assert made.json()["size"] == 100
    packed = site.rq("GET", f"/xapi/archive/download/{made.json()['id']}/zip", "alice")
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert archive.namelist() == ["P-1_CT/scans/2/NIFTI/NIFTI.bin"]
    listed = site.rq("GET", f"/xapi/archive/download/{made.json()['id']}/xml", "alice").text
    uri = re.search(r'URI="([^"]+)"', listed)[1]
    assert site.rq("GET", uri, "alice").content == b"x" * 100
    assert site.rq("GET", f"/xapi/archive/download/{made.json()['id']}/zip", "bob").status_code == 404
    assert site.rq("POST", "/xapi/archive/download", "bob", json=wish).status_code == 404
    both = {**wish, "scan_types": ["CTA head", "CTP"]}
    number = site.rq("POST", "/xapi/archive/download", "alice", json=both).text
    assert site.rq("GET", f"/xapi/archive/download/{number}/zip", "alice").status_code == 200


def test_the_app_learns_which_types_and_plugins_there_are(site):
    assert {"xnat", "lethe"} <= set(site.rq("GET", "/xapi/schemas", "alice").json())
    schema = site.rq("GET", "/xapi/schemas/lethe", "alice").text
    assert 'targetNamespace="http://lethe.example/lethe"' in schema
    assert "defaceQcData" in schema
    assert "clinicalData" in schema
    plugins = site.rq("GET", "/xapi/plugins", "alice").json()
    assert {"containers", "lethe"} <= set(plugins)
    assert site.rq("GET", "/xapi/plugins/lethe", "alice").json()["id"] == "lethe"


def test_the_dashboard_lies_at_its_address(site):
    bare = site.rq("GET", "/lethe", "alice")
    assert (bare.status_code, bare.headers["location"].endswith("/lethe/")) == (302, True)
    page = site.rq("GET", "/lethe/", "alice")
    assert page.status_code in (200, 503)
    assert page.headers["content-type"].startswith("text/html")
