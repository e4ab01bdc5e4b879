"""``POST /data/search``: a search document in XML, answered as a list."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree
from starlette.responses import Response

from lethe.archive import access, accounts, items
from lethe.archive.model import Item
from lethe.archive.problem import Problem
from lethe.archive.types import xml
from lethe.archive.types.table import TYPES, XsiType, is_a, type_of
from lethe.archive.web import answers
from lethe.archive.web.columns import Scope, column, scope_of
from lethe.archive.web.request import Call
from lethe.governance.roles import Right

Reader = Callable[[Scope, Item], Any]
Test = Callable[[Scope, Item], bool]

ROOTS = (("project", "xnat:projectData"), ("subject", "xnat:subjectData"), ("assessor", "xnat:derivedData"),
         ("experiment", "xnat:experimentData"), ("scan", "xnat:imageScanData"))  # fmt: skip
"""Kinds of item that can be searched, and the type each begins with."""
_COUNTS = {"proj_mr_count": "xnat:mrSessionData", "proj_ct_count": "xnat:ctSessionData",
           "proj_pet_count": "xnat:petSessionData", "proj_ut_count": "xnat:utSessionData"}  # fmt: skip
_SAME = {"gender_text": "gender", "handedness_text": "handedness", "sub_group": "group", "expt_id": "ID",
         "session_id": "ID", "secondary_id": "secondary_ID", "xnat_col_subjectdatalabel": "label",
         "expt_label": "label"}  # fmt: skip
_EMPTY = frozenset({"add_ids", "pi", "project_invs", "projects", "quarantine_status"})
_KEYS = {
    "project": {"id": "ID"},
    "subject": {"subjectid": "ID", "project": "project"},
    "experiment": {"session_id": "ID", "subject_id": "subject_ID", "project": "project"},
    "assessor": {"expt_id": "ID", "project": "project"},
    "scan": {"id": "ID", "session_id": "session_id", "project": "project"},
}
"""Columns that always come along, by which xnatpy finds the objects of a row."""
DISPLAY = {
    "project": ("ID", "NAME", "DESCRIPTION", "SECONDARY_ID", "PI", "PROJECT_OWNERS", "PROJECT_ACCESS",
                "INSERT_DATE", "INSERT_USER", "PROJ_MR_COUNT", "PROJ_CT_COUNT", "PROJ_PET_COUNT",
                "PROJ_UT_COUNT"),
    "subject": ("SUBJECT_ID", "SUBJECT_LABEL", "PROJECT", "INSERT_DATE", "INSERT_USER", "GENDER_TEXT",
                "HANDEDNESS_TEXT", "SES", "ADD_IDS", "RACE", "ETHNICITY", "SUB_GROUP"),
    "experiment": ("EXPT_ID", "SESSION_ID", "LABEL", "PROJECT", "SUBJECT_ID", "SUBJECT_LABEL", "DATE",
                   "INSERT_DATE", "INSERT_USER", "XSITYPE"),
    "assessor": ("EXPT_ID", "LABEL", "PROJECT", "DATE", "INSERT_DATE", "INSERT_USER", "XSITYPE"),
    "scan": ("ID", "TYPE", "SERIES_DESCRIPTION", "QUALITY", "FRAMES", "MODALITY", "SESSION_ID",
             "SESSION_LABEL", "SUBJECT_LABEL", "PROJECT", "XSITYPE", "INSERT_DATE"),
}  # fmt: skip
"""Display fields by kind of item, as ``/data/search/elements/{type}`` names them."""


@dataclass(frozen=True, slots=True)
class _Search:
    call: Call
    kind: str
    root: XsiType

    def reader(self, type_name: str, name: str) -> Reader:
        """Return how a field is read; of the subject, where a session search names a field of subjects."""
        given = type_of(type_name) if type_name else self.root
        if (
            self.kind in {"experiment", "assessor", "scan"}
            and given is not None
            and given.name == "xnat:subjectData"
        ):
            subject = _Search(self.call, "subject", given).reader("", name)
            return lambda scope, item: _of_subject(scope, item, subject)
        field = re.fullmatch(r"\w+_FIELD_MAP=(.+)", name, re.IGNORECASE)
        if field is not None:
            return self._column(f"fields/field[name={field[1].lower()}]/field")
        special = self._special(name.lower())
        same = {} if self.kind == "scan" else _SAME
        return special or self._column(same.get(name.lower(), name))

    def _special(self, name: str) -> Reader | None:
        if name in _EMPTY:
            return lambda scope, item: ""
        if self.kind == "subject" and name in {"subject_id", "subject_label"}:
            return self._column("ID" if name == "subject_id" else "label")
        if self.kind != "project":
            return None
        if name in _COUNTS:
            return lambda scope, item: _count(scope, item, _COUNTS[name])
        if name == "project_access":
            return lambda scope, item: access.visibility(scope.ctx, item.id).value
        if name == "project_owners":
            return lambda scope, item: " <br/> ".join(
                user.login for user, role in accounts.memberships(scope.ctx, item.id) if role == "owner"
            )
        return None

    def _column(self, name: str) -> Reader:
        found = column(self.kind, name, self.root.name)
        if found is None:
            raise Problem(400, "The search names a field that cannot be searched here.")
        return found.read


def _of_subject(scope: Scope, item: Item, read: Reader) -> Any:
    at: Item | None = item
    while at is not None and at.kind != "subject":
        at = scope.parents.get(at.parent or 0)
    return "" if at is None else read(scope, at)


def _count(scope: Scope, item: Item, xsi_type: str) -> int | str:
    row = scope.ctx.store.read().execute(
        "SELECT COUNT(*) AS n FROM item WHERE project = ? AND xsi_type = ?", (item.id, xsi_type)
    ).fetchone()  # fmt: skip
    return int(row["n"]) or ""


def search(call: Call, names: dict[str, str]) -> Response:
    """Answer ``POST /data/search``."""
    return run(call, call.body)


def run(call: Call, body: bytes) -> Response:
    """Carry out a search document.

    Raises
    ------
    Problem
        422 for a document that does not parse, 400 for a root or a field that cannot be searched here.
    """
    document = xml.parse(body)
    root = type_of((document.findtext("{*}root_element_name") or "").strip())
    if root is None:
        raise Problem(422, "The search has no known root element.")
    kind = next((kind for kind, name in ROOTS if is_a(root.name, name)), "")
    if not kind:
        raise Problem(400, "Projects, subjects, sessions, assessors and scans can be searched here.")
    one = _Search(call, kind, root)
    fields = [_field(node) for node in document.findall("{*}search_field")] or [
        ("", f) for f in DISPLAY[kind]
    ]
    readers = {_key(name): one.reader(type_name, name) for type_name, name in fields}
    for key, name in _KEYS[kind].items():
        readers.setdefault(key, one.reader("", name))
    tests = [_group(one, node) for node in document.findall("{*}search_where")]
    found = _candidates(call, kind, root, _projects(document))
    scope = scope_of(call.ctx, found, None)
    rows = [
        {name: read(scope, item) for name, read in readers.items()}
        for item in found
        if all(test(scope, item) for test in tests)
    ]
    return answers.table(
        answers.Table(list(readers), rows, title=root.singular, show_columns=True), call.format
    )


def _field(node: etree._Element) -> tuple[str, str]:
    name = (node.findtext("{*}field_ID") or "").strip()
    prefix, slash, rest = name.partition("/")
    if slash and type_of(prefix) is not None:
        return prefix, rest
    return (node.findtext("{*}element_name") or "").strip(), name


def _key(name: str) -> str:
    return re.sub(r"\W", "_", name.lower())


def _projects(document: etree._Element) -> set[str] | None:
    """Return the projects that the outermost criteria allow, None when they name none.

    It only saves looking at rows that the criteria refuse anyway.
    """
    named = [
        (node.findtext("{*}value") or "").strip()
        for where in document.findall("{*}search_where")
        if where.get("method", "AND").upper() == "AND"
        for node in where.findall("{*}criteria")
        if re.fullmatch(
            r"\w+:\w+[./]project", (node.findtext("{*}schema_field") or "").strip(), re.IGNORECASE
        )
        and (node.findtext("{*}comparison_type") or "=").strip() == "="
    ]
    return set(named) if named else None


def _candidates(call: Call, kind: str, root: XsiType, named: set[str] | None) -> list[Item]:
    if kind == "project":
        shown = access.readable_projects(call.ctx, call.user, Right.SEE)
        return [p for p in items.many(call.ctx, "kind = 'project' ORDER BY pk") if p.id in shown]
    readable_set = access.readable_projects(call.ctx, call.user)
    readable = sorted(readable_set if named is None else readable_set & named)
    types = sorted(name for name in TYPES if is_a(name, root.name))
    found: list[Item] = []
    for start in range(0, len(readable), 400):
        piece = readable[start : start + 400]
        where = f"kind = ? AND project IN ({_marks(piece)}) AND xsi_type IN ({_marks(types)})"
        found += items.many(call.ctx, where, kind, *piece, *types)
    return sorted(found, key=lambda item: item.pk)


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


# ---- criteria -----------------------------------------------------------------------------------


def _group(one: _Search, node: etree._Element) -> Test:
    tests: list[Test] = []
    for child in node:
        match etree.QName(child).localname:
            case "criteria":
                tests.append(_criterion(one, child))
            case "child_set":
                tests.append(_group(one, child))
    if not tests:
        return lambda scope, item: True
    combine: Callable[[Sequence[bool]], bool] = any if node.get("method", "AND").upper() == "OR" else all
    return lambda scope, item: combine([test(scope, item) for test in tests])


def _criterion(one: _Search, node: etree._Element) -> Test:
    field = (node.findtext("{*}schema_field") or "").strip()
    word = (node.findtext("{*}comparison_type") or "=").strip().upper()
    wanted = (node.findtext("{*}value") or "").strip()
    type_name, _, name = re.sub(r"^([\w]+:[\w]+)[./]", r"\1/", field).partition("/")
    if type_of(type_name) is None:
        raise Problem(400, "The search names a field that cannot be searched here.")
    read = one.reader(type_name, name)
    compare = _COMPARE.get(word)
    if compare is None:
        raise Problem(400, "The search uses a comparison that is not known here.")
    day = re.fullmatch(r"(\d\d)/(\d\d)/(\d{4})", wanted)
    if day is not None:
        wanted = f"{day[3]}-{day[1]}-{day[2]}"
    return lambda scope, item: compare(answers.cell(read(scope, item)), wanted)


def _order(compare: Callable[[Any, Any], bool]) -> Callable[[str, str], bool]:
    def test(value: str, wanted: str) -> bool:
        try:
            return compare(float(value), float(wanted))
        except ValueError:
            return bool(value) and compare(value, wanted)

    return test


def _like(value: str, wanted: str) -> bool:
    pattern = re.escape(wanted).replace("%", ".*").replace(r"\*", ".*").replace("_", ".")
    return re.fullmatch(pattern, value, re.IGNORECASE | re.DOTALL) is not None


_COMPARE: dict[str, Callable[[str, str], bool]] = {
    "=": lambda value, wanted: value == wanted or _order(lambda a, b: a == b)(value, wanted),
    "!=": lambda value, wanted: value != wanted,
    "<": _order(lambda a, b: a < b),
    "<=": _order(lambda a, b: a <= b),
    ">": _order(lambda a, b: a > b),
    ">=": _order(lambda a, b: a >= b),
    "LIKE": _like,
    "IN": lambda value, wanted: value in {one.strip() for one in wanted.strip("() ").split(",")},
    "IS": lambda value, wanted: not value,
    "IS NOT": lambda value, wanted: bool(value),
}
