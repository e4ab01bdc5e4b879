"""The configurations of CTP: right stages in the right order, nothing that lets an identifier pass."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from lethe.header import FilterStage, PixelStage, load_filter, load_pixel_script
from lethe.header.findings import Severity
from lethe.header.pipelinelint import lint_pipeline, placeholders
from lethe.header.view import View
from unit.header.conftest import Result
from unit.header.objects import ct, to_bytes

FOLDER = Path(__file__).parents[3] / "ctp-profiles"
CLIENT = ["DicomFilter", "DicomCorrector", "LookupTableChecker", "DicomAnonymizer", "DicomPixelAnonymizer"]
STAGES = {
    "client": [*CLIENT, "DicomAnonymizer", "HttpExportService"],
    "server": ["HttpImportService", "DicomFilter", "DicomAnonymizer", "DicomExportService"],
}


def _pipelines(side: str) -> list[list[etree._Element]]:
    root = etree.parse(FOLDER / side / "config.xml").getroot()
    return [list(pipeline.iterchildren(tag=etree.Element)) for pipeline in root.iterchildren("Pipeline")]


def _kind(stage: etree._Element) -> str:
    return str(stage.get("class")).removeprefix("org.rsna.ctp.stdstages.")


@pytest.mark.requirement("E-54", "E-56", "E-57", "E-59")
@pytest.mark.parametrize("side", ["client", "server"])
def test_a_configuration_has_no_finding_and_the_stages_of_the_way(side: str) -> None:
    assert lint_pipeline(FOLDER / side / "config.xml") == []
    pipelines = _pipelines(side)
    assert len(pipelines) == 2
    for stages in pipelines:
        kinds = [_kind(stage) for stage in stages]
        imports = [kind for kind in kinds if kind.endswith("ImportService")]
        assert kinds == (STAGES[side] if side == "server" else [*imports, *STAGES[side]])
        assert imports


@pytest.mark.requirement("E-58")
@pytest.mark.parametrize("side", ["client", "server"])
def test_every_stage_has_a_quarantine_of_its_own_that_keeps_for_ever(side: str) -> None:
    stages = [stage for stages in _pipelines(side) for stage in stages]
    quarantines = [stage.get("quarantine") for stage in stages]
    assert None not in quarantines
    assert len(set(quarantines)) == len(stages)
    assert {stage.get("quarantineTimeDepth") for stage in stages} == {"0"}


@pytest.mark.parametrize("side", ["client", "server"])
def test_no_secret_is_shipped(side: str) -> None:
    path = FOLDER / side / "config.xml"
    root = etree.parse(path).getroot()
    named = ("keystore", "keystorePassword", "truststore", "truststorePassword", "username", "password")
    secrets = [node.get(name) for node in root.iter() for name in named if node.get(name)]
    assert secrets
    assert set(secrets) <= set(placeholders(path))
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in readme for name in placeholders(path))


BREAKS = [
    ('acceptFileObjects="no"', "", "other-objects", Severity.PHI),
    ('acceptZipObjects="no"', 'acceptZipObjects="yes"', "other-objects", Severity.PHI),
    ('quarantine="quarantines/stroke/filter"', "", "no-quarantine", Severity.PHI),
    ('script="object.filter"', 'script="objects.filter"', "script-missing", Severity.FATAL),
    ('script="stroke.script"', 'script="stroke.script" dicomScript="a"', "anonymizer-filter", Severity.FATAL),
    ('"lookup.properties"', '"lookup.csv"', "lookup-csv", Severity.FATAL),
    ('"roots/stroke/filter"', '"roots/stroke/pixels"', "shared-root", Severity.FATAL),
    ('port="11105"', 'port="11104"', "shared-port", Severity.FATAL),
    ("stdstages.DicomFilter", "stdstages.DicomFiltre", "stage-class", Severity.FATAL),
    ('acceptDicomObjects="yes"', 'acceptDicom="yes"', "stage-attribute", Severity.FATAL),
    ("https://", "http://", "open-way", Severity.PHI),
    (
        'keystorePassword="%KEYSTORE_PASSWORD%"',
        'keystorePassword="ctpstore"',
        "default-secret",
        Severity.FATAL,
    ),
    ('keystore="%KEYSTORE%"', "", "public-keystore", Severity.FATAL),
    ('requireAuthentication="yes"', "", "open-server", Severity.FATAL),
    ("stdstages.LookupTableChecker", "stdstages.HttpExportService", "stage-order", Severity.FATAL),
    ("</Configuration>", "", "malformed", Severity.FATAL),
]


@pytest.mark.requirement("E-51", "E-54")
@pytest.mark.parametrize(
    ("old", "new", "rule", "severity"), BREAKS, ids=[f"{b[2]}-{n}" for n, b in enumerate(BREAKS)]
)
def test_a_broken_configuration_is_found(
    tmp_path: Path, old: str, new: str, rule: str, severity: Severity
) -> None:
    shutil.copytree(FOLDER / "client", tmp_path / "site")
    config = tmp_path / "site" / "config.xml"
    text = config.read_text(encoding="utf-8")
    assert old in text
    config.write_text(text.replace(old, new, 1), encoding="utf-8")
    found = [finding for finding in lint_pipeline(config) if finding.rule == rule]
    assert found, lint_pipeline(config)
    assert {finding.severity for finding in found} == {severity}
    assert all(finding.line and finding.remedy for finding in found)


def test_the_lookup_table_beside_a_configuration_is_checked_too(tmp_path: Path) -> None:
    shutil.copytree(FOLDER / "client", tmp_path / "site")
    (tmp_path / "site" / "lookup.properties").write_text("prid/1=A1B2\nshift/1=3\n")
    rules = {finding.rule for finding in lint_pipeline(tmp_path / "site" / "config.xml")}
    assert rules == {"lookup-type"}  # no patient has a salt


def test_the_command_checks_a_configuration(lethe: Callable[..., Result], tmp_path: Path) -> None:
    assert lethe("lint", FOLDER / "client" / "config.xml").returncode == 0
    (tmp_path / "config.xml").write_text("<Configuration><Pipeline/></Configuration>")
    assert lethe("lint", tmp_path / "config.xml").returncode == 1


@pytest.mark.requirement("A-56", "E-50")
@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({}, True),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, False),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.67"}, False),
        ({"BurnedInAnnotation": "YES"}, False),
        ({"BurnedInAnnotation": "NO"}, True),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, False),
        ({"PatientID": ""}, False),
    ],
)
def test_the_object_filter_of_a_site_lets_only_plain_images_in(
    changes: dict[str, object], passes: bool
) -> None:
    stage = FilterStage(load_filter(FOLDER / "client" / "object.filter"))
    assert isinstance(stage.apply(View([to_bytes(ct(**changes))])), View) is passes


@pytest.mark.requirement("M-59")
def test_the_object_filter_of_the_centre_lets_only_cleaned_objects_in() -> None:
    stage = FilterStage(load_filter(FOLDER / "server" / "object.filter"))
    cleaned = {"PatientIdentityRemoved": "YES", "DeidentificationMethod": "Lethe profile stroke 1"}
    assert isinstance(stage.apply(View([to_bytes(ct(PatientID="A1B2", **cleaned))])), View)
    assert not isinstance(stage.apply(View([to_bytes(ct(PatientID="PAT001", **cleaned))])), View)
    assert not isinstance(stage.apply(View([to_bytes(ct(PatientID="A1B2"))])), View)


def test_the_pixel_script_blanks_the_phantoms_line_of_text() -> None:
    stage = PixelStage(load_pixel_script(FOLDER / "client" / "pixels.script"))
    pixels = b"\x11" * (64 * 64)
    known = ct(
        ManufacturerModelName="LETHE PHANTOM", Rows=64, Columns=64, BitsAllocated=8, BitsStored=8, HighBit=7
    )
    known.add_new(0x7FE00010, "OB", pixels)
    out = stage.apply(View([to_bytes(known)]))
    assert isinstance(out, View)
    assert b"".join(out.chunks())[-len(pixels) :] == bytes(640) + pixels[640:]
