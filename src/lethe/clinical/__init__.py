"""Clinical tables: variable dictionary, linking to PRIDs, scrambling by role.

The names are imported when they are asked for: the dictionary and the record need none of the packages that
tables need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lethe.clinical.dictionary import Dictionary, Role, Type, Variable
    from lethe.clinical.issues import Issue
    from lethe.clinical.link import link_table
    from lethe.clinical.report import ScrambleReport, VariableReport
    from lethe.clinical.scramble import Scrambled, scramble_table
    from lethe.clinical.table import PRID, read_table, write_table
else:
    from importlib import import_module

    _HOME = {
        "dictionary": ("Dictionary", "Role", "Type", "Variable"),
        "issues": ("Issue",),
        "link": ("link_table",),
        "report": ("ScrambleReport", "VariableReport"),
        "scramble": ("Scrambled", "scramble_table"),
        "table": ("PRID", "read_table", "write_table"),
    }

    def __getattr__(name: str) -> object:
        for module, names in _HOME.items():
            if name in names:
                return getattr(import_module(f"lethe.clinical.{module}"), name)
        raise AttributeError(f"module 'lethe.clinical' has no attribute {name!r}")


__all__ = [
    "PRID",
    "Dictionary",
    "Issue",
    "Role",
    "ScrambleReport",
    "Scrambled",
    "Type",
    "Variable",
    "VariableReport",
    "link_table",
    "read_table",
    "scramble_table",
    "write_table",
]
