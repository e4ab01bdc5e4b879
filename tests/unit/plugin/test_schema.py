"""The generated schema against documents, with a stand-in of XNAT's base types."""

from pathlib import Path

import pytest
from lxml import etree

from lethe.plugin.build import generate
from lethe.plugin.schema import schema
from lethe.plugin.types import NAMESPACE, data_types

STAND_IN = Path(__file__).parents[2] / "data" / "xnat-stand-in"


@pytest.fixture(scope="module")
def validator(tmp_path_factory):
    folder = tmp_path_factory.mktemp("schemas")
    (folder / "xnat").mkdir()
    (folder / "xnat" / "xnat.xsd").write_bytes((STAND_IN / "xnat" / "xnat.xsd").read_bytes())
    (folder / "lethe").mkdir()
    (folder / "lethe" / "lethe.xsd").write_text(schema())
    return etree.XMLSchema(etree.parse(folder / "lethe" / "lethe.xsd"))


def document(root, **values):
    made = etree.Element(f"{{{NAMESPACE}}}{root}", label="S1_CLIN_1", project="STROKE")
    for name, text in values.items():
        etree.SubElement(made, f"{{{NAMESPACE}}}{name}").text = text
    return made


@pytest.mark.parametrize(
    ("root", "values"),
    [
        ("ClinicalData", {}),
        (
            "ClinicalData",
            {"event_no": "1", "sex": "F", "inr": "1.1", "mtici": "2b", "mrs_3m": "6", "remarks": "<b>"},
        ),
        ("DefaceQc", {"scan_id": "2", "verdict": "pass", "reviewed_at": "2026-05-31T08:30:00"}),
    ],
)
def test_a_good_document_is_valid_and_half_a_record_is_one(validator, root, values):
    assert validator.validate(document(root, **values)), validator.error_log


@pytest.mark.parametrize(
    ("root", "values"),
    [
        ("ClinicalData", {"mrs_3m": "7"}),
        ("ClinicalData", {"sex": "female"}),
        ("ClinicalData", {"event_no": "one"}),
        ("ClinicalData", {"remarks": "x" * 2001}),
        ("ClinicalData", {"birth_date": "1950-01-01"}),
        ("ClinicalData", {"death": "1"}),
        ("DefaceQc", {"brain_kept_percent": "101"}),
        ("DefaceQc", {"reviewed_at": "yesterday"}),
    ],
)
def test_a_bad_document_is_not(validator, root, values):
    assert not validator.validate(document(root, **values))


def test_what_is_committed_is_what_the_dictionary_says(sources):
    assert generate(sources, dry_run=True) == [], "run: lethe plugin generate"


@pytest.mark.requirement("E-24")
def test_no_element_of_the_stroke_record_is_a_date(validator):
    clinical = data_types()[0].record
    lines = schema().split(f'complexType name="{clinical.element}"')[1].split("</xs:complexType>")[0]
    assert "xs:date" not in lines
    assert "xs:time" not in lines


def test_the_readme_names_every_page_of_the_jar(sources):
    text = (sources.plugin / "README.md").read_text("utf-8")
    screens = sources.plugin / "resources" / "META-INF" / "resources" / "templates" / "screens"
    pages = [path.relative_to(screens).as_posix() for path in screens.rglob("*.vm")]
    assert len(pages) == 5
    assert [page for page in pages if f"`{page}`" not in text] == []
