"""Files that several nouns read."""

from __future__ import annotations

from pathlib import Path

from lethe.errors import Misconfigured
from lethe.governance.definition import Definition, parse


def definition(file: Path) -> Definition:
    """Read a collection file.

    Raises
    ------
    Misconfigured
        It cannot be read, or what is wrong in it, with the line.
    """
    return parse(text(file), file.name)


def text(file: Path) -> str:
    """Return the text of a collection file."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise Misconfigured(
            "collection-file", f"{file.name} cannot be read.", remedy="Check path and permissions."
        ) from None
