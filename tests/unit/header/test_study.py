"""Changing a profile: deviations, rehearsal, the table for people, uptake values."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from lethe.errors import Outcome
from lethe.header import bundled_profile, bundled_script, load_script
from lethe.header.describe import describe
from lethe.header.deviations import load_deviations
from lethe.header.e1 import Row
from lethe.header.planting import Kind, Plant, build
from lethe.header.profile import compile_profile, load_profile
from lethe.header.script import read_script
from unit.header.objects import SALT, clean, ct, to_bytes, write

README = Path(__file__).parents[3] / "ctp-profiles" / "README.md"
GOOD = """attribute: PatientWeight
action: number
justification: uptake values need it
approved_by: principal investigator of the study
until: 2027-06-30
"""


@pytest.mark.requirement("E-44", "E-52", "E-53")
def test_an_approved_deviation_is_compiled_and_named_in_the_script(tmp_path: Path) -> None:
    (tmp_path / "weight.yaml").write_text(GOOD)
    approved = load_deviations([tmp_path / "weight.yaml"], today=date(2027, 6, 30))
    text = compile_profile(load_profile(bundled_profile("strict"), approved))
    assert "<!-- deviation: PatientWeight number, until 2027-06-30 -->" in text
    out = clean(read_script(text), to_bytes(ct(PatientWeight="81.5")))
    assert isinstance(out, bytes)
    assert pydicom.dcmread(BytesIO(out)).PatientWeight == 81.5


@pytest.mark.requirement("E-44", "E-52", "E-53")
@pytest.mark.parametrize(
    ("change", "today", "code"),
    [
        ((), date(2027, 7, 1), "deviation-expired"),
        (("principal investigator of the study", ""), date(2026, 1, 1), "deviation-unsigned"),
        (("uptake values need it", ""), date(2026, 1, 1), "deviation-unsigned"),
        (("until: 2027-06-30", ""), date(2026, 1, 1), "deviation-endless"),
        (("until: 2027-06-30", "until: always"), date(2026, 1, 1), "deviation-endless"),
        (("approved_by", "approvedby"), date(2026, 1, 1), "deviation-fields"),
        (("number", "hope"), date(2026, 1, 1), "profile-action"),
        (("PatientWeight", "PatientWait"), date(2026, 1, 1), "profile-attribute"),
        (("PatientWeight\naction: number", "PatientName\naction: keep"), date(2026, 1, 1), "profile-keep"),
    ],
)
def test_an_expired_unsigned_or_unsafe_deviation_does_not_compile(
    tmp_path: Path, change: tuple[str, str], today: date, code: str
) -> None:
    (tmp_path / "d.yaml").write_text(GOOD.replace(*change) if change else GOOD)
    with pytest.raises(Outcome) as caught:
        load_profile(bundled_profile("strict"), load_deviations([tmp_path / "d.yaml"], today=today))
    assert caught.value.code == code


def test_the_command_refuses_an_expired_deviation_and_writes_nothing(
    lethe: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "d.yaml").write_text(GOOD.replace("2027", "2020"))
    result = lethe("compile", bundled_profile("strict"), tmp_path / "o", "--deviation", tmp_path / "d.yaml")
    assert (result.returncode, (tmp_path / "o").exists()) == (4, False)


@pytest.mark.requirement("E-69", "E-70")
def test_a_rehearsal_names_attributes_and_classes_and_no_value(
    lethe: Callable[..., Any], tmp_path: Path
) -> None:
    for number in range(3):
        write(
            tmp_path / "in" / f"{number}.dcm",
            ct(SOPInstanceUID=f"1.2.3.{number}", PatientAge="071Y", SeriesDescription="CTA SMITH"),
        )
    write(tmp_path / "in" / "pt.dcm", ct(Modality="PT", SeriesInstanceUID="1.2.9", PatientWeight="81.5"))
    before = {path: path.read_bytes() for path in (tmp_path / "in").iterdir()}
    result = lethe("rehearse", "stroke", "strict", tmp_path / "in", "--output", "json")
    said = json.loads(result.stdout)
    assert (said["objects"], said["series"]) == (4, 2)
    changes = {(c["series"], c["attribute"]): (c["old"], c["new"], c["objects"]) for c in said["changes"]}
    assert changes[1, "PatientAge"] == ("age", "absent", 3)
    assert changes[1, "StudyDate"] == ("date", "empty", 3)
    assert changes[1, "SeriesDescription"] == ("text", "absent", 3)
    assert (2, "PatientAge") not in changes
    weights = lethe("rehearse", "strict", "pet-suv", tmp_path / "in")
    assert "PatientWeight" in weights.stdout
    for value in ("071", "SMITH", "81.5", "2021", "A1B2", "PAT001", "ANGIO"):
        assert value not in result.stdout + result.stderr + weights.stdout + weights.stderr
    assert {path: path.read_bytes() for path in (tmp_path / "in").iterdir()} == before


def test_equal_scripts_change_nothing(lethe: Callable[..., Any], tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.dcm", ct())
    (tmp_path / "in" / "junk").write_text("no DICOM")
    said = json.loads(lethe("rehearse", "strict", "strict", tmp_path / "in", "--output", "json").stdout)
    assert said["changes"] == []


@pytest.mark.requirement("E-61")
def test_the_readme_shows_what_the_profiles_do() -> None:
    table = describe([load_profile(bundled_profile(name)) for name in ("stroke", "strict", "pet-suv", "net")])
    assert table in README.read_text(encoding="utf-8"), (
        "run: lethe profile describe stroke strict pet-suv net"
    )


def _pet(**attributes: Any) -> Dataset:
    dose = Dataset()
    dose.RadionuclideTotalDose, dose.RadionuclideHalfLife = "370000000", "6586.2"
    dose.RadiopharmaceuticalStartTime, dose.Radiopharmaceutical = "101112", "SMITH"
    dataset = ct(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.128",
        Modality="PT",
        RadiopharmaceuticalInformationSequence=[dose],
        PatientWeight="81.5",
        Units="BQML",
        DecayCorrection="START",
        SeriesTime="112233",
        SeriesDate="20210314",
        **attributes,
    )
    block = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
    block.add_new(0x00, "DS", "0.000417")
    block.add_new(0x09, "DS", "1.618")
    block.add_new(0x10, "LO", "SMITH")
    return dataset


@pytest.mark.requirement("E-41", "E-42", "E-43")
def test_uptake_values_can_be_computed_after_pet_suv_and_not_after_strict() -> None:
    cleaned = clean(load_script(bundled_script("pet-suv")), to_bytes(_pet()))
    assert isinstance(cleaned, bytes)
    out = pydicom.dcmread(BytesIO(cleaned))
    dose = out.RadiopharmaceuticalInformationSequence[0]
    assert (out.PatientWeight, dose.RadionuclideTotalDose, dose.RadiopharmaceuticalStartTime) == (
        81.5,
        370000000,
        "101112",
    )
    assert (out.SeriesTime, out.Units, "SeriesDate" in out) == ("112233", "BQML", False)
    block = out.private_block(0x7053, "Philips PET Private Group")
    assert (float(block[0x00].value), float(block[0x09].value)) == (0.000417, 1.618)
    assert 0x10 not in block
    assert b"SMITH" not in cleaned
    assert clean(load_script(bundled_script("net-pet-suv")), cleaned, None) == cleaned
    strict = clean(load_script(bundled_script("strict")), to_bytes(_pet()))
    assert isinstance(strict, bytes)
    assert b"81.5" not in strict
    assert b"Philips PET" not in strict


@pytest.mark.requirement("M-21", "A-58", "A-59")
@pytest.mark.parametrize("name", ["stroke", "strict", "pet-suv"])
def test_text_of_unknown_representation_survives_no_rule_even_in_ctp(name: str) -> None:
    script = load_script(bundled_script(name))
    for tag, rule in script.standard.items():
        if tag in (0x00080016, 0x00100020) or tag >> 16 == 0x7053 or rule.expression.only == "keep":
            continue
        planted = Plant(Row("private", "X", {}), tag, (), "UN", Kind.UNDECLARED, b"SMITH^JOHN^Q", b"")
        out = clean(script, build([planted]), as_ctp=True)
        assert not isinstance(out, bytes) or b"SMITH" not in out, rule.expression.source
        assert not isinstance(out, bytes) or SALT.encode() not in out
