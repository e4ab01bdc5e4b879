"""What the acquisition does to a head so that the brain in it can no longer be told for sure."""

from __future__ import annotations

import numpy as np

from .grid import Array3
from .head import Head
from .morph import Mask, dilate, erode
from .scene import Modality

_METAL_HU, _STREAK_HU = 2500.0, -100.0  # petrous bone stays under 2300 at 2 mm
_METAL_NEAR_MM, _INNER_MM = 10.0, 4.0
_METAL_ML, _STREAK_ML = 0.03, 0.3
_LAYERS_MM = ((0.0, 2.0), (2.0, 4.0), (4.0, 6.0))
_DEEP_MM, _VAULT_ML = 20.0, 60.0


def metal_streaks(head: Head, expected: Array3) -> bool:
    """Tell whether metal beside the brain throws streaks through it that look like air.

    Parameters
    ----------
    head : Head
    expected : ndarray of float32
        Where the template's brain lies, 0 to 1. Fillings of teeth are far from it.
    """
    if head.modality is Modality.MR:
        return False
    grid = head.grid
    metal = (grid.values > _METAL_HU) & dilate(expected > 0.3, _METAL_NEAR_MM, grid.spacing)
    dark = (grid.values < _STREAK_HU) & erode(expected > 0.5, _INNER_MM, grid.spacing) & grid.valid
    return bool(metal.sum() * grid.voxel_ml > _METAL_ML and dark.sum() * grid.voxel_ml > _STREAK_ML)


def scalp_shown(head: Head, skin_depth: Array3, vault: Mask) -> float:
    """Share of the scalp over the vault that is at least half as bright as the brain below, in MR.

    Heads have 0.58 to 1 in any contrast. With the fat suppressed 0 to 0.37 is left: the brain seems to lie at
    the skin, and the template is laid too far out.

    Parameters
    ----------
    head : Head
    skin_depth : ndarray of float32
        Distance to the surface of the head, mm.
    vault : ndarray of bool
        The upper part of the head.
    """
    values = head.grid.values
    seen = vault & head.mask & head.grid.valid
    inner = seen & (skin_depth > _DEEP_MM)
    if head.modality is Modality.CT or seen.sum() * head.grid.voxel_ml < _VAULT_ML or not inner.any():
        return 1.0
    half = 0.5 * float(np.median(values[inner]))
    layers = [values[seen & (skin_depth > low) & (skin_depth <= high)] for low, high in _LAYERS_MM]
    # a narrow field of view shows no skin at all
    return max((float(np.mean(layer > half)) for layer in layers if layer.size), default=1.0)
