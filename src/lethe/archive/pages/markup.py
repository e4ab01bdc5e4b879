"""HTML made of nested calls; every text is escaped, whatever it holds."""

from __future__ import annotations

import html
from collections.abc import Iterable


class Markup(str):
    """Text that is HTML already; only `tag`, `join` and `trusted` make it."""

    __slots__ = ()


Child = str | int | None | Iterable["Child"]
_VOID = frozenset({"br", "img", "input", "link", "meta", "hr"})


def tag(name: str, /, *children: Child, **attributes: str | int | bool | None) -> Markup:
    """Return an element.

    Parameters
    ----------
    name : str
        Name of the element.
    *children : str, int, None, Markup or iterable of them
        Content; a plain text is escaped.
    **attributes : str, int, bool or None
        ``class_`` and ``for_`` lose the underscore, other underscores become hyphens; False and None leave
        the attribute out, True writes it without a value.

    Examples
    --------
    >>> tag("a", "<b>", href="/x?a=1&b=2", data_id=3)
    '<a href="/x?a=1&amp;b=2" data-id="3">&lt;b&gt;</a>'
    """
    opening = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{opening}>")
    return Markup(f"<{name}{opening}>{join(*children)}</{name}>")


def join(*children: Child) -> Markup:
    """Return the children one after the other."""
    return Markup("".join(_pieces(children)))


def _pieces(children: Child) -> Iterable[str]:
    if children is None:
        return
    if isinstance(children, Markup):
        yield children
    elif isinstance(children, str | int):
        yield html.escape(str(children))
    else:
        for child in children:
            yield from _pieces(child)


def _attribute(key: str, value: str | int | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'
