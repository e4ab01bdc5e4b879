"""What happens at the archive: collection, commands, publication. Every step may be repeated."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from lethe.clinical import Dictionary
from lethe.clinical.linked import check_linked
from lethe.errors import Refused, Unavailable
from lethe.governance.collection import Collection
from lethe.governance.definition import parse
from lethe.release.publication import PlannedSeries
from lethe.xnat import collections, commands, intake_table, records, release, resources
from lethe.xnat.client import Archive
from lethe.xnat.intake import Scan, resource_labels, scans, series_of
from lethe.xnat.verdicts import record_results

Progress = Callable[[int, int], None]
_DEFINITIONS = Path(__file__).resolve().parents[2] / "xnat-containers"
# a run that refuses an image says so with a code in brackets; anything else is a technical failure
_NAMED = re.compile(r"\[[a-z0-9-]+\]$")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the closing table."""

    patient: str
    session: str
    series: str
    kind: str
    lane: str
    nifti: str
    verdict: str
    clinical_row: str
    published: str
    reason: str


def make_collection(archive: Archive, file: Path) -> None:
    """Apply the demo's collection file; a second time changes nothing."""
    who = records.caller(archive)
    planned = collections.make_plan(archive, parse(file.read_text("utf-8"), file.name), who)
    collections.apply_plan(archive, planned, who, why="set-up of the demo")


def register_commands(archive: Archive) -> dict[str, commands.Wrapper]:
    """Register every command of ``xnat-containers``; the collection file says where they may run."""
    wrappers: dict[str, commands.Wrapper] = {}
    for file in sorted(_DEFINITIONS.glob("*/command.json")):
        for wrapper in commands.register(archive, json.loads(file.read_text())):
            wrappers[wrapper.name] = wrapper
    return wrappers


def archived_objects(archive: Archive, collection: Collection) -> int:
    """Count the objects of all DICOM resources of the intake project."""
    return sum(resource_labels(archive, scan).get("DICOM", 0) for scan in scans(archive, collection.intake))


def upload_table(archive: Archive, collection: Collection, table: Path, key: Path) -> None:
    """Put the linked table and the noise key into the intake project."""
    intake_table.upload(archive, collection, (table, key), check_linked(table, Dictionary.load()))


def _run(
    archive: Archive,
    collection: Collection,
    wrapper: commands.Wrapper,
    chosen: list[Scan],
    progress: Progress,
) -> None:
    jobs = [commands.Job(wrapper, f"/archive{scan.uri}") for scan in chosen]
    ended = commands.run_all(archive, collection.intake, jobs, progress=progress)
    broken = [run for run in ended if not run.complete and not _NAMED.search(run.reason)]
    if broken:
        raise Unavailable(
            "runs-broken",
            f"{len(broken)} of {len(ended)} runs of {wrapper.name} broke: {broken[0].status}.",
            remedy="Run again; their logs stand on the page of the intake project.",
        )


def convert(
    archive: Archive, collection: Collection, wrappers: dict[str, commands.Wrapper], progress: Progress
) -> None:
    """Launch ``dicom-to-nifti`` for every scan that has no conversion report."""
    chosen = [
        scan
        for scan in scans(archive, collection.intake)
        if "CONVERSION" not in resource_labels(archive, scan)
    ]
    _run(archive, collection, wrappers["dicom-to-nifti-scan"], chosen, progress)


def deface(
    archive: Archive, collection: Collection, wrappers: dict[str, commands.Wrapper], progress: Progress
) -> None:
    """Launch ``deface`` for every converted scan of the de-face lane that has no verdict yet."""
    chosen = [
        scan
        for scan, series in series_of(archive, collection.intake)
        if series.record.lane == "deface" and series.record.converted and series.record.verdict is None
    ]
    _run(archive, collection, wrappers["deface-scan"], chosen, progress)
    record_results(archive, collection.intake)


def clean(
    archive: Archive, collection: Collection, wrappers: dict[str, commands.Wrapper], progress: Progress
) -> None:
    """Launch ``clean-header`` for every scan that stays DICOM."""
    chosen = [
        scan
        for scan, series in series_of(archive, collection.intake)
        if series.record.lane == "header-only" and not series.record.cleaned
    ]
    _run(archive, collection, wrappers["clean-header-scan"], chosen, progress)


def scramble(
    archive: Archive, collection: Collection, wrappers: dict[str, commands.Wrapper], progress: Progress
) -> None:
    """Launch ``scramble-clinical`` unless the scrambled table is there.

    Raises
    ------
    Refused
        The run failed; its reason is told.
    """
    if resources.list_files(archive, f"/data/projects/{collection.intake}/resources/CLINICAL"):
        progress(1, 1)
        return
    job = commands.Job(wrappers["scramble-clinical-project"], f"/archive/projects/{collection.intake}")
    (ended,) = commands.run_all(archive, collection.intake, [job], progress=progress)
    if not ended.complete:
        raise Refused("scramble", f"Scrambling the table ended as {ended.status}: {ended.reason}.")


def publish_passed(archive: Archive, collection: Collection, progress: Progress) -> list[Row]:
    """Publish what passed every gate and return the closing table."""
    plan = release.make_release(archive, collection)
    release.carry_out(archive, plan, records.caller(archive), why="the demo", progress=progress)
    progress(1, 1)  # also where an earlier run had published everything
    failures = _failures(archive, collection)
    return [
        _row(one.scan, one.planned, one.scan.prid in plan.centres, failures.get(one.scan.uri, ""))
        for session in plan.sessions
        for one in session.series
    ]


def backends(archive: Archive, collection: Collection) -> dict[str, int]:
    """Return how many runs went through Docker and how many as processes."""
    runs = commands.containers(archive, collection.intake)
    return dict(sorted(Counter(str(row.get("lethe-backend", "docker")) for row in runs).items()))


def _failures(archive: Archive, collection: Collection) -> dict[str, str]:
    """Return scan URI -> why its last failed run failed."""
    reasons = {}
    for row in commands.containers(archive, collection.intake):
        uri = commands.root_value(row).removeprefix("/archive")
        if str(row["status"]).startswith(("Failed", "Killed")):
            reasons[uri] = commands.failure_reason(archive, collection.intake, str(row["workflow-id"]))
    return reasons


def _row(scan: Scan, planned: PlannedSeries, clinical_row: bool, failure: str) -> Row:
    record = planned.series.record
    return Row(
        patient=scan.prid,
        session=scan.session,
        series=scan.number,
        kind=record.modality or scan.xsi_type.removeprefix("xnat:").removesuffix("ScanData").upper(),
        lane=record.lane or "-",
        nifti="yes" if record.converted else "no",
        verdict=record.verdict or "-",
        clinical_row="yes" if clinical_row else "no",
        published=", ".join(planned.resources) or "no",
        reason=failure if failure and not planned.published else planned.reason,
    )


def rows_as_json(rows: list[Row]) -> list[dict[str, str]]:
    """Return the closing table as plain dictionaries."""
    return [asdict(row) for row in rows]
