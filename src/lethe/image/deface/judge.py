"""The verdict: from what was measured on the result, not from what was meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from .align import Alignment
from .bumps import FACE_Z, bumps_left, skin_ahead
from .ears import ears, share_removed
from .front import Front, front
from .grid import Array2, Array3
from .head import Head
from .morph import Mask, depth, dilate, distance_to
from .protect import SCALP_MINIMUM, Protection
from .region import Region, air_below, tissue
from .scene import Modality
from .template import Template

NMI_MINIMUM = 1.05
# echo-planar images that lost brain had 0.81 and 0.83; a CT with its pose 20 mm too high 0.86
OVERLAP_MINIMUM_MR, OVERLAP_MINIMUM_CT = 0.85, 0.87
SHARED_OVERLAP_MINIMUM = 0.75  # with a pose that another image confirms; a slab shows little but fluid
SCALE_LIMITS = (0.75, 1.35)  # a three-year-old needs 1.29 on one axis
CHILD_LIMITS = (0.82, 1.3)  # of what width and length of a small head ask for; its face is short
BARE_SHARE = 0.85
SKIN_MINIMUM = 0.70
CLEARANCE_MM = 2.0
FACE_MINIMUM_CM2 = 6.0
AIR_MINIMUM = 0.04
BRAIN_SEEN_ML = 40.0
VAULT_MINIMUM = 0.9  # heads have 0.94 and more, 0.75 where a large vault lost brain
UNEVEN = 4.0  # whole heads under a head coil have 1.2 to 2.9; up to 4 is evened out before the match
AHEAD_MM = -10.0  # real faces have -2 to 6
RECESSION_GONE_MM = 18.0
RECESSION_FAR_MM = 30.0
RECESSION_DOUBT_MM = 11.0
PRESENT_MINIMUM = 0.35  # of the face where its front cannot be measured; cut heads have 0.55 to 1
MOVED_MM = 8.0
MOVED_MINIMUM = 0.85
EARS_MINIMUM = 0.3  # the brain's margin reaches into the root of some; 0.38 and more show no ear
BUMPS_MAXIMUM_CM2 = 3.0  # foreheads have 0 to 2.5, a nose 5 and more
_SKIN_MM = 3.0
_DARKEST = 5  # percent of a head
_EDGE_MM, _SAME_VALUE, _EMPTIED = 4.0, 1e-3, 0.9
_DEEP_SEEN = 0.3  # share of the deep face that must be in view before its air says anything
_NECK_MIDDLE_Y = -15.0  # MNI; the deep face and its mirror image behind this plane


class Verdict(StrEnum):
    """What may happen with the result; only ``pass`` and ``no-face`` leave the intake project."""

    PASS = "pass"  # noqa: S105  (a verdict, not a password)
    NO_FACE = "no-face"
    REVIEW = "review"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the pose says about the face before anything is changed.

    Attributes
    ----------
    face_cm2 : float
        Area of facial skin that should be in view.
    face_present : float
        Share of the expected face that is tissue.
    front : Front
        Foremost points of the middle face; they lie far back in an image that was de-faced before.
    skin : ndarray of bool
        Facial skin of this head on its grid.
    ears : ndarray of bool
        What stands out of the smooth side of this head.
    air_ahead : float or None
        Share of air (nose, sinuses, mouth) in the deep face; None when too little of it is in view.
    air_behind : float or None
        The same where the face would be if front and back were swapped.
    emptied : bool
        Where a face is expected and no tissue is, there is one value: it was set, no scanner measured it.
    skin_ahead : ndarray of float32
        Where the skin lies, seen from the front (`lethe.image.deface.bumps`).
    bumps_cm2 : float
        Area of skin that stands out like a nose, from the brow to the mouth.
    """

    face_cm2: float
    face_present: float
    front: Front
    skin: Mask
    ears: Mask
    air_ahead: float | None
    air_behind: float | None
    emptied: bool
    skin_ahead: Array2
    bumps_cm2: float


