"""The whole way of the data, and what may be found in the end."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import shutil
import sqlite3
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from scipy import ndimage

from lethe.identity.leftovers import search
from system.conftest import PATIENTS, REFUSED, Walked, run_demo

pytestmark = pytest.mark.system

PRID = re.compile(r"[0-9A-F]{4}")


def rows(walked: Walked, **wanted: str) -> list[dict[str, str]]:
    """Rows of the closing table with those values."""
    return [row for row in walked.summary["rows"] if all(row[key] == value for key, value in wanted.items())]


def stored(walked: Walked, resource: str, ending: str, project: str) -> list[Path]:
    """Files of a resource kind in the archive's tree."""
    tree = walked.folder / "archive" / "archive" / project
    return sorted(path for path in tree.rglob(f"{resource}/*{ending}") if path.is_file())


def resource_of(path: Path) -> str:
    """Label of the resource that a stored file belongs to."""
    parts = path.parts
    start = "SCANS" if "SCANS" in parts else "resources"
    return parts[parts.index(start) + (2 if start == "SCANS" else 1)]


@pytest.mark.requirement("M-21", "M-45", "M-88", "T-8", "M-36")
def test_no_planted_identifier_is_left_anywhere(walked):
    planted = [text for person in walked.people for text in person.planted()]
    assert len(planted) > 10 * PATIENTS
    places = [path for path in walked.folder.iterdir() if path.name != "hospital"]
    assert search(places, planted) == []
    # the search itself is no blind eye: it finds them where they belong
    assert search([walked.folder / "hospital"], planted)


@pytest.mark.requirement("M-33", "M-35", "M-38")
def test_every_patient_has_one_prid_in_images_and_table(walked):
    table = stored(walked, "CLINICAL", "clinical.csv", "DEMO")[0].read_text().splitlines()
    prids = [line.split(",")[0] for line in table[1:]]
    assert len(set(prids)) == PATIENTS - REFUSED
    assert all(PRID.fullmatch(prid) for prid in prids)
    assert {row["patient"] for row in walked.summary["rows"]} <= set(prids)


@pytest.mark.requirement("M-12", "M-14")
def test_nothing_of_a_patient_who_refused_leaves_the_hospital(walked):
    counts, notes = walked.summary["counts"], " ".join(walked.summary["notes"])
    assert counts["clinical_rows_left_out"] == REFUSED
    assert counts["objects_of_refusals"] >= 1
    assert counts["patients"] == counts["clinical_rows"] == PATIENTS - REFUSED
    assert "use of routine data was refused" in notes
    assert "Not sent:" in notes
    refusing = walked.people[-1]
    sent = [path for path in walked.folder.rglob("*") if path.is_file() and "hospital" not in path.parts]
    assert sent
    assert (
        search([path for path in walked.folder.iterdir() if path.name != "hospital"], refusing.planted())
        == []
    )


@pytest.mark.requirement("M-33", "M-39")
def test_a_published_subject_carries_its_released_row(walked, get):
    table = stored(walked, "CLINICAL", "clinical.csv", "DEMO")[0].read_text().splitlines()
    rows_by_prid = {row["prid"]: row for row in csv.DictReader(table)}
    subjects = get("member", "/data/projects/DEMO/subjects?format=json").json()["ResultSet"]["Result"]
    assert subjects
    for subject in subjects:
        item = get("member", f"/data/projects/DEMO/subjects/{subject['label']}?format=json").json()["items"][
            0
        ]
        lists = [child for child in item["children"] if child["field"] == "fields/field"]
        told = {one["data_fields"]["name"]: one["data_fields"]["field"] for one in lists[0]["items"]}
        wanted = rows_by_prid[subject["label"]]
        assert told == {name: text for name, text in wanted.items() if text and name != "prid"}


@pytest.mark.requirement("M-22", "T-9")
def test_perfusion_and_dsa_stay_dicom_and_say_why(walked):
    kept = rows(walked, lane="header-only")
    assert len(kept) >= 2
    assert all(row["nifti"] == "no" for row in kept)
    lanes = [
        json.loads(path.read_text()) for path in stored(walked, "CONVERSION", "lane.json", "DEMO_INTAKE")
    ]
    reasons = [lane["reason"] for lane in lanes if lane["lane"] == "header-only"]
    assert len(reasons) == len(kept)
    assert all(reasons)


@pytest.mark.requirement("M-24", "T-11")
def test_the_collection_holds_nothing_with_a_face(walked):
    tree = walked.folder / "archive" / "archive" / "DEMO"
    kinds = {resource_of(path) for path in tree.rglob("*") if path.is_file()}
    assert "NIFTI_DEFACED" in kinds
    assert kinds <= {"NIFTI_DEFACED", "DICOM_CLEAN", "NIFTI", "CLINICAL"}
    published = {row["session"] for row in walked.summary["rows"] if "NIFTI" in row["published"].split(", ")}
    assert all(row["lane"] == "convert" for row in walked.summary["rows"] if row["session"] in published)
    assert not [path for path in tree.rglob("*") if "before" in path.name]


