"""Each kind of series takes its lane, and a project can decide otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from kit import kinds, vendor
from kit.enhanced import write_enhanced
from kit.people import Person
from kit.phantom import Volume
from kit.series import write_series
from lethe.cli.image import app
from lethe.command.dicom_to_nifti import COMMAND as DICOM_TO_NIFTI
from lethe.command.harness import perform
from lethe.command.model import LANE_RULES, Job
from lethe.command.progress import Progress
from lethe.errors import Misconfigured, Refused
from lethe.image.convert import convert_series
from lethe.image.lane import Lane, Rule, decide, project_rules, standard_rules
from lethe.image.series import SeriesEvidence, read_evidence
from lethe.image.sopclasses import _COMMON, sop_class_name

Write = Callable[[Path, Volume, Volume, Person], list[Path]]
KINDS: dict[str, tuple[Write, Lane, str]] = {
    "ct": (lambda f, ct, mr, p: write_series(ct, None, f, person=p), Lane.DEFACE, "volume"),
    "mr": (lambda f, ct, mr, p: write_series(mr, None, f, modality="MR", person=p), Lane.DEFACE, "volume"),
    "slices numbered as times": (
        lambda f, ct, mr, p: write_series(
            ct, None, f, person=p, change=lambda d, n: setattr(d, "TemporalPositionIdentifier", n + 1)
        ),
        Lane.DEFACE,
        "volume",
    ),
    "mr perfusion": (lambda f, ct, mr, p: kinds.write_dynamic_mr(mr, f, person=p), Lane.DEFACE, "volume"),
    "echoes": (lambda f, ct, mr, p: kinds.write_multi_echo(mr, f, person=p), Lane.DEFACE, "volume"),
    **{
        f"perfusion by {style}": (
            lambda f, ct, mr, p, style=style: kinds.write_perfusion(ct, f, person=p, style=style),
            Lane.HEADER_ONLY,
            rule,
        )
        for style, rule in (
            ("temporal", "ct-perfusion-declared"),
            ("acquisitions", "ct-perfusion-acquisitions"),
            ("times", "ct-perfusion-times"),
            ("repeats", "ct-perfusion-repeats"),
        )
    },
    "enhanced perfusion": (
        lambda f, ct, mr, p: write_enhanced(ct, f, modality="CT", person=p, times=3),
        Lane.HEADER_ONLY,
        "ct-perfusion-declared",
    ),
    "dsa": (lambda f, ct, mr, p: kinds.write_dsa(ct, f, person=p), Lane.HEADER_ONLY, "angiography"),
    "capture": (
        lambda f, ct, mr, p: kinds.write_secondary_capture(f, person=p),
        Lane.QUARANTINE,
        "secondary-capture",
    ),
    "dose": (lambda f, ct, mr, p: kinds.write_dose_sheet(f, person=p), Lane.QUARANTINE, "report"),
    "localizer": (lambda f, ct, mr, p: kinds.write_localizer(mr, f, person=p), Lane.QUARANTINE, "localizer"),
    "ultrasound": (
        lambda f, ct, mr, p: vendor.write_sample("ultrasound", f, person=p),
        Lane.QUARANTINE,
        "colour",
    ),
    "report": (lambda f, ct, mr, p: vendor.write_sample("report", f, person=p), Lane.QUARANTINE, "report"),
}


@pytest.mark.requirement("M-22", "T-9", "L-16")
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_of_series_takes_its_lane(
    tmp_path: Path, ct: Volume, mr: Volume, person: Person, kind: str
) -> None:
    write, lane, rule = KINDS[kind]
    decision = decide(read_evidence(write(tmp_path / "in", ct, mr, person)))
    assert (decision.lane, decision.rule) == (lane, rule)
    assert decision.reason.endswith(".")


@pytest.mark.requirement("M-22", "T-9", "L-16", "T-11")
@pytest.mark.parametrize("name", sorted(kinds.OTHERS))
def test_what_is_no_plain_volume_waits_for_a_person(tmp_path: Path, person: Person, name: str) -> None:
    decision = decide(read_evidence(kinds.write_other(name, tmp_path / "in", person=person)))
    stays = {"fluoroscopy": Lane.HEADER_ONLY}
    assert decision.lane is stays.get(name, Lane.QUARANTINE)
    assert decision.reason.endswith(".")


@pytest.mark.requirement("M-22", "T-9")
def test_a_series_that_must_stay_dicom_is_not_converted_and_says_why(
    tmp_path: Path, out: Path, ct: Volume, person: Person
) -> None:
    kinds.write_perfusion(ct, tmp_path / "in", person=person)
    conversion = convert_series(tmp_path / "in", out)
    assert conversion.files == []
    assert conversion.conservation is None
    assert "perfusion" in conversion.lane.reason
    assert not list(out.iterdir())


@pytest.fixture
def head_ct(written: dict[str, Path]) -> SeriesEvidence:
    return read_evidence(sorted(written["ct"].iterdir()))


@pytest.mark.requirement("T-9")
def test_only_a_body_part_far_from_the_head_skips_de_facing(head_ct: SeriesEvidence) -> None:
    lanes = {part: decide(replace(head_ct, body_part=part)).lane for part in ("", "CHEST", "NECK", "KNEE")}
    assert lanes == {
        "": Lane.DEFACE,
        "CHEST": Lane.DEFACE,
        "NECK": Lane.DEFACE,
        "KNEE": Lane.CONVERT,
    }
    # A body part left over from another protocol: the field of view is that of a head.
    assert decide(replace(head_ct, body_part="PELVIS", field_of_view_mm=240.0)).lane is Lane.DEFACE
    assert decide(replace(head_ct, body_part="PELVIS", field_of_view_mm=400.0)).lane is Lane.CONVERT
    whole_body = replace(head_ct, body_part="PELVIS", field_of_view_mm=500.0, extent_mm=1200.0)
    assert decide(whole_body).lane is Lane.DEFACE


@pytest.mark.requirement("T-9")
def test_a_neck_angiography_from_arch_to_vertex_holds_a_head(head_ct: SeriesEvidence) -> None:
    for part in ("NECK", "CHEST", "HEADNECK", "HEART", "CSPINE", "TSPINE", "AORTA", "EXTREMITY"):
        assert decide(replace(head_ct, body_part=part, extent_mm=380.0)).lane is Lane.DEFACE


@pytest.mark.requirement("M-22", "T-9")
@pytest.mark.parametrize("style", ["temporal", "acquisitions", "times"])
def test_three_time_points_make_a_perfusion(
    tmp_path: Path, ct: Volume, person: Person, style: kinds.PerfusionStyle
) -> None:
    files = kinds.write_perfusion(ct, tmp_path / "in", person=person, times=3, slices=6, style=style)
    assert decide(read_evidence(files)).lane is Lane.HEADER_ONLY


@pytest.mark.requirement("T-9")
def test_names_of_classes_are_those_of_the_standard() -> None:
    for uid in (
        *(f"1.2.840.10008.5.1.4.1.1.{end}" for end in _COMMON),
        "1.2.840.10008.5.1.4.1.1.128",
        "1.2.3",
        "",
    ):
        assert sop_class_name(uid) == pydicom.uid.UID(uid).name


@pytest.mark.requirement("T-9")
@given(word=st.text(max_size=16))
@settings(derandomize=True, max_examples=40)
def test_what_no_rule_knows_waits_for_a_person(word: str) -> None:
    evidence = SeriesEvidence(
        modality=word if word not in ("CT", "MR", "XA", "RF") else "US",
        sop_class=word,
        instances=1,
        frames=1,
        image_type=frozenset({word}),
        body_part=word,
        colour=False,
        burned_in=False,
        converted=False,
        positions=1,
        repeats=1,
        acquisitions_per_position=1,
        times_per_position=1,
        temporal_positions=0,
        orientations=1,
        extent_mm=1.0,
        field_of_view_mm=1.0,
    )
    assert decide(evidence).lane is Lane.QUARANTINE


@pytest.mark.requirement("M-21")
def test_free_text_in_the_modality_does_not_reach_the_evidence(
    tmp_path: Path, ct: Volume, person: Person
) -> None:
    files = write_series(ct, None, tmp_path / "in", person=person, Modality=person.family.upper()[:16])
    evidence = read_evidence(files)
    assert evidence.modality == "OTHER"
    assert decide(evidence).lane is Lane.QUARANTINE


@pytest.mark.requirement("T-9")
def test_a_slight_tremble_of_the_orientation_is_no_second_orientation(
    tmp_path: Path, ct: Volume, person: Person
) -> None:
    files = write_series(ct, None, tmp_path / "in", person=person)
    for n, path in enumerate(files):
        dataset = pydicom.dcmread(path)
        angle = 0.005 + 1e-5 * (-1) ** n
        row, column = [np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0]
        dataset.ImageOrientationPatient = [f"{v:.9f}" for v in (*row, *column)]
        dataset.save_as(path)
    assert read_evidence(files).orientations == 1


@pytest.mark.requirement("T-9")
def test_a_project_decides_before_the_standard_rules(tmp_path: Path, head_ct: SeriesEvidence) -> None:
    table = tmp_path / "lanes.yaml"
    table.write_text(
        "drop: [localizer]\n"
        "rules:\n"
        "  - {name: thin-only, lane: quarantine, reason: Too short., when: {positions: {max: 60}}}\n"
    )
    decision = decide(head_ct, project_rules(table))
    assert (decision.lane, decision.rule) == (Lane.QUARANTINE, "project:thin-only")
    localizer = replace(head_ct, image_type=frozenset({"LOCALIZER"}), positions=80)
    assert decide(localizer, project_rules(table)).lane is Lane.DEFACE


@pytest.mark.parametrize(
    "text",
    [
        "not: a table",
        "rules: [{name: x}]",
        "rules: [{name: x, lane: nowhere, reason: r, when: {modality: CT}}]",
        "rules: [{name: x, lane: deface, reason: r, when: {shoe_size: 44}}]",
        "rules: [{name: x, lane: deface, reason: r, when: {}}]",
        "rules: [{name: x, lane: deface, reason: r, when: {positions: {most: 3}}}]",
        "rules: [{name: x, lane: deface, reason: r, when: {image_type: MIP}}]",
        "rules: []\ndrop: [no-such-rule]",
        "rules: [",
        "rules: 7",
        "rules: [{name: x, lane: deface, reason: r, when: 7}]",
        "drop: no-such-rule",
        "- rules",
        "\xff\xfe",
    ],
)
def test_a_wrong_lane_table_is_refused_with_a_remedy(tmp_path: Path, text: str) -> None:
    table = tmp_path / "lanes.yaml"
    table.write_bytes(text.encode("latin-1"))
    with pytest.raises(Misconfigured) as refusal:
        project_rules(table)
    assert refusal.value.remedy


@pytest.mark.requirement("T-9")
def test_a_project_decides_otherwise_through_the_command_and_the_decision_is_recorded(
    tmp_path: Path, ct: Volume, person: Person
) -> None:
    kinds.write_perfusion(ct, tmp_path / "in", person=person, slices=6)
    table = """
    drop: [ct-perfusion-declared, ct-perfusion-acquisitions, ct-perfusion-times, ct-perfusion-repeats]
    rules:
      - {name: whole heads, lane: convert, reason: Allowed., when: {modality: CT, repeats: {min: 8}}}
    """
    found = {}
    for name, text in {"standard": "rules: []", "project": table}.items():
        (tmp_path / name).mkdir()
        job = Job(
            tmp_path / "in",
            tmp_path / name,
            {},
            Progress(StringIO(), lambda: 0.0),
            environment={LANE_RULES: text},
        )
        done = perform(DICOM_TO_NIFTI, job)
        record = json.loads((tmp_path / name / "conversion" / "lane.json").read_text())
        found[name] = (done.verdict, record["rule"], (tmp_path / name / "nifti").is_dir())
        assert record["reason"].endswith(".")
        assert done.parameters["lane_rule"] == record["rule"]
    assert found == {
        "standard": ("header-only", "ct-perfusion-declared", False),
        "project": ("convert", "project:whole heads", True),
    }
    wet = CliRunner().invoke(
        app, ["lane", str(tmp_path / "in"), "--rules", str(_written(tmp_path, table)), "--output", "json"]
    )
    assert json.loads(wet.stdout)["rule"] == "project:whole heads"


def _written(folder: Path, text: str) -> Path:
    path = folder / "lanes.yaml"
    path.write_text(text)
    return path


def test_rules_have_names_of_their_own_and_the_last_catches_volumes_only() -> None:
    rules = standard_rules()
    assert len({rule.name for rule in rules}) == len(rules)
    assert isinstance(rules[-1], Rule)
    assert rules[-1].lane is Lane.DEFACE
    assert rules[-1].when["modality"] == ["CT", "MR"]


@pytest.mark.requirement("E-73")
def test_two_series_in_one_folder_are_refused(tmp_path: Path, ct: Volume, mr: Volume, person: Person) -> None:
    files = write_series(ct, None, tmp_path / "a", person=person, number=1)
    files += write_series(mr, None, tmp_path / "b", modality="MR", person=person, number=2)
    with pytest.raises(Refused, match="more than one series"):
        read_evidence(files)
