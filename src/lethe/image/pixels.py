"""Pixels of DICOM objects, read without the converter: the other half of the conservation check."""

from __future__ import annotations

from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from lethe.errors import Refused
from lethe.image.frames import UNREADABLE, Instance, PixelPlace, quiet_reading


def read_pixels(instance: Instance) -> NDArray[Any]:
    """Return the stored values of one object.

    Parameters
    ----------
    instance : Instance
        An object with grey pixels, its header read before.

    Returns
    -------
    NDArray, shape (frames, rows, columns)
        Stored values before rescaling, in their own integer or float type.

    Raises
    ------
    Refused
        ``pixel-compression`` when the compression cannot be decoded, ``corrupt-pixels`` when the pixel
        data are cut short or damaged, ``pixel-format`` when they are not grey values of 8 to 32 bits.
    """
    frame = instance.frames[0]
    shape = (instance.declared_frames, frame.rows, frame.columns)
    if instance.pixels is not None:
        return _used_bits(_native(instance, instance.pixels, shape), instance.pixels.bits_stored)
    with quiet_reading():
        try:
            dataset = pydicom.dcmread(instance.path)
            return _decoded(dataset).reshape(shape)
        except UNREADABLE as error:
            raise Refused(
                "corrupt-pixels", "The pixel data of an object are damaged.", remedy="Send the series again."
            ) from error


def _native(instance: Instance, place: PixelPlace, shape: tuple[int, int, int]) -> NDArray[Any]:
    count = int(np.prod(shape))
    with instance.path.open("rb") as stream:
        stream.seek(place.offset)
        values = np.fromfile(stream, place.dtype, count)
    if values.size < count or place.length < values.nbytes:
        raise Refused(
            "corrupt-pixels", "The pixel data of an object are cut short.", remedy="Send the series again."
        )
    return values.reshape(shape)


def _decoded(dataset: Dataset) -> NDArray[Any]:
    if dataset.get("SamplesPerPixel", 1) != 1 or dataset.get("PhotometricInterpretation") not in (
        "MONOCHROME1",
        "MONOCHROME2",
    ):
        raise Refused(
            "pixel-format",
            "The pixels are not plain grey values.",
            remedy="Colour images stay DICOM; put the series in another lane.",
        )
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    try:
        values = pixel_array(dataset)
    except UNREADABLE as error:
        if not syntax.is_compressed:
            raise
        raise Refused(
            "pixel-compression",
            f"Pixels stored as '{syntax.name}' cannot be decoded here, or are damaged.",
            remedy="Let the sender decompress the series.",
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
