"""The demo's own hospital: thirteen invented patients, one with a real head CT, one who refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from demo_walk.places import Places
from demo_walk.source import PATIENT_COLUMN, Progress, Source, choose
from kit import cranium, kinds, phantom, series, tables, vendor
from kit.people import Person, people
from lethe.clinical import Dictionary, read_table
from lethe.files import write_bytes
from lethe.quality.preflight import look

PATIENTS = 13  # the last one has refused the use of routine data
_NO_CRANIUM = "cranium-missing.txt"
# real objects of several vendors, one patient each
_SAMPLES = (
    "ct-ge",
    "mr-toshiba",
    "mr-big-endian",
    "mr-rle",
    "mr-jpeg-2000",
    "mr-siemens-mpr",
    "capture-rgb",
    "report",
)


def kit_source(places: Places, progress: Progress) -> Source:
    """Make the hospital's data once, and read them as a user's are read."""
    dicom = places.hospital / "dicom"
    persons = people(PATIENTS)
    if not dicom.is_dir():
        _make(places, dicom, persons, progress)
    progress(1, 1)
    table = places.hospital / "table.csv"
    dictionary = Dictionary.load()
    planted = tuple(sorted({text for person in persons for text in person.planted()}))
    reason = places.hospital / _NO_CRANIUM
    notes = (f"The head is synthetic: {reason.read_text().strip()}",) if reason.exists() else ()
    rows = read_table(table, dictionary, patient_column=PATIENT_COLUMN)
    return Source(
        dicom, look(dicom), choose(rows, dictionary), dictionary, planted, 0, own=False, notes=notes
    )


def _make(places: Places, dicom: Path, persons: list[Person], progress: Progress) -> None:
    work = places.hospital / "dicom.partial"
    shutil.rmtree(work, ignore_errors=True)
    tables.clinical_table(persons, places.hospital / "table.csv", opted_out=persons[-1:])
    fetched = cranium.fetch()
    if fetched.volume is None:
        write_bytes(places.hospital / _NO_CRANIUM, (fetched.reason + "\n").encode())
    head = fetched.volume or phantom.head("ct", spacing=(1.0, 1.0, 1.5))
    makers = _makers(head, persons, work)
    for number, make in enumerate(makers, start=1):
        make()
        progress(number, len(makers))
    work.rename(dicom)


def _makers(head: phantom.Volume, persons: list[Person], root: Path) -> list[Callable[[], list[Path]]]:
    """Return one call per series: what a stroke unit sends, and what must not pass."""
    thin = phantom.head("mr", spacing=(1.2, 1.2, 1.2))
    thick = phantom.head("ct", spacing=(0.9, 0.9, 5.0), seed=3)
    return [
        lambda: series.write_series(head, None, root / "1" / "ct", person=persons[0], number=2),
        lambda: kinds.write_perfusion(head, root / "1" / "perfusion", person=persons[0], number=4),
        lambda: kinds.write_secondary_capture(root / "1" / "capture", person=persons[0], number=99),
        lambda: kinds.write_dose_sheet(root / "1" / "dose", person=persons[0], number=501),
        lambda: series.write_series(
            thin, None, root / "2" / "mr", modality="MR", person=persons[1], number=3
        ),
        lambda: kinds.write_dsa(head, root / "3" / "dsa", person=persons[2], number=5),
        lambda: series.write_series(thick, None, root / "4" / "ct", person=persons[3], number=2, study=1),
        *(
            lambda name=name, place=place: vendor.write_sample(
                name, root / str(5 + place) / "sample", person=persons[4 + place]
            )
            for place, name in enumerate(_SAMPLES)
        ),
        lambda: vendor.write_sample("ct-jpeg-2000", root / "13" / "sample", person=persons[12]),
    ]
