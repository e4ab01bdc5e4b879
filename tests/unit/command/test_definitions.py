"""command.json, the program and the README say the same."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import lethe
from lethe.command.cli import NAMES, command_named, parser_of
from lethe.command.describe import failures_of, fresh_readmes
from lethe.command.prepare_session import RESOURCES
from lethe.xnat.placing import KINDS, PREPARED, REPORT

from .schema import Definition

CONTAINERS = Path(__file__).parents[3] / "xnat-containers"
every_command = pytest.mark.parametrize("name", NAMES)


def definition_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CONTAINERS / name / "command.json").read_text(encoding="utf-8"))
    return found


def test_each_command_has_a_folder_and_each_folder_a_command() -> None:
    assert sorted(path.parent.name for path in CONTAINERS.glob("*/command.json")) == sorted(NAMES)


@every_command
def test_command_json_has_the_form_of_the_contract(name: str) -> None:
    Definition.model_validate(definition_of(name))


@every_command
def test_mounts_are_the_folders_of_the_program_and_the_reserve_fits_the_limit(name: str) -> None:
    definition = Definition.model_validate(definition_of(name))
    assert definition.name == name
    assert definition.limit_memory >= definition.reserve_memory
    further = [(f"/{mount.name}", False) for mount in command_named(name).mounts]
    assert [(mount.path, mount.writable) for mount in definition.mounts] == [
        ("/input", False),
        *further,
        ("/output", True),
    ]
    assert all(mount.path == f"/{mount.name}" for mount in definition.mounts)


@every_command
@pytest.mark.requirement("A-92")
def test_the_version_is_that_of_the_library_everywhere(name: str) -> None:
    definition = definition_of(name)
    assert definition["version"] == lethe.__version__
    assert definition["image"] == f"lethe/{name}:{lethe.__version__}"
    assert definition["container-labels"] == {"lethe.command": name, "lethe.version": lethe.__version__}


@every_command
def test_every_option_of_the_command_line_exists_in_the_program_and_the_other_way_round(name: str) -> None:
    definition, parser = definition_of(name), parser_of(command_named(name))
    words = shlex.split(definition["command-line"].replace("#", ""))
    # exec: the shell of the Container Service must not stay between the engine's SIGTERM and the program
    assert words[:3] == ["exec", "lethe-command", name]
    written = {word for word in words if word.startswith("--")}
    known = {
        option for action in parser._actions for option in action.option_strings if option.startswith("--")
    }
    assert written == known - {"--help", "--self-test"}


@every_command
def test_every_input_has_a_key_in_the_command_line_and_the_values_of_the_program(name: str) -> None:
    definition, command = definition_of(name), command_named(name)
    settings = {entry["name"]: entry for entry in definition["inputs"] if not entry["select-values"]}
    # free text reaches the program through its environment, never through a shell
    assert definition["environment-variables"] == {
        f"LETHE_{name.upper().replace('-', '_')}": entry["replacement-key"]
        for name, entry in settings.items()
    }
    decides = name in ("clean-header", "dicom-to-nifti", "prepare-session")
    assert set(settings) == ({"lane-rules"} if decides else set())
    choices = [entry for entry in definition["inputs"] if entry["name"] not in settings]
    assert sorted(re.findall(r"#[a-z-]+#", definition["command-line"])) == sorted(
        entry["replacement-key"] for entry in choices
    )
    described = [
        (entry["name"], tuple(entry["select-values"]), entry["default-value"], entry["description"])
        for entry in choices
    ]
    assert described == [
        (option.name, option.values, option.default, option.description) for option in command.options
    ]


@every_command
def test_the_command_line_with_defaults_is_accepted_by_the_program(name: str) -> None:
    definition = definition_of(name)
    line = definition["command-line"]
    for entry in definition["inputs"]:
        line = line.replace(entry["replacement-key"], entry["default-value"])
    parsed = parser_of(command_named(name)).parse_args(shlex.split(line)[3:])
    for mount in definition["mounts"]:
        assert str(getattr(parsed, mount["name"])) == mount["path"]


@every_command
def test_outputs_are_the_folders_that_the_program_fills(name: str) -> None:
    definition, command = definition_of(name), command_named(name)
    assert [(entry["path"], entry["required"]) for entry in definition["outputs"]] == [
        (output.folder, output.required) for output in command.outputs
    ]
    assert {output.folder: output.required for output in command.outputs}[command.provenance_in]


def wrappers_of(name: str) -> list[dict[str, Any]]:
    return list(definition_of(name)["xnat"])


def chain_of(wrapper: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the root input and the objects chosen below it, from the outside in; resources left out."""
    return [wrapper["external-inputs"][0], *(x for x in wrapper["derived-inputs"] if x["type"] != "Resource")]


@every_command
def test_each_output_becomes_exactly_one_resource_of_the_object_that_is_worked_on(name: str) -> None:
    definition = definition_of(name)
    for wrapper in definition["xnat"]:
        handled = [handler["accepts-command-output"] for handler in wrapper["output-handlers"]]
        assert sorted(handled) == sorted(entry["name"] for entry in definition["outputs"])
        assert {h["as-a-child-of"] for h in wrapper["output-handlers"]} == {chain_of(wrapper)[-1]["name"]}


