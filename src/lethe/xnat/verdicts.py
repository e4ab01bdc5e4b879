"""The de-facing QC of a project: what programs recorded and people said, and the records of runs."""

from __future__ import annotations

import json
import re
from typing import Any

from lethe.governance.review import Assessment
from lethe.plugin.qc import assessment, document
from lethe.xnat.client import Archive
from lethe.xnat.resources import list_files

XSI_TYPE = "lethe:defaceQcData"
_PLAIN = ("label", "session_ID", "insert_user", "last_modified")
_TYPED = ("scan_id", "verdict", "reviewer")
_NOT_IN_LABELS = re.compile(r"[^A-Za-z0-9_-]")

Said = dict[tuple[str, str], list[Assessment]]


def assessments(archive: Archive, project: str) -> Said:
    """Return the assessments of a project by session id and scan; one request for all of them.

    An archive without the data type has none.
    """
    said: Said = {}
    for row in _rows(archive, project):
        key = row["session_ID"], _cell(row, "scan_id")
        words = _cell(row, "verdict"), _cell(row, "reviewer")
        said.setdefault(key, []).append(
            Assessment(*words, stored_by=row.get("insert_user", ""), at=row.get("last_modified", ""))
        )
    return said


def record_results(archive: Archive, project: str) -> int:
    """Record the result of every run that left none, and return how many were recorded.

    A run inside the Container Service cannot say which session it worked on, and a launch over a whole
    session has many results: so whoever launches records what is there. A verdict of people counts only
    for a recorded result.
    """
    rows = _rows(archive, project)
    recorded = {(row["session_ID"], _cell(row, "scan_id")) for row in rows if not _cell(row, "reviewer")}
    taken = {row["label"] for row in rows}
    sessions = archive.rows(
        f"/data/projects/{project}/experiments",
        "list sessions",
        xsiType="xnat:imageSessionData",
        columns="ID,label,subject_label",
    )
    written = 0
    for session in sessions:
        for scan in archive.rows(f"/data/experiments/{session['ID']}/scans", "list scans"):
            report = None
            if (session["ID"], scan["ID"]) not in recorded:
                report = _report(archive, session["ID"], scan["ID"])
            if report is not None:
                body = document(assessment(report, scan=scan["ID"], scan_type=scan.get("type", "")))
                label = _label(session["label"], scan["ID"], taken)
                owner = f"/data/projects/{project}/subjects/{session['subject_label']}"
                _put(archive, f"{owner}/experiments/{session['label']}/assessors/{label}", body)
                written += 1
    return written


def _rows(archive: Archive, project: str) -> list[dict[str, str]]:
    schemas = archive.request("GET", "/xapi/schemas", "ask for the data types").json()
    if not {"lethe", "lethe/lethe"} & set(schemas):
        return []
    columns = ",".join([*_PLAIN, *(f"{XSI_TYPE}/{name}" for name in _TYPED)])
    return archive.rows(
        f"/data/projects/{project}/experiments", "list verdicts", xsiType=XSI_TYPE, columns=columns
    )


def _cell(row: dict[str, str], name: str) -> str:
    """Return a typed column; servers head it as it was asked, in small letters, or by its bare name."""
    full = f"{XSI_TYPE}/{name}"
    return row.get(full) or row.get(full.lower()) or row.get(name) or ""


def _report(archive: Archive, session: str, scan: str) -> dict[str, Any] | None:
    files = list_files(archive, f"/data/experiments/{session}/scans/{scan}/resources/DEFACE_QC")
    if "report.json" not in files:
        return None
    content = archive.request("GET", files["report.json"]["URI"], "read a report").content
    return dict(json.loads(content))


def _label(session: str, scan: str, taken: set[str]) -> str:
    number = 1
    while (label := _NOT_IN_LABELS.sub("_", f"{session}_DQC_{scan}_{number}")) in taken:
        number += 1
    taken.add(label)
    return label


def _put(archive: Archive, place: str, body: bytes) -> None:
    archive.request(
        "PUT",
        place,
        "record a result",
        params={"xsiType": XSI_TYPE},
        data=body,
        headers={"Content-Type": "text/xml", "If-None-Match": "*"},
    )
