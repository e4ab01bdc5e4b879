"""Series as many scanners and archives write them: every value arrives, or the reason has a name."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from kit.enhanced import write_enhanced
from kit.kinds import write_volumes
from kit.people import Person, people
from kit.phantom import Volume, head
from kit.series import SeriesPlan, write_series
from lethe.errors import Refused
from lethe.image.convert import convert_series

pytestmark = pytest.mark.system
Edit = Callable[[Dataset, int], None]
PERSON: Person = people(1, seed=12)[0]
CT, MR = (head(kind, spacing=(9.0, 9.0, 18.0), seed=4) for kind in ("ct", "mr"))


def physical(images: list[Path]) -> NDArray[np.float64]:
    """Return the values of one image in the order of the phantom (RAS, first volume first)."""
    assert len(images) == 1
    image = nib.as_closest_canonical(nib.load(images[0]))
    return np.asarray(image.get_fdata())


def _set(**values: Any) -> Edit:
    def edit(dataset: Dataset, n: int) -> None:
        for keyword, value in values.items():
            value = value(n) if callable(value) else value
            if value is None:
                dataset.pop(keyword, None)
            else:
                setattr(dataset, keyword, value)

    return edit


def _stored(kind: str, bits: int, signed: int, add: int = 0, junk: int = 0) -> Edit:
    """Store the pixels otherwise; what is added is taken back by the rescale."""

    def edit(dataset: Dataset, n: int) -> None:
        values = dataset.pixel_array.astype(np.int64) + add
        dataset.PixelData = (values | junk).astype(kind).tobytes()
        dataset.BitsAllocated, dataset.BitsStored = np.dtype(kind).itemsize * 8, bits
        dataset.HighBit, dataset.PixelRepresentation = bits - 1, signed
        dataset.RescaleIntercept = str(-1024 - add)

    return edit


def _private(group: int, creator: str, element: int, vr: str, value: Any) -> Edit:
    def edit(dataset: Dataset, n: int) -> None:
        dataset.private_block(group, creator, create=True).add_new(element, vr, value)

    return edit


def _encoded(syntax: str) -> Callable[[Path], None]:
    def rewrite(path: Path) -> None:
        dataset = pydicom.dcmread(path)
        if syntax == RLELossless:
            dataset.compress(RLELossless, generate_instance_uid=False)
        elif syntax == ExplicitVRBigEndian:
            dataset.PixelData = dataset.pixel_array.astype(">u2").tobytes()
        dataset.file_meta.TransferSyntaxUID = syntax
        little = syntax != ExplicitVRBigEndian
        pydicom.dcmwrite(path, dataset, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=little)

    return rewrite


def _jpeg(*options: str) -> Callable[[Path], None]:
    return lambda path: subprocess.run(["dcmcjpeg", *options, str(path), str(path)], check=True) and None


@pytest.fixture
def series(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a CT series and edits its objects."""

    def write(
        edit: Edit | None = None, modality: str = "CT", each: Callable[[Path], None] | None = None
    ) -> Path:
        volume = CT if modality == "CT" else MR
        files = write_series(
            volume,
            None,
            tmp_path / "in",
            modality=modality,
            person=PERSON,
            change=edit,  # type: ignore[arg-type]
        )
        for path in files if each else ():
            each(path)  # type: ignore[misc]
        (tmp_path / "out").mkdir()
        return tmp_path / "in"

    return write


