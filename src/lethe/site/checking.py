"""Check a kit, or a CTP folder that was installed from one: what is wrong, and what to do about it."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography import x509

from lethe.errors import Outcome
from lethe.files import sha256_of
from lethe.header import (
    Anonymizer,
    FilterStage,
    PixelStage,
    Stage,
    apply_tree,
    load_filter,
    load_lookup,
    load_pixel_script,
    load_script,
)
from lethe.header.findings import Finding as Linted
from lethe.header.findings import Severity
from lethe.header.lint import lint
from lethe.header.pipelinelint import lint_pipeline, placeholders
from lethe.site.canaries import MARKS
from lethe.site.model import CTP, LOOKUP, NAME, TRUST, Kit, read

# what the start script fills in at the site; everything else is filled in by the centre
SECRETS = tuple(
    f"%{name}%"
    for name in ("KEYSTORE", "KEYSTORE_PASSWORD", "TRUSTSTORE", "TRUSTSTORE_PASSWORD", "SITE_PASSWORD")
)
ROUTING = "routing.script"
_SOON = dt.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: `severity` is ``error`` or ``warning``; `where` a file of the folder."""

    severity: str
    code: str
    where: str
    sentence: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the finding for ``--output json``."""
        return asdict(self)


def check_folder(folder: Path, *, now: dt.datetime) -> list[Finding]:
    """Check a kit (a folder with ``kit.json``) or an installed CTP folder (one with ``config.xml``).

    Parameters
    ----------
    now : datetime
        With a time zone; certificates are compared with it.

    Raises
    ------
    Misconfigured
        The folder is neither.
    """
    if (folder / NAME).is_file() or not (folder / "config.xml").is_file():
        return list(_kit(folder, read(folder), now))
    return list(_ctp(folder, installed=True))


def stages(kit: Kit, folder: Path, lookup: Path) -> list[Stage]:
    """Return what runs on every object: filter, profile, pixel regions, routing.

    Raises
    ------
    Misconfigured
        A script or the table cannot be used.
    """
    ctp = folder / CTP
    table = load_lookup(lookup)
    return [
        FilterStage(load_filter(ctp / "object.filter")),
        Anonymizer(load_script(ctp / f"{kit.profile}.script"), table),
        PixelStage(load_pixel_script(ctp / "pixels.script")),
        Anonymizer(load_script(ctp / ROUTING), table),
    ]


def _kit(folder: Path, kit: Kit, now: dt.datetime) -> Iterator[Finding]:
    for name, digest in sorted(kit.files.items()):
        path = folder / name
        if not path.is_file():
            yield Finding("error", "file-missing", name, "A file of the kit is missing.", "Unpack it again.")
        elif sha256_of(path) != digest:
            yield Finding("error", "file-changed", name, "A file of the kit was changed.",
                          "Unpack it again, or ask the centre for a new kit.")  # fmt: skip
    yield from _certificates(folder / TRUST, now)
    yield from _ctp(folder / CTP, installed=False)
    yield from _self_test(folder, kit)


def _certificates(path: Path, now: dt.datetime) -> Iterator[Finding]:
    data = path.read_bytes() if path.is_file() else b""
    if not data.strip():
        return
    try:
        found = x509.load_pem_x509_certificates(data)
    except ValueError:
        yield Finding("error", "certificate", TRUST, "The certificates to trust cannot be read.",
                      "Ask the centre for a new kit.")  # fmt: skip
        return
    for one in found:
        if now >= one.not_valid_after_utc:
            yield Finding("error", "certificate-expired", TRUST, "A certificate to trust has expired.",
                          "Ask the centre for a new kit; check this machine's clock.")  # fmt: skip
        elif now < one.not_valid_before_utc:
            yield Finding("error", "certificate-early", TRUST, "A certificate to trust is not valid yet.",
                          "Check this machine's clock.")  # fmt: skip
        elif now + _SOON >= one.not_valid_after_utc:
            yield Finding("warning", "certificate-soon", TRUST,
                          "A certificate to trust expires within 30 days.", "Ask the centre.")  # fmt: skip


def _ctp(folder: Path, *, installed: bool) -> Iterator[Finding]:
    lookup = folder / LOOKUP
    table = None
    try:
        table = load_lookup(lookup)
    except Outcome as outcome:
        yield _of(outcome, LOOKUP)
    for path in sorted(folder.glob("*.script")):
        if path.name == "pixels.script":
            continue
        try:
            found = lint(load_script(path), table if installed else None)
        except Outcome as outcome:
            yield _of(outcome, path.name)
            continue
        # routing runs behind the profile on cleaned objects: what it leaves alone is no fault
        fatal = [one for one in found if one.severity is Severity.FATAL]
        yield from _linted(fatal if path.name == ROUTING else found, path.name)
    config = folder / "config.xml"
    if not config.is_file():
        return
    left = placeholders(config)
    for name in left if installed else (name for name in left if name not in SECRETS):
        yield Finding("error", "placeholder", "config.xml", f"{name} is not filled in.",
                      "Start CTP with the kit's start script, which fills it in.")  # fmt: skip
    if not left:
        yield from _linted(lint_pipeline(config), "config.xml")


def _linted(findings: Sequence[Linted], where: str) -> Iterator[Finding]:
    for one in findings:
        if one.severity is not Severity.INFO:
            yield Finding("error", one.rule, where, one.sentence, one.remedy)


def _self_test(folder: Path, kit: Kit) -> Iterator[Finding]:
    """Clean the canaries with the scripts of this kit, in a scratch folder."""
    test = folder / "self-test"
    with tempfile.TemporaryDirectory() as scratch:
        cleaned = Path(scratch) / "cleaned"
        try:
            chain = stages(kit, folder, test / LOOKUP)
            report = apply_tree(chain, test / "objects", cleaned)
        except Outcome as outcome:
            yield _of(outcome, "self-test")
            return
        passed = report.counts.get("OK", 0)
        if passed != 1 or len(report.quarantined) != 2:
            yield Finding("error", "canary-passed" if passed > 1 else "canary-held", "self-test",
                          f"Of three canaries {passed} passed; one must pass and two must be held.",
                          "Send nothing; ask the centre for a new kit.")  # fmt: skip
        marks = [mark.encode() for mark in MARKS]
        if any(mark in path.read_bytes() for path in cleaned.rglob("*.dcm") for mark in marks):
            yield Finding("error", "canary-survived", "self-test", "An identifier came through the cleaning.",
                          "Send nothing; ask the centre for a new kit.")  # fmt: skip


def _of(outcome: Outcome, where: str) -> Finding:
    return Finding("error", outcome.code, where, outcome.sentence, outcome.remedy)
