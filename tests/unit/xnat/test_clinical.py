"""Released rows on XNAT subjects, against the embedded archive."""

import pytest

from contract.conftest import start_archive, stop_archive
from contract.helpers import PASSWORDS
from kit.people import people
from kit.tables import clinical_table
from lethe.clinical import Dictionary, link_table, read_table, scramble_table
from lethe.clinical.release import write_release
from lethe.errors import Refused
from lethe.identity import Assignment
from lethe.xnat.client import connect
from lethe.xnat.clinical import put_rows, released_rows
from lethe.xnat.resources import put_file


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    process, address = start_archive(folder / "root", folder / "users.json", "--backend", "process")
    with connect(address, "admin", PASSWORDS["admin"]) as connected:
        yield connected
    stop_archive(process)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """The files of a released table of three patients."""
    folder = tmp_path_factory.mktemp("release")
    dictionary, persons = Dictionary.load(), people(3)
    given = {one.patient_id: Assignment(f"A00{n}", n - 1) for n, one in enumerate(persons)}
    path = clinical_table(persons, folder / "registry.csv")
    table = read_table(path, dictionary, patient_column="patient_id")
    linked = link_table(table, dictionary, given, patient_column="patient_id")
    files = write_release(scramble_table(linked, dictionary, noise_key=bytes(32)), dictionary, folder)
    return {file.name: file for file in files}


@pytest.fixture(scope="module")
def project(archive, release):
    """A collection with the released table and the images' subjects of two of its three patients."""
    archive.request("PUT", "/data/projects/STROKE", "create")
    for prid in ("A000", "A001", "FFFF"):
        archive.request("PUT", f"/data/projects/STROKE/subjects/{prid}", "create")
    for name, file in release.items():
        put_file(archive, "/data/projects/STROKE/resources/CLINICAL", name, file)
    return "STROKE"


def fields(archive, project, prid):
    subject = archive.session.projects[project].subjects[prid]
    subject.clearcache()
    return {name: str(value) for name, value in subject.fields.items()}


@pytest.mark.requirement("M-33", "M-39", "E-72")
def test_the_released_row_lies_on_the_subject_word_for_word(archive, project):
    rows = released_rows(archive, project)
    assert len(rows) == 3
    written = put_rows(archive, project, rows)
    for prid in ("A000", "A001"):
        wanted = {name: text for name, text in rows[prid].items() if text}
        assert len(wanted) > 90
        assert fields(archive, project, prid) == wanted
    assert written == sum(bool(text) for prid in ("A000", "A001") for text in rows[prid].values())
    assert fields(archive, project, "A001")["age"] == ">90 years"  # the second of the kit's people is 90


def test_a_second_time_nothing_is_written(archive, project):
    rows = released_rows(archive, project)
    put_rows(archive, project, rows)
    assert put_rows(archive, project, rows) == 0


def test_only_what_changed_is_written_and_what_is_gone_is_removed(archive, project):
    rows = released_rows(archive, project)
    put_rows(archive, project, rows)
    changed = {**rows["A000"], "mrs_3m": "6", "glucose": ""}
    assert put_rows(archive, project, {"A000": changed}) == 2
    now = fields(archive, project, "A000")
    assert now["mrs_3m"] == "6"
    assert "glucose" not in now
    assert put_rows(archive, project, {"A000": changed}) == 0
    put_rows(archive, project, rows)


def test_a_patient_without_images_gets_no_subject_and_other_subjects_stay_as_they_are(archive, project):
    put_rows(archive, project, released_rows(archive, project))
    labels = {row["label"] for row in archive.rows(f"/data/projects/{project}/subjects", "list")}
    assert labels == {"A000", "A001", "FFFF"}
    assert fields(archive, project, "FFFF") == {}


def test_a_project_without_a_released_table_is_refused(archive):
    archive.request("PUT", "/data/projects/EMPTY", "create")
    with pytest.raises(Refused) as caught:
        released_rows(archive, "EMPTY")
    assert caught.value.code == "no-released-table"
