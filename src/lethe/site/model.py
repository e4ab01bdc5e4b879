"""What a kit says about itself: ``kit.json``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from lethe.errors import Misconfigured
from lethe.files import sha256_of, write_json
from lethe.governance.collection import Collection

NAME = "kit.json"
FORMAT = 1
CTP = "ctp"
LOOKUP = "lookup.properties"
TRUST = "trust/centre.pem"
# files of a kit that the site fills in: they change, so their digests are not compared
OWN = (f"{CTP}/{LOOKUP}",)


@dataclass(frozen=True, slots=True)
class Kit:
    """One site's kit.

    Parameters
    ----------
    collection : str
        Id of the collection's project; objects go to its intake project.
    site, name : str
        Code of the centre in the collection file, and its name.
    user : str
        Login of the site at the centre.
    archive : str
        Address of the archive (HTTPS), for `lethe send` and the check.
    ctp : str
        Host of the central CTP; empty where sites send to the archive only.
    profile : str
        Header profile that the site runs.
    version : str
        Version of Lethe that wrote the kit.
    files : mapping
        Relative path to SHA-256 of every file of the kit that a site does not change.
    """

    collection: str
    site: str
    name: str
    user: str
    archive: str
    ctp: str
    profile: str
    version: str
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def intake(self) -> str:
        """Id of the intake project."""
        return Collection(self.collection).intake


def check_addresses(archive: str, ctp: str) -> None:
    """Refuse what is no address over TLS.

    Raises
    ------
    Misconfigured
        The archive's address is not https, or the CTP's is no host name.
    """
    parts = urlsplit(archive)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.username:
        raise Misconfigured(
            "archive-address",
            "The archive's address must begin with https:// and name a host.",
            remedy="Data travel encrypted only (E-11).",
        )
    if ctp and not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", ctp):
        raise Misconfigured("ctp-address", "The central CTP must be named by its host only.")


def write(kit: Kit, folder: Path) -> None:
    """Write ``kit.json`` with the digests of what lies in `folder`."""
    files = {
        str(path.relative_to(folder)): sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and str(path.relative_to(folder)) not in (*OWN, NAME)
    }
    write_json(folder / NAME, {"format": FORMAT, **asdict(kit), "files": files})


def read(folder: Path) -> Kit:
    """Read a kit.

    Raises
    ------
    Misconfigured
        There is none, it is broken, or of a newer format.
    """
    try:
        found = json.loads((folder / NAME).read_text(encoding="utf-8"))
        if found.pop("format") != FORMAT:
            raise Misconfigured(
                "kit-format", "The kit was written by another version of Lethe.", remedy="Update Lethe."
            )
        kit = Kit(**found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise Misconfigured(
            "no-kit", "The folder is no site kit.", remedy="Name the folder that `lethe site kit` wrote."
        ) from None
    check_addresses(kit.archive, kit.ctp)
    return kit
