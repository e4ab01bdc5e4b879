"""How runs end: status, history, reason, what is stored and what is not."""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from typing import Any

import pytest

from lethe.archive import accounts, content, items
from lethe.archive.containers import staging

from .conftest import Site, smoke


def start(site: Site, line: str, *, user: str = "member", **changes: Any) -> int:
    """Register a command and launch it on the session; return the workflow."""
    number = len(site.send("GET", "/commands").json())
    _, wrapper = site.register(smoke(line, name=f"c{number}", **changes))
    return site.launch(wrapper, {"session": f"/archive/experiments/{site.session}"}, user=user)


ENDINGS: list[tuple[str, dict[str, Any], str, str]] = [
    ("exit 7", {}, "Failed", "exit code 7"),
    ("exit 4", {}, "Failed", "exit code 4 (refused)"),
    ("no-such-program", {}, "Failed", "exit code 127 (the program was not found)"),
    ("true", {}, "Failed (Upload)", "'out' has no files"),
    ("ln -s /etc/passwd /output/x", {}, "Failed (Upload)", "a link, device or pipe"),
    ("mkfifo /output/x", {}, "Failed (Upload)", "a link, device or pipe"),
    ("ln -s / /output/d; touch /output/x", {}, "Failed (Upload)", "a link, device or pipe"),
    ("touch /output/x; echo changed > /input/a.txt", {}, "Failed", "its read-only input"),
    ("sleep 20", {"container-labels": {"lethe.timeout-seconds": "0.3"}}, "Failed (Timeout)", "longer"),
]


@pytest.mark.parametrize(("line", "changes", "status", "reason"), ENDINGS, ids=[row[0] for row in ENDINGS])
def test_a_run_that_fails_says_why_and_stores_nothing(
    site: Site, line: str, changes: dict[str, Any], status: str, reason: str
) -> None:
    workflow = start(site, line, **changes)
    assert site.wait(workflow) == status
    assert reason in site.message(workflow)
    assert site.files("OUT") == {}
    build = staging.build_folder(site.ctx, site.run_of(workflow))
    deadline = time.monotonic() + 30
    while {entry.name for entry in build.iterdir()} != {"logs"}:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_more_memory_than_its_limit_ends_a_run(site: Site, python: str) -> None:
    line = f"{python} -c 'x = bytearray(300 << 20); import time; time.sleep(20)'"
    workflow = start(site, line, **{"limit-memory": 64})
    assert site.wait(workflow) == "Killed (Out of Memory)"


@pytest.mark.parametrize("who", ["member", "owner", "admin"])
def test_launcher_owner_and_administrator_can_end_a_run_with_all_its_children(site: Site, who: str) -> None:
    mark = f"31.{os.getpid() % 1000:03d}{len(who)}"
    workflow = start(site, f"sleep {mark} & sleep {mark}")
    run = site.run_of(workflow)
    while site.history(workflow)[-1] != "Running":
        time.sleep(0.01)
    assert site.send("POST", f"/containers/{run.id}/kill", "reader").status_code == 403
    assert site.send("POST", f"/containers/{run.id}/kill", "other").status_code == 404
    assert site.send("POST", f"/projects/P/containers/{run.id}/kill", who).status_code == 200
    assert site.wait(workflow) == "Killed"
    assert f"ended by {who}" in site.message(workflow)
    assert not [entry for entry in os.listdir("/proc") if entry.isdecimal() and mark in command_of(entry)]
    assert site.send("POST", f"/containers/{run.id}/kill", who).status_code == 400


