"""What the design's acceptance table asks beyond brain, faces, seconds and memory."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray
from PIL import Image as Pillow

from bench_parts import image_views
from bench_parts.image_heads import Image, Mask
from lethe.image.deface.render import View

if TYPE_CHECKING:
    from bench_parts.image import Peers

CARRIED = ("axes permuted", "turned", "prone", "oblique")
_VTK = Path(__file__).with_name("image_vtk.py")
_FACE_MM, _PARTS_MM, _EARS_MM = 4.0, 8.0, 62.0

Sighting = dict[str, float]


@dataclass
class Accepted:
    """One image.

    Attributes
    ----------
    identity, unfilled, earless : float or None
        Distance of the frontal view after from the one before in dlib's 128 dimensions, in the box of the
        face before: of the result, of the result without plug and wall, and with both ears hidden.
    in_box : float or None
        Share of the surface in the detector's box of the frontal view before that moved back more than 4 mm.
    five, many : float or None
        Share of MTCNN's five points, and of dlib's for eyes, nose and mouth, that moved back more than 8 mm.
    volume : float or None
        Relative change of the volume that one independent tool finds before and after.
    overlap : float or None
        Dice of the mask with that of the plain image, carried over.
    same_bytes : bool
        A second run gave the same image and mask.
    before, after : dict
        Faces from the design's other angles and on VTK's pictures, by the name of the view.
    """

    identity: float | None = None
    unfilled: float | None = None
    earless: float | None = None
    in_box: float | None = None
    five: float | None = None
    many: float | None = None
    volume: float | None = None
    overlap: float | None = None
    same_bytes: bool = False
    before: dict[str, Sighting] = field(default_factory=dict)
    after: dict[str, Sighting] = field(default_factory=dict)


def intracranial(image: Image) -> Mask:
    """Find the brain of a CT without any template: soft tissue that a ball of 6 mm can reach."""
    soft = ndi.gaussian_filter(image.values, 0.7)
    soft_tissue = (soft > -15) & (soft < 100)
    core = ndi.distance_transform_edt(soft_tissue, sampling=image.spacing) > 6
    labels, count = ndi.label(core)
    largest = labels == 1 + int(np.argmax(ndi.sum_labels(core, labels, range(1, count + 1))))
    near = ndi.distance_transform_edt(~largest, sampling=image.spacing) < 6
    return np.asarray(near & soft_tissue)


def dice(one: Mask, other: Mask) -> float:
    """Return how much two masks overlap."""
    return float(2.0 * np.count_nonzero(one & other) / max(1, one.sum() + other.sum()))


def earless(picture: Path) -> Path:
    """Hide what lies beside the face."""
    image = np.array(Pillow.open(picture))
    half = round(_EARS_MM / image_views.PIXEL_MM * image_views.ENLARGED)
    image[:, : image.shape[1] // 2 - half] = image[:, image.shape[1] // 2 + half :] = 0
    target = picture.with_name(f"{picture.stem}_earless.png")
    Pillow.fromarray(image).save(target)
    return target


def moved_at(before: View, after: View, points: list[list[float]]) -> float | None:
    """Return the share of places on a saved picture whose surface moved back more than 8 mm."""
    places = np.rint(np.asarray(points) / image_views.ENLARGED - image_views.BORDER).astype(int)
    inside = [
        (y, x) for x, y in places if 0 <= y < before.distance.shape[0] and 0 <= x < before.distance.shape[1]
    ]
    on_head = [place for place in inside if np.isfinite(before.distance[place])]
    if not on_head:
        return None
    return float(np.mean([after.distance[p] - before.distance[p] > _PARTS_MM for p in on_head]))


def moved_in(before: View, after: View, box: list[float]) -> float | None:
    """Return the share of the surface in a box of a saved picture that moved back more than 4 mm."""
    left, top, right, bottom = (max(0, round(n / image_views.ENLARGED - image_views.BORDER)) for n in box)
    one, other = (view.distance[top:bottom, left:right] for view in (before, after))
    seen = np.isfinite(one)
    return float(np.mean(other[seen] - one[seen] > _FACE_MM)) if seen.any() else None


class Judge:
    """Measures one image before and after."""

    def __init__(self, seeing: Peers, folder: Path) -> None:
        self._seeing, self._folder = seeing, folder

    def look(
        self, stage: image_views.Stage, image: Image, values: NDArray[np.float32]
    ) -> dict[str, Sighting]:
        """Look from the design's other angles, and with VTK."""
        angles = image_views.MORE_ANGLES
        own = image_views.views(stage, image, values, angles=angles)
        paths = image_views.save(own, self._folder, "more", angles)
        names = [f"{angle:+.0f} degrees" for angle in angles]
        grid = image_views.shown(stage, image, values)
        held = self._folder / "vtk.npz"
        np.savez(held, values=grid.values, spacing=grid.spacing, level=stage.level, air=image.air)
        places = np.argwhere(stage.solid)
        box = json.dumps([places.min(axis=0).tolist(), places.max(axis=0).tolist()])
        done = subprocess.run(
            [self._seeing.python, _VTK, held, self._folder, "head", box], capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"VTK cannot draw without a screen here: {done.stderr[-300:]}")
        seconds = json.loads(done.stdout.splitlines()[-1])
        names += [f"VTK view {number}" for number in range(len(seconds))]
        found = self._seeing.ask(do="faces", pictures=[*map(str, paths), *seconds])
        return dict(zip(names, found, strict=True))

    def likeness(self, accepted: Accepted, before: View, after: View, unfilled: View) -> None:
        """Compare the frontal views before, after, and after without plug and wall."""
        pictures = [
            image_views.save([view], self._folder, name, (0.0,))[0]
            for name, view in (("front_before", before), ("front_after", after), ("front_raw", unfilled))
        ]
        ask: Any = self._seeing.ask
        said = ask(do="likeness", before=str(pictures[0]), others=[str(path) for path in pictures[1:]])
        if not said:
            return
        hidden = [str(earless(path)) for path in pictures[:2]]
        bare = ask(do="likeness", before=hidden[0], others=hidden[1:])
        accepted.identity, accepted.unfilled = said["distances"]
        accepted.earless = bare["distances"][0] if bare else None
        accepted.in_box = moved_in(before, after, said["box"])
        accepted.five = moved_at(before, after, said["five"]) if said["five"] else None
        accepted.many = moved_at(before, after, said["many"])

    def volume(self, image: Image, source: Path, after: NDArray[np.float32], target: Path) -> float | None:
        """Let one independent tool find brain (MR) or the inside of the skull (CT) before and after."""
        if image.ct:
            counts = [int(intracranial(each).sum()) for each in (image, replace(image, values=after))]
        else:
            counts = []
            for path in (source, target):
                mask = self._folder / "volume.nii.gz"
                self._seeing.ask(do="brain", source=str(path), target=str(mask))
                counts.append(int(np.count_nonzero(np.asarray(nib.load(mask).dataobj))))  # type: ignore[attr-defined]
        return counts[1] / counts[0] - 1.0 if counts[0] else None
