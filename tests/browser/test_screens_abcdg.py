"""Collections, overview, subjects, session and runs: what each number, filter and button does."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from browser import seed
from browser.checks import settled
from browser.conftest import Served
from contract.conftest import start_archive, stop_archive

pytestmark = pytest.mark.system

RUN_MS = 120_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An archive of its own, since runs are launched, stopped and launched again here."""
    folder = tmp_path_factory.mktemp("screens")
    seeded = seed.small_collection(folder / "root")
    process, address = start_archive(folder / "root", folder / "users.json", "--backend", "process")
    yield Served(address, seeded)
    stop_archive(process)


def labels(page: Page) -> list[str]:
    """Return what the rows in sight begin with."""
    settled(page)
    found: list[str] = page.locator(".table-row").evaluate_all(
        "rows => rows.map(row => row.querySelector('a').textContent)"
    )
    return found


@pytest.mark.requirement("E-68", "E-74")
def test_every_number_that_needs_work_leads_to_its_rows(desk):
    here = desk("coordinator")
    for words, count in [("scan is not safe", 1), ("without mRS at 3 months", 8)]:
        page = here.go("#/c/DEMO_INTAKE")
        settled(page)
        link = page.get_by_role("navigation", name="What needs you").get_by_role("link", name=words)
        expect(link).to_have_text(f"{count} {words}")
        link.click()
        expect(page.get_by_role("heading", name="Subjects")).to_be_visible()
        expect(page.locator(".table-row")).to_have_count(count)
        page.go_back()
        expect(page.get_by_role("list", name="How far the subjects are")).to_be_visible()
    settled(page)
    open_ones = page.get_by_role("list", name="How far the subjects are").get_by_role("link", name="to go")
    total = int(open_ones.first.inner_text().split()[0])
    open_ones.first.click()
    expect(page.locator(".table-row")).to_have_count(total)


@pytest.mark.requirement("E-68")
def test_a_stage_shows_no_number_before_the_runs_are_known(desk):
    """They come last: what was told until then was too small, and its link led to other rows."""
    here = desk("coordinator")
    page, held = here.page, []
    page.route("**/data/services/workflows/**", lambda route: held.append(route))
    here.go("#/c/DEMO_INTAKE")
    stages = page.get_by_role("list", name="How far the subjects are")
    expect(stages.locator(".funnel-number").nth(1)).to_have_text("…")
    assert stages.locator(".funnel-number").nth(0).inner_text() == "12"
    assert set(stages.locator(".funnel-number").all_inner_texts()[1:5]) == {"…"}
    assert stages.get_by_role("link", name="to go").count() == 0
    page.unroute_all()  # what is held goes on with it
    expect(stages.get_by_role("link", name="to go").first).to_be_visible()
    assert "…" not in stages.locator(".funnel-number").all_inner_texts()


@pytest.mark.requirement("E-68", "E-74")
def test_the_command_line_counts_as_the_dashboard_does(desk, served, tmp_path):
    page = desk("coordinator").go("#/c/DEMO_INTAKE")
    settled(page)
    numbers = [int(text) for text in page.locator(".funnel-number").all_inner_texts()]
    password = tmp_path / "password"
    password.write_text(seed.PASSWORD)
    password.chmod(0o600)
    command = [sys.executable, "-m", "lethe.cli", "collection", "progress", "DEMO", "--output", "json"]
    command += ["--url", served.url, "--user", "coordinator", "--password-file", str(password)]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    assert list(json.loads(told.stdout).values()) == numbers
    assert numbers[0] == 12


@pytest.mark.requirement("E-68")
def test_filters_are_in_the_address_and_the_csv_holds_what_is_shown(desk):
    here = desk("coordinator")
    page = here.go("#/c/DEMO_INTAKE/subjects?site=Bern&mrs_3m=missing&sort=-subject")
    settled(page)
    rows = page.locator(".table-row")
    expect(rows).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    held = list(csv.reader(io.StringIO(download.value.path().read_text())))
    assert held[0][:2] == ["Subject", "Site"]
    assert [line[1] for line in held[1:]] == ["Bern"]
    page.get_by_role("button", name="Remove filter mRS 3m: missing").click()
    expect(rows).to_have_count(4)
    assert "mrs_3m" not in page.url
    assert "site=Bern" in page.url
    found = labels(page)
    assert found == sorted(found, reverse=True)
    page.go_back()
    expect(rows).to_have_count(1)
    page.get_by_role("searchbox").fill("nobody has this name")
    expect(page.get_by_text("No subject fits these filters.")).to_be_visible()
    page.reload()
    expect(page.get_by_role("searchbox")).to_have_value("nobody has this name")