SAME_HU: dict[str, Edit] = {
    "signed": _stored("<i2", 16, 1, -1024),
    "signed in thirteen bits": _stored("<i2", 13, 1, -1024),
    "an overlay in the upper bits": _stored("<u2", 12, 0, junk=0xF000),
    "thirty-two bits": _stored("<i4", 32, 1, -1024),
    "dark is bright": _set(PhotometricInterpretation="MONOCHROME1"),
    "without image type": _set(ImageType=None),
    "several acquisitions": _set(AcquisitionNumber=lambda n: 1 + n // 5),
    "a time for every slice": _set(
        AcquisitionTime=lambda n: f"1200{n:02d}", ContentTime=lambda n: f"1200{n:02d}"
    ),
    "two kernels": _set(ConvolutionKernel=lambda n: "J40s" if n < 5 else "J70h"),
    "GE": _set(Manufacturer="GE MEDICAL SYSTEMS"),
    "Canon": _set(Manufacturer="CANON_MEC"),
    "negative distance of slices": _set(SpacingBetweenSlices="-18"),
}
ENCODINGS = {
    "implicit": _encoded(ImplicitVRLittleEndian),
    "big endian": _encoded(ExplicitVRBigEndian),
    "run length": _encoded(RLELossless),
    "lossless JPEG, first order": _jpeg("+e1"),
    "lossless JPEG": _jpeg("+el"),
}


@pytest.mark.requirement("L-13", "M-20")
@pytest.mark.parametrize("name", sorted({**SAME_HU, **ENCODINGS}))
def test_a_ct_keeps_its_hounsfield_units(series: Callable[..., Path], tmp_path: Path, name: str) -> None:
    source = series(SAME_HU.get(name), each=ENCODINGS.get(name))
    found = physical(convert_series(source, tmp_path / "out").images)
    assert np.array_equal(found, CT.data)


@pytest.mark.requirement("L-13", "M-20")
def test_eight_bits_stay_eight_bits(series: Callable[..., Path], tmp_path: Path) -> None:
    def edit(dataset: Dataset, n: int) -> None:
        dataset.PixelData = (dataset.pixel_array // 16).astype(np.uint8).tobytes()
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit = 7

    found = physical(convert_series(series(edit), tmp_path / "out").images)
    assert np.array_equal(found, (CT.data.astype(int) + 1024) // 16 - 1024)


SCALINGS: dict[str, tuple[Callable[[int], float], Callable[[int], float]]] = {
    "a slope": (lambda n: 0.25, lambda n: -7.5),
    "a slope for every slice": (lambda n: round(1 + n * 0.37, 4), lambda n: 0.0),
    "an intercept for every slice": (lambda n: 1.0, lambda n: -3.0 * n),
}


@pytest.mark.requirement("L-13", "M-20")
@pytest.mark.parametrize("name", sorted(SCALINGS))
def test_values_after_scaling_are_those_of_the_scanner(
    series: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    slope, intercept = SCALINGS[name]
    edit = _set(RescaleSlope=lambda n: str(slope(n)), RescaleIntercept=lambda n: str(intercept(n)))
    found = physical(convert_series(series(edit, "MR"), tmp_path / "out").images)
    slices = range(MR.data.shape[2])
    wanted = MR.data * np.array([slope(n) for n in slices]) + np.array([intercept(n) for n in slices])
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-3)


@pytest.mark.requirement("L-13", "M-20")
def test_philips_private_scaling_does_not_replace_that_of_the_standard(
    series: Callable[..., Path], tmp_path: Path
) -> None:
    private = _private(0x2005, "Philips MR Imaging DD 001", 0x0E, "FL", 0.0123)

    def edit(dataset: Dataset, n: int) -> None:
        private(dataset, n)
        _set(RescaleSlope="2.5", RescaleIntercept="0", Manufacturer="Philips Medical Systems")(dataset, n)

    found = physical(convert_series(series(edit, "MR"), tmp_path / "out").images)
    np.testing.assert_allclose(found, MR.data * 2.5, rtol=1e-6)


@pytest.mark.requirement("L-13", "M-20", "M-22")
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("order", ["backwards", "shuffled", "interleaved", "time by time at each place"])
def test_frames_of_an_enhanced_object_may_come_in_any_order(tmp_path: Path, order: str, times: int) -> None:
    path = write_enhanced(MR, tmp_path / "in", modality="MR", person=PERSON, times=times)[0]
    dataset = pydicom.dcmread(path)
    count = len(dataset.PerFrameFunctionalGroupsSequence)
    walk = list(range(count))
    if order == "backwards":
        walk.reverse()
    elif order == "shuffled":
        random.Random(3).shuffle(walk)
    elif order == "interleaved":
        walk = walk[::2] + walk[1::2]
    else:
        walk.sort(key=lambda n: (n % (count // times), n))
    pixels = dataset.pixel_array
    dataset.PixelData = pixels[walk].tobytes()
    dataset.PerFrameFunctionalGroupsSequence = [dataset.PerFrameFunctionalGroupsSequence[n] for n in walk]
    dataset.save_as(path)
    (tmp_path / "out").mkdir()
    found = physical(convert_series(tmp_path / "in", tmp_path / "out").images).reshape(*MR.data.shape, times)
    for t in range(times):
        assert np.array_equal(found[..., t], MR.data + 20 * t * (MR.data > 0))


B_VALUES: dict[str, Callable[[int], Edit]] = {
    "standard": lambda b: _set(DiffusionBValue=float(b)),
    "Siemens": lambda b: _private(0x0019, "SIEMENS MR HEADER", 0x0C, "IS", str(b)),
    "GE": lambda b: _private(0x0043, "GEMS_PARM_01", 0x39, "IS", [1000000000 + b, 8, 0, 0]),
    "Philips": lambda b: _private(0x2001, "Philips Imaging DD 001", 0x03, "FL", float(b)),
}


@pytest.mark.requirement("L-13", "M-20")
@pytest.mark.parametrize("vendor", sorted(B_VALUES))
def test_diffusion_weightings_are_told_apart(tmp_path: Path, vendor: str) -> None:
    volumes = [MR.data, (MR.data * 0.6).astype(np.int16)]
    marks = [B_VALUES[vendor](b) for b in (0, 1000)]
    plan = SeriesPlan(PERSON, "MR", 9, 0)
    write_volumes(volumes, MR.affine, tmp_path / "in", plan, lambda dataset, v: marks[v](dataset, v))
    (tmp_path / "out").mkdir()
    found = physical(convert_series(tmp_path / "in", tmp_path / "out").images)
    assert np.array_equal(found, np.stack(volumes, -1))


def _float_pixels(dataset: Dataset, n: int) -> None:
    dataset.FloatPixelData = dataset.pixel_array.astype("<f4").tobytes()
    dataset.BitsAllocated = 32
    for keyword in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        dataset.pop(keyword)


REFUSED: dict[str, tuple[Edit | None, Callable[[Path], None] | None, set[str]]] = {
    "more pixels than described": (
        lambda d, n: setattr(d, "PixelData", d.PixelData * 2) if n == 3 else None,
        None,
        {"corrupt-pixels"},
    ),
    "lossy JPEG of twelve bits": (None, _jpeg("+ee"), {"pixel-compression"}),
    "no orientation": (_set(ImageOrientationPatient=None), None, {"no-geometry"}),
    "no pixel size": (_set(PixelSpacing=None), None, {"no-geometry"}),
    "no pixels": (_set(PixelData=None), None, {"pixel-compression", "corrupt-pixels", "converter-failed"}),
}


@pytest.mark.requirement("L-13", "E-73")
@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_cannot_be_conserved_is_refused_by_name(
    series: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    edit, each, codes = REFUSED[name]
    source = series(edit, each=each)
    with pytest.raises(Refused) as refusal:
        convert_series(source, tmp_path / "out")
    assert refusal.value.code in codes
    assert refusal.value.remedy
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.requirement("L-13", "M-20")
def test_floating_point_pixels_arrive_or_are_refused(series: Callable[..., Path], tmp_path: Path) -> None:
    found = physical(convert_series(series(_float_pixels), tmp_path / "out").images)
    assert np.array_equal(found, CT.data)


def test_the_phantoms_tell_left_from_right_and_front_from_back() -> None:
    for volume in (CT, MR):
        assert isinstance(volume, Volume)
        assert all(not np.array_equal(volume.data, np.flip(volume.data, axis)) for axis in range(3))
