"""Back to DICOM: de-faced NIfTI and cleaned objects become objects of the original kind."""

from .clearance import Clearance, cleared
from .engine import Rebuilt, rebuild_series
from .volume import nifti_files

__all__ = ["Clearance", "Rebuilt", "cleared", "nifti_files", "rebuild_series"]
