"""Lists of items: which rows, which columns, which filters, in which order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from lethe.archive import items
from lethe.archive.context import Context
from lethe.archive.model import Item
from lethe.archive.types import xpath
from lethe.archive.types.table import TYPES, is_a, type_of
from lethe.archive.web.answers import Table, cell
from lethe.archive.web.documents import stamp, type_of_item
from lethe.archive.web.request import Call

RESERVED = frozenset(
    [
        "format",
        "columns",
        "sortby",
        "sortorder",
        "limit",
        "offset",
        "xsitype",
        "fields",
        "req_format",
        "event_reason",
        "event_type",
        "event_action",
        "event_id",
        "event_comment",
        "concealhiddenfields",
        "includehistory",
        "recent",
        "accessible",
        "data",
        "owner",
        "member",
        "collaborator",
        "admin",
        "activesince",
        "restrict",
        "permissions",
        "datatype",
        "favorite",
        "guest",
        "all",
        "file_stats",
        "inbody",
        "content",
        "overwrite",
        "extract",
        "update-stats",
        "reference",
        "tags",
        "description",
        "collection",
        "file_content",
        "file_format",
        "index",
        "locator",
        "listcontents",
        "structure",
        "compression",
        "removefiles",
        "allowdatadeletion",
        "activate",
        "quarantine",
        "fixscantypes",
        "pulldatafromheaders",
        "triggerpipelines",
        "timestamp",
        "status",
    ]
)
"""Query parameters that are no field of an item (in lower case)."""

DEFAULTS = {
    "project": ("ID", "secondary_ID", "name", "description", "pi_firstname", "pi_lastname"),
    "subject": ("ID", "project", "label", "insert_date", "insert_user"),
    "experiment": ("ID", "project", "date", "xsiType", "label", "insert_date"),
    "scan": ("xnat_imagescandata_id", "ID", "type", "quality", "xsiType", "note", "series_description"),
    "assessor": ("ID", "project", "label", "date", "xsiType", "insert_date", "session_ID", "session_label"),
    "reconstruction": ("ID", "type", "baseScanType", "session_ID"),
}
"""Columns of a list when none are asked for; ``URI`` always follows."""

_RANGE = re.compile(r"(\d{4}-\d\d-\d\d|\d+(?:\.\d+)?)-(\d{4}-\d\d-\d\d|\d+(?:\.\d+)?)")


@dataclass(slots=True)
class Scope:
    """What the columns of a list need beyond the item itself, fetched once for the whole list."""

    ctx: Context
    project: str | None
    parents: Mapping[int, Item]
    share_labels: Mapping[int, str]

    def label(self, item: Item) -> str:
        """Return the label of an item as this list's project sees it."""
        return self.share_labels.get(item.pk, item.label)


def scope_of(ctx: Context, found: Sequence[Item], project: str | None) -> Scope:
    """Fetch parents and share labels for a list of items in a fixed number of queries."""
    parents = _by_pk(ctx, {item.parent for item in found if item.parent is not None})
    parents |= _by_pk(ctx, {p.parent for p in parents.values() if p.parent is not None} - set(parents))
    labels: dict[int, str] = {}
    if project is not None:
        rows = ctx.store.read().execute("SELECT item, label FROM share WHERE project = ?", (project,))
        labels = {row["item"]: row["label"] for row in rows}
    return Scope(ctx, project, parents, labels)


def _by_pk(ctx: Context, pks: Iterable[int | None]) -> dict[int, Item]:
    wanted = sorted(pk for pk in pks if pk is not None)
    found: dict[int, Item] = {}
    for start in range(0, len(wanted), 500):
        piece = wanted[start : start + 500]
        marks = ",".join("?" * len(piece))
        found |= {item.pk: item for item in items.many(ctx, f"pk IN ({marks})", *piece)}
    return found


def _parent(scope: Scope, item: Item, kind: str) -> Item | None:
    """Return the ancestor of one kind (the subject or the session of an item)."""
    at: Item | None = item
    while at is not None and at.kind != kind:
        at = scope.parents.get(at.parent or 0)
    return at


def _of(kind: str, read: Callable[[Scope, Item], Any]) -> Callable[[Scope, Item], Any]:
    def column(scope: Scope, item: Item) -> Any:
        found = _parent(scope, item, kind)
        return read(scope, found) if found is not None else ""

    return column


