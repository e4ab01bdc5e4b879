"""Original identifiers as they are spelled: what CTP can look up, and when two are one patient."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from lethe.errors import Refused


def check_originals(wanted: list[str], known: Iterable[str]) -> None:
    """Refuse identifiers that cannot be looked up, and a patient in two spellings.

    Parameters
    ----------
    wanted : list of str
        Original identifiers as they came.
    known : iterable of str
        Original identifiers that the session already has.

    Raises
    ------
    Refused
        Positions are named from 1, values never.
    """
    bad = [
        position
        for position, name in enumerate(wanted, 1)
        if not name.strip() or "\\" in name or any(unicodedata.category(c) == "Cc" for c in name)
    ]
    if bad:
        raise Refused(
            "patient-id",
            f"{positions(bad)}: the patient identifier is empty or holds a backslash or control character.",
            remedy="Correct these entries at their source.",
        )
    spelling = {_plain(name): name for name in known}
    doubled = [i for i, name in enumerate(wanted, 1) if spelling.setdefault(_plain(name), name) != name]
    if doubled:
        raise Refused(
            "patient-duplicate",
            f"{positions(doubled)}: the patient is already there, spelled with other case or blanks.",
            remedy="Use one spelling in images and table.",
        )


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def positions(numbers: list[int]) -> str:
    """Return ``Entry 3`` or ``Entries 3, 5``, ten at most."""
    shown = ", ".join(map(str, numbers[:10]))
    more = f" and {len(numbers) - 10} more" if len(numbers) > 10 else ""
    return f"{'Entry' if len(numbers) == 1 else 'Entries'} {shown}{more}"
