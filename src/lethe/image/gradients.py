"""Diffusion gradients: what the converter wrote about them, held against what the headers say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lethe.image.findings import Finding
from lethe.image.frames import Frame
from lethe.image.layout import RAS

FROM_HEADERS = Finding(
    "gradients-from-headers",
    "Diffusion weightings and directions were taken from the headers, as the converter's are wanting.",
    fatal=False,
)
LEFT_OUT = Finding(
    "gradients-left-out",
    "The series is weighted by diffusion, but the headers do not tell all weightings and directions.",
    fatal=False,
)
_PRIVATE_FLAG = 10**9  # one vendor adds it to the weighting
_ALIKE = 0.99  # cosine; a gradient and its opposite weight alike


def gradient_tables(
    files: Sequence[Path], frames: Sequence[Frame], affine: NDArray[np.float64]
) -> tuple[dict[str, bytes], Finding | None]:
    """Return the tables that go with an image.

    Parameters
    ----------
    files : sequence of Path
        Of the converter: ``.bval`` and ``.bvec``, or none.
    frames : sequence of Frame
        One plane of each volume, in order.
    affine : NDArray, shape (4, 4)
        Voxel index to RAS mm of the image.

    Returns
    -------
    dict, Finding or None
        Contents by ending; and what there is to say if they are not the converter's.
    """
    weights = [_weight(frame) for frame in frames]
    weighted = any(weights) and len(set(weights)) > 1
    if _agree(files, frames, affine) if files else not weighted:
        return {path.suffix: path.read_bytes() for path in files}, None
    if None in weights or any(
        weight and not frame.direction for weight, frame in zip(weights, frames, strict=True)
    ):
        return {}, LEFT_OUT
    ways = np.array([_way(frame, affine) for frame in frames])
    return {".bval": _text([weights]), ".bvec": _text(ways.T.tolist())}, FROM_HEADERS


def _agree(files: Sequence[Path], frames: Sequence[Frame], affine: NDArray[np.float64]) -> bool:
    if {path.suffix for path in files} != {".bval", ".bvec"}:
        return False
    for path in files:
        table = _table(path)
        if table.shape != (1 if path.suffix == ".bval" else 3, len(frames)):
            return False
        for frame, column in zip(frames, table.T, strict=True):
            good = _same_weight(frame, column) if path.suffix == ".bval" else _alike(frame, column, affine)
            if not good:
                return False
    return True


def _table(path: Path) -> NDArray[np.float64]:
    rows = [line.split() for line in path.read_text(encoding="ascii", errors="replace").splitlines()]
    try:
        return np.array([row for row in rows if row], float)
    except ValueError:
        return np.empty(0)


def _weight(frame: Frame) -> float | None:
    return None if frame.b_value is None or frame.b_value < 0 else frame.b_value % _PRIVATE_FLAG


def _same_weight(frame: Frame, column: NDArray[np.float64]) -> bool:
    weight = _weight(frame)
    return weight is None or bool(abs(float(column[0]) - weight) <= 1 + 0.02 * weight)


def _alike(frame: Frame, column: NDArray[np.float64], affine: NDArray[np.float64]) -> bool:
    wanted = _way(frame, affine)
    lengths = float(np.linalg.norm(wanted) * np.linalg.norm(column))
    told = bool(wanted.any())
    return not told or (lengths > 0 and abs(float(wanted @ column)) >= _ALIKE * lengths)


def _way(frame: Frame, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a direction along the axes of the image, x turned in right-handed ones; 0 if not weighted."""
    if not _weight(frame) or not frame.direction or not any(frame.direction):
        return np.zeros(3)
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    way: NDArray[np.float64] = axes.T @ (RAS * np.array(frame.direction) / np.linalg.norm(frame.direction))
    if np.linalg.det(axes) > 0:
        way[0] *= -1
    return way


def _text(rows: Sequence[Sequence[float | None]]) -> bytes:
    return "".join("\t".join(f"{value or 0:g}" for value in row) + "\n" for row in rows).encode()
