"""CTP anonymizer scripts: parse, run, check; lookup tables; profiles."""

from lethe.header.anonymizer import Anonymizer, HeaderOutcome
from lethe.header.loading import bundled_profile, bundled_script, load_script
from lethe.header.lookup import IntegerTable, LookupTable, load_lookup
from lethe.header.objectfilter import ObjectFilter, load_filter
from lethe.header.pixelscript import PixelScript, load_pixel_script
from lethe.header.script import Script, UnloadableScript
from lethe.header.stages import FilterStage, PixelStage, Stage
from lethe.header.tree import TreeReport, apply_file, apply_tree

__all__ = [
    "Anonymizer",
    "FilterStage",
    "HeaderOutcome",
    "IntegerTable",
    "LookupTable",
    "ObjectFilter",
    "PixelScript",
    "PixelStage",
    "Script",
    "Stage",
    "TreeReport",
    "UnloadableScript",
    "apply_file",
    "apply_tree",
    "bundled_profile",
    "bundled_script",
    "load_filter",
    "load_lookup",
    "load_pixel_script",
    "load_script",
]
