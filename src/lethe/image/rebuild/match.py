"""Which plane of which image belongs to which frame of the objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lethe.errors import Refused
from lethe.image.frames import Frame
from lethe.image.layout import Lattice
from lethe.image.rebuild.stored import Scale, scales_of, unchanged
from lethe.image.rebuild.volume import Image
from lethe.image.stack import Stack

PixelSource = Callable[[Frame], NDArray[Any]]
_REMEDY = "Use the de-faced image of this very scan, whole and on its own grid."


@dataclass(frozen=True, slots=True)
class Spot:
    """One plane of one image."""

    board: Board
    k: int
    t: int

    def values(self) -> NDArray[Any]:
        """Return its stored values as rows x columns of the scanner."""
        return self.board.lattice.layout.plane(self.board.image.voxels.voxels, self.k, self.t)

    def touched(self) -> NDArray[np.bool_] | None:
        """Return where the mask says that something was changed; None without a mask."""
        mask = self.board.image.mask
        return None if mask is None else self.board.lattice.layout.plane(mask, self.k, 0) != 0


class Board:
    """One image, its grid, and how its values are scaled."""

    def __init__(self, image: Image, stack: Stack) -> None:
        self.image = image
        self.own = Scale(image.voxels.slope, image.voxels.intercept)
        try:
            self.lattice = Lattice(image.voxels.affine, image.voxels.voxels.shape, stack.groups[0][0])
        except Refused as error:
            raise _other_grid() from error
        self.times = int(image.voxels.voxels.shape[3])
        self.taken: set[tuple[int, int]] = set()
        # As in the conservation check: positions have few decimals, the affine is kept in float32.
        self._allowed = stack.tolerance_mm

    @property
    def room(self) -> int:
        """Number of planes."""
        return self.lattice.slices * self.times

    def free_spots(self, frame: Frame) -> list[Spot]:
        """Return the planes at the place of `frame` that no other frame has taken."""
        place = self.lattice.place(frame)
        if place is None or place.miss_mm > self._allowed:
            return []
        return [Spot(self, place.k, t) for t in range(self.times) if (place.k, t) not in self.taken]


def match(stack: Stack, images: Sequence[Image], pixels: PixelSource) -> dict[tuple[Path, int], Spot]:
    """Give each frame its plane.

    Parameters
    ----------
    stack : Stack
        The frames, without fatal findings.
    images : sequence of Image
        All images that conversion made of the series.
    pixels : callable
        Gives the stored values of a frame; asked only where several planes lie at one place.

    Returns
    -------
    dict
        From file and frame number to the plane; every plane is used once.

    Raises
    ------
    Refused
        ``slices-missing``, ``slices-too-many`` or ``other-grid``.
    """
    boards = [Board(image, stack) for image in images]
    frames, room = sum(map(len, stack.groups)), sum(board.room for board in boards)
    if room < frames:
        raise Refused("slices-missing", f"The images lack {frames - room} planes.", remedy=_REMEDY)
    if room > frames:
        raise Refused("slices-too-many", f"The images have {room - frames} planes too many.", remedy=_REMEDY)
    found: dict[tuple[Path, int], Spot] = {}
    for group in stack.groups:
        for order, frame in enumerate(group):
            spots = [spot for board in boards for spot in board.free_spots(frame)]
            if not spots:
                raise _other_grid()
            spots.sort(key=lambda spot: (spot.t != order, spot.t))
            spot = spots[0] if len(group) == 1 else _likest(frame, spots, pixels(frame))
            spot.board.taken.add((spot.k, spot.t))
            found[frame.path, frame.index] = spot
    return found


def scale_for(frame: Frame, spot: Spot, source: NDArray[Any]) -> tuple[Scale, NDArray[np.bool_]]:
    """Return the scaling that explains most voxels of a plane, and where they are unchanged."""
    trials = [(scale, unchanged(spot.values(), spot.board.own, source, scale)) for scale in scales_of(frame)]
    return max(trials, key=lambda trial: int(trial[1].sum()))


def _likest(frame: Frame, spots: Sequence[Spot], source: NDArray[Any]) -> Spot:
    """Return the plane with most voxels in common; the expected one if it is as good."""
    best, most = spots[0], -1
    for spot in spots:
        kept = scale_for(frame, spot, source)[1]
        touched = spot.touched()
        same = int((kept if touched is None else kept | touched).sum())
        if same > most:
            best, most = spot, same
        if same == source.size:
            break
    return best


def _other_grid() -> Refused:
    return Refused(
        "other-grid", "The image lies on another grid than the slices of the series.", remedy=_REMEDY
    )
