"""Register, enable, list, launch, poll, outputs: the way of scenario S34, on the process backend."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Site, smoke


@pytest.mark.requirement("M-31")
def test_a_registered_enabled_command_runs_and_its_output_becomes_a_resource(site: Site) -> None:
    command, wrapper = site.register(smoke())
    rows = site.send(
        "GET", "/commands/available", params={"project": "P", "xsiType": "xnat:mrSessionData"}
    ).json()
    assert [(r["wrapper-id"], r["enabled"], r["root-element-name"]) for r in rows] == [
        (wrapper, True, "session")
    ]
    workflow = site.launch(wrapper, {"session": f"/archive/experiments/{site.session}", "OUT": "c.txt"})
    assert site.wait(workflow) == "Complete"
    assert site.files("OUT") == {"c.txt": b"hello"}
    assert site.history(workflow) == ["Queued", "Staging", "Created", "Running", "Finalizing", "Complete"]
    (row,) = site.send("GET", "/projects/P/containers", "reader").json()
    assert (row["command-id"], row["wrapper-id"], row["user-id"], row["status"]) == (
        command,
        wrapper,
        "member",
        "Complete",
    )
    assert row["workflow-id"] == str(workflow)
    assert row["outputs"][0]["created"].startswith(f"/archive/experiments/{site.session}/resources/")
    assert row["env"]["XNAT_PASS"] == "******"


def test_a_session_may_be_given_by_its_bare_id_and_a_wrapper_by_its_number_for_its_name(site: Site) -> None:
    command, wrapper = site.register(smoke())
    workflow = site.launch(wrapper, {"session": site.session, "OUT": "c.txt"})
    assert site.wait(workflow) == "Complete"
    state = site.send("GET", f"/commands/{command}/wrappers/{wrapper}/enabled")
    assert state.json() is True


def body(site: Site, **more: Any) -> dict[str, Any]:
    return {"session": f"/archive/experiments/{site.session}", **more}


def test_a_second_launch_replaces_the_same_file_and_doubles_nothing(site: Site) -> None:
    _, wrapper = site.register(smoke())
    for _ in range(2):
        assert site.wait(site.launch(wrapper, body(site))) == "Complete"
    assert site.files("OUT") == {"b.txt": b"hello"}
