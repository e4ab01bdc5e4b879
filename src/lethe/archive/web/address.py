"""Addresses in the tree of items: cut into steps, then resolved with the rights of the sender."""

from __future__ import annotations

from dataclasses import dataclass, field

from lethe.archive import access, items
from lethe.archive.model import EXPERIMENT, Item
from lethe.archive.problem import Problem, not_found
from lethe.archive.uris import PARTS
from lethe.archive.web.request import Call
from lethe.governance.roles import Right

NOUN = {"projects": "project", "subjects": "subject", "experiments": "experiment", "scans": "scan",
        "assessors": "experiment", "reconstructions": "reconstruction"}  # fmt: skip


@dataclass(slots=True)
class Address:
    """``/projects/P/subjects/S/experiments/E/scans/1/resources/R``.

    `steps` are pairs of collection and name (the name is empty when the collection itself is meant),
    `tail` is what follows the last item (``resources``, ``files``, ``projects``, ...).
    """

    steps: list[tuple[str, str]] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)

    @property
    def listing(self) -> str:
        """Return the collection that is meant as a whole, or the empty text."""
        return self.steps[-1][0] if self.steps and not self.steps[-1][1] else ""

    @property
    def last(self) -> tuple[str, str]:
        """Return the last pair."""
        return self.steps[-1]

    def name(self, collection: str) -> str | None:
        """Return the name given for a collection, None if the address does not pass through it."""
        return next((name for step, name in self.steps if step == collection), None)


_BELOW = {
    "": ("projects", "subjects", "experiments"),
    "projects": ("subjects", "experiments"),
    "subjects": ("experiments",),
    "experiments": ("scans", "assessors", "reconstructions"),
}


def parse(words: list[str]) -> Address:
    """Cut the words after ``/data`` into an address.

    Raises
    ------
    Problem
        404 if they do not begin with a collection of items.
    """
    address = Address()
    at = ""
    rest = words
    while rest and rest[0] in _BELOW.get(at, ()):
        at = rest[0]
        address.steps.append((at, rest[1] if len(rest) > 1 else ""))
        rest = rest[2:]
    if not address.steps:
        raise Problem(404, "There is nothing at this address.")
    address.tail = rest
    return address


@dataclass(frozen=True, slots=True)
class Place:
    """A resolved address: the project it went through (if any) and each item on the way."""

    project: Item | None
    items: tuple[Item, ...]

    @property
    def item(self) -> Item:
        """Return the last item."""
        return self.items[-1]

    @property
    def scope(self) -> str | None:
        """Return the id of the project the address went through."""
        return self.project.id if self.project else None


def resolve(call: Call, steps: list[tuple[str, str]]) -> Place:
    """Find the items of an address, each of which the sender must be allowed to see.

    Raises
    ------
    Problem
        404 for an unknown or unreadable item, 403 for data of a protected project.
    """
    found: list[Item] = []
    project: Item | None = None
    for place, (collection, name) in enumerate(steps):
        item = _step(call, collection, name, project, found)
        if item is None and collection == "subjects" and project is not None:
            item = _beside(call, project, name, steps[place + 1 :])
        if item is None:
            raise _missing(call, project, collection)
        if collection == "projects":
            project = item
            access.require(call.ctx, call.user, item, Right.SEE)
        elif project is None or item.project == project.id or not _reads(call, project):
            access.require(call.ctx, call.user, item, Right.READ)
        found.append(item)
    return Place(project, tuple(found))


def _beside(call: Call, project: Item, name: str, rest: list[tuple[str, str]]) -> Item | None:
    """Return a subject that is not shared into a project on the way to a session of it that is.

    xnatpy writes the address of a shared session with the accession id of its subject.
    """
    subject = items.find_subject(call.ctx, name)
    session = items.find_experiment(call.ctx, rest[0][1], project.id) if subject and rest else None
    same = subject is not None and session is not None and session.parent == subject.pk
    return subject if same else None


def _reads(call: Call, project: Item) -> bool:
    return access.right(call.ctx, call.user, project.id, Right.READ)


def _missing(call: Call, project: Item | None, collection: str) -> Problem:
    """Return 404; 403 where the sender may see the project but not its data, so that absence is no oracle."""
    if project is not None and not _reads(call, project):
        return Problem(403, "The data of this project are protected.")
    return not_found(NOUN[collection])


def _step(call: Call, collection: str, name: str, project: Item | None, above: list[Item]) -> Item | None:
    ctx, scope = call.ctx, project.id if project else None
    match collection:
        case "projects":
            return items.find_project(ctx, name)
        case "subjects":
            return items.find_subject(ctx, name, scope)
        case "experiments":
            item = items.find_experiment(ctx, name, scope)
            if item is not None and above and above[-1].kind == "subject" and item.parent != above[-1].pk:
                return None
            return item
    if above[-1].kind != EXPERIMENT:
        return None
    _, find = PARTS[collection]
    return find(ctx, above[-1], name)


def selected_scans(call: Call, session: Item, selector: str) -> list[Item]:
    """Return the scans a selector means: a comma list of ids, ``ALL`` or ``*``, or scan types."""
    scans = items.children(call.ctx, session, "scan")
    if selector in {"ALL", "*"}:
        return scans
    exact = [scan for scan in scans if scan.id == selector]
    if exact:
        return exact
    wanted = set(selector.split(","))
    return [s for s in scans if s.id in wanted] or [s for s in scans if s.data.get("type") in wanted]