def command_of(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            return stream.read().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_a_waiting_run_can_be_ended_before_it_starts(site: Site) -> None:
    first = start(site, "sleep 20", **{"limit-cpu": 99})
    second = start(site, "touch /output/x")
    assert site.send("POST", f"/containers/{site.run_of(second).id}/kill", "member").status_code == 200
    assert site.wait(second) == "Killed"
    site.send("POST", f"/containers/{site.run_of(first).id}/kill", "member")
    assert site.wait(first) == "Killed"


def test_every_file_below_mount_and_path_is_stored_with_its_folders(site: Site) -> None:
    line = "mkdir -p /output/deep/er; echo 1 > /output/a; echo 2 > /output/deep/er/b"
    assert site.wait(start(site, line)) == "Complete"
    assert site.files("OUT") == {"a": b"1\n", "deep/er/b": b"2\n"}


def test_path_picks_a_folder_of_the_mount_and_glob_is_honoured_with_a_warning(site: Site) -> None:
    outputs = [{"name": "out", "mount": "o", "path": "sub", "glob": "*.json", "required": True}]
    line = "mkdir /output/sub; touch /output/other.json /output/sub/a.json /output/sub/b.txt"
    workflow = start(site, line, outputs=outputs)
    assert site.wait(workflow) == "Complete"
    assert list(site.files("OUT")) == ["a.json"]
    row = site.send("GET", f"/containers/{site.run_of(workflow).id}").json()
    assert any("Warning: 1 files" in (entry["message"] or "") for entry in row["history"])


def test_the_resource_gets_format_content_and_tags_of_the_handler(site: Site) -> None:
    command = smoke("touch /output/x")
    command["xnat"][0]["output-handlers"][0] |= {"format": "NIFTI", "content": "RAW", "tags": ["a", "b"]}
    _, wrapper = site.register(command)
    assert site.wait(site.launch(wrapper, {"session": f"/archive/experiments/{site.session}"})) == "Complete"
    item = items.find_experiment(site.ctx, site.session)
    assert item is not None
    resource = content.find_resource(site.ctx, item, "OUT")
    assert resource is not None
    assert (resource.format, resource.content, resource.tags, resource.created_by) == (
        "NIFTI",
        "RAW",
        "a,b",
        "member",
    )


def test_the_environment_holds_a_token_that_dies_with_the_run_and_nothing_of_the_server(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_SECRET", "x")
    line = "env > /output/env"
    workflow = start(site, line, **{"environment-variables": {"LEVEL": "#OUT#"}})
    assert site.wait(workflow) == "Complete"
    env = dict(row.split("=", 1) for row in site.files("OUT")["env"].decode().splitlines())
    assert "SERVER_SECRET" not in env
    assert (env["LEVEL"], env["XNAT_HOST"]) == ("b.txt", "http://127.0.0.1:8080")
    assert env["XNAT_WORKFLOW_ID"] == env["XNAT_EVENT_ID"] == str(workflow)
    deadline = time.monotonic() + 30
    while accounts.token_login(site.ctx, env["XNAT_USER"], env["XNAT_PASS"]) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_while_it_runs_its_token_stands_for_its_launcher(site: Site) -> None:
    line = 'echo "$XNAT_USER $XNAT_PASS"; while [ ! -e /input/go ]; do sleep 0.02; done; touch /output/x'
    workflow = start(site, line)
    number = site.run_of(workflow).id
    text = ""
    while not text.strip():
        text = site.send("GET", f"/containers/{number}/logs/stdout", "member").text
    alias, secret = text.split()
    assert accounts.token_login(site.ctx, alias, secret) == "member"
    site.send("POST", f"/containers/{number}/kill", "member")
    assert site.wait(workflow) == "Killed"


def test_logs_grow_while_it_runs_and_stay_after_it(site: Site) -> None:
    line = "echo one; echo err >&2; while [ ! -e /input/go ]; do sleep 0.02; done; echo two; touch /output/x"
    workflow = start(site, line)
    number = site.run_of(workflow).id
    base = f"/containers/{number}"
    poll: dict[str, Any] = {"content": "", "timestamp": "0"}
    while "one" not in poll["content"]:
        poll = site.send("GET", f"{base}/logSince/stdout", "member").json()
    assert poll["timestamp"] == "4"
    item = items.find_experiment(site.ctx, site.session)
    site.put(item, "IN", "go", b"1")
    assert site.wait(workflow) == "Complete"  # what others add to a session is no change of its input
    rest = site.send("GET", f"{base}/logSince/stdout", "member", params={"since": poll["timestamp"]}).json()
    assert (rest["content"], rest["timestamp"]) == ("two\n", "-1")
    assert site.send("GET", f"{base}/logs/stderr", "owner").text == "err\n"
    with zipfile.ZipFile(io.BytesIO(site.send("GET", f"{base}/logs", "owner").content)) as archive:
        assert archive.read("stdout.log") == b"one\ntwo\n"
    assert site.send("GET", f"{base}/logs/stdout", "reader").status_code == 403
    assert site.send("GET", f"{base}/logs/passwd", "owner").status_code == 404


def test_nothing_of_a_run_reaches_the_servers_log(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        assert site.wait(start(site, "echo canary-7261; echo canary-7261 >&2; exit 3")) == "Failed"
    assert "canary" not in caplog.text


def test_an_ended_run_can_be_deleted_by_who_may_end_it(site: Site) -> None:
    workflow = start(site, "touch /output/x")
    number = site.run_of(workflow).id
    assert site.wait(workflow) == "Complete"
    assert site.send("DELETE", f"/containers/{number}", "reader").status_code == 403
    assert site.send("DELETE", f"/containers/{number}", "member").status_code == 204
    assert site.send("GET", f"/containers/{number}", "member").status_code == 404


AUXILIARY = {"schema-version": "1.0", "version": "1", "override-entrypoint": True}


def test_setup_and_wrapup_commands_stand_before_and_behind(site: Site) -> None:
    for kind, name, line in (
        ("docker-setup", "prep", "tr a-z A-Z < /input/a.txt > /output/a.txt"),
        ("docker-wrapup", "post", "cat /input/b.txt /input/b.txt > /output/twice.txt"),
    ):
        command = {**AUXILIARY, "name": name, "type": kind, "image": f"x/{name}:1", "command-line": line}
        assert site.send("POST", "/commands", json=command).status_code == 201
    command = smoke()
    command["xnat"][0]["derived-inputs"][0]["via-setup-command"] = "x/prep:1:prep"
    command["xnat"][0]["output-handlers"][0]["via-wrapup-command"] = "x/post:1"
    _, wrapper = site.register(command)
    workflow = site.launch(wrapper, {"session": f"/archive/experiments/{site.session}"})
    assert site.wait(workflow) == "Complete", site.message(workflow)
    assert site.files("OUT") == {"twice.txt": b"HELLOHELLO"}


@pytest.mark.parametrize(
    ("key", "place", "status"),
    [
        ("via-setup-command", "derived-inputs", "Failed (Setup)"),
        ("via-wrapup-command", "output-handlers", "Failed (Wrapup)"),
    ],
)
def test_a_failing_setup_or_wrapup_command_ends_the_run(
    site: Site, key: str, place: str, status: str
) -> None:
    kind = "docker-setup" if "setup" in key else "docker-wrapup"
    bad = {**AUXILIARY, "name": "bad", "type": kind, "image": "x/bad:1", "command-line": "exit 1"}
    site.send("POST", "/commands", json=bad)
    command = smoke()
    command["xnat"][0][place][0][key] = "x/bad:1"
    _, wrapper = site.register(command)
    assert site.wait(site.launch(wrapper, {"session": f"/archive/experiments/{site.session}"})) == status
    assert site.files("OUT") == {}


def test_fifty_runs_in_bulk_none_lost_none_doubled(site: Site) -> None:
    _, wrapper = site.register(smoke("cp /input/a.txt /output/x; echo ran >> /output/x"))
    accessions = [site.add_session(f"B{n}") for n in range(50)]
    uris = [f"/archive/experiments/{one}" for one in accessions]
    body = {"session": json.dumps([*uris, uris[0], "/archive/experiments/NOPE"]), "OUT": "x"}
    answer = site.send("POST", f"/projects/P/wrappers/{wrapper}/root/session/bulklaunch", "member", json=body)
    report = answer.json()
    assert (len(report["successes"]), len(report["failures"])) == (50, 1)
    assert report["pipeline-name"] == "smoke-session"
    assert {entry["workflow-id"] for entry in report["successes"]} == {"To be assigned"}
    deadline = time.monotonic() + 60
    while site.send("GET", "/projects/P/containers", "member", params={"nonfinalized": "true"}).json():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    rows = site.send("GET", "/projects/P/containers", "member").json()
    assert [row["status"] for row in rows] == ["Complete"] * 50
    assert all(site.files("OUT", accession) == {"x": b"helloran\n"} for accession in accessions)


QC = (
    '<xnat:QCAssessment xmlns:xnat="http://nrg.wustl.edu/xnat" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xnat:{kind}" label="QC1">'
    "<xnat:date>2024-05-02</xnat:date></xnat:QCAssessment>"
)


def handlers(*more: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": "a", "type": "Assessor", "accepts-command-output": "out", "as-a-child-of": "session"},
        *more,
    ]


def test_an_assessor_is_made_of_xml_and_files_are_attached_to_it(site: Site) -> None:
    text = QC.format(kind="qcManualAssessorData")
    command = smoke(f"mkdir /output/x /output/f; echo '{text}' > /output/x/a.xml; echo 1 > /output/f/data")
    command["outputs"] = [
        {"name": "out", "mount": "o", "path": "x", "required": True},
        {"name": "files", "mount": "o", "path": "f", "required": True},
    ]
    below = {"name": "b", "accepts-command-output": "files", "as-a-child-of": "a", "label": "DATA"}
    command["xnat"][0]["output-handlers"] = handlers(below)
    _, wrapper = site.register(command)
    for _ in range(2):
        workflow = site.launch(wrapper, {"session": f"/archive/experiments/{site.session}"})
        assert site.wait(workflow) == "Complete", site.message(workflow)
    session = items.find_experiment(site.ctx, site.session)
    assert session is not None
    (assessor,) = items.children(site.ctx, session, "assessor")
    assert (assessor.label, assessor.xsi_type) == ("QC1", "xnat:qcManualAssessorData")
    assert assessor.data["date"] == "2024-05-02"
    (resource,) = content.list_resources(site.ctx, [assessor])
    assert [entry.path for entry in content.list_files(site.ctx, resource)] == ["data"]


@pytest.mark.parametrize(
    "line",
    [
        "echo 'no xml' > /output/a.xml",
        "echo '<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><x>&e;</x>' > /output/a.xml",
        f"echo '{QC.format(kind='mrSessionData')}' > /output/a.xml",
        "touch /output/a.txt",
        "touch /output/a.xml /output/b.xml",
    ],
)
def test_an_assessor_that_is_not_one_good_xml_file_fails_the_run(site: Site, line: str) -> None:
    command = smoke(line)
    command["xnat"][0]["output-handlers"] = handlers()
    _, wrapper = site.register(command)
    workflow = site.launch(wrapper, {"session": f"/archive/experiments/{site.session}"})
    assert site.wait(workflow) == "Failed (Upload)"
    session = items.find_experiment(site.ctx, site.session)
    assert session is not None
    assert items.children(site.ctx, session, "assessor") == []
