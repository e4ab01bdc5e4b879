"""Commands and wrappers: validation, ids, enablement, settings, the launch form, the engine's settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lethe.archive.containers.parse import parse_command
from lethe.archive.containers.wire import command_document
from lethe.errors import Refused

from .conftest import Site, smoke

Json = dict[str, Any]


def broken(change: Callable[[Json], object]) -> Json:
    document = smoke()
    change(document)
    return document


def wrapper(document: Json) -> Json:
    found: Json = document["xnat"][0]
    return found


WRONG: list[tuple[str, Callable[[Json], object], str]] = [
    ("no name", lambda d: d.pop("name"), "'name' is missing"),
    ("no image", lambda d: d.pop("image"), "'image' is missing"),
    ("no line", lambda d: d.update({"command-line": " "}), "'command-line' is missing"),
    ("bad type", lambda d: d.update(type="podman"), "must be one of docker"),
    ("text for number", lambda d: d.update({"limit-memory": "much"}), "'limit-memory' must be a number"),
    ("negative", lambda d: d.update({"limit-cpu": -1}), "'limit-cpu' must be a number"),
    ("relative mount", lambda d: d["mounts"][0].update(path="input"), "must be an absolute path"),
    ("root mount", lambda d: d["mounts"][0].update(path="/"), "below the root"),
    ("climbing mount", lambda d: d["mounts"][0].update(path="/a/../../b"), "letters, digits"),
    ("shell in mount", lambda d: d["mounts"][0].update(path="/a;b"), "letters, digits"),
    ("same path twice", lambda d: d["mounts"][0].update(path="/output"), "two mount paths"),
    ("two inputs", lambda d: d["inputs"].append(dict(d["inputs"][0])), "two inputs are called 'OUT'"),
    ("unknown output mount", lambda d: d["outputs"][0].update(mount="x"), "unknown mount 'x'"),
    ("read-only output", lambda d: d["outputs"][0].update(mount="i"), "read-only mount 'i'"),
    ("climbing output", lambda d: d["outputs"][0].update(path="../x"), "may not climb"),
    (
        "reserved variable",
        lambda d: d.update({"environment-variables": {"XNAT_PASS": "x"}}),
        "XNAT_PASS is set",
    ),
    ("bad input type", lambda d: d["inputs"][0].update(type="colour"), "'type' must be one of"),
    ("input no object", lambda d: d["inputs"].append("x"), "must be a JSON object"),
    ("inputs no list", lambda d: d.update(inputs={}), "'inputs' must be a list"),
    (
        "two roots",
        lambda d: wrapper(d)["external-inputs"].append({"name": "s2", "type": "Scan"}),
        "only one external",
    ),
    (
        "unknown source",
        lambda d: wrapper(d)["derived-inputs"][0].update({"derived-from-wrapper-input": "x"}),
        "derived from nothing",
    ),
    (
        "impossible",
        lambda d: wrapper(d)["derived-inputs"][0].update(
            type="Assessor", **{"derived-from-wrapper-input": "res"}
        ),
        "derived from nothing",
    ),
    (
        "wrong way",
        lambda d: (
            wrapper(d)["external-inputs"][0].update(type="Scan")
            or wrapper(d)["derived-inputs"].append(
                {"name": "a", "type": "Assessor", "derived-from-wrapper-input": "session"}
            )
        ),
        "cannot be derived from a Scan",
    ),
    (
        "no property",
        lambda d: wrapper(d)["derived-inputs"].append(
            {
                "name": "a",
                "type": "string",
                "derived-from-wrapper-input": "session",
                "derived-from-xnat-object-property": "age",
            }
        ),
        "has no property 'age'",
    ),
    ("bad matcher", lambda d: wrapper(d)["derived-inputs"][0].update(matcher="@.label =="), "cannot be read"),
    (
        "unknown mount",
        lambda d: wrapper(d)["derived-inputs"][0].update({"provides-files-for-command-mount": "x"}),
        "unknown mount 'x'",
    ),
    (
        "unknown input",
        lambda d: wrapper(d)["derived-inputs"][0].update({"provides-value-for-command-input": "x"}),
        "unknown command input 'x'",
    ),
    (
        "unknown output",
        lambda d: wrapper(d)["output-handlers"][0].update({"accepts-command-output": "x"}),
        "unknown output 'x'",
    ),
    (
        "unknown parent",
        lambda d: wrapper(d)["output-handlers"][0].update({"as-a-child-of": "x"}),
        "as its parent",
    ),
    (
        "files cannot be mounted",
        lambda d: wrapper(d)["derived-inputs"][0].update(type="File"),
        "cannot be mounted",
    ),
]


@pytest.mark.parametrize(("change", "sentence"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_wrong_definition_is_answered_with_what_is_wrong(
    change: Callable[[Json], object], sentence: str
) -> None:
    with pytest.raises(Refused) as caught:
        parse_command(broken(change))
    assert sentence in caught.value.sentence


def test_all_mistakes_are_named_at_once() -> None:
    document = broken(lambda d: (d.pop("name"), d.update(type="x"), d["mounts"][0].update(path="y")))
    with pytest.raises(Refused) as caught:
        parse_command(document)
    assert all(word in caught.value.sentence for word in ("'name'", "'type'", "mount 'i'"))


def test_a_definition_survives_the_way_to_json_and_back() -> None:
    command = parse_command(smoke(**{"limit-memory": 512, "container-labels": {"a": "b"}}))
    assert parse_command(command_document(command)) == command


def test_a_bad_post_is_400_with_text_and_a_double_one_409(site: Site) -> None:
    assert site.send("POST", "/commands", content=b"{").status_code == 400
    answer = site.send("POST", "/commands", json={"name": "x"})
    assert answer.status_code == 400
    assert "'image' is missing" in answer.text
    assert site.send("POST", "/commands", json=smoke()).json() == 1
    assert site.send("POST", "/commands", json=smoke()).status_code == 409


def test_posting_again_replaces_and_drops_wrappers_that_are_not_named(site: Site) -> None:
    number, wrapper_id = site.register(smoke())
    document = site.send("GET", f"/commands/{number}").json()
    assert site.send("POST", f"/commands/{number}", json={**document, "label": "new"}).status_code == 200
    changed = site.send("GET", f"/commands/{number}").json()
    assert (changed["label"], changed["xnat"][0]["id"]) == ("new", wrapper_id)
    assert site.send("POST", f"/commands/{number}", json={**document, "xnat": []}).status_code == 200
    assert site.send("GET", f"/commands/{number}").json()["xnat"] == []
    assert site.send("PUT", f"/commands/{number}", json=document).status_code == 405
    assert site.send("DELETE", f"/commands/{number}").status_code == 204
    assert site.send("DELETE", f"/commands/{number}").status_code == 204
    assert site.send("GET", f"/commands/{number}").status_code == 404


def test_wrappers_can_be_added_changed_and_removed_one_by_one(site: Site) -> None:
    number, _ = site.register(smoke())
    second = {**smoke()["xnat"][0], "name": "second"}
    answer = site.send("POST", f"/commands/{number}/wrappers", json=second)
    assert answer.status_code == 201
    added = int(answer.json())
    second["label"] = "Second"
    assert site.send("POST", f"/commands/{number}/wrappers/{added}", json=second).status_code == 200
    names = {one["name"]: one["label"] for one in site.send("GET", f"/commands/{number}").json()["xnat"]}
    assert names == {"smoke-session": "", "second": "Second"}
    assert site.send("DELETE", f"/wrappers/{added}").status_code == 204
    bad = {**second, "output-handlers": [{"name": "h", "accepts-command-output": "no"}]}
    assert site.send("POST", f"/commands/{number}/wrappers", json=bad).status_code == 400


def test_enabled_needs_site_and_project(site: Site) -> None:
    number = int(site.send("POST", "/commands", json=smoke()).json())
    wid = site.send("GET", f"/commands/{number}").json()["xnat"][0]["id"]
    by_name = f"/commands/{number}/wrappers/smoke-session"
    assert site.send("GET", f"/wrappers/{wid}/enabled").json() is False
    assert site.send("PUT", f"{by_name}/enabled").status_code == 200
    assert site.send("GET", f"{by_name}/enabled").json() is True
    assert site.send("GET", f"/wrappers/{wid}/disabled").json() is False
    expected = {"enabled-for-site": True, "enabled-for-project": False, "project": "P"}
    assert site.send("GET", f"/projects/P/wrappers/{wid}/enabled", "reader").json() == expected
    (row,) = site.send(
        "GET", "/projects/P/commands/available", "member", params={"xsiType": "xnat:ctSessionData"}
    ).json()
    assert row["enabled"] is False
    assert site.send("PUT", f"/projects/P{by_name}/enabled", "owner").status_code == 200
    (row,) = site.send(
        "GET", "/projects/P/commands/available", "member", params={"xsiType": "xnat:ctSessionData"}
    ).json()
    assert row["enabled"] is True
    assert site.send("PUT", f"/wrappers/{wid}/disabled").status_code == 200
    (row,) = site.send(
        "GET", "/projects/P/commands/available", "member", params={"xsiType": "xnat:ctSessionData"}
    ).json()
    assert row["enabled"] is False
    body = {"session": f"/archive/experiments/{site.session}"}
    workflow = site.launch(int(wid), body)
    assert site.wait(workflow) == "Failed (Staging)"
    assert "not enabled" in site.message(workflow)


@pytest.mark.parametrize(
    ("contexts", "kind", "fits"),
    [
        (["xnat:imageSessionData"], "xnat:mrSessionData", True),
        (["xnat:imageSessionData"], "xnat:mrScanData", False),
        (["xnat:mrSessionData"], "xnat:ctSessionData", False),
        ([], "xnat:petSessionData", True),
        (["xnat:subjectData"], "xnat:subjectData", True),
    ],
)
def test_a_command_is_offered_where_its_context_fits(
    site: Site, contexts: list[str], kind: str, fits: bool
) -> None:
    document = smoke()
    document["xnat"][0]["contexts"] = contexts
    site.register(document)
    rows = site.send("GET", "/commands/available", "member", params={"project": "P", "xsiType": kind}).json()
    assert bool(rows) is fits


def test_settings_change_defaults_and_reenable_unless_told_not_to(site: Site) -> None:
    _, wid = site.register(smoke())
    base = f"/projects/P/wrappers/{wid}"
    assert site.send("PUT", f"{base}/disabled", "owner").status_code == 200
    wish = {"inputs": {"OUT": {"default-value": "set.txt"}}, "outputs": {"h": {"label": "OTHER"}}}
    assert (
        site.send("POST", f"{base}/config", "owner", params={"enable": "false"}, json=wish).status_code == 201
    )
    assert site.send("GET", f"{base}/enabled").json()["enabled-for-project"] is False
    assert site.send("POST", f"{base}/config", "owner", json=wish).status_code == 201
    assert site.send("GET", f"{base}/enabled").json()["enabled-for-project"] is True
    assert site.send("GET", f"{base}/config", "owner").json()["inputs"]["OUT"] == {"default-value": "set.txt"}
    assert site.send("GET", f"{base}/config", "member").status_code == 403
    assert site.wait(site.launch(wid, {"session": f"/archive/experiments/{site.session}"})) == "Complete"
    assert site.files("OTHER") == {"set.txt": b"hello"}
    assert site.send("DELETE", f"{base}/config", "owner").status_code == 204
    assert site.send("POST", f"/wrappers/{wid}/config", json=[1]).status_code == 400


def test_the_launch_form_lists_what_a_person_may_set(site: Site) -> None:
    _, wid = site.register(smoke())
    uri = f"/archive/experiments/{site.session}"
    form = site.send("GET", f"/projects/P/wrappers/{wid}/launch", "member", params={"session": uri}).json()
    assert set(form) == {"meta", "input-config", "input-values", "container-server-config"}
    assert [(one["name"], one["type"]) for one in form["input-config"]] == [
        ("session", "static"),
        ("res", "static"),
        ("OUT", "text"),
    ]
    values = {one["name"]: one["values"] for one in form["input-values"]}
    assert values["OUT"] == [{"value": "b.txt", "label": "b.txt"}]
    assert values["session"] == [{"value": uri, "label": "E1"}]
    bulk = site.send("GET", f"/projects/P/wrappers/{wid}/bulklaunch", "member", params={"sampleTarget": uri})
    assert bulk.status_code == 200
    assert (
        site.send("GET", f"/projects/P/wrappers/{wid}/launch", "member", params={"session": "/x"}).status_code
        == 404
    )


def test_the_engines_settings_are_kept_and_what_cannot_be_done_is_refused(site: Site) -> None:
    assert site.send("GET", "/docker/server").json()["ping"] is True
    assert site.send("POST", "/docker/server", json={"container-user": "1234:5678"}).status_code == 201
    assert site.send("GET", "/docker/server").json()["container-user"] == "1234:5678"
    for wish in (
        {"container-user": "0"},
        {"container-user": "root"},
        {"backend": "kubernetes"},
        {"swarm-constraints": [{"attribute": "role; x", "values": ["a"]}]},
        {"swarm-constraints": ["node.role==worker"]},
    ):
        assert site.send("POST", "/docker/server", json=wish).status_code == 400
    constraint = {"attribute": "node.role", "comparator": "==", "values": ["manager"], "user-settable": False}
    wish = {"swarm-mode": True, "swarm-constraints": [constraint]}
    assert site.send("POST", "/docker/server", json=wish).status_code == 201
    shown = site.send("GET", "/docker/server").json()
    assert (shown["backend"], shown["swarm-constraints"]) == ("swarm", [constraint])
    assert site.send("POST", "/docker/server", json={"backend": "docker"}).status_code == 201
    assert site.send("GET", "/docker/server").json()["swarm-mode"] is False
    assert site.send("GET", "/docker/server", "owner").status_code == 403
    assert site.send("GET", "/containers/version", "reader").json()["compatible"] is True
