"""Scramble the linked clinical table of a collection."""

from __future__ import annotations

from pathlib import Path

from lethe.command.inputs import counted
from lethe.command.model import Command, Done, Job, Output
from lethe.command.provenance import keyed_inputs
from lethe.errors import Refused

TABLE, KEY = "table.csv", "noise.key"
KEY_BYTES = 32


def work(job: Job) -> Done:
    """Scramble ``table.csv`` with ``noise.key`` into ``clinical``."""
    from lethe.clinical import PRID, Dictionary, read_table, scramble_table
    from lethe.clinical.release import write_release

    table_file, key = _required(job.input, TABLE), read_key(_required(job.input, KEY))
    dictionary = Dictionary.load()
    table = read_table(table_file, dictionary, patient_column=PRID)
    job.say(f"input: {counted(table.index, 'row')}, {counted(table.columns, 'column')}")
    scrambled = scramble_table(table, dictionary, noise_key=key)
    write_release(scrambled, dictionary, job.folder("clinical"))
    job.say(
        f"scrambled: {counted(scrambled.table.index, 'row')}, {counted(scrambled.table.columns, 'column')}"
    )
    inputs = keyed_inputs([table_file, job.input / KEY], key)
    return Done(
        "scrambled", inputs, {"dictionary": dictionary.name, "dictionary_version": dictionary.version}
    )


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
        "noise-key-file",
        "noise.key is not a key of 32 bytes in hexadecimal digits.",
        remedy="Take the file that the intake session wrote.",
    )


def self_test() -> None:
    """Load the dictionary and the table libraries."""
    import lethe.clinical.release  # noqa: F401
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