def expect(head: Head, template: Template, pose: Alignment, region: Region) -> Expectation:
    """Predict how much face is in view and how much of it is there.

    Parameters
    ----------
    head : Head
    template : Template
    pose : Alignment
    region : Region

    Returns
    -------
    Expectation
    """
    grid = head.grid
    model = grid.carry(template.skin().astype(np.float32), template.affine, pose.to_mni) > 0.5
    shell = model & (depth(model, grid.spacing) <= grid.spacing) & region.sector & grid.valid
    inside = model & region.remove & region.sector & grid.valid
    present = float((inside & tissue(head)).sum() / max(int(inside.sum()), 1))
    skin = head.mask & region.sector & (depth(head.mask | ~grid.valid, grid.spacing) <= _SKIN_MM)
    ahead, behind = _air_shares(head, pose, region)
    area = float(shell.sum()) * grid.spacing**2 / 100.0
    solid = tissue(head) & head.mask
    surface = front(grid, solid, template, pose)
    gone = inside & ~dilate(tissue(head), _EDGE_MM, grid.spacing)
    emptied = _one_value(grid.values[gone], grid.values)
    outline = skin_ahead(grid, solid, pose)
    return Expectation(
        face_cm2=area,
        face_present=present,
        front=surface,
        skin=skin & tissue(head),
        ears=ears(region.side, *region.coordinates) & tissue(head) & grid.valid,
        air_ahead=ahead,
        air_behind=behind,
        emptied=emptied,
        skin_ahead=outline,
        bumps_cm2=bumps_left(outline, outline, FACE_Z),
    )


def _one_value(part: Array3, whole: Array3) -> bool:
    if not part.size:
        return False
    near = np.abs(part - np.median(part)) < _SAME_VALUE * float(whole.max() - whole.min())
    return bool(np.mean(near) > _EMPTIED)


def _air_shares(head: Head, pose: Alignment, region: Region) -> tuple[float | None, float | None]:
    """Look for the air of nose and sinuses, which the back of the neck does not have.

    This is the one thing that tells front from back without the template.
    """
    values = head.grid.values
    if head.modality is Modality.CT:
        dark = values < -300.0
    else:  # noise, an offset or a bent grey scale lift the air; the darkest of a head is air or bone in all
        usual, darkest = np.percentile(values[head.mask & head.grid.valid], (50, _DARKEST)).tolist()
        dark = values < max(0.25 * usual, 0.8 * head.skin, darkest)
    inside = head.mask & head.grid.valid
    x, y, z = region.coordinates
    shares = []
    for depth_y in (y, 2 * _NECK_MIDDLE_Y - y):
        deep = (np.abs(x) < 40.0) & (depth_y > 10.0) & (depth_y < 75.0) & (z > -105.0) & (z < -25.0) & inside
        whole = 80.0 * 65.0 * 80.0 / abs(float(np.linalg.det(pose.to_mni[:3, :3])))
        seen = float(deep.sum()) * head.grid.spacing**3 / whole
        shares.append(float((dark & deep).sum() / deep.sum()) if seen > _DEEP_SEEN else None)
    return shares[0], shares[1]


def _swapped(expectation: Expectation) -> bool:
    ahead = expectation.air_ahead
    if ahead is None:
        return False
    behind = expectation.air_behind
    if behind is None:
        return ahead < AIR_MINIMUM
    return ahead < 1.5 * behind or ahead < 0.5 * AIR_MINIMUM


@dataclass(frozen=True, slots=True)
class Effect:
    """What changed, measured between the file before and the file after.

    Attributes
    ----------
    brain_changed : int
        Voxels of the file that changed inside the brain.
    clearance_mm : float
        Shortest distance between a removed and a brain cell.
    skin_removed : float
        Share of the facial skin that is gone.
    front_moved : float or None
        Share of the middle face (eyes, nose, mouth) whose surface moved back by more than 8 mm.
    ears_removed : float or None
        Share of the ears that is gone; None where there is hardly an ear.
    removed_ml : float
        Tissue that is gone.
    bumps_cm2 : float
        Area of skin that stays in front and stands out like a nose.
    """

    brain_changed: int
    clearance_mm: float
    skin_removed: float
    front_moved: float | None
    ears_removed: float | None
    removed_ml: float
    bumps_cm2: float


