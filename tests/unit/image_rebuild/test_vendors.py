"""Objects as vendors and archives write them: byte orders, compressions, value types; foreign checkers."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

from lethe.image.rebuild import Rebuilt, rebuild_series

from .conftest import KINDS, Case

pytestmark = pytest.mark.slow

TOOLS = ("dcmdump", "dciodvfy")
needs_tools = pytest.mark.skipif(
    any(shutil.which(name) is None for name in TOOLS), reason="dcmtk and dicom3tools are not installed"
)


def _errors(folder: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for path in sorted(folder.glob("*.dcm")):
        done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        lines = (done.stdout + done.stderr).splitlines()
        found.update(line for line in lines if line.startswith("Error"))
        subprocess.run(["dcmdump", "-q", "+L", str(path)], capture_output=True, check=True)
    return found


@needs_tools
@pytest.mark.requirement("M-27")
@pytest.mark.parametrize("kind", KINDS)
def test_foreign_tools_find_no_error_that_the_source_did_not_have(
    rebuilt: Callable[[str], tuple[Case, Rebuilt]], kind: str
) -> None:
    made, _ = rebuilt(kind)
    assert _errors(made.out) - _errors(made.dicom) == Counter()


def _implicit(data: Any) -> None:
    data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    data.add_new(0x00280120, "US or SS", 0)  # padding value, whose VR the reader must work out


def _big_endian(data: Any) -> None:
    data.PixelData = data.pixel_array.astype(">u2").tobytes()
    data["PixelData"].VR = "OW"
    data.file_meta.TransferSyntaxUID = ExplicitVRBigEndian


def _run_length(data: Any) -> None:
    data.compress(RLELossless)


def _upper_bits(data: Any) -> None:
    """An overlay in the unused upper bits, as old scanners kept it."""
    stored = data.pixel_array.astype(np.uint16)
    stored[::2] |= 0x8000
    data.PixelData = stored.tobytes()


@pytest.mark.requirement("M-27", "L-13")
@pytest.mark.parametrize("change", [_implicit, _big_endian, _run_length, _upper_bits])
def test_other_encodings_of_the_source_are_rebuilt_plain(
    case: Callable[[str], Case], tmp_path: Path, change: Callable[[Any], None]
) -> None:
    made, copy = case("ct"), tmp_path / "encoded"
    copy.mkdir()
    for path in made.dicom.iterdir():
        data = pydicom.dcmread(path)
        change(data)
        if change is _implicit:
            data.save_as(copy / path.name, implicit_vr=True, little_endian=True)
        elif change is _big_endian:
            pydicom.dcmwrite(
                copy / path.name, data, implicit_vr=False, little_endian=False, force_encoding=True
            )
        else:
            data.save_as(copy / path.name)
    rebuilt = rebuild_series(copy, made.images, made.out, method="x", masks=made.masks)
    before = {data.InstanceNumber: data for data in made.objects()}
    changed = 0
    for new in made.objects(made.out):
        assert not new.file_meta.TransferSyntaxUID.is_compressed
        changed += int((new.pixel_array != before[new.InstanceNumber].pixel_array).sum())
    assert changed == rebuilt.voxels_changed > 0


@pytest.mark.requirement("L-13")
def test_signed_pixels_keep_their_sign(case: Callable[[str], Case], tmp_path: Path) -> None:
    made, copy = case("ct"), tmp_path / "signed"
    copy.mkdir()
    for path in made.dicom.iterdir():
        data = pydicom.dcmread(path)
        stored = data.pixel_array.astype(np.int16) - 1024
        data.PixelRepresentation, data.RescaleIntercept = 1, "0"
        data.BitsStored, data.HighBit = 16, 15
        data.PixelData = stored.tobytes()
        data.save_as(copy / path.name)
    image: Any = nib.load(made.images[0])
    plain = nib.Nifti1Image(np.asanyarray(image.dataobj).astype(np.int16), image.affine)
    nib.save(plain, tmp_path / "plain.nii.gz")
    rebuild_series(copy, [tmp_path / "plain.nii.gz"], made.out, method="x", masks=made.masks)
    values = np.array([data.pixel_array for data in made.objects(made.out)])
    assert values.dtype == np.int16
    assert values.min() < -900
