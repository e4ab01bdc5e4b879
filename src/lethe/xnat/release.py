"""A release: what would be published of a collection and what is held by which gate, and then doing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lethe.errors import Refused
from lethe.governance.collection import Collection
from lethe.governance.gates import Gate
from lethe.release.publication import PlannedSeries, plan_publication
from lethe.xnat import clinical, projects, publish, terms
from lethe.xnat.client import Archive
from lethe.xnat.intake import Scan, series_of
from lethe.xnat.records import Caller, Clock, utc_now
from lethe.xnat.trail import Trail

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Series:
    """One scan with the decision about it and the number of files that are still to be sent."""

    scan: Scan
    planned: PlannedSeries
    files: int


@dataclass(frozen=True, slots=True)
class Session:
    """The series of one session.

    Attributes
    ----------
    series : tuple of Series
    out : bool
        The collection holds this session already.
    """

    series: tuple[Series, ...]
    out: bool

    @property
    def scan(self) -> Scan:
        """A scan of it, for patient and label."""
        return self.series[0].scan

    @property
    def files(self) -> int:
        """Number of files to be sent."""
        return sum(one.files for one in self.series)

    @property
    def state(self) -> str:
        """One of ``to publish``, ``published``, ``held``."""
        if not any(one.planned.published for one in self.series):
            return "held"
        return "to publish" if self.files else "published"

    @property
    def held(self) -> list[PlannedSeries]:
        """The series that stay, those that hold others before those that are held by them."""
        found = [one.planned for one in self.series if not one.planned.published]
        return sorted(found, key=lambda one: one.gate is Gate.SESSION)


@dataclass(frozen=True, slots=True)
class Table:
    """The released clinical table: ``to publish``, ``published``, ``held`` or ``left out``, and why."""

    state: str
    files: int = 0
    reason: str = ""
    gate: Gate | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """The plan of a release.

    Attributes
    ----------
    collection : Collection
    sessions : tuple of Session
        By patient and label.
    table : Table
    rows : mapping of PRID to mapping of variable to text
        Released rows of the patients of whom something goes out, or went out before.
    centres : mapping of PRID to code
        Of all patients of the released table.
    values : int
        Number of values that are still to be written to subjects.
    """

    collection: Collection
    sessions: tuple[Session, ...]
    table: Table
    rows: Mapping[str, Mapping[str, str]]
    centres: Mapping[str, str]
    values: int

    @property
    def differs(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.values or self.table.files or any(one.files for one in self.sessions))

    def counts(self) -> dict[str, int]:
        """Return the numbers of sessions by state, of held series, and of what is to be written."""
        states = [one.state for one in self.sessions]
        return {
            "sessions": len(states),
            "to publish": states.count("to publish"),
            "published": states.count("published"),
            "held": states.count("held"),
            "held series": sum(len(one.held) for one in self.sessions),
            "files": sum(one.files for one in self.sessions) + self.table.files,
            "values": self.values,
        }


def make_release(
    archive: Archive,
    collection: Collection,
    *,
    sessions: Sequence[str] = (),
    progress: Progress | None = None,
    clock: Clock = utc_now,
) -> Release:
    """Ask every gate, compare with what the collection holds, and write nothing.

    Parameters
    ----------
    sessions : sequence of str
        Labels of the sessions to publish; all, and the clinical table, by default.
    progress : callable, optional
        Told how many scans were looked at, and how many there are.

    Raises
    ------
    Refused
        A project, the governance records, the released table or one of `sessions` is not there.
    """
    _projects_there(archive, collection)
    released = clinical.released_rows(archive, collection.intake)
    centres = {prid: row.get(clinical.CENTRE, "") for prid, row in released.items()}
    found = series_of(archive, collection.intake, sessions=set(sessions) or None, progress=_first(progress))
    unknown = sorted(set(sessions) - {scan.session for scan, _ in found})
    if unknown:
        raise Refused(
            "session-unknown",
            f"{collection.intake} holds no session {unknown[0]} with scans.",
            remedy="Name sessions by their label.",
        )
    closed = terms.closed_patients(archive, collection, centres, clock=clock)
    planned = plan_publication([series for _, series in found], frozenset(released), closed)
    grouped = _grouped(archive, collection, [scan for scan, _ in found], planned, _second(progress))
    going = {one.scan.prid for one in grouped if one.state != "held"}
    rows = {prid: released[prid] for prid in sorted(going)}
    table = Table("left out", reason="only some sessions were named")
    if not sessions:
        table = _table(archive, collection, closed)
    values = clinical.count_changes(archive, collection.name, rows)
    return Release(collection, grouped, table, rows, centres, values)


def carry_out(
    archive: Archive,
    release: Release,
    who: Caller,
    *,
    why: str,
    progress: Progress | None = None,
) -> int:
    """Publish what a plan says may go; a release that differs in nothing leaves no record.

    A run that was cut can be repeated: what is there already is found there.

    Parameters
    ----------
    why : str
        Goes into the audit trail, before anything is written.

    Returns
    -------
    int
        Number of files sent.

    Raises
    ------
    Refused
        The caller is not an owner of both projects, or an agreement ended since the plan was made.
    """
    if not release.differs:
        return 0
    collection = release.collection
    _may_publish(archive, collection, who)
    Trail(archive, collection, who).append(deed(release), why)
    types = {
        row["ID"]: row["xsiType"]
        for row in archive.rows(f"/data/projects/{collection.intake}/experiments", "list sessions")
    }
    pairs = [(one.scan, one.planned) for each in release.sessions for one in each.series if one.files]
    sent = publish.publish(
        archive, collection, pairs, session_types=types, centres=release.centres, progress=progress
    )
    if release.table.files:
        sent += publish.publish_clinical(archive, collection, centres=release.centres)
    clinical.put_rows(archive, collection.name, release.rows)
    return sent


def deed(release: Release) -> dict[str, Any]:
    """Return what the audit trail says of a release."""
    counts = release.counts()
    going = [one.scan.session for one in release.sessions if one.files]
    sentence = (
        f"release of {len(going)} sessions ({counts['files']} files), {counts['held']} sessions held, "
        f"clinical table {release.table.state}"
    )
    return {"deed": "release", "sentence": sentence, "sessions": going}


def _projects_there(archive: Archive, collection: Collection) -> None:
    for project in (collection.intake, collection.name):
        if not archive.exists(f"/data/projects/{project}", "look for the project"):
            raise Refused(
                "no-collection",
                f"{project} is not there, or you may not see it.",
                remedy="Check the name and your roles.",
            )


def _may_publish(archive: Archive, collection: Collection, who: Caller) -> None:
    if who.administrator:
        return
    for project in (collection.intake, collection.name):
        if projects.roles(archive, project).get(who.login) != "owner":
            raise Refused(
                "publish-right",
                f"You are not an owner of {project}, so you cannot release from or into it.",
                remedy="Let an owner of both projects publish.",
            )


def _first(progress: Progress | None) -> Progress | None:
    """Looking at a scan is the first half of the work on it, comparing the second."""
    return None if progress is None else lambda done, total: progress(done, 2 * total)


def _second(progress: Progress | None) -> Progress:
    return lambda done, total: None if progress is None else progress(total + done, 2 * total)


def _grouped(
    archive: Archive,
    collection: Collection,
    scans: Sequence[Scan],
    planned: Sequence[PlannedSeries],
    progress: Progress,
) -> tuple[Session, ...]:
    rows = archive.rows(
        f"/data/projects/{collection.name}/experiments", "list sessions", columns="ID,label,subject_label"
    )
    out = {row["label"] for row in rows}
    by_key = {(scan.session, scan.number): scan for scan in scans}
    sessions: dict[tuple[str, str], list[Series]] = {}
    for number, one in enumerate(planned, start=1):
        scan = by_key[one.series.session, one.series.scan]
        series = _compared(archive, collection, scan, one, scan.session in out)
        sessions.setdefault((scan.prid, scan.session), []).append(series)
        progress(number, len(planned))
    return tuple(Session(tuple(series), label in out) for (_, label), series in sessions.items())


def _compared(
    archive: Archive, collection: Collection, scan: Scan, planned: PlannedSeries, out: bool
) -> Series:
    missing = 0
    for source, target, names in publish.copies(scan, planned, collection.name):
        more, other = publish.compare_resource(archive, source, target if out else None, names)
        missing += more
        if other:
            reason = f"the collection holds {other} of its files with other bytes"
            return Series(scan, replace(planned, resources=(), reason=reason, gate=Gate.STORED), 0)
    return Series(scan, planned, missing)


def _table(archive: Archive, collection: Collection, closed: Mapping[str, str]) -> Table:
    if closed:
        reason = f"{len(closed)} of its rows may not be published: {closed[min(closed)]}"
        return Table("held", reason=reason, gate=Gate.TERMS)
    missing, other = publish.compare_resource(archive, *publish.clinical_places(collection))
    if other:
        return Table("held", reason="the collection holds another release of it", gate=Gate.STORED)
    return Table("to publish" if missing else "published", missing)
