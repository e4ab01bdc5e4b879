"""UIDs that follow from the content: the same input gives the same UID, another content another one."""

from __future__ import annotations

import hashlib
import uuid

IMPLEMENTATION_UID = "2.25.171604291826310443205071893046318402117"
"""Names this program in the file meta information."""


def derived_uid(*parts: str) -> str:
    """Return a UID under 2.25 that follows from `parts` alone.

    Parameters
    ----------
    *parts : str
        What must differ for the UID to differ: old UID, digest of the content, version of the program.

    Returns
    -------
    str
        At most 44 characters.

    Examples
    --------
    >>> derived_uid("a", "b") == derived_uid("a", "b") != derived_uid("ab", "")
    True
    """
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return f"2.25.{uuid.UUID(bytes=digest.digest()[:16], version=5).int}"
