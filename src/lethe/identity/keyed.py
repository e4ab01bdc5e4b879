"""Pseudonyms that a site computes with a key of its own, for networks that ask for it.

The key stays at the clinic; partners cannot reverse the pseudonym, and the same patient has the same one in
every delivery. It is a pseudonym and not an anonymous identifier: who has the key can compute it again.
"""

from __future__ import annotations

import hashlib
import hmac

from lethe.errors import Misconfigured

_KEY_BYTES = 32


def pseudonym(original: str, site_key: bytes) -> str:
    """Return HMAC with SHA-512/256 of an original identifier, 64 hexadecimal digits.

    Parameters
    ----------
    original : str
        PatientID; blanks at both ends do not count.
    site_key : bytes
        At least 32 bytes from a secure random source. Without a key, short identifiers could be tried out.

    Raises
    ------
    Misconfigured
        The key is too short, or this Python has no SHA-512/256.
    """
    if len(site_key) < _KEY_BYTES:
        raise Misconfigured("site-key", f"The key of the site has fewer than {_KEY_BYTES} bytes.")
    if "sha512_256" not in hashlib.algorithms_available:
        raise Misconfigured("sha512-256", "The OpenSSL of this Python has no SHA-512/256.")
    return hmac.new(site_key, original.strip().encode(), "sha512_256").hexdigest()
