"""Sidecars: what the converter says about a series, cut down to an allow-list.

Dates, times, free text, names of institutions and devices are dropped; numbers and words of fixed
vocabularies stay, because an analysis needs them (M-28).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class AllowList:
    """What may stay in a sidecar.

    Attributes
    ----------
    numbers : frozenset of str
        Keys whose value may be any number, truth value or list of them.
    words : mapping of str to frozenset of str
        Keys whose value must come from a vocabulary.
    patterns : mapping of str to re.Pattern
        Keys whose value must fit a pattern as a whole.
    """

    numbers: frozenset[str]
    words: Mapping[str, frozenset[str]]
    patterns: Mapping[str, re.Pattern[str]]

    @classmethod
    @cache
    def standard(cls) -> AllowList:
        """Return the list that comes with the library (``sidecar.yaml``)."""
        text = resources.files("lethe.image").joinpath("sidecar.yaml").read_text(encoding="utf-8")
        content = yaml.safe_load(text)
        return cls(
            frozenset(content["numbers"]),
            {key: frozenset(words) for key, words in content["words"].items()},
            {key: re.compile(pattern) for key, pattern in content["patterns"].items()},
        )

    def clean(self, key: str, value: Any) -> Any:
        """Return the value if it may stay, else None."""
        if key in self.numbers:
            return value if _numeric(value) else None
        if key in self.words:
            words = value if isinstance(value, list) else str(value).split("\\")
            known = [word for word in words if word in self.words[key]]
            return None if not known else known if len(words) > 1 else known[0]
        if key in self.patterns and isinstance(value, str):
            return value if self.patterns[key].fullmatch(value) else None
        return None


def filtered(sidecar: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may leave of a sidecar.

    Parameters
    ----------
    sidecar : mapping
        The converter's JSON.

    Returns
    -------
    dict
        Numbers of known keys, words of fixed vocabularies, nothing else.
    """
    allowed = AllowList.standard()
    cleaned = {key: allowed.clean(key, value) for key, value in sidecar.items()}
    return {key: value for key, value in cleaned.items() if value is not None}


def _numeric(value: Any) -> bool:
    if isinstance(value, list):
        return all(_numeric(part) for part in value)
    return isinstance(value, (int, float))
