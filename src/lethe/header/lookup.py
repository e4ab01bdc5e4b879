"""Lookup tables and running numbers: the two memories a script can use."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from lethe.errors import Misconfigured
from lethe.files import write_json
from lethe.header.properties import entries
from lethe.header.text import trim

_HOPS = 9


class LookupTable(Mapping[str, str]):
    """A lookup table: ``type/key`` to value.

    Parameters
    ----------
    values : mapping of str to str
        Values by ``type/key``.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, key: str) -> str:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"LookupTable({len(self)} entries)"

    @property
    def types(self) -> frozenset[str]:
        """The key types that have at least one entry."""
        return frozenset(key.partition("/")[0] for key in self._values)

    def find(self, kind: str, key: str) -> str | None:
        """Return the value under ``kind/key``, following at most 9 references; None where there is none."""
        name = trim(f"{kind}/{key}")
        for _ in range(_HOPS):
            value = self._values.get(name)
            if value is None:
                return None
            value = trim(value)
            if not (value.startswith("@") and "/" in value):
                return value
            name = value[1:]
        return None


def read_lookup(text: str) -> LookupTable:
    """Read the text of a table; the last of several equal keys wins, as in CTP."""
    return LookupTable({key: value for _, key, value in entries(text)})


def load_lookup(path: Path, *, as_ctp: bool = False) -> LookupTable:
    """Read a lookup table in Java properties syntax (UTF-8).

    Parameters
    ----------
    path : Path
        The table.
    as_ctp : bool
        Do as CTP does: a CSV table loads nothing, a doubled key takes its last value.

    Returns
    -------
    LookupTable

    Raises
    ------
    Misconfigured
        The file is missing or not text; it is a CSV table; a key is there twice with two values. The message
        names line numbers, never a key: keys are patient identifiers.
    """
    if path.suffix.lower() == ".csv":
        if as_ctp:
            return LookupTable({})
        raise Misconfigured(
            "lookup-csv",
            "CTP loads nothing from a CSV lookup table.",
            remedy="Write the table in Java properties syntax, one type/key=value on a line.",
        )
    try:
        text = path.read_bytes().decode("utf-8-sig")
        lines = list(entries(text))
    except OSError:
        raise Misconfigured(
            "lookup-missing", "The lookup table cannot be read.", remedy="Name an existing file."
        ) from None
    except ValueError:
        raise Misconfigured(
            "lookup-encoding", "The lookup table is not UTF-8 text.", remedy="Save it as UTF-8."
        ) from None
    if not as_ctp:
        _no_duplicates(lines)
    return LookupTable({key: value for _, key, value in lines})


def _no_duplicates(lines: list[tuple[int, str, str]]) -> None:
    seen: dict[str, tuple[int, str]] = {}
    for number, key, value in lines:
        first = seen.setdefault(key, (number, value))
        if first[1] != value:
            raise Misconfigured(
                "lookup-duplicate",
                f"Lines {first[0]} and {number} of the lookup table give one key two values.",
                remedy="Leave one of them.",
            )


class IntegerTable:
    """Running numbers of `@integer`, by type and value.

    Parameters
    ----------
    path : Path, optional
        Where the numbers are kept between runs; None keeps them in memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._numbers: dict[str, dict[str, int]] = {}
        if path is not None and path.exists():
            self._numbers = json.loads(path.read_bytes())

    def number(self, kind: str, value: str) -> int:
        """Return the number of `value`, a new one where it has none; numbers begin with 1."""
        numbers = self._numbers.setdefault(kind, {})
        if value not in numbers:
            numbers[value] = len(numbers) + 1
            if self._path is not None:
                write_json(self._path, self._numbers, 0o600)
        return numbers[value]