def brain_of(ct: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Brain of a head CT, found without the engine: the largest piece of soft tissue that withstands 6 mm."""
    smooth = ndimage.gaussian_filter(ct.astype(np.float32), 1.0)
    tissue = (smooth > 5) & (smooth < 70)
    steps = round(6 / min(spacing[:2]))
    labels, _ = ndimage.label(ndimage.binary_erosion(tissue, iterations=steps))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return ndimage.binary_dilation(labels == sizes.argmax(), iterations=steps - 1) & tissue


@pytest.mark.requirement("M-23", "M-25")
def test_no_brain_voxel_of_the_head_ct_was_changed(walked):
    # the real head CT (or the phantom that stands in for it) is the one with most slices
    row = max(
        rows(walked, verdict="pass", kind="CT"),
        key=lambda row: len(
            list(walked.folder.glob(f"archive/archive/DEMO_INTAKE/*/{row['session']}/**/*.dcm"))
        ),
    )
    where = f"{row['session']}/SCANS/{row['series']}"
    before = [path for path in stored(walked, "NIFTI", ".nii.gz", "DEMO_INTAKE") if where in str(path)]
    after = [path for path in stored(walked, "NIFTI_DEFACED", ".nii.gz", "DEMO") if where in str(path)]
    assert len(before) == len(after) == 1
    old, new = nib.load(before[0]), nib.load(after[0])
    assert np.array_equal(old.affine, new.affine)
    ct, defaced = np.asarray(old.dataobj), np.asarray(new.dataobj)
    brain = brain_of(ct, old.header.get_zooms())
    assert brain.sum() * np.prod(old.header.get_zooms()) > 900_000  # cubic millimetres: a brain, not a crumb
    assert np.count_nonzero(ct[brain] != defaced[brain]) == 0
    assert np.count_nonzero(ct != defaced) > 10_000  # and a face was removed


@pytest.mark.requirement("M-21", "M-28")
def test_archived_dicom_is_clean_and_still_useful(walked):
    files = stored(walked, "DICOM", ".dcm", "DEMO_INTAKE")
    assert len(files) == walked.summary["counts"]["sent"]
    ids = set()
    for path in files:
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        assert dataset.PatientIdentityRemoved == "YES"
        assert PRID.fullmatch(str(dataset.PatientID))
        assert str(dataset.PatientName) == dataset.PatientID
        assert not dataset.get("PatientBirthDate")
        assert dataset.Modality
        ids.add(str(dataset.PatientID))
    assert ids == {row["patient"] for row in walked.summary["rows"]}


@pytest.mark.requirement("T-5")
def test_the_old_are_labelled_not_aged(walked):
    table = stored(walked, "CLINICAL", "clinical.csv", "DEMO")[0].read_text()
    assert table.count(">90 years") >= 2


def test_nothing_of_the_link_is_left_at_the_site(walked):
    site = walked.folder / "site"
    left = {path.name for path in site.rglob("*") if path.is_file()}
    assert "destruction-record.json" in left
    assert not left & {"lookup.properties", "table.csv", "noise.key", "intake.key", "sent"}
    assert not list(site.rglob("*.dcm"))


def times_of(tree: Path) -> dict[str, int]:
    """When each stored file was last written."""
    return {
        str(path.relative_to(tree)): path.stat().st_mtime_ns for path in tree.rglob("*") if path.is_file()
    }


def test_a_second_run_repeats_no_work(walked, tmp_path):
    # in a copy, since the archive of the first may be running for other tests
    folder = shutil.copytree(walked.folder, tmp_path / "demo")
    before = times_of(folder / "archive" / "archive")
    again = run_demo(folder, "--output", "json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout[again.stdout.index("{") :]) == walked.summary
    assert times_of(folder / "archive" / "archive") == before
    database = sqlite3.connect(folder / "archive" / "archive.db")
    assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    database.close()


@pytest.mark.requirement("M-26", "A-92")
@pytest.mark.parametrize("project", ["DEMO_INTAKE", "DEMO"])
def test_outputs_carry_provenance_without_an_identifier(walked, project):
    found = stored(walked, "*", "provenance.json", project)
    assert found
    for path in found:
        record = json.loads(path.read_text())
        assert record["command"]
        assert record["library_version"]
        assert record["inputs"]
        assert record["outputs"]


def test_nifti_bytes_hold_no_time_of_making(walked):
    for path in stored(walked, "NIFTI*", ".nii.gz", "DEMO_INTAKE"):
        with path.open("rb") as stream:
            head = stream.read(10)
        assert head[4:8] == b"\0\0\0\0"
        assert not head[3] & 0x08  # no file name either
        with gzip.open(io.BytesIO(path.read_bytes())) as image:
            assert image.read(4)
