"""Files of an intake session: one lock, an encrypted link, a key apart from it, and their destruction."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lethe.errors import Misconfigured, Refused
from lethe.files import sync_folder, write_bytes, write_json

_NONCE_BYTES = 12


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the exclusive lock file `path`; other processes and threads wait."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def make_key(path: Path, session_id: str) -> bytes:
    """Return the key of the session, writing a new one (mode 0600) when there is none.

    Raises
    ------
    Misconfigured
        The file belongs to another session, or others may read it.
    """
    if not path.exists():
        write_json(path, {"session": session_id, "key": secrets.token_hex(32)}, 0o600)
    return read_key(path, session_id)


def read_key(path: Path, session_id: str) -> bytes:
    """Return the 32 bytes of the key; raise `Refused` without the file, `Misconfigured` on a wrong one."""
    try:
        mode, text = path.stat().st_mode, path.read_text()
    except FileNotFoundError:
        raise Refused(
            "intake-key-missing",
            "The key file of this intake session is not there; the link cannot be read without it.",
            remedy="Name the key file that was made when the session was opened.",
        ) from None
    if mode & 0o077:
        raise Misconfigured(
            "intake-key-open", "Others may read the key file.", remedy="Set its mode to 0600 (chmod 600)."
        )
    try:
        content = json.loads(text)
        owner, key = content["session"], bytes.fromhex(content["key"])
    except (ValueError, KeyError, TypeError):
        raise Misconfigured("intake-key-form", "The key file is not one of an intake session.") from None
    if owner != session_id or len(key) != 32:
        raise Misconfigured(
            "intake-key-other",
            "The key file belongs to another intake session.",
            remedy="Give every session a key file of its own.",
        )
    return key


def write_encrypted(path: Path, value: Any, key: bytes, context: str) -> None:
    """Write `value` as JSON under AES-256-GCM, whole or not at all; `context` is bound to the text."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    plain = json.dumps(value, sort_keys=True, ensure_ascii=False).encode()
    write_bytes(path, nonce + AESGCM(key).encrypt(nonce, plain, context.encode()), 0o600)


def read_encrypted(path: Path, key: bytes, context: str) -> Any:
    """Return what `write_encrypted` wrote; raise `Refused` when key or bytes are not the right ones."""
    data = path.read_bytes()
    try:
        plain = AESGCM(key).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], context.encode())
    except (InvalidTag, ValueError):
        raise Refused(
            "intake-link-unreadable",
            "The link of this session does not open with this key: key or file was changed.",
            remedy="Restore both from the same backup.",
        ) from None
    return json.loads(plain)


def destroy(path: Path) -> bool:
    """Overwrite and remove a file and what an interrupted write of it left; return whether it was there.

    Overwriting is best effort (flash storage and copying file systems keep old blocks); what makes the
    link unreadable is that its key is gone.
    """
    there = path.is_file()
    if there:
        # first out of the way: a kill while overwriting must not leave half a file under its name
        path.rename(path.with_name(f".{path.name}.destroyed.partial"))
    remains = list(path.parent.glob(f".{_glob_safe(path.name)}.*.partial")) if path.parent.is_dir() else []
    for victim in remains:
        with victim.open("r+b") as stream:
            stream.write(secrets.token_bytes(victim.stat().st_size))
            stream.flush()
            os.fsync(stream.fileno())
            stream.truncate(0)
        victim.unlink()
    if remains:
        sync_folder(path.parent)
    return there


def _glob_safe(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
