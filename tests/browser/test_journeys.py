"""Three people at work, each from the first click to what the archive then holds."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile

import nibabel as nib
import numpy as np
import pytest
from playwright.sync_api import expect

from browser.checks import settled

pytestmark = pytest.mark.system

RUN_MS = 120_000


@pytest.mark.requirement("M-24", "E-68", "E-77", "E-78")
def test_a_researcher_launches_defacing_watches_reviews_and_downloads(desk, served):
    here = desk("researcher")
    session = served.seeded.raw_session
    page = here.go(f"#/c/DEMO_INTAKE/s/{session}")
    page.get_by_role("button", name="De-face this session").click()
    dialog = page.get_by_role("dialog")
    command = dialog.get_by_label("Command")
    expect(command.locator("option", has_text="Remove the face").first).to_be_attached()
    options = command.locator("option").evaluate_all("all => all.map((one) => [one.value, one.textContent])")
    scan_wise = [value for value, name in options if name == "Remove the face"]
    command.select_option(scan_wise[-1])
    dialog.get_by_role("button", name="Launch").click()
    expect(dialog.locator(".badge", has_text="Complete")).to_be_visible(timeout=RUN_MS)
    expect(dialog.get_by_label("End of the log")).to_contain_text("removing the face")
    dialog.get_by_role("button", name="Close").last.click()

    page.get_by_role("link", name="waits").click()
    expect(page.get_by_role("heading", name="Review")).to_be_visible()
    expect(page.locator(".viewer[data-state=ready]")).to_be_visible(timeout=60_000)
    expect(page.locator("figcaption", has_text="Before")).to_be_visible()
    page.keyboard.press("1")
    expect(page.get_by_text("pass stored").or_(page.get_by_text("All judged."))).to_be_visible()

    listed = (
        f"/data/experiments/{session}/assessors?xsiType=lethe:defaceQcData&format=json&columns=label,"
        + ",".join(f"lethe:defaceQcData/{name}" for name in ("verdict", "reviewer", "auto_verdict", "method"))
    )
    rows = served.rows("researcher", listed)
    said = {row["lethe:defaceQcData/reviewer"]: row["lethe:defaceQcData/verdict"] for row in rows}
    assert said["researcher"] == "pass"
    assert set(said) == {"", "researcher"}  # the program's result is on record as well
    assert {row["lethe:defaceQcData/method"] for row in rows} == {"lethe-deface"}
    scan = served.call("researcher", f"/data/experiments/{session}/scans/2?format=json").json()
    assert scan["items"][0]["data_fields"]["quality"] == "usable"

    here.go(f"#/c/DEMO_INTAKE/s/{session}")
    settled(page)
    row = page.locator(".panel", has_text="Files").locator("li, tr, div", has_text="NIFTI_DEFACED").last
    with page.expect_download() as download:
        row.get_by_role("link", name="Download").last.click()
    body = download.value.path().read_bytes()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith(".nii.gz")]
        image = nib.Nifti1Image.from_bytes(gzip.decompress(archive.read(name)))
    assert image.shape == (95, 106, 80)
    assert np.asarray(image.dataobj).std() > 0


@pytest.mark.requirement("E-16", "E-17", "E-22", "E-26", "E-27", "E-28", "E-86", "A-36")
def test_an_administrator_changes_roles_and_visibility_and_the_others_browser_shows_it_at_once(desk, served):
    owner, other = desk("coordinator"), desk("outsider")
    people = owner.go("#/c/DEMO/people")
    settled(people)

    # private: the other sees nothing of it
    theirs = other.go("")
    settled(theirs)
    expect(theirs.locator("main")).not_to_contain_text("DEMO")

    # protected: seen, may ask
    people.get_by_role("button", name="Make protected").click()
    expect(people.get_by_role("dialog")).to_contain_text("may ask for access")
    people.get_by_role("button", name="Make it protected").click()
    expect(people.locator(".levels .now")).to_contain_text("Protected")
    other.go("")
    row = theirs.get_by_role("row", name="DEMO").first
    expect(row).to_contain_text("protected")
    assert served.call("outsider", "/data/projects/DEMO/subjects?format=json").status_code in (403, 404)
    row.get_by_role("button", name="Ask for access").click()
    form = theirs.get_by_role("dialog")
    form.get_by_role("textbox").fill("External validation <b>2025</b>")
    form.get_by_role("button", name="Send").click()
    expect(form).to_have_count(0)

    # the owner sees the reason and approves
    owner.go("#/c/DEMO/people")
    asked = people.locator(".panel.urgent")
    expect(asked).to_contain_text("External validation <b>2025</b>")
    asked.get_by_role("button", name="Approve").click()
    expect(people.get_by_label("Role of outsider")).to_have_value("collaborator")
    expect(asked).to_have_count(0)
    other.go("#/c/DEMO/subjects")
    settled(theirs)
    expect(theirs.get_by_role("row").nth(1)).to_be_visible()
    expect(theirs.get_by_role("link", name="People")).to_have_count(0)

    # changed to member: may change data now
    people.get_by_label("Role of outsider").select_option("member")
    expect(people.locator(".history")).to_contain_text("outsider")
    other.go("#/c/DEMO/clinical")
    expect(theirs.get_by_role("button", name="Upload CSV")).to_be_visible()

    # removed, and private again
    people.get_by_role("button", name="Remove outsider").click()
    people.get_by_role("dialog").get_by_role("button", name="Remove").last.click()
    expect(people.get_by_label("Role of outsider")).to_have_count(0)
    people.get_by_role("button", name="Make private").click()
    people.get_by_role("button", name="Make it private").click()
    expect(people.locator(".levels .now")).to_contain_text("Private")
    other.go("#/c/DEMO/clinical")
    expect(theirs.get_by_role("alert").first).to_be_visible()
    assert served.call("outsider", "/data/projects/DEMO?format=json").status_code == 404

    # a login that does not exist is refused with what helps
    people.get_by_label("Add a person").fill("nobody-here")
    people.get_by_role("button", name="Add", exact=True).click()
    expect(people.get_by_role("alert")).to_contain_text("no account with this login")


@pytest.mark.requirement("M-72", "E-80")
def test_a_coordinator_uploads_a_table_sees_three_bad_rows_corrects_and_commits(desk, served):
    address = (
        "/data/projects/DEMO/experiments?xsiType=lethe:clinicalData&format=json&columns=label,"
        + ",".join(f"lethe:clinicalData/{name}" for name in ("mrs_3m", "nihss_24h", "remarks"))
    )

    def stored() -> dict[str, list[str]]:
        return {row["label"]: list(row.values())[1:4] for row in served.rows("coordinator", address)}

    subjects = sorted(row["label"] for row in served.rows("coordinator", "/data/projects/DEMO/subjects"))
    before = stored()
    lines = [["subject", "mrs_3m", "nihss_24h", "death", "remarks"]]
    lines += [[one, "2", str(n), "", f"seen by telephone; <i>{n}</i>"] for n, one in enumerate(subjects)]
    bad = [line[:] for line in lines]
    bad[1][1] = "7"  # out of range
    bad[2][0] = "XXXX"  # no such patient
    bad[3][2] = "many"  # no number

    page = desk("coordinator").go("#/c/DEMO/clinical")
    page.get_by_role("button", name="Upload CSV").click()
    dialog = page.get_by_role("dialog")

    def choose(rows: list[list[str]]) -> None:
        text = io.StringIO()
        csv.writer(text, delimiter=";").writerows(rows)
        dialog.locator("input[type=file]").set_input_files(
            {"name": "outcome.csv", "mimeType": "text/csv", "buffer": text.getvalue().encode("utf-8-sig")}
        )

    choose(bad)
    expect(dialog.locator(".tallies")).to_contain_text("3 refused")
    refused = dialog.locator("section table tbody tr")
    expect(refused).to_have_count(3)
    expect(refused.nth(0)).to_contain_text("mrs_3m must lie between 0 and 6")
    expect(refused.nth(0).locator("td").first).to_have_text("2")
    expect(refused.nth(1)).to_contain_text("not in the collection")
    expect(refused.nth(2)).to_contain_text("nihss_24h must be a whole number")
    assert stored() == before  # a dry run writes nothing

    choose(lines)
    expect(dialog.locator(".tallies")).to_contain_text("0 refused")
    expect(dialog.locator(".tallies")).to_contain_text(f"{len(subjects)} changed")
    assert stored() == before
    dialog.get_by_role("button", name=f"Write {len(subjects)} records").click()
    expect(dialog).to_contain_text(f"{len(subjects)} records written.")
    after = stored()
    expected = {
        f"{one}_CLIN_1": ["2", str(n), f"seen by telephone; <i>{n}</i>"] for n, one in enumerate(subjects)
    }
    assert after == expected

    # the same file again changes nothing
    dialog.get_by_role("button", name="Close").last.click()
    page.get_by_role("button", name="Upload CSV").click()
    choose(lines)
    expect(dialog.locator(".tallies")).to_contain_text(f"{len(subjects)} as they are")
    expect(dialog.get_by_role("button", name="Nothing to write")).to_be_disabled()
