"""A collection as a set of facts: what a file wants and what an archive holds have the same form.

A state maps entries to values. The value of an entry is a word, or a mapping of plain values (as JSON has
them), so that two states are compared entry by entry and every difference is one fact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from lethe.errors import Refused
from lethe.governance.terms import Terms, Use, terms_of

COLLECTION, INTAKE = "collection", "intake"
PLACES = (INTAKE, COLLECTION)

# what no XNAT has a place for is kept as one document of governance records
RECORDS = ("demand", "centre", "agreement", "ethics", "person", "profile", "deviation", "lookup")


class Entry(NamedTuple):
    """One fact of a collection: its kind, the project it belongs to (or none), its name (or none)."""

    kind: str
    place: str = ""
    name: str = ""


Value = str | Mapping[str, Any]
State = Mapping[Entry, Value]


def of_kind(state: State, kind: str, place: str = "") -> dict[str, Any]:
    """Return name -> value of all entries of a kind (and place)."""
    return {
        entry.name: value for entry, value in state.items() if entry.kind == kind and entry.place == place
    }


def terms(state: State, centre: str) -> Terms:
    """Return what is signed by a centre; a centre that is not on record has signed nothing."""
    records: list[Any] = [state.get(Entry(kind, "", centre)) for kind in ("agreement", "ethics")]
    return terms_of(centre, *records)


def demands_agreement(state: State) -> bool:
    """Tell whether a role needs an agreement; where nothing is written down, it does."""
    demand = state.get(Entry("demand"))
    return not isinstance(demand, Mapping) or demand.get("agreement") is not False


def centre_of(state: State, login: str) -> str:
    """Return the centre of a person, empty when none is on record."""
    person = state.get(Entry("person", "", login))
    return str(person.get("centre", "")) if isinstance(person, Mapping) else ""


def without_terms(state: State, day: date) -> Iterator[tuple[str, str]]:
    """Yield (login, centre) of everybody who holds a role that no agreement covers on `day`."""
    if not demands_agreement(state):
        return
    for login in sorted({entry.name for entry in state if entry.kind == "role"}):
        centre = centre_of(state, login)
        try:
            terms(state, centre).check(day, Use.ACCESS)
        except Refused:
            yield login, centre
