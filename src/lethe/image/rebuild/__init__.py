"""Back to DICOM: de-faced NIfTI and cleaned objects become objects of the original kind."""

from .clearance import Clearance, cleared
from .engine import Rebuilt, rebuild_series

__all__ = ["Clearance", "Rebuilt", "cleared", "rebuild_series"]
