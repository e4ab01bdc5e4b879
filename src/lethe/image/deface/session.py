"""One pose for a session: images in the same scanner coordinates help one another.

Call `deface_session` with all images of a session. Each is first matched with the average head by itself. Of
the images that share a frame of reference, the finest one whose own match is free of doubt becomes the
reference. Its pose is carried to the others by their affines, when two things hold: the frame of reference is
the same, and the two images really lie on one another, which is measured (a search by mutual information must
find its best within 10 mm and 8 degrees, clearly better than when the images are pushed apart). A small
movement between the series is corrected. Only images that need it take the pose: those with doubts of their
own, those too thin or too poor for a match, and those with much thicker slices. The brain is protected, the
face removed and the verdict measured on each image itself; without a reference an image stands alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.ndimage as ndi
from scipy.optimize import minimize

from lethe.errors import Outcome, Refused

from .align import Alignment, Vector, image_bins, information, rotation
from .engine import DefaceReport, Plan, check_places, deface_plan, make_plan
from .grid import Affine
from .head import Head, find_head
from .io import open_volume
from .morph import dilate
from .scene import read_scene

_SEED = 0
_POINTS = 5000
_UNIT = 80.0
_LIMIT_MM, _LIMIT_DEG = 10.0, 8.0
_APART_MM = 20.0
_GAIN = 0.002  # a correction must be worth it
_CLEAR = 0.006  # how much better than pushed apart
_THICKER = 1.6


@dataclass(frozen=True, slots=True)
class SessionImage:
    """One image of a session and where its results go.

    Attributes
    ----------
    source, target : Path
        As for `deface_file`.
    frame : str
        Frame of reference, such as the DICOM UID. Images with equal names share scanner coordinates; one
        without a name shares them with none.
    modality : {"auto", "ct", "mr"}
    mask, pictures, report : Path, optional
        As for `deface_file`.
    """

    source: Path
    target: Path
    frame: str = ""
    modality: str = "auto"
    mask: Path | None = None
    pictures: Path | None = None
    report: Path | None = None


@dataclass(frozen=True, slots=True)
class SessionResult:
    """What became of one image.

    Attributes
    ----------
    image : SessionImage
    report : DefaceReport or None
        None when the image was refused.
    refusal : Outcome or None
        Why nothing was written for it.
    """

    image: SessionImage
    report: DefaceReport | None
    refusal: Outcome | None

    def as_dict(self) -> dict[str, Any]:
        """Return report or refusal as for ``report.json``."""
        if self.report is not None:
            return self.report.as_dict()
        return {"verdict": "refused", "reasons": [] if self.refusal is None else [self.refusal.as_dict()]}


@dataclass(frozen=True, slots=True)
class Reference:
    """An image whose pose can be trusted.

    Attributes
    ----------
    head : Head
    pose : Alignment
    thickness : float
        Longest side of its voxels, mm.
    """

    head: Head
    pose: Alignment
    thickness: float


def deface_session(
    images: Sequence[SessionImage], *, progress: Callable[[], object] = lambda: None
) -> list[SessionResult]:
    """De-face the images of one session.

    Parameters
    ----------
    images : sequence of SessionImage
    progress : callable
        Called twice for every image: when it was matched and when it is done.

    Returns
    -------
    list of SessionResult
        In the order of `images`. One refused image does not stop the others; whether it holds the session
        back is for the caller to decide.

    Raises
    ------
    Misconfigured
        When a source is an output too, or an output folder does not exist; nothing was written.
    """
    for image in images:
        outputs = (image.target, image.mask, image.report, image.pictures)
        check_places(image.source, [path for path in outputs if path is not None])
    references: dict[str, Reference] = {}
    needy: list[bool] = []
    for image in images:
        plan = _alone(image) if image.frame else None
        needy.append(plan is None or bool(plan.doubts))
        progress()
        if plan is None or needy[-1]:
            continue
        thickness, best = float(plan.scene.volume.spacing.max()), references.get(image.frame)
        if best is None or thickness < 0.99 * best.thickness:
            references[image.frame] = Reference(plan.head, plan.pose, thickness)
    results = []
    for image, poor in zip(images, needy, strict=True):
        results.append(_second(image, references.get(image.frame), needy=poor))
        progress()
    return results


def images_of_folder(
    folder: Path,
    target: Path,
    *,
    same_frame: bool = False,
    modality: str = "auto",
    masks: Path | None = None,
    pictures: Path | None = None,
    reports: Path | None = None,
) -> list[SessionImage]:
    """Name the images of a session that lie in one folder, and where their results go.

    Parameters
    ----------
    folder : Path
        With ``.nii`` and ``.nii.gz`` files. A sidecar that holds ``FrameOfReferenceUID`` names the frame.
    target : Path
        Folder for the de-faced images, which keep their names.
    same_frame : bool
        All images share scanner coordinates, whatever the sidecars hold.
    modality : {"auto", "ct", "mr"}
    masks, pictures, reports : Path, optional
        Folders for these; pictures get a folder for each image.

    Raises
    ------
    Refused
        ``no-image`` when the folder holds no NIfTI file.
    """
    found = sorted(path for path in folder.iterdir() if path.name.endswith((".nii", ".nii.gz")))
    if not found:
        raise Refused("no-image", "The folder holds no NIfTI image.", remedy="Convert the session first.")
    for place in (target, masks, pictures, reports):
        if place is not None:
            place.mkdir(parents=True, exist_ok=True)
    images = []
    for path in found:
        stem = path.name.removesuffix(".gz").removesuffix(".nii")
        images.append(
            SessionImage(
                path,
                target / path.name,
                frame="same" if same_frame else _frame_of(path.with_name(f"{stem}.json")),
                modality=modality,
                mask=masks and masks / path.name,
                pictures=pictures and pictures / stem,
                report=reports and reports / f"{stem}.json",
            )
        )
    return images


def _frame_of(sidecar: Path) -> str:
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        return ""
    found = content.get("FrameOfReferenceUID") if isinstance(content, dict) else None
    return found if isinstance(found, str) else ""


def _alone(image: SessionImage) -> Plan | None:
    """Match an image by itself; None when that is impossible, which the second round says in full."""
    try:
        return make_plan(image.source, modality=image.modality)
    except Refused:
        return None


def _second(image: SessionImage, reference: Reference | None, *, needy: bool) -> SessionResult:
    pictures = image.pictures is not None
    try:
        plan = None
        if reference is not None:
            plan = carried_plan(image, reference, needy=needy, pictures=pictures)
        if plan is None:
            plan = make_plan(image.source, modality=image.modality, pictures=pictures)
        made = deface_plan(plan, image.target, mask=image.mask, pictures=image.pictures, report=image.report)
    except Refused as refusal:
        return SessionResult(image, None, refusal)
    return SessionResult(image, made, None)


def carried_plan(
    image: SessionImage, reference: Reference, *, needy: bool, pictures: bool = False
) -> Plan | None:
    """Plan an image with the pose of another one, or return None when its own is better.

    Parameters
    ----------
    image : SessionImage
    reference : Reference
        In the same frame of reference.
    needy : bool
        The image's own match is doubtful or impossible.
    pictures : bool

    Raises
    ------
    Refused
        When the image cannot be read or shows no head at all.
    """
    volume = open_volume(image.source, thin=True)
    if not needy and volume.spacing.max() < _THICKER * reference.thickness:
        return None
    head = find_head(read_scene(volume, image.modality), thin=True)
    agreement = agree(head, reference.head)
    if agreement is None:
        return None
    to_mni = reference.pose.to_mni @ agreement.move
    pose = replace(reference.pose, to_mni=to_mni, shared_nmi=agreement.nmi)
    return make_plan(image.source, modality=image.modality, pictures=pictures, pose=pose)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How one image lies on another in the same scanner coordinates.

    Attributes
    ----------
    move : ndarray, shape (4, 4)
        Millimetres of the image to millimetres of the other; the identity when nobody moved.
    nmi : float
        Normalised mutual information of the two.
    """

    move: Affine
    nmi: float


