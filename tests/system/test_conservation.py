"""Two hundred damaged series: none gets through, no whole one is held back (conservation of images)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kit.enhanced import ENHANCED_FAULTS, damage_enhanced, write_enhanced
from kit.faults import FAULTS, damage
from kit.kinds import write_mosaic
from kit.people import people
from kit.phantom import head
from kit.series import tilted, write_series
from lethe.errors import Outcome
from lethe.image.convert import convert_series
from lethe.image.lane import Lane

pytestmark = pytest.mark.system

BASES = ("ct", "mr", "tilted", "enhanced-ct", "enhanced-mr", "enhanced-dynamic")
MOSAIC_FAULTS = (
    "missing",
    "missing-first",
    "doubled-file",
    "mixed-size",
    "cut-short",
    "emptied",
    "no-position",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("whole")
    person = people(1, seed=11)[0]
    ct, mr = (head(kind, spacing=(7.0, 7.0, 9.0), seed=5) for kind in ("ct", "mr"))
    write_series(ct, None, root / "ct", person=person)
    write_series(mr, None, root / "mr", modality="MR", person=person)
    write_series(ct.data, tilted(ct.affine, 16.0), root / "tilted", person=person)
    write_enhanced(ct, root / "enhanced-ct", modality="CT", person=person)
    write_enhanced(mr, root / "enhanced-mr", modality="MR", person=person)
    write_enhanced(mr, root / "enhanced-dynamic", modality="MR", person=person, times=3)
    write_mosaic(mr, root / "mosaic", person=person, times=5)
    return {path.name: path for path in root.iterdir()}


def plan() -> list[tuple[str, str, int]]:
    """Return base, fault and seed of 200 damaged series."""
    plain = [(base, kind) for base in BASES[:3] for kind in sorted(FAULTS)]
    framed = [(base, kind) for base in BASES[3:] for kind in ENHANCED_FAULTS]
    framed += [("mosaic", kind) for kind in MOSAIC_FAULTS]
    kinds = plain + framed
    return [(*kinds[n % len(kinds)], n // len(kinds)) for n in range(200)]


@pytest.mark.requirement("M-20", "L-13", "E-73")
def test_none_of_two_hundred_faults_gets_through_in_silence(whole: dict[str, Path], tmp_path: Path) -> None:
    silent = []
    for base, kind, seed in plan():
        folder, out = tmp_path / "in", tmp_path / "out"
        shutil.copytree(whole[base], folder)
        out.mkdir()
        files = sorted(folder.iterdir())
        if base.startswith("enhanced"):
            damage_enhanced(files[0], kind, seed)
        else:
            damage(files, kind, seed)
        try:
            lane = convert_series(folder, out).lane
            if lane.lane is not Lane.QUARANTINE:
                silent.append((base, kind, seed))
        except Outcome:
            pass
        else:
            assert lane.reason
        if list(out.iterdir()) and (base, kind, seed) not in silent:
            silent.append((base, kind, seed))
        shutil.rmtree(folder)
        shutil.rmtree(out)
    assert silent == []


@pytest.mark.requirement("M-20", "L-13")
@pytest.mark.parametrize("base", [*BASES, "mosaic"])
def test_a_whole_series_is_never_held_back(whole: dict[str, Path], tmp_path: Path, base: str) -> None:
    conversion = convert_series(whole[base], tmp_path)
    assert conversion.images
    assert conversion.conservation is not None