@every_command
def test_results_have_the_same_names_whatever_a_command_was_launched_on(name: str) -> None:
    kept = ("accepts-command-output", "label", "format", "content", "tags")
    results = [[{k: h[k] for k in kept} for h in wrapper["output-handlers"]] for wrapper in wrappers_of(name)]
    assert all(one == results[0] for one in results)


@every_command
def test_a_command_is_offered_only_where_its_input_resources_are(name: str) -> None:
    for wrapper in wrappers_of(name):
        chain = chain_of(wrapper)
        resources = [entry for entry in wrapper["derived-inputs"] if entry["type"] == "Resource"]
        labels = [resource["matcher"].removeprefix("@.label == ") for resource in resources]
        for entry in chain:
            if entry["type"] == chain[-1]["type"]:
                wanted = "@.scans[*].resources[*]" if name == "prepare-session" else "@.resources[*]"
            else:
                wanted = "@.scans[*].resources[*]"
            needed = ["'DICOM'"] if name == "prepare-session" else labels
            if name == "prepare-session" and len(chain) > 1:
                assert entry["matcher"] == ""  # sessions of a subject or project come without their scans
            else:
                conditions = " && ".join(f"{label} in {wanted}.label" for label in needed)
                assert entry["matcher"].endswith(conditions)
        for resource in resources:
            assert resource["derived-from-wrapper-input"] == chain[-1]["name"]


@pytest.mark.parametrize("name", ["deface", "nifti-to-dicom"])
@pytest.mark.requirement("M-23")
def test_only_ct_and_mr_are_offered_what_concerns_faces(name: str) -> None:
    on_scan, on_session = wrappers_of(name)
    assert on_scan["contexts"] == ["xnat:ctScanData", "xnat:mrScanData"]
    (scan,) = [entry for entry in on_session["derived-inputs"] if entry["type"] == "Scan"]
    assert scan["matcher"].startswith("@.xsiType in ['xnat:ctScanData', 'xnat:mrScanData'] && ")


@pytest.mark.requirement("M-31")
def test_there_is_something_to_launch_wherever_people_work() -> None:
    contexts = {
        context.removeprefix("xnat:"): {
            entry["name"] for name in NAMES for entry in wrappers_of(name) if context in entry["contexts"]
        }
        for context in ("xnat:imageScanData", "xnat:imageSessionData", "xnat:subjectData", "xnat:projectData")
    }
    assert contexts["imageScanData"] == {"check-quality-scan", "clean-header-scan", "dicom-to-nifti-scan"}
    assert contexts["imageSessionData"] == {
        "prepare-session",
        *(f"{name}-session" for name in NAMES if name not in ("prepare-session", "scramble-clinical")),
    }
    assert contexts["subjectData"] == {"prepare-session-subject"}
    assert contexts["projectData"] == {"prepare-session-project", "scramble-clinical-project"}


@every_command
def test_every_input_mount_is_filled_by_one_input(name: str) -> None:
    definition = definition_of(name)
    read_only = [mount["name"] for mount in definition["mounts"] if not mount["writable"]]
    for wrapper in definition["xnat"]:
        entries = [*wrapper["external-inputs"], *wrapper["derived-inputs"]]
        filled = [
            entry["provides-files-for-command-mount"]
            for entry in entries
            if "provides-files-for-command-mount" in entry
        ]
        assert filled == read_only


@pytest.mark.requirement("M-24")
def test_a_prepared_scan_gets_the_resources_of_the_single_commands() -> None:
    said = {}
    for step, folders in RESOURCES.items():
        definition = definition_of(step)
        paths = {entry["name"]: entry["path"] for entry in definition["outputs"]}
        handlers = definition["xnat"][0]["output-handlers"]
        assert {paths[h["accepts-command-output"]]: h["label"] for h in handlers} == folders
        said |= {h["label"]: (h["format"], h["content"]) for h in handlers}
    assert said == KINDS


@pytest.mark.requirement("M-22", "M-24")
def test_resources_have_the_names_that_the_way_of_the_data_fixes() -> None:
    labels = {
        name: {
            handler["accepts-command-output"]: handler["label"]
            for wrapper in definition_of(name)["xnat"]
            for handler in wrapper["output-handlers"]
        }
        for name in NAMES
    }
    assert labels == {
        "check-quality": {"qc": "QC"},
        "dicom-to-nifti": {"nifti": "NIFTI", "conversion": "CONVERSION"},
        "deface": {"defaced": "NIFTI_DEFACED", "qc": "DEFACE_QC"},
        "clean-header": {"clean": "DICOM_CLEAN"},
        "nifti-to-dicom": {"dicom": "DICOM_DEFACED"},
        "prepare-session": {"scans": PREPARED, "report": REPORT},
        "scramble-clinical": {"clinical": "CLINICAL"},
    }


def test_the_readmes_are_what_the_program_says() -> None:
    for path, text in fresh_readmes(CONTAINERS).items():
        assert path.read_text(encoding="utf-8") == text, (
            "run: python -m lethe.command.describe xnat-containers"
        )


@every_command
def test_no_code_of_a_failure_has_two_exit_codes(name: str) -> None:
    codes: dict[str, int] = {}
    for failure in failures_of(command_named(name)):
        if failure.code != "out-of-memory":  # 5 when Python notices in time, 137 when the kernel kills
            assert codes.setdefault(failure.code, failure.exit_code) == failure.exit_code
