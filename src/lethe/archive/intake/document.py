"""The document of a session that is not archived yet, made from the one type table."""

from __future__ import annotations

from lethe.archive.intake.prearchive import Row
from lethe.archive.problem import Problem
from lethe.archive.types import xml
from lethe.archive.types.table import TYPES
from lethe.archive.types.tree import Tree


def session_xml(row: Row, site: str = "") -> bytes:
    """Return the XML of a built prearchive session.

    Raises
    ------
    Problem
        404 while it is not built.
    """
    if not row.built:
        raise Problem(404, "The session is not built yet.")
    values = {**_texts(row.built["fields"]), "label": row.label, "project": row.project}
    values["subject_ID"] = row.subject
    values["prearchivePath"] = row.url
    scans = [
        Tree(TYPES[scan["xsi_type"]], {**_texts(scan["fields"]), "ID": scan["id"]})
        for scan in row.built["scans"]
    ]
    return xml.write(Tree(TYPES[row.built["xsi_type"]], values, {"scans/scan": scans}), site)


def _texts(fields: dict[str, object]) -> dict[str, str]:
    return {path: str(value) for path, value in fields.items()}
