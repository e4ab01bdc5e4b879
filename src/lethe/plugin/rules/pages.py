"""The static app and the Velocity fragments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lethe.plugin.fault import Fault
from lethe.plugin.jar import Jar

_APP = "META-INF/resources/lethe/"
_ADDRESS = re.compile(r"""(?:\b(?:src|href|action)\s*=\s*|\burl\(\s*|\bimport\s*\(?\s*)["']?([^"'\s)>]+)""")
_ABSOLUTE = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//|/(?!/)", re.IGNORECASE)
_METADATA = re.compile(r"<!--\s*([\w-]+)\s*:\s*(.*?)\s*-->")
_KEYS = {"title", "divName", "Sequence", "allowGuest", "adminOnly", "ignore"}
_RAW = re.compile(r"\$!?\{?(?:item|project|subject|letheValue|letheProject|letheSession)\b[^\s<\"']*")
_STATEMENT = re.compile(r"#(?:set|if|elseif|escapeHTML|escapeJS|escapeAll|elementActionsBox)\s*\(")


def page_faults(jar: Jar) -> Iterator[Fault]:
    """Yield what is wrong with pages."""
    for place in jar.below(_APP):
        if place.endswith((".html", ".css")):
            yield from _addresses(place, jar.files[place].decode("utf-8", "replace"))
    for place in jar.below("META-INF/resources/templates/", ".vm"):
        yield from _fragment(place, jar.files[place].decode("utf-8", "replace"))
    for place in jar.files:
        if place.endswith(".jsp"):
            yield Fault("jsp", place, "Tag libraries change in XNAT 1.11.", "Use a static page or Velocity.")


def _addresses(place: str, text: str) -> Iterator[Fault]:
    for match in _ADDRESS.finditer(text):
        if _ABSOLUTE.match(match[1]):
            yield Fault(
                "absolute-address",
                place,
                "An address is not relative; XNAT may lie below a path, nothing comes from elsewhere.",
                "Build the app with relative addresses (vite: base './').",
            )
            return


def _fragment(place: str, text: str) -> Iterator[Fault]:
    for key, _ in _METADATA.findall(text):
        if key not in _KEYS:
            yield Fault(
                "fragment-key", place, f"XNAT knows no key {key}; keys mind their letter case.", "Correct it."
            )
    if _RAW.search(_without_statements(text)):
        yield Fault(
            "unescaped",
            place,
            "A value of the archive goes into the page unescaped: script in a label would run.",
            "Write #escapeHTML(...).",
        )
    if "/scripts/" in text or "/style/" in text:
        yield Fault("open-path", place, "The path is open without login.", "Serve from /lethe/.")


def _without_statements(text: str) -> str:
    """Return the text without directives and escape macros, whose values do not reach the page raw."""
    parts, at = [], 0
    while match := _STATEMENT.search(text, at):
        parts.append(text[at : match.start()])
        depth, at = 1, match.end()
        while depth and at < len(text):
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
    return "".join([*parts, text[at:]])
