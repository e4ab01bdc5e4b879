"""Intracranial and brain volume, from the masks that protect the brain.

Good enough to see that groups of patients differ, not to follow one patient: the grid has 2 mm, and in CT
fluid, grey and white matter lie a few Hounsfield units apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

from .align import Alignment
from .head import Head
from .morph import Mask
from .protect import Protection
from .scene import Modality
from .template import Template

_WHOLE = 0.98
_TISSUE_HU = (16.0, 100.0)  # fluid has 0 to 12, grey and white matter 22 to 45, fresh blood up to 90


@dataclass(frozen=True, slots=True)
class Volumes:
    """Volumes in millilitres; None where the image cannot say.

    Attributes
    ----------
    intracranial_ml : float or None
        CT that shows the whole inside of an intact skull: that space, fluid included. None in MR, where the
        skull is as dark as the fluid may be.
    brain_ml : float or None
        CT: what is denser than fluid in that space. MR that shows the whole brain: the brain with its
        ventricles and furrows, 6 % too small to 2 % too large against a trained tool on six heads.
    """

    intracranial_ml: float | None = None
    brain_ml: float | None = None


def volumes(head: Head, template: Template, pose: Alignment, protection: Protection) -> Volumes:
    """Measure intracranial and brain volume.

    Parameters
    ----------
    head : Head
    template : Template
    pose : Alignment
    protection : Protection

    Returns
    -------
    Volumes
    """
    cell = abs(float(np.linalg.det(template.affine[:3, :3] @ np.linalg.inv(pose.to_mni[:3, :3])))) / 1000.0
    if protection.seen_ml < _WHOLE * cell * float((template.brain > 0.5).sum()):
        return Volumes()
    inside = protection.brain & head.grid.valid
    if head.modality is Modality.MR:
        return Volumes(brain_ml=_millilitres(inside, head))
    if not protection.skull_found:
        return Volumes()
    soft = ndi.gaussian_filter(head.grid.values, 0.6)
    dense = inside & (soft > _TISSUE_HU[0]) & (soft < _TISSUE_HU[1])
    return Volumes(_millilitres(inside, head), _millilitres(np.asarray(dense), head))


def _millilitres(mask: Mask, head: Head) -> float:
    return float(round(float(mask.sum()) * head.grid.voxel_ml))
