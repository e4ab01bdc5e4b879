"""Mosaics: every tile counted and compared, or a named refusal."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest

from kit import kinds
from kit.people import Person
from kit.phantom import Volume
from lethe.errors import Refused
from lethe.image.convert import convert_series
from lethe.image.mosaic import private_values
from lethe.image.rebuild import rebuild_series

from .test_convert import same_place_same_value, turned


@pytest.mark.requirement("M-20", "L-13")
@pytest.mark.parametrize("case", ["straight", "oblique", "downwards"])
def test_the_tiles_of_mosaics_become_the_slices_of_every_time_point(
    tmp_path: Path, out: Path, mr: Volume, person: Person, case: str
) -> None:
    data, affine = mr.data[..., :10], mr.affine
    if case == "oblique":
        affine = turned(mr, (20.0, 6.0, -9.0))
    if case == "downwards":
        turn = np.diag([1.0, 1.0, -1.0, 1.0])
        turn[2, 3] = data.shape[2] - 1
        data, affine = data[..., ::-1], affine @ turn
    kinds.write_mosaic(Volume(data, affine), tmp_path / "in", person=person, times=2)
    conversion = convert_series(tmp_path / "in", out)
    report = conversion.conservation
    assert report is not None
    assert (report.instances, report.frames, report.slices, report.time_points) == (2, 20, 10, 2)
    image = nib.load(conversion.images[0])
    for t in range(2):
        one = tmp_path / f"{t}.nii"
        nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[..., t], image.affine), one)
        assert same_place_same_value(one, np.rint(data * (1 + 0.05 * t)).astype(np.int16), affine)


def _edit(path: Path, change: Any) -> None:
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)


def _more_tiles(dataset: pydicom.Dataset) -> None:
    pixels = dataset.pixel_array.copy()
    pixels[-3:, -3:] = 7
    dataset.PixelData = pixels.tobytes()


def _fewer_tiles(dataset: pydicom.Dataset) -> None:
    block = dataset.private_block(0x0029, "SIEMENS CSA HEADER")
    block[0x10].value = block[0x10].value.replace(b"      12", b"      11")


FAULTS: dict[str, tuple[Any, set[str]]] = {
    "one lost": (lambda files: files[1].unlink(), {"missing-slices"}),
    "first lost": (lambda files: files[0].unlink(), {"first-slice-missing"}),
    "header without places": (
        lambda files: _edit(
            files[1], lambda d: d.private_block(0x0029, "SIEMENS CSA HEADER").__delitem__(0x10)
        ),
        {"mosaic"},
    ),
    "a tile too many": (lambda files: _edit(files[1], _more_tiles), {"mosaic-tiles"}),
    "a tile that nobody counted": (lambda files: _edit(files[0], _fewer_tiles), {"mosaic", "mosaic-tiles"}),
    "counted one less everywhere": (
        lambda files: [_edit(path, _fewer_tiles) for path in files],
        {"mosaic-tiles", "converter-failed"},
    ),
}


@pytest.mark.requirement("M-20", "L-13", "E-73")
@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_mosaic_that_lost_something_is_refused_by_name(
    tmp_path: Path, out: Path, mr: Volume, person: Person, name: str
) -> None:
    files = kinds.write_mosaic(Volume(mr.data[..., 2:14], mr.affine), tmp_path / "in", person=person, times=3)
    damage, codes = FAULTS[name]
    damage(files)
    with pytest.raises(Refused) as refusal:
        convert_series(tmp_path / "in", out)
    assert refusal.value.code in codes
    assert not list(out.iterdir())


@pytest.mark.requirement("M-27")
def test_a_mosaic_is_not_rebuilt(tmp_path: Path, out: Path, mr: Volume, person: Person) -> None:
    kinds.write_mosaic(Volume(mr.data[..., :10], mr.affine), tmp_path / "in", person=person)
    with pytest.raises(Refused, match="Mosaic"):
        rebuild_series(tmp_path / "in", [], out, method="none")


@pytest.mark.parametrize("raw", [b"", b"SV10", b"SV10" + b"\xff" * 200, b"other"])
def test_a_damaged_private_header_says_nothing(raw: bytes) -> None:
    with pytest.raises((ValueError, struct.error)):
        private_values(raw)
