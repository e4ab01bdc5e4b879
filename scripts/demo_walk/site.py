"""What happens at the hospital: identities, header cleaning, sending. Every step may be repeated."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pydicom

from demo_walk.places import Places
from demo_walk.server import Server
from demo_walk.source import PATIENT_COLUMN, Source
from lethe.clinical import link_table, write_table
from lethe.errors import Refused
from lethe.files import write_bytes
from lethe.governance.collection import Collection
from lethe.header import Anonymizer, TreeReport, apply_tree, bundled_script, load_lookup, load_script
from lethe.identity import IntakeSession, vault
from lethe.xnat import send, terms
from lethe.xnat.client import Archive

Progress = Callable[[int, int], None]
_LINKS = "to-send"


def intake_session(places: Places, patients: list[str]) -> IntakeSession:
    """Open (or go on with) the intake session and give every patient a PRID and a shift."""
    session = IntakeSession.open(places.site / "intake", key_file=places.site / "intake.key")
    session.assign(patients)
    session.write_lookup_table(places.site / "lookup.properties")
    return session


def without_refused(places: Places, source: Source) -> tuple[Path, int]:
    """Return a folder without the objects of patients who refused, and how many these were.

    It holds links to the hospital's files, so that what is left out is never even read by the cleaning.
    """
    if not source.chosen.refused:
        return source.dicom, 0
    folder = places.hospital / _LINKS
    shutil.rmtree(folder, ignore_errors=True)
    left_out = 0
    for path in source.found.objects:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["PatientID"])
        if str(header.get("PatientID", "")).strip() in source.chosen.refused:
            left_out += 1
            continue
        link = folder / path.relative_to(source.dicom)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path.resolve())
    folder.mkdir(exist_ok=True)
    return folder, left_out


def clean_headers(places: Places, dicom: Path, collection: Collection, progress: Progress) -> TreeReport:
    """Run the stroke script and the routing script over every object of the hospital."""
    lookup = load_lookup(places.site / "lookup.properties")
    scripts = [
        Anonymizer(load_script(bundled_script("stroke")), lookup),
        Anonymizer(load_script(bundled_script("routing"), parameters={"PROJECT": collection.intake}), lookup),
    ]
    report = apply_tree(
        scripts, dicom, places.site / "cleaned", quarantine=places.hospital / "quarantine", progress=progress
    )
    if not any(report.counts.get(status) for status in ("OK", "SAME")):
        codes = ", ".join(sorted({code for _, code, _ in report.quarantined}))
        raise Refused(
            "nothing-cleaned",
            f"No object passed the header cleaning; all are quarantined at the hospital ({codes}).",
            remedy="Each quarantined object has a report beside it that says why.",
        )
    return report


def _by_study(folder: Path) -> dict[str, list[Path]]:
    studies: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*.dcm")):
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["StudyInstanceUID"])
        studies[str(header.StudyInstanceUID)].append(path)
    return dict(sorted(studies.items()))


def send_images(
    places: Places,
    archive: Archive,
    server: Server,
    collection: Collection,
    centre: str,
    progress: Progress,
) -> tuple[int, int]:
    """Send every other study by C-STORE, the rest by REST; return (objects by C-STORE, objects by REST)."""
    terms.require_contribution(archive, collection.intake, centre=centre)  # C-STORE itself cannot ask
    ledger = send.Ledger(places.site / "sent")
    studies = list(_by_study(places.site / "cleaned").values())
    total = sum(map(len, studies))
    sent = [0, 0]
    for number, paths in enumerate(studies):
        if number % 2 == 0:
            send.c_store(paths, "127.0.0.1", server.dicom_port, ledger)
        else:
            send.import_zip(archive, paths, collection.intake, ledger, centre=centre)
        sent[number % 2] += len(paths)
        progress(sum(sent), total)
    return sent[0], sent[1]


def check_arrival(places: Places, archived: int) -> None:
    """Refuse to go on unless the archive holds as many objects as were cleaned."""
    cleaned = sum(1 for _ in (places.site / "cleaned").rglob("*.dcm"))
    if archived != cleaned:
        raise Refused(
            "objects-lost",
            f"{cleaned} objects were cleaned, the archive holds {archived}.",
            remedy="Run the demo again; if it stays, the archive's log tells which session is short.",
        )


def linked_table(places: Places, source: Source, session: IntakeSession) -> tuple[Path, Path]:
    """Write the eligible rows under PRIDs with shifted dates, and the noise key; return both paths."""
    linked = link_table(
        source.chosen.table, source.dictionary, session.assignments, patient_column=PATIENT_COLUMN
    )
    write_table(linked, places.site / "table.csv")
    write_bytes(places.site / "noise.key", (session.noise_key.hex() + "\n").encode(), mode=0o600)
    return places.site / "table.csv", places.site / "noise.key"


def destroy_workplace(places: Places) -> None:
    """Remove linked table, noise key, cleaned objects and ledger; the destruction record stays."""
    for name in ("table.csv", "noise.key", "sent"):
        vault.destroy(places.site / name)
    shutil.rmtree(places.site / "cleaned", ignore_errors=True)
    shutil.rmtree(places.hospital / _LINKS, ignore_errors=True)
