"""What the contract marks as should: protocols, filters of events, hubs, history, versions."""

from __future__ import annotations

import pytest

from contract.helpers import fresh

pytestmark = pytest.mark.contract

SESSION_EVENT = "org.nrg.xnat.eventservice.events.SessionEvent"
PROJECT = """<xnat:Project xmlns:xnat="http://nrg.wustl.edu/xnat"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ID="{p}">
<xnat:name>{p}</xnat:name>
<xnat:studyProtocol ID="{p}_xnat_subjectData" name="Subjects" data-type="xnat:subjectData"
 xsi:type="xnat:datatypeProtocol"><xnat:definitions>
<xnat:definition ID="default" data-type="xnat:subjectData">
<xnat:fields><xnat:field name="mrs" datatype="{kind}" type="custom" required="0" sequence="0"
 xmlPath="xnat:subjectData/fields/field[name=mrs]/field">
<xnat:possibleValues><xnat:possibleValue display="none">0</xnat:possibleValue>
<xnat:possibleValue>6</xnat:possibleValue></xnat:possibleValues></xnat:field></xnat:fields>
</xnat:definition></xnat:definitions></xnat:studyProtocol></xnat:Project>"""
XML = {"Content-Type": "text/xml"}


def put(site, project, kind="integer"):
    body = PROJECT.format(p=project, kind=kind)
    return site.rq("PUT", f"/data/projects/{project}", "alice", data=body, headers=XML)


@pytest.mark.requirement("E-72")
def test_definitions_of_custom_variables_come_back_as_json_and_xml(site):
    project = site.new_project("alice")
    assert put(site, project).status_code == 200
    item = site.rq("GET", f"/data/projects/{project}?format=json", "alice").json()["items"][0]
    (child,) = [one for one in item["children"] if one["field"] == "studyProtocol"]
    (protocol,) = child["items"]
    assert protocol["meta"]["xsi:type"] == "xnat:datatypeProtocol"
    assert protocol["data_fields"]["data-type"] == "xnat:subjectData"
    definition = protocol["children"][0]["items"][0]
    field = definition["children"][0]["items"][0]
    assert (protocol["children"][0]["field"], definition["children"][0]["field"]) == (
        "definitions/definition", "fields/field",
    )  # fmt: skip
    assert (field["data_fields"]["name"], field["data_fields"]["datatype"]) == ("mrs", "integer")
    values = field["children"][0]["items"]
    assert [one["data_fields"]["possibleValue"] for one in values] == ["0", "6"]
    text = site.rq("GET", f"/data/projects/{project}?format=xml", "alice").text
    assert 'xsi:type="xnat:datatypeProtocol"' in text
    again = site.rq("PUT", f"/data/projects/{project}", "alice", data=text.encode(), headers=XML)
    assert again.status_code == 200, again.text  # what was written is read again
    assert site.rq("GET", f"/data/projects/{project}?format=xml", "alice").text == text
    assert put(site, project, "float").status_code == 200
    assert 'datatype="float"' in site.rq("GET", f"/data/projects/{project}?format=xml", "alice").text
    with site.connect("alice") as client:
        assert client.projects[project].id == project


def test_a_definition_of_an_unknown_datatype_is_refused(site):
    assert put(site, site.new_project("alice"), "colour").status_code == 422
    assert put(site, fresh(), "colour").status_code == 422


def test_history_shows_earlier_values_and_the_present_one_first(site):
    project = site.new_project("alice")
    address = f"/data/projects/{project}/subjects/S1"
    for gender in ("male", "female"):
        site.rq("PUT", f"{address}?gender={gender}", "alice")
    plain = site.rq("GET", f"{address}?format=json", "alice").json()["items"]
    assert [one["meta"]["isHistory"] for one in plain] == [False]
    found = site.rq("GET", f"{address}?format=json&includeHistory=true", "alice").json()["items"]
    assert [one["meta"]["isHistory"] for one in found] == [False, True, True]
    shown = [
        one["children"][0]["items"][0]["data_fields"].get("gender") if one["children"] else None
        for one in found
    ]
    assert shown == ["female", "male", None]


def test_an_event_filter_is_described_and_validated(site):
    site.rq("PUT", "/xapi/events/prefs", json={"enabled": True})
    project = site.new_project("alice")
    for base, user in (("/xapi/events", "admin"), (f"/xapi/projects/{project}/events", "alice")):
        nodes = site.rq("GET", f"{base}/subscription/filter?event-type={SESSION_EVENT}", user).json()
        assert {"label", "xsiType"} <= set(nodes)
        good = {"payload-filter": nodes["label"]["default-filter"]}
        assert site.rq("POST", f"{base}/subscription/filter/validate", user, json=good).status_code == 200
        bad = {"payload-filter": "(@.label ==="}
        assert site.rq("POST", f"{base}/subscription/filter/validate", user, json=bad).status_code == 400
        assert site.rq("GET", f"{base}/subscription/filter?event-type=x", user).status_code == 404
    assert site.rq("GET", "/xapi/events/subscription/filter", "bob").status_code == 403


def test_deliveries_are_filtered_or_the_filter_is_refused(site):
    ask = lambda **wish: site.rq("POST", "/xapi/events/delivered", json=wish)  # noqa: E731
    assert ask(page=1, size=5, filters={"subscription": -1}).json() == []
    assert ask(filters={"colour": "red"}).status_code == 400
    assert isinstance(site.rq("GET", "/xapi/events/delivered/count").json(), int)


def test_hubs_are_kept_and_one_is_the_default(site):
    name = fresh("hub")
    listed = site.rq("GET", "/xapi/docker/hubs").json()
    assert sum(hub["default"] for hub in listed) == 1
    wish = {"name": name, "url": "http://127.0.0.1:9"}
    made = site.rq("POST", "/xapi/docker/hubs", json=wish)
    assert made.status_code == 201, made.text
    hub = f"/xapi/docker/hubs/{made.json()['id']}"
    assert site.rq("POST", "/xapi/docker/hubs", json=wish).status_code == 409
    assert site.rq("GET", f"/xapi/docker/hubs/{name}").json()["url"] == wish["url"]
    assert site.rq("POST", f"{hub}?default=true").json()["default"] is True
    assert sum(one["default"] for one in site.rq("GET", "/xapi/docker/hubs").json()) == 1
    assert site.rq("GET", f"{hub}/ping").status_code == 500  # nobody listens there
    secret = {**wish, "name": name + "2", "password": "x"}
    assert site.rq("POST", "/xapi/docker/hubs", json=secret).status_code == 400
    assert site.rq("GET", "/xapi/docker/hubs", "alice").status_code == 403
    assert site.rq("DELETE", hub).status_code == 204
    assert [one["name"] for one in site.rq("GET", "/xapi/docker/hubs").json() if one["default"]] == ["Engine"]
    assert site.rq("GET", hub).status_code == 404
