"""The walk from the hospital to the published collection, resumable at every step."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from demo_walk import centre, records, site
from demo_walk.places import Places
from demo_walk.server import Server
from demo_walk.source import Source
from lethe.errors import Refused
from lethe.files import write_json
from lethe.governance.collection import Collection
from lethe.header import TreeReport
from lethe.identity import IntakeSession
from lethe.identity.leftovers import survey
from lethe.xnat.client import Archive, connect
from lethe.xnat.intake import resource_labels, series_of
from lethe.xnat.resources import get_file, list_files
from lethe.xnat.send import archive_sessions

Step = Callable[[int, int], None]


@contextmanager
def steps() -> Iterator[Callable[[str], Step]]:
    """Give a function that opens one line of progress per step."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns) as bars:

        def step(name: str) -> Step:
            task = bars.add_task(f"{name:<34}", total=None)

            def advance(done: int, total: int) -> None:
                bars.update(task, completed=done, total=max(total, 1))

            return advance

        yield step


def walk(
    places: Places, server: Server, collection: Collection, source: Source, step: Callable[[str], Step]
) -> None:
    """Go the whole way; steps that an earlier run finished find their work done.

    Raises
    ------
    Refused
        A step could not be done, or an original identifier was found afterwards.
    """
    if places.summary.exists() and json.loads(places.summary.read_text())["stage"] == "sealed":
        return
    session = IntakeSession.open(places.site / "intake", key_file=places.site / "intake.key")
    if not session.sealed:
        summary = _to_publication(places, server, collection, source, step)
        write_json(places.summary, summary)
        session = IntakeSession.open(places.site / "intake", key_file=places.site / "intake.key")
    advance = step("Sealing the intake session")
    session.seal()
    site.destroy_workplace(places)
    advance(1, 1)
    _search(places, source, step("Searching for identifiers"))


def _to_publication(
    places: Places, server: Server, collection: Collection, source: Source, step: Callable[[str], Step]
) -> dict[str, Any]:
    advance = step("Giving PRIDs and date shifts")
    session = site.intake_session(places, source.patients)
    advance(len(source.patients), len(source.patients))
    dicom, kept_back = site.without_refused(places, source)
    tree = site.clean_headers(places, dicom, collection, step("Cleaning DICOM headers"))
    with connect(server.url, "admin", server.passwords["admin"]) as admin:
        advance = step("Creating the collection")
        wrappers = centre.register_commands(admin)
        records.write_file(places.collection, collection, source, sorted(wrappers))
        centre.make_collection(admin, places.collection)
        advance(1, 1)
    with connect(server.url, "curator", server.passwords["curator"]) as archive:
        by_c_store, by_rest = site.send_images(
            places, archive, server, collection, records.centres(source)[0], step("Sending DICOM")
        )
        advance = step("Archiving sessions")
        sessions = archive_sessions(archive, collection.intake)
        site.check_arrival(places, centre.archived_objects(archive, collection))
        advance(sessions or 1, sessions or 1)
        files = site.linked_table(places, source, session)
        centre.upload_table(archive, collection, *files)
        centre.scramble(archive, collection, wrappers, step("Scrambling the clinical table"))
        centre.convert(archive, collection, wrappers, step("Converting to NIFTI"))
        centre.deface(archive, collection, wrappers, step("Removing faces"))
        centre.clean(archive, collection, wrappers, step("Cleaning headers of the rest"))
    with connect(server.url, "admin", server.passwords["admin"]) as admin:
        rows = centre.publish_passed(admin, collection, step("Publishing what passed"))
        backends = centre.backends(admin, collection)
        pictures = _pictures(admin, places, collection, source)
    return {
        "stage": "published",
        "collection": collection.name,
        "rows": centre.rows_as_json(rows),
        "counts": {
            "sent": by_c_store + by_rest,
            "by_c_store": by_c_store,
            "by_rest": by_rest,
            "quarantined": len(tree.quarantined),
            "patients": len(source.patients),
            "clinical_rows": len(source.chosen.table),
            "clinical_rows_left_out": source.chosen.excluded,
            "objects_of_refusals": kept_back,
        },
        "backends": backends,
        "notes": [*source.notes, *source.chosen.notes, *_refusal_notes(kept_back), *_quarantine_notes(tree)],
        "pictures": pictures,
    }


def _refusal_notes(kept_back: int) -> list[str]:
    if not kept_back:
        return []
    return [f"Not sent: {kept_back} objects of patients who refused the use of routine data."]


def _quarantine_notes(tree: TreeReport) -> list[str]:
    reasons = Counter(reason for _number, _code, reason in tree.quarantined)
    return [
        f"Quarantined at the hospital: {count} objects. {reason}" for reason, count in sorted(reasons.items())
    ]


def _pictures(archive: Archive, places: Places, collection: Collection, source: Source) -> dict[str, str]:
    """Fetch the pictures of the first de-faced head; of a user's own, only tell where they are."""
    judged = [
        scan for scan, series in series_of(archive, collection.intake) if series.record.verdict is not None
    ]
    if not judged:
        return {}
    # the CT with most slices makes the best picture
    best = max(
        judged,
        key=lambda scan: (scan.xsi_type == "xnat:ctScanData", resource_labels(archive, scan).get("DICOM", 0)),
    )
    files = list_files(archive, f"/data{best.uri}/resources/DEFACE_QC")
    pictures = {Path(name).name: row for name, row in sorted(files.items()) if name.endswith(".png")}
    if source.own:  # a "before" shows a patient's face: it stays in the intake project
        return {name: row["URI"] for name, row in pictures.items()}
    folder = places.root / "pictures"
    folder.mkdir(exist_ok=True)
    for name, row in pictures.items():
        get_file(archive, row["URI"], folder / name, digest=row.get("digest", ""))
    return {name: str(folder / name) for name in pictures}


def _search(places: Places, source: Source, advance: Step) -> None:
    found = survey(places.searched, source.planted)
    summary = json.loads(places.summary.read_text())
    summary["search"] = {
        "planted": len(source.planted),
        "found": len(found.findings),
        "files": found.files,
        "mebibytes": round(found.bytes / 2**20),
        "too_short": source.too_short,
    }
    record = places.site / "intake" / "destruction-record.json"
    summary["destruction_record"] = str(record.relative_to(places.root))
    write_json(places.summary, summary)
    if found.findings:
        raise Refused(
            "identifiers-left",
            f"{len(found.findings)} places still hold an original identifier.",
            remedy="Do not use this collection; `lethe intake verify` lists the places.",
        )
    if found.unread:
        raise Refused(
            "not-searched",
            f"{len(found.unread)} files could not be searched, so nothing is promised.",
            remedy="Look at their permissions, then run again.",
        )
    summary["stage"] = "sealed"
    summary["finished"] = datetime.now(UTC).date().isoformat()
    write_json(places.summary, summary)
    advance(1, 1)
