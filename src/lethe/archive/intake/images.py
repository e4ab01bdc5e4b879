"""Stored images: not editable (E-75), and looked at by the second net whatever way they come (M-59)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from lethe.archive import access, content
from lethe.archive.content import Incoming
from lethe.archive.context import Context
from lethe.archive.intake.net import Net, kept_aside
from lethe.archive.intake.objects import read_header
from lethe.archive.model import Item, Resource, User
from lethe.archive.problem import Problem
from lethe.errors import Refused
from lethe.governance.roles import Right

_LABEL = "DICOM"


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
        if there is not None and there.md5 != one.md5:
            raise Problem(403, "Stored images are not changed; only an owner of the project may remove them.")


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
        if images or has_preamble(one.temporary):
            code = reason(net, one.temporary)
            if code is not None:
                net.keep_aside(one.temporary, project, code)
                codes.append(code)
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
    codes = [code for file in files if has_preamble(file) and (code := reason(net, file)) is not None]
    if codes:
        raise Problem(
            422,
            f"{len(codes)} objects still carry an identifying attribute ({', '.join(sorted(set(codes)))});"
            " nothing was moved.",
        )


def reason(net: Net, path: Path) -> str | None:
    """Return why a file may not go on, or None."""
    try:
        read_header(path)
        return net.reason(path)
    except Refused as refusal:
        return refusal.code


def has_preamble(path: Path) -> bool:
    """Tell whether a file begins as a DICOM object does."""
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"
