"""Noise, sharpness and motion, measured slice by slice so that any series fits in memory.

None of it needs a reference: the figures compare series of one kind with each other. They are measured
inside the body, in the units of the image (HU for CT).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

from lethe.quality.motion import Shift, largest_jump
from lethe.quality.notes import Grade, Note

Plane = NDArray[np.floating[Any]]

BODY_HU = -300.0
"""Between air and fat: above it a CT shows body, table and clothes."""
_BINS = 256
# Median of the absolute value of a normal variable with unit spread.
_MEDIAN_OF_NORMAL = 0.6745
_LEAST_BODY = 200

NOISY_HU, FAINT_RATIO = 60.0, 5.0
JUMP_MM, GHOST_SHARE = 4.0, 0.06


@dataclass(frozen=True, slots=True)
class SliceFigures:
    """Figures of one slice.

    Attributes
    ----------
    body : int
        Pixels of the body.
    signal, noise : float
        Median inside the body; spread of what changes from pixel to pixel.
    edge_per_mm : float
        Steepness of the strongest edges, as part of the range of values, per mm.
    ghost : float
        What the background beside the body has more in one direction than in the other, over the signal.
    cut : bool
        The body reaches the border of the image.
    constant : bool
        All pixels are the same.
    """

    body: int
    signal: float
    noise: float
    edge_per_mm: float
    ghost: float
    cut: bool
    constant: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of a series: medians over the slices that show the body.

    The ratios to the signal are None for CT, where 0 HU is water and not the absence of signal.
    """

    modality: str
    signal: float
    noise: float
    signal_to_noise: float | None
    edge_per_mm: float
    ghost: float | None
    jump_mm: float
    cut_share: float
    empty_slices: int

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for reports."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: round(v, 4) if isinstance(v, float) else v for name, v in values.items()}

    def notes(self) -> list[Note]:
        """Return what the figures mean."""
        found = []
        if self.empty_slices:
            found.append(
                Note("empty-slices", f"{self.empty_slices} slices show nothing.", Grade.QUESTIONABLE)
            )
        ratio = self.signal_to_noise
        if self.noise > NOISY_HU if self.modality == "CT" else ratio is not None and ratio < FAINT_RATIO:
            found.append(Note("noisy", "The noise is unusually strong.", Grade.QUESTIONABLE))
        if self.jump_mm > JUMP_MM:
            found.append(
                Note("motion-jump", "Neighbouring slices do not continue each other.", Grade.QUESTIONABLE)
            )
        if self.ghost is not None and self.ghost > GHOST_SHARE:
            found.append(
                Note("ghosting", "The background holds ghosts along one direction.", Grade.QUESTIONABLE)
            )
        return found


def body_threshold(planes: Iterable[Plane], modality: str) -> float:
    """Return the value above which a pixel belongs to the body.

    Parameters
    ----------
    planes : iterable of NDArray, shape (rows, columns)
        Some slices of the series.
    modality : str
        For CT the scale is absolute; otherwise the two heaps of values are told apart (Otsu 1979).
    """
    if modality == "CT":
        return BODY_HU
    values = np.concatenate([np.ravel(plane)[::3] for plane in planes])
    low, high = float(values.min()), float(np.percentile(values, 99.5))
    if high <= low:
        return high
    counts, edges = np.histogram(np.clip(values, low, high), _BINS)
    middles = (edges[:-1] + edges[1:]) / 2
    below, total = np.cumsum(counts), counts.sum()
    moment = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (moment[-1] * below / total - moment) ** 2 / (below * (total - below))
    # Otsu's cut lies between two tissues where dark ones are many; half of it still parts body from air.
    return low + 0.5 * (float(middles[int(np.nanargmax(between[:-1]))]) - low)


