"""Pixels of DICOM objects, read without the converter: the other half of the conservation check."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lethe.errors import Refused
from lethe.image.frames import Frame, Instance
from lethe.image.mosaic import tiles_of
from lethe.image.native import PixelPlace

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_REMEDY = "Send the series again."


class _Own(threading.local):
    """What each thread has for itself: memory that every plane is read into."""

    room: NDArray[Any] | None = None
    turned: NDArray[Any] | None = None


class Planes:
    """The stored values of a series, plane by plane, for several threads at once.

    Uncompressed planes are read from their place in the file each time: that is quicker than keeping them,
    as the system must clear memory that it hands out. Objects that need a decoder are decoded once and kept.

    Parameters
    ----------
    instances : sequence of Instance
        The objects, their headers read before.
    """

    def __init__(self, instances: Sequence[Instance]) -> None:
        self._instances = {instance.path: instance for instance in instances}
        self._decoded: dict[Path, NDArray[Any]] = {}
        self._decoding = threading.Lock()
        self._own = _Own()

    def __call__(self, frame: Frame) -> NDArray[Any]:
        """Return the stored values of a frame, shape (rows, columns), until this thread asks again.

        Raises
        ------
        Refused
            See `read_pixels`.
        """
        instance = self._instances[frame.path]
        if instance.pixels is not None and not instance.mosaic:
            shape, dtype = (1, instance.rows, instance.columns), np.dtype(instance.pixels.dtype)
            room = self._own.room
            if room is None or room.shape != shape or room.dtype != dtype:
                room = self._own.room = np.empty(shape, dtype)
            plane: NDArray[Any] = _native(instance, instance.pixels, frame.index, room)[0]
            return plane
        with self._decoding:  # pydicom's warnings cannot be held back in two threads at once
            if frame.path not in self._decoded:
                self._decoded[frame.path] = read_pixels(instance)
        return np.asarray(self._decoded[frame.path][frame.index])

    def turned(self, frame: Frame) -> NDArray[Any]:
        """Return the values as the converter stores them: last row first, little endian, contiguous."""
        plane = self(frame)[::-1]
        dtype, room = plane.dtype.newbyteorder("<"), self._own.turned
        if room is None or room.shape != plane.shape or room.dtype != dtype:
            room = self._own.turned = np.empty(plane.shape, dtype)
        room[:] = plane
        return room


def read_pixels(instance: Instance) -> NDArray[Any]:
    """Return the stored values of one object.

    Parameters
    ----------
    instance : Instance
        An object with grey pixels, its header read before.

    Returns
    -------
    NDArray, shape (frames, rows, columns)
        Stored values before rescaling, in their own integer or float type; the tiles of a mosaic.

    Raises
    ------
    Refused
        ``pixel-compression`` when the compression cannot be decoded, ``corrupt-pixels`` when the pixel
        data are cut short or damaged, ``pixel-format`` when they are not grey values of 8 to 32 bits,
        ``mosaic-tiles`` when a mosaic holds more than its header says.
    """
    if instance.pixels is not None:
        shape = (instance.declared_frames, instance.rows, instance.columns)
        if int(np.prod(shape)) > instance.pixels.length:  # before memory is asked for
            raise _corrupt()
        planes = _native(instance, instance.pixels, 0, np.empty(shape, instance.pixels.dtype))
    else:
        planes = _decoded(instance)
    return tiles_of(planes[0], instance.mosaic) if instance.mosaic else planes


def _native(instance: Instance, place: PixelPlace, first: int, room: NDArray[Any]) -> NDArray[Any]:
    """Fill `room`, shape (frames, rows, columns), with frames from number `first` on."""
    plane = room[0].nbytes
    whole = instance.declared_frames * plane
    # One byte fills up to an even length; a whole plane more would be one that nobody described.
    if not whole <= place.length < whole + max(plane, 2):
        raise _corrupt()
    if _read_into(instance.path, room.data.cast("B"), place.offset + first * plane) < room.nbytes:
        raise _corrupt()
    return _used_bits(room, place.bits_stored)


def _read_into(path: Path, room: memoryview, start: int) -> int:
    """Fill `room`, however small the pieces in which the file arrives; return the bytes read."""
    done, stream = 0, os.open(path, os.O_RDONLY)
    try:
        while done < len(room):
            count = os.preadv(stream, [room[done:]], start + done)
            if not count:
                break
            done += count
    finally:
        os.close(stream)
    return done


def _decoded(instance: Instance) -> NDArray[Any]:
    # Most series need no decoder, and pydicom takes longer to load than they take to be read.
    import pydicom

    from lethe.image.quiet import UNREADABLE, quiet_reading

    shape = (instance.declared_frames, instance.rows, instance.columns)
    with quiet_reading():
        try:
            dataset = pydicom.dcmread(instance.path)
            values = _pixel_array(dataset).reshape(shape)
        except UNREADABLE as error:
            raise _corrupt() from error
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise Refused(
            "not-finite",
            "The pixels hold values that are not numbers.",
            remedy="Let the sender store a number where nothing was measured, such as PixelPaddingValue.",
        )
    return values


def readings(instance: Instance) -> list[NDArray[Any]] | None:
    """Return the stored values of one object as each decoder that knows its compression reads them.

    Returns
    -------
    list of NDArray or None
        None when no decoder is needed: the file is compressed as a whole, or the pixels are encoded by runs.
    """
    import pydicom
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID, RLELossless

    from lethe.image.quiet import UNREADABLE, quiet_reading

    syntax = UID(instance.transfer_syntax)
    if not syntax.is_encapsulated or syntax == RLELossless:
        return None
    found = []
    with quiet_reading():
        dataset = pydicom.dcmread(instance.path)
        for name in get_decoder(syntax).available_plugins:
            try:
                found.append(_pixel_array(dataset, name))
            except (Refused, *UNREADABLE):  # a decoder that does not know this kind is no witness
                continue
    return found


def _pixel_array(dataset: Dataset, plugin: str = "") -> NDArray[Any]:
    from pydicom.pixels.utils import pixel_array
    from pydicom.uid import UID

    from lethe.image.quiet import UNREADABLE

    if "Rows" not in dataset:  # what pydicom makes of a file that ends within its pixels
        raise _corrupt()
    if dataset.get("SamplesPerPixel", 1) != 1 or dataset.get("PhotometricInterpretation") not in (
        "MONOCHROME1",
        "MONOCHROME2",
    ):
        raise Refused(
            "pixel-format",
            "The pixels are not plain grey values.",
            remedy="Colour images stay DICOM; put the series in another lane.",
        )
    allocated = int(dataset.get("BitsAllocated") or 0)
    stored = int(dataset.get("BitsStored") or allocated)
    if allocated not in (8, 16, 32, 64) or int(dataset.get("HighBit") or stored - 1) != stored - 1:
        raise Refused(
            "pixel-format",
            "The values are packed, or do not fill the lowest bits of what they are stored in.",
            remedy="Let the sender store values of 8, 16 or 32 bits, the highest in use next to the unused.",
        )
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    try:
        values = pixel_array(dataset, decoding_plugin=plugin)
    except UNREADABLE as error:
        if not syntax.is_compressed:
            raise
        raise Refused(
            "pixel-compression",
            f"Pixels stored as '{syntax.name}' cannot be decoded here, or are damaged.",
            remedy="Fetch the series again as Explicit VR Little Endian, which its archive can send; or "
            "decompress the files, JPEG of twelve bits with dcmdjpeg of DCMTK.",
        ) from error
    return _used_bits(values, int(dataset.get("BitsStored", values.dtype.itemsize * 8)))


def _used_bits(values: NDArray[Any], bits_stored: int) -> NDArray[Any]:
    """Drop what older scanners kept in the unused upper bits, and carry the sign over."""
    spare = values.dtype.itemsize * 8 - bits_stored
    if values.dtype.kind == "f" or spare <= 0:
        return values
    if values.dtype.kind == "u":
        limit = (1 << bits_stored) - 1
        return values if values.max(initial=0) <= limit else values & values.dtype.type(limit)
    return (values << spare) >> spare


def _corrupt() -> Refused:
    return Refused("corrupt-pixels", "The pixel data of an object are cut short or damaged.", remedy=_REMEDY)
