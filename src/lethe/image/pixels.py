"""Pixels of DICOM objects, read without the converter: the other half of the conservation check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import get_expected_length, pixel_array
from pydicom.uid import UID, ExplicitVRBigEndian

from lethe.errors import Refused
from lethe.image.frames import UNREADABLE, quiet_reading


def read_pixels(path: Path) -> NDArray[Any]:
    """Return the stored values of one object.

    Parameters
    ----------
    path : Path
        A DICOM file with grey pixels.

    Returns
    -------
    NDArray, shape (frames, rows, columns)
        Stored values before rescaling, in their own integer or float type.

    Raises
    ------
    Refused
        ``transfer-syntax`` when the compression cannot be decoded, ``corrupt-pixels`` when the pixel
        data are cut short or damaged, ``pixel-format`` when they are not grey values of 8 to 32 bits.
    """
    try:
        with quiet_reading():
            dataset = pydicom.dcmread(path)
            return _grey(dataset)
    except Refused:
        raise
    except UNREADABLE as error:
        raise Refused(
            "corrupt-pixels",
            "The pixel data of an object are damaged.",
            remedy="Send the series again.",
        ) from error


def _grey(dataset: Dataset) -> NDArray[Any]:
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
    frames = int(dataset.get("NumberOfFrames") or 1)
    shape = (frames, int(dataset.Rows), int(dataset.Columns))
    if not syntax.is_compressed or syntax.is_deflated:
        values = _native(dataset, shape, big_endian=syntax == ExplicitVRBigEndian)
    else:
        values = _decoded(dataset, syntax).reshape(shape)
    return _used_bits(values, dataset)


def _native(dataset: Dataset, shape: tuple[int, int, int], *, big_endian: bool) -> NDArray[Any]:
    if "FloatPixelData" in dataset:
        return np.frombuffer(dataset.FloatPixelData, ">f4" if big_endian else "<f4").reshape(shape)
    bits = int(dataset.BitsAllocated)
    if bits not in (8, 16, 32):
        raise Refused(
            "pixel-format",
            "The pixels do not have 8, 16 or 32 bits.",
            remedy="Put the series in another lane.",
        )
    data = dataset.PixelData
    if len(data) < get_expected_length(dataset):
        raise Refused(
            "corrupt-pixels", "The pixel data of an object are cut short.", remedy="Send the series again."
        )
    kind = f"{'>' if big_endian else '<'}{'i' if dataset.PixelRepresentation else 'u'}{bits // 8}"
    return np.frombuffer(data, kind, count=int(np.prod(shape))).reshape(shape)


def _decoded(dataset: Dataset, syntax: UID) -> NDArray[Any]:
    try:
        return pixel_array(dataset)
    except UNREADABLE as error:
        raise Refused(
            "transfer-syntax",
            f"Pixels compressed as '{syntax.name}' cannot be decoded here, or are damaged.",
            remedy="Let the sender decompress the series.",
        ) from error


def _used_bits(values: NDArray[Any], dataset: Dataset) -> NDArray[Any]:
    """Drop what older scanners kept in the unused upper bits, and carry the sign over."""
    if values.dtype.kind == "f":
        return values
    spare = values.dtype.itemsize * 8 - int(dataset.get("BitsStored", values.dtype.itemsize * 8))
    if spare <= 0:
        return values
    if values.dtype.kind == "u":
        limit = (1 << (values.dtype.itemsize * 8 - spare)) - 1
        return values if values.max(initial=0) <= limit else values & values.dtype.type(limit)
    return (values << spare) >> spare
