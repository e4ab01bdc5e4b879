"""Who a patient becomes: PRID pool, intake session and its end, one date shift per patient."""

from lethe.identity.intake import IntakeSession
from lethe.identity.keyed import pseudonym
from lethe.identity.link import Mode, Settings
from lethe.identity.lookup import Assignment, escape_key, lookup_table
from lethe.identity.prid import PridPool
from lethe.identity.promotion import promote
from lethe.identity.record import DestructionRecord
from lethe.identity.shift import ShiftWindow, shifted

__all__ = [
    "Assignment",
    "DestructionRecord",
    "IntakeSession",
    "Mode",
    "PridPool",
    "Settings",
    "ShiftWindow",
    "escape_key",
    "lookup_table",
    "promote",
    "pseudonym",
    "shifted",
]
