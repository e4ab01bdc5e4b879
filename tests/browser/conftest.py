"""A seeded archive, Debian's Chromium, and pages that are logged in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from browser import seed
from contract.conftest import start_archive, stop_archive
from lethe.archive.web.dashboard import FOLDER

REPOSITORY = Path(__file__).resolve().parents[2]
SHOTS = Path(os.environ.get("LETHE_SHOTS", REPOSITORY / "build" / "screenshots"))
_FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--use-gl=angle", "--enable-unsafe-swiftshader"]
_WAIT_MS = 30_000

expect.set_options(timeout=_WAIT_MS)


@dataclass(frozen=True, slots=True)
class Served:
    """The archive under test."""

    url: str
    seeded: seed.Seeded

    def call(self, login: str | None, path: str, method: str = "GET", **more: Any) -> requests.Response:
        """Plain HTTP as one of the people."""
        auth = (login, seed.PASSWORD) if login else None
        return requests.request(method, self.url + path, auth=auth, timeout=60, allow_redirects=False, **more)

    def rows(self, login: str, path: str) -> list[dict[str, str]]:
        """Return the rows of a list."""
        answer = self.call(login, path)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, str]] = answer.json()["ResultSet"]["Result"]
        return found


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The embedded archive with the small, the large and the nasty collection."""
    assert (FOLDER / "index.html").is_file(), "The app is not built: scripts/build-dashboard does it."
    folder = tmp_path_factory.mktemp("browser")
    root = folder / "root"
    seeded = seed.small_collection(root)
    seed.nasty_collection(root)
    seed.large_collection(root)
    process, address = start_archive(root, folder / "users.json", "--backend", "process")
    yield Served(address, seeded)
    stop_archive(process)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, which draws WebGL in software."""
    path = shutil.which("chromium")
    assert path, "Chromium is missing: ./scripts/setup-system --test installs it."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield browser
        browser.close()


class Desk:
    """One person at a browser: a page that is logged in, and what went wrong in it."""

    def __init__(self, context: BrowserContext, served: Served) -> None:
        self.context, self.served = context, served
        self.errors: list[str] = []
        self.page = self.open()

    def open(self) -> Page:
        """Open one more tab."""
        page = self.context.new_page()
        page.set_default_timeout(_WAIT_MS)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        return page

    def go(self, view: str, page: Page | None = None) -> Page:
        """Show a view of the app (``#/c/DEMO``) from scratch."""
        page = page or self.page
        page.goto("about:blank")
        page.goto(f"{self.served.url}/lethe/{view}")
        expect(page.locator("main h1")).to_be_visible()
        return page


@pytest.fixture
def desk(chromium: Browser, served: Served) -> Iterator[Callable[..., Desk]]:
    """``desk("coordinator")``: a person logged in; ``desk(None)``: a guest. No script may have failed."""
    desks: list[Desk] = []

    def make(login: str | None, **options: Any) -> Desk:
        options.setdefault("viewport", {"width": 1440, "height": 900})
        context = chromium.new_context(accept_downloads=True, **options)
        if login is not None:
            answer = context.request.put(
                f"{served.url}/data/services/auth", form={"username": login, "password": seed.PASSWORD}
            )
            assert answer.ok
        desks.append(Desk(context, served))
        return desks[-1]

    yield make
    errors = [error for one in desks for error in one.errors]
    for one in desks:
        one.context.close()
    assert not errors, errors
