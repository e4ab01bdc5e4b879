"""Stored images: not editable (E-75), and looked at by the second net whatever way they come (M-59)."""

from __future__ import annotations

import filecmp
from collections.abc import Iterable, Sequence
from pathlib import Path

from lethe.archive import access, content, items
from lethe.archive.content import Incoming
from lethe.archive.context import Context
from lethe.archive.intake.inside import reasons
from lethe.archive.intake.net import Net, kept_aside
from lethe.archive.model import FileEntry, Item, Resource, User
from lethe.archive.problem import Problem
from lethe.governance.roles import Right

_LABEL = "DICOM"
_BELOW = {
    "project": ("subject",),
    "subject": ("experiment",),
    "experiment": ("scan", "assessor", "reconstruction"),
}


def holds_images(label: str, format: str = "", content: str = "") -> bool:
    """Tell whether a resource holds images as they were received."""
    return label.upper() == _LABEL or (format.upper(), content.upper()) == ("DICOM", "RAW")


def require_unchanged(
    ctx: Context, user: User, owner: Item, resource: Resource, incoming: Sequence[Incoming]
) -> None:
    """Refuse to put other bytes in the place of a stored image; who may delete it may replace it, too.

    Raises
    ------
    Problem
        403 for a user without the right to delete.
    """
    if not holds_images(resource.label, resource.format, resource.content):
        return
    if access.may(ctx, user, owner, Right.DELETE):
        return
    for one in incoming:
        there = content.find_file(ctx, resource, one.path)
        if there is not None and not _is_same(content.file_path(ctx, resource, there), there, one):
            raise Problem(403, "Stored images are not changed; only an owner of the project may remove them.")


def _is_same(path: Path, there: FileEntry, one: Incoming) -> bool:
    """Tell whether a file has the bytes that are stored; digests may not be computed yet."""
    if there.md5 and one.md5:
        return there.md5 == one.md5
    return there.size == one.size and filecmp.cmp(path, one.temporary, shallow=False)


def check_upload(net: Net | None, project: str, incoming: Iterable[Incoming], *, images: bool) -> None:
    """Look at uploaded files as the import would; what may not stay is kept aside.

    Parameters
    ----------
    net : Net or None
        The second net of the archive.
    project : str
        Project the files are for; nothing happens where the net does not apply.
    incoming : iterable of Incoming
        The received files.
    images : bool
        Whether they go into a resource for images, where anything but a DICOM object is refused.

    Raises
    ------
    Problem
        422 if one of the files is kept aside; nothing of the upload may then be stored.
    """
    if net is None or not net.applies(project):
        return
    codes = []
    for one in incoming:
        found = reasons(net, one.temporary, image=images)
        if found:
            net.keep_aside(one.temporary, project, found[0])
            codes += found
    if codes:
        raise kept_aside(codes)


def check_transfer(net: Net | None, project: str, files: Iterable[Path]) -> None:
    """Look at stored objects that shall move into a project with the net; they stay where they are.

    Raises
    ------
    Problem
        422 if one of them may not go there.
    """
    if net is None or not net.applies(project):
        return
    codes = [code for file in files for code in reasons(net, file)]
    if codes:
        raise Problem(
            422,
            f"{len(codes)} objects still carry an identifying attribute ({', '.join(sorted(set(codes)))});"
            " nothing was moved.",
        )


Seen = frozenset[tuple[int, float, int]]
"""Which files were looked at: row, time, size."""


def look_before_adoption(
    net: Net | None, ctx: Context, item: Item, project: str, *, moved: bool
) -> Seen | None:
    """Look at everything that hangs on an item before it becomes part of a project with the net.

    Returns
    -------
    frozenset or None
        What was looked at, to be compared by `require_seen` inside of the transaction; None where the
        net has no say.

    Raises
    ------
    Problem
        422 if something of it may not go there, or if it would only be shared: what is added to it later
        would be seen there and looked at by nobody.
    """
    if net is None or not net.applies(project) or net.applies(item.project):
        return None
    if not moved:
        raise Problem(
            422,
            "Items of other projects are not shared into an intake project; what is added to them later would"
            " pass its check. Move the item (primary=true) or send its images in.",
        )
    pairs = [(r, e) for r in resources_below(ctx, item) for e in content.list_files(ctx, r)]
    check_transfer(net, project, (content.file_path(ctx, *pair) for pair in pairs))
    return frozenset((entry.pk, entry.created, entry.size) for _, entry in pairs)


def require_seen(ctx: Context, item: Item, seen: Seen | None) -> None:
    """Refuse (409) if files came to an item after they were looked at."""
    if seen is None:
        return
    now = {(e.pk, e.created, e.size) for r in resources_below(ctx, item) for e in content.list_files(ctx, r)}
    if not now <= seen:
        raise Problem(409, "Files were added meanwhile; move the item again.")


def resources_below(ctx: Context, item: Item) -> list[Resource]:
    """Return the resources of an item and of everything below it."""
    found = content.list_resources(ctx, [item])
    for kind in _BELOW.get(item.kind, ()):
        for child in items.children(ctx, item, kind):
            found += resources_below(ctx, child)
    return found
