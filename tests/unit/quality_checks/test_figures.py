"""The figures follow what was done to the image."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.ndimage as ndi
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lethe.quality.figures import Figures, body_threshold, measure_slice, summarise
from lethe.quality.motion import cell_size, outline, shift_between

PIXEL = (1.5, 1.5)


def _heads(count: int = 12, shift: dict[int, float] | None = None) -> list[NDArray[np.float64]]:
    """Discs of 100 over a background of 2, whose middle moves slowly."""
    rows, columns = np.mgrid[:128, :128].astype(float)
    planes = []
    for k in range(count):
        middle = 64 + 0.1 * k + (shift or {}).get(k, 0.0)
        inside = np.hypot((rows - middle) / 1.2, columns - 64) < 40
        planes.append(ndi.gaussian_filter(np.where(inside, 100.0, 2.0), 0.8))
    return planes


def _figures(planes: list[NDArray[np.float64]], modality: str = "MR") -> Figures:
    threshold = body_threshold(planes, modality)
    edges = [outline(plane, threshold, PIXEL) for plane in planes]
    shifts = [shift_between(one, two, cell_size(PIXEL)) for one, two in pairwise(edges)]
    return summarise([measure_slice(plane, threshold, PIXEL) for plane in planes], shifts, modality)


@pytest.mark.requirement("L-06")
@settings(max_examples=10, deadline=None, derandomize=True)
@given(sigma=st.floats(1.0, 15.0))
def test_the_noise_that_was_added_is_measured(sigma: float) -> None:
    rng = np.random.default_rng(1)
    noisy = [plane + rng.normal(0, sigma, plane.shape) for plane in _heads(4)]
    found = _figures(noisy)
    assert found.noise == pytest.approx(sigma, rel=0.1)
    assert found.signal_to_noise == pytest.approx(100 / sigma, rel=0.15)


@pytest.mark.requirement("L-06")
def test_the_more_an_image_is_smoothed_the_less_steep_its_edges() -> None:
    edges = [
        _figures([ndi.gaussian_filter(plane, width) for plane in _heads(4)]).edge_per_mm
        for width in (0.0, 1.0, 2.0, 4.0)
    ]
    assert all(sharper > softer for sharper, softer in pairwise(edges))


@pytest.mark.requirement("L-06", "E-73")
def test_a_head_that_moved_between_slices_is_noticed() -> None:
    still, moved = _figures(_heads()), _figures(_heads(shift={6: 8.0}))
    assert still.jump_mm < 2.0
    assert moved.jump_mm == pytest.approx(8.0 * 1.5, rel=0.1)
    assert [note.code for note in moved.notes()] == ["motion-jump"]


@pytest.mark.requirement("L-06", "E-73")
def test_ghosts_along_one_direction_are_noticed() -> None:
    ghosted = [plane + 0.15 * np.roll(plane, 58, axis=0) for plane in _heads()]
    assert (_figures(_heads()).ghost or 0.0) < 0.01
    assert (_figures(ghosted).ghost or 0.0) > 0.06
    assert "ghosting" in [note.code for note in _figures(ghosted).notes()]


@pytest.mark.requirement("E-73")
def test_slices_without_content_are_counted() -> None:
    planes = _heads()
    planes[3] = np.zeros_like(planes[3])
    found = _figures(planes)
    assert found.empty_slices == 1
    assert "empty-slices" in [note.code for note in found.notes()]


def test_an_image_of_nothing_gives_figures_of_nothing() -> None:
    found = _figures([np.zeros((32, 32))] * 3)
    assert (found.signal, found.noise, found.jump_mm, found.empty_slices) == (0.0, 0.0, 0.0, 3)


def test_of_ct_the_body_is_what_is_denser_than_air() -> None:
    assert body_threshold(_heads(2), "CT") == -300.0
