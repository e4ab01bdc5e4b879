"""The pictures of docs/pictures: the dashboard over the collection of the browser tests, phantoms only."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from browser import seed
from kit.served import served

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
MOST_BYTES = 120_000
_WIDTH, _HEIGHT = 1280, 800
_COLOURS = 192  # flat colours of a page and the greys of a phantom; more is not seen
_MARGIN = 16
_DIALOG_BOTTOM = 600

# WebGL drawn in software
_FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--use-gl=angle", "--enable-unsafe-swiftshader"]
_BOTTOM = """
() => Math.max(...[...document.querySelectorAll("main *")].map(one => one.getBoundingClientRect().bottom))
"""

VIEWS = {
    "overview": "#/c/DEMO_INTAKE",
    "subjects": "#/c/DEMO_INTAKE/subjects",
    "session": "#/c/DEMO_INTAKE/s/{reviewed}",
    "launch": "#/c/DEMO_INTAKE/s/{raw}",
    "review": "#/c/DEMO_INTAKE/review",
    "release": "#/c/DEMO/release",
    "people": "#/c/DEMO/people",
}


def small(picture: bytes) -> bytes:
    """Return a PNG with a palette.

    Raises
    ------
    SystemExit
        It is still larger than a picture of the documentation may be.
    """
    stream = io.BytesIO()
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(_COLOURS, dither=Image.Dither.NONE).save(stream, "PNG", optimize=True)
    if len(stream.getvalue()) > MOST_BYTES:
        raise SystemExit(f"a picture has {len(stream.getvalue())} bytes, more than {MOST_BYTES}")
    return stream.getvalue()


def settled(page: Page) -> None:
    """Wait until nothing is loading any more and the viewer has drawn."""
    page.wait_for_load_state("networkidle")
    page.locator(".skeleton").first.wait_for(state="detached")
    if page.locator(".viewer").count():
        page.locator(".viewer[data-state=ready]").wait_for(timeout=60_000)


def take(page: Page, url: str, view: str, *, dialog: bool) -> bytes:
    """Show a view and return its picture, without the empty space below."""
    page.goto(f"{url}/lethe/{view}")
    page.locator("main h1").wait_for()
    settled(page)
    if dialog:
        page.get_by_role("button", name="De-face this session").click()
        page.get_by_role("dialog").get_by_role("button", name="Launch").wait_for()
        settled(page)
    bottom = page.evaluate(_BOTTOM)
    height = _DIALOG_BOTTOM if dialog else min(_HEIGHT, int(bottom) + _MARGIN)
    return page.screenshot(clip={"x": 0, "y": 0, "width": _WIDTH, "height": height})


def logged_in(browser: Browser, url: str) -> Page:
    """Return a page of the coordinator."""
    context = browser.new_context(viewport={"width": _WIDTH, "height": _HEIGHT}, color_scheme="light")
    context.request.put(
        f"{url}/data/services/auth", form={"username": "coordinator", "password": seed.PASSWORD}
    )
    return context.new_page()


def main(names: Sequence[str]) -> None:
    """Take the pictures of these names, or all."""
    unknown = set(names) - set(VIEWS)
    if unknown:
        raise SystemExit(f"no picture of that name; there are {', '.join(VIEWS)}")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = Path(folder) / "root"
        seeded = seed.small_collection(root)
        users: dict[str, dict[str, object]] = {"admin": {"password": seed.PASSWORD, "admin": True}}
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_FLAGS)
        with served(root, users) as url:
            for name in names or VIEWS:
                view = VIEWS[name].format(raw=seeded.raw_session, reviewed=seeded.review[0])
                picture = small(take(logged_in(browser, url), url, view, dialog=name == "launch"))
                (PICTURES / f"{name}.png").write_bytes(picture)
                print(f"{name}.png: {len(picture):,} bytes")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
