"""What goes from the intake project to the collection project, as a plan that can be printed first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from lethe.governance.gates import Decision, Gate, SeriesRecord, session_gate


@dataclass(frozen=True, slots=True)
class IntakeSeries:
    """One scan of the intake project with its record."""

    prid: str
    session: str
    scan: str
    scan_type: str
    record: SeriesRecord


@dataclass(frozen=True, slots=True)
class PlannedSeries:
    """One scan with the resources that may be published (none when held), the reason, the gate that holds."""

    series: IntakeSeries
    resources: tuple[str, ...]
    reason: str
    gate: Gate | None = None

    @property
    def published(self) -> bool:
        """True when at least one resource goes out."""
        return bool(self.resources)


def plan_publication(
    series: Iterable[IntakeSeries],
    clinical_prids: frozenset[str],
    closed: Mapping[str, str] = MappingProxyType({}),
) -> list[PlannedSeries]:
    """Apply the gates session by session.

    Parameters
    ----------
    series : iterable of IntakeSeries
        Every scan of the intake project.
    clinical_prids : frozenset of str
        Patients with a row in the released clinical table.
    closed : mapping of str to str
        PRID -> why nothing of this patient may be published, whatever the gates say: no agreement, no ethics.

    Returns
    -------
    list of PlannedSeries
        Sorted by PRID, session and scan.
    """
    sessions: dict[tuple[str, str], list[IntakeSeries]] = {}
    for one in series:
        sessions.setdefault((one.prid, one.session), []).append(one)
    plan: list[PlannedSeries] = []
    for prid, session in sorted(sessions):
        members = sorted(sessions[prid, session], key=lambda one: one.scan)
        decisions = session_gate([one.record for one in members], clinical_row=prid in clinical_prids)
        if prid in closed:
            decisions = [Decision((), closed[prid], gate=Gate.TERMS) for _ in members]
        plan += [
            PlannedSeries(one, decision.resources, decision.reason, decision.gate)
            for one, decision in zip(members, decisions, strict=True)
        ]
    return plan


def verdict_of_files(reports: Sequence[Mapping[str, object]]) -> str | None:
    """Return the worst de-face verdict of the images of one scan, None when there is no report."""
    order = ("fail", "review", "no-face", "pass")
    verdicts = [str(report.get("verdict")) for report in reports]
    if not verdicts:
        return None
    known = [verdict for verdict in verdicts if verdict in order]
    return min(known, key=order.index) if len(known) == len(verdicts) else "fail"