COMPUTED: Mapping[str, Callable[[Scope, Item], Any]] = {
    "id": lambda scope, item: item.id,
    "label": lambda scope, item: scope.label(item),
    "project": lambda scope, item: item.project,
    "xsitype": lambda scope, item: item.xsi_type,
    "insert_date": lambda scope, item: stamp(item.created),
    "insert_user": lambda scope, item: item.created_by,
    "last_modified": lambda scope, item: stamp(item.modified),
    "uri": lambda scope, item: uri(scope, item),
    "xnat_imagescandata_id": lambda scope, item: item.pk,
    "subject_id": _of("subject", lambda scope, item: item.id),
    "subject_label": _of("subject", lambda scope, item: scope.label(item)),
    "subject_project": _of("subject", lambda scope, item: item.project),
    "session_id": _of("experiment", lambda scope, item: item.id),
    "session_label": _of("experiment", lambda scope, item: scope.label(item)),
    "session_project": _of("experiment", lambda scope, item: item.project),
    "image_session_id": _of("experiment", lambda scope, item: item.id),
    "imagesession_id": _of("experiment", lambda scope, item: item.id),
    "status": lambda scope, item: item.status,
}
"""Columns that are not stored among the fields, by lower-case name."""

_SPELLED = {
    "id": "ID", "xsitype": "xsiType", "uri": "URI", "subject_id": "subject_ID", "session_id": "session_ID",
    "image_session_id": "image_session_ID", "imagesession_id": "imageSession_ID",
}  # fmt: skip


