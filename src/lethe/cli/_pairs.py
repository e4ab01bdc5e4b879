"""Options of the form ``NAME=VALUE``."""

from __future__ import annotations

from collections.abc import Sequence

from lethe.errors import Misconfigured


def pairs(values: Sequence[str], option: str) -> dict[str, str]:
    """Return what was given by a repeatable option.

    >>> pairs(["modality=ct"], "--set")
    {'modality': 'ct'}

    Raises
    ------
    Misconfigured
        A value has no name or no sign.
    """
    found = [value.partition("=") for value in values]
    if not all(name and sign for name, sign, _ in found):
        raise Misconfigured("set", f"{option} takes NAME=VALUE.", remedy=f"For example {option} modality=ct")
    return {name: value for name, _, value in found}
