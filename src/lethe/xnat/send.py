"""Cleaned DICOM to an archive: by C-STORE, or as a zip through the import service."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pydicom
from pynetdicom.ae import ApplicationEntity
from pynetdicom.presentation import build_context

from lethe.errors import Refused, Unavailable
from lethe.xnat import terms
from lethe.xnat.client import Archive

_MOST_CONTEXTS = 128  # PS3.8 section 9.3.2.2: presentation context IDs are the odd numbers 1 to 255


class Ledger:
    """Which objects the archive has acknowledged, so that a killed run goes on where it was.

    Parameters
    ----------
    path : Path
        One line an object: its SOP instance UID (already hashed by the profile).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done = frozenset(path.read_text().split()) if path.exists() else frozenset()

    def add(self, uids: Sequence[str]) -> None:
        """Record acknowledged objects durably."""
        with self.path.open("a") as stream:
            stream.writelines(uid + "\n" for uid in uids)
            stream.flush()
            os.fsync(stream.fileno())
        self.done |= frozenset(uids)


def sop_uid(path: Path) -> str:
    """Return the SOP instance UID of a DICOM file."""
    header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPInstanceUID"])
    return str(header.SOPInstanceUID)


def _contexts(paths: Sequence[Path]) -> list[tuple[str, str]]:
    pairs = set()
    for path in paths:
        meta = pydicom.filereader.read_file_meta_info(path)
        pairs.add((str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)))
    return sorted(pairs)


def c_store(
    paths: Sequence[Path],
    host: str,
    port: int,
    ledger: Ledger,
    *,
    called: str = "XNAT",
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Send objects over one DICOM association.

    Parameters
    ----------
    paths : sequence of Path
        Cleaned objects.
    ledger : Ledger
        Objects found in it are not sent again; acknowledged ones are added.

    Returns
    -------
    int
        Number of objects sent now.

    Raises
    ------
    Unavailable
        No association, or the connection was lost; what was acknowledged is in the ledger.
    Refused
        The archive refused an object (its DICOM status is in the message).
    """
    waiting = [path for path in paths if sop_uid(path) not in ledger.done]
    if not waiting:
        return 0
    contexts = _contexts(waiting)
    entity = ApplicationEntity(ae_title="LETHE")
    entity.requested_contexts = [build_context(sop, syntax) for sop, syntax in contexts[:_MOST_CONTEXTS]]
    association = entity.associate(host, port, ae_title=called)
    if not association.is_established:
        raise Unavailable(
            "no-association",
            "The archive's DICOM receiver does not answer.",
            remedy="Check host, port and AE title.",
        )
    try:
        for number, path in enumerate(waiting, start=1):
            try:
                status = association.send_c_store(path)
            except (ValueError, RuntimeError) as error:
                raise Refused(
                    "not-accepted",
                    f"Object number {number} could not be sent ({type(error).__name__}).",
                    remedy="The receiver accepts neither its SOP class nor its transfer syntax.",
                ) from None
            code = getattr(status, "Status", None)
            if code is None:
                raise Unavailable(
                    "connection-lost", "The DICOM connection was lost.", remedy="Run again: it goes on."
                )
            if code != 0:
                raise Refused(
                    "c-store",
                    f"The archive refused an object with DICOM status {code:04X}.",
                    remedy="See its log.",
                )
            ledger.add([sop_uid(path)])
            if progress is not None:
                progress(number, len(waiting))
    finally:
        association.release()
    return len(waiting)


def import_zip(
    archive: Archive, paths: Sequence[Path], project: str, ledger: Ledger, *, centre: str = ""
) -> int:
    """Send objects as one zip through the import service into the prearchive of an intake project.

    Parameters
    ----------
    centre : str
        Code of the sending centre; may be left out where only one is on record.

    Returns
    -------
    int
        Number of objects sent now.

    Raises
    ------
    Refused
        The agreement or ethics approval of the centre does not cover it today; nothing is sent.
    """
    uids = {path: sop_uid(path) for path in paths}
    waiting = [path for path in paths if uids[path] not in ledger.done]
    if not waiting:
        return 0
    terms.require_contribution(archive, project, centre=centre)
    with tempfile.TemporaryFile() as spool:
        with zipfile.ZipFile(spool, "w", zipfile.ZIP_STORED) as bundle:
            for number, path in enumerate(waiting):
                bundle.write(path, f"{number:06d}.dcm")
        spool.seek(0)
        archive.request(
            "POST",
            "/data/services/import",
            "import DICOM",
            params={
                "import-handler": "DICOM-zip",
                "project": project,
                "dest": f"/prearchive/projects/{project}",
            },
            data=spool,
            headers={"Content-Type": "application/zip"},
        )
    ledger.add([uids[path] for path in waiting])
    return len(waiting)


def archive_sessions(archive: Archive, project: str, *, labels: Collection[str] | None = None) -> int:
    """Build and archive the sessions that wait in the prearchive of `project`.

    Parameters
    ----------
    labels : collection of str, optional
        Only the sessions of these names; without it all of them.

    Returns
    -------
    int
        Number of sessions archived.
    """
    rows = archive.rows(f"/data/prearchive/projects/{project}", "list the prearchive")
    rows = [row for row in rows if labels is None or row["name"] in labels]
    for row in rows:
        archive.request("POST", f"/data{row['url']}", "build a session", params={"action": "build"})
        archive.request(
            "POST",
            "/data/services/archive",
            "archive a session",
            params={"src": row["url"], "overwrite": "append"},
            ok=(200, 301, 303),
        )
    return len(rows)
