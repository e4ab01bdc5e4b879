"""Images and table of the same patients under one intake session."""

import json
import re
import subprocess
from collections import Counter
from datetime import datetime, timedelta

import dcm2niix
import numpy as np
import pydicom
import pytest

from kit.people import people
from kit.series import write_series
from kit.tables import clinical_table
from lethe.clinical import Dictionary, Role, link_table, read_table, scramble_table
from lethe.clinical.release import write_release
from lethe.header import Anonymizer, apply_tree, bundled_script, load_lookup, load_script
from lethe.identity import IntakeSession
from lethe.identity.leftovers import search
from lethe.image.convert import convert_series

PEOPLE = people(10)
STUDIES = (0, 1)
SLICES = 3
DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
EIGHT_DIGITS = re.compile(r"(?<![0-9])(?:19|20)[0-9]{2}-?[01][0-9]-?[0-3][0-9](?![0-9])")


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """Sixty objects and a table, cleaned, linked and released; the session is still open."""
    root = tmp_path_factory.mktemp("together")
    head = np.random.default_rng(1).integers(0, 80, (8, 8, SLICES)).astype(np.int16)
    for who, person in enumerate(PEOPLE):
        for study in STUDIES:
            write_series(
                head, np.diag([30.0, 30, 40, 1]), root / f"hospital/{who}/{study}", person=person, study=study
            )
    clinical_table(PEOPLE, root / "registry.csv")
    session = IntakeSession.open(root / "session", key_file=root / "key")
    given = session.assign([person.patient_id for person in PEOPLE])
    session.write_lookup_table(root / "lookup.properties")
    stages = [
        Anonymizer(load_script(bundled_script("stroke")), load_lookup(root / "lookup.properties")),
        Anonymizer(load_script(bundled_script("routing"), parameters={"PROJECT": "STROKE"})),
    ]
    report = apply_tree(stages, root / "hospital", root / "images", quarantine=root / "quarantine")
    assert report.counts == {"OK": len(PEOPLE) * len(STUDIES) * SLICES}, report
    return (
        root,
        session,
        {given[person.patient_id].prid: (person, given[person.patient_id]) for person in PEOPLE},
    )


@pytest.fixture(scope="module")
def series(walked):
    """PRID -> folders of its cleaned series, each with one header."""
    root, _, _ = walked
    found = {}
    for folder in sorted({path.parent for path in (root / "images").rglob("*.dcm")}):
        header = pydicom.dcmread(sorted(folder.glob("*.dcm"))[0], stop_before_pixels=True)
        found.setdefault(str(header.PatientID), []).append((folder, header))
    return found


def moment(person, study):
    """Return when the kit lets a study begin."""
    return person.event + timedelta(minutes=95, days=4 * study)


def moved(person, given):
    """Return the days of a patient's studies after the shift, as DICOM writes them."""
    return {f"{moment(person, study) + timedelta(days=given.shift_days):%Y%m%d}" for study in STUDIES}


@pytest.mark.requirement("T-7", "T-8", "M-33", "M-47", "A-26", "A-29")
def test_headers_and_session_labels_of_sixty_objects_move_with_their_patient(walked):
    root, _, given = walked
    seen = Counter()
    for path in (root / "images").rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        prid = str(dataset.PatientID)
        seen[prid] += 1
        assert {str(dataset[name].value) for name in DATES if name in dataset} == {dataset.StudyDate}
        assert dataset.StudyDate in moved(*given[prid])
        assert f"Session:{prid}_{dataset.StudyDate}_CT_" in dataset.PatientComments
        # whatever else still looks like a day is one of the patient's moved days
        rest = EIGHT_DIGITS.findall(
            str(dataset.PatientComments) + str(dataset.get("AcquisitionDateTime", ""))
        )
        assert {day.replace("-", "") for day in rest} <= moved(*given[prid])
        assert not EIGHT_DIGITS.search(str(path.relative_to(root / "images")))
    assert seen == dict.fromkeys(given, len(STUDIES) * SLICES)


@pytest.mark.requirement("T-7", "T-8", "M-47")
def test_every_date_of_the_table_moves_by_the_days_of_the_images(walked, series):
    root, session, given = walked
    dictionary = Dictionary.load()
    table = read_table(root / "registry.csv", dictionary, patient_column="patient_id")
    linked = link_table(table, dictionary, session.assignments, patient_column="patient_id")
    released = scramble_table(linked, dictionary, noise_key=session.noise_key)
    before = table.set_index("patient_id")
    after = released.table.set_index("prid")
    assert set(after.index) == set(series)
    for prid, (person, one) in given.items():
        for name in dictionary.with_role(Role.DATE):
            old, new = before.loc[person.patient_id, name], after.loc[prid, name]
            assert bool(old) == bool(new)
            if old:
                gap = datetime.fromisoformat(new) - datetime.fromisoformat(old)
                assert gap == timedelta(days=one.shift_days)
        acute = min(str(header.StudyDate) for _, header in series[prid])
        shown = datetime.fromisoformat(after.loc[prid, "onset_datetime"])
        true = moment(person, 0) - person.event
        assert datetime.strptime(acute, "%Y%m%d").date() == (shown + true).date()


@pytest.mark.requirement("T-8", "M-47")
def test_names_and_sidecars_that_a_converter_makes_hold_the_moved_day_and_ours_hold_none(
    tmp_path, walked, series
):
    _, _, given = walked
    for prid, folders in series.items():
        for folder, header in folders[:1]:
            raw, ours = tmp_path / f"raw-{prid}", tmp_path / f"ours-{prid}"
            raw.mkdir()
            ours.mkdir()
            # a researcher's own conversion, which puts every date it finds into sidecar and file name
            subprocess.run(
                [dcm2niix.bin, "-ba", "n", "-f", "%i_%t", "-o", raw, folder], check=True, capture_output=True
            )
            (sidecar,) = raw.glob("*.json")
            days = days_in(sidecar)
            name = re.fullmatch(rf"{prid}_([0-9]{{8}})[0-9]{{6}}", sidecar.stem)
            assert name
            assert name[1] == header.StudyDate
            assert {day.replace("-", "") for day in days} <= {header.StudyDate}
            assert header.StudyDate in moved(*given[prid])
            made = convert_series(folder, ours)
            assert made.images
            for path in made.files:
                assert not EIGHT_DIGITS.search(path.name)
            for path in made.sidecars:
                assert days_in(path) == []


def days_in(sidecar):
    """Return what looks like a day in a sidecar, except the version of the converter, named after one."""
    told = json.loads(sidecar.read_text())
    del told["ConversionSoftwareVersion"]
    return EIGHT_DIGITS.findall(json.dumps(told))


@pytest.mark.requirement("M-36", "M-88")
def test_after_sealing_nothing_of_the_sixty_objects_and_the_table_leads_back(walked, series):
    root, session, _ = walked
    dictionary = Dictionary.load()
    table = read_table(root / "registry.csv", dictionary, patient_column="patient_id")
    linked = link_table(table, dictionary, session.assignments, patient_column="patient_id")
    (root / "clinical").mkdir()
    write_release(
        scramble_table(linked, dictionary, noise_key=session.noise_key), dictionary, root / "clinical"
    )
    session.seal()
    planted = [text for person in PEOPLE for text in person.planted()]
    assert search([root / "images", root / "clinical", root / "session"], planted) == []
    assert search([root / "hospital", root / "registry.csv"], planted)
