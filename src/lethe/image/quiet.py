"""pydicom, kept from saying what it reads."""

from __future__ import annotations

import logging
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from pydicom import config
from pydicom.errors import InvalidDicomError

# What a damaged file makes pydicom raise; each means: this file is not a whole DICOM object.
UNREADABLE = (
    InvalidDicomError,
    EOFError,
    OSError,
    ValueError,
    KeyError,
    AttributeError,
    TypeError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)


@contextmanager
def quiet_reading() -> Iterator[None]:
    """Keep pydicom from quoting values of the data in warnings and logs while it reads.

    Private elements whose length contradicts the VR that pydicom knows for them are taken as bytes.
    """
    logger = logging.getLogger("pydicom")

    def hold_back(record: logging.LogRecord) -> bool:
        return False

    logger.addFilter(hold_back)
    strict = config.convert_wrong_length_to_UN
    config.convert_wrong_length_to_UN = True
    try:
        with warnings.catch_warnings(), config.disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        config.convert_wrong_length_to_UN = strict
        logger.removeFilter(hold_back)
