"""Which events there are, with their statuses and the kind of object that a command is launched on."""

from __future__ import annotations

from dataclasses import dataclass

PACKAGE = "org.nrg.xnat.eventservice.events."
PROVIDER = "org.nrg.containers.services.CommandActionProvider"


@dataclass(frozen=True, slots=True)
class EventKind:
    """One type of event: short name, statuses, type of the root input that fits its object."""

    name: str
    display: str
    statuses: tuple[str, ...]
    root: str

    @property
    def type(self) -> str:
        """The full name on the wire."""
        return PACKAGE + self.name


KINDS: dict[str, EventKind] = {
    kind.name: kind
    for kind in (
        EventKind("ProjectEvent", "Project", ("CREATED", "DELETED"), "Project"),
        EventKind("SubjectEvent", "Subject", ("CREATED", "DELETED"), "Subject"),
        EventKind("SubjectAssessorEvent", "Subject assessor", ("CREATED", "DELETED"), "SubjectAssessor"),
        EventKind("SessionEvent", "Session", ("CREATED", "MERGED", "DELETED"), "Session"),
        EventKind("ImageAssessorEvent", "Image assessor", ("CREATED", "UPDATED"), "Assessor"),
        EventKind("ScanEvent", "Scan", ("CREATED",), "Scan"),
        EventKind("ResourceEvent", "Resource", ("CREATED", "UPDATED"), "Resource"),
    )
}


def kind_of(event_type: str) -> EventKind | None:
    """Return the kind for a full or short type name."""
    return KINDS.get(event_type.removeprefix(PACKAGE))


def wrapper_of(action_key: str) -> int | None:
    """Return the wrapper id of an action key (``org.nrg...CommandActionProvider:5``)."""
    provider, _, number = action_key.rpartition(":")
    return int(number) if provider == PROVIDER and number.isdecimal() and len(number) < 15 else None
