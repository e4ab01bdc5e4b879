"""What may never change: the brain, found twice, with a margin.

Once by the template and once by the image itself: in CT the space inside the skull, in MR tissue that hangs
together with the brain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.ndimage as ndi

from .align import Alignment
from .artefacts import metal_streaks, scalp_shown
from .grid import Array3
from .head import Head, evened
from .morph import CROSS, Mask, closed, depth, dilate, erode, opened
from .scene import Modality
from .template import Template

_ASTRAY_MM = 10.0
_LEAK_MM, _MR_LEAK_MM, _FACE_Y = 12.0, 5.0, 10.0
_BURIED_MM = 8.0  # eyes lie at the skin
_SHOWN_MM = 6.0
_FAR_MM, _MORE_MM = 26.0, 4.0  # where the fat is suppressed
SCALP_MINIMUM = 0.45  # share of the scalp that is seen
_CHILD = 1.4  # how much larger the template is than the head of a small child
_BULGE_CELLS = 8
_VAULT_Z, _SCALP_Z = -23.0, 20.0  # MNI
_GUARD_MM = 7.0
_DEEP_MM, _VAULT_MM = 20.0, 6.0
_END_MM = 10.0


@dataclass(frozen=True, slots=True)
class Protection:
    """The protected voxels on the head's grid.

    Attributes
    ----------
    keep : ndarray of bool
        May not change; margin included.
    brain : ndarray of bool
        Brain as well as it is known, without margin; for measuring.
    skin_depth : ndarray of float32
        Distance to the surface of the head, mm; the end of the data is not a surface.
    skull_found : bool or None
        CT: whether the space inside the skull was found; None in MR.
    overlap : float
        Share of the visible template brain that the image's own brain space covers.
    seen_ml : float
        How much of the template brain is in view.
    share_of_head : float
        How much of the head is template brain: half of a head, nearly all of a brain that was cut out.
    streaks : bool
        CT: metal throws streaks through the brain that look like air.
    scalp : float
        MR: share of the scalp that can be seen; 1 in CT.
    vault : float
        Share of what lies deep in the head above the eyes that is template brain or close to it.
    """

    keep: Mask
    brain: Mask
    skin_depth: Array3
    skull_found: bool | None
    overlap: float
    seen_ml: float
    share_of_head: float
    streaks: bool
    scalp: float
    vault: float


@dataclass(frozen=True, slots=True)
class _Found:
    """What is asked of each kind of image in a way of its own; see `Protection`."""

    keep: Mask
    brain: Mask
    skull_found: bool | None
    overlap: float


def protect(head: Head, template: Template, pose: Alignment) -> Protection:
    """Find what may never change.

    Parameters
    ----------
    head : Head
    template : Template
    pose : Alignment

    Returns
    -------
    Protection
    """
    spacing = head.grid.spacing
    expected = head.grid.carry(template.brain, template.affine, pose.to_mni)
    skin_depth = depth(head.mask | ~head.grid.valid, spacing)
    scalp = scalp_shown(head, skin_depth, head.grid.coordinates(pose.to_mni)[2] > _SCALP_Z)
    if head.modality is Modality.CT:
        found = _protect_ct(head, expected, pose)
    else:
        found = _protect_mr(head, expected, pose, scalp)
        if pose.shared_nmi is None:
            found = replace(found, overlap=min(found.overlap, _deep_share(head, expected, skin_depth)))
    return Protection(
        found.keep,
        found.brain,
        skin_depth,
        found.skull_found,
        found.overlap,
        seen_ml=float(((expected > 0.5) & head.grid.valid).sum()) * head.grid.voxel_ml,
        share_of_head=_share(expected > 0.3, head.mask),
        streaks=metal_streaks(head, expected),
        scalp=scalp,
        vault=_vault_share(head, expected, skin_depth, pose),
    )


def _share(part: Mask, whole: Mask) -> float:
    return float((part & whole).sum() / max(int(whole.sum()), 1))


def _protect_ct(head: Head, expected: Array3, pose: Alignment) -> _Found:
    spacing = head.grid.spacing
    inner = np.zeros_like(head.mask) if head.brain is None else head.brain
    space = _skull_space(head, expected)
    overlap = _share(space | inner, (expected > 0.5) & head.grid.valid)
    if head.brain is not None:
        # the skull knows better than the template; where they contradict, the pose is wrong
        overlap = min(overlap, _share(dilate(expected > 0.3, _ASTRAY_MM, spacing), inner))
    if overlap > 0.8:
        _, y, z = head.grid.coordinates(pose.to_mni)
        inner = inner & _no_face(expected, y, z, spacing, _LEAK_MM)
        cavity = space | inner
        keep = dilate(cavity, 6.0, spacing) | erode(expected > 0.3, 2.0, spacing)
        # where the data end, the skull is open
        keep |= dilate(expected > 0.3, 8.0, spacing) & _at_end(head)
        if head.parts is not None:
            # through a hole in the vault the brain may bulge up to the skin; below lie the orbits
            free = cavity | (head.parts.free & (z > _VAULT_Z))
            bulge = ndi.binary_dilation(cavity, CROSS, iterations=_BULGE_CELLS, mask=free)
            keep |= dilate(bulge & (z > _VAULT_Z), 3.0, spacing)
        brain = cavity & (expected > 0.02) | inner
        return _Found(keep, brain, True, overlap)
    # craniectomy, heavy metal, cut skull: only the template knows where the rest of the brain is
    keep = dilate((expected > 0.3) | inner, 8.0, spacing)
    return _Found(keep, (expected > 0.5) | inner, False, overlap)


def _skull_space(head: Head, expected: Array3) -> Mask:
    """The space inside the skull that overlaps the expected brain most."""
    spacing, parts = head.grid.spacing, head.parts
    if parts is None:
        return np.zeros_like(head.mask)
    free = parts.free
    core = parts.roomy & dilate(expected > 0.5, 12.0, spacing)
    labels, count = ndi.label(core)
    if not count:
        return np.zeros_like(head.mask)
    weights = ndi.sum_labels(expected, labels, np.arange(1, count + 1))
    space: Mask = np.asarray(labels == 1 + int(np.argmax(weights)))
    allowed = free & dilate(expected > 0.5, 9.0, spacing)
    grown = ndi.binary_dilation(space, CROSS, iterations=3, mask=allowed | space)
    # where the data end, the ball met the end of the data and not the skull
    grown = ndi.binary_dilation(grown, CROSS, iterations=6, mask=(allowed & _at_end(head)) | grown)
    return np.asarray(grown | (dilate(space, 2.5, spacing) & free), bool)


def _at_end(head: Head) -> Mask:
    beyond = np.pad(~head.grid.valid, 1, constant_values=True)
    return dilate(beyond, _END_MM, head.grid.spacing)[1:-1, 1:-1, 1:-1]


def _no_face(expected: Array3, y: Array3, z: Array3, spacing: float, leak: float) -> Mask:
    """Say where brain may be: orbits and tongue hang together with it when no fat is between them."""
    return np.asarray((z > _VAULT_Z) | (y < _FACE_Y) | dilate(expected > 0.3, leak, spacing))


def _shut(head: Head) -> Mask:
    """Return the head closed where the data end: brain at the end of the data lies under no skin."""
    solid = np.pad(head.mask | ~head.grid.valid, 1, constant_values=True)
    return closed(solid, 8.0, head.grid.spacing)[1:-1, 1:-1, 1:-1]


def _protect_mr(head: Head, expected: Array3, pose: Alignment, scalp: float) -> _Found:
    spacing, (_, y, z) = head.grid.spacing, head.grid.coordinates(pose.to_mni)
    # an infant's head is laid onto the template as exactly as a child's, in proportion to its size
    size = min(1.0, _CHILD / pose.expected_size)
    likely = expected > 0.5
    core = erode(likely, 2.0, spacing)
    keep = dilate(expected > 0.3, 10.0 * size, spacing)
    if not (core & head.grid.valid).any():
        return _Found(keep, likely, None, 0.0)
    values = evened(head)
    inside = values[core & head.grid.valid]
    skin_distance = depth(_shut(head), spacing)
    # grey matter lies near the median, but far below it in images of strong contrast
    bright = values > min(0.45 * float(np.median(inside)), 0.7 * float(np.percentile(inside, 20)))
    # where the fat is suppressed, the skin seems to lie at the brain
    bare = scalp < SCALP_MINIMUM
    reach, at_skin = (_FAR_MM, 0.0) if bare else (13.0, 2.5)
    # the skull is dark in every MR contrast: bright tissue that hangs together with the brain is brain
    allowed = bright & dilate(likely, reach, spacing) & (skin_distance > 1.6 * at_skin * size)
    steps = int(reach / spacing) + 2
    grown = np.asarray(ndi.binary_dilation(core, CROSS, iterations=steps, mask=allowed | core))
    grown = opened(grown, 3.0, spacing) | core
    # sulci and the fluid around the brain are dark: closing takes them in before the margin is added
    margin = (_GUARD_MM + (_MORE_MM if bare else 0.0)) * size
    guard = dilate(closed(grown, 4.0, spacing), margin, spacing) & (skin_distance > at_skin)
    overlap = _share(bright, likely & head.grid.valid)
    brain = likely | (grown & (expected > 0.02))
    if head.brain is not None:
        # where the brain that the image shows and the template's contradict, the pose is wrong
        overlap = min(overlap, _share(dilate(expected > 0.3, _ASTRAY_MM, spacing), head.brain))
        inner = head.brain & _no_face(expected, y, z, spacing, _MR_LEAK_MM)
        inner |= _buried(head.brain & ~inner, skin_distance, _BURIED_MM * size)
        guard |= dilate(inner, _SHOWN_MM * size, spacing) & (skin_distance > at_skin)
        brain |= inner
    return _Found(keep | guard, brain, None, overlap)


def _buried(parts: Mask, below: Array3, least: float) -> Mask:
    """Keep the connected parts that nowhere come closer to the skin than `least` mm."""
    labels, count = ndi.label(parts)
    if not count:
        return parts
    nearest = ndi.minimum(below, labels, np.arange(1, count + 1))
    return np.asarray(np.append(False, nearest >= least)[labels])


def _vault_share(head: Head, expected: Array3, skin_depth: Array3, pose: Alignment) -> float:
    """Ask whether the template fills the vault: in a large one it may have been matched to the face alone."""
    above = head.grid.coordinates(pose.to_mni)[2] > 0.0
    deep = head.mask & head.grid.valid & above & (skin_depth > _DEEP_MM)
    if not deep.any():
        return 1.0
    return _share(dilate(expected > 0.3, _VAULT_MM, head.grid.spacing), deep)


def _deep_share(head: Head, expected: Array3, skin_depth: Array3) -> float:
    """What lies deepest in a head is mostly brain, whatever the template says: twice its share, 1 if half is.

    A thin slab has no depth; its pose comes from another image.
    """
    deep = skin_depth > 0.7 * float(skin_depth[head.mask].max())
    return 2.0 * _share(expected > 0.3, head.mask & head.grid.valid & deep)
