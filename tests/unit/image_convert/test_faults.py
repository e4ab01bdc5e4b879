"""Damaged series yield no NIfTI but a reason; whole ones are never suspected."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.faults import FAULTS, damage
from lethe.errors import Refused
from lethe.image.convert import convert_series
from lethe.image.lane import Lane

from .conftest import Copy

EXPECTED = {
    "missing": {"missing-slices"},
    "missing-several": {"missing-slices", "first-slice-missing", "uneven-spacing"},
    "missing-first": {"first-slice-missing"},
    "missing-last": {"missing-slices"},
    "every-second": {"missing-slices"},
    "doubled-file": {"doubled-instance"},
    "doubled-slice": {"doubled-slices"},
    "doubled-series": {"doubled-slices"},
    "reordered": {"order-contradiction"},
    "renumbered": {"order-contradiction"},
    "gap": {"uneven-spacing", "missing-slices", "order-contradiction"},
    "gap-renumbered": {"missing-slices"},
    "tilted-part": {"uneven-positions"},
    "turned-slice": {"several-orientations", "mixed-orientation"},
    "flipped-slice": {"several-orientations"},
    "mixed-size": {"mixed-sizes"},
    "mixed-spacing": {"mixed-pixel-sizes"},
    "corrupt-header": {"corrupt-instance"},
    "cut-short": {"corrupt-pixels", "corrupt-instance"},
    "emptied": {"corrupt-instance"},
    "no-position": {"no-geometry"},
    "foreign-slice": {"several-series"},
    "jumping-table": {"uneven-positions"},
}


@pytest.mark.requirement("M-20", "L-13", "E-73")
@pytest.mark.parametrize("kind", sorted(FAULTS))
@pytest.mark.parametrize("name", ["ct", "mr", "tilted"])
def test_a_damaged_series_yields_no_image_but_its_named_reason(
    series: Copy, out: Path, name: str, kind: str
) -> None:
    files = series(name)
    damage(files, kind, seed=len(kind) + len(name))
    assert _reason(files[0].parent, out) in EXPECTED[kind]
    assert not list(out.iterdir())


def _reason(folder: Path, out: Path) -> str:
    try:
        conversion = convert_series(folder, out)
    except Refused as refusal:
        return refusal.code
    return conversion.lane.rule if conversion.lane.lane is Lane.QUARANTINE else "accepted"


@pytest.mark.requirement("M-20")
@pytest.mark.parametrize("name", ["ct", "mr", "tilted"])
def test_a_whole_series_raises_no_alarm(written: dict[str, Path], out: Path, name: str) -> None:
    conversion = convert_series(written[name], out)
    assert conversion.conservation is not None
    assert [f.code for f in conversion.conservation.findings] == (["gantry-tilt"] if name == "tilted" else [])
