"""Smoke scenarios of the XNAT contract: Container Service and events."""

from __future__ import annotations

import os
import time

import pytest

from contract.helpers import dicom_zip, fresh

pytestmark = pytest.mark.contract


def register(site, p):
    """Register and enable a command that copies a file of a session; return its wrapper's id."""
    cmd = {
        "name": "smoke-" + fresh().lower(),
        "type": "docker",
        "schema-version": "1.0",
        "version": "1",
        "image": os.environ.get("SMOKE_IMAGE", "alpine:3.20"),
        "override-entrypoint": True,
        "command-line": "cp /input/a.txt /output/#OUT#",
        "mounts": [
            {"name": "i", "writable": False, "path": "/input"},
            {"name": "o", "writable": True, "path": "/output"},
        ],
        "inputs": [{"name": "OUT", "type": "string", "default-value": "b.txt", "required": True}],
        "outputs": [{"name": "out", "mount": "o", "path": "", "required": True}],
        "xnat": [
            {
                "name": "smoke-session",
                "contexts": ["xnat:imageSessionData"],
                "external-inputs": [
                    {"name": "session", "type": "Session", "required": True, "load-children": True}
                ],
                "derived-inputs": [
                    {
                        "name": "res",
                        "type": "Resource",
                        "derived-from-wrapper-input": "session",
                        "matcher": "@.label == 'IN'",
                        "provides-files-for-command-mount": "i",
                    }
                ],
                "output-handlers": [
                    {
                        "name": "h",
                        "type": "Resource",
                        "accepts-command-output": "out",
                        "as-a-child-of": "session",
                        "label": "OUT",
                    }
                ],
            }
        ],
    }
    r = site.rq("POST", "/xapi/commands", json=cmd)
    assert r.status_code == 201
    cid = r.json()
    wid = site.rq("GET", f"/xapi/commands/{cid}").json()["xnat"][0]["id"]
    assert site.rq("PUT", f"/xapi/wrappers/{wid}/enabled").status_code == 200
    assert site.rq("PUT", f"/xapi/projects/{p}/wrappers/{wid}/enabled").status_code == 200
    return wid


@pytest.mark.requirement("E-71")
def test_s34_container_service_register_enable_list_launch_poll_output_resource(site):
    p = site.new_project()
    e = site.mr(p)
    site.rq("PUT", f"/data/experiments/{e}/resources/IN/files/a.txt?inbody=true", data=b"hello")
    wid = register(site, p)
    row = next(
        x
        for x in site.rq(
            "GET", "/xapi/commands/available", params={"project": p, "xsiType": "xnat:mrSessionData"}
        ).json()
        if x["wrapper-id"] == wid
    )
    assert row["enabled"] is True
    assert row["root-element-name"] == "session"
    r = site.rq(
        "POST",
        f"/xapi/projects/{p}/wrappers/{wid}/root/session/launch",
        json={"session": f"/archive/experiments/{e}", "OUT": "c.txt"},
    ).json()
    assert r["status"] == "success"
    wf = r["workflow-id"]
    for _ in range(1200):
        st = site.rq("GET", f"/data/workflows/{wf}?format=json").json()["items"][0]["data_fields"]["status"]
        if st == "Complete" or st.startswith(("Failed", "Killed")):
            break
        time.sleep(0.1)
    assert st == "Complete", st
    assert site.rq("GET", f"/data/experiments/{e}/resources/OUT/files/c.txt").content == b"hello"


@pytest.mark.requirement("E-71")
def test_s35_event_subscription_fires_a_launch_when_a_session_is_archived(site):
    p = site.new_project()
    wid = register(site, p)
    site.rq("PUT", "/xapi/events/prefs", json={"enabled": True})
    acts = site.rq(
        "GET",
        f"/xapi/projects/{p}/events/actionsbyevent",
        params={"event-type": "org.nrg.xnat.eventservice.events.SessionEvent"},
    ).json()
    key = next(a["action-key"] for a in acts if a["action-key"].endswith(f":{wid}"))
    r = site.rq(
        "POST",
        f"/xapi/projects/{p}/events/subscription",
        json={
            "name": "s",
            "active": True,
            "act-as-event-user": False,
            "action-key": key,
            "attributes": {},
            "event-filter": {
                "event-type": "org.nrg.xnat.eventservice.events.SessionEvent",
                "status": "CREATED",
                "project-ids": [p],
            },
        },
    )
    assert r.status_code == 201
    assert r.text.rsplit(":", 1)[1].isdigit()
    site.rq(
        "POST",
        f"/data/services/import?project={p}&dest=/archive&inbody=true",
        data=dicom_zip(pid="EV"),
        headers={"Content-Type": "application/zip"},
    )
    events = []
    for _ in range(600):
        events = site.rq("POST", "/xapi/events/delivered", json={"size": 50}).json()
        events = [one for one in events if one["project"] == p]
        words = {entry["status"] for one in events for entry in one["status"]}
        if words & {"ACTION_COMPLETE", "ACTION_STEP"}:
            break
        time.sleep(0.1)
    assert len(events) == 1
    assert words & {"ACTION_COMPLETE", "ACTION_STEP"}
    assert len(site.rq("GET", f"/xapi/projects/{p}/containers").json()) == 1
