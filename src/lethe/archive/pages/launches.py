"""Buttons that launch a command on the object they stand beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from lethe.archive import access
from lethe.archive.containers import views
from lethe.archive.context import Context
from lethe.archive.model import Item, User
from lethe.archive.pages.markup import Markup, join, tag
from lethe.archive.uris import uri_of

Wrapper = Mapping[str, Any]


def wrappers(ctx: Context, user: User, project: str, xsi_type: str, root: str) -> list[Wrapper]:
    """Return the enabled wrappers a user may launch on a type of object through the input `root`."""
    if user.is_guest or not access.right(ctx, user, project, "edit"):
        return []
    return [
        row
        for row in views.available(ctx, user, xsi_type, project)
        if row["enabled"] and row["root-element-name"] == root
    ]


def buttons(ctx: Context, project: str, item: Item, found: Sequence[Wrapper]) -> Markup:
    """Return one button per wrapper and the line that says how the launch goes."""
    if not found:
        return join()
    row = [
        tag(
            "button",
            str(one["wrapper-label"] or one["wrapper-name"]),
            type="button",
            title=str(one["wrapper-description"] or one["command-description"] or ""),
            data_address=(
                f"/xapi/projects/{quote(project, safe='')}/wrappers/{one['wrapper-id']}"
                f"/root/{quote(str(one['root-element-name']), safe='')}/launch"
            ),
            data_root=str(one["root-element-name"]),
            data_target=uri_of(ctx, item),
        )
        for one in found
    ]
    return tag(
        "div",
        tag("div", row, class_="actions"),
        tag("p", role="status", aria_live="polite"),
        data_launches=True,
    )
