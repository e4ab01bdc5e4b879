"""The form of a record: keys only, cross-checks, two tabs, and a login that ends in the middle."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from browser.checks import serious_violations, settled
from browser.conftest import SHOTS

pytestmark = pytest.mark.system


@pytest.fixture
def record(served):
    """A fresh patient with a record, in a collection of its own for each test; its row as REST has it."""
    number = len(served.rows("coordinator", "/data/projects/NASTY/subjects"))
    subject = f"T{number:03d}"
    base = f"/data/projects/NASTY/subjects/{subject}"
    label = f"{subject}_CLIN_1"
    query = "xsiType=lethe:clinicalData&lethe:clinicalData/event_no=1&lethe:clinicalData/mrs_3m=2"
    answer = served.call("coordinator", f"{base}/experiments/{label}?{query}", "PUT")
    assert answer.status_code == 201, answer.text

    def read() -> dict[str, object]:
        item = served.call("coordinator", f"{base}/experiments/{label}?format=json").json()["items"][0]
        return dict(item["data_fields"])

    read.subject, read.label = subject, label
    return read


def opened(here, record, page=None):
    page = here.go(f"#/c/NASTY/clinical?open={record.label}", page)
    expect(page.locator("form.record")).to_be_visible()
    settled(page)
    return page


def test_with_keys_only_a_record_is_found_filled_and_stored(desk, served, record):
    page = desk("coordinator").go(f"#/c/NASTY/clinical?q={record.subject}")
    expect(page.get_by_role("grid").get_by_role("row")).to_have_count(2)
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.getAttribute('role')") == "grid":
            break
    page.keyboard.press("Enter")
    form = page.locator("form.record")
    expect(form).to_be_visible()
    expect(page.locator("#field-mrs_discharge")).to_be_focused()
    page.keyboard.type("3")
    page.keyboard.press("Tab")
    page.keyboard.type("4")  # typing over the selected text
    page.keyboard.press("Control+Enter")
    expect(form.get_by_text("Stored.")).to_be_visible()
    values = record()
    assert values["mrs_discharge"] == 3
    assert str(values["mrs_3m"]).endswith("4")
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)


def test_checks_speak_while_one_types_and_a_complete_record_must_not_contradict_itself(desk, record):
    page = opened(desk("coordinator"), record)
    page.fill("#field-mrs_3m", "9")
    expect(page.locator("#field-mrs_3m-fault")).to_have_text("must lie between 0 and 6")
    page.fill("#field-mrs_3m", "6")
    expect(page.locator(".findings")).to_contain_text("means death")
    page.locator("summary", has_text="Record").first.click()
    page.select_option("#field-record_status", "complete")
    page.get_by_role("button", name="Store").click()
    expect(page.get_by_text("must not contradict itself")).to_be_visible()
    assert record()["mrs_3m"] == 2
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / "clinical-form-1440x900.png")
    assert serious_violations(page) == []
    page.select_option("#field-death", "yes")
    expect(page.locator(".findings")).to_have_count(0)
    page.get_by_role("button", name="Store").click()
    expect(page.get_by_text("Stored.")).to_be_visible()
    assert (record()["mrs_3m"], record()["death"], record()["record_status"]) == (6, "yes", "complete")


def test_a_value_can_be_emptied_again(desk, record):
    page = opened(desk("coordinator"), record)
    page.fill("#field-mrs_3m", "")
    page.get_by_role("button", name="Store").click()
    expect(page.get_by_text("Stored.")).to_be_visible()
    assert "mrs_3m" not in record()


def test_two_tabs_that_edit_one_record_do_not_overwrite_each_other_silently(desk, record):
    here = desk("coordinator")
    one, other = opened(here, record), opened(here, record, here.open())
    other.fill("#field-mrs_3m", "3")
    other.get_by_role("button", name="Store").click()
    expect(other.get_by_text("Stored.")).to_be_visible()

    one.fill("#field-mrs_3m", "5")
    one.fill("#field-mrs_12m", "4")
    one.get_by_role("button", name="Store").click()
    meeting = one.locator(".meeting")
    expect(meeting).to_contain_text("Nothing was overwritten")
    expect(meeting.get_by_role("row").nth(1)).to_contain_text("5")
    expect(meeting.get_by_role("row").nth(1)).to_contain_text("3")
    assert record()["mrs_3m"] == 3
    one.screenshot(path=SHOTS / "clinical-two-tabs.png")
    meeting.get_by_role("radio").nth(1).check()
    meeting.get_by_role("button", name="Go on").click()
    expect(one.locator("#field-mrs_3m")).to_have_value("3")
    expect(one.locator("#field-mrs_12m")).to_have_value("4")
    one.get_by_role("button", name="Store").click()
    expect(one.get_by_text("Stored.")).to_be_visible()
    assert (record()["mrs_3m"], record()["mrs_12m"]) == (3, 4)


@pytest.mark.requirement("E-25")
def test_a_login_that_ends_in_the_middle_of_a_form_loses_nothing(desk, served, record):
    here = desk("coordinator")
    page = opened(here, record)
    page.fill("#field-mrs_3m", "1")
    served.call("coordinator", "/xapi/users/active/coordinator", "DELETE")
    page.get_by_role("button", name="Store").click()
    expect(page.get_by_text("You were signed out.").first).to_be_visible()
    expect(page.locator("#field-mrs_3m")).to_have_value("1")
    assert record()["mrs_3m"] == 2
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / "signed-out.png")

    with here.context.expect_page() as opening:
        page.get_by_role("link", name="Log in in a new window").click()
    window = opening.value
    window.fill("#username", "coordinator")
    window.fill("#password", "a password for the tests")
    window.get_by_role("button", name="Log in").click()
    window.wait_for_load_state("networkidle")
    window.close()
    page.get_by_role("button", name="I am back").click()
    expect(page.get_by_role("link", name="Log in in a new window")).to_have_count(0)
    expect(page.locator("#field-mrs_3m")).to_have_value("1")
    page.get_by_role("button", name="Store").click()
    expect(page.get_by_text("Stored.")).to_be_visible()
    assert record()["mrs_3m"] == 1


def test_the_template_names_every_variable_and_the_patients_without_a_record(desk, served):
    number = len(served.rows("coordinator", "/data/projects/NASTY/subjects"))
    assert served.call("coordinator", f"/data/projects/NASTY/subjects/N{number}", "PUT").status_code == 201
    page = desk("coordinator").go("#/c/NASTY/clinical")
    settled(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Template").click()
    lines = download.value.path().read_text().splitlines()
    columns = lines[0].split(",")
    assert columns[:2] == ["subject", "event_no"]
    assert len(columns) == 78
    assert {"mrs_3m", "remarks"} <= set(columns)
    assert f"N{number},1" in {",".join(line.split(",")[:2]) for line in lines[1:]}
