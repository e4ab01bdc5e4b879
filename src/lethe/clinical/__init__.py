"""Clinical tables: variable dictionary, linking to PRIDs, scrambling by role."""

from lethe.clinical.dictionary import Dictionary, Role, Type, Variable
from lethe.clinical.issues import Issue
from lethe.clinical.link import link_table
from lethe.clinical.report import ScrambleReport, VariableReport
from lethe.clinical.scramble import Scrambled, scramble_table
from lethe.clinical.table import PRID, read_table, write_table

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
