"""Every screen: a picture at two sizes, no serious finding of axe, text shown as text."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from browser import seed
from browser.checks import SCREENS, serious_violations, settled, sideways
from browser.conftest import SHOTS

pytestmark = pytest.mark.system

SIZES = {"1440x900": (1440, 900), "1024x768": (1024, 768)}


@pytest.mark.requirement("E-15", "E-29", "E-68")
@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_has_no_serious_finding_of_axe_and_fits_both_sizes(desk, served, screen):
    SHOTS.mkdir(parents=True, exist_ok=True)
    project = "DEMO" if screen in ("clinical", "people", "release") else "DEMO_INTAKE"
    here = desk("coordinator")
    page = here.go(SCREENS[screen].format(project, served.seeded.review[0]))
    for name, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        settled(page)
        page.screenshot(path=SHOTS / f"{screen}-{name}.png")
        assert sideways(page) <= 0, name
    assert serious_violations(page) == []


@pytest.mark.requirement("E-68")
@pytest.mark.parametrize("colours", ["dark"])
@pytest.mark.parametrize("screen", ["overview", "clinical", "people"])
def test_dark_colours_can_be_read_as_well(desk, served, screen, colours):
    project = "DEMO" if screen in ("clinical", "people", "release") else "DEMO_INTAKE"
    page = desk("coordinator", color_scheme=colours).go(SCREENS[screen].format(project, ""))
    settled(page)
    page.screenshot(path=SHOTS / f"{screen}-{colours}.png")
    assert serious_violations(page) == []


@pytest.mark.parametrize(
    ("project", "screen"),
    [
        *(("NASTY_INTAKE", screen) for screen in SCREENS),
        *(("NASTY", screen) for screen in ("people", "clinical")),
    ],
)
def test_markup_in_labels_fields_and_file_names_is_shown_as_text(desk, served, screen, project):
    session = served.rows("coordinator", f"/data/projects/{project}/experiments?xsiType=xnat:ctSessionData")[
        0
    ]
    page = desk("coordinator").go(SCREENS[screen].format(project, session["ID"]))
    settled(page)
    if screen == "clinical":
        page.locator(".table-row button.link").first.click()
        expect(page.locator("form.record")).to_be_visible()
        page.locator("summary", has_text="Remarks").click()
    if screen == "people":
        expect(
            page.get_by_role("rowheader", name="markup") if project == "NASTY" else page.locator("h1")
        ).to_be_visible()
    assert page.evaluate("() => window.hacked") is None
    assert page.locator("main img[src=x]").count() == 0
    assert seed.NASTY in page.locator("body").inner_text() or screen in (
        "runs",
        "people",
        "release",
        "collections",
    )


def test_a_guest_of_a_public_collection_reads_and_is_not_offered_what_is_refused(desk, served):
    path = "/data/projects/NASTY/accessibility/"
    assert served.call("coordinator", path + "public", "PUT").status_code == 200
    try:
        page = desk("outsider").go("#/c/NASTY")
        settled(page)
        tabs = page.get_by_role("navigation", name="Parts of the collection").inner_text()
        assert "Release" in tabs
        assert "People" not in tabs
        assert "Review" not in tabs
        expect(page.get_by_role("button", name="De-face")).to_have_count(0)
        page = desk("outsider").go("#/c/NASTY/clinical")
        settled(page)
        expect(page.get_by_role("button", name="Upload CSV")).to_have_count(0)
    finally:
        assert served.call("coordinator", path + "private", "PUT").status_code == 200


def test_a_refusal_is_a_sentence_with_what_helps(desk):
    page = desk("outsider").go("#/c/DEMO/clinical")
    refusal = page.get_by_role("alert")
    expect(refusal.first).to_contain_text("ask an owner")
    assert serious_violations(page) == []
