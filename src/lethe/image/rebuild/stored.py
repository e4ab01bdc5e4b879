"""Grey values of an image as the stored integers of the object they came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lethe.errors import Refused
from lethe.image.frames import Frame

# float32, in which converted values may be kept, holds seven digits of the largest value in a sum.
_DIGITS = 4e-7


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight line from stored to physical values."""

    slope: float
    intercept: float

    def same(self, other: Scale) -> bool:
        """Return whether both are one to the precision of a NIfTI header."""
        return bool(
            np.array_equal(
                np.array([self.slope, self.intercept], "f4"), np.array([other.slope, other.intercept], "f4")
            )
        )

    def physical(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        """Return physical values."""
        return stored.astype(np.float64) * self.slope + self.intercept


def scales_of(frame: Frame) -> list[Scale]:
    """Return the scalings a converter may have used: the standard's, then Philips' private one."""
    scales = [Scale(frame.slope, frame.intercept)]
    if frame.precise is not None:
        slope = 1.0 / frame.precise
        scales.append(Scale(slope, frame.intercept * slope / frame.slope))
    return scales


def unchanged(values: NDArray[Any], own: Scale, source: NDArray[Any], scale: Scale) -> NDArray[np.bool_]:
    """Return where a plane of the image still has the value of the source.

    Parameters
    ----------
    values : NDArray, shape (rows, columns)
        As stored in the image, with scaling `own`.
    source : NDArray, shape (rows, columns)
        As stored in the object, with scaling `scale`.
    """
    if own.same(scale) and values.dtype.kind in "iu":
        return np.asarray(values == source)
    wanted = scale.physical(source)
    room = _DIGITS * max(float(np.abs(wanted).max()), abs(scale.intercept), 1e-30)
    return np.asarray(np.abs(own.physical(values) - wanted) <= room)


def rebuilt_plane(
    values: NDArray[Any],
    own: Scale,
    source: NDArray[Any],
    scale: Scale,
    kept: NDArray[np.bool_],
    bits_stored: int,
    *,
    filled: bool = False,
) -> NDArray[Any]:
    """Return the plane as the object shall store it.

    Untouched voxels are those of the source, bit for bit; the others are their physical value carried
    back through the rescale, rounded to the next integer. With `filled`, all of these are known to be where
    the face was: what lies below the lowest value that this object can store becomes that value, since
    objects with scalings of their own cannot all store the darkness that fills the image.

    Raises
    ------
    Refused
        ``not-finite`` or ``value-range``.
    """
    if kept.all():
        return source
    changed = own.physical(values[~kept])
    if not np.isfinite(changed).all():
        raise Refused(
            "not-finite", "The image holds voxels that are not numbers.", remedy="De-face the scan again."
        )
    numbers = np.rint((changed - scale.intercept) / scale.slope)
    signed = source.dtype.kind == "i"
    low = -(1 << (bits_stored - 1)) if signed else 0
    high = (1 << (bits_stored - int(signed))) - 1
    if filled:
        numbers = np.maximum(numbers, low) if scale.slope > 0 else np.minimum(numbers, high)
    if numbers.min() < low or numbers.max() > high:
        raise Refused(
            "value-range",
            "Values of the image do not fit the integers that the objects store.",
            remedy="Use the image as deface wrote it; other processing must keep the range of values.",
        )
    plane = source.copy()
    plane[~kept] = numbers.astype(source.dtype)
    return plane