def measure(
    head: Head,
    template: Template,
    pose: Alignment,
    protection: Protection,
    expectation: Expectation,
    changed: Array3,
    after: Array3,
    brain_changed: int,
) -> Effect:
    """Measure the effect on the head's grid.

    Parameters
    ----------
    head : Head
    template : Template
    pose : Alignment
    protection : Protection
    expectation : Expectation
    changed : ndarray of float32
        Share of voxels that changed in each grid cell.
    after : ndarray of float32
        The result on the head's grid.
    brain_changed : int
        Voxels of the file that changed inside the brain.

    Returns
    -------
    Effect
    """
    gone = changed > 0.5
    brain = protection.brain & head.grid.valid
    away = distance_to(gone, head.grid.spacing)
    clearance = float(away[brain].min()) if brain.any() and gone.any() else float("inf")
    skin = expectation.skin
    solid = (after > air_below(head)) & head.mask
    left = front(head.grid, solid, template, pose)
    return Effect(
        brain_changed=brain_changed,
        clearance_mm=clearance,
        skin_removed=float((gone & skin).sum() / skin.sum()) if skin.any() else 1.0,
        front_moved=expectation.front.moved(left, MOVED_MM),
        ears_removed=share_removed(expectation.ears, gone, head.grid.voxel_ml),
        removed_ml=float((gone & tissue(head)).sum()) * head.grid.voxel_ml,
        bumps_cm2=bumps_left(expectation.skin_ahead, skin_ahead(head.grid, solid, pose)),
    )


def bare_confirmed(head: Head, protection: Protection) -> bool:
    """Say whether the pose agrees that only a brain is in the image; no bone in a CT is enough."""
    return head.modality is Modality.CT or protection.share_of_head > BARE_SHARE


def faceless(expectation: Expectation) -> str | None:
    """Say why an image shows no face, or None when it does or may."""
    smooth = expectation.bumps_cm2 <= BUMPS_MAXIMUM_CM2
    if smooth and expectation.face_cm2 < FACE_MINIMUM_CM2:
        return "face-not-in-view"
    recession = expectation.front.recession_mm
    # under a large brain case a whole face lies that far back, too; cuts that leave bumps lie further back
    gone = RECESSION_GONE_MM if smooth else RECESSION_FAR_MM
    # the faint face of an echo-planar image is not gone
    if recession is not None and recession >= gone and expectation.emptied:
        return "already-defaced"
    return None


def _too_far_ahead(expectation: Expectation) -> bool:
    """No face reaches so far in front of the average one; the pose is wrong."""
    recession = expectation.front.recession_mm
    return recession is not None and recession < AHEAD_MM


def _plausible(pose: Alignment) -> bool:
    low, high = SCALE_LIMITS
    if pose.expected_size != 1.0:
        low, high = (limit * pose.expected_size for limit in CHILD_LIMITS)
    return low <= pose.scales[0] and pose.scales[2] <= high


