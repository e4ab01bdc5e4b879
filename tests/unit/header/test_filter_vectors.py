"""Filters and pixel scripts give what the real CTP gave."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest

from lethe.errors import Misconfigured
from lethe.header.objectfilter import ObjectFilter
from lethe.header.pixelscript import read_pixel_script
from lethe.header.view import View

DATA = Path(__file__).parents[2] / "data"
FILTERS = json.loads((DATA / "ctp-vectors-filter" / "cases.json").read_text(encoding="utf-8"))["cases"]
PIXELS: dict[str, Any] = json.loads((DATA / "ctp-vectors-pixel" / "cases.json").read_text(encoding="utf-8"))
MR = View([(DATA / "ctp-vectors-filter" / "mr.dcm").read_bytes()])


@pytest.mark.requirement("E-57")
@pytest.mark.parametrize("case", FILTERS, ids=[str(n) for n in range(len(FILTERS))])
def test_a_filter_decides_as_ctp_does(case: dict[str, Any]) -> None:
    assert ObjectFilter(case["script"], as_ctp=True).matches(MR) == case["matches"]


@pytest.mark.requirement("E-50")
@pytest.mark.parametrize("name", PIXELS)
def test_a_pixel_script_blanks_what_ctp_blanks(name: str) -> None:
    case = PIXELS[name]
    script = read_pixel_script(case["script"], as_ctp=True)
    view = View([(DATA / "ctp-vectors-pixel" / f"{name}.dcm").read_bytes()])
    outcome = script.apply(view, test=case["test"], set_burned_in=case["setBurnedInAnnotation"])
    assert (outcome.status, outcome.signature) == (case["status"], case["signature"])
    if "pixel_data_b64" in case:
        dataset = pydicom.dcmread(BytesIO(b"".join(outcome.view.chunks())))
        assert dataset.PixelData == base64.b64decode(case["pixel_data_b64"])
        assert dataset.get("BurnedInAnnotation", "") == case["burned_in_annotation"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Modality",
        'Modality.equals("MR"',
        'Modality.equalz("MR")',
        'NoSuch.equals("x")',
        "!!true.",
        "true. +",
    ],
)
def test_a_filter_that_ctp_takes_for_something_else_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured):
        ObjectFilter(text)
