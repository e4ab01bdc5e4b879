"""A collection and its two projects: intake (raw, private) and collection (what researchers see)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lethe.errors import Misconfigured, Refused

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,40}")
_INTAKE_SUFFIX = "_INTAKE"


@dataclass(frozen=True, slots=True)
class Collection:
    """The pair of XNAT projects that makes a collection.

    XNAT has no rights below the project, so raw and de-faced data never share one (T-11, M-24).

    Parameters
    ----------
    name : str
        Project id of the collection: a letter, then letters, digits, ``_`` or ``-``.

    Raises
    ------
    Misconfigured
        The name cannot be an XNAT project id, or would be taken for an intake project.

    Examples
    --------
    >>> Collection("STROKE").intake
    'STROKE_INTAKE'
    """

    name: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name.upper().endswith(_INTAKE_SUFFIX):
            raise Misconfigured(
                "collection-name",
                "A collection's name starts with a letter, has letters, digits, _ or - (41 at most) "
                "and does not end in _INTAKE.",
                remedy="Choose another name.",
            )

    @classmethod
    def of_intake(cls, project: str) -> Collection:
        """Return the collection of an intake project.

        Raises
        ------
        Refused
            The project is no intake project: raw data go nowhere else.

        Examples
        --------
        >>> Collection.of_intake("STROKE_INTAKE").name
        'STROKE'
        """
        if not project.endswith(_INTAKE_SUFFIX):
            raise Refused(
                "wrong-project",
                "Data are sent into an intake project only, and this project is none.",
                remedy=f"Name the project that ends in {_INTAKE_SUFFIX}.",
            )
        return cls(project.removesuffix(_INTAKE_SUFFIX))

    @property
    def intake(self) -> str:
        """Project id of the intake project."""
        return self.name + _INTAKE_SUFFIX
