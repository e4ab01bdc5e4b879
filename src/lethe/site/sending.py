"""Send a folder as CTP would: clean with the kit's scripts, then upload over HTTPS, patiently."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pydicom

from lethe.errors import Refused, Unavailable
from lethe.files import write_json
from lethe.header import apply_tree
from lethe.site.checking import stages
from lethe.site.model import CTP, LOOKUP, Kit
from lethe.xnat import records, send
from lethe.xnat.client import Archive

CLEANED, QUARANTINE, LEDGER, RECEIPT = "cleaned", "quarantine", "acknowledged.txt", "receipt.json"
Progress = Callable[[str, int, int], None]
T = TypeVar("T")
# one request: small enough to be repeated without pain when the line is cut
_MOST_OBJECTS, _MOST_BYTES = 200, 64 << 20
_PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of every object of the folder.

    Parameters
    ----------
    objects : int
        Objects found.
    held : dict
        Reason to number of objects that stay at the site, in the quarantine.
    sent : int
        Objects that the archive has acknowledged, in this run and earlier ones.
    sessions : dict
        Session label (made of research identifiers) to number of its objects in the archive.
    """

    collection: str
    site: str
    objects: int
    held: dict[str, int]
    sent: int
    sessions: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the receipt for JSON."""
        return asdict(self)


def clean(
    kit: Kit, folder: Path, source: Path, work: Path, progress: Progress, *, dry_run: bool = False
) -> Receipt:
    """Run the kit's scripts over `source`; what cannot be cleaned stays in the quarantine of `work`.

    Returns
    -------
    Receipt
        With nothing sent yet.

    Raises
    ------
    Misconfigured
        A script or the lookup table cannot be used; a folder lies inside another.
    Refused
        There is nothing to clean.
    """
    report = apply_tree(
        stages(kit, folder, folder / CTP / LOOKUP),
        source,
        work / CLEANED,
        quarantine=work / QUARANTINE,
        progress=lambda done, total: progress("cleaning", done, total),
        dry_run=dry_run,
    )
    if not report.counts:
        raise Refused("no-objects", "The folder holds no file.", remedy="Name the folder of the export.")
    held: dict[str, int] = defaultdict(int)
    for _number, code, _reason in report.quarantined:
        held[code] += 1
    return Receipt(kit.collection, kit.site, sum(report.counts.values()), dict(held), 0)


def upload(archive: Archive, kit: Kit, work: Path, cleaned: Receipt, progress: Progress) -> Receipt:
    """Upload what was cleaned; what is acknowledged is written down, so a cut line or a kill costs nothing.

    Parameters
    ----------
    archive : Archive
        Logged in as the site.
    work : Path
        Where `clean` wrote.
    cleaned : Receipt
        What `clean` returned.

    Returns
    -------
    Receipt
        Also written to ``receipt.json``.

    Raises
    ------
    Refused
        Clock, project, role, agreement or ethics approval: nothing (more) is sent. Or the archive holds fewer
        objects than were sent.
    Unavailable
        The line stayed cut; run it again to go on.
    """
    records.caller(archive)  # refuses a wrong clock before anything is sent
    if not archive.exists(f"/data/projects/{kit.intake}", "look for the intake project"):
        raise Refused(
            "no-intake",
            "The centre has no intake project of this collection, or this login has no role in it.",
            remedy="Ask the collection's administrator; check that the kit is the one of this collection.",
        )
    ledger = send.Ledger(work / LEDGER)
    paths = sorted((work / CLEANED).rglob("*.dcm"))
    labels = {path: _session(path) for path in paths}
    done = 0
    for batch in _batches(paths):
        _patiently(lambda batch=batch: send.import_zip(archive, batch, kit.intake, ledger, centre=kit.site))  # type: ignore[misc]
        done += len(batch)
        progress("sending", done, len(paths))
    _patiently(lambda: send.archive_sessions(archive, kit.intake, labels=frozenset(labels.values())))
    wanted: dict[str, int] = defaultdict(int)
    for label in labels.values():
        wanted[label] += 1
    found = {label: _arrived(archive, kit.intake, label) for label in sorted(wanted)}
    receipt = Receipt(kit.collection, kit.site, cleaned.objects, cleaned.held, len(ledger.done), found)
    write_json(work / RECEIPT, receipt.as_dict(), mode=0o600)
    short = sum(found[label] < wanted[label] for label in wanted)
    if short:
        raise Refused(
            "not-all-arrived",
            f"{short} session(s) hold fewer objects in the archive than were sent.",
            remedy="Keep the data and tell the centre; receipt.json says which sessions.",
        )
    return receipt


def _batches(paths: Sequence[Path]) -> Iterator[list[Path]]:
    batch: list[Path] = []
    size = 0
    for path in paths:
        if batch and (len(batch) >= _MOST_OBJECTS or size >= _MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(path)
        size += path.stat().st_size
    if batch:
        yield batch


def _patiently(work: Callable[[], T]) -> T:
    """Repeat what failed for want of a connection; the pauses grow."""
    for pause in _PAUSES_S:
        try:
            return work()
        except Unavailable:
            time.sleep(pause)
    return work()


def _session(path: Path) -> str:
    """Return the session that the routing script wrote into a cleaned object."""
    header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["PatientComments"])
    return str(header.PatientComments).rsplit("Session:", 1)[-1].strip()


def _arrived(archive: Archive, project: str, label: str) -> int:
    path = f"/data/projects/{project}/experiments/{label}/scans/ALL/files"
    rows = archive.rows(path, "count the objects of a session", file_format="DICOM")
    return sum(row.get("collection", "DICOM") == "DICOM" for row in rows)
