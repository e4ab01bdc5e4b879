"""Hashes and the cipher that the scripts use; they are CTP's, not a choice."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

_KEY = re.compile(r"[^A-Za-z0-9+/]")
_FILL = "tszyihnnphlyeaglle"


def number(text: str) -> str:
    """Return MD5 of the UTF-8 text as an unsigned decimal number."""
    return str(int(hashlib.md5(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest(), 16))


def cut(text: str, length: int | None) -> str:
    """Return the first `length` characters; all of them where `length` is None or below one."""
    return text if length is None or length < 1 else text[:length]


def uid(root: str, text: str) -> str:
    """Return a UID under `root` made from the hash of `text`, at most 64 characters."""
    root = root if root.endswith(".") else root + "."
    digits = number(text)
    return (root + ("9" if digits.startswith("0") else "") + digits)[:64]


def cipher_key(text: str) -> bytes:
    """Return the 16 byte key that a key text stands for."""
    kept = _KEY.sub("", text)
    while len(kept) < 22:
        kept += _FILL
    return base64.b64decode(kept[:22] + "==")


def encrypt(text: str, key: str) -> str:
    """Encrypt text with Blowfish in ECB mode; the result is base64 on one line."""
    raw = text.encode("utf-8", "replace")
    pad = 8 - len(raw) % 8
    return base64.b64encode(_blowfish(cipher_key(key), raw + bytes([pad]) * pad, decrypt=False)).decode()


def decrypt(text: str, key: str) -> str | None:
    """Undo `encrypt`; None where the text is no such cipher text."""
    try:
        raw = base64.b64decode(text)
    except (binascii.Error, ValueError):
        return None
    if not raw or len(raw) % 8:
        return None
    plain = _blowfish(cipher_key(key), raw, decrypt=True)
    pad = plain[-1]
    if not 1 <= pad <= 8 or plain[-pad:] != bytes([pad]) * pad:
        return None
    return plain[:-pad].decode("utf-8", "replace")


def _blowfish(key: bytes, data: bytes, *, decrypt: bool) -> bytes:
    from lethe.header.blowfish import Blowfish  # its tables cost half a second; few scripts need them

    cipher = Blowfish(key)
    step = cipher.decrypt_block if decrypt else cipher.encrypt_block
    return b"".join(step(data[i : i + 8]) for i in range(0, len(data), 8))
