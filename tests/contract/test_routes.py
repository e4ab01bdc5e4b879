"""Every address of section 9 of the contract that is marked must or should is answered, not unknown."""

from __future__ import annotations

import pytest

from contract.helpers import dicom_zip

SESSION = "/data/projects/{p}/subjects/S1/experiments/S1_MR1"
ROUTES = [
    # must
    "GET /data/JSESSION", "GET /data/auth", "GET /", "GET /xapi/siteConfig/buildInfo",
    "GET /data/services/tokens/issue", "GET /data/services/tokens/show",
    "GET /data/services/tokens/validate/x/y", "GET /data/services/tokens/invalidate/x",
    "GET /xapi/schemas", "GET /xapi/schemas/xnat", "GET /data/search/elements",
    "GET /data/search/elements/xnat:mrSessionData",
    "GET /data/projects", "GET /data/projects/{p}?format=xml", "GET /data/projects/{p}/accessibility",
    "GET /data/projects/{p}/users", "GET /data/projects/{p}/users/true",
    "GET /data/projects?fields=true",
    "GET /data/subjects?format=csv", "GET /data/projects/{p}/subjects?format=xml",
    "GET /data/experiments", "GET /data/experiments/{e}?format=xml", f"GET {SESSION}/scans",
    f"GET {SESSION}/scans/1", f"GET {SESSION}/assessors", "GET /data/experiments/{e}/scans",
    "GET /data/projects/{p}/experiments/S1_MR1/scans",
    f"GET {SESSION}/projects", "GET /data/projects/{p}/subjects/S1/projects",
    f"GET {SESSION}/resources", f"GET {SESSION}/scans/1/resources/DICOM",
    f"GET {SESSION}/scans/ALL/files?format=zip", f"GET {SESSION}/scans/1/resources/DICOM/files",
    "GET /data/prearchive", "GET /data/prearchive/projects/{p}", "GET /data/prearchive/projects",
    "GET /data/users", "GET /xapi/users", "GET /xapi/users/profiles", "GET /xapi/users/current",
    "GET /xapi/users/username", "GET /xapi/users/alice", "GET /xapi/users/profile/alice",
    "GET /xapi/users/alice/roles", "GET /xapi/users/alice/groups", "GET /xapi/users/rolemap",
    "GET /xapi/users/roles/Administrator", "GET /xapi/users/active", "GET /xapi/users/projects",
    "GET /xapi/commands", "GET /xapi/commands/available?project={p}&xsiType=xnat:mrSessionData",
    "GET /xapi/projects/{p}/commands/available?xsiType=xnat:mrScanData",
    "GET /xapi/commands/available/site?xsiType=site",
    "GET /xapi/containers", "GET /xapi/projects/{p}/containers", "POST /xapi/containers",
    "GET /xapi/containers/version",
    "GET /data/services/workflows?project={p}", "GET /data/services/workflows/Added%20Subject",
    "GET /xapi/events/subscriptions", "GET /xapi/projects/{p}/events/subscriptions",
    "GET /xapi/events/events", "GET /xapi/events/prefs",
    "GET /xapi/events/event?event-type=org.nrg.xnat.eventservice.events.SessionEvent",
    "GET /xapi/projects/{p}/events/actionsbyevent?event-type=org.nrg.xnat.eventservice.events.SessionEvent",
    "GET /xapi/events/actionsbyevent?event-type=org.nrg.xnat.eventservice.events.SessionEvent",
    "POST /xapi/events/delivered", "GET /xapi/events/delivered/count", "GET /xapi/events/delivered/summary",
    # should
    "GET {pre}", "GET {pre}?format=xml", "GET {pre}?format=zip", "GET {pre}/scans", "GET {pre}/resources",
    "GET {pre}/scans/1/resources", "GET {pre}/scans/1/resources/DICOM/files", "GET {pre}/logs",
    "POST {pre}?action=build", "POST /data/services/prearchive/rebuild?src={pre}",
    "POST /data/services/validate-archive?src={pre}", "PUT /data/prearchive",
    "GET /data/services/dicomdump?src=/archive/projects/{p}/subjects/S1/experiments/S1_MR1/scans/1",
    "POST /data/services/refresh/catalog?resource=/archive/experiments/{e}",
    "GET /data/pars", "GET /data/projects/{p}/pars",
    "GET /xapi/access/projects", "GET /xapi/siteConfig", "GET /xapi/siteConfig/siteId",
    "GET /xapi/siteConfig/values/siteId,siteUrl", "GET /xapi/siteConfig/uptime",
    "GET /xapi/docker/server", "GET /xapi/docker/server/ping", "GET /xapi/docker/image-summaries",
    "GET /xapi/dicomscp", "GET /xapi/dicomscp/identifiers",
    "GET /xapi/custom-fields/projects/{p}/fields", "GET /xapi/custom-fields/experiments/{e}/fields",
    "GET /data/config", "PUT /data/projects/{p}/config/tool/path?inbody=true",
    "GET /data/projects/{p}/config/tool/path?contents=true", "GET /data/services/scan-quality-labels",
    "GET /data/services/scan-quality-labels/{p}",
    "GET /xapi/anonymize/site", "GET /xapi/anonymize/site/enabled", "GET /xapi/anonymize/default",
    "GET /xapi/anonymize/projects/{p}", "PUT /xapi/anonymize/projects/{p}/enabled?enable=false",
    "GET /xapi/plugins", "GET /xapi/plugins/containers", "GET /data/scanners", "GET /data/scan_types",
    "GET /data/projects/{p}/scan_types", "GET /data/projects/{p}/scanners", "GET /data/investigators",
    f"GET {SESSION}/status", f"GET {SESSION}/history?format=json",
    "GET /data/user/cache/resources", "GET /xapi/schemas/datatypes",
]  # fmt: skip


@pytest.fixture(scope="module")
def words(site):
    project = site.new_project()
    zipped = {"headers": {"Content-Type": "application/zip"}}
    for dest, label in (("archive", "S1_MR1"), ("prearchive", "S2_MR1")):
        url = f"/data/services/import?project={project}&dest=/{dest}&inbody=true"
        answer = site.rq("POST", url, data=dicom_zip(patient=label[:2], pid=label), **zipped)
        assert answer.status_code == 200, answer.text
    pre = answer.text.strip()
    rows = site.rq("GET", f"/data/projects/{project}/experiments").json()["ResultSet"]["Result"]
    return {"p": project, "e": rows[0]["ID"], "pre": pre}


@pytest.mark.parametrize("route", ROUTES)
def test_an_address_of_the_contract_is_answered(site, words, route):
    method, _, path = route.partition(" ")
    body = {"json": {}} if method == "POST" and path.startswith("/xapi") else {}
    if method == "PUT" and "config/tool" in path:
        body = {"data": b"text"}
    answer = site.rq(method, path.format(**words), **body)
    assert answer.status_code in {200, 201, 204}, (answer.status_code, answer.text[:300])
