"""What the intake project knows of every series, read back from its resources."""

from __future__ import annotations

import json
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

from lethe.governance.gates import SeriesRecord
from lethe.governance.review import reviewed
from lethe.release.publication import IntakeSeries, verdict_of_files
from lethe.xnat.client import Archive
from lethe.xnat.resources import list_files
from lethe.xnat.verdicts import assessments


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan of the archive; `uri` is its path below ``/data`` and ``/archive``."""

    prid: str
    session: str
    session_id: str
    number: str
    scan_type: str
    xsi_type: str

    @property
    def uri(self) -> str:
        """Path of the scan without the ``/data`` or ``/archive`` prefix."""
        return f"/experiments/{self.session_id}/scans/{self.number}"


def scans(archive: Archive, project: str) -> list[Scan]:
    """Return every scan of a project, sorted by subject, session and number."""
    sessions = archive.rows(
        f"/data/projects/{project}/experiments",
        "list sessions",
        xsiType="xnat:imageSessionData",
        columns="ID,label,subject_label",
    )
    found: list[Scan] = []
    for session in sessions:
        for row in archive.rows(f"/data/experiments/{session['ID']}/scans", "list scans"):
            found.append(
                Scan(
                    session["subject_label"],
                    session["label"],
                    session["ID"],
                    row["ID"],
                    row["type"],
                    row["xsiType"],
                )
            )
    return sorted(found, key=lambda scan: (scan.prid, scan.session, scan.number.zfill(8)))


def resource_labels(archive: Archive, scan: Scan) -> dict[str, int]:
    """Return label -> number of files of a scan's resources."""
    rows = archive.rows(f"/data{scan.uri}/resources", "list resources", file_stats="true")
    return {row["label"]: int(row["file_count"] or 0) for row in rows}


def read_json(archive: Archive, scan: Scan, resource: str, suffix: str) -> list[dict[str, Any]]:
    """Read every JSON file of a resource whose name ends with `suffix`."""
    files = list_files(archive, f"/data{scan.uri}/resources/{resource}")
    documents = []
    for name in sorted(files):
        if name.endswith(suffix):
            response = archive.request("GET", files[name]["URI"], "read a report")
            documents.append(json.loads(response.content))
    return documents


def _record(archive: Archive, scan: Scan, labels: dict[str, int], word: str | None) -> SeriesRecord:
    lanes = read_json(archive, scan, "CONVERSION", "lane.json") if "CONVERSION" in labels else []
    reports = read_json(archive, scan, "DEFACE_QC", "report.json") if "DEFACE_QC" in labels else []
    grades = read_json(archive, scan, "QC", "quality.json") if "QC" in labels else []
    lane = lanes[0] if len(lanes) == 1 else {}
    return SeriesRecord(
        lane=lane.get("lane"),
        converted=labels.get("NIFTI", 0) > 0,
        verdict=verdict_of_files(reports),
        defaced=labels.get("NIFTI_DEFACED", 0) > 0,
        reviewed=word,
        cleaned=labels.get("DICOM_CLEAN", 0) > 0,
        modality=str(lane.get("modality", "")),
        coverage_mm=lane.get("coverage_mm"),
        grade=str(grades[0].get("grade", "")) if len(grades) == 1 else "",
    )


def series_of(
    archive: Archive,
    project: str,
    *,
    sessions: Container[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[tuple[Scan, IntakeSeries]]:
    """Return every scan of an intake project with the record that the gates judge.

    Parameters
    ----------
    sessions : container of str, optional
        Labels of the sessions to look at; all by default.
    progress : callable, optional
        Told how many scans were looked at, and how many there are.
    """
    said = assessments(archive, project)
    chosen = [one for one in scans(archive, project) if sessions is None or one.session in sessions]
    found = []
    for number, scan in enumerate(chosen, start=1):
        word = reviewed(said.get((scan.session_id, scan.number), ()))
        record = _record(archive, scan, resource_labels(archive, scan), word)
        found.append((scan, IntakeSeries(scan.prid, scan.session, scan.number, scan.scan_type, record)))
        if progress is not None:
            progress(number, len(chosen))
    return found
