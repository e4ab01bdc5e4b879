"""Labels, ids, file paths and folder names: what is allowed, and how they look on disk."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lethe.archive.problem import Problem

_PROJECT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_A_LABEL = re.compile(r"[^A-Za-z0-9_-]")
_MOST_BYTES = 200


def check_project_id(text: str) -> str:
    """Return a valid new project id, else 417."""
    if not _PROJECT_ID.fullmatch(text):
        raise Problem(417, "Invalid character in project ID.")
    return text


def check_label(text: str, what: str = "label") -> str:
    """Return a label that may be stored: one path segment, no control character, at most 200 bytes."""
    if (
        not text.strip()
        or text in {".", ".."}
        or "/" in text
        or "\\" in text
        or _CONTROL.search(text)
        or len(text.encode(errors="replace")) > _MOST_BYTES
        or not _is_text(text)
    ):
        raise Problem(400, f"Invalid {what}.")
    return text


def check_resource_label(text: str) -> str:
    """Return a valid resource label; one of digits alone would be read as an id."""
    if text.isdecimal():
        raise Problem(400, "A resource label must not be a number.")
    return check_label(text, "resource label")


def check_file_path(text: str) -> str:
    """Return a relative file path with slashes, free of anything that could leave its folder.

    Raises
    ------
    Problem
        400 for an absolute path, ``..``, an empty segment, a backslash or a control character.
    """
    parts = text.split("/")
    if len(text.encode(errors="replace")) > 1024 or any(
        not p or len(p.encode(errors="replace")) > 255 for p in parts
    ):
        raise Problem(400, "Invalid file path.")
    for part in parts:
        if part in {".", ".."} or "\\" in part or _CONTROL.search(part) or not _is_text(part):
            raise Problem(400, "Invalid file path.")
    return text


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def to_label(text: str) -> str:
    """Turn any text (a DICOM value) into a label: characters outside of ``[A-Za-z0-9_-]`` become ``_``."""
    return _NOT_A_LABEL.sub("_", text.strip())


def folder_names(label: str) -> Iterator[str]:
    """Yield folder names for a label, best first: itself made safe, then with ``_2``, ``_3``, ..."""
    name = _CONTROL.sub("_", label).replace("/", "_").replace("\\", "_")
    if name.startswith("."):
        name = "_" + name
    yield name
    number = 2
    while True:
        yield f"{name}_{number}"
        number += 1