def uri(scope: Scope, item: Item) -> str:
    """Return the URI column of an item."""
    match item.kind:
        case "project":
            return f"/data/projects/{quote(item.id, safe='')}"
        case "subject":
            return f"/data/subjects/{quote(item.id, safe='')}"
        case "experiment":
            return f"/data/experiments/{quote(item.id, safe='')}"
        case "assessor" if item.parent not in scope.parents:
            return f"/data/experiments/{quote(item.id, safe='')}"
    session = scope.parents[item.parent or 0]
    word = {"scan": "scans", "assessor": "assessors", "reconstruction": "reconstructions"}[item.kind]
    return f"/data/experiments/{quote(session.id, safe='')}/{word}/{quote(item.id, safe='')}"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: the name it is shown under and how its value is read; `scans` is the type of scan whose
    value it shows in a list of sessions, which then has a row for each."""

    name: str
    read: Callable[[Scope, Item], Any]
    scans: str = ""


def column(kind: str, asked: str, type_name: str) -> Column | None:
    """Find a column by short name or path; None for an unknown one."""
    prefix, path = xpath.split_type(asked)
    if prefix is not None and kind == "experiment" and is_a(prefix.name, "xnat:imageScanData"):
        below = column("scan", asked, prefix.name)
        return below and Column(asked.lower(), below.read, prefix.name)
    if prefix is not None and kind not in {"project", "subject"} and prefix.name == "xnat:subjectData":
        above = column("subject", asked, prefix.name)
        return above and Column(asked, _of("subject", above.read))
    last = path.replace("/", "_") if prefix is not None and "/" in path else path
    computed = COMPUTED.get(last.lower())
    if computed is None and "sharing/share" in path.lower():
        return None
    if computed is not None:
        return Column(_SPELLED.get(last.lower(), last.lower()), computed)
    root = prefix or TYPES[type_name]
    if xpath.find(kind, root, asked) is None and kind not in {"experiment", "assessor"}:
        return None

    wanted = path if prefix is not None else asked
    spots: dict[str, xpath.Spot | None] = {}

    def read(scope: Scope, item: Item) -> Any:
        if item.xsi_type not in spots:
            spots[item.xsi_type] = xpath.find(kind, type_of_item(item), wanted)
        own = spots[item.xsi_type]
        return None if own is None else xpath.get(item.data, own)

    return Column(xpath.heading(kind, root, asked), read)


def listing(call: Call, kind: str, found: Sequence[Item], *, project: str | None = None) -> Table:
    """Return the list answer for items of one kind: filtered, sorted, cut, with the asked columns."""
    wanted = asked_types(call)
    if any(wanted):
        found = [item for item in found if any(is_a(item.xsi_type, name) for name in wanted)]
    root = wanted[0] if wanted[0] in TYPES else _root(kind)
    columns, tests = _columns(call, kind, root), _filters(call, kind, root)
    if tests or call.query.get("sortBy"):
        scope = scope_of(call.ctx, found, project)
        found = [item for item in found if all(test(scope, item) for test in tests)]
        found = _page(call, _ordered(call, kind, root, scope, found))
    else:
        found = _page(call, found)
        scope = scope_of(call.ctx, found, project)
    if any(one.scans for one in columns):
        rows = list(_rows_of_scans(scope, columns, found))
    else:
        rows = [{one.name: one.read(scope, item) for one in columns} for item in found]
    return Table([one.name for one in columns], rows)


def _rows_of_scans(
    scope: Scope, columns: Sequence[Column], found: Sequence[Item]
) -> Iterator[dict[str, Any]]:
    """Yield a row for each scan of the asked type of each session; one without for a session without."""
    wanted = next(one.scans for one in columns if one.scans)
    for item in found:
        own = {one.name: "" if one.scans else one.read(scope, item) for one in columns}
        scans = [one for one in items.children(scope.ctx, item, "scan") if is_a(one.xsi_type, wanted)]
        for scan in scans:
            yield own | {one.name: one.read(scope, scan) for one in columns if one.scans}
        if not scans:
            yield own


def asked_types(call: Call) -> list[str]:
    """Return the data types a list is asked for, as they are spelled; one empty name for none."""
    names = call.query.get("xsiType", "").split(",")
    return [known.name if (known := type_of(name)) is not None else name for name in names]


def mapping(kind: str) -> Table:
    """Return what ``?fields=true`` shows: the short names of a list and the paths they stand for."""
    rows = [{"key": name, "xpath": f"{_root(kind)}/{path}"} for name, path in xpath.SHORTCUTS[kind].values()]
    return Table(["key", "xpath"], rows)


def _root(kind: str) -> str:
    return {
        "project": "xnat:projectData", "subject": "xnat:subjectData", "experiment": "xnat:imageSessionData",
        "assessor": "xnat:imageAssessorData", "scan": "xnat:imageScanData",
        "reconstruction": "xnat:reconstructedImageData",
    }[kind]  # fmt: skip


def _columns(call: Call, kind: str, root: str) -> list[Column]:
    names: list[str] = []
    for name in call.query.get("columns", "DEFAULT").split(","):
        names += DEFAULTS[kind] if name == "DEFAULT" else [name.strip()]
    asked = "columns" in call.query
    if kind == "experiment" and call.query.get("xsiType"):
        if not asked:
            names += ["subject_ID", "subject_label"]
        elif any(is_a(name, root) for name in TYPES if name != root):  # pyxnat needs to know which it is
            names.append("xsiType")
    if asked and kind in {"project", "subject"}:
        names.append("ID")  # which pyxnat reads without asking for it
    columns: dict[str, Column] = {}
    for name in [*names, "URI"]:
        made = column(kind, name, root) if name else None
        if made is not None:
            columns.setdefault(made.name, made)
    return list(columns.values())


def _filters(call: Call, kind: str, root: str) -> list[Callable[[Scope, Item], bool]]:
    tests = []
    for name, value in call.values():
        if name.lower() in RESERVED or not value:
            continue
        made = column(kind, name, root)
        if made is not None and not made.scans:
            tests.append(_test(made, value))
    return tests


def _test(one: Column, value: str) -> Callable[[Scope, Item], bool]:
    matchers = [matcher(part) for part in value.split(",")]
    return lambda scope, item: any(match(cell(one.read(scope, item))) for match in matchers)


def matcher(wanted: str) -> Callable[[str], bool]:
    """Return the test of one filter value: equal, LIKE with ``*`` or ``%``, or a range ``a-b``."""
    between = _RANGE.fullmatch(wanted)
    if between is not None:
        low, high = between[1], between[2]
        return lambda value: value == wanted or _within(value, low, high)
    if "*" in wanted or "%" in wanted:
        pattern = re.compile(
            re.escape(wanted).replace(r"\*", ".*").replace("%", ".*"), re.IGNORECASE | re.DOTALL
        )
        return lambda value: pattern.fullmatch(value) is not None
    return lambda value: value == wanted


def _within(value: str, low: str, high: str) -> bool:
    if len(low) == 10 and low[4] == "-":
        return low <= value[:10] <= high
    try:
        return float(low) <= float(value) <= float(high)
    except ValueError:
        return False


def _ordered(call: Call, kind: str, root: str, scope: Scope, found: list[Item]) -> list[Item]:
    names = [name for name in call.query.get("sortBy", "").split(",") if name]
    down = call.query.get("sortOrder", "").upper() == "DESC"
    for name in reversed(names):
        made = column(kind, name, root)
        if made is not None:
            found.sort(key=lambda item: natural(cell(made.read(scope, item))), reverse=down)
    return found


def _page(call: Call, found: Sequence[Item]) -> Sequence[Item]:
    start = _count(call.query.get("offset"), 0)
    limit = _count(call.query.get("limit"), len(found))
    return found[start : start + limit]


def natural(text: str) -> tuple[tuple[int, str], ...]:
    """Return a sort key by which ``S2`` comes before ``S10``."""
    return tuple((int(part or 0), word) for word, part in re.findall(r"(\D*)(\d{0,15})", text))


def _count(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else default
