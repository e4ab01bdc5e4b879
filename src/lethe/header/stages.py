"""Stages: what an object passes through on its way, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lethe.errors import Quarantined
from lethe.header.anonymizer import HeaderOutcome
from lethe.header.objectfilter import ObjectFilter
from lethe.header.pixelscript import PixelScript
from lethe.header.view import View


class Stage(Protocol):
    """Something that an object passes through."""

    @property
    def fingerprint(self) -> str:
        """What tells this stage from another; equal stages do the same to every object."""
        ...

    def apply(self, source: View) -> View | HeaderOutcome:
        """Return the object as it goes on, or why it does not."""
        ...


@dataclass(frozen=True)
class FilterStage:
    """Quarantines what does not fulfil a filter."""

    filter: ObjectFilter

    @property
    def fingerprint(self) -> str:
        """The filter's text."""
        return f"filter {self.filter.text}"

    def apply(self, source: View) -> View | HeaderOutcome:
        """Return the object itself when it fulfils the filter."""
        try:
            if self.filter.matches(source):
                return source
        except Quarantined as outcome:
            return HeaderOutcome("QUARANTINE", outcome.code, str(outcome))
        return HeaderOutcome("QUARANTINE", "filter", "The object does not fulfil the filter. [filter]")


@dataclass(frozen=True)
class PixelStage:
    """Blanks the pixel regions of a pixel script."""

    script: PixelScript

    @property
    def fingerprint(self) -> str:
        """The pixel script's signatures and regions."""
        return f"pixels {self.script.signatures!r}"

    def apply(self, source: View) -> View | HeaderOutcome:
        """Return the object with the regions blanked; an object without a matching signature as it is."""
        try:
            return self.script.apply(source).view
        except Quarantined as outcome:
            return HeaderOutcome("QUARANTINE", outcome.code, str(outcome))
