"""A nose that did not fit into the field of view of an MR is seen behind the head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lethe.image.deface.folding import front_folded
from lethe.image.deface.grid import Grid
from lethe.image.deface.head import Head
from lethe.image.deface.morph import Mask, largest
from lethe.image.deface.scene import Modality

SHAPE = (48, 60, 48)
AFFINE = np.array([[4.0, 0, 0, -94.0], [0, 4.0, 0, -130.0], [0, 0, 4.0, -130.0], [0, 0, 0, 1.0]])
X, Y, Z = (4.0 * i + AFFINE[a, 3] for a, i in enumerate(np.indices(SHAPE)))
NOSE = (np.abs(X) < 14) & (np.abs(Z + 40) < 20) & (Y > 0) & (Y < 108)
TISSUE = (np.sqrt(X**2 + Y**2 + (Z + 30) ** 2) < 82) | NOSE
LIMIT = 0.5


def seen(tissue: Mask, **other: object) -> tuple[Grid, Head]:
    grid = Grid(tissue.astype(np.float32), np.ones(tissue.shape, bool), AFFINE)
    head = Head(grid, largest(tissue), Modality.MR, LIMIT)
    return grid, replace(head, **other)  # type: ignore[arg-type]


@pytest.mark.requirement("M-25")
@pytest.mark.parametrize("axes", [np.eye(4), AFFINE, np.diag([1.0, -1.0, 1.0, 1.0])[[1, 0, 2, 3]]])
def test_a_nose_behind_the_head_is_noticed_whatever_the_order_of_the_axes(axes: np.ndarray) -> None:
    folded = np.roll(TISSUE, 3, axis=1)
    assert front_folded(*seen(folded), axes, np.eye(4))
    assert not front_folded(*seen(TISSUE), axes, np.eye(4))


@pytest.mark.requirement("M-25")
def test_a_head_that_lies_on_its_face_folds_the_other_way() -> None:
    over = np.diag([-1.0, -1.0, 1.0, 1.0])
    folded = np.roll(TISSUE, 3, axis=1)[::-1, ::-1]
    grid, head = seen(folded)
    middle = np.eye(4)
    middle[1, 3] = 2 * AFFINE[1, 3] + 4.0 * (SHAPE[1] - 1)
    assert front_folded(grid, head, np.eye(4), over @ np.linalg.inv(middle))


@pytest.mark.requirement("M-25")
def test_a_cut_nose_alone_and_a_ct_are_not_called_folded() -> None:
    cut = np.roll(TISSUE, 3, axis=1)
    cut[:, :4] = False
    assert not front_folded(*seen(cut), np.eye(4), np.eye(4))
    folded = np.roll(TISSUE, 3, axis=1)
    assert not front_folded(*seen(folded, modality=Modality.CT), np.eye(4), np.eye(4))


@pytest.mark.requirement("M-25")
def test_a_head_that_fills_its_field_of_view_from_end_to_end_is_suspect() -> None:
    narrow = TISSUE.copy()[:, 18:46]
    assert front_folded(*seen(narrow), np.eye(4), np.eye(4))