def agree(head: Head, other: Head) -> Agreement | None:
    """Measure whether two images of one frame of reference lie on one another.

    Parameters
    ----------
    head, other : Head

    Returns
    -------
    Agreement or None
        None when they do not overlap, or the patient moved too far, or the match says nothing.
    """
    measure = _Pair(head, other)
    nothing = np.zeros(6)
    still = measure.score(nothing)
    if still is None:
        return None
    found = minimize(
        measure.cost,
        nothing,
        method="Powell",
        options={"xtol": 0.2, "ftol": 1e-5, "maxfev": 500, "direc": np.diag([2.0, 2, 2, 2, 2, 2])},
    )
    pose = np.asarray(found.x, np.float64)
    best = -float(found.fun)
    if best < still + _GAIN:
        pose, best = nothing, still
    if not _within(pose):
        return None
    apart = [score for score in map(measure.score, _shifts(pose)) if score is not None]
    if not apart or best < max(apart) + _CLEAR:
        return None
    return Agreement(measure.matrix(pose), best)


def _within(pose: Vector) -> bool:
    return bool(
        np.linalg.norm(pose[:3]) <= _LIMIT_MM and np.rad2deg(np.abs(pose[3:]).max() / _UNIT) <= _LIMIT_DEG
    )


def _shifts(pose: Vector) -> Iterable[Vector]:
    for axis in range(3):
        for way in (-_APART_MM, _APART_MM):
            shifted = pose.copy()
            shifted[axis] += way
            yield shifted


