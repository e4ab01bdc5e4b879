"""Files that several nouns read."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lethe.errors import Misconfigured
from lethe.governance.definition import Definition, parse


def collection_file(file: Path) -> tuple[Definition, str]:
    """Read a collection file; return what it says and its SHA-256.

    Raises
    ------
    Misconfigured
        It cannot be read, or what is wrong in it, with the line.
    """
    try:
        data = file.read_bytes()
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError):
        raise Misconfigured(
            "collection-file", f"{file.name} cannot be read.", remedy="Check path and permissions."
        ) from None
    return parse(text, file.name), hashlib.sha256(data).hexdigest()
