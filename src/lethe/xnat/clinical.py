"""The released row of a patient as custom variables of the XNAT subject, beside its images."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from lethe.errors import Refused
from lethe.xnat.client import Archive
from lethe.xnat.resources import list_files

Row = Mapping[str, str]
CENTRE = "centre"
"""Variable with the code of the contributing centre."""
_TABLE = "clinical.csv"
_KEY = "prid"
_ABSENT = "NULL"  # XNAT's word for removing a value
_AT_ONCE = 25  # a name takes about 80 characters of the address, and servers refuse beyond 8,000


def released_rows(archive: Archive, project: str) -> dict[str, dict[str, str]]:
    """Return PRID -> variable -> text of the released table in the project's resource CLINICAL.

    Raises
    ------
    Refused
        The project holds no released table.
    """
    files = list_files(archive, f"/data/projects/{project}/resources/CLINICAL")
    if _TABLE not in files:
        raise Refused(
            "no-released-table",
            "The project holds no released clinical table.",
            remedy="Run scramble-clinical and publish its result first.",
        )
    response = archive.request("GET", files[_TABLE]["URI"], "read the released table")
    text = response.content.decode("utf-8")
    return {row.pop(_KEY): row for row in csv.DictReader(io.StringIO(text, newline=""))}


def put_rows(archive: Archive, project: str, rows: Mapping[str, Row]) -> int:
    """Write released rows to the subjects of a project; what is there already is left alone.

    Parameters
    ----------
    project : str
        Collection project; its subjects are labelled by PRID.
    rows : mapping of PRID to mapping of variable to text
        A row without a subject (no image was published) is passed over: writing would create the subject.

    Returns
    -------
    int
        Number of values written. A value that a later release lacks is removed.
    """
    subjects = _subjects(archive, project)
    return sum(_put(archive, project, prid, rows[prid]) for prid in sorted(subjects & set(rows)))


def count_changes(archive: Archive, project: str, rows: Mapping[str, Row]) -> int:
    """Return how many values `put_rows` would write if all patients of `rows` had a subject."""
    subjects = _subjects(archive, project)
    return sum(len(_changed(archive, project, prid, row, prid in subjects)) for prid, row in rows.items())


def _subjects(archive: Archive, project: str) -> set[str]:
    return {row["label"] for row in archive.rows(f"/data/projects/{project}/subjects", "list subjects")}


def _changed(archive: Archive, project: str, prid: str, row: Row, there: bool = True) -> dict[str, str]:
    present = _present(archive, f"/data/projects/{project}/subjects/{prid}") if there else {}
    return {
        name.lower(): text or _ABSENT
        for name, text in row.items()
        if text.strip() != present.get(name.lower(), "").strip()
    }


def _put(archive: Archive, project: str, prid: str, row: Row) -> int:
    subject = f"/data/projects/{project}/subjects/{prid}"
    changed = _changed(archive, project, prid, row)
    names = sorted(changed)
    for start in range(0, len(names), _AT_ONCE):
        values = {
            f"xnat:subjectData/fields/field[name={name}]/field": changed[name]
            for name in names[start : start + _AT_ONCE]
        }
        archive.request("PUT", subject, "write a released row", params=values)
    return len(names)


def _present(archive: Archive, subject: str) -> dict[str, str]:
    """Return the custom variables of a subject."""
    answer = archive.request("GET", subject, "read a subject", params={"format": "json"}).json()
    lists = [child for item in answer["items"] for child in item["children"]]
    fields = [
        one["data_fields"] for child in lists if child["field"] == "fields/field" for one in child["items"]
    ]
    return {str(one["name"]).lower(): str(one.get("field", "")) for one in fields}
