"""Buttons that launch a command on the object they stand beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from lethe.archive import access
from lethe.archive.containers import views
from lethe.archive.context import Context
from lethe.archive.model import Item, User
from lethe.archive.pages.markup import Markup, join, tag
from lethe.archive.uris import uri_of

Wrapper = Mapping[str, Any]


@dataclass(slots=True)
class Offer:
    """The enabled wrappers a user may launch in a project; each type of object is looked up once.

    Parameters
    ----------
    project : str
        Project in which the commands would run.
    root : str
        Name of the input that the object is given to.
    """

    ctx: Context
    user: User
    project: str
    root: str
    _by_type: dict[str, list[Wrapper]] = field(default_factory=dict)

    def fitting(self, item: Item) -> list[Wrapper]:
        """Return the wrappers whose root matcher fits `item`: no button that could only fail."""
        if self.user.is_guest or not access.right(self.ctx, self.user, self.project, "edit"):
            return []
        if item.xsi_type not in self._by_type:
            self._by_type[item.xsi_type] = [
                row
                for row in views.available(self.ctx, self.user, item.xsi_type, self.project)
                if row["enabled"] and row["root-element-name"] == self.root
            ]
        return [row for row in self._by_type[item.xsi_type] if views.accepts(self.ctx, row, item)]


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
