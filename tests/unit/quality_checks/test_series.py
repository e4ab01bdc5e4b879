"""Whole series checked, intact and damaged."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from typer.testing import CliRunner

from kit import phantom
from kit.enhanced import write_enhanced
from kit.people import Person, people
from kit.series import tilted, write_series
from lethe.cli.image import app
from lethe.quality.completeness import completeness
from lethe.quality.notes import Grade, Note, worst
from lethe.quality.series import check_series
from lethe.quality.sheet import chosen_slices, thumbnail_sheet, upright

SPACING = (4.0, 4.0, 6.0)


@pytest.fixture(scope="module")
def person() -> Person:
    return people(1, seed=5)[0]


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory, person: Person) -> Path:
    folder = tmp_path_factory.mktemp("head")
    write_series(phantom.head("ct", spacing=SPACING), None, folder, person=person)
    return folder


@pytest.mark.requirement("L-05", "L-06")
def test_an_intact_head_ct_is_usable_and_described(head: Path, person: Person) -> None:
    report = check_series(head)
    assert report.grade is Grade.USABLE, report.notes
    assert report.header.share == 1.0
    assert report.geometry.plane == "axial"
    assert report.geometry.slices == 40
    assert report.geometry.spacing_mm == pytest.approx(6.0)
    assert report.geometry.field_of_view_mm == pytest.approx((228.0, 256.0))
    assert report.figures is not None
    assert -50 < report.figures.signal < 100
    text = json.dumps(report.as_dict())
    assert not any(planted in text for planted in person.planted())


@pytest.mark.requirement("L-06")
def test_the_sheet_is_a_picture_with_the_slices_and_the_same_bytes_twice(head: Path) -> None:
    one, two = check_series(head).sheet, check_series(head).sheet
    assert one == two
    assert one is not None
    picture = np.asarray(Image.open(io.BytesIO(one)))
    assert picture.shape == (576, 768)
    parts = [part for row in np.split(picture, 3) for part in np.split(row, 4, axis=1)]
    assert sum(part.max() > 100 for part in parts) >= 10  # the topmost ones lie above the head


@pytest.mark.requirement("L-05", "E-73")
def test_a_missing_slice_makes_a_series_unusable(head: Path, tmp_path: Path) -> None:
    for path in sorted(head.iterdir())[:20] + sorted(head.iterdir())[21:]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    report = check_series(tmp_path)
    assert report.grade is Grade.UNUSABLE
    assert "missing-slices" in [note.code for note in report.notes]
    assert report.figures is not None


@pytest.mark.requirement("L-05", "L-13")
def test_tilt_orientation_and_enhanced_objects_are_understood(tmp_path: Path, person: Person) -> None:
    volume = phantom.head("mr", spacing=SPACING)
    write_series(volume.data, tilted(volume.affine, 12.0), tmp_path / "tilted", modality="MR", person=person)
    turned = np.transpose(volume.data, (1, 2, 0))
    write_series(turned, volume.affine[:, [1, 2, 0, 3]], tmp_path / "sagittal", modality="MR", person=person)
    write_enhanced(volume, tmp_path / "enhanced", modality="MR", person=person)
    assert check_series(tmp_path / "tilted").geometry.tilt_degrees == pytest.approx(12.0, abs=0.01)
    assert check_series(tmp_path / "sagittal").geometry.plane == "sagittal"
    enhanced = check_series(tmp_path / "enhanced")
    assert enhanced.geometry.slices == 40
    assert "ImagePositionPatient" not in enhanced.header.missing
    assert "EchoTime" not in enhanced.header.missing


@pytest.mark.requirement("L-05")
def test_what_is_missing_in_some_objects_is_counted_and_what_varies_is_named(
    tmp_path: Path, person: Person
) -> None:
    def change(dataset: Dataset, index: int) -> None:
        if index < 4:
            del dataset.KVP
            dataset.FrameOfReferenceUID = ""
        dataset.ConvolutionKernel = "J40s" if index else "J70h"

    write_series(phantom.head("ct", spacing=SPACING), None, tmp_path, person=person, change=change)
    report = check_series(tmp_path)
    assert report.header.missing == {"FrameOfReferenceUID": 4, "KVP": 4}
    assert report.header.varying == ("ConvolutionKernel",)
    assert report.grade is Grade.QUESTIONABLE


def test_a_header_of_nothing_is_complete_in_nothing() -> None:
    assert completeness([Dataset()]).share == 0.0
    assert completeness([]).objects == 0


def test_the_worst_note_grades_the_series() -> None:
    notes = [Note("a", "A."), Note("b", "B.", Grade.UNUSABLE), Note("c", "C.", Grade.QUESTIONABLE)]
    assert worst(notes) is Grade.UNUSABLE
    assert worst([]) is Grade.USABLE


@pytest.mark.parametrize("count", [1, 2, 5, 12, 13, 400])
def test_shown_slices_are_distinct_and_in_range(count: int) -> None:
    chosen = chosen_slices(count)
    assert len(set(chosen)) == len(chosen) == min(count, 12)
    assert 0 <= min(chosen) <= max(chosen) < count
    assert thumbnail_sheet([np.zeros((4, 9))], (1.0, 2.0), None)[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [
        ((1, 0, 0, 0, 1, 0), (0, 0)),  # axial as usual
        ((1, 0, 0, 0, -1, 0), (1, 0)),  # axial, rows towards the front
        ((-1, 0, 0, 0, 1, 0), (0, 1)),  # axial, columns towards the right
        ((0, 1, 0, 1, 0, 0), (0, 0)),  # axial, transposed
        ((1, 0, 0, 0, 0, -1), (0, 0)),  # coronal as usual
        ((1, 0, 0, 0, 0, 1), (1, 0)),  # coronal from the feet up
        ((0, 1, 0, 0, 0, -1), (0, 0)),  # sagittal as usual
        ((0, -1, 0, 0, 0, 1), (1, 1)),  # sagittal, both backwards
    ],
)
def test_thumbnails_stand_upright_whatever_way_the_rows_run(
    orientation: tuple[float, ...], corner: tuple[int, int]
) -> None:
    plane = np.zeros((2, 2))
    plane[0, 0] = 1.0  # the first pixel, which lies at the place that the orientation says
    turned, pixel = upright(plane, orientation, (1.0, 3.0))
    assert turned[corner] == 1.0
    assert pixel == ((3.0, 1.0) if orientation[0] == 0 and orientation[3] == 1 else (1.0, 3.0))


def test_the_command_line_grades_a_series_and_writes_the_sheet(head: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["check", str(head), "--sheet", str(tmp_path / "s.png"), "--output", "json"]
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["grade"] == "usable"
    assert (tmp_path / "s.png").read_bytes()[:4] == b"\x89PNG"
