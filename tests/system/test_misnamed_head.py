"""A head under the name of a knee: the lane goes by the header, so the image is looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kit.people import people
from kit.phantom import Modality, head
from kit.series import write_series
from lethe.image.convert import HEAD_IN_VIEW, convert_series
from lethe.image.lane import Lane, Rule

pytestmark = pytest.mark.system
PERSON = people(1, seed=3)[0]
SPACING = (2.0, 2.0, 2.5)


def legs(modality: Modality) -> np.ndarray:
    """Draw two thighs: skin and fat around muscle around bone with marrow."""
    x, y, _ = (axis * step for axis, step in zip(np.indices((130, 80, 60)), SPACING, strict=True))
    away = np.minimum(np.hypot(x - 70, y - 80), np.hypot(x - 190, y - 80))
    values = (-1000, 40, -90, 55, 1100, -60) if modality == "CT" else (4, 250, 800, 350, 30, 700)
    drawn = np.full(x.shape, values[0], np.int16)
    for radius, value in zip((58, 56, 48, 16, 9), values[1:], strict=True):
        drawn[away < radius] = value
    return drawn


@pytest.mark.requirement("M-24", "T-11")
@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_a_head_under_the_name_of_a_knee_is_held(modality: Modality, tmp_path: Path) -> None:
    kind = "ct" if modality == "CT" else "mr"
    volume = head(kind, spacing=SPACING)  # type: ignore[arg-type]
    out = tmp_path / "out"
    out.mkdir()
    write_series(volume, None, tmp_path / "in", modality=modality, person=PERSON, BodyPartExamined="KNEE")
    held = convert_series(tmp_path / "in", out)
    assert (held.lane.lane, held.lane.rule) == (Lane.QUARANTINE, HEAD_IN_VIEW)
    assert list(out.iterdir()) == []
    own = [Rule("project:heads", Lane.CONVERT, "The project says so.", {"modality": modality})]
    assert convert_series(tmp_path / "in", out, rules=own).images


@pytest.mark.requirement("M-20")
@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_legs_are_converted_as_before(modality: Modality, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    affine = np.diag([*SPACING, 1.0])
    drawn = legs(modality)
    write_series(drawn, affine, tmp_path / "in", modality=modality, person=PERSON, BodyPartExamined="KNEE")
    converted = convert_series(tmp_path / "in", out)
    assert converted.lane.lane is Lane.CONVERT
    assert [path.name for path in converted.images] == ["image.nii.gz"]
