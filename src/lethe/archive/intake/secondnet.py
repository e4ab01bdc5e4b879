"""The header check of the second net: the server's script must find nothing left to take away."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from lethe.header import Anonymizer, HeaderOutcome, bundled_script, load_script
from lethe.header.view import View

_PIXELS = 0x7FE00010


class SecondNet:
    """Tell whether the net's script would still remove, empty or change something in a header.

    An object that was cleaned at its site passes unchanged; an object that slipped through is named by
    the first attribute that the script would touch, never by its value.

    Parameters
    ----------
    script : Path or None
        The script, read at the first object; the bundled ``net`` script by default.
    """

    def __init__(self, script: Path | None = None) -> None:
        self._script = script

    @cached_property
    def _anonymizer(self) -> Anonymizer:
        return Anonymizer(load_script(self._script or bundled_script("net")))

    def __call__(self, path: Path) -> str | None:
        """Return None if the object may go on, else a reason code such as ``identifying-00100030``."""
        with path.open("rb") as stream:
            cleaned = self._anonymizer.apply(View.of_file(stream))
            if isinstance(cleaned, HeaderOutcome):
                return cleaned.code or cleaned.status.lower()
            head = next(iter(cleaned.chunks()))
        before = pydicom.dcmread(path, stop_before_pixels=True)
        after = pydicom.dcmread(io.BytesIO(head), stop_before_pixels=True)
        touched = next(_touched(before, after), None)
        return None if touched is None else f"identifying-{int(touched):08x}"


def _touched(before: Dataset, after: Dataset) -> Iterator[BaseTag]:
    """Yield the tags whose value the script took away or changed."""
    for element in before:
        if element.tag == _PIXELS:
            return
        there = after.get(element.tag)
        if element.VR == "SQ":
            items, kept = list(element.value or ()), list(there.value or ()) if there is not None else []
            if len(items) != len(kept):
                yield element.tag
            for item, twin in zip(items, kept, strict=False):
                yield from _touched(item, twin)
        elif not element.is_empty and (there is None or there.value != element.value):
            yield element.tag
