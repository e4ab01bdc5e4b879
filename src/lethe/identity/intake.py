"""The intake session: holds the link from patient to PRID while data arrive, and then forgets it.

In the folder of a session lie

``session.json``
    name, opening time and settings; nothing about patients.
``link.enc``
    the link, the noise key and the key that signs the record, AES-256-GCM; its key is a file elsewhere.
``sealing.json``
    only while the session is being sealed: the record that will stay. From here on there is no way back.
``destruction-record.json``
    what stays.

Every change is made under one lock; files are replaced whole. A kill leaves the state before or after.
"""

from __future__ import annotations

import hashlib
import json
import random
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lethe.errors import Misconfigured, Refused, Unavailable
from lethe.files import write_bytes, write_json
from lethe.identity import vault
from lethe.identity.link import Link, Mode, Settings
from lethe.identity.lookup import Assignment, lookup_table
from lethe.identity.prid import PridPool
from lethe.identity.record import RECORD_NAME, DestructionRecord
from lethe.identity.shift import ShiftWindow
from lethe.identity.spelling import check_originals

Clock = Callable[[], datetime]
_REMEDY_SEALED = (
    "No key exists any more: nothing can be added to a patient of this session. New patients need a new one."
)


def utc_now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


class IntakeSession:
    """One stretch of data arriving at a collection; several processes may use it at once. See `open`."""

    def __init__(self, folder: Path, key_file: Path, rng: random.Random, clock: Clock) -> None:
        self.folder = folder
        self.key_file = key_file
        self._rng = rng
        self._clock = clock

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        key_file: Path,
        rng: random.Random | None = None,
        clock: Clock = utc_now,
        settings: Settings | None = None,
        taken: Iterable[str] = (),
        noise_key: bytes | None = None,
    ) -> Self:
        """Create a session, or resume the one in `folder`.

        Parameters
        ----------
        folder : Path
            Folder of the session; made when absent.
        key_file : Path
            Key of the link, mode 0600, made when absent. Keep it apart from the folder and its backups.
        rng : random.Random, optional
            Source of PRIDs and shifts; the operating system's by default.
        clock : callable
            Returns the present time with its zone.
        settings : Settings, optional
            For a new session. A session that exists keeps its own; other ones are refused.
        taken : iterable of str
            PRIDs given by earlier sessions of the collection.
        noise_key : bytes, optional
            Noise key of the collection (32 bytes) when an earlier session made one.

        Raises
        ------
        Misconfigured
            Settings or keys do not fit.
        Refused
            The key file is missing or the link cannot be opened.
        """
        session = cls(folder, key_file, rng or secrets.SystemRandom(), clock)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except (FileExistsError, NotADirectoryError):
            raise Misconfigured("intake-folder", "The session folder is a file.") from None
        with session._lock():
            session._begin(settings, sorted(taken), noise_key)
        return session

    @classmethod
    def resume(cls, folder: Path, *, key_file: Path, clock: Clock = utc_now) -> Self:
        """Open the session in `folder`; raise `Refused` when there is none."""
        if not (folder / "session.json").is_file():
            raise Refused(
                "no-session", "The folder holds no intake session.", remedy="Open one: lethe intake open."
            )
        return cls.open(folder, key_file=key_file, clock=clock)

    # --- what a session knows

    @property
    def sealed(self) -> bool:
        """Whether the link is gone."""
        return (self.folder / RECORD_NAME).exists()

    @property
    def mode(self) -> Mode:
        """Whether the link will be destroyed (anonymous) or kept by the site."""
        return Mode(self._head()["mode"])

    @property
    def assignments(self) -> Mapping[str, Assignment]:
        """Original PatientID to `Assignment`; raises `Refused` after sealing."""
        with self._lock():
            return MappingProxyType(self._read().assignments)

    @property
    def noise_key(self) -> bytes:
        """32 bytes for `lethe.clinical.scramble_table`, the same as long as the collection lives."""
        with self._lock():
            return bytes.fromhex(self._read().noise_key)

    @property
    def record(self) -> DestructionRecord:
        """The destruction record of a sealed session; raises `Refused` before."""
        if not self.sealed:
            raise Refused("session-open", "The session is not sealed yet.", remedy="Seal it first.")
        return DestructionRecord.load(self.folder / RECORD_NAME)

    def lookup_table(self) -> str:
        """Return the CTP lookup table as text. To keep it as a file use `write_lookup_table`."""
        return lookup_table(self.assignments)

    def status(self) -> dict[str, Any]:
        """Return state, times and counts; nothing about a patient."""
        head = self._head()
        shown = {name: head[name] for name in ("session", "mode", "opened", "width_bits", "window_days")}
        if self.sealed:
            return {
                **shown,
                "state": "sealed",
                "sealed": self.record.sealed,
                "patients": self.record.patients,
            }
        if self._journal.exists():
            return {**shown, "state": "sealing"}
        with self._lock():
            link = self._read()
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(link.signing_key)).public_key()
        return {
            **shown,
            "state": "open",
            "patients": len(link.assignments),
            "lookup_tables": len(link.lookup_tables),
            "occupancy": (len(link.assignments) + len(link.taken)) / 2 ** head["width_bits"],
            "public_key": key.public_bytes_raw().hex(),
        }

    # --- what a session does

    def assign(self, originals: Iterable[str]) -> dict[str, Assignment]:
        """Give each patient a PRID and a shift, or return what the patient has.

        Parameters
        ----------
        originals : iterable of str
            Original PatientIDs, in any order, repeated as they come.

        Returns
        -------
        dict of str to Assignment
            One entry per distinct identifier.

        Raises
        ------
        Refused
            The session is sealed; an identifier is empty or cannot be a lookup key; two spellings of one
            patient differ in case or blanks only. The message names positions (from 1), never the value.
        """
        wanted = list(originals)
        with self._lock():
            link = self._read()
            check_originals(wanted, link.assignments)
            new = [name for name in dict.fromkeys(wanted) if name not in link.assignments]
            if new:
                self._draw(link, new)
                self._write(link)
        return {name: link.assignments[name] for name in dict.fromkeys(wanted)}

    def reserve(self, prids: Iterable[str]) -> None:
        """Never draw `prids` in this session."""
        with self._lock():
            self._resume(sorted(prids), None)

    def write_lookup_table(self, path: Path) -> None:
        """Write the lookup table (mode 0600) and remember where, so that sealing destroys it.

        Raises
        ------
        Refused
            A file that the session did not write lies there, or the session is sealed.
        """
        with self._lock():
            link = self._read()
            place = str(path.resolve())
            if place not in link.lookup_tables:
                if path.exists():
                    raise Refused(
                        "lookup-exists",
                        "A file that this session did not write lies where the lookup table shall go.",
                        remedy="Choose another name, as sealing destroys the file.",
                    )
                link.lookup_tables.append(place)
                self._write(link)  # first the memory, then the file: a kill in between leaves nothing behind
            vault.destroy(Path(place))
            write_bytes(Path(place), lookup_table(link.assignments).encode(), 0o600)

    def seal(self, clock: Clock | None = None) -> DestructionRecord:
        """Close the session for ever: destroy lookup tables, key and link; a signed record stays.

        Call again to finish an interrupted sealing; a sealed session returns its record.

        Raises
        ------
        Unavailable
            A file could not be destroyed; nothing is lost, call again when it can.
        """
        with self._lock():
            if self.sealed:
                return self.record
            if self._head()["mode"] == Mode.PSEUDONYMOUS:
                raise Refused(
                    "session-pseudonymous",
                    "A pseudonymous session keeps its link at the site and is not sealed.",
                    remedy="Promote its complete cases to an anonymous session, and seal that one.",
                )
            if not self._journal.exists():
                write_json(self._journal, self._prepare(clock or self._clock).as_dict())
            record = DestructionRecord.load(self._journal)
            record.verify()
            self._destroy()
            record.write(self.folder / RECORD_NAME)
            self._journal.unlink(missing_ok=True)
        return record

    # --- inside the lock

    @property
    def _journal(self) -> Path:
        return self.folder / "sealing.json"

    @property
    def _link_file(self) -> Path:
        return self.folder / "link.enc"

    def _lock(self) -> Any:
        return vault.locked(self.folder / ".lock")

    def _head(self) -> dict[str, Any]:
        return {**asdict(Settings()), **json.loads((self.folder / "session.json").read_text())}

    def _begin(self, settings: Settings | None, taken: list[str], noise_key: bytes | None) -> None:
        head_file = self.folder / "session.json"
        if not head_file.exists():
            chosen = settings or Settings()
            PridPool(chosen.width_bits, taken, chosen.max_occupancy)
            ShiftWindow(chosen.window_days)
            opened = self._clock().isoformat(timespec="seconds")
            values = {name: getattr(chosen, name) for name in Settings.__slots__}
            write_json(head_file, {"session": secrets.token_hex(8), "opened": opened, **values})
        head = self._head()
        if settings and any(head[name] != getattr(settings, name) for name in Settings.__slots__):
            raise Misconfigured("intake-settings", "The session was opened with other settings.")
        if self.sealed or self._journal.exists():
            return
        if not self._link_file.exists():
            self._make_link(taken, noise_key)
        else:
            self._resume(taken, noise_key)

    def _make_link(self, taken: list[str], noise_key: bytes | None) -> None:
        if noise_key is not None and len(noise_key) != 32:
            raise Misconfigured("noise-key", "A noise key has 32 bytes.")
        vault.make_key(self.key_file, self._head()["session"])
        signing = Ed25519PrivateKey.generate().private_bytes_raw()
        noise = noise_key or secrets.token_bytes(32)
        self._write(Link(taken=taken, noise_key=noise.hex(), signing_key=signing.hex()))

    def _resume(self, taken: list[str], noise_key: bytes | None) -> None:
        link = self._read()
        if noise_key is not None and noise_key.hex() != link.noise_key:
            raise Misconfigured("noise-key", "The session was opened with another noise key.")
        own = {given.prid for given in link.assignments.values()}
        if more := sorted(set(taken) - own - set(link.taken)):
            link.taken = sorted({*link.taken, *more})
            self._pool(link)
            self._write(link)
        if link.draw_salts(self._rng):  # a session that was opened before UIDs had a secret
            self._write(link)

    def _read(self) -> Link:
        if self.sealed or self._journal.exists():
            raise Refused("session-sealed", "This intake session is sealed.", remedy=_REMEDY_SEALED)
        return Link.load(self._link_file, self.key_file, self._head()["session"])

    def _write(self, link: Link) -> None:
        link.save(self._link_file, self.key_file, self._head()["session"])

    def _pool(self, link: Link) -> PridPool:
        head = self._head()
        given = [assignment.prid for assignment in link.assignments.values()]
        return PridPool(head["width_bits"], [*link.taken, *given], head["max_occupancy"], self._rng)

    def _draw(self, link: Link, new: list[str]) -> None:
        pool, window = self._pool(link), ShiftWindow(self._head()["window_days"])
        moves = self._head()["mode"] == Mode.ANONYMOUS
        for name in new:
            link.assignments[name] = Assignment(pool.draw(), window.draw(self._rng) if moves else 0)
        link.draw_salts(self._rng)

    def _prepare(self, clock: Clock) -> DestructionRecord:
        link, head = self._read(), self._head()
        record = DestructionRecord(
            session=head["session"],
            opened=head["opened"],
            sealed=clock().isoformat(timespec="seconds"),
            patients=len(link.assignments),
            prids=tuple(sorted(given.prid for given in link.assignments.values())),
            window_days=head["window_days"],
            link_sha256=hashlib.sha256(self._link_file.read_bytes()).hexdigest(),
            lookup_tables=len(link.lookup_tables),
            lookup_tables_missing=sum(not Path(place).is_file() for place in link.lookup_tables),
        )
        return record.signed(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(link.signing_key)))

    def _destroy(self) -> None:
        """Tables first, as the link knows where they are; then the key; then the link."""
        session = self._head()["session"]
        try:
            if self.key_file.exists() and self._link_file.exists():
                for place in Link.load(self._link_file, self.key_file, session).lookup_tables:
                    vault.destroy(Path(place))
            vault.destroy(self.key_file)
            vault.destroy(self._link_file)
        except OSError as problem:
            raise Unavailable(
                "destroy",
                f"A file of the session could not be destroyed ({problem.strerror}).",
                remedy="Make key, link and lookup tables writable, then seal again.",
            ) from None
