"""What remains of a sealed intake session: a signed record without anything about a patient."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lethe.errors import Refused
from lethe.files import write_json

RECORD_NAME = "destruction-record.json"


@dataclass(frozen=True, slots=True)
class DestructionRecord:
    """Proof that an intake session was closed and what was destroyed with it.

    It holds no digest of anything that names a patient: with 16-bit PRIDs and 43 shifts, a digest of a
    lookup table could be searched by trying patients.

    Attributes
    ----------
    session : str
        Random name of the session.
    opened, sealed : str
        ISO 8601 times.
    patients : int
        Number of patients that got a PRID.
    prids : tuple of str
        The given PRIDs, sorted, so that a later session of the collection does not give them again.
    window_days : int
        Half width of the window of the shifts.
    link_sha256 : str
        Digest of the encrypted link as it was destroyed.
    lookup_tables : int
        Number of lookup tables that were written by the session.
    lookup_tables_missing : int
        How many of these were no longer where they had been written: a person has to account for them.
    public_key, signature : str
        Ed25519, hexadecimal. The private key was destroyed with the link.
    """

    session: str
    opened: str
    sealed: str
    patients: int
    prids: tuple[str, ...]
    window_days: int
    link_sha256: str
    lookup_tables: int
    lookup_tables_missing: int
    public_key: str = ""
    signature: str = ""
    destroyed: tuple[str, ...] = field(default=("link", "key", "lookup tables"))

    def signed(self, key: Ed25519PrivateKey) -> DestructionRecord:
        """Return the record with public key and signature."""
        named = replace(self, public_key=key.public_key().public_bytes_raw().hex(), signature="")
        return replace(named, signature=key.sign(named._message()).hex())

    def verify(self) -> None:
        """Raise `Refused` when the record was changed after signing."""
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.public_key))
            key.verify(bytes.fromhex(self.signature), self._message())
        except (InvalidSignature, ValueError):
            raise Refused(
                "record-signature",
                "The destruction record was changed after it was signed.",
                remedy="Take the record from a backup.",
            ) from None

    def as_dict(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        return {**asdict(self), "prids": list(self.prids), "destroyed": list(self.destroyed)}

    def write(self, path: Path) -> None:
        """Write the record atomically."""
        write_json(path, self.as_dict())

    @classmethod
    def load(cls, path: Path) -> DestructionRecord:
        """Read a record; raise `Refused` when it is not one. The signature is checked by `verify`."""
        try:
            values = json.loads(path.read_text())
            return cls(**{**values, "prids": tuple(values["prids"]), "destroyed": tuple(values["destroyed"])})
        except (ValueError, KeyError, TypeError):
            raise Refused("record-form", "The file is not a destruction record.") from None

    def _message(self) -> bytes:
        values = {name: value for name, value in self.as_dict().items() if name != "signature"}
        return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