def doubts(
    pose: Alignment,
    protection: Protection,
    expectation: Expectation,
    *,
    oriented: bool,
    extended: bool,
    uneven: float = 1.0,
    folded: bool = False,
) -> list[str]:
    """Return the reasons not to trust the pose or the file, whatever was removed."""
    confirmed = OVERLAP_MINIMUM_MR if protection.skull_found is None else OVERLAP_MINIMUM_CT
    if pose.shared_nmi is not None:
        confirmed = SHARED_OVERLAP_MINIMUM
    found = {
        "weak-match": pose.nmi < NMI_MINIMUM,
        "implausible-size": not _plausible(pose),
        "second-pose": pose.nmi - pose.runner_up < (0.02 if pose.turned else 0.004),
        "front-unsure": _swapped(expectation) or _too_far_ahead(expectation),
        "brain-not-confirmed": protection.overlap < confirmed
        or protection.vault < VAULT_MINIMUM
        or protection.seen_ml < BRAIN_SEEN_ML,
        "uneven-brightness": uneven > UNEVEN,
        # a pose from another image of the session does not ask this one
        "scalp-unseen": protection.scalp < SCALP_MINIMUM and pose.shared_nmi is None,
        "metal-streaks": protection.streaks,
        "front-folded": folded,
        "no-orientation": not oriented,
        "header-extension": extended,
    }
    return [name for name, holds in found.items() if holds]


def verdict(
    expectation: Expectation, effect: Effect, doubtful: Sequence[str], *, bare: bool = False
) -> tuple[Verdict, list[str]]:
    """Judge a result.

    Parameters
    ----------
    expectation : Expectation
    effect : Effect
    doubtful : sequence of str
        From `doubts`.
    bare : bool
        The image looks like a brain that was cut out, which makes any doubtful cut one through brain.

    Returns
    -------
    (Verdict, list of str)
        The verdict and its reasons; the list is empty for ``pass``.
    """
    fatal = ["brain-changed"] if effect.brain_changed or (bare and doubtful) else []
    reasons = list(doubtful)
    if effect.skin_removed < SKIN_MINIMUM:
        reasons.append("face-remains")
    if effect.clearance_mm < CLEARANCE_MM:
        reasons.append("close-to-brain")
    if effect.front_moved is not None and effect.front_moved < MOVED_MINIMUM:
        reasons.append("front-remains")
    if effect.ears_removed is not None and effect.ears_removed < EARS_MINIMUM:
        reasons.append("ears-remain")
    if effect.bumps_cm2 > BUMPS_MAXIMUM_CM2:
        reasons.append("forehead-uneven")
    recession = expectation.front.recession_mm
    hidden = recession is None and expectation.face_present < PRESENT_MINIMUM
    if hidden or (recession is not None and recession > RECESSION_DOUBT_MM):
        reasons.append("face-partly-missing")
    if fatal:
        return Verdict.FAIL, fatal + reasons
    return (Verdict.REVIEW, reasons) if reasons else (Verdict.PASS, [])


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 3)


def as_numbers(
    pose: Alignment, protection: Protection, expectation: Expectation, effect: Effect
) -> dict[str, Any]:
    """Return the measures for the report, rounded so that equal input gives equal text."""
    return {
        "nmi": round(pose.nmi, 4),
        "second_nmi": round(pose.runner_up, 4),
        "inside": round(pose.inside, 3),
        "expected_size": round(pose.expected_size, 2),
        "scales": [round(s, 3) for s in pose.scales],
        "brain_overlap": round(protection.overlap, 3),
        "vault": round(protection.vault, 3),
        "skull_found": protection.skull_found,
        "face_in_view_cm2": round(expectation.face_cm2, 1),
        "air_ahead": _rounded(expectation.air_ahead),
        "air_behind": _rounded(expectation.air_behind),
        "turned": pose.turned,
        "shared_nmi": None if pose.shared_nmi is None else round(pose.shared_nmi, 4),
        "face_present": round(expectation.face_present, 3),
        "recession_mm": expectation.front.recession_mm,
        "front_moved": _rounded(effect.front_moved),
        "skin_removed": round(effect.skin_removed, 3),
        "ears_removed": _rounded(effect.ears_removed),
        "clearance_mm": round(effect.clearance_mm, 1) if np.isfinite(effect.clearance_mm) else None,
        "brain_changed": effect.brain_changed,
        "removed_ml": round(effect.removed_ml, 1),
        "bumps_cm2": round(effect.bumps_cm2, 1),
    }
