"""Real vendor objects from pydicom's packaged test data, with planted identifiers."""

from __future__ import annotations

from pathlib import Path

import pydicom
from pydicom.data import get_testdata_file

from kit.people import Person
from kit.planting import plant, uid

# What comes inside pydicom's own wheel: nothing is downloaded.
SAMPLES: dict[str, str] = {
    "ct-ge": "CT_small.dcm",
    "mr-toshiba": "MR_small.dcm",
    "mr-implicit": "MR_small_implicit.dcm",
    "mr-big-endian": "MR_small_bigendian.dcm",
    "mr-rle": "MR_small_RLE.dcm",
    "mr-jpeg-ls": "MR_small_jpeg_ls_lossless.dcm",
    "mr-jpeg-2000": "MR_small_jp2klossless.dcm",
    "mr-siemens-mpr": "examples_overlay.dcm",
    "ct-jpeg-2000": "J2K_pixelrep_mismatch.dcm",
    "capture-rgb": "SC_rgb_jpeg_dcmtk.dcm",
    "ultrasound": "examples_rgb_color.dcm",
    "report": "test-SR.dcm",
}


def write_sample(name: str, folder: Path, *, person: Person, study: int = 0) -> list[Path]:
    """Write a vendor's object as a series of its own, with the person's identifiers planted.

    Parameters
    ----------
    name : str
        A key of `SAMPLES`.
    folder : Path
        Created; receives one file.
    person : Person
        Whose identifiers are planted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source = get_testdata_file(SAMPLES[name], download=False)
    if source is None:
        raise FileNotFoundError(name)
    dataset = pydicom.dcmread(str(source))
    plant(dataset, person, study=study)
    dataset.SeriesInstanceUID = uid(person.patient_id, "sample", study, name)
    dataset.SOPInstanceUID = uid(dataset.SeriesInstanceUID, 1)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    path = folder / "0001.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return [path]
