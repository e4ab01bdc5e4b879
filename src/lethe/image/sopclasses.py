"""Names of SOP classes in DICOM's words (PS3.6 table A-1)."""

from __future__ import annotations

from functools import cache

_STORAGE = "1.2.840.10008.5.1.4.1.1."
# The commonest ones, so that pydicom is loaded for the others alone.
_COMMON = {
    "2": "CT Image Storage",
    "2.1": "Enhanced CT Image Storage",
    "2.2": "Legacy Converted Enhanced CT Image Storage",
    "4": "MR Image Storage",
    "4.1": "Enhanced MR Image Storage",
    "4.4": "Legacy Converted Enhanced MR Image Storage",
    "7": "Secondary Capture Image Storage",
    "12.1": "X-Ray Angiographic Image Storage",
    "12.1.1": "Enhanced XA Image Storage",
}
VOLUMES = frozenset(_STORAGE + part for part in ("2", "2.1", "2.2", "4", "4.1", "4.4"))
"""UIDs of the classes that can be volumes of CT or MR."""


@cache
def sop_class_name(uid: str) -> str:
    """Return the name of a SOP class; the UID itself when the standard has no such class.

    Parameters
    ----------
    uid : str
        As in SOPClassUID.

    Examples
    --------
    >>> sop_class_name("1.2.840.10008.5.1.4.1.1.4.1")
    'Enhanced MR Image Storage'
    """
    name = _COMMON.get(uid.removeprefix(_STORAGE)) if uid.startswith(_STORAGE) else None
    if name is None:
        from pydicom.uid import UID

        name = UID(uid).name
    return name
