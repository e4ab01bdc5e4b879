"""Matchers of registered commands; the language itself is `lethe.xnat.matcher`, which clients use as well."""

from __future__ import annotations

from lethe.archive.containers.reading import FieldReader
from lethe.errors import Refused
from lethe.xnat.matcher import compile_matcher, matches

__all__ = ["check_matcher", "compile_matcher", "matches"]


def check_matcher(matcher: str, reader: FieldReader) -> None:
    """Note a mistake when a matcher cannot be read."""
    try:
        compile_matcher(matcher)
    except Refused as refusal:
        reader.wrong(refusal.sentence)
