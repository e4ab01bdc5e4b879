"""What the engine knows of an image before it looks for a head: modality, limits, the 2 mm grid."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from lethe.errors import Misconfigured, Refused

from .grid import SPACING_MM, Array3, Grid, Reducer, to_grid
from .io import Volume, slabs

AIR_HU = -1000.0
_FLOOR_HU, _CEILING_HU = -1024.0, 3071.0
_CUT_SHARE = 0.3


class Modality(StrEnum):
    """The two kinds of image the engine knows."""

    CT = "ct"
    MR = "mr"


@dataclass(frozen=True, slots=True)
class Scene:
    """An image read once.

    Attributes
    ----------
    volume : Volume
    modality : Modality
    minimum, maximum : float
        Over every voxel of every repeated volume.
    grid : Grid
        First volume at 2 mm.
    fine : Grid or None
        First volume at `picture_mm`, when pictures are wanted.
    """

    volume: Volume
    modality: Modality
    minimum: float
    maximum: float
    grid: Grid
    fine: Grid | None

    @property
    def air(self) -> float:
        """Value that removed voxels get: -1000 HU or the minimum if higher; 0 in MR."""
        return max(AIR_HU, self.minimum) if self.modality is Modality.CT else 0.0


def read_scene(volume: Volume, modality: str, *, picture_mm: float | None = None) -> Scene:
    """Read every voxel once and say what kind of image it is.

    Parameters
    ----------
    volume : Volume
    modality : {"auto", "ct", "mr"}
        ``auto`` asks the JSON sidecar beside the image, then the values.
    picture_mm : float, optional
        Also keep a finer grid of this spacing.

    Raises
    ------
    Refused
        ``not-finite``, ``constant``, ``truncated``, ``not-hounsfield``, ``unknown-kind``, ``other-modality``.
    Misconfigured
        ``modality`` when the word is not known.
    """
    if modality not in ("auto", *Modality):
        raise Misconfigured("modality", "The modality must be auto, ct or mr.")
    coarse = Reducer(volume, SPACING_MM)
    fine = Reducer(volume, picture_mm) if picture_mm else None
    low, high = np.inf, -np.inf
    for repeat, start, stored in slabs(volume):
        if stored.dtype.kind == "f" and not np.isfinite(stored).all():
            raise Refused(
                "not-finite",
                "The image holds voxels that are not numbers.",
                remedy="Convert the series again, or set those voxels to the value of air.",
            )
        low, high = min(low, float(stored.min())), max(high, float(stored.max()))
        if repeat == 0:
            values = volume.values(stored)
            coarse.add(start, values)
            if fine is not None:
                fine.add(start, values)
    limits = sorted(volume.slope * x + volume.intercept for x in (low, high))
    if limits[0] == limits[1]:
        raise Refused("constant", "Every voxel has the same value.", remedy="Convert the series again.")
    means, affine = coarse.result()
    kind = _decide(modality, volume.path, means)
    grids = [to_grid(_clipped(means, kind), affine, air=_outside(kind))]
    if fine is not None and picture_mm is not None:
        means, affine = fine.result()
        grids.append(
            to_grid(_clipped(means, kind), affine, air=_outside(kind), spacing=picture_mm, exact=False)
        )
    return Scene(volume, kind, limits[0], limits[1], grids[0], grids[1] if len(grids) > 1 else None)


def after_grid(scene: Scene, reducer: Reducer, spacing: float) -> Grid:
    """Turn what `reducer` has seen of the result into a grid like the one of `scene`."""
    means, affine = reducer.result()
    return to_grid(
        _clipped(means, scene.modality), affine, air=_outside(scene.modality), spacing=spacing, exact=False
    )


def _outside(kind: Modality) -> float:
    return _FLOOR_HU if kind is Modality.CT else 0.0


def _clipped(means: Array3, kind: Modality) -> Array3:
    """Padding below air and metal above bone say nothing; both would upset averages."""
    return np.clip(means, _FLOOR_HU, _CEILING_HU) if kind is Modality.CT else means


def _decide(wanted: str, path: Path, means: Array3) -> Modality:
    kind = wanted if wanted != "auto" else _from_sidecar(path)
    looks_ct = _looks_like_ct(means)
    if kind is None and not looks_ct and _cut_to_a_window(means):
        raise Refused(
            "unknown-kind",
            "The image is no CT with air around, and a third of it has one negative value, as no MR has.",
            remedy="Convert a CT again without a window; of an MR, say so with --modality mr.",
        )
    if kind is None:
        return Modality.CT if looks_ct else Modality.MR
    found = Modality(kind)
    if found is Modality.CT and not looks_ct:
        raise Refused(
            "not-hounsfield",
            "The image is called CT but its values are not Hounsfield units with air around.",
            remedy="Convert the series again with its rescale slope and intercept.",
        )
    return found


def _looks_like_ct(means: Array3) -> bool:
    """Air lies near -1000 HU; MR phase and difference images have negative values, but no such peak."""
    near = float(np.mean((means > -1100) & (means < -850)))
    padding = float(np.mean(means <= -1100))
    between = float(np.mean((means > -800) & (means < -300)))
    return near > 0.02 and near + padding > 1.5 * between


def _cut_to_a_window(means: Array3) -> bool:
    """A CT saved as seen through a window of grey values: all air has the lowest, a negative one."""
    lowest = float(means.min())
    return lowest < 0.0 and float(np.mean(means == lowest)) > _CUT_SHARE


def _from_sidecar(path: Path) -> str | None:
    """Return ``ct`` or ``mr`` from the JSON file that dcm2niix writes beside the image."""
    name = path.name.removesuffix(".gz").removesuffix(".nii")
    sidecar = path.with_name(f"{name}.json")
    if not sidecar.is_file():
        return None
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        return None
    said = content.get("Modality") if isinstance(content, dict) else None
    if said is None:
        return None
    if said not in ("CT", "MR"):
        raise Refused(
            "other-modality",
            "The sidecar names a modality that is neither CT nor MR.",
            remedy="Only CT and MR are de-faced; keep other images back.",
        )
    return str(said).lower()
