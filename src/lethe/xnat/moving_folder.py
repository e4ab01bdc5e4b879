"""The folder of an export: looked at whole before anything of it is sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lethe.errors import Misconfigured, Refused
from lethe.files import sha256_of

Json = dict[str, Any]
Progress = Callable[[int, int], None]
FORMAT, VERSION = "lethe-archive-export", 1


@dataclass(frozen=True, slots=True)
class Folder:
    """An export whose every byte agrees with its manifest.

    Attributes
    ----------
    root : Path
    seal : str
        SHA-256 of the manifest, as the export printed it.
    projects : mapping of str to document
    people : mapping of login to name and mail
    left_behind : mapping
        What the export did not take along.
    """

    root: Path
    seal: str
    projects: Mapping[str, Json]
    people: Mapping[str, Mapping[str, str]]
    left_behind: Mapping[str, Mapping[str, int]]

    def path(self, name: str) -> Path:
        """Return where a file of the folder lies."""
        return self.root / name

    def history(self, project: str) -> Json:
        """Return the history of a project as a file of a resource."""
        name = f"history/{project}.json"
        data = self.path(name).read_bytes()
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return {"path": f"{project}-{digest[:8]}.json", "file": name, "size": len(data), "md5": digest,
                "format": "JSON", "content": "HISTORY", "tags": "", "description": ""}  # fmt: skip


def read(root: Path, *, seal: str = "", progress: Progress | None = None) -> Folder:
    """Open an export and compare every file with the manifest.

    Parameters
    ----------
    seal : str
        The SHA-256 that the export printed; empty = only the folder's own agreement is looked at.

    Raises
    ------
    Misconfigured
        It is no export, or one of a newer program.
    Refused
        Files are missing, changed or added, or the manifest is not the one of the seal.
    """
    manifest = _json(root / "manifest.json")
    if manifest.get("format") != FORMAT or manifest.get("version") != VERSION:
        raise Misconfigured(
            "no-export", "The folder is no export that this program reads.", remedy="Name its folder."
        )
    found = sha256_of(root / "manifest.json")
    if seal and seal.strip().lower() != found:
        raise _tampered("Its manifest is not the one of that seal")
    files: Mapping[str, Mapping[str, Any]] = manifest["files"]
    there = {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}
    strange = there ^ {*files, "manifest.json"}
    links = [path for path in root.rglob("*") if path.is_symlink()]
    if strange or links:
        raise _tampered(f"{len(strange) + len(links)} file(s) are missing from it or were added to it")
    changed = 0
    for number, (name, wanted) in enumerate(files.items(), start=1):
        path = root / name
        same = path.stat().st_size == wanted["size"] and sha256_of(path) == wanted["sha256"]
        changed += not same
        if progress is not None:
            progress(number, len(files))
    if changed:
        raise _tampered(f"{changed} file(s) of it have other bytes than the manifest says")
    projects = {name: _json(root / "projects" / f"{name}.json") for name in manifest["projects"]}
    if any(name not in files for project in projects.values() for name in _named(project)):
        raise _tampered("It speaks of files that its manifest does not have")
    return Folder(
        root,
        found,
        projects,
        _json(root / "people.json"),
        manifest["left_behind"],
    )


def _named(node: Json) -> Iterator[str]:
    """Yield the files that an item and everything below it speak of."""
    for resource in node["resources"]:
        yield from (one["file"] for one in resource["files"])
    for child in node["children"]:
        yield from _named(child)


def _json(path: Path) -> Json:
    try:
        found: Json = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise Misconfigured(
            "no-export", "The folder is no export, or its manifest is broken.", remedy="Export again."
        ) from None
    return found


def _tampered(sentence: str) -> Refused:
    return Refused(
        "export-changed", f"The export was changed: {sentence}. Nothing was sent.", remedy="Export again."
    )
