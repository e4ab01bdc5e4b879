"""The four commands over the real rooms and small invented data."""

from __future__ import annotations

import json
from pathlib import Path

import pydicom
import pytest

from kit import kinds, phantom, series
from kit.people import Person, people
from kit.tables import clinical_table
from lethe.clinical import Dictionary, link_table, read_table, write_table
from lethe.command.clean_header import COMMAND as CLEAN_HEADER
from lethe.command.dicom_to_nifti import COMMAND as DICOM_TO_NIFTI
from lethe.command.model import Command
from lethe.command.scramble_clinical import COMMAND as SCRAMBLE_CLINICAL
from lethe.header import Anonymizer, apply_tree, bundled_script, load_lookup, load_script
from lethe.identity import Assignment

from .conftest import Bench

COARSE = (6.0, 6.0, 12.0)


@pytest.fixture(scope="module")
def person() -> Person:
    return people(1, seed=8)[0]


def _head(folder: Path, person: Person) -> None:
    volume = phantom.head("ct", spacing=COARSE)
    series.write_series(volume.data, volume.affine, folder, modality="CT", person=person)


def _perfusion(folder: Path, person: Person) -> None:
    kinds.write_perfusion(phantom.head("ct", spacing=COARSE), folder, person=person, times=5, slices=3)


def _from_the_hospital(raw: Path, target: Path, person: Person, lookup: Path) -> None:
    key = person.patient_id.replace(" ", "\\ ").replace(":", "\\:")
    lookup.write_text(f"prid/{key}=A1B2\nshift/{key}=-12\nsalt/{key}=5e\n", encoding="utf-8")
    apply_tree([Anonymizer(load_script(bundled_script("stroke")), load_lookup(lookup))], raw, target)
    for note in target.glob(".*"):
        note.unlink()


def _twice(bench: Bench, command: Command, other: Path) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Run twice; return the bytes of both, the seconds of provenance left out."""
    again = Bench(bench.source, other)
    other.mkdir()
    assert (bench.run(command), again.run(command)) == (0, 0), bench.err.getvalue()
    return tuple({name: (run.output / name).read_bytes() for name in run.written()} for run in (bench, again))  # type: ignore[return-value]


@pytest.mark.requirement("M-20", "A-92")
def test_a_head_ct_is_converted_and_twice_gives_the_same_bytes(
    bench: Bench, person: Person, tmp_path: Path
) -> None:
    _head(bench.source, person)
    one, two = _twice(bench, DICOM_TO_NIFTI, tmp_path / "again")
    assert one == two
    assert json.loads(one["conversion/conservation.json"])["conserved"] is True
    assert json.loads(one["conversion/lane.json"])["lane"] == "deface"
    assert "nifti/image.nii.gz" in one


@pytest.mark.requirement("M-22")
def test_a_ct_perfusion_stays_dicom_and_says_why(bench: Bench, person: Person) -> None:
    _perfusion(bench.source, person)
    assert bench.run(DICOM_TO_NIFTI) == 0
    assert bench.written() == ["conversion/lane.json", "conversion/provenance.json"]
    assert json.loads((bench.output / "conversion/lane.json").read_text())["lane"] == "header-only"


@pytest.mark.requirement("M-21", "M-59")
def test_a_ct_perfusion_from_a_hospital_is_cleaned_again_without_its_identifiers(
    bench: Bench, person: Person, tmp_path: Path
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    _perfusion(raw, person)
    bench.source.rmdir()
    _from_the_hospital(raw, bench.source, person, tmp_path / "lookup.properties")
    one, two = _twice(bench, CLEAN_HEADER, tmp_path / "again")
    assert one == two
    cleaned = [name for name in one if name.endswith(".dcm")]
    assert len(cleaned) == 15
    assert set(one) == {*cleaned, "clean/provenance.json"}
    assert {pydicom.dcmread(bench.output / name).PatientID for name in cleaned} == {"A1B2"}
    for planted in person.planted():
        assert not any(planted.encode() in data for data in one.values())


@pytest.mark.requirement("M-24", "T-11")
def test_a_head_ct_does_not_leave_as_dicom(bench: Bench, person: Person, tmp_path: Path) -> None:
    _head(bench.source, person)
    assert bench.run(CLEAN_HEADER) == 4
    assert "de-faced NIfTI" in bench.err.getvalue()


@pytest.mark.requirement("M-45", "A-92")
def test_a_clinical_table_is_scrambled_and_twice_gives_the_same_bytes(bench: Bench, tmp_path: Path) -> None:
    cohort, dictionary = people(6, seed=8), Dictionary.load()
    table = read_table(
        clinical_table(cohort, tmp_path / "t.csv"), dictionary, patient_column=dictionary.patient_column
    )
    assigned = {one.patient_id: Assignment(f"{n:04X}", n) for n, one in enumerate(cohort, 1)}
    linked = link_table(table, dictionary, assigned, patient_column=dictionary.patient_column)
    write_table(linked, bench.source / "table.csv")
    (bench.source / "noise.key").write_text("c4" * 32)
    one, two = _twice(bench, SCRAMBLE_CLINICAL, tmp_path / "again")
    assert one == two
    assert {Path(name).name for name in one} == {
        *(
            "clinical.csv",
            "clinical.parquet",
            "dictionary.json",
            "report.json",
            "report.html",
            "provenance.json",
        )
    }
    record = one["clinical/provenance.json"].decode()
    assert "c4c4" not in record + bench.out.getvalue()
    assert all("sha256" not in entry for entry in json.loads(record)["inputs"])
