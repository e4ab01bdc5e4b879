"""The record as a custom form of an XNAT without the plugin, and as an empty table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from lethe.clinical.record import Element, Kind, Record

SUBJECT = "subject"
"""First column of the table: the label of the subject."""


def template(record: Record, subjects: Sequence[str] = ()) -> str:
    """Return an empty table (CSV) of the record: the columns that the dashboard's upload reads.

    Parameters
    ----------
    subjects : sequence of str
        Labels; one line each, for the first event.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([SUBJECT, *record.elements])
    first = {"event_no": "1"}
    writer.writerows([label, *(first.get(name, "") for name in record.elements)] for label in subjects)
    return stream.getvalue()


def custom_form(record: Record, project: str = "", title: str = "") -> dict[str, Any]:
    """Return the body of ``PUT /xapi/customforms/save``: the record as a form of subjects.

    A form is checked in the browser only, and keeps one set of values per subject: it is for sites that will
    not install the plugin.

    Parameters
    ----------
    project : str
        The project that gets the form; the whole site without one.
    title : str
        Title of the form; that of the record without one.
    """
    title = title or record.title
    panels = [
        {
            "type": "panel",
            "key": f"group_{group}",
            "title": record.groups[group],
            "input": False,
            "components": [_component(one) for one in members],
        }
        for group, members in groupby(record.elements.values(), key=lambda one: one.group)
    ]
    data = {
        "xnatDatatype": {"label": "Subject", "value": "xnat:subjectData"},
        "isThisASiteWideConfiguration": "no" if project else "yes",
        "xnatProject": [{"label": project, "value": project}] if project else [],
        "formTitle": title,
        "formType": "form",
        "zIndex": 10,
        "xnatProtocol": [],
        "xnatVisit": [],
        "xnatSubtype": [],
    }
    return {
        "submission": {"data": data},
        "builder": {"title": title, "display": "form", "components": panels},
    }


def _component(one: Element) -> dict[str, Any]:
    common = {
        "key": one.name,
        "label": f"{one.label} [{one.unit}]" if one.unit and not one.unit.startswith("{") else one.label,
        "input": True,
        "description": one.hint,
    }
    if one.codes:
        values = [{"value": code, "label": meaning} for code, meaning in one.codes.items()]
        return {
            **common,
            "type": "select",
            "dataSrc": "values",
            "data": {"values": values},
            **_shown_when(one),
        }
    if one.kind is Kind.TEXT:
        return {**common, "type": "textarea", "validate": {"maxLength": one.length}, **_shown_when(one)}
    return {
        **common,
        "type": "number",
        "validate": {
            "min": _number(one.minimum),
            "max": _number(one.maximum),
            "integer": one.kind is Kind.INTEGER,
        },
        **_shown_when(one),
    }


def _shown_when(one: Element) -> dict[str, Any]:
    """Return the condition under which an element is shown: a form knows one value of one other."""
    for name, values in one.applies.items():
        if len(one.applies) == len(values) == 1:
            return {"conditional": {"show": True, "when": name, "eq": values[0]}}
    return {}


def _number(limit: Any) -> float | None:
    return None if limit is None else float(limit)
