"""The files of a released table."""

from __future__ import annotations

from pathlib import Path

from lethe.clinical.dictionary import Dictionary
from lethe.clinical.scramble import Scrambled
from lethe.clinical.scramble_page import as_scramble_page
from lethe.clinical.table import write_table
from lethe.files import atomic_writer, write_bytes, write_json


def write_release(released: Scrambled, dictionary: Dictionary, folder: Path) -> list[Path]:
    """Write ``clinical.csv``, ``clinical.parquet``, ``dictionary.json``, ``report.json`` and ``report.html``.

    Parameters
    ----------
    released : Scrambled
    dictionary : Dictionary
    folder : Path
        Must exist. Equal inputs give equal bytes.

    Returns
    -------
    list of Path
        The five files.
    """
    names = ("clinical.csv", "clinical.parquet", "dictionary.json", "report.json", "report.html")
    table, parquet, described, report, page = (folder / name for name in names)
    write_table(released.table, table)
    with atomic_writer(parquet) as stream:
        released.table.astype("string").to_parquet(stream, index=False, compression="zstd")
    write_json(described, dictionary.as_dict(released=True))
    write_json(report, released.report.as_dict())
    write_bytes(page, as_scramble_page(released.report, dictionary.title).encode())
    return [table, parquet, described, report, page]
