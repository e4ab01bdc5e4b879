"""What holds on every screen."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import axe_playwright_python
from playwright.sync_api import Page

SCREENS = {
    "collections": "",
    "overview": "#/c/{0}",
    "subjects": "#/c/{0}/subjects",
    "session": "#/c/{0}/s/{1}",
    "review": "#/c/{0}/review",
    "clinical": "#/c/{0}/clinical",
    "runs": "#/c/{0}/runs",
    "people": "#/c/{0}/people",
    "release": "#/c/{0}/release",
}
"""Name of a screen and its view; ``{0}`` is the project, ``{1}`` a session."""

_SERIOUS = ("serious", "critical")


@cache
def _axe() -> str:
    (file,) = Path(axe_playwright_python.__file__).parent.rglob("axe.min.js")
    return file.read_text()


def serious_violations(page: Page) -> list[str]:
    """Return what axe calls serious or critical, each with the elements it is about."""
    page.evaluate(_axe() + "\nundefined")
    found: dict[str, Any] = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:4]]}"
        for one in found["violations"]
        if one["impact"] in _SERIOUS
    ]


def settled(page: Page) -> None:
    """Wait until nothing is loading any more."""
    page.wait_for_load_state("networkidle")
    page.locator(".skeleton").first.wait_for(state="detached")
    viewer = page.locator(".viewer")
    if viewer.count():
        page.locator(".viewer[data-state=ready]").wait_for(timeout=60_000)


def sideways(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    return int(
        page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    )
