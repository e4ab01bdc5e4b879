"""Many launches: each launched once, followed to the end, and why some failed.

Nothing of the state is kept on this side. What is done is read from the resources, what runs from the
Container Service and the workflows, so that a stopped program goes on where it was, from any machine.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lethe.errors import Refused, Unavailable
from lethe.xnat import runs, targets
from lethe.xnat.client import Archive
from lethe.xnat.plan import Plan, is_about
from lethe.xnat.runs import Job
from lethe.xnat.targets import Scope

UNASSIGNED = "To be assigned"
"""What XNAT answers instead of a workflow id when it has not made the workflow yet."""
_POLL_S = 0.5
_POLL_MOST_S = 5.0
_CHUNK = 25  # launches between two looks at what runs
_ASKED = 50  # workflows read in one poll of those that the Container Service does not list (yet, any more)
_UNSEEN_S = 180.0  # a launch without workflow id that shows nowhere for so long has been lost
_PATIENCE_S = 300.0  # an archive that is started again answers within this time
_NUMBERS = re.compile(r"\d+")
_CODE = re.compile(r"\[[a-z0-9-]+\]$")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: `reason` says in one line why it failed; `container` is the run's number."""

    job: Job
    status: str
    reason: str = ""
    container: str = ""

    @property
    def complete(self) -> bool:
        """True when the run succeeded and its outputs were stored."""
        return self.status == "Complete"


