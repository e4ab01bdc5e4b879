"""De-facing of CT and MR head images: the face goes, the brain stays, the verdict says how sure that is."""

from .engine import METHOD, METHOD_VERSION, REASONS, DefaceReport, check_files, deface_file
from .judge import Verdict

__all__ = ["METHOD", "METHOD_VERSION", "REASONS", "DefaceReport", "Verdict", "check_files", "deface_file"]
