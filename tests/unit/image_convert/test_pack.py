"""What is written ahead is used only where it is the image."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest

from lethe.image.frames import dicom_files
from lethe.image.nifti import HEAD_BYTES
from lethe.image.pack import Packer
from lethe.image.pixels import Planes
from lethe.image.series import read_series
from lethe.image.stack import analyse


@pytest.mark.requirement("M-20")
def test_a_file_holds_its_own_head_and_planes_whatever_was_written_ahead(
    written: dict[str, Path], tmp_path: Path
) -> None:
    instances = read_series(dicom_files(written["mr"]))
    stack, planes = analyse(instances), Planes(instances)
    whole = np.stack([planes.turned(group[0]).T.copy() for group in stack.groups], -1)[..., None]
    changed = whole.copy()
    changed[3, 4, 5] += 1
    path = tmp_path / "image"
    with Packer(stack, planes, tmp_path) as packer:
        packer.use_both_cores()
        for number, voxels in enumerate(
            [whole, whole, whole[:, :, ::-1], whole, changed, whole[:, :, :3], whole.astype("<f4"), whole]
        ):
            head = bytes([number]) * HEAD_BYTES
            crc = packer.write(path, head, np.asfortranarray(voxels))
            content = gzip.decompress(path.read_bytes())
            assert content == head + voxels.tobytes(order="F")
            assert crc == zlib.crc32(content)
    assert not list(tmp_path.glob("*.part"))
