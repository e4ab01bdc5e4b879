"""An answer that is not success, with the HTTP status that says so."""

from __future__ import annotations

from lethe.errors import Refused


class Problem(Refused):
    """Refusal of a request; the web layer turns it into the status page XNAT would send.

    Parameters
    ----------
    status : int
        HTTP status code.
    sentence : str
        What is the case; shown to the client (escaped), so never a value from a patient.
    """

    def __init__(self, status: int, sentence: str = "") -> None:
        super().__init__(f"http-{status}", sentence)
        self.status = status


def not_found(what: str) -> Problem:
    """Return the 404 that is also the answer for something the user may not read."""
    return Problem(404, f"Unable to find the specified {what}.")
