"""The noise key of a collection as a file: 64 hexadecimal digits and a line feed."""

from __future__ import annotations

from pathlib import Path

from lethe.errors import Misconfigured, Refused
from lethe.files import write_bytes


def read_noise_key(path: Path) -> bytes:
    """Return the 32 bytes of the key; raise `Misconfigured` when the file does not hold one."""
    try:
        key = bytes.fromhex(path.read_text().strip())
    except FileNotFoundError:
        raise Misconfigured(
            "noise-key", "The noise key does not exist.", remedy="It lies beside the linked table: noise.key."
        ) from None
    except ValueError:
        key = b""
    if len(key) != 32:
        raise Misconfigured("noise-key", "The noise key is not 64 hexadecimal digits.")
    return key


def write_noise_key(path: Path, key: bytes) -> None:
    """Write the key (mode 0600); raise `Refused` when another one lies there.

    A second key would draw new noise for patients that were released before; who averages the two releases
    learns more than one release tells.
    """
    if path.exists() and read_noise_key(path) != key:
        raise Refused(
            "noise-key-other",
            "Another noise key lies in the folder.",
            remedy="Open the intake session with the noise key of the collection.",
        )
    write_bytes(path, key.hex().encode() + b"\n", 0o600)
