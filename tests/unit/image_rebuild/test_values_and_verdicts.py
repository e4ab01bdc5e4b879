"""Grey values through the rescale, verdicts of several images, and the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lethe.cli.image import app
from lethe.errors import Refused
from lethe.files import sha256_of
from lethe.image.rebuild import cleared, nifti_files
from lethe.image.rebuild.stored import Scale, rebuilt_plane, unchanged

from .conftest import Case

scales = st.builds(Scale, st.floats(0.01, 50.0), st.floats(-2000.0, 2000.0))


@pytest.mark.requirement("M-27")
@settings(max_examples=60, derandomize=True, deadline=None)
@given(scale=scales, bits=st.integers(8, 16), signed=st.booleans(), seed=st.integers(0, 99))
def test_values_kept_as_float_come_back_as_the_integers_they_were(
    scale: Scale, bits: int, signed: bool, seed: int
) -> None:
    low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if signed else (0, 1 << bits)
    source = np.random.default_rng(seed).integers(low, high, (6, 7)).astype("i2" if signed else "u2")
    values = scale.physical(source).astype("f4")
    own = Scale(1.0, 0.0)
    assert unchanged(values, own, source, scale).all()
    # even if every voxel counted as changed, rounding finds the integer again
    nothing = np.zeros(source.shape, bool)
    again = rebuilt_plane(values.astype("f8"), own, source, scale, nothing, bits)
    room = 1e-6 * max(abs(scale.intercept), float(np.abs(values).max())) / scale.slope
    assert np.abs(again.astype(int) - source.astype(int)).max() <= np.ceil(room)


@pytest.mark.requirement("M-27")
def test_air_goes_through_the_rescale_of_its_slice() -> None:
    source = np.full((2, 2), 1100, "u2")
    values = np.array([[76.0, -1000.0], [76.0, 76.0]])
    scale = Scale(1.0, -1024.0)
    kept = unchanged(values, Scale(1.0, 0.0), source, scale)
    assert rebuilt_plane(values, Scale(1.0, 0.0), source, scale, kept, 12).tolist() == [
        [1100, 24],
        [1100, 1100],
    ]


@pytest.mark.parametrize("value", [-1025.0, 3072.0])
def test_one_step_beyond_the_bits_in_use_is_too_far(value: float) -> None:
    source, scale = np.full((1, 2), 1100, "u2"), Scale(1.0, -1024.0)
    kept = np.array([[True, False]])
    with pytest.raises(Refused, match="value-range"):
        rebuilt_plane(np.array([[76.0, value]]), Scale(1.0, 0.0), source, scale, kept, 12)


def _qc(case: Case, folder: Path, verdicts: list[str]) -> Path:
    """Write what deface writes about several images."""
    parts = {}
    for image, mask, verdict in zip(case.images, case.masks, verdicts, strict=True):
        stem = image.name.removesuffix(".nii.gz")
        (folder / stem).mkdir(parents=True)
        shutil.copy(mask, folder / stem / "mask.nii.gz")
        parts[image.name] = {"verdict": verdict, "method": "stand-in", "method_version": "2"}
    record = {"outputs": [{"name": path.name, "sha256": sha256_of(path)} for path in case.images]}
    (folder / "provenance.json").write_text(json.dumps(record))
    (folder / "report.json").write_text(json.dumps({"verdict": "pass", "images": parts}))
    return folder


@pytest.mark.requirement("M-24")
def test_of_several_images_each_needs_a_verdict_that_lets_it_go(
    case: Callable[[str], Case], tmp_path: Path
) -> None:
    made = case("multi-echo")
    good = cleared(made.images, _qc(made, tmp_path / "good", ["pass", "no-face"]))
    assert (good.verdict, good.method, len(good.masks)) == ("pass", "stand-in 2", 2)
    with pytest.raises(Refused, match="verdict-forbids"):
        cleared(made.images, _qc(made, tmp_path / "bad", ["pass", "review"]))


@pytest.mark.requirement("M-27")
def test_the_command_line_rebuilds_and_a_dry_run_keeps_nothing(
    case: Callable[[str], Case], tmp_path: Path
) -> None:
    made, out = case("multi-echo"), tmp_path / "new"
    images = tmp_path / "images"
    images.mkdir()
    for path in made.images:
        shutil.copy(path, images)
    arguments = [
        str(made.dicom),
        str(images),
        str(out),
        "--qc",
        str(_qc(made, tmp_path / "qc", ["pass"] * 2)),
    ]
    runner = CliRunner()
    dry = runner.invoke(app, ["rebuild", *arguments, "--dry-run"])
    assert dry.exit_code == 0, dry.output
    assert not out.exists()
    wet = runner.invoke(app, ["rebuild", *arguments, "--output", "json"])
    assert wet.exit_code == 0, wet.output
    facts = json.loads(wet.output)
    assert facts["objects"] == len(list(out.glob("*.dcm"))) == len(list(made.dicom.glob("*.dcm")))


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image.json").write_text("{}")
    with pytest.raises(Refused, match="no-image"):
        nifti_files(tmp_path)
