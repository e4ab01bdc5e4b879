"""What goes: the face as a formula in MNI millimetres, and the ears (`lethe.image.deface.ears`).

The face is not an image but a curved surface, so that it can be read, reviewed and tuned here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .align import Alignment
from .ears import beside_ears, skin, smooth_side
from .grid import Array3
from .head import Head
from .morph import Mask, depth, smoothed
from .protect import Protection
from .scene import Modality

_HEIGHTS = (-140.0, -90.0, -45.0, -25.0, 0.0, 14.0)
_DEPTHS = (38.0, 40.0, 44.0, 50.0, 66.0, 84.0)
CURVE = 0.0042  # a head curves back by this times x^2, mm
_TOP, _BOTTOM = 20.0, -168.0
_SCALP, _UNLIMITED = 6.0, 60.0
_SMOOTH_MM = 2.0
_RIM_MM = 3.0
_FADE_MM = 9.0
_SKIN_Y = 80.0  # data that end further back may end in the brain


@dataclass(frozen=True, slots=True)
class Region:
    """Voxels to remove on the head's grid.

    Attributes
    ----------
    remove : ndarray of bool
        Face and ears, protected voxels left out; the air in front of the face included.
    field : ndarray of float32
        The same without steps, to be sampled between grid points: what goes lies above 0.5.
    sector : ndarray of bool
        Where a face is expected, whatever is protected.
    skin_depth : ndarray of float32
        Distance to the surface of the head, mm.
    side : ndarray of float32
        Depth under the smooth side of the head, mm; ears have less than 0.
    coordinates : tuple of ndarray
        MNI x, y, z of each grid point.
    """

    remove: Mask
    field: Array3
    sector: Mask
    skin_depth: Array3
    side: Array3
    coordinates: tuple[Array3, Array3, Array3]


def face_sector(x: Array3, y: Array3, z: Array3) -> Mask:
    """Say which points (MNI mm) lie in front of the surface behind which nothing is taken.

    On the midline the surface runs through y = 84 at z = 14 (brow), 66 at 0, 50 at -25 (eyes), 44 at -45,
    40 at -90 (mouth) and 38 at -140; it curves back by 0.0042 x^2, half of that from the eyes up.
    """
    return np.asarray((ahead(x, y, z) > 0.0) & (z < _TOP) & (z > _BOTTOM))


def ahead(x: Array3, y: Array3, z: Array3) -> Array3:
    """How far in front of the surface a point lies, mm."""
    middle = np.interp(z, _HEIGHTS, _DEPTHS)
    surface = middle - CURVE * x**2
    surface = np.where(z < -25.0, surface, np.maximum(surface, 50.0 - 0.002 * x**2))
    return np.asarray(y - surface, np.float32)


def choose(head: Head, pose: Alignment, protection: Protection) -> Region:
    """Decide which voxels go.

    Parameters
    ----------
    head : Head
    pose : Alignment
    protection : Protection

    Returns
    -------
    Region
    """
    spacing = head.grid.spacing
    x, y, z = head.grid.coordinates(pose.to_mni)
    sector = face_sector(x, y, z)
    skin_depth = _skin_depth(head, x, y, z)
    # a smooth cut shows nothing of the face and triggers no detector
    remove = (smoothed(sector, 3.0, spacing) > 0.5) & (skin_depth <= deepest(x, y, z))
    side = smooth_side(head)
    remove |= beside_ears(x, y, z) & skin(side)
    remove &= ~protection.keep
    # steps and ledges of the grid would look like eyes and mouths; 2 mm are far less than the brain's margin
    field = smoothed(remove, _SMOOTH_MM, spacing)
    field[protection.brain] = 0.0
    return Region(field > 0.5, field, sector, skin_depth, side, (x, y, z))


def deepest(x: Array3, y: Array3, z: Array3) -> Array3:
    """How deep under the skin (mm) the face is cut: at forehead and temples the scalp only, ending gently."""
    found = _limit(x, y, z)
    inside = np.clip(np.minimum(ahead(x, y, z), _TOP - z) / _FADE_MM, 0.0, 1.0)
    scalp = np.clip((2.0 * _SCALP - found) / _SCALP, 0.0, 1.0)
    return np.asarray(found * (1.0 - scalp * (1.0 - inside)), np.float32)


def _limit(x: Array3, y: Array3, z: Array3) -> Array3:
    """How deep under the skin (mm) may be cut."""
    forehead = np.interp(z, (-34.0, -25.0, -17.0), (_UNLIMITED, 12.0, _SCALP))
    temple = np.maximum.reduce(
        [
            np.interp(np.abs(x), (40.0, 48.0), (_UNLIMITED, _SCALP)),
            np.interp(z, (-54.0, -46.0), (_UNLIMITED, _SCALP)),
            np.interp(y, (-9.0, -3.0), (_UNLIMITED, _SCALP)),
        ]
    )
    return np.asarray(np.minimum(forehead, temple), np.float32)


def _skin_depth(head: Head, x: Array3, y: Array3, z: Array3) -> Array3:
    """Distance to the skin; where the data end in front at the skin of the brow, their end counts as skin.

    The mask of an MR head reaches a little beyond the skin: that rim is no depth.
    """
    at_skin = (z > -25.0) & (y + CURVE * x**2 > _SKIN_Y)
    # the face may look to any side of the grid: beyond each border it is open where the border is skin
    solid = ~np.pad(at_skin, 1, mode="edge")
    inner = (slice(1, -1),) * 3
    solid[inner] = head.mask | ~(head.grid.valid | at_skin)
    rim = head.mask & (depth(solid, head.grid.spacing)[inner] <= _RIM_MM) & ~tissue(head)
    solid[inner] &= ~rim
    return depth(solid, head.grid.spacing)[inner]


def tissue(head: Head) -> Mask:
    """Voxels that are not air."""
    return np.asarray(head.grid.values > air_below(head))


def air_below(head: Head) -> float:
    """Value up to which a voxel is air."""
    return head.skin - 50.0 if head.modality is Modality.CT else head.skin
