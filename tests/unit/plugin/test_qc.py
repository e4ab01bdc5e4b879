"""From the report of a run to the item that a reviewer completes."""

import pytest
from lxml import etree

from lethe.errors import Refused
from lethe.plugin.qc import assessment, document

ONE = {"method": "lethe-front", "method_version": "2", "verdict": "review", "reasons": [],
       "measures": {"removed_ml": 212.4, "brain_changed": 0}}  # fmt: skip


def test_a_report_of_one_image():
    assert assessment(ONE, scan="2", scan_type="CTA head") == {
        "scan_id": "2",
        "scan_type": "CTA head",
        "method": "lethe-front",
        "method_version": "2",
        "verdict": "review",
        "auto_verdict": "review",
        "removed_ml": "212.4",
        "brain_damage": "none",
    }


def test_a_report_of_several_images_takes_the_worst_word_and_all_of_the_volume():
    summary = {"verdict": "review", "reasons": [], "images": {"image_1.nii.gz": ONE, "image_2.nii.gz": ONE}}
    made = assessment(summary, scan="2")
    assert (made["verdict"], made["removed_ml"], made["method"]) == ("review", "424.8", "lethe-front")


def test_an_image_without_a_face_passes_and_says_so():
    made = assessment({**ONE, "verdict": "no-face", "measures": {}}, scan="2")
    assert (made["verdict"], made["remarks"]) == ("pass", "No face in the image.")
    assert "removed_ml" not in made
    assert "brain_damage" not in made


@pytest.mark.parametrize("report", [{}, {"verdict": "fine"}, {"verdict": "pass", "images": {"a": "b"}}])
def test_a_report_without_a_verdict_is_refused(report):
    with pytest.raises(Refused):
        assessment(report, scan="2")


def test_the_document_holds_the_elements_in_the_order_of_the_schema():
    root = etree.fromstring(document({"remarks": "<b>&", "scan_id": "2", "verdict": "pass"}))
    assert [etree.QName(one).localname for one in root] == ["scan_id", "verdict", "remarks"]
    assert root[2].text == "<b>&"


@pytest.mark.parametrize("values", [{"verdict": "fine"}, {"mood": "good"}, {"brain_kept_percent": "101"}])
def test_an_element_that_the_type_does_not_take_is_refused(values):
    with pytest.raises(Refused):
        document(values)
