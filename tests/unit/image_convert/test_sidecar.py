"""Sidecars keep numbers and known words, whatever the converter says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.people import people
from lethe.image.sidecar import filtered

WORDS = [word for person in people(4, seed=5) for word in person.planted()]
KEYS = [
    "PatientName", "PatientID", "AcquisitionTime", "AcquisitionDateTime", "SeriesDescription", "ProtocolName",
    "InstitutionName", "StationName", "DeviceSerialNumber", "ImageComments", "Modality", "Manufacturer",
    "ImageType", "ScanningSequence", "EchoTime", "ConvolutionKernel", "SliceTiming", "BodyPart", "NewKey",
]  # fmt: skip


@pytest.mark.requirement("M-28", "T-8", "M-21")
@given(
    sidecar=st.dictionaries(
        st.sampled_from(KEYS), st.one_of(st.sampled_from(WORDS), st.lists(st.sampled_from(WORDS), max_size=3))
    )
)
@settings(derandomize=True, max_examples=150)
def test_no_planted_word_stays_whatever_key_carries_it(sidecar: dict[str, object]) -> None:
    kept = json.dumps(filtered(sidecar), ensure_ascii=False)
    assert not [word for word in WORDS if word in kept]


@pytest.mark.requirement("M-28")
def test_what_an_analysis_needs_stays() -> None:
    sidecar = {
        "Modality": "MR",
        "ConvolutionKernel": "Hr38f",
        "EchoTime": 0.003,
        "RepetitionTime": 2.3,
        "SliceTiming": [0.0, 0.5],
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        "ScanningSequence": "GR\\IR",
        "AcquisitionTime": "10:11:12",
        "SeriesNumber": 4,
    }
    assert filtered(sidecar) == {
        "Modality": "MR",
        "ConvolutionKernel": "Hr38f",
        "EchoTime": 0.003,
        "RepetitionTime": 2.3,
        "SliceTiming": [0.0, 0.5],
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        "ScanningSequence": ["GR", "IR"],
    }