class _Pair:
    """Scores of one image pushed into another."""

    def __init__(self, head: Head, other: Head) -> None:
        near = np.argwhere(dilate(head.mask, 10.0, head.grid.spacing) & head.grid.valid)
        rng = np.random.default_rng(_SEED)
        chosen = near[rng.choice(len(near), min(_POINTS, len(near)), replace=False)]
        grid = head.grid
        self._places = (chosen @ grid.affine[:3, :3].T + grid.affine[:3, 3]).T
        self._centre = self._places.mean(axis=1)
        self._bins = image_bins(head)[tuple(chosen.T)]
        self._values = np.where(other.grid.valid, image_bins(other), -500).astype(np.float32)
        self._to_index = np.linalg.inv(other.grid.affine)

    def matrix(self, pose: Vector) -> Affine:
        """Millimetres of the image to those of the other."""
        move = np.eye(4)
        move[:3, :3] = rotation(*(pose[3:] / _UNIT))
        move[:3, 3] = self._centre + pose[:3] - move[:3, :3] @ self._centre
        return move

    def score(self, pose: Vector) -> float | None:
        """Normalised mutual information; None when fewer than a third of the points meet."""
        whole = self._to_index @ self.matrix(pose)
        places = whole[:3, :3] @ self._places + whole[:3, 3:4]
        landed = np.asarray(
            ndi.map_coordinates(self._values, places, order=1, cval=-500.0, prefilter=False), np.float32
        )
        inside = landed > -0.5
        if inside.mean() < 1 / 3:
            return None
        return information(landed[inside], self._bins[inside])

    def cost(self, pose: Vector) -> float:
        """Minus the score, plus a wall at the limits."""
        score = self.score(pose)
        if score is None:
            return 0.0
        far = max(0.0, float(np.linalg.norm(pose[:3])) - 1.2 * _LIMIT_MM)
        turned = max(0.0, float(np.rad2deg(np.abs(pose[3:]).max() / _UNIT)) - 1.2 * _LIMIT_DEG)
        return 0.01 * (far + turned) - score
