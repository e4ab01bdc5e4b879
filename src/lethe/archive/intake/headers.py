"""Fields of archived sessions from what is stored: headers read again, types as the project names them."""

from __future__ import annotations

from collections import Counter

from pydicom.dataset import Dataset

from lethe.archive import content, items
from lethe.archive.context import Context
from lethe.archive.intake.commit import FORMAT, RESOURCE
from lethe.archive.intake.describe import describe_session
from lethe.archive.intake.objects import read_header
from lethe.archive.model import Item
from lethe.errors import Refused

_OURS = ("type", "quality", "note")
"""Fields of a scan that people give: a header fills them where they are empty, and never overrides."""


def pull(ctx: Context, session: Item, *, login: str, only: Item | None = None) -> None:
    """Describe a session and its scans by the first stored object of each series (``pullDataFromHeaders``).

    Parameters
    ----------
    only : Item, optional
        The one scan to describe; the session's own fields stay then.
    """
    headers: dict[str, Dataset] = {}
    counts: dict[str, int] = {}
    below = items.children(ctx, session, "scan")
    scans = {scan.id: scan for scan in below if only is None or scan.pk == only.pk}
    for scan in scans.values():
        header, count = _first_object(ctx, scan)
        if header is not None:
            headers[scan.id], counts[scan.id] = header, count
    if not headers:
        return
    described = describe_session(headers, counts)
    with ctx.store.write():
        for one in described.scans:
            data = items.by_pk(ctx, scans[one.scan_id].pk).data
            found = {path: str(value) for path, value in one.fields.items()}
            kept = {name: data[name] for name in _OURS if data.get(name)}
            _change(ctx, scans[one.scan_id], {**found, **kept}, login)
        if only is None:
            _change(ctx, session, {path: str(value) for path, value in described.fields.items()}, login)


def fix_types(ctx: Context, session: Item, *, login: str) -> None:
    """Name scans without a type of their own as others of their series description (``fixScanTypes``).

    A type that somebody gave to scans of the same description in this project counts, the most frequent
    first; without one the description itself is the type.
    """
    known: dict[str, Counter[str]] = {}
    for scan in items.many(ctx, "kind = 'scan' AND project = ?", session.project):
        described, given = scan.data.get("series_description"), scan.data.get("type")
        if described and given and given != described:
            known.setdefault(described, Counter())[given] += 1
    with ctx.store.write():
        for scan in items.children(ctx, session, "scan"):
            described, given = scan.data.get("series_description"), scan.data.get("type")
            if described and given in (None, "", described):
                types = known.get(described)
                _change(ctx, scan, {"type": types.most_common(1)[0][0] if types else described}, login)


def _change(ctx: Context, item: Item, values: dict[str, str], login: str) -> None:
    before = items.by_pk(ctx, item.pk)
    if {**before.data, **values} != before.data:
        items.set_data(ctx, before, {**before.data, **values}, login=login)


def _first_object(ctx: Context, scan: Item) -> tuple[Dataset | None, int]:
    """Return the header of the first stored object of a scan, and how many there are."""
    for resource in content.list_resources(ctx, [scan]):
        if resource.label == RESOURCE or resource.format == FORMAT:
            files = content.list_files(ctx, resource)
            for entry in files:
                try:
                    return read_header(content.file_path(ctx, resource, entry)), len(files)
                except Refused:
                    continue  # not every file of such a resource need be an object
    return None, 0
