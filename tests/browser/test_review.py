"""Review: keys, second readers, who sees the original, and what is drawn."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from browser.checks import settled

pytestmark = pytest.mark.system

QC = "xsiType=lethe:defaceQcData&format=json"
COLUMNS = "columns=label,insert_user," + ",".join(
    f"lethe:defaceQcData/{name}"
    for name in ("verdict", "reviewer", "face_residual", "brain_damage", "remarks", "reviewed_views")
)


def said(served, session: str) -> dict[str, dict[str, str]]:
    """Return the assessors of a session by label, columns by their last word."""
    rows = served.rows("coordinator", f"/data/experiments/{session}/assessors?{QC}&{COLUMNS}")
    return {row["label"]: {key.rsplit("/", 1)[-1]: value for key, value in row.items()} for row in rows}


def quality(served, session: str) -> str:
    answer = served.call("coordinator", f"/data/experiments/{session}/scans/2?format=json")
    return str(answer.json()["items"][0]["data_fields"]["quality"])


def pane(page, title: str) -> np.ndarray:
    """Return the pixels of a pane in grey and red, without its frame."""
    canvas = page.locator("figure", has_text=title).locator("canvas")
    image = Image.open(io.BytesIO(canvas.screenshot())).convert("RGB")
    return np.asarray(image, float)[20:-20, 20:-20]


@pytest.mark.requirement("M-24", "E-73", "E-74", "E-77")
def test_a_reader_judges_by_keys_and_a_second_reader_adds_never_overwrites(desk, served):
    first, second, third, _ = served.seeded.review
    here = desk("researcher")
    page = here.go("#/c/DEMO/review")
    expect(page.locator(".queue button")).to_have_count(4)
    expect(page.locator(".queue [aria-current]")).to_be_visible()
    settled(page)

    # before, after and the removed region are drawn, and they differ
    before, after, removed = (pane(page, title) for title in ("Before", "After", "Removed"))
    assert before.mean() > 5
    assert before.std() > 10
    assert np.abs(before - after).mean() > 0.3
    red = removed[..., 0] - removed[..., 1]
    assert (red > 60).mean() > 0.002
    assert (before[..., 0] - before[..., 1] > 60).mean() < 0.002

    # a pass with something of the face ticked is refused in words
    page.get_by_label("ears").check()
    page.get_by_label("nose").check()
    page.keyboard.press("1")
    expect(page.get_by_role("alert")).to_contain_text("something of the face is still to be seen")
    assert len(said(served, first)) == 1
    page.keyboard.press("s")
    expect(page.get_by_role("button", name="Sagittal")).to_have_attribute("aria-pressed", "true")

    # 2 fails it, the quality follows, the next one comes up; u takes it back; 3 asks for a second reader
    page.keyboard.press("2")
    expect(page.get_by_text("fail stored")).to_be_visible()
    (label,) = set(said(served, first)) - {label for label in said(served, first) if label.endswith("_DQC_2")}
    mine = said(served, first)[label]
    assert (mine["verdict"], mine["reviewer"], mine["insert_user"]) == ("fail", "researcher", "researcher")
    assert (mine["face_residual"], mine["remarks"]) == ("several", "Visible: ears, nose.")
    assert "sagittal" in mine["reviewed_views"]
    assert quality(served, first) == "unusable"
    page.keyboard.press("u")
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    expect(page.get_by_text("Storing")).to_have_count(0)
    assert said(served, first)[label]["verdict"] == "pending"
    assert quality(served, first) == "usable"
    settled(page)
    page.keyboard.press("3")
    expect(page.get_by_text("review stored")).to_be_visible()
    assert quality(served, first) == "questionable"
    settled(page)
    page.keyboard.press("1")
    expect(page.get_by_text("pass stored")).to_be_visible()
    assert (
        said(served, second)[next(one for one in said(served, second) if one.endswith("researcher"))][
            "verdict"
        ]
        == "pass"
    )

    # the first reader does not get it again; the second does, first of all
    page = here.go("#/c/DEMO/review")
    expect(page.locator(".queue button")).to_have_count(2)
    theirs = desk("second").go("#/c/DEMO/review")
    expect(theirs.locator(".queue button")).to_have_count(3)
    expect(theirs.locator(".queue [aria-current]")).to_contain_text("2nd")
    settled(theirs)
    expect(theirs.locator(".measured")).to_contain_text("researcher")
    theirs.keyboard.press("1")
    expect(theirs.get_by_text("pass stored")).to_be_visible()
    words = {one["reviewer"]: one["verdict"] for one in said(served, first).values()}
    assert words == {"": "review", "researcher": "review", "second": "pass"}
    assert quality(served, first) == "usable"
    assert len(said(served, third)) == 1


@pytest.mark.requirement("M-24", "T-11")
def test_the_original_never_reaches_somebody_without_rights_in_the_intake_project(desk, served):
    session = served.seeded.review[0]
    base = f"/data/experiments/{session}/scans/2/resources"
    for login in ("collaborator", "outsider", None):
        for path in ("/NIFTI/files/image.nii.gz", "/DEFACE_QC/files/before.png", "/NIFTI/files?format=zip"):
            assert served.call(login, base + path).status_code in (401, 403, 404), (login, path)
        assert served.call(login, f"/data/experiments/{session}/scans/2/files?format=json").status_code in (
            401,
            403,
            404,
        )
    page = desk("collaborator").go("#/c/DEMO/review")
    asked: list[str] = []
    page.on("response", lambda one: asked.append(one.url) if one.ok else None)
    page.reload()
    settled(page)
    expect(page.get_by_text("You have no role in the intake project")).to_be_visible()
    expect(page.locator("figcaption", has_text="Before")).to_have_count(0)
    assert not [url for url in asked if "/NIFTI/" in url or "before.png" in url or "/DEFACE_QC/" in url]
    released = served.rows("collaborator", "/data/projects/DEMO/experiments?xsiType=xnat:ctSessionData")
    for row in released:
        files = served.rows("collaborator", f"/data/experiments/{row['ID']}/scans/2/files")
        assert {one["collection"] for one in files} == {"NIFTI_DEFACED"}


def test_without_webgl_the_pictures_are_shown(desk, served):
    here = desk("second")
    here.context.add_init_script(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {"
        " return kind.startsWith('webgl') ? null : get.call(this, kind, ...rest); };"
    )
    page = here.go(f"#/c/DEMO/review?session={served.seeded.review[3]}&scan=2")
    expect(page.get_by_text("no WebGL")).to_be_visible()
    pictures = page.locator(".pictures img")
    expect(pictures).to_have_count(3)
    for at in range(3):
        expect(pictures.nth(at)).to_have_js_property("complete", True)
        assert pictures.nth(at).evaluate("one => one.naturalWidth") > 100


@pytest.mark.requirement("E-51", "E-68")
def test_a_sample_is_drawn_from_every_site_and_hides_what_the_program_said(desk, served):
    page = desk("second").go("#/c/DEMO/review?sample=6&seed=spring")
    expect(page.locator(".queue button")).to_have_count(6)
    drawn = page.locator(".queue button").all_inner_texts()
    expect(page.locator(".measured")).to_contain_text("hidden until you have spoken")
    assert "Score" not in page.locator(".measured").inner_text()
    again = desk("researcher").go("#/c/DEMO/review?sample=6&seed=spring")
    expect(again.locator(".queue button")).to_have_count(6)
    assert [one.split()[0] for one in again.locator(".queue button").all_inner_texts()] == [
        one.split()[0] for one in drawn
    ]
