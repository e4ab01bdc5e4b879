"""Scramble the linked clinical table of a collection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lethe.command.model import Command, Done, Job, Output
from lethe.command.provenance import keyed_inputs
from lethe.errors import Refused
from lethe.files import atomic_writer, write_json

if TYPE_CHECKING:
    from pandas import DataFrame

TABLE, KEY = "table.csv", "noise.key"
KEY_BYTES = 32


def work(job: Job) -> Done:
    """Scramble ``table.csv`` with ``noise.key`` into ``clinical``."""
    from lethe.clinical import Dictionary, scramble_table

    table_file, key = _required(job.input, TABLE), read_key(_required(job.input, KEY))
    dictionary = Dictionary.load()
    table = _read(table_file)
    job.say(f"input: {len(table)} rows, {len(table.columns)} variables")
    scrambled = scramble_table(table, dictionary, noise_key=key)
    folder = job.folder("clinical")
    _write(scrambled.table, folder)
    write_json(folder / "report.json", scrambled.report)
    inputs = keyed_inputs([table_file, job.input / KEY], key)
    return Done("scrambled", inputs, {"dictionary": "stroke"})


def _required(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise Refused(
            f"no-{path.suffix[1:]}-file",
            f"The input holds no {name}.",
            remedy="Put the linked table and the collection's noise key into CLINICAL_INTAKE.",
        )
    return path


def read_key(path: Path) -> bytes:
    """Return the collection's noise key: 32 bytes, written as 64 hexadecimal digits."""
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError as error:
        raise _bad_key() from error
    if len(key) != KEY_BYTES:
        raise _bad_key()
    return key


def _bad_key() -> Refused:
    return Refused(
        "noise-key",
        "noise.key is not a key of 32 bytes in hexadecimal digits.",
        remedy="Take the file that the intake session wrote.",
    )


def _read(path: Path) -> DataFrame:
    import pandas

    return pandas.read_csv(path, dtype=str, keep_default_na=False)


def _write(table: DataFrame, folder: Path) -> None:
    with atomic_writer(folder / "clinical.csv") as stream:
        table.to_csv(stream, index=False, lineterminator="\n", encoding="utf-8")
    table.to_parquet(folder / "clinical.parquet", index=False)


def self_test() -> None:
    """Load the dictionary and the table libraries."""
    import pyarrow.parquet  # noqa: F401

    from lethe.clinical import Dictionary

    Dictionary.load()


COMMAND = Command(
    name="scramble-clinical",
    summary="Scramble a linked clinical table so that rows can no longer be matched; outcomes stay exact.",
    needs="the CLINICAL_INTAKE resource of a project: table.csv and noise.key",
    outputs=(Output("clinical", "table as CSV and Parquet, dictionary, report, provenance"),),
    provenance_in="clinical",
    work=work,
    self_test=self_test,
    rooms=("lethe.clinical",),
)
