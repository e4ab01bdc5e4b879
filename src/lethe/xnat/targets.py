"""What a command can be launched on: the scans, sessions or subjects of a project that its wrapper takes.

The Container Service launches a wrapper on one object of its root type. A larger choice (a session, a
subject, a whole project) is taken apart here, one launch for each object inside it: an output handler can
attach files only to the root object or to one input found below it, never to many scans at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lethe.errors import Misconfigured, Refused
from lethe.xnat.client import Archive
from lethe.xnat.matcher import compile_matcher
from lethe.xnat.wrappers import GENERIC, Wrapper

# name in the Container Service's object JSON -> name in XNAT's item JSON
_SCAN_FIELDS = {
    "scan-type": "type",
    "quality": "quality",
    "series-description": "series_description",
    "modality": "modality",
    "note": "note",
    "uid": "UID",
    "frames": "frames",
    "scanner-manufacturer": "scanner/manufacturer",
    "scanner-model": "scanner/model",
}


@dataclass(frozen=True, slots=True)
class Scope:
    """A choice of objects: a project, and in it maybe one session or one subject (label or id)."""

    project: str
    session: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """An object: `uri` as launches take it, `name` for people, `document` as matchers see it."""

    uri: str
    name: str
    session: str
    document: Mapping[str, Any]

    @property
    def labels(self) -> frozenset[str]:
        """Labels of its resources that hold at least one file."""
        return frozenset(
            str(resource["label"]) for resource in self.document["resources"] if resource["file-count"] != 0
        )


def scope_of(archive: Archive, *, project: str = "", session: str = "", subject: str = "") -> Scope:
    """Return the scope of what a user named; without a project, `session` or `subject` is an accession id.

    Raises
    ------
    Misconfigured
        Neither project nor session nor subject.
    Refused
        The session or subject is not known.
    """
    if not project and not (session or subject):
        raise Misconfigured(
            "no-scope", "It is not said on what to launch.", remedy="Name --project, --session or --subject."
        )
    if not project:
        path = f"/data/experiments/{session}" if session else f"/data/subjects/{subject}"
        item = archive.request("GET", path, "find its project", params={"format": "json"}).json()
        project = str(item["items"][0]["data_fields"]["project"])
    return Scope(project, session, subject)


def targets(archive: Archive, wrapper: Wrapper, scope: Scope) -> list[Target]:
    """Return the objects in `scope` that `wrapper` takes, in a stable order.

    One listing of the project's sessions, and one read for each session in scope.

    Raises
    ------
    Misconfigured
        The wrapper's root is of a type that cannot be listed.
    Refused
        The named session or subject is not in the project.
    """
    reader = _READERS.get(wrapper.root_type)
    if reader is None:
        raise Misconfigured(
            "root-type",
            f"{wrapper.name} starts on a {wrapper.root_type or 'missing input'}, which cannot be listed.",
            remedy="Name the objects themselves.",
        )
    fits = compile_matcher(wrapper.matcher) if wrapper.matcher.strip() else lambda _: True
    wanted = set(wrapper.contexts) - {GENERIC[wrapper.root_type]}
    generic = GENERIC[wrapper.root_type] in wrapper.contexts or not wrapper.contexts
    found = [
        target
        for target in reader(archive, scope)
        if (generic or target.document["xsiType"] in wanted) and fits(target.document)
    ]
    return sorted(found, key=lambda target: target.name)


def _session_rows(archive: Archive, scope: Scope) -> list[dict[str, str]]:
    rows = archive.rows(
        f"/data/projects/{scope.project}/experiments",
        "list sessions",
        xsiType="xnat:imageSessionData",
        columns="ID,label,subject_label,subject_ID",
    )
    # a list of one session type has its columns' case changed by some versions of XNAT
    rows = [{key.lower(): value for key, value in row.items()} for row in rows]
    if scope.session:
        rows = [row for row in rows if scope.session in (row["id"], row["label"])]
    if scope.subject:
        rows = [row for row in rows if scope.subject in (row.get("subject_id"), row.get("subject_label"))]
    if not rows and (scope.session or scope.subject):
        what = "session" if scope.session else "subject"
        raise Refused(
            f"no-{what}", f"The project has no such {what}, or it holds no images.", remedy="Check its label."
        )
    return rows


def _sessions(archive: Archive, scope: Scope) -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
    for row in _session_rows(archive, scope):
        path = f"/data/experiments/{row['id']}"
        item = archive.request("GET", path, "read a session", params={"format": "json"}).json()["items"][0]
        yield row, item


def _children(item: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    return [one for child in item["children"] if child["field"] == field for one in child["items"]]


def _resources(item: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    return [_resource(one["data_fields"]) for one in _children(item, field)]


def _resource(fields: Mapping[str, Any]) -> dict[str, Any]:
    count = str(fields.get("file_count", ""))
    return {
        "type": "Resource",
        "label": str(fields.get("label", "")),
        "format": fields.get("format", ""),
        "content": fields.get("content", ""),
        # XNAT leaves the count out where it has not counted
        "file-count": int(count) if count.isdecimal() else None,
    }


def _scan_document(item: Mapping[str, Any], session: str) -> dict[str, Any]:
    fields = item["data_fields"]
    number = str(fields["ID"])
    named = {ours: fields[theirs] for ours, theirs in _SCAN_FIELDS.items() if fields.get(theirs) is not None}
    return {
        "type": "Scan",
        "id": number,
        "label": number,
        "xsiType": item["meta"]["xsi:type"],
        "uri": f"/archive/experiments/{session}/scans/{number}",
        "session-id": session,
        "resources": _resources(item, "file"),
        **named,
    }


def _read_scans(archive: Archive, scope: Scope) -> Iterator[Target]:
    for row, item in _sessions(archive, scope):
        for scan in _children(item, "scans/scan"):
            document = _scan_document(scan, row["id"])
            name = f"{row['label']}, scan {document['id']}"
            yield Target(document["uri"], name, row["id"], document)


def _read_sessions(archive: Archive, scope: Scope) -> Iterator[Target]:
    for row, item in _sessions(archive, scope):
        document = {
            "type": "Session",
            "id": row["id"],
            "label": row["label"],
            "xsiType": item["meta"]["xsi:type"],
            "uri": f"/archive/experiments/{row['id']}",
            "project-id": scope.project,
            "modality": item["data_fields"].get("modality", ""),
            "resources": _resources(item, "resources/resource"),
            "scans": [_scan_document(scan, row["id"]) for scan in _children(item, "scans/scan")],
        }
        yield Target(str(document["uri"]), row["label"], row["id"], document)


def sessions(archive: Archive, scope: Scope) -> list[Target]:
    """Return the sessions in `scope`, sorted by label."""
    return sorted(_read_sessions(archive, scope), key=lambda target: target.name)


def _read_subjects(archive: Archive, scope: Scope) -> Iterator[Target]:
    path = f"/data/projects/{scope.project}/subjects"
    for row in archive.rows(path, "list subjects", columns="ID,label"):
        if scope.subject in ("", row["ID"], row["label"]):
            base = f"/subjects/{row['ID']}"
            yield _listed(archive, base, "Subject", row["ID"], row["label"], scope.project)


def _read_project(archive: Archive, scope: Scope) -> Iterator[Target]:
    yield _listed(
        archive, f"/projects/{scope.project}", "Project", scope.project, scope.project, scope.project
    )


def _listed(archive: Archive, path: str, kind: str, number: str, label: str, project: str) -> Target:
    rows = archive.rows(f"/data{path}/resources", "list resources", file_stats="true")
    document = {
        "type": kind,
        "id": number,
        "label": label,
        "xsiType": GENERIC[kind],
        "uri": f"/archive{path}",
        "project-id": project,
        "resources": [_resource(row) for row in rows],
    }
    return Target(f"/archive{path}", label, number, document)


_READERS = {
    "Scan": _read_scans,
    "Session": _read_sessions,
    "Subject": _read_subjects,
    "Project": _read_project,
}
