"""Apply scripts to a whole tree: every file ends whole in the target, or in the quarantine, never both."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lethe.errors import Misconfigured, Refused, Unavailable
from lethe.files import atomic_writer, sha256_of, write_json
from lethe.header.anonymizer import HeaderOutcome, write_view
from lethe.header.objectfile import read_object
from lethe.header.stages import Stage
from lethe.header.text import trim
from lethe.header.view import View

_MARK = ".lethe-scripts.json"
_SOP_INSTANCE, _SERIES = 0x00080018, 0x0020000E


@dataclass
class TreeReport:
    """What became of the files of a tree.

    Parameters
    ----------
    counts : dict
        Number of files by status: OK, SAME (done by an earlier run), QUARANTINE, SKIP, ABORT.
    quarantined : list
        (running number, code, reason) of each file that was not cleaned; numbers follow the sorted paths,
        names are not given because they may identify.
    """

    counts: dict[str, int] = field(default_factory=dict)
    quarantined: list[tuple[int, str, str]] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """Return the report for JSON."""
        reasons = Counter(code for _, code, _ in self.quarantined)
        return {
            "counts": dict(sorted(self.counts.items())),
            "reasons": dict(sorted(reasons.items())),
            "quarantined": [{"number": n, "code": c, "reason": r} for n, c, r in self.quarantined],
        }


def apply_tree(
    scripts: Sequence[Stage],
    source: Path,
    target: Path,
    *,
    quarantine: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    dry_run: bool = False,
) -> TreeReport:
    """Clean every file below `source`.

    Parameters
    ----------
    scripts : sequence of Anonymizer or other Stage
        Run one after the other on each object (filter, profile, routing).
    source : Path
        Folder with the objects; only read. Files named ``*_catalog.xml`` are passed over.
    target : Path
        Folder of the cleaned objects, made if need be. They are named ``<series>/<instance>.dcm`` by hashes
        of the new UIDs, so that no name of the source survives.
    quarantine : Path, optional
        Folder for a copy of each object that could not be cleaned, with its reason; it holds identified
        data. Without it such objects are only counted.
    progress : callable, optional
        Called with (files done, files in all).
    dry_run : bool
        Only say what would become of each file; nothing is written.

    Returns
    -------
    TreeReport

    Raises
    ------
    Misconfigured
        `source` is no folder, or `target` or `quarantine` lies inside it or the other.
    Refused
        `target` holds the work of other scripts.
    Unavailable
        No space is left.
    """
    _check_folders(source, target, quarantine)
    if not dry_run:
        target.mkdir(parents=True, exist_ok=True)
        _mark(scripts, target)
        _sweep(target)
    shelf = _Quarantine(None if dry_run else quarantine)
    files = list(object_files(source))
    report = TreeReport()
    counts: Counter[str] = Counter()
    for number, path in enumerate(files, 1):
        outcome = _one(scripts, path, None if dry_run else target, shelf)
        counts[outcome.status] += 1
        if outcome.status not in ("OK", "SAME"):
            report.quarantined.append((number, outcome.code, outcome.reason))
        if progress is not None:
            progress(number, len(files))
    report.counts = dict(counts)
    return report


def _check_folders(source: Path, target: Path, quarantine: Path | None) -> None:
    if not source.is_dir():
        raise Misconfigured("no-folder", "The source is not a folder.", remedy="Name an existing folder.")
    named = [path.resolve() for path in (source, target, quarantine) if path is not None]
    for one in named:
        if any(one is not other and one.is_relative_to(other) for other in named):
            raise Misconfigured(
                "nested-folders",
                "Source, target and quarantine must not lie inside each other.",
                remedy="Name three separate folders.",
            )


def _mark(scripts: Sequence[Stage], target: Path) -> None:
    """Remember which scripts fill the target, so that the work of two profiles is never mixed."""
    digest = hashlib.sha256()
    for stage in scripts:
        digest.update(stage.fingerprint.encode("utf-8", "replace") + b"\0")
    mark = {"scripts": digest.hexdigest()}
    path = target / _MARK
    if path.exists():
        if json.loads(path.read_bytes()) != mark:
            raise Refused(
                "other-scripts",
                "The target holds objects that other scripts cleaned.",
                remedy="Name an empty folder.",
            )
        return
    if any(target.iterdir()):
        raise Refused("target-not-empty", "The target is not empty.", remedy="Name an empty folder.")
    write_json(path, mark)


def _sweep(folder: Path) -> None:
    """Remove what a killed run left half written."""
    for path in folder.rglob(".*.partial"):
        path.unlink(missing_ok=True)


def object_files(source: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(source):
        folders.sort()
        for name in sorted(names):
            if not name.endswith("_catalog.xml"):
                yield Path(folder, name)


def _one(scripts: Sequence[Stage], path: Path, target: Path | None, shelf: _Quarantine) -> HeaderOutcome:
    try:
        with path.open("rb") as stream:
            view = View.of_file(stream)
            cleaned = _chain(scripts, view)
            if isinstance(cleaned, HeaderOutcome):
                shelf.put(path, cleaned)
                return cleaned
            return HeaderOutcome("OK") if target is None else _store(cleaned, path, target, shelf)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable(
                "no-space", "No space is left on the target's disk.", remedy="Make room, then run again."
            ) from None
        return HeaderOutcome("QUARANTINE", "unreadable", "The file cannot be read. [unreadable]")


def _chain(scripts: Sequence[Stage], view: View) -> View | HeaderOutcome:
    for stage in scripts:
        outcome = stage.apply(view)
        if isinstance(outcome, HeaderOutcome):
            return outcome
        view = outcome
    return view


def apply_file(
    scripts: Sequence[Stage], source: Path, target: Path, *, dry_run: bool = False
) -> HeaderOutcome:
    """Apply stages one after the other to one file; see `Anonymizer.run`."""
    with source.open("rb") as stream:
        cleaned = _chain(scripts, View.of_file(stream))
        if isinstance(cleaned, HeaderOutcome):
            return cleaned
        return HeaderOutcome("OK") if dry_run else write_view(cleaned, target)


def _store(cleaned: View, path: Path, target: Path, shelf: _Quarantine) -> HeaderOutcome:
    final = target / _neutral_name(cleaned)
    if cleaned.begins_like(final):
        shelf.drop(path)
        return HeaderOutcome("SAME")
    if final.exists():
        outcome = HeaderOutcome(
            "QUARANTINE",
            "doubled-instance",
            "Another object of the source has the same instance UID and other contents. [doubled-instance]",
        )
        shelf.put(path, outcome)
        return outcome
    final.parent.mkdir(parents=True, exist_ok=True)
    with atomic_writer(final) as out:
        for chunk in cleaned.chunks():
            out.write(chunk)
    shelf.drop(path)
    return HeaderOutcome("OK")


def _neutral_name(cleaned: View) -> Path:
    dataset = read_object(cleaned).dataset

    def digest(tag: int, length: int) -> str:
        element = dataset.index.get(tag)
        text = "" if element is None else trim(dataset.raw(element).decode("latin-1").rstrip("\0"))
        return hashlib.sha256(text.encode()).hexdigest()[:length]

    return Path(digest(_SERIES, 12), f"{digest(_SOP_INSTANCE, 20)}.dcm")


class _Quarantine:
    """Copies of objects that could not be cleaned, named by the hash of their bytes."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._sizes: Counter[int] = Counter()
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sweep(folder)
            for note in folder.glob("*.json"):
                self._sizes[int(json.loads(note.read_bytes()).get("size", -1))] += 1

    def put(self, path: Path, outcome: HeaderOutcome) -> None:
        """Keep a copy of a source file, and why."""
        if self._folder is None:
            return
        name = sha256_of(path)[:32]
        size = path.stat().st_size
        copy = self._folder / f"{name}.quarantined"
        if not copy.exists():
            with path.open("rb") as stream, atomic_writer(copy, 0o600) as out:
                for chunk in View.of_file(stream).chunks():
                    out.write(chunk)
        note = {"status": outcome.status, "code": outcome.code, "reason": outcome.reason, "size": size}
        write_json(self._folder / f"{name}.json", note, 0o600)
        self._sizes[size] += 1

    def drop(self, path: Path) -> None:
        """Remove a file that an earlier run quarantined and this one cleaned."""
        if self._folder is None or not self._sizes[path.stat().st_size]:
            return
        name = sha256_of(path)[:32]
        for suffix in (".quarantined", ".json"):
            (self._folder / f"{name}{suffix}").unlink(missing_ok=True)
