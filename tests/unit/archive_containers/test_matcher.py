"""Matchers: Jayway filter bodies as XNAT's commands write them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lethe.archive.containers.matcher import compile_matcher, matches
from lethe.errors import Refused

SCAN: dict[str, Any] = {
    "label": "1",
    "scan-type": "T1w MPRAGE",
    "frames": 192,
    "note": "it's fine",
    "resources": [{"label": "DICOM", "files": []}, {"label": "NIFTI"}],
}
EMPTY: dict[str, Any] = {"label": "2", "resources": []}
ONE: dict[str, Any] = {"label": "3", "resources": [{"label": "DICOM"}]}

TABLE = [
    ("", [SCAN, EMPTY, ONE]),
    ("'DICOM' in @.resources[*].label", [SCAN, ONE]),
    ('"DICOM" in @.resources[*].label', [SCAN, ONE]),
    ("'DIC' in @.resources[*].label", []),
    ("'DICOM' nin @.resources[*].label", [EMPTY]),
    ("@.resources[*].label contains 'NIFTI'", [SCAN]),
    ("@.scan-type in ['T1w MPRAGE', 'T2']", [SCAN]),
    ("@['scan-type'] in ['T1w MPRAGE']", [SCAN]),
    ("@.scan-type =~ /t1w.*/i", [SCAN]),
    ("@.scan-type =~ /t1w/i", []),
    ("@.scan-type", [SCAN]),
    ("!@.scan-type", [EMPTY, ONE]),
    ("@.label == '1'", [SCAN]),
    ("@.label != '1'", [EMPTY, ONE]),
    ("@.missing != '1'", [SCAN, EMPTY, ONE]),
    ("@.missing == null", []),
    ("@.frames > 100 && @.frames <= 192", [SCAN]),
    ("@.frames == '192'", []),
    ("@.label == '2' || (@.label == '3' && @.resources[0].label == 'DICOM')", [EMPTY, ONE]),
    ("!(@.label == '2')", [SCAN, ONE]),
    ("@.resources.size() > 1", [SCAN]),
    ("@.resources.length() == 1", [ONE]),
    ("@.resources size 2", [SCAN]),
    ("@.resources empty true", [EMPTY]),
    ("@.resources[?(@.label == 'NIFTI')]", [SCAN]),
    ("@.resources[*].label anyof ['NIFTI', 'X']", [SCAN]),
    ("@.resources[*].label noneof ['NIFTI']", [EMPTY, ONE]),
    ("@.resources[*].label subsetof ['DICOM']", [EMPTY, ONE]),
    ("@.note == 'it\\'s fine'", [SCAN]),
    ('(@.label == "3")', [ONE]),
]


@pytest.mark.parametrize(("matcher", "fitting"), TABLE, ids=[row[0] or "empty" for row in TABLE])
def test_a_matcher_picks_the_objects_that_fit(matcher: str, fitting: list[dict[str, Any]]) -> None:
    assert [one for one in (SCAN, EMPTY, ONE) if matches(matcher, one)] == fitting


@pytest.mark.parametrize(
    "matcher",
    [
        "@.label ==",
        "(@.label == 'x'",
        "== 'x'",
        "@.a b @.c",
        "@.label == 'x",
        "rm -rf /",
        "@..[",
        "@.x =~ /(/",
    ],
)
def test_a_matcher_that_cannot_be_read_is_refused(matcher: str) -> None:
    with pytest.raises(Refused) as caught:
        compile_matcher(matcher)
    assert caught.value.code == "matcher-syntax"


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.text(alphabet="@.$'\"[]()!&|=<>~/*ab1- ,", max_size=14))
def test_any_text_is_either_read_or_refused(text: str) -> None:
    with suppress(Refused):
        compile_matcher(text)(SCAN)
