"""Diffusion tables that contradict the headers do not get through."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lethe.image.frames import Frame
from lethe.image.gradients import FROM_HEADERS, LEFT_OUT, gradient_tables

WAYS = [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.6, 0.8)]
AFFINE = np.diag([-2.0, 2.0, 3.0, 1.0])
RIGHT = "0 1 0\n0 0 -0.6\n0 0 0.8\n"


def frames(ways: list[tuple[float, ...]]) -> list[Frame]:
    return [
        Frame(Path(), n, n, 4, 4, None, None, None, b_value=1000.0 if n else 0.0, direction=way)
        for n, way in enumerate(ways)
    ]


def written(folder: Path, weights: str, ways: str) -> list[Path]:
    (folder / "a.bval").write_text(weights)
    (folder / "a.bvec").write_text(ways)
    return [folder / "a.bval", folder / "a.bvec"]


@pytest.mark.requirement("M-20", "M-28")
@pytest.mark.parametrize(
    ("weights", "ways", "good"),
    [
        ("0 1000 1000", RIGHT, True),
        ("0 1000 1000", RIGHT.replace("-0.6", "0.6").replace("0.8", "-0.8"), True),  # the same line
        ("0 1000 1000", RIGHT.replace("-0.6", "0.6"), False),
        ("0 1000 1000", "0 0 0\n0 0 0\n0 0 0\n", False),
        ("0 1000 700", RIGHT, False),
        ("0 1000", "0 1\n0 0\n0 0\n", False),
        ("nothing", RIGHT, False),
    ],
)
def test_tables_stay_if_they_agree_with_the_headers(
    tmp_path: Path, weights: str, ways: str, good: bool
) -> None:
    tables, finding = gradient_tables(written(tmp_path, weights, ways), frames(WAYS), AFFINE)
    assert finding == (None if good else FROM_HEADERS)
    assert (tables[".bvec"] == ways.encode()) is good
    assert np.allclose(
        np.abs(np.array(tables[".bvec"].split(), float)), np.abs(np.array(RIGHT.split(), float))
    )


@pytest.mark.requirement("M-20")
def test_a_right_handed_image_turns_the_first_axis(tmp_path: Path) -> None:
    tables, finding = gradient_tables([], frames(WAYS), np.diag([2.0, 2.0, 3.0, 1.0]))
    assert finding == FROM_HEADERS
    assert tables == {".bval": b"0\t1000\t1000\n", ".bvec": b"0\t1\t0\n0\t0\t-0.6\n0\t0\t0.8\n"}
    assert gradient_tables([], frames([*WAYS[:2], ()]), AFFINE) == ({}, LEFT_OUT)
    assert gradient_tables([], frames(WAYS[:1]), AFFINE) == ({}, None)
