"""Bad input: a named refusal with a remedy, and nothing written."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from kit import phantom
from lethe.errors import Misconfigured, Outcome, Refused
from lethe.image.deface import deface_file
from lethe.image.deface.io import open_volume

from .conftest import write

SQUARE = np.diag([4.0, 4.0, 4.0, 1.0])


@cache
def ball(radius: float = 80.0, value: float = 100.0) -> np.ndarray:
    """Draw a bottle phantom: a ball of one value."""
    grid = np.indices((60, 60, 60)) * 4.0 - 118.0
    rng = np.random.default_rng(0)
    noise = np.abs(rng.normal(0, 2, (60, 60, 60)))
    drawn = (np.where(np.sqrt((grid**2).sum(axis=0)) < radius, value, 0) + noise).astype(np.int16)
    drawn.flags.writeable = False
    return drawn


def empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def text(path: Path) -> Path:
    path.write_bytes(b"this is not an image " * 40)
    return path


def truncated(path: Path) -> Path:
    volume = phantom.head("ct", spacing=(4.0, 4.0, 4.0))
    whole = write(path, volume.data, volume.affine).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def truncated_plain(path: Path) -> Path:
    plain = write(path.with_name("plain.nii"), ball(), SQUARE)
    plain.write_bytes(plain.read_bytes()[:5000])
    return plain


def damaged(path: Path) -> Path:
    whole = bytearray(write(path, ball(), SQUARE).read_bytes())
    whole[-8] ^= 255  # the check sum at the end
    path.write_bytes(bytes(whole))
    return path


def one_slice(path: Path) -> Path:
    return write(path, np.ones((64, 64, 1), np.int16), SQUARE)


def thin(path: Path) -> Path:
    return write(path, ball()[:, :, :5], SQUARE)


def nan_affine(path: Path) -> Path:
    write(path, ball(), SQUARE)
    with gzip.open(path) as stream:
        raw = bytearray(stream.read())
    raw[280:284] = np.float32(np.nan).tobytes()  # first number of the sform
    path.write_bytes(gzip.compress(bytes(raw), 1))
    return path


def colour(path: Path) -> Path:
    pixels = np.zeros((40, 40, 40), np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    nib.save(nib.Nifti1Image(pixels, SQUARE), path)
    return path


def complex_numbers(path: Path) -> Path:
    return write(path, ball().astype(np.complex64), SQUARE)


def not_finite(path: Path) -> Path:
    values = ball().astype(np.float32)
    values[30, 30, 30] = np.nan
    return write(path, values, SQUARE)


def constant(path: Path) -> Path:
    return write(path, np.zeros((60, 60, 60), np.int16), SQUARE)


def noise_only(path: Path) -> Path:
    values = np.abs(np.random.default_rng(0).normal(0, 30, (60, 60, 60)))
    return write(path, values.astype(np.int16), SQUARE)


def bottle(path: Path) -> Path:
    return write(path, ball(), SQUARE)


def small_bottle(path: Path) -> Path:
    return write(path, ball(radius=30.0), SQUARE)


def positron(path: Path) -> Path:
    path.with_name("in.json").write_text('{"Modality": "PT"}')
    return bottle(path)


def edited(offset: int, number: bytes) -> Callable[[Path], Path]:
    """Return a maker of a bottle with some bytes of its header overwritten."""

    def make(path: Path) -> Path:
        plain = write(path.with_name("plain.nii"), ball(), SQUARE)
        raw = bytearray(plain.read_bytes())
        plain.unlink()
        raw[offset : offset + len(number)] = number
        path.write_bytes(gzip.compress(bytes(raw), 1))
        return path

    return make


def as_bytes(kind: type[np.generic], *numbers: float) -> bytes:
    return np.array(numbers, kind).tobytes()


BROKEN_HEADERS = [
    ("truncated", edited(40, as_bytes(np.int16, 3, 32000, 32000, 32000))),
    ("one-slice", edited(40, as_bytes(np.int16, 3, -60, 60, 60))),
    ("one-slice", edited(40, as_bytes(np.int16, 4, 60, 60, 60, 0))),
    ("not-nifti", edited(40, as_bytes(np.int16, 9))),
    ("voxel-type", edited(70, as_bytes(np.int16, 0))),
    ("voxel-type", edited(70, as_bytes(np.int16, 1))),
    ("voxel-type", edited(70, as_bytes(np.int16, 9999))),
    ("not-nifti", edited(108, as_bytes(np.float32, np.nan))),
    ("not-nifti", edited(108, as_bytes(np.float32, np.inf))),
    ("truncated", edited(108, as_bytes(np.float32, 1e9))),
    ("bad-scaling", edited(112, as_bytes(np.float32, np.inf, 0.0))),
    ("bad-scaling", edited(112, as_bytes(np.float32, 1.0, np.nan))),
    ("bad-affine", edited(280, as_bytes(np.float32, *[0.0] * 12))),
]


@pytest.mark.requirement("L-13", "T-9")
@pytest.mark.parametrize(("code", "make"), BROKEN_HEADERS)
def test_a_header_that_cannot_be_true_is_refused_before_anything_is_read(
    code: str, make: Callable[[Path], Path], tmp_path: Path
) -> None:
    with pytest.raises(Refused) as caught:
        open_volume(make(tmp_path / "in.nii.gz"))
    assert caught.value.code == code


@pytest.mark.parametrize(("slope", "intercept"), [(np.nan, np.nan), (0.0, 7.0)])
def test_a_scaling_left_out_means_as_stored(slope: float, intercept: float, tmp_path: Path) -> None:
    source = edited(112, as_bytes(np.float32, slope, intercept))(tmp_path / "in.nii.gz")
    volume = open_volume(source)
    assert (volume.slope, volume.intercept) == (1.0, 0.0)


@pytest.mark.requirement("L-13", "T-9")
@pytest.mark.parametrize(
    ("code", "make"),
    [
        ("empty-file", empty),
        ("not-nifti", text),
        ("truncated", truncated),
        ("truncated", truncated_plain),
        ("truncated", damaged),
        ("one-slice", one_slice),
        ("small-volume", thin),
        ("bad-affine", nan_affine),
        ("colour", colour),
        ("complex", complex_numbers),
        ("not-finite", not_finite),
        ("constant", constant),
        ("no-head", noise_only),
        ("no-head", bottle),
        ("no-head", small_bottle),
        ("other-modality", positron),
        ("no-file", lambda path: path),
    ],
)
def test_bad_input_is_refused_by_name_and_nothing_is_written(
    code: str, make: Callable[[Path], Path], tmp_path: Path
) -> None:
    source = make(tmp_path / "in.nii.gz")
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(Refused) as caught:
        deface_file(
            source, out / "o.nii.gz", mask=out / "m.nii.gz", pictures=out / "p", report=out / "r.json"
        )
    assert caught.value.code == code
    assert caught.value.remedy
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("modality", ["pet", "CT", ""])
def test_an_unknown_modality_is_a_mistake_of_the_caller(modality: str, tmp_path: Path) -> None:
    source = bottle(tmp_path / "in.nii.gz")
    with pytest.raises(Misconfigured):
        deface_file(source, tmp_path / "o.nii.gz", modality=modality)


def test_a_ct_without_hounsfield_units_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="not-hounsfield"):
        deface_file(bottle(tmp_path / "in.nii.gz"), tmp_path / "o.nii.gz", modality="ct")


def windowed(path: Path) -> Path:
    """Return a CT as saved through a window: nothing under -200 HU is left."""
    return write(path, np.clip(ball(), 0, 500) - 200, SQUARE)


def test_a_ct_cut_to_a_window_is_not_taken_for_mr(tmp_path: Path) -> None:
    source = windowed(tmp_path / "in.nii.gz")
    with pytest.raises(Refused, match="unknown-kind") as caught:
        deface_file(source, tmp_path / "o.nii.gz")
    assert "--modality mr" in str(caught.value.remedy)
    with pytest.raises(Refused, match="no-head"):  # as it is told; a bottle is no head
        deface_file(source, tmp_path / "o.nii.gz", modality="mr")


def test_the_source_is_never_overwritten(tmp_path: Path) -> None:
    source = bottle(tmp_path / "in.nii.gz")
    before = source.read_bytes()
    with pytest.raises(Outcome, match="same-file"):
        deface_file(source, source)
    assert source.read_bytes() == before
