"""The CTP lookup table of an intake session, as Java properties text.

Three types per patient, keyed by the original PatientID: ``prid/`` gives the replacement, ``shift/`` the
days of ``@incrementdate`` and ``salt/`` the secret that goes into the hash of every UID. CTP trims the key
value and removes backslashes, so an identifier with a backslash cannot be a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_SPECIAL = " :=#!\\"


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a patient becomes: a PRID and one shift in whole days; and what makes the patient's UIDs.

    Parameters
    ----------
    prid : str
        The identifier that replaces the original one.
    shift_days : int
        Whole days by which every date moves.
    salt : str
        128 random bits in hex. They die with the link, so that nobody can compute a UID of the collection
        from an original one. Without a salt the patient's objects are quarantined.
    """

    prid: str
    shift_days: int
    salt: str = field(default="", repr=False)


def escape_key(text: str) -> str:
    r"""Return `text` as a key of a Java properties file.

    Examples
    --------
    >>> escape_key("A 7:1")
    'A\\ 7\\:1'
    """
    return "".join(_escape(character) for character in text)


def _escape(character: str) -> str:
    if character in _SPECIAL:
        return "\\" + character
    if " " < character <= "~":
        return character
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02X}{units[i + 1]:02X}" for i in range(0, len(units), 2))


def lookup_table(assignments: Mapping[str, Assignment]) -> str:
    """Return the properties text, sorted by PRID.

    Parameters
    ----------
    assignments : mapping of original PatientID to Assignment
    """
    lines = ["# Lethe lookup table. Identifying: delete it with the intake session."]
    for original, given in sorted(assignments.items(), key=lambda item: item[1].prid):
        key = escape_key(original.strip())
        lines += [f"prid/{key}={given.prid}", f"shift/{key}={given.shift_days}"]
        if given.salt:
            lines.append(f"salt/{key}={given.salt}")
    return "\n".join(lines) + "\n"
