"""From pseudonymous to anonymous: complete cases get new identifiers, and nobody keeps a table of both."""

from __future__ import annotations

from collections.abc import Iterable

from lethe.errors import Refused
from lethe.identity.intake import IntakeSession
from lethe.identity.link import Mode
from lethe.identity.lookup import Assignment
from lethe.identity.spelling import positions


def check_promotion(source: IntakeSession, prids: Iterable[str], target: IntakeSession) -> list[str]:
    """Return the wanted pseudonyms; raise like `promote`, and change nothing."""
    wanted = list(prids)
    if (source.mode, target.mode) != (Mode.PSEUDONYMOUS, Mode.ANONYMOUS):
        raise Refused("promote-mode", "Cases are promoted from a pseudonymous to an anonymous session.")
    own = {given.prid for given in source.assignments.values()}
    strangers = [position for position, prid in enumerate(wanted, 1) if prid not in own]
    if strangers:
        raise Refused("promote-unknown", f"{positions(strangers)}: not a pseudonym of this session.")
    return wanted


def promote(source: IntakeSession, prids: Iterable[str], target: IntakeSession) -> dict[str, Assignment]:
    """Give cases of a pseudonymous session new identifiers and shifts in an anonymous one.

    Curators have confirmed inclusion and completeness under the pseudonym; the archive receives another
    identifier and shifted dates. The target knows only pseudonyms and forgets them when it is sealed.

    Parameters
    ----------
    source : IntakeSession
        The pseudonymous session of the site.
    prids : iterable of str
        Pseudonyms (PRIDs of `source`) of the cases that are complete.
    target : IntakeSession
        An anonymous session of the collection.

    Returns
    -------
    dict of str to Assignment
        Pseudonym to what it becomes; the patient column of the pseudonymous table is ``prid``.

    Raises
    ------
    Refused
        A pseudonym is not of the session, or one of the sessions has the wrong mode.
    """
    wanted = check_promotion(source, prids, target)
    # an identifier of the first step never names another patient in the second
    target.reserve(given.prid for given in source.assignments.values())
    return target.assign(wanted)
