"""Strict reading of YAML and JSON: every key is known, every value has its form, every fault has its place.

A shape takes a value and returns it in its one spelling, or raises a fault that names the path. Nothing is
passed over: an unknown key is a refusal with its line, a doubled key and a reference are, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import yaml

from lethe.errors import Misconfigured

Path = tuple[str, ...]
Shape = Callable[[Any, Path], Any]

_MOST_BYTES = 1 << 20  # what a configuration of XNAT may hold


class Fault(Exception):
    """A value that has not its form; becomes a `Misconfigured` that names file and line."""

    def __init__(self, code: str, path: Path, sentence: str, remedy: str = "") -> None:
        super().__init__(code, path, sentence, remedy)
        self.code, self.path, self.sentence, self.remedy = code, path, sentence, remedy

    def outcome(self, name: str, lines: Mapping[Path, int]) -> Misconfigured:
        """Return the error of a file: its name, the line, what is wrong and what to do."""
        known = next(
            (lines[self.path[:n]] for n in range(len(self.path), -1, -1) if self.path[:n] in lines), 0
        )
        where = f"{name}, line {known}" if known else name
        at = f" ({'.'.join(self.path)})" if self.path else ""
        return Misconfigured(self.code, f"{where}: {self.sentence}{at}.", remedy=self.remedy)


# ---- YAML -------------------------------------------------------------------------------------------------


def read_yaml(text: str, name: str) -> tuple[Any, dict[Path, int]]:
    """Return the content of a YAML text and the line of every key.

    Parameters
    ----------
    text : str
    name : str
        Name of the file for messages.

    Raises
    ------
    Misconfigured
        No YAML, too large, a key that is doubled or no text, or a reference to another place.
    """
    if len(text.encode()) > _MOST_BYTES:
        raise Misconfigured("yaml", f"{name} is too large for a collection.", remedy="Use one file for each.")
    lines: dict[Path, int] = {}
    try:
        node = yaml.compose(text, yaml.SafeLoader)
        return (None if node is None else _build(node, (), lines, set())), lines
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise Misconfigured(
            "yaml", f"{name}, line {line}: this is no YAML.", remedy="Look at indentation, colons and quotes."
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise Misconfigured("yaml", f"{name} is no YAML.", remedy="Look at its text.") from None
    except Fault as fault:
        raise fault.outcome(name, lines) from None


def _build(node: yaml.Node, path: Path, lines: dict[Path, int], seen: set[int]) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if id(node) in seen:
        raise Fault("yaml-reference", path, "a value refers to another place", "Write the value out.")
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return [_build(one, (*path, str(n)), lines, seen) for n, one in enumerate(node.value, start=1)]
    if not isinstance(node, yaml.MappingNode):
        try:
            return yaml.SafeLoader("").construct_object(node)
        except ValueError:  # a day that is in no calendar
            raise Fault("value", path, "YAML cannot read this value", "Write a day as 2026-12-31.") from None
    found: dict[str, Any] = {}
    for key, value in node.value:
        lines[(*path, str(key.value))] = key.start_mark.line + 1
        if key.tag != "tag:yaml.org,2002:str":
            at = (*path, str(key.value))
            raise Fault("yaml-key", at, "YAML does not read this key as text", "Put it between quotes.")
        if key.value in found:
            raise Fault("yaml-doubled", (*path, key.value), "this key is there twice", "Leave one of them.")
        found[key.value] = _build(value, (*path, key.value), lines, seen)
    return found


# ---- shapes -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    """A text of one paragraph, matching `pattern`; line ends and double spaces become one space."""

    pattern: str = r".+"
    most: int = 2000
    what: str = "a text"

    def __call__(self, value: Any, path: Path) -> str:
        """Return the text."""
        text = " ".join(value.split()) if isinstance(value, str) else ""
        if not text or len(text) > self.most or not re.fullmatch(self.pattern, text):
            raise Fault("value", path, f"this must be {self.what}", f"At most {self.most} characters.")
        return text


def day(value: Any, path: Path) -> str:
    """Return a day as ``YYYY-MM-DD``."""
    try:
        found = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if type(found) is not date:
        raise Fault("value", path, "this must be a day", "Write it as 2026-12-31, without quotes.")
    return found.isoformat()


def flag(value: Any, path: Path) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise Fault("value", path, "this must be true or false")
    return value


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number between two bounds, both included."""

    least: int
    most: int

    def __call__(self, value: Any, path: Path) -> int:
        """Return the number."""
        if isinstance(value, bool) or not isinstance(value, int) or not self.least <= value <= self.most:
            raise Fault("value", path, f"this must be a whole number from {self.least} to {self.most}")
        return value


@dataclass(frozen=True, slots=True)
class Word:
    """One of a few words."""

    choices: tuple[str, ...]
    code: str = "value"

    def __call__(self, value: Any, path: Path) -> str:
        """Return the word."""
        if not isinstance(value, str) or value not in self.choices:
            raise Fault(self.code, path, "this word is not known", f"Use one of {', '.join(self.choices)}.")
        return value


@dataclass(frozen=True, slots=True)
class Listed:
    """A list without repetition, kept in sorted order."""

    shape: Shape

    def __call__(self, value: Any, path: Path) -> list[Any]:
        """Return the list."""
        if not isinstance(value, list):
            raise Fault("value", path, "this must be a list")
        found = [self.shape(one, (*path, str(n))) for n, one in enumerate(value, start=1)]
        for number, one in enumerate(found, start=1):
            if one in found[: number - 1]:
                raise Fault("doubled", (*path, str(number)), "this is in the list twice", "Leave one.")
        return sorted(found)


@dataclass(frozen=True, slots=True)
class Named:
    """A mapping from free names of one form to values of one shape."""

    name: Text
    shape: Shape

    def __call__(self, value: Any, path: Path) -> dict[str, Any]:
        """Return the mapping."""
        if not isinstance(value, dict):
            raise Fault("value", path, "this must be a mapping of names")
        for key in value:
            if self.name(key, (*path, key)) != key:
                raise Fault("value", (*path, key), "this name has spaces that do not count", "Remove them.")
        return {key: self.shape(one, (*path, key)) for key, one in value.items()}


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping with known keys; those of `needed` must be there."""

    fields: Mapping[str, Shape]
    needed: frozenset[str] = field(default_factory=frozenset)

    def __call__(self, value: Any, path: Path) -> dict[str, Any]:
        """Return the mapping, each value in its one spelling."""
        if not isinstance(value, dict):
            raise Fault("value", path, "this must be a mapping", f"Keys: {', '.join(self.fields)}.")
        for key in value:
            if key not in self.fields:
                keys = ", ".join(self.fields)
                raise Fault("unknown-key", (*path, key), "this key is not known", f"Known here: {keys}.")
        missing = sorted(self.needed - set(value))
        if missing:
            raise Fault("missing-key", path, f"{missing[0]} is missing", "Write it down.")
        return {key: self.fields[key](one, (*path, key)) for key, one in value.items()}