def measure_slice(plane: Plane, threshold: float, pixel_mm: tuple[float, float]) -> SliceFigures:
    """Measure one slice.

    Parameters
    ----------
    plane : NDArray, shape (rows, columns)
        Physical values.
    threshold : float
        From `body_threshold`.
    pixel_mm : tuple of float
        Distance of rows and of columns.
    """
    values = np.asarray(plane, np.float32)
    constant = bool(np.ptp(values) == 0)
    body = _largest(ndi.binary_opening(values > threshold)) if not constant else np.zeros(values.shape, bool)
    count = int(body.sum())
    if count < _LEAST_BODY:
        return SliceFigures(count, 0.0, 0.0, 0.0, 0.0, False, constant)
    signal = float(np.median(values[body]))
    return SliceFigures(
        count,
        signal,
        _noise(values, body),
        _edges(values, body, pixel_mm),
        _ghost(values, body, signal),
        bool(body[0].any() or body[-1].any() or body[:, 0].any() or body[:, -1].any()),
        constant,
    )


def summarise(slices: Sequence[SliceFigures], shifts: Sequence[Shift | None], modality: str) -> Figures:
    """Return the figures of a series from those of its slices and the shifts between them."""
    seen = [one for one in slices if one.body >= _LEAST_BODY]
    middle = {
        name: float(np.median([getattr(one, name) for one in seen])) if seen else 0.0
        for name in ("signal", "noise", "edge_per_mm", "ghost")
    }
    relative = modality != "CT"
    return Figures(
        modality=modality,
        signal=middle["signal"],
        noise=middle["noise"],
        signal_to_noise=middle["signal"] / middle["noise"] if relative and middle["noise"] > 0 else None,
        edge_per_mm=middle["edge_per_mm"],
        ghost=middle["ghost"] if relative else None,
        jump_mm=largest_jump(_trusted(slices, shifts)),
        cut_share=sum(one.cut for one in seen) / len(seen) if seen else 0.0,
        empty_slices=sum(one.constant for one in slices),
    )


def _trusted(slices: Sequence[SliceFigures], shifts: Sequence[Shift | None]) -> list[Shift | None]:
    """Drop shifts where the body fades away, at the vertex and below the chin."""
    large = np.array([one.body for one in slices])
    large = large >= 0.6 * np.median(large[large > 0]) if large.any() else large > 0
    return [shift if large[k] and large[k + 1] else None for k, shift in enumerate(shifts)]


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    labels, count = ndi.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == int(sizes.argmax()))


def _noise(values: NDArray[np.float32], body: NDArray[np.bool_]) -> float:
    """Spread of the diagonal detail of 2 x 2 pixels (Donoho 1994): blind to slopes and straight edges."""
    inner = ndi.binary_erosion(body, iterations=2)
    detail = (values[:-1, :-1] - values[1:, :-1] - values[:-1, 1:] + values[1:, 1:]) / 2
    chosen = detail[inner[:-1, :-1]]
    return float(np.median(np.abs(chosen)) / _MEDIAN_OF_NORMAL) if chosen.size else 0.0


def _edges(values: NDArray[np.float32], body: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> float:
    """Steepness of the rim of the body, which every image has, smoothed a little against noise."""
    rim = ndi.binary_dilation(body, iterations=2) & ~ndi.binary_erosion(body, iterations=2)
    low, high = np.percentile(values[ndi.binary_dilation(body, iterations=3)], (2, 98))
    if high <= low:
        return 0.0
    down, right = np.gradient(np.clip(values, low, high), *pixel_mm)
    return float(np.percentile(np.hypot(down, right)[rim], 90) / (high - low))


def _ghost(values: NDArray[np.float32], body: NDArray[np.bool_], signal: float) -> float:
    """Background above and below the body against that on its left and right (as ACR's ghosting test)."""
    rows, columns = np.flatnonzero(body.any(1)), np.flatnonzero(body.any(0))
    inside_rows, inside_columns = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    around = ~ndi.binary_dilation(body, iterations=4)
    upright = np.zeros_like(body)
    upright[:, inside_columns] = True
    upright[inside_rows] = False
    level = np.zeros_like(body)
    level[inside_rows] = True
    level[:, inside_columns] = False
    parts = [values[around & band] for band in (upright, level)]
    if min(part.size for part in parts) < 50 or signal <= 0:
        return 0.0
    return float(abs(parts[0].mean() - parts[1].mean()) / signal)
