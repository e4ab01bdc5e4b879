"""What conversion writes: every voxel in its place, nothing of a person, the same bytes again."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless
from scipy.spatial.transform import Rotation

from kit import kinds, vendor
from kit.people import Person
from kit.phantom import Volume
from kit.series import tilted, write_series
from lethe.errors import Misconfigured, Refused
from lethe.files import sha256_of
from lethe.image.convert import convert_series

from .conftest import Copy


def same_place_same_value(path: Path, data: NDArray[np.int16], affine: NDArray[np.float64]) -> bool:
    """Compare an image with a volume voxel by voxel in scanner coordinates."""
    image = nib.load(path)
    index = np.indices(data.shape[:3]).reshape(3, -1)
    way = np.linalg.inv(image.affine) @ affine
    there = way[:3, :3] @ index + way[:3, 3:]
    assert np.abs(there - np.rint(there)).max() < 0.01
    found = np.asarray(image.dataobj)[tuple(np.rint(there).astype(int))]
    return bool(np.array_equal(found, data.reshape(-1)))


def turned(volume: Volume, angles: tuple[float, float, float]) -> NDArray[np.float64]:
    move = np.eye(4)
    move[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    return np.asarray(move @ volume.affine)


@pytest.mark.requirement("M-20", "M-25")
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (0, 2, 1)], ids=["axial", "sagittal", "coronal"])
@pytest.mark.parametrize("angles", [(0.0, 0.0, 0.0), (22.0, 8.0, -15.0)], ids=["straight", "oblique"])
def test_every_voxel_keeps_its_place_and_value(
    tmp_path: Path,
    out: Path,
    mr: Volume,
    person: Person,
    order: tuple[int, int, int],
    angles: tuple[float, float, float],
) -> None:
    data, affine = mr.data.transpose(order), turned(mr, angles)[:, [*order, 3]]
    write_series(data, affine, tmp_path / "in", modality="MR", person=person)
    conversion = convert_series(tmp_path / "in", out)
    assert [path.name for path in conversion.images] == ["image.nii.gz"]
    assert same_place_same_value(conversion.images[0], data, affine)


@pytest.mark.requirement("M-20")
@pytest.mark.parametrize("degrees", [-21.0, 6.0, 18.0])
def test_a_tilted_gantry_keeps_its_slices_and_gets_a_sheared_affine(
    tmp_path: Path, out: Path, ct: Volume, person: Person, degrees: float
) -> None:
    affine = tilted(ct.affine, degrees)
    write_series(ct.data, affine, tmp_path / "in", person=person)
    conversion = convert_series(tmp_path / "in", out)
    assert conversion.conservation is not None
    assert conversion.conservation.tilt_degrees == pytest.approx(abs(degrees), abs=1e-3)
    assert same_place_same_value(conversion.images[0], ct.data, affine)
    assert nib.load(conversion.images[0]).header["qform_code"] == 0


@pytest.mark.requirement("M-20")
def test_slices_sent_from_top_to_bottom_are_converted_alike(
    tmp_path: Path, out: Path, ct: Volume, person: Person
) -> None:
    turn = np.diag([1.0, 1.0, -1.0, 1.0])
    turn[2, 3] = ct.data.shape[2] - 1
    write_series(ct.data[:, :, ::-1], ct.affine @ turn, tmp_path / "in", person=person)
    assert same_place_same_value(convert_series(tmp_path / "in", out).images[0], ct.data, ct.affine)


@pytest.mark.requirement("M-20")
def test_echoes_become_images_of_their_own(tmp_path: Path, out: Path, mr: Volume, person: Person) -> None:
    kinds.write_multi_echo(mr, tmp_path / "in", person=person, echoes=(5.0, 12.0, 19.0))
    conversion = convert_series(tmp_path / "in", out)
    assert [path.name for path in conversion.images] == [f"image-{n}.nii.gz" for n in (1, 2, 3)]
    echoes = [json.loads(path.read_text())["EchoTime"] for path in conversion.sidecars]
    assert echoes == [0.005, 0.012, 0.019]
    assert conversion.conservation is not None
    assert conversion.conservation.time_points == 3


@pytest.mark.requirement("M-20", "M-22")
def test_time_points_of_mr_perfusion_stay_in_order(
    tmp_path: Path, out: Path, mr: Volume, person: Person
) -> None:
    kinds.write_dynamic_mr(mr, tmp_path / "in", person=person, times=4)
    image = nib.load(convert_series(tmp_path / "in", out).images[0])
    brightness = np.asarray(image.dataobj).reshape(-1, 4).mean(0)
    assert image.shape[3] == 4
    assert np.all(np.diff(brightness) > 0)


@pytest.mark.requirement("T-8", "M-21")
@pytest.mark.parametrize("name", ["ct", "mr", "tilted"])
def test_no_identifier_date_or_comment_reaches_what_is_written(
    written: dict[str, Path], out: Path, person: Person, name: str
) -> None:
    files = convert_series(written[name], out).files
    for path in files:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        for word in (*person.planted(), f"{person.event:%Y%m%d}", "Time=", "CTNEURO07", "SN0047110815"):
            assert word.encode() not in content
            assert word not in path.name


@pytest.mark.requirement("M-20")
def test_the_same_series_gives_the_same_bytes_whatever_its_files_are_called(
    series: Copy, tmp_path: Path
) -> None:
    sums = []
    for name in ("first", "second"):
        files = series("ct")
        folder = files[0].parent.rename(tmp_path / name)
        if name == "second":
            for n, path in enumerate(sorted(folder.iterdir())):
                path.rename(folder / f"{997 * (n + 1) % 1009:05d}")
        target = tmp_path / f"out-{name}"
        target.mkdir()
        sums.append([sha256_of(path) for path in convert_series(folder, target).files])
    assert sums[0] == sums[1]


@pytest.mark.requirement("M-20")
def test_the_catalogue_of_the_archive_is_no_part_of_the_series(series: Copy, out: Path) -> None:
    files = series("mr")
    (files[0].parent / "scan_catalog.xml").write_text("<catalog/>")
    assert convert_series(files[0].parent, out).images


@pytest.mark.parametrize(
    ("syntax", "plugin"), [(RLELossless, "pydicom"), (JPEGLSLossless, None), (JPEG2000Lossless, None)]
)
@pytest.mark.requirement("L-13")
def test_compressed_pixels_are_read_by_both_readers(
    tmp_path: Path, out: Path, syntax: str, plugin: str | None, person: Person, mr: Volume
) -> None:
    if plugin is None:
        # Two real compressed slices of one vendor sample, the second moved up by a slice.
        name = {JPEGLSLossless: "mr-jpeg-ls", JPEG2000Lossless: "mr-jpeg-2000"}[syntax]
        first = vendor.write_sample(name, tmp_path / "in", person=person)[0]
        shutil.copy(first, tmp_path / "in" / "0002.dcm")
        dataset = pydicom.dcmread(tmp_path / "in" / "0002.dcm")
        place = [float(v) for v in dataset.ImagePositionPatient]
        normal = np.cross(*np.array(dataset.ImageOrientationPatient, float).reshape(2, 3))
        dataset.ImagePositionPatient = [f"{v:.6f}" for v in place + 5 * normal]
        dataset.InstanceNumber = 2
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
        dataset.save_as(tmp_path / "in" / "0002.dcm")
        dataset = pydicom.dcmread(first)
        dataset.InstanceNumber = 1
        dataset.save_as(first)
    else:
        for path in write_series(mr, None, tmp_path / "in", modality="MR", person=person):
            dataset = pydicom.dcmread(path)
            dataset.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False)
            dataset.save_as(path)
    conversion = convert_series(tmp_path / "in", out)
    assert conversion.conservation is not None


@pytest.mark.requirement("L-13")
def test_odd_scaling_and_sixteen_unsigned_bits_are_conserved(
    tmp_path: Path, out: Path, mr: Volume, person: Person
) -> None:
    wide = np.asarray(mr.data.astype(np.int64) * 80)
    files = write_series(wide, mr.affine, tmp_path / "in", modality="MR", person=person)
    assert wide.max() > 40000
    for n, path in enumerate(files):
        dataset = pydicom.dcmread(path)
        dataset.RescaleSlope, dataset.RescaleIntercept = f"{0.31 + 0.007 * n:.4f}", "-12.5"
        dataset.save_as(path)
    image = nib.load(convert_series(tmp_path / "in", out).images[0])
    slopes = 0.31 + 0.007 * np.arange(wide.shape[2])
    wanted = np.clip(wide, 0, 65535) * slopes.round(4) - 12.5
    np.testing.assert_allclose(image.get_fdata()[::-1], wanted, rtol=1e-6, atol=1e-2)


@pytest.mark.requirement("E-73")
def test_bad_input_is_named(tmp_path: Path, out: Path, ct: Volume, person: Person) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    text = tmp_path / "text"
    text.mkdir()
    (text / "notes.txt").write_text("no image here")
    write_series(ct.data[:, :, :1], ct.affine, tmp_path / "one", person=person)
    for folder, code in ((empty, "no-dicom"), (text, "no-dicom"), (tmp_path / "one", "one-slice")):
        with pytest.raises(Refused) as refusal:
            convert_series(folder, out)
        assert refusal.value.code == code
        assert refusal.value.remedy
    with pytest.raises(Misconfigured, match="does not exist"):
        convert_series(tmp_path / "nowhere", out)
    assert not list(out.iterdir())
