"""Text that is burned into the pixels: an object that shows any does not go on.

Known regions are blanked before by the pixel script; what is found after it lies outside of them. The text is
looked for by an OCR that carries its model in its package (extra ``ocr``); what it reads is never kept.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.errors import InvalidDicomError

from lethe.errors import Quarantined, Unavailable
from lethe.header.anonymizer import HeaderOutcome
from lethe.header.view import View

Image = npt.NDArray[np.uint8]
Words = Sequence[tuple[str, float]]
"""Text and how sure the OCR is, from 0 to 1."""
_FEWEST_LETTERS = 3
_LEAST_SURE = 0.6
_SMALL = 320


@dataclass(frozen=True)
class TextStage:
    """Quarantines an object whose pixels show text.

    Parameters
    ----------
    read : callable
        Gives the words in an 8 bit image of shape (rows, columns); `packaged_ocr` by default.
    frames : int
        How many frames of a multi-frame object are looked at, the first and the last among them.
    """

    read: Callable[[Image], Words]
    frames: int = 3

    @property
    def fingerprint(self) -> str:
        """How it looks."""
        return f"text {self.frames} {_FEWEST_LETTERS} {_LEAST_SURE}"

    def apply(self, source: View) -> View | HeaderOutcome:
        """Return the object itself when its pixels show no text."""
        try:
            found = any(self._shows_text(frame) for frame in _frames(source, self.frames))
        except Quarantined as outcome:
            return HeaderOutcome("QUARANTINE", outcome.code, str(outcome))
        if not found:
            return source
        return HeaderOutcome(
            "QUARANTINE",
            "burned-in-text",
            "The pixels show text outside the regions of the pixel script. [burned-in-text]",
        )

    def _shows_text(self, frame: npt.NDArray[np.float32]) -> bool:
        return any(
            sure >= _LEAST_SURE and sum(letter.isalnum() for letter in text) >= _FEWEST_LETTERS
            for image in _pictures(frame)
            for text, sure in self.read(image)
        )


def packaged_ocr() -> Callable[[Image], Words]:
    """Return the OCR of the extra ``ocr``.

    Raises
    ------
    Unavailable
        The extra is not installed.
    """
    engine = _engine()

    def read(image: Image) -> Words:
        found, _ = engine(np.stack([image] * 3, axis=-1), use_cls=False)
        return [(str(text), float(sure)) for _, text, sure in found or ()]

    return read


@cache
def _engine() -> Any:
    try:
        module = importlib.import_module("rapidocr_onnxruntime")
    except ImportError:
        raise Unavailable(
            "ocr-missing", "No OCR is installed.", remedy="Install the extra: pip install 'lethe[ocr]'."
        ) from None
    return module.RapidOCR(intra_op_num_threads=1)


def _frames(source: View, most: int) -> Iterator[npt.NDArray[np.float32]]:
    """Yield frames of shape (rows, columns), colours averaged."""
    try:
        dataset = pydicom.dcmread(io.BytesIO(b"".join(source.chunks())))
        if "PixelData" not in dataset:
            return
        pixels = np.asarray(dataset.pixel_array, dtype=np.float32)
    except (InvalidDicomError, AttributeError, ValueError, RuntimeError, NotImplementedError, KeyError):
        raise Quarantined(
            "pixels-unread",
            "The pixels cannot be read, so nobody can say whether they show text.",
            remedy="Decompress the object, or look at it.",
        ) from None
    if int(dataset.get("SamplesPerPixel", 1)) > 1:
        pixels = pixels.mean(axis=-1)
    stack = pixels.reshape((-1, *pixels.shape[-2:]))
    for number in sorted({round(place) for place in np.linspace(0, len(stack) - 1, most)}):
        yield stack[number]


def _pictures(frame: npt.NDArray[np.float32]) -> Iterator[Image]:
    """Yield the frame in two windows: text is brighter than tissue, or hides between its greys."""
    seen = set()
    for low, high in ((frame.min(), frame.max()), tuple(np.percentile(frame, (1, 99)))):
        if high > low and (low, high) not in seen:
            seen.add((low, high))
            image = (np.clip((frame - low) / (high - low), 0, 1) * 255).astype(np.uint8)
            yield np.kron(image, np.ones((2, 2), np.uint8)) if min(image.shape) < _SMALL else image
