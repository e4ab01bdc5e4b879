"""How far the patients of a collection have come: from received to published.

The dashboard has the same function (``plugin/dashboard/src/lib/funnel.ts``) with the same test vectors.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

Row = Mapping[str, str]
STAGES = ("received", "converted", "defaced", "reviewed", "clinical", "published")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the lists of an archive say of a collection.

    Attributes
    ----------
    sessions : sequence of rows
        ``id`` and ``subject`` (the label) of the image sessions.
    verdicts : sequence of rows
        ``session``, ``scan``, ``verdict`` and ``at`` (when it was stored) of the de-facing QC.
    records : sequence of rows
        ``subject``, ``mrs_3m`` and ``lost_followup`` of the stroke records.
    converted : collection of str
        Ids of the sessions of which a run made NIfTI images.
    defaced : collection of str
        Ids of the sessions of which a run made de-faced images.
    published : collection of str
        Labels of the subjects in the released collection.
    """

    sessions: Sequence[Row]
    verdicts: Sequence[Row] = ()
    records: Sequence[Row] = ()
    converted: Collection[str] = ()
    defaced: Collection[str] = ()
    published: Collection[str] = ()


def newest_verdicts(verdicts: Iterable[Row]) -> list[Row]:
    """Return the newest verdict of each scan."""
    newest: dict[tuple[str, str], Row] = {}
    for row in verdicts:
        key = row["session"], row["scan"]
        if key not in newest or newest[key]["at"] <= row["at"]:
            newest[key] = row
    return list(newest.values())


def clinically_complete(records: Iterable[Row]) -> set[str]:
    """Return the subjects whose record has the outcome at three months, or says that it cannot be had."""
    return {row["subject"] for row in records if row["mrs_3m"] or row["lost_followup"] == "yes"}


def funnel(facts: Facts) -> dict[str, list[str]]:
    """Return the labels of the subjects that reached each stage, in order.

    A stage is reached with all sessions of a subject and needs all stages before it; ``published`` is told by
    the released collection alone.
    """
    verdicts = newest_verdicts(facts.verdicts)
    judged = {row["session"] for row in verdicts}
    held = {row["session"] for row in verdicts if row["verdict"] != "pass"}
    complete = clinically_complete(facts.records)
    sessions: dict[str, set[str]] = {}
    for row in facts.sessions:
        sessions.setdefault(row["subject"], set()).add(row["id"])

    received = sorted(sessions)
    faceless = judged | set(facts.defaced)
    ready = faceless | set(facts.converted)
    converted = [one for one in received if sessions[one] <= ready]
    defaced = [one for one in converted if sessions[one] <= faceless]
    reviewed = [one for one in defaced if sessions[one] <= judged - held]
    return {
        "received": received,
        "converted": converted,
        "defaced": defaced,
        "reviewed": reviewed,
        "clinical": [one for one in reviewed if one in complete],
        "published": [one for one in received if one in set(facts.published)],
    }
