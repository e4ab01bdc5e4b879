"""A fault of a JAR."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, where, and what to do.

    Attributes
    ----------
    code : str
        Short name of the rule: ``directory-entry``.
    place : str
        File in the JAR.
    sentence, remedy : str
    """

    code: str
    place: str
    sentence: str
    remedy: str

    def as_dict(self) -> dict[str, str]:
        """Return the fault as JSON values."""
        return asdict(self)
