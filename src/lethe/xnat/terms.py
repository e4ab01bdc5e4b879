"""The gates of agreement and ethics approval, asked before data move (M-55, M-66, M-67, A-75)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lethe.errors import Refused
from lethe.governance.collection import Collection
from lethe.governance.state import Entry, State, of_kind, terms
from lethe.governance.terms import Use
from lethe.xnat import records
from lethe.xnat.client import Archive
from lethe.xnat.records import Clock, caller, utc_now


def require_contribution(archive: Archive, project: str, *, centre: str = "", clock: Clock = utc_now) -> None:
    """Refuse unless a centre may send data into an intake project today.

    Parameters
    ----------
    project : str
        Id of the intake project.
    centre : str
        Code of the sending centre; may be left out where only one is on record.

    Raises
    ------
    Refused
        No intake project, no governance records, or agreement or ethics approval missing, not in force or
        not for contributing.
    """
    collection = Collection.of_intake(project)
    found = records.required(archive, collection)
    terms(found, _sender(found, centre)).check(caller(archive, clock).today, Use.CONTRIBUTE)


def _sender(found: State, centre: str) -> str:
    known = sorted(of_kind(found, "centre"))
    if not centre and len(known) > 1:
        raise Refused(
            "centre-needed",
            "Several centres send into this collection.",
            remedy=f"Say which one sends: {', '.join(known)}.",
        )
    return centre or (known[0] if known else "")


def closed_patients(
    archive: Archive, collection: Collection, centres: Mapping[str, str], *, clock: Clock = utc_now
) -> dict[str, str]:
    """Return PRID -> why nothing of this patient may be published today.

    Parameters
    ----------
    centres : mapping of PRID to code
        The contributing centre of each patient; empty where it is not known.

    Raises
    ------
    Refused
        There are no governance records: nothing at all may be published.
    """
    found = records.required(archive, collection)
    today = caller(archive, clock).today
    policy = found.get(Entry("lookup"))
    if isinstance(policy, Mapping) and policy.get("mode") == "pseudonymous":
        return dict.fromkeys(centres, "the data are pseudonymous: promotion comes first [pseudonymous]")
    known = sorted(of_kind(found, "centre"))
    reasons: dict[str, str] = {}
    for centre in set(centres.values()):
        code = centre or (known[0] if len(known) == 1 else "")
        if not code:
            reasons[centre] = "the patient's centre is not known, so no agreement covers it"
            continue
        try:
            terms(found, code).check(today, Use.PUBLISH)
        except Refused as refused:
            reasons[centre] = f"{refused.sentence.rstrip('.')} [{refused.code}]"
    return {prid: reasons[centre] for prid, centre in centres.items() if centre in reasons}


def require_publication(
    archive: Archive,
    collection: Collection,
    prids: Iterable[str],
    centres: Mapping[str, str],
    *,
    clock: Clock = utc_now,
) -> None:
    """Refuse unless every patient of `prids` may be published today.

    Raises
    ------
    Refused
        One may not; the first reason is told, and how many patients it holds.
    """
    wanted = {prid: centres.get(prid, "") for prid in prids}
    closed = closed_patients(archive, collection, wanted, clock=clock)
    if closed:
        reason = closed[min(closed)]
        raise Refused(
            "publication-terms",
            f"{len(closed)} of {len(wanted)} patients may not be published: {reason}.",
            remedy="Record the renewal (lethe collection apply), or leave these patients out.",
        )
