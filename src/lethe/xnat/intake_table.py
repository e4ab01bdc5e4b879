"""The linked clinical table and its noise key, on their way into the intake project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lethe.clinical.linked import Linked
from lethe.governance.collection import Collection
from lethe.xnat import terms
from lethe.xnat.client import Archive
from lethe.xnat.records import Clock, utc_now
from lethe.xnat.resources import is_stored, put_file

RESOURCE, TABLE, KEY = "CLINICAL_INTAKE", "table.csv", "noise.key"


@dataclass(frozen=True, slots=True)
class Upload:
    """What an upload does: which files are sent, and how many of the patients have images there."""

    files: tuple[str, ...]
    patients: int
    with_images: int


def upload(
    archive: Archive,
    collection: Collection,
    files: tuple[Path, Path],
    linked: Linked,
    *,
    centre: str = "",
    dry_run: bool = False,
    clock: Clock = utc_now,
) -> Upload:
    """Put a linked table and the noise key into the intake project; the same bytes are not sent again.

    Parameters
    ----------
    files : (Path, Path)
        Table and noise key.
    linked : Linked
        What `lethe.clinical.linked.check_linked` said of the table.
    centre : str
        Who sends, for a table that does not tell.

    Raises
    ------
    Refused
        Agreement or ethics approval of a centre of the table does not cover sending today, or another table
        or key lies there; nothing is sent.
    """
    for code in sorted(linked.centres) or [centre]:
        terms.require_contribution(archive, collection.intake, centre=code, clock=clock)
    resource = f"/data/projects/{collection.intake}/resources/{RESOURCE}"
    named = dict(zip((KEY, TABLE), reversed(files), strict=True))
    waiting = [name for name, path in named.items() if not is_stored(archive, resource, name, path)]
    if not dry_run:
        for name in waiting:  # the key first: a table without its key would be scrambled with another one
            put_file(archive, resource, name, named[name])
    subjects = archive.rows(f"/data/projects/{collection.intake}/subjects", "list subjects", columns="label")
    return Upload(tuple(waiting), len(linked.prids), len(linked.prids & {row["label"] for row in subjects}))
