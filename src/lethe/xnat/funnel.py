"""How far the patients of a collection have come: from received to published.

The dashboard has the same function (``plugin/dashboard/src/lib/funnel.ts``) with the same test vectors.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lethe.governance import collection as governed
from lethe.xnat.client import Archive

Row = Mapping[str, str]
STAGES = ("received", "converted", "defaced", "reviewed", "clinical", "published")
_CONVERTING = ("dicom-to-nifti-scan", "dicom-to-nifti-session", "prepare-session")
_DEFACING = ("deface-scan", "deface-session", "prepare-session")
_QC, _RECORD = "lethe:defaceQcData", "lethe:clinicalData"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the lists of an archive say of a collection.

    Attributes
    ----------
    sessions : sequence of rows
        ``id`` and ``subject`` (the label) of the image sessions.
    verdicts : sequence of rows
        ``session``, ``scan``, ``verdict`` and ``at`` (when it was stored) of the de-facing QC.
    records : sequence of rows
        ``subject``, ``mrs_3m`` and ``lost_followup`` of the stroke records.
    converted : collection of str
        Ids of the sessions of which a run made NIfTI images.
    defaced : collection of str
        Ids of the sessions of which a run made de-faced images.
    published : collection of str
        Labels of the subjects in the released collection.
    """

    sessions: Sequence[Row]
    verdicts: Sequence[Row] = ()
    records: Sequence[Row] = ()
    converted: Collection[str] = ()
    defaced: Collection[str] = ()
    published: Collection[str] = ()


def newest_verdicts(verdicts: Iterable[Row]) -> list[Row]:
    """Return the newest verdict of each scan."""
    newest: dict[tuple[str, str], Row] = {}
    for row in verdicts:
        key = row["session"], row["scan"]
        if key not in newest or newest[key]["at"] <= row["at"]:
            newest[key] = row
    return list(newest.values())


def clinically_complete(records: Iterable[Row]) -> set[str]:
    """Return the subjects whose record has the outcome at three months, or says that it cannot be had."""
    return {row["subject"] for row in records if row["mrs_3m"] or row["lost_followup"] == "yes"}


def funnel(facts: Facts) -> dict[str, list[str]]:
    """Return the labels of the subjects that reached each stage, in order.

    A stage is reached with all sessions of a subject and needs all stages before it; ``published`` is told by
    the released collection alone.
    """
    verdicts = newest_verdicts(facts.verdicts)
    judged = {row["session"] for row in verdicts}
    held = {row["session"] for row in verdicts if row["verdict"] != "pass"}
    complete = clinically_complete(facts.records)
    sessions: dict[str, set[str]] = {}
    for row in facts.sessions:
        sessions.setdefault(row["subject"], set()).add(row["id"])

    received = sorted(sessions)
    faceless = judged | set(facts.defaced)
    ready = faceless | set(facts.converted)
    converted = [one for one in received if sessions[one] <= ready]
    defaced = [one for one in converted if sessions[one] <= faceless]
    reviewed = [one for one in defaced if sessions[one] <= judged - held]
    return {
        "received": received,
        "converted": converted,
        "defaced": defaced,
        "reviewed": reviewed,
        "clinical": [one for one in reviewed if one in complete],
        "published": [one for one in received if one in set(facts.published)],
    }


# ---- from an archive --------------------------------------------------------------------------------------


def facts_of(archive: Archive, collection: governed.Collection) -> Facts:
    """Read what a funnel needs: images and verdicts of the intake project, records of both projects."""
    intake, released = collection.intake, collection.name
    sessions = _listed(
        archive, intake, "xnat:imageSessionData", {"id": "ID", "subject": "subject_label"}, "list sessions"
    )
    verdicts = _listed(
        archive, intake, _QC,
        {"session": "session_ID", "at": "insert_date", "scan": f"{_QC}/scan_id",
         "verdict": f"{_QC}/verdict", "auto": f"{_QC}/auto_verdict"}, "list de-facing verdicts",
    )  # fmt: skip
    columns = {"subject": "subject_label"} | {
        name: f"{_RECORD}/{name}" for name in ("mrs_3m", "lost_followup")
    }
    records = [
        row
        for project in (intake, released)
        for row in _listed(archive, project, _RECORD, columns, "list records")
    ]
    subjects = archive.rows(f"/data/projects/{released}/subjects", "list subjects", columns="label")
    return Facts(
        sessions=sessions,
        verdicts=[{**row, "verdict": row["verdict"] or row["auto"] or "pending"} for row in verdicts],
        records=records,
        converted=_worked(archive, intake, _CONVERTING),
        defaced=_worked(archive, intake, _DEFACING),
        published={_cell(row, "label") for row in subjects},
    )


def _listed(
    archive: Archive, project: str, xsi_type: str, columns: Mapping[str, str], what: str
) -> list[dict[str, str]]:
    rows = archive.rows(
        f"/data/projects/{project}/experiments", what, xsiType=xsi_type, columns=",".join(columns.values())
    )
    return [{name: _cell(row, column) for name, column in columns.items()} for row in rows]


def _cell(row: Row, column: str) -> str:
    """Return a column however the server spells it: as asked, in other letters, with a path before it."""
    wanted = column.rpartition("/")[2].lower()
    return next((str(value) for key, value in row.items() if key.lower().rpartition("/")[2] == wanted), "")


def _worked(archive: Archive, project: str, pipelines: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for name in pipelines:
        response = archive.request(
            "GET",
            f"/data/services/workflows/{name}",
            "list runs",
            params={"project": project, "status": "Complete", "display": "LATEST", "format": "json"},
            ok=(200, 403, 404, 500),
        )
        if response.status_code != 200:
            continue
        document = response.json()
        rows = [item["data_fields"] for item in document.get("items", ())]
        rows = rows or document.get("ResultSet", {}).get("Result", [])
        found |= {_cell(row, "id") for row in rows if _cell(row, "status") == "Complete"}
    return found
