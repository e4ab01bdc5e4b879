"""Results of ``prepare-session``: from the session's resource to the scans that they belong to."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lethe.errors import Refused, Unavailable
from lethe.xnat.bulk import Ended
from lethe.xnat.client import Archive
from lethe.xnat.resources import get_file, list_files
from lethe.xnat.runs import Job, session_of
from lethe.xnat.wrappers import Wrapper

PREPARED, REPORT = "PREPARED", "PREPARE_REPORT"
KINDS: Mapping[str, tuple[str, str]] = {
    "NIFTI": ("NIFTI", "NIFTI_RAW"),
    "CONVERSION": ("JSON", "CONVERSION_REPORT"),
    "NIFTI_DEFACED": ("NIFTI", "NIFTI_DEFACED"),
    "DEFACE_QC": ("MIXED", "DEFACE_REPORT"),
    "DICOM_DEFACED": ("DICOM", "DICOM_DEFACED"),
    "DICOM_CLEAN": ("DICOM", "DICOM_CLEAN"),
}
"""Label of a scan's resource -> format and content, as the single commands' command.json says."""
_TAG = "lethe"


@dataclass(frozen=True, slots=True)
class Scan:
    """What ``prepare-session`` says of one scan; `reason` tells why it failed, empty when it did not."""

    uri: str
    number: str
    verdict: str
    resources: tuple[str, ...]
    reason: str = ""


def report_of(archive: Archive, session: str) -> list[Scan]:
    """Return what the last ``prepare-session`` of a session says of its scans; empty without one.

    Parameters
    ----------
    session : str
        Accession id.
    """
    files = list_files(archive, f"/data/experiments/{session}/resources/{REPORT}")
    if "report.json" not in files:
        return []
    content = archive.request("GET", files["report.json"]["URI"], "read a report").content
    return [_scan(session, row) for row in json.loads(content)["scans"]]


def _scan(session: str, row: Mapping[str, Any]) -> Scan:
    failed = row["failed"] or {}
    said = (failed.get("sentence"), failed.get("remedy"), f"[{failed.get('code')}]")
    reason = f"{failed['step']}: {' '.join(filter(None, said))}".removeprefix(": ") if failed else ""
    number = str(row["scan"])
    uri = f"/archive/experiments/{session}/scans/{number}"
    return Scan(uri, number, str(row["verdict"]), tuple(row["resources"]), reason)


def place(
    archive: Archive, session: str, progress: Callable[[int, int], None] = lambda done, total: None
) -> int:
    """Move the results of a session's ``prepare-session`` to its scans; return how many files were sent.

    What is on its scan already with the same bytes is not sent again, so a placing that was cut off goes on.
    Results of an earlier run are replaced. The session's resource is removed when all of it is in place.

    Parameters
    ----------
    session : str
        Accession id.
    progress : callable, optional
        Gets resources done and resources in all.

    Raises
    ------
    Refused
        The session has no such scan (any more), or the user may not edit it.
    Unavailable
        A digest differs; nothing was removed.
    """
    source = f"/data/experiments/{session}/resources/{PREPARED}"
    files = list_files(archive, source)
    if not files:
        return 0
    rows = archive.rows(f"/data/experiments/{session}/scans", "list scans")
    resources = _by_resource(files, {row["ID"] for row in rows})
    sent = 0
    for done, ((scan, label), members) in enumerate(resources.items(), start=1):
        target = f"/data/experiments/{session}/scans/{scan}/resources/{label}"
        sent += _move(archive, members, target, label)
        progress(done, len(resources))
    # who may not delete (a member) leaves it for an owner; nothing depends on it any more
    archive.request(
        "DELETE", source, "remove a resource", params={"removeFiles": "true"}, ok=(200, 204, 403, 404)
    )
    return sent


def settle(archive: Archive, ended: Sequence[Ended]) -> list[Ended]:
    """Put the results of the complete runs of ``prepare-session`` in place; add the scans that failed.

    Runs of other commands are returned as they are.
    """
    found = list(ended)
    for run in ended:
        if run.complete and REPORT in run.job.wrapper.results:
            session = session_of(run.job.root_uri)
            place(archive, session)
            found += failures_of(archive, session, run.job.wrapper, run.container)
    return found


def failures_of(archive: Archive, session: str, wrapper: Wrapper, container: str = "") -> list[Ended]:
    """Return the scans of a session that ``prepare-session`` could not prepare, as runs that failed."""
    return [
        Ended(Job(wrapper, scan.uri), "Failed (Scan)", scan.reason, container)
        for scan in report_of(archive, session)
        if scan.reason
    ]


def _by_resource(
    files: Mapping[str, Mapping[str, str]], scans: set[str]
) -> dict[tuple[str, str], dict[str, Mapping[str, str]]]:
    """Return (scan, label) -> name in the resource -> row of the file."""
    found: dict[tuple[str, str], dict[str, Mapping[str, str]]] = {}
    for name in sorted(files):
        scan, _, rest = name.partition("/")
        label, _, inside = rest.partition("/")
        if scan not in scans or label not in KINDS or not inside:
            raise Refused(
                "not-placed",
                f"A file of {PREPARED} belongs to no scan of its session.",
                remedy="Launch prepare-session again.",
            )
        found.setdefault((scan, label), {})[inside] = files[name]
    return found


def _move(archive: Archive, files: Mapping[str, Mapping[str, str]], target: str, label: str) -> int:
    """Copy the files of one resource that are not there with the same bytes, all in one upload."""
    kind, content = KINDS[label]
    missing = _missing(files, list_files(archive, target))
    if not missing:
        return 0
    params = {"format": kind, "content": content, "tags": _TAG}
    archive.request("PUT", target, "create a resource", params=params, ok=(200, 201, 409))
    with tempfile.TemporaryDirectory() as folder:
        packed, spool = Path(folder) / "files.zip", Path(folder) / "file"
        with zipfile.ZipFile(packed, "w") as pack:
            for inside in missing:
                get_file(archive, files[inside]["URI"], spool, digest=files[inside].get("digest", ""))
                pack.write(spool, inside)
        with packed.open("rb") as stream:
            archive.request(
                "PUT",
                f"{target}/files/files.zip",
                "upload files",
                params={**params, "extract": "true", "overwrite": "true", "inbody": "true"},
                data=stream,
                headers={"Content-Type": "application/zip"},
            )
    # XNAT answers 200 and stores nothing where the right to edit is missing: look, do not trust
    if _missing(files, list_files(archive, target)):
        raise Unavailable(
            "upload-not-stored",
            "The archive accepted an upload but does not hold those bytes.",
            remedy="Check your role in the project, then run again.",
        )
    return len(missing)


def _missing(files: Mapping[str, Mapping[str, str]], present: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the names that are not there, or not with the same digest where the server tells digests."""
    return [
        name
        for name, row in files.items()
        if name not in present or row.get("digest", "") != present[name].get("digest", "")
    ]
