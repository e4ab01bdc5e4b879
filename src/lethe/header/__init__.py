"""CTP anonymizer scripts: parse, run, check; lookup tables; profiles."""

from lethe.header.anonymizer import Anonymizer, HeaderOutcome
from lethe.header.loading import bundled_script, load_script
from lethe.header.lookup import IntegerTable, LookupTable, load_lookup
from lethe.header.script import Script, UnloadableScript
from lethe.header.tree import TreeReport, apply_tree

__all__ = [
    "Anonymizer",
    "HeaderOutcome",
    "IntegerTable",
    "LookupTable",
    "Script",
    "TreeReport",
    "UnloadableScript",
    "apply_tree",
    "bundled_script",
    "load_lookup",
    "load_script",
]