def test_the_table_is_driven_by_keys(desk):
    page = desk("coordinator").go("#/c/DEMO_INTAKE/subjects")
    settled(page)
    page.get_by_role("grid").focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    expect(page.locator(".table-row").nth(10)).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("button", name="De-face selected (1)")).to_be_enabled()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Scans")).to_be_visible()
    assert "/s/" in page.url


@pytest.mark.requirement("E-26", "E-28", "E-86", "A-36")
def test_collections_offer_what_a_person_may(desk, served):
    coordinator = desk("coordinator").go("")
    settled(coordinator)
    row = coordinator.locator(".table-row", has_text="DEMO_INTAKE")
    expect(row).to_contain_text("owner")
    expect(row).to_contain_text("open")
    expect(coordinator.get_by_role("button", name="New collection")).to_have_count(0)

    path = "/data/projects/DEMO/accessibility/"
    assert served.call("coordinator", path + "protected", "PUT").status_code == 200
    page = desk("outsider").go("")
    expect(page.locator(".table-row", has_text="DEMO")).to_have_count(1)
    page.get_by_role("button", name="Ask for access").click()
    page.get_by_role("dialog").get_by_role("textbox").fill("A study of collaterals.")
    page.get_by_role("dialog").get_by_role("button", name="Send").click()
    expect(page.get_by_text("asked")).to_be_visible()
    waiting = served.rows("coordinator", "/data/projects/DEMO/pars?format=json")
    assert [(one["login"], one["justification"]) for one in waiting] == [
        ("outsider", "A study of collaterals.")
    ]


@pytest.mark.requirement("E-21", "E-34")
def test_an_administrator_makes_a_collection_which_is_private(desk, served):
    page = desk("admin").go("")
    page.get_by_role("button", name="New collection").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Short name").fill("9 lives")
    expect(form.get_by_role("button", name="Make it")).to_be_disabled()
    form.get_by_label("Short name").fill("NEW1")
    form.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", name="NEW1")).to_be_visible()
    for name in ("NEW1", "NEW1_INTAKE"):
        assert served.call("admin", f"/data/projects/{name}/accessibility").text == "private"


@pytest.mark.requirement("E-27", "E-68")
def test_runs_are_launched_in_bulk_stopped_explained_and_launched_again(desk, served):
    page = desk("researcher").go("#/c/DEMO_INTAKE/subjects?verdict=pass&sort=subject")
    settled(page)
    for at in (0, 1):
        page.locator(".table-row").nth(at).get_by_role("checkbox").check()
    page.get_by_role("button", name="De-face selected (2)").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Kind of image").select_option("ct")
    dialog.get_by_role("button", name="Launch").click()
    expect(dialog.get_by_text("2 runs were taken.")).to_be_visible()
    dialog.get_by_role("button", name="Stop").last.click()
    expect(dialog.locator(".badge", has_text="Killed")).to_have_count(1, timeout=RUN_MS)
    expect(dialog.locator(".badge", has_text="Complete")).to_have_count(1, timeout=RUN_MS)
    dialog.get_by_role("button", name="Close").last.click()

    page.get_by_role("link", name="Runs").click()
    page.get_by_role("button", name="Show why").click()
    failure = page.locator(".failures li")
    expect(failure).to_have_count(1)
    expect(failure).to_contain_text("1 ×")
    failure.get_by_role("button", name="Retry").click()
    expect(page.locator(".failures")).to_have_count(0, timeout=RUN_MS)
    listed = served.call("researcher", "/xapi/projects/DEMO_INTAKE/containers").json()
    assert len(listed) == 3
    sent = [{one["name"]: one["value"] for one in run["inputs"] if one["type"] == "raw"} for run in listed]
    assert all(one["modality"] == "ct" for one in sent)
    page.locator(".table-row button.link").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("modality")


@pytest.mark.requirement("E-28")
def test_a_collaborator_sees_the_collection_and_no_buttons_that_would_be_refused(desk):
    page = desk("collaborator").go("#/c/DEMO")
    settled(page)
    tabs = page.get_by_role("navigation", name="Parts of the collection").inner_text()
    assert "Subjects" in tabs
    assert "Runs" not in tabs
    assert "People" not in tabs
    page = desk("collaborator").go("#/c/DEMO/subjects")
    settled(page)
    expect(page.get_by_role("button", name="De-face selected")).to_have_count(0)
    expect(page.get_by_role("checkbox")).to_have_count(0)
    page = desk("collaborator").go("#/c/DEMO_INTAKE")
    expect(page.get_by_role("alert")).to_contain_text("ask an owner")
