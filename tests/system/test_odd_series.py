"""Odd series: every value arrives in its place, or the reason has a name; and the same on the way back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from kit import odd
from kit.encodings import COPIED, LOSSY, dcmtk, rewritten
from kit.odd import GRADIENTS, Writer
from kit.scans import SCANS
from lethe.errors import Refused
from lethe.image.convert import convert_series
from lethe.image.rebuild import rebuild_series
from unit.image_rebuild.conftest import clean, deface

pytestmark = pytest.mark.system
ARRIVE: dict[str, Writer] = {**odd.ARRIVE, **SCANS, **COPIED}


def volumes_of(images: list[Path]) -> list[NDArray[np.float64]]:
    """Return all volumes, in the order of the phantom (RAS)."""
    found = []
    for path in images:
        image: Any = nib.as_closest_canonical(nib.load(path))
        values = np.asarray(image.get_fdata())
        found += [values] if values.ndim == 3 else list(np.moveaxis(values, 3, 0))
    return found


def new(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.requirement("L-13", "M-20", "M-22")
@pytest.mark.parametrize("name", sorted(ARRIVE))
def test_every_value_of_an_odd_series_arrives(tmp_path: Path, name: str) -> None:
    wanted = ARRIVE[name](tmp_path / "in")
    conversion = convert_series(tmp_path / "in", new(tmp_path / "out"))
    found = volumes_of(conversion.images)
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=2e-7 * float(np.abs(other).max()))


@pytest.mark.requirement("L-13", "M-20")
@pytest.mark.parametrize("name", sorted(LOSSY))
def test_what_was_compressed_with_loss_arrives_as_every_decoder_reads_it(tmp_path: Path, name: str) -> None:
    (wanted,) = LOSSY[name](tmp_path / "in")
    conversion = convert_series(tmp_path / "in", new(tmp_path / "out"))
    (found,) = volumes_of(conversion.images)
    assert float(np.abs(found - wanted).max()) <= 2.0
    assert conversion.conservation is not None
    assert "lossy" in [finding.code for finding in conversion.conservation.findings]


@pytest.mark.requirement("M-20")
@pytest.mark.parametrize("name", sorted(set(COPIED) - {"no numbers, two times"}))
def test_that_the_converter_was_given_copies_is_said(tmp_path: Path, name: str) -> None:
    COPIED[name](tmp_path / "in")
    report = convert_series(tmp_path / "in", new(tmp_path / "out")).conservation
    assert report is not None
    assert "converted-from-copies" in [finding.code for finding in report.findings]


@pytest.mark.requirement("M-22", "M-24")
def test_each_time_of_a_ct_is_an_image_of_its_own_so_that_a_head_that_moved_is_seen(tmp_path: Path) -> None:
    ARRIVE["CT taken twice"](tmp_path / "in")
    images = convert_series(tmp_path / "in", new(tmp_path / "out")).images
    assert [path.name for path in images] == ["image-1.nii.gz", "image-2.nii.gz"]


@pytest.mark.requirement("M-20")
@pytest.mark.parametrize(
    ("name", "remark"),
    [("times, slice by slice", ["reordered"]), ("a concatenation", ["reordered"]), ("padding", [])],
)
def test_what_had_to_be_put_in_order_is_said(tmp_path: Path, name: str, remark: list[str]) -> None:
    ARRIVE[name](tmp_path / "in")
    report = convert_series(tmp_path / "in", new(tmp_path / "out")).conservation
    assert report is not None
    assert [finding.code for finding in report.findings] == remark


def _standard(dataset: Dataset, b: float, way: tuple[float, ...]) -> None:
    dataset.DiffusionBValue, dataset.DiffusionGradientOrientation = b, list(way)


def _philips(dataset: Dataset, b: float, way: tuple[float, ...]) -> None:
    _standard(dataset, b, way)
    dataset.Manufacturer = "Philips"
    odd.private(dataset, 0x2001, "Philips Imaging DD 001", 3, "FL", b)


def _siemens(dataset: Dataset, b: float, way: tuple[float, ...]) -> None:
    odd.private(dataset, 0x0019, "SIEMENS MR HEADER", 0x0C, "IS", str(int(b)))
    if b:
        odd.private(dataset, 0x0019, "SIEMENS MR HEADER", 0x0E, "FD", list(way))


def _uih(dataset: Dataset, b: float, way: tuple[float, ...]) -> None:
    _standard(dataset, b, way)
    dataset.Manufacturer = "UIH"


@pytest.mark.requirement("L-13", "M-28")
@pytest.mark.parametrize("mark", [_standard, _philips, _siemens, _uih])
def test_diffusion_weightings_and_directions_arrive(tmp_path: Path, mark: Any) -> None:
    wanted = odd.diffusion(mark)(tmp_path / "in")
    conversion = convert_series(tmp_path / "in", new(tmp_path / "out"))
    assert len(volumes_of(conversion.images)) == len(wanted)
    weights, ways = (np.loadtxt(path, ndmin=2) for path in sorted(conversion.gradients))
    assert weights.tolist() == [[0.0, *[1000.0] * (len(GRADIENTS) - 1)]]
    # Columns run to the patient's left, rows of the image from the feet of the picture upwards.
    expected = np.array(GRADIENTS) * [1, -1, 1]
    assert np.abs(np.abs((ways.T * expected).sum(1)) - np.linalg.norm(expected, axis=1)).max() < 1e-3


@pytest.mark.requirement("M-20")
def test_directions_that_the_headers_do_not_tell_in_full_are_left_out(tmp_path: Path) -> None:
    def mark(dataset: Dataset, b: float, way: tuple[float, ...]) -> None:
        _uih(dataset, b, way)
        if way == GRADIENTS[-1]:
            del dataset.DiffusionGradientOrientation

    odd.diffusion(mark)(tmp_path / "in")
    conversion = convert_series(tmp_path / "in", new(tmp_path / "out"))
    assert conversion.images
    assert not conversion.gradients
    assert conversion.conservation is not None
    assert [finding.code for finding in conversion.conservation.findings] == ["gradients-left-out"]


def _pack_twelve_bits(dataset: Dataset, n: int) -> None:
    stored = dataset.pixel_array.astype(np.uint16).ravel()
    first, second = np.pad(stored, (0, len(stored) % 2)).reshape(-1, 2).T
    packed = np.stack([first & 255, first >> 8 | (second & 15) << 4, second >> 4], 1).astype(np.uint8)
    dataset.PixelData = packed.tobytes() + b"\0" * (packed.size % 2)
    dataset.BitsAllocated = 12


def _upper_twelve_bits(dataset: Dataset, n: int) -> None:
    dataset.PixelData = (dataset.pixel_array << 4).astype("<u2").tobytes()
    dataset.BitsStored, dataset.HighBit = 12, 15


def _lookup(dataset: Dataset, n: int) -> None:
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [4, 0, 16], "US"
    table.add_new(0x00283006, "OW", np.arange(4, dtype="<u2").tobytes())
    dataset.ModalityLUTSequence = [table]
    for keyword in ("RescaleSlope", "RescaleIntercept", "RescaleType"):
        dataset.pop(keyword, None)


def _other_image(image_type: str) -> Writer:
    """Put one more image into a series, of another kind."""

    def write(folder: Path) -> list[NDArray[Any]]:
        wanted = odd.plain(folder, "CT")
        dataset = pydicom.dcmread(folder / "0001.dcm")
        dataset.ImageType, dataset.InstanceNumber = ["DERIVED", "SECONDARY", image_type], 99
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.9"
        dataset.save_as(folder / "other.dcm")
        return wanted

    return write


def _class(sop_class: str, modality: str) -> Writer:
    def edit(dataset: Dataset, n: int) -> None:
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
        dataset.Modality = modality

    return lambda folder: odd.plain(folder, "CT", edit)


def _more(edit: Callable[[Dataset, int], object], count: int = 1) -> Writer:
    """Add images that are edited copies of slices from the fifth on."""

    def write(folder: Path) -> list[NDArray[Any]]:
        wanted = odd.plain(folder, "CT")
        for n in range(count):
            dataset = pydicom.dcmread(folder / f"{n + 5:04d}.dcm")
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{n + 1}"
            dataset.InstanceNumber = 100 + n
            edit(dataset, n)
            dataset.save_as(folder / f"more{n}.dcm")
        return wanted

    return write


def _other_class(sop_class: str, modality: str) -> Writer:
    def edit(dataset: Dataset, n: int) -> None:
        dataset.SOPClassUID, dataset.Modality = sop_class, modality

    return _more(edit)


def _between(dataset: Dataset, n: int) -> None:
    x, y, z = (float(v) for v in dataset.ImagePositionPatient)
    dataset.ImagePositionPatient, dataset.SliceThickness = [x, y, z + 1 + n / 9], "1"


_thin_between, _overlapping = _more(_between, 3), _more(lambda d, n: setattr(d, "AcquisitionNumber", 2), 3)
_same_pixels = _more(lambda d, n: setattr(d, "InstanceNumber", 5))


def _same_uid(folder: Path) -> list[NDArray[Any]]:
    wanted = odd.plain(folder, "CT")
    dataset = pydicom.dcmread(folder / "0005.dcm")
    dataset.PixelData = dataset.PixelData[::-1]
    dataset.save_as(folder / "again.dcm")
    return wanted


def _announced(folder: Path) -> list[NDArray[Any]]:
    wanted = odd.plain(folder, "CT", lambda d, n: setattr(d, "ImagesInAcquisition", 14))
    (folder / "0014.dcm").unlink()
    return wanted


def _no_numbers(dataset: Dataset, n: int) -> None:
    values = dataset.pixel_array.astype("<f4")
    values[0, 0] = np.nan
    dataset.FloatPixelData, dataset.BitsAllocated = values.tobytes(), 32
    for gone in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        dataset.pop(gone)


def _renamed_syntax(path: Path) -> None:
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.201"  # HTJ2K
    dataset.save_as(path)


def _cut_jpeg(folder: Path) -> list[NDArray[Any]]:
    wanted = rewritten(dcmtk("dcmcjpeg", "+e1"))(folder)
    path = folder / "0005.dcm"
    path.write_bytes(path.read_bytes()[:-300])
    return wanted


def _less_at_the_end(folder: Path) -> list[NDArray[Any]]:
    wanted = odd.several(folder, odd.position_in_time)
    sorted(folder.iterdir())[-1].unlink()
    return wanted


def _plain(edit: Callable[[Dataset, int], object]) -> Writer:
    return lambda folder: odd.plain(folder, "CT", edit)


NOT_CONVERTED: dict[str, tuple[Writer, str]] = {
    "packed bits": (_plain(_pack_twelve_bits), "pixel-format"),
    "values in the upper bits": (_plain(_upper_twelve_bits), "pixel-format"),
    "a table of values": (_plain(_lookup), "modality-lut"),
    "one slice turned a little": (
        _plain(lambda d, n: n == 4 and setattr(d, "ImageOrientationPatient", [1, 0, 0, 0, 0.9998, 0.02])),
        "mixed-orientation",
    ),
    "one slice without position": (
        _plain(lambda d, n: n == 3 and d.pop("ImagePositionPatient")),
        "no-geometry",
    ),
    # A head must not pass for one slice seen many times, which stays DICOM with its face.
    "positions wiped": (_plain(lambda d, n: setattr(d, "ImagePositionPatient", [0, 0, 0])), "doubled-slices"),
    "one position for all": (
        _plain(lambda d, n: setattr(d, "ImagePositionPatient", [-120, -120, 30])),
        "doubled-slices",
    ),
    "orientation wiped": (
        _plain(lambda d, n: setattr(d, "ImageOrientationPatient", [0] * 6)),
        "bad-orientation",
    ),
    "negative pixel size": (_plain(lambda d, n: setattr(d, "PixelSpacing", [-1, 1])), "no-geometry"),
    "one number twice": (
        _plain(lambda d, n: setattr(d, "InstanceNumber", n + (n != 5))),
        "repeated-numbers",
    ),
    "JPEG of twelve bits with loss": (rewritten(dcmtk("dcmcjpeg", "+ee")), "pixel-compression"),
    "a compression that no reader here knows": (
        rewritten(_renamed_syntax, odd.ARRIVE["JPEG 2000"]),
        "pixel-compression",
    ),
    "floats that are no numbers": (_plain(_no_numbers), "not-finite"),
    "a report among the slices": (_other_class("1.2.840.10008.5.1.4.1.1.88.67", "SR"), "mixed-objects"),
    "a capture among the slices": (_other_class("1.2.840.10008.5.1.4.1.1.7", "CT"), "mixed-objects"),
    "thick and thin slices": (_thin_between, "uneven-spacing"),
    "two blocks that overlap": (_overlapping, "doubled-slices"),
    "two volumes that differ in nothing": (
        lambda f: odd.several(f, lambda d, t: None, "CT"),
        "doubled-slices",
    ),
    "two objects of one name": (_same_uid, "doubled-instance"),
    "one image under two names": (_same_pixels, "doubled-slices"),
    "one slice less than announced": (_announced, "missing-slices"),
    "positron emission": (_class("1.2.840.10008.5.1.4.1.1.128", "PT"), "emission"),
    "nuclear medicine": (_class("1.2.840.10008.5.1.4.1.1.20", "NM"), "emission"),
    "a cone beam volume": (_class("1.2.840.10008.5.1.4.1.1.13.1.1", "XA"), "angiography-volume"),
    "breast tomosynthesis": (_class("1.2.840.10008.5.1.4.1.1.13.1.3", "MG"), "no-head-modality"),
    "a map": (_class("1.2.840.10008.5.1.4.1.1.30", "MR"), "unknown"),
    "a decimal comma": (
        _plain(lambda d, n: d.add_new(0x00281053, "LO", "1,5")),
        "corrupt-instance",
    ),
    "names of objects wiped": (_plain(lambda d, n: setattr(d, "SOPInstanceUID", "")), "no-uid"),
    "two patients": (_plain(lambda d, n: setattr(d, "PatientID", f"P{n % 2}")), "several-patients"),
    "two studies": (_plain(lambda d, n: setattr(d, "StudyInstanceUID", f"1.2.{n % 2}")), "several-patients"),
    "two frames of reference": (
        _plain(lambda d, n: setattr(d, "FrameOfReferenceUID", f"1.2.{n // 7}")),
        "mixed-frames",
    ),
    "two scans whose slices alternate": (
        _plain(lambda d, n: setattr(d, "AcquisitionNumber", n % 2)),
        "merged-scans",
    ),
    "compressed pixels cut short": (_cut_jpeg, "corrupt-pixels"),
    "a localizer among the slices": (_other_image("LOCALIZER"), "localizer"),
    "a projection among the slices": (_other_image("MIP"), "projection"),
    "a time point cut short": (_less_at_the_end, "missing-slices"),
    "a text among the files": (odd.with_file("readme.txt", b"hello"), "corrupt-instance"),
    "an empty file": (odd.with_file("0099.dcm", b""), "corrupt-instance"),
}


@pytest.mark.requirement("L-13", "E-73")
@pytest.mark.parametrize("name", sorted(NOT_CONVERTED))
def test_what_is_not_converted_has_a_named_reason(tmp_path: Path, name: str) -> None:
    write, reason = NOT_CONVERTED[name]
    write(tmp_path / "in")
    out = new(tmp_path / "out")
    try:
        found = convert_series(tmp_path / "in", out).lane.rule
    except Refused as refusal:
        found = refusal.code if refusal.remedy else "no remedy"
    assert found == reason
    assert not list(out.iterdir())


# Values that a slice with a scaling of its own cannot hold come back as the nearest that it can.
OWN_SCALING = {
    name for name in ARRIVE if any(word in name for word in ("every", "intercepts", "nothing", "interleaved"))
}
FLOATS = {"doubles"}  # objects of integers alone are rebuilt


@pytest.mark.requirement("M-27", "L-13")
@pytest.mark.parametrize("name", sorted(set(ARRIVE) - FLOATS))
def test_an_odd_series_comes_back_as_dicom(tmp_path: Path, name: str) -> None:
    source, out = tmp_path / "in", new(tmp_path / "out")
    ARRIVE[name](source)
    for path in [p for p in source.rglob("*") if p.is_file() and p.name not in ("DICOMDIR", "._0001.dcm")]:
        dataset = pydicom.dcmread(path)
        clean(dataset)
        dataset.save_as(path)
    converted = convert_series(source, new(tmp_path / "nifti")).images
    images, masks = deface(converted, tmp_path / "defaced")
    rebuilt = rebuild_series(source, images, out, method="stand-in 1", masks=masks)
    assert rebuilt.voxels_changed > 0
    again = convert_series(out, new(tmp_path / "again")).images
    for before, after, mask in zip(images, again, masks, strict=True):
        one, two = (nib.load(path) for path in (before, after))
        assert np.abs(one.affine - two.affine).max() < 1e-4
        touched = np.asarray(nib.load(mask).dataobj) != 0
        apart = np.abs(one.get_fdata() - two.get_fdata())
        room = 1e-6 * float(np.abs(one.get_fdata()).max())
        assert apart[~touched].max() <= room
        assert name in OWN_SCALING or apart.max() <= room
