"""Resolution: input trees, derived inputs, defaults, keys, flags; a table of commands and what comes out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from lethe.archive.containers.parse import parse_command
from lethe.archive.containers.resolve import Plan, configure, resolve
from lethe.errors import Refused

Json = dict[str, Any]

SESSION: Json = {
    "type": "Session", "id": "X_E1", "label": "S1_MR1", "xsiType": "xnat:mrSessionData",
    "uri": "/archive/experiments/X_E1", "directory": "/a/P/arc001/S1_MR1", "project-id": "P",
    "project-uri": "/archive/projects/P", "subject-uri": "/archive/subjects/X_S1", "subject-id": "X_S1",
    "resources": [{"type": "Resource", "label": "IN", "uri": "/archive/experiments/X_E1/resources/9",
                   "directory": "/a/IN", "id": "9", "integer-id": 9}],
    "scans": [], "assessors": [],
}  # fmt: skip
SCANS: list[Json] = [
    {
        "type": "Scan",
        "id": number, "label": number, "xsiType": "xnat:mrScanData", "integer-id": int(number),
        "uri": f"/archive/experiments/X_E1/scans/{number}", "directory": f"/a/SCANS/{number}",
        "scan-type": kind, "project-id": "P",
        "session-uri": SESSION["uri"], "project-uri": "/archive/projects/P",
        "resources": [
            {"type": "Resource", "label": label,
             "uri": f"/archive/experiments/X_E1/scans/{number}/resources/{label}",
             "directory": f"/a/SCANS/{number}/{label}", "id": label, "integer-id": 5}
            for label in labels
        ],
    }
    for number, kind, labels in (("1", "T1", ["DICOM", "NIFTI"]), ("2", "T2", ["DICOM"]), ("3", "T2", []))
]  # fmt: skip
SESSION["scans"] = SCANS
PROJECT: Json = {
    "type": "Project", "id": "P", "label": "P", "xsiType": "xnat:projectData", "uri": "/archive/projects/P",
    "directory": "/a/P", "resources": [], "project-id": "P",
}  # fmt: skip
SUBJECT: Json = {
    "type": "Subject", "id": "X_S1", "label": "S1", "xsiType": "xnat:subjectData",
    "uri": "/archive/subjects/X_S1", "project-id": "P", "project-uri": "/archive/projects/P",
    "resources": [], "sessions": [SESSION],
}  # fmt: skip
WORLD = {one["uri"]: one for one in (SESSION, PROJECT, SUBJECT, *SCANS)}
SCAN1 = SCANS[0]["uri"]


def load(uri: str, lists: str = "") -> Mapping[str, Any]:
    if uri not in WORLD:
        raise Refused("http-404", "Unable to find the specified item.")
    return WORLD[uri]


def command(line: str = "run", **changes: Any) -> Json:
    """Return a command with a scan wrapper that mounts DICOM and stores OUT."""
    wrapper = {
        "name": "w",
        "external-inputs": changes.pop("external", [{"name": "scan", "type": "Scan"}]),
        "derived-inputs": changes.pop(
            "derived",
            [
                {
                    "name": "dicom",
                    "type": "Resource",
                    "derived-from-wrapper-input": "scan",
                    "matcher": "@.label == 'DICOM'",
                    "provides-files-for-command-mount": "in",
                }
            ],
        ),
        "output-handlers": changes.pop("handlers", []),
    }
    return {
        "name": "c",
        "image": "i",
        "command-line": line,
        "mounts": [{"name": "in", "path": "/input"}, {"name": "out", "path": "/output", "writable": True}],
        "xnat": [wrapper],
        **changes,
    }


def plan(document: Json, config: Json | None = None, **params: str) -> Plan:
    parsed = parse_command(document)
    ready, wrapper = configure(parsed, parsed.wrappers[0], config or {})
    root = wrapper.root
    if root is not None and root.name not in params:
        params[root.name] = {"Scan": SCAN1, "Session": SESSION["uri"], "Project": PROJECT["uri"]}[root.type]
    return resolve(ready, wrapper, params, load)


def line(template: str, inputs: list[Json], **params: str) -> str:
    return plan(command(template, inputs=inputs), **params).command_line


def one(name: str = "x", **fields: Any) -> list[Json]:
    return [{"name": name, **fields}]


LINES: list[tuple[str, list[Json], dict[str, str], str]] = [
    ("p #x#", one(), {}, "p "),
    ("p #x#", one(), {"x": "v"}, "p v"),
    ("p #x#", one(**{"default-value": "d"}), {}, "p d"),
    ("p #x#", one(**{"default-value": "d"}), {"x": "v"}, "p v"),
    ("p #x#", one(**{"default-value": 5, "type": "number"}), {}, "p 5"),
    ("p [X]", one(**{"replacement-key": "[X]"}), {"x": "v"}, "p v"),
    ("p #x#", one(**{"command-line-flag": "--x"}), {"x": "v w"}, "p --x 'v w'"),
    ("p #x#", one(**{"command-line-flag": "--x", "command-line-separator": "="}), {"x": "v"}, "p --x=v"),
    ("p #x#", one(**{"command-line-flag": "--x"}), {}, "p "),
    ("p #x#", one(type="boolean", **{"true-value": "-b y", "false-value": ""}), {"x": "true"}, "p -b y"),
    ("p #x#", one(type="boolean", **{"true-value": "-b y", "false-value": ""}), {"x": "false"}, "p "),
    ("p #x#", one(type="boolean", **{"default-value": "false"}), {}, "p false"),
    ("p #x#", one(type="boolean", **{"default-value": True, "true-value": "-q"}), {}, "p -q"),
    (
        "p #x#",
        one(type="boolean", **{"command-line-flag": "--b", "true-value": "1"}),
        {"x": "TRUE"},
        "p --b 1",
    ),
    ("p #x#", one(type="select-one", **{"select-values": ["a", "b"]}), {"x": "b"}, "p b"),
    ("p #x#", one(type="select-many", **{"select-values": ["a", "b"]}), {"x": '["a","b"]'}, "p 'a b'"),
    ("p #x#", one(type="select-many", **{"multiple-delimiter": "space"}), {"x": '["a","b c"]'}, "p a 'b c'"),
    ("p #x#", one(type="select-many", **{"multiple-delimiter": "comma"}), {"x": '["a","b"]'}, "p a,b"),
    (
        "p #x#",
        one(type="select-many", **{"multiple-delimiter": "flag", "command-line-flag": "-f"}),
        {"x": '["a","b"]'},
        "p -f a -f b",
    ),
    ("p #x# #y#", [*one(), *one("y", **{"default-value": "#x#-y"})], {"x": "v;w"}, "p 'v;w' 'v;w-y'"),
    ("p ^$.inputs[?(@.name=='x')].value^", one(), {"x": "a b"}, "p 'a b'"),
    ("p ^$.version^", [], {}, "p "),
    ("p ^wrapper:$.external-inputs[0].name^", [], {}, "p scan"),
]


@pytest.mark.parametrize(("template", "inputs", "params", "expected"), LINES)
def test_the_command_line_comes_out_as_written(
    template: str, inputs: list[Json], params: dict[str, str], expected: str
) -> None:
    assert line(template, inputs, **params) == expected


NAMED = {"environment-variables": {"A#x#": "1"}}
HELD = {"environment-variables": {"A": "#x#"}}
REFUSED: list[tuple[Json, dict[str, str], str]] = [
    (command(inputs=one(), **NAMED), {"x": "=B"}, "environment"),
    (command(inputs=one(), **HELD), {"x": "a\0b"}, "environment"),
    (command(inputs=one(required=True)), {}, "input-missing"),
    (command(inputs=one(type="number")), {"x": "many"}, "input-invalid"),
    (command(inputs=one(type="boolean")), {"x": "perhaps"}, "input-invalid"),
    (command(inputs=one(type="select-one", **{"select-values": ["a"]})), {"x": "b"}, "input-invalid"),
    (command(inputs=one(type="select-many")), {"x": "[1"}, "input-invalid"),
    (command(), {"scan": "/archive/experiments/NO/scans/1"}, "http-404"),
    (command(), {"scan": SESSION["uri"]}, "input-invalid"),
    (command(), {"scan": SCANS[2]["uri"]}, "input-missing"),
    (command(), {"scan": ""}, "input-missing"),
    (
        command(external=[{"name": "scan", "type": "Scan", "matcher": "@.scan-type == 'T9'"}]),
        {},
        "object-does-not-match",
    ),
    (command("p ^$.nothing.here^"), {}, "path-empty"),
    (command("p `x #x#`", inputs=one()), {"x": "a b"}, "value-not-allowed"),
    (
        command(
            inputs=one(),
            outputs=[{"name": "o", "mount": "out", "path": "#x#"}],
            handlers=[{"name": "h", "accepts-command-output": "o", "as-a-child-of": "scan"}],
        ),
        {"x": "../../etc"},
        "path-outside",
    ),
]


@pytest.mark.parametrize(("document", "params", "code"), REFUSED)
def test_what_cannot_be_resolved_is_refused_by_name(
    document: Json, params: dict[str, str], code: str
) -> None:
    with pytest.raises(Refused) as caught:
        plan(document, **params)
    assert caught.value.code == code


def test_a_resource_is_mounted_where_it_lies_and_the_output_is_empty() -> None:
    mounts = plan(command()).mounts
    assert [(m.name, m.directory, m.writable, m.copy) for m in mounts] == [
        ("in", "/a/SCANS/1/DICOM", False, False),
        ("out", "", True, False),
    ]


def test_a_writable_mount_with_files_gets_a_copy() -> None:
    document = command()
    document["mounts"][0]["writable"] = True
    assert plan(document).mounts[0].copy


def derived(name: str, kind: str, source: str, **fields: Any) -> Json:
    return {"name": name, "type": kind, "derived-from-wrapper-input": source, **fields}


def test_inputs_are_derived_down_and_up_the_tree_whatever_their_order() -> None:
    document = command(
        "p #id# #project# #session# #subject# #label#",
        derived=[
            derived("label", "string", "subj", **{"derived-from-xnat-object-property": "label"}),
            derived("subj", "Subject", "sess"),
            derived("id", "string", "scan", **{"derived-from-xnat-object-property": "id"}),
            derived("project", "string", "scan", **{"derived-from-xnat-object-property": "project-id"}),
            derived("sess", "Session", "scan"),
            derived("session", "string", "sess", **{"derived-from-xnat-object-property": "label"}),
            derived("subject", "string", "sess", **{"derived-from-xnat-object-property": "subject-id"}),
        ],
    )
    assert plan(document).command_line == "p 1 P S1_MR1 X_S1 S1"


SESSION_ROOT = [{"name": "session", "type": "Session"}]


def test_one_of_several_that_fit_must_be_named() -> None:
    document = command("p #scan#", external=SESSION_ROOT, derived=[derived("scan", "Scan", "session")])
    with pytest.raises(Refused) as caught:
        plan(document)
    assert caught.value.code == "object-ambiguous"
    assert plan(document, scan=SCANS[1]["uri"]).command_line == "p /archive/experiments/X_E1/scans/2"
    with pytest.raises(Refused):
        plan(document, scan="/archive/experiments/X_E1/scans/9")


def test_several_values_feed_one_command_input() -> None:
    document = command(
        "p #ids#",
        external=SESSION_ROOT,
        derived=[
            derived("scans", "Scan", "session", matcher="@.scan-type == 'T2'", multiple=True),
            derived(
                "ids",
                "string",
                "scans",
                multiple=True,
                **{"derived-from-xnat-object-property": "id", "provides-value-for-command-input": "ids"},
            ),
        ],
        inputs=one("ids", **{"multiple-delimiter": "comma"}),
    )
    assert plan(document).command_line == "p 2,3"


def test_a_value_a_wrapper_provides_is_not_the_callers_to_set() -> None:
    fields = {"derived-from-xnat-object-property": "id", "provides-value-for-command-input": "x"}
    document = command(
        "p #x#",
        derived=[derived("scan-id", "string", "scan", **fields, **{"user-settable": False})],
        inputs=one(),
    )
    assert plan(document, x="evil", **{"scan-id": "evil"}).command_line == "p 1"


def test_settings_of_site_and_project_change_defaults_matchers_and_labels() -> None:
    document = command(
        "p #x#",
        inputs=one(**{"default-value": "d"}),
        outputs=[{"name": "o", "mount": "out"}],
        handlers=[{"name": "h", "accepts-command-output": "o", "as-a-child-of": "scan", "label": "OLD"}],
    )
    config = {"inputs": {"x": {"default-value": "c"}}, "outputs": {"h": {"label": "NEW"}}}
    found = plan(document, config)
    assert (found.command_line, found.outputs[0].label) == ("p c", "NEW")
    with pytest.raises(Refused):
        plan(document, {"inputs": {"scan": {"matcher": "@.id == '7'"}}})


def test_keys_are_replaced_in_environment_path_and_label_as_plain_text() -> None:
    document = command(
        inputs=one(),
        outputs=[{"name": "o", "mount": "out", "path": "#x#"}],
        handlers=[{"name": "h", "accepts-command-output": "o", "as-a-child-of": "scan", "label": "R_#x#"}],
        **{"environment-variables": {"A_#x#": "b #x# $(c)"}},
    )
    found = plan(document, x="v")
    assert found.environment == {"A_v": "b v $(c)"}
    assert (found.outputs[0].path, found.outputs[0].label) == ("v", "R_v")
    assert found.outputs[0].parent == SCAN1


def test_sensitive_values_run_but_are_not_shown() -> None:
    found = plan(
        command("p #x#", inputs=one(sensitive=True), **{"environment-variables": {"K": "#x#"}}), x="topsecret"
    )
    assert found.command_line == "p topsecret"
    shown = json.dumps([found.shown_line, dict(found.shown_environment), list(found.inputs)])
    assert "topsecret" not in shown


def test_a_plan_survives_being_stored() -> None:
    found = plan(command(outputs=[{"name": "o", "mount": "out"}]))
    assert Plan.of(json.loads(json.dumps(found.document()))) == found
