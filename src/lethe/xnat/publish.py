"""Copy what passed every gate from the intake project to the collection project, digest by digest."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lethe.governance.collection import Collection
from lethe.release.publication import PlannedSeries
from lethe.xnat import terms
from lethe.xnat.client import Archive
from lethe.xnat.intake import Scan
from lethe.xnat.resources import get_file, list_files, put_file

# what was done to an image goes out with it (M-26); pictures and masks stay where the face is
_PROOF = {
    "NIFTI_DEFACED": ("DEFACE_QC", ("provenance.json", "report.json")),
    "NIFTI": ("CONVERSION", ("provenance.json",)),
}


def _ensure_session(archive: Archive, project: str, scan: Scan, xsi_type: str) -> str:
    subject = f"/data/projects/{project}/subjects/{scan.prid}"
    session = f"{subject}/experiments/{scan.session}"
    if not archive.exists(subject, "look for a subject"):
        archive.request("PUT", subject, "create a subject")
    if not archive.exists(session, "look for a session"):
        archive.request("PUT", session, "create a session", params={"xsiType": xsi_type})
    return session


def _ensure_scan(archive: Archive, session: str, scan: Scan) -> None:
    archive.request(
        "PUT",
        f"{session}/scans/{scan.number}",
        "create a scan",
        params={"xsiType": scan.xsi_type, "type": scan.scan_type, "quality": "usable"},
    )


def copy_resource(archive: Archive, source: str, target: str, only: Sequence[str] = ()) -> int:
    """Copy the files of one resource to another and return how many were sent.

    Parameters
    ----------
    source, target : str
        Paths of resources below the server's root (``/data/...``).
    only : sequence of str
        Names to copy; all when empty.
    """
    sent = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, row in sorted(list_files(archive, source).items()):
            if only and name not in only:
                continue
            spool = Path(folder) / "file"
            get_file(archive, row["URI"], spool, digest=row.get("digest", ""))
            sent += put_file(
                archive,
                target,
                name,
                spool,
                file_format=row.get("file_format", ""),
                content=row.get("file_content", ""),
            )
            spool.unlink()
    return sent


def compare_resource(
    archive: Archive, source: str, target: str | None, only: Sequence[str] = ()
) -> tuple[int, int]:
    """Return how many files `copy_resource` would send, and how many names hold other bytes already.

    A `target` of None is known to be empty.
    """
    there = {} if target is None else list_files(archive, target)
    missing = other = 0
    for name, row in list_files(archive, source).items():
        if only and name not in only:
            continue
        if name not in there:
            missing += 1
        elif row.get("digest", "") != there[name].get("digest", ""):
            other += 1
    return missing, other


def copies(scan: Scan, planned: PlannedSeries, project: str) -> list[tuple[str, str, Sequence[str]]]:
    """Return source, target and names (all when empty) of what is copied for one series."""
    here = f"/data{scan.uri}/resources"
    session = f"/data/projects/{project}/subjects/{scan.prid}/experiments/{scan.session}"
    found: list[tuple[str, str, Sequence[str]]] = []
    for label in planned.resources:
        target = f"{session}/scans/{scan.number}/resources/{label}"
        if label in _PROOF:
            proof, names = _PROOF[label]
            found.append((f"{here}/{proof}", target, names))
        found.append((f"{here}/{label}", target, ()))
    return found


def publish(
    archive: Archive,
    collection: Collection,
    plan: Sequence[tuple[Scan, PlannedSeries]],
    *,
    session_types: dict[str, str],
    centres: Mapping[str, str],
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Carry out a publication plan; what is already there with the same bytes is left alone.

    Parameters
    ----------
    plan : sequence of (Scan, PlannedSeries)
        Held series have no resources and are passed over.
    session_types : dict
        Session id in the intake project -> xsi:type.
    centres : mapping of PRID to code
        The contributing centre of each patient, empty where it is not known.

    Returns
    -------
    int
        Number of files sent.

    Raises
    ------
    Refused
        The agreement or ethics approval of a centre does not cover it today; nothing is sent.
    """
    sent = 0
    going = {scan.prid for scan, planned in plan if planned.published}
    terms.require_publication(archive, collection, going, centres)
    for number, (scan, planned) in enumerate(plan, start=1):
        if planned.published:
            session = _ensure_session(archive, collection.name, scan, session_types[scan.session_id])
            _ensure_scan(archive, session, scan)
            for source, target, names in copies(scan, planned, collection.name):
                sent += copy_resource(archive, source, target, names)
        if progress is not None:
            progress(number, len(plan))
    return sent


def publish_clinical(archive: Archive, collection: Collection, *, centres: Mapping[str, str]) -> int:
    """Copy the scrambled clinical table with its dictionary and report.

    Parameters
    ----------
    centres : mapping of PRID to code
        The contributing centre of every row.

    Raises
    ------
    Refused
        The agreement or ethics approval of a row's centre does not cover it today; nothing is sent.
    """
    terms.require_publication(archive, collection, centres, centres)
    return copy_resource(archive, *clinical_places(collection))


def clinical_places(collection: Collection) -> tuple[str, str]:
    """Return where the scrambled table lies and where it is copied to."""
    source, target = (
        f"/data/projects/{project}/resources/CLINICAL" for project in (collection.intake, collection.name)
    )
    return source, target