@dataclass(frozen=True, slots=True)
class Tally:
    """Where a bulk launch stands; `left_s` is the expected time left in seconds, None while unknown.

    `away` is True while the archive does not answer.
    """

    waiting: int
    queued: int
    running: int
    done: int
    failed: int
    left_s: float | None = None
    away: bool = False

    @property
    def total(self) -> int:
        """All launches."""
        return self.waiting + self.queued + self.running + self.done + self.failed


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that failed for the same reason; `reason` is that of the first."""

    reason: str
    ended: tuple[Ended, ...]


# ---- launch and follow ------------------------------------------------------------------------------------


def launch(archive: Archive, project: str, job: Job, inputs: Mapping[str, str] | None = None) -> str:
    """Queue one run and return its workflow id, empty when it is to be assigned later.

    Raises
    ------
    Refused
        The server could not queue it.
    """
    answer = archive.request(
        "POST",
        f"/xapi/projects/{project}/wrappers/{job.wrapper.wrapper_id}/root/{job.wrapper.root}/launch",
        "launch a command",
        json={job.wrapper.root: job.root_uri, **(inputs or {})},
        ok=(200, 500),
    ).json()
    if answer.get("status") != "success":
        raise Refused("launch", "The archive could not queue the command.", remedy="See the archive's log.")
    number = str(answer["workflow-id"])
    return "" if number == UNASSIGNED else number


@dataclass(slots=True)
class _Flight:
    """A launch that has not ended: numbers are empty until they are known."""

    job: Job
    workflow: str
    since: float
    container: str = ""
    status: str = "Queued"
    asked: float = 0.0


class _Watch:
    """Launches jobs and polls until all have ended."""

    def __init__(
        self,
        archive: Archive,
        project: str,
        jobs: Iterable[Job],
        inputs: Mapping[str, str],
        newest: Mapping[str, int],
        clock: Callable[[], float],
    ) -> None:
        self.archive = archive
        self.project = project
        self.todo = deque(jobs)
        self.inputs = inputs
        self.newest = newest
        self.clock = clock
        self.flights: dict[tuple[int, str], _Flight] = {}
        self.ended: list[Ended] = []
        self.begun = clock()
        self.away = False
        self.unsure: Job | None = None

    def join(self, job: Job, workflow: str) -> None:
        """Follow a run that was launched before."""
        self.flights[job.key] = _Flight(job, workflow, self.clock())

    def launch_some(self) -> None:
        """Launch the next few."""
        for _ in range(min(_CHUNK, len(self.todo))):
            job = self.todo[0]
            try:
                self.join(job, self._launched(job) or launch(self.archive, self.project, job, self.inputs))
            except Unavailable:
                if runs.session_of(job.root_uri) not in self.newest:
                    raise  # it could not be told afterwards whether the archive had taken it
                self.unsure = job
                raise
            except Refused as refusal:
                if refusal.code != "launch":
                    raise
                self.ended.append(Ended(job, "Failed (Queue)", refusal.sentence))
            self.todo.popleft()

    def _launched(self, job: Job) -> str:
        """Return the workflow of a job whose launch was cut off, empty when the archive did not take it."""
        if job != self.unsure:
            return ""
        known = self._newer(job)
        number = known.number if known else runs.running(self.archive, self.project).get(job.key, "")
        self.unsure = None
        return number

    def poll(self) -> bool:
        """Look once at what runs; tell whether something ended. One listing, whatever the number of runs."""
        rows = runs.containers(self.archive, self.project, alive=True)
        by_workflow = {str(row["workflow-id"]): row for row in rows if row.get("workflow-id")}
        by_key = {runs.key_of(row): row for row in rows}
        unseen = []
        for key, flight in self.flights.items():
            row = by_workflow.get(flight.workflow) or by_key.get(key)
            if row is None:
                unseen.append(key)
                continue
            flight.container, flight.status = str(row["id"]), str(row["status"])
            flight.workflow = str(row.get("workflow-id") or flight.workflow)
        unseen.sort(key=lambda key: self.flights[key].asked)
        before = len(self.ended)
        for key in unseen[:_ASKED]:
            self._ask(key)
        return len(self.ended) > before

    def _ask(self, key: tuple[int, str]) -> None:
        """Read the workflow of a run that is not alive: it ended, or it has not begun."""
        flight = self.flights[key]
        flight.asked = self.clock()
        found = self._workflow(flight)
        if found is None:
            if flight.asked - flight.since > _UNSEEN_S:
                text = "The archive accepted the launch but never began a run."
                self._end(key, Ended(flight.job, "Failed (Queue)", text))
            return
        flight.workflow, flight.status = found.number or flight.workflow, found.status
        flight.container = flight.container or found.container
        if not runs.is_terminal(found.status):
            return
        why = ""
        if found.status.startswith(("Failed", "Killed")):
            why = flight.container and runs.reason(self.archive, flight.container, found.status)
            why = why or found.details or f"The archive ended the run as {found.status}."
        self._end(key, Ended(flight.job, found.status, why, flight.container))

    def _workflow(self, flight: _Flight) -> runs.Workflow | None:
        if flight.workflow:
            return runs.workflow(self.archive, flight.workflow)
        return self._newer(flight.job)

    def _newer(self, job: Job) -> runs.Workflow | None:
        """Return the newest workflow of a job that was not there before the bulk launch."""
        session = runs.session_of(job.root_uri)
        since = self.newest.get(session, 0)
        known = runs.workflows_of(self.archive, self.project, session, job.wrapper.name)
        known = [one for one in known if int(one.number) > since and is_about(one, job.root_uri)]
        return known[-1] if known else None

    def _end(self, key: tuple[int, str], ended: Ended) -> None:
        del self.flights[key]
        self.ended.append(ended)

    def tally(self) -> Tally:
        """Return where things stand."""
        queued = sum(flight.status in ("Queued", "_Queued", "") for flight in self.flights.values())
        left = len(self.todo) + len(self.flights)
        elapsed = self.clock() - self.begun
        done = sum(run.complete for run in self.ended)
        return Tally(
            waiting=len(self.todo),
            queued=queued,
            running=len(self.flights) - queued,
            done=done,
            failed=len(self.ended) - done,
            left_s=elapsed / len(self.ended) * left if self.ended else None,
            away=self.away,
        )


def follow(
    archive: Archive,
    project: str,
    jobs: Sequence[Job],
    *,
    running: Mapping[Job, str] | None = None,
    inputs: Mapping[str, str] | None = None,
    newest: Mapping[str, int] | None = None,
    timeout_s: float = 3600.0,
    report: Callable[[Tally], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Ended]:
    """Launch every job, wait for all of them and for `running`, and tell how each ended.

    An archive that does not answer for a while (it is started again) is waited for.

    Parameters
    ----------
    running : mapping of Job to str, optional
        Runs to wait for that were launched before, with their workflow ids.
    inputs : mapping of str to str, optional
        Values for the command's inputs, the same for every launch.
    newest : mapping of str to int, optional
        `Plan.newest`.
    timeout_s : float
        Longest time in seconds without any run ending.
    report : callable, optional
        Called after every look.

    Raises
    ------
    Unavailable
        No run ended for `timeout_s` seconds, or the archive stays away.
    """
    watch = _Watch(archive, project, jobs, inputs or {}, newest or {}, clock)
    for job, number in (running or {}).items():
        watch.join(job, number)
    pause, answered, moved = _POLL_S, clock(), clock()
    while watch.todo or watch.flights:
        try:
            watch.launch_some()
            something = watch.poll()
            watch.away, answered = False, clock()
        except Unavailable:
            if clock() - answered > _PATIENCE_S:
                raise
            watch.away, something = True, False
        if something:
            pause, moved = _POLL_S, clock()
        if report is not None:
            report(watch.tally())
        if (watch.todo and not watch.away) or not (watch.todo or watch.flights):
            continue
        if clock() - moved > timeout_s:
            raise _late(len(watch.flights))
        sleep(pause)
        pause = min(pause * 1.2, _POLL_MOST_S)
    return watch.ended


def _late(count: int) -> Unavailable:
    return Unavailable(
        "run-timeout",
        f"{count} runs have not ended in time.",
        remedy="Look at the runs of the project; start again to wait for them.",
    )


def run_plan(
    archive: Archive,
    chosen: Plan,
    *,
    inputs: Mapping[str, str] | None = None,
    timeout_s: float = 3600.0,
    report: Callable[[Tally], None] | None = None,
) -> list[Ended]:
    """Carry out a plan and tell how each run ended, those that were running before included."""
    return follow(
        archive,
        chosen.project,
        [Job(chosen.wrapper, target.uri) for target in chosen.waiting],
        running={Job(chosen.wrapper, uri): number for uri, number in chosen.running.items()},
        inputs=inputs,
        newest=chosen.newest,
        timeout_s=timeout_s,
        report=report,
    )


def confirm(archive: Archive, scope: Scope, ended: Sequence[Ended]) -> list[Ended]:
    """Look whether what was said to be complete has its results; one that has not becomes a failure.

    XNAT may call a run complete although a required output could not be stored.
    """
    if not any(run.complete for run in ended):
        return list(ended)
    wrapper = replace(ended[0].job.wrapper, matcher="")
    labels = {target.uri: target.labels for target in targets.targets(archive, wrapper, scope)}
    checked = []
    for run in ended:
        missing = set(wrapper.results) - labels.get(runs.flat(run.job.root_uri), frozenset())
        if run.complete and missing:
            text = f"The run ended well, but the archive holds no {', '.join(sorted(missing))}."
            run = replace(run, status="Failed (Upload)", reason=text)
        checked.append(run)
    return checked


def by_reason(ended: Iterable[Ended]) -> list[Group]:
    """Return the failed runs grouped by reason, the most frequent first.

    Runs belong together when their reasons end with the same code in brackets, or differ in numbers only.
    """
    groups: dict[str, list[Ended]] = {}
    for run in ended:
        if not run.complete:
            code = _CODE.search(run.reason)
            groups.setdefault(code.group() if code else _NUMBERS.sub("#", run.reason), []).append(run)
    found = [Group(members[0].reason, tuple(members)) for members in groups.values()]
    return sorted(found, key=lambda group: -len(group.ended))


def run_all(
    archive: Archive,
    project: str,
    jobs: Sequence[Job],
    *,
    inputs: Mapping[str, str] | None = None,
    timeout_s: float = 3600.0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Ended]:
    """Launch every job, wait for all, and tell how each ended, in the order of `jobs`.

    A job that already runs (queued before this program was stopped) is waited for, not launched again.

    Raises
    ------
    Unavailable
        No run ended for `timeout_s` seconds.
    """
    present = runs.running(archive, project) if jobs else {}
    before = {job: present[job.key] for job in jobs if job.key in present}

    def report(tally: Tally) -> None:
        if progress is not None:
            progress(tally.done + tally.failed, len(jobs))

    new = [job for job in dict.fromkeys(jobs) if job not in before]
    ended = follow(archive, project, new, running=before, inputs=inputs, timeout_s=timeout_s, report=report)
    found = {run.job: run for run in ended}
    return [found[job] for job in jobs]
