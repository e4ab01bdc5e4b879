"""Text in the pixels keeps an object from going on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lethe.header import HeaderOutcome
from lethe.header.burnedin import Image, TextStage, Words, packaged_ocr
from lethe.header.view import View
from unit.header.objects import ct, to_bytes


def _object(image: np.ndarray, **attributes: Any) -> View:
    rows, columns = image.shape[-2:]
    dataset = ct(Rows=rows, Columns=columns, **attributes)
    dataset.add_new(0x7FE00010, "OW", image.astype("<u2").tobytes())
    return View([to_bytes(dataset)])


def _head(size: int = 384) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - size / 2
    noise = np.random.default_rng(3).normal(1000, 25, (size, size))
    return np.where(x**2 / 1.4 + y**2 < (size / 3) ** 2, noise + 900, noise * 0.1).clip(0, 4095)


def _finder(words: Words, seen: list[tuple[int, ...]] | None = None) -> Callable[[Image], Words]:
    def read(image: Image) -> Words:
        if seen is not None:
            seen.append(image.shape)
        return words

    return read


@pytest.mark.requirement("E-50", "A-56")
@pytest.mark.parametrize(
    ("words", "held"),
    [([], False), ([("SMITH", 0.9)], True), ([("L", 0.99)], False), ([("SMITH", 0.3)], False)],
)
def test_words_hold_an_object_and_a_marker_of_the_side_does_not(words: Words, held: bool) -> None:
    outcome = TextStage(_finder(words)).apply(_object(_head(64)))
    assert isinstance(outcome, HeaderOutcome) is held
    if isinstance(outcome, HeaderOutcome):
        assert (outcome.status, outcome.code) == ("QUARANTINE", "burned-in-text")
        assert "SMITH" not in outcome.reason


def test_first_middle_and_last_frame_are_looked_at() -> None:
    seen: list[tuple[int, ...]] = []
    frames = np.stack([_head(64)] * 9)
    TextStage(_finder([], seen)).apply(_object(frames, NumberOfFrames="9"))
    assert seen == [(128, 128)] * 6  # three frames in two windows, enlarged


def test_pixels_that_cannot_be_read_hold_the_object() -> None:
    outcome = TextStage(_finder([])).apply(View([to_bytes(ct(Rows=512, Columns=512))]))
    assert isinstance(outcome, HeaderOutcome)
    assert outcome.code == "pixels-unread"


@pytest.mark.requirement("E-50", "A-56")
def test_the_packaged_ocr_finds_a_name_in_a_slice_and_nothing_in_a_head() -> None:
    pytest.importorskip("rapidocr_onnxruntime")
    cv2 = pytest.importorskip("cv2")
    stage = TextStage(packaged_ocr())
    assert isinstance(stage.apply(_object(_head())), View)
    text = np.zeros(_head().shape, np.uint8)
    cv2.putText(text, "SMITH JOHN 19560229", (12, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1)
    outcome = stage.apply(_object(np.maximum(_head(), text * 16.0)))
    assert isinstance(outcome, HeaderOutcome)
    assert outcome.code == "burned-in-text"
