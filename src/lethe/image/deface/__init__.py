"""De-facing of CT and MR head images: the face goes, the brain stays, the verdict says how sure that is.

`deface_file` takes one image, `deface_session` all images of a session, where one image may lend another its
pose. Only results with the verdict ``pass`` or ``no-face`` may leave the intake project.
"""

from .engine import METHOD, METHOD_VERSION, REASONS, DefaceReport, check_files, deface_file
from .judge import Verdict
from .presence import shows_head
from .session import SessionImage, SessionResult, deface_session, images_of_folder

__all__ = [
    "METHOD",
    "METHOD_VERSION",
    "REASONS",
    "DefaceReport",
    "SessionImage",
    "SessionResult",
    "Verdict",
    "check_files",
    "deface_file",
    "deface_session",
    "images_of_folder",
    "shows_head",
]
