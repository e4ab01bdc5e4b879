"""Bad input to ``lethe image deface``: a name, a remedy, exit code 4, nothing written; 4-D is worked on."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from kit import phantom

pytestmark = pytest.mark.system
SQUARE = np.diag([4.0, 4.0, 4.0, 1.0])


def write(path: Path, data: np.ndarray, affine: np.ndarray = SQUARE) -> Path:
    image = nib.Nifti1Image(data, affine)
    image.header.set_sform(affine, 1)
    nib.save(image, path)
    return path


def ball(value: float = 900.0) -> np.ndarray:
    """Draw a bottle of water in air, as a phantom scan shows it."""
    place = np.indices((60, 60, 60)) * 4.0 - 118.0
    noise = np.abs(np.random.default_rng(0).normal(0, 6, (60, 60, 60)))
    return (np.where(np.sqrt((place**2).sum(axis=0)) < 80.0, value, 0.0) + noise).astype(np.int16)


def chest(path: Path) -> Path:
    """No head: a trunk with two lungs, ribs left out."""
    x, y, z = np.indices((90, 70, 60)) * 4.0 - np.array([178.0, 138.0, 118.0])[:, None, None, None]
    values = np.full(x.shape, -1000.0)
    values[(x / 170) ** 2 + (y / 110) ** 2 < 1] = 40.0
    values[((np.abs(x) - 75) / 60) ** 2 + (y / 85) ** 2 + (z / 110) ** 2 < 1] = -850.0
    values[x**2 + (y + 80) ** 2 < 18**2] = 400.0
    noise = np.random.default_rng(0).normal(0, 15, x.shape)
    return write(path, np.rint(values + noise).astype(np.int16))


def nan_affine(path: Path) -> Path:
    raw = bytearray(gzip.decompress(write(path, ball()).read_bytes()))
    raw[280:284] = np.float32(np.nan).tobytes()
    path.write_bytes(gzip.compress(bytes(raw)))
    return path


def colour(path: Path) -> Path:
    return write(path, np.zeros((40, 40, 40), np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])))


def not_numbers(path: Path) -> Path:
    values = ball().astype(np.float32)
    values[30, 30, 30] = np.nan
    return write(path, values)


def empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def truncated(path: Path) -> Path:
    whole = write(path, ball()).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def run(source: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    target = str(out / "o.nii.gz")
    extra = [
        "--mask-out",
        str(out / "m.nii.gz"),
        "--report",
        str(out / "r.json"),
        "--pictures",
        str(out / "p"),
    ]
    command = [sys.executable, "-m", "lethe.cli", "image", "deface", str(source), target, *extra, *more]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.requirement("L-13", "T-9")
@pytest.mark.parametrize(
    ("code", "make"),
    [
        ("no-head", chest),
        ("no-head", lambda path: write(path, ball())),
        ("one-slice", lambda path: write(path, ball()[:, :, :1])),
        ("bad-affine", nan_affine),
        ("colour", colour),
        ("not-finite", not_numbers),
        ("empty-file", empty),
        ("truncated", truncated),
        ("small-volume", lambda path: write(path, np.repeat(ball()[:, :, 28:32, None], 3, axis=3))),
    ],
)
def test_bad_input_is_refused_by_name_with_a_remedy_and_nothing_is_written(
    code: str, make: Callable[[Path], Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    done = run(make(tmp_path / "in.nii.gz"), out)
    said = " ".join(done.stderr.split())
    assert done.returncode == 4, said
    assert f"[{code}]" in said
    assert said.count(". ") >= 1, "a remedy follows the sentence"
    assert "Traceback" not in said
    assert list(out.iterdir()) == []


@pytest.mark.requirement("M-24", "M-25")
def test_every_volume_of_a_4d_image_loses_the_same_face(tmp_path: Path) -> None:
    one = phantom.head("mr", spacing=(2.5, 2.5, 3.0))
    data = np.stack([one.data, one.data // 2, one.data + 7], axis=3)
    source = write(tmp_path / "in.nii.gz", data, one.affine)
    out = tmp_path / "out"
    out.mkdir()
    done = run(source, out)
    assert done.returncode == 0, done.stderr
    before, after = (np.asarray(nib.load(path).dataobj) for path in (source, out / "o.nii.gz"))
    mask = np.asarray(nib.load(out / "m.nii.gz").dataobj)
    assert after.shape == before.shape
    assert mask.shape == before.shape[:3]
    filling = after[mask == 2]
    for volume in range(3):
        was, now = before[..., volume], after[..., volume]
        assert np.array_equal(was[mask == 0], now[mask == 0])
        assert not now[mask == 1].any()
        assert np.array_equal(filling[:, volume], filling[:, 0]), "nothing of a volume shines through"
    shades, voxels = np.unique(filling[:, 0], return_counts=True)
    assert shades.size > 1, "filled in part at its surface"
    assert voxels.argmax() == shades.size - 1, "and else with one value"
