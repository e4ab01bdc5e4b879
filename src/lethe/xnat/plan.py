"""What a bulk launch has to do: the objects in a scope that a wrapper takes and that lack its results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lethe.xnat import runs, targets
from lethe.xnat.client import Archive
from lethe.xnat.runs import Job
from lethe.xnat.targets import Scope, Target
from lethe.xnat.wrappers import Wrapper


@dataclass(frozen=True, slots=True)
class Plan:
    """What a bulk launch will do.

    Attributes
    ----------
    waiting : tuple of Target
        To be launched.
    running : dict of Target to str
        Launched before and not ended; the value is the workflow id.
    done, failed : tuple of Target
        Left out: the results are there; or, if asked for, the last run failed.
    newest : dict of str to int
        Session id -> newest workflow number of the wrapper, from before the launch.
    """

    wrapper: Wrapper
    project: str
    waiting: tuple[Target, ...] = ()
    running: Mapping[str, str] = field(default_factory=dict)
    done: tuple[Target, ...] = ()
    failed: tuple[Target, ...] = ()
    newest: Mapping[str, int] = field(default_factory=dict)


def plan(
    archive: Archive, wrapper: Wrapper, scope: Scope, *, again: bool = False, skip_failed: bool = False
) -> Plan:
    """Find the objects in `scope` that a wrapper takes and that lack its results.

    Parameters
    ----------
    again : bool
        Launch on all of them, also where the results are there; what runs is still not launched twice.
    skip_failed : bool
        Leave out where the last run failed.

    Raises
    ------
    Refused, Misconfigured
        As :func:`lethe.xnat.targets.targets`.
    """
    # runs first: one that ends while the resources are read is then seen as running or as done, never as new
    rows = runs.containers(archive, scope.project, alive=not skip_failed)
    last = {runs.key_of(row): row for row in sorted(rows, key=lambda row: int(row["id"]))}
    found = targets.targets(archive, wrapper, scope)
    waiting, done, failed = [], [], []
    running: dict[str, str] = {}
    for target in found:
        row = last.get(Job(wrapper, target.uri).key)
        status = str(row["status"]) if row is not None else ""
        if row is not None and not runs.is_terminal(status):
            running[target.uri] = str(row["workflow-id"] or "")
        elif not again and wrapper.results and target.labels.issuperset(wrapper.results):
            done.append(target)
        elif status.startswith(("Failed", "Killed")):
            failed.append(target)
        else:
            waiting.append(target)
    newest = _staged(archive, scope.project, wrapper, waiting, running)
    waiting = [target for target in waiting if target.uri not in running]
    return Plan(wrapper, scope.project, tuple(waiting), running, tuple(done), tuple(failed), newest)


def plan_named(archive: Archive, wrapper: Wrapper, project: str, uris: Sequence[str]) -> Plan:
    """Return the plan for named objects: results do not count, but what runs is not launched twice."""
    alive = runs.running(archive, project)
    jobs = [Job(wrapper, runs.flat(uri)) for uri in dict.fromkeys(uris)]
    running = {job.root_uri: alive[job.key] for job in jobs if job.key in alive}
    waiting = [
        Target(job.root_uri, job.root_uri.removeprefix("/archive/"), runs.session_of(job.root_uri), {})
        for job in jobs
        if job.root_uri not in running
    ]
    newest = _staged(archive, project, wrapper, waiting, running)
    waiting = [target for target in waiting if target.uri not in running]
    return Plan(wrapper, project, tuple(waiting), running, newest=newest)


def _staged(
    archive: Archive, project: str, wrapper: Wrapper, waiting: Iterable[Target], running: dict[str, str]
) -> dict[str, int]:
    """Add to `running` what has a workflow but no container yet; return the newest number per session."""
    by_session: dict[str, list[Target]] = {}
    for target in waiting:
        by_session.setdefault(target.session, []).append(target)
    newest = {}
    for session, members in by_session.items():
        known = runs.workflows_of(archive, project, session, wrapper.name)
        newest[session] = max((int(one.number) for one in known), default=0)
        for one in known:
            for target in members:
                if not runs.is_terminal(one.status) and is_about(one, target.uri):
                    running[target.uri] = one.number
    return newest


def is_about(workflow: runs.Workflow, uri: str) -> bool:
    """Tell whether a workflow of a session is about an object in it (the session itself or one scan)."""
    _, _, scan = uri.partition("/scans/")
    return workflow.scan == scan or not workflow.scan
