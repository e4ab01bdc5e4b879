"""Write the folder that a hospital gets: everything filled in that the centre knows, no secret in it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any
from xml.sax.saxutils import escape

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from lethe import __version__
from lethe.errors import Misconfigured, Refused
from lethe.files import write_bytes
from lethe.governance.definition import Definition
from lethe.header import bundled_profile, bundled_script
from lethe.header.deviations import load_deviations
from lethe.header.profile import compile_profile, load_profile
from lethe.site.canaries import write_canaries
from lethe.site.model import CTP, LOOKUP, TRUST, Kit, check_addresses, write

_SHARED = ("object.filter", "pixels.script")


@dataclass(frozen=True, slots=True)
class Request:
    """What the centre decides about one site's kit.

    Parameters
    ----------
    site : str
        Code of the centre in the collection file.
    archive, ctp : str
        Address of the archive (https), host of the central CTP (may be empty).
    user : str
        Login of the site.
    trust : Path, optional
        PEM file with the certificates of the authority that signed the centre's; none where a public one did.
    """

    site: str
    archive: str
    user: str
    ctp: str = ""
    trust: Path | None = None


def write_kit(definition: Definition, request: Request, folder: Path, *, today: date) -> Kit:
    """Write a kit into a new folder.

    Parameters
    ----------
    definition : Definition
        The collection.
    request : Request
        This site.
    folder : Path
        Must not exist, or be empty; it appears whole or not at all.
    today : date
        Deviations of the profile that ended are not compiled.

    Returns
    -------
    Kit
        Without its digests.

    Raises
    ------
    Misconfigured
        Unknown site, an address without https, a certificate that is none, a deviation that ended.
    Refused
        The folder is in use.
    """
    centres = definition.data.get("centres", {})
    if request.site not in centres:
        raise Misconfigured(
            "unknown-site",
            "The collection file has no centre of that code.",
            remedy=f"It has {', '.join(sorted(centres)) or 'none'}.",
        )
    check_addresses(request.archive, request.ctp)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refused("kit-exists", "The folder of the kit is not empty.", remedy="Name a new one.")
    profile = str(definition.data.get("profile", {}).get("name", "stroke"))
    kit = Kit(
        collection=definition.collection.name,
        site=request.site,
        name=str(centres[request.site].get("name", request.site)),
        user=request.user,
        archive=request.archive.rstrip("/"),
        ctp=request.ctp,
        profile=profile,
        version=__version__,
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        half = Path(scratch) / folder.name
        half.mkdir()
        _fill(half, kit, definition.data.get("deviations", {}), request.trust, today)
        write(kit, half)
        if folder.exists():
            folder.rmdir()
        half.rename(folder)
    return kit


def _fill(half: Path, kit: Kit, deviations: Mapping[str, Any], trust: Path | None, today: date) -> None:
    ctp = half / CTP
    ctp.mkdir()
    client = bundled_script("routing").parent
    for name in _SHARED:
        shutil.copyfile(client / name, ctp / name)
    write_bytes(ctp / f"{kit.profile}.script", _profile(kit.profile, deviations, half, today).encode())
    write_bytes(ctp / "routing.script", _routing(client / "routing.script", kit).encode())
    write_bytes(ctp / LOOKUP, _template("lookup.properties", kit).encode())
    pages = ["README.md", "send.md"]
    if kit.ctp:
        write_bytes(ctp / "config.xml", _config(client / "config.xml", kit).encode())
        for name in ("start-linux.sh", "start-windows.ps1"):
            write_bytes(half / name, _template(name, kit).encode(), mode=0o755)
        pages.insert(1, "ctp.md")
    write_bytes(half / "README.md", "\n".join(_template(page, kit) for page in pages).encode())
    (half / TRUST).parent.mkdir()
    write_bytes(half / TRUST, certificates(trust) if trust else b"")
    write_canaries(half / "self-test")


def _profile(name: str, deviations: Mapping[str, Any], half: Path, today: date) -> str:
    if not deviations:
        return compile_profile(load_profile(bundled_profile(name)))
    listed = half / "deviations.yaml"
    rows = [
        {"attribute": attribute, **record, "until": date.fromisoformat(str(record["until"]))}
        for attribute, record in sorted(deviations.items())
    ]
    write_bytes(listed, yaml.safe_dump(rows, sort_keys=True, allow_unicode=True).encode())
    return compile_profile(load_profile(bundled_profile(name), load_deviations([listed], today=today)))


def _routing(path: Path, kit: Kit) -> str:
    text = path.read_text(encoding="utf-8")
    return _once(text, '<p t="PROJECT">', f'<p t="PROJECT">{kit.intake}', until="</p>")


def _config(path: Path, kit: Kit) -> str:
    """Keep the pipeline of this profile; fill in what the centre knows, leave the secrets to the start."""
    text = path.read_text(encoding="utf-8")
    names = [part.split('"', 1)[0] for part in text.split('<Pipeline name="')[1:]]
    wanted = kit.profile if kit.profile in names else names[0]
    for name in names:
        begin = text.index(f'  <Pipeline name="{name}"')
        end = text.index("</Pipeline>", begin) + len("</Pipeline>\n")
        if name != wanted:
            text = text[:begin] + text[end:]
    text = text.replace(f'name="{wanted}" enabled="no"', f'name="{wanted}" enabled="yes"')
    for before, after in ((f'"{wanted}', f'"{kit.profile}'), (f"/{wanted}", f"/{kit.profile}")):
        text = text.replace(before, after)
    return text.replace("%CENTRE%", kit.ctp).replace("%SITE_USER%", escape(kit.user, {'"': "&quot;"}))


class _Page(Template):
    """A page with ``@@name`` to be filled in: the dollar belongs to the shells."""

    delimiter = "@@"


def _once(text: str, mark: str, replacement: str, *, until: str) -> str:
    begin = text.index(mark)
    return text[:begin] + replacement + text[text.index(until, begin) :]


def _template(name: str, kit: Kit) -> str:
    text = (resources.files("lethe.site") / "templates" / f"{name}.txt").read_text(encoding="utf-8")
    return _Page(text).substitute(
        collection=kit.collection, intake=kit.intake, site=kit.site, site_name=kit.name, user=kit.user,
        archive=kit.archive, ctp=kit.ctp, profile=kit.profile, version=kit.version,
    )  # fmt: skip


def certificates(path: Path) -> bytes:
    """Return the certificates of a PEM file, and nothing else of it.

    Raises
    ------
    Misconfigured
        The file cannot be read, holds no certificate, or holds a private key.
    """
    try:
        data = path.read_bytes()
        found: Sequence[x509.Certificate] = x509.load_pem_x509_certificates(data)
    except (OSError, ValueError):
        raise Misconfigured("trust", "The file with certificates to trust cannot be used.") from None
    if b"PRIVATE KEY" in data:
        raise Misconfigured(
            "private-key", "The file to trust holds a private key.", remedy="Name the certificate alone."
        )
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in found)
