"""Try a changed script on stored series: which attributes would change, told without any value."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lethe.header.anonymizer import Anonymizer, HeaderOutcome
from lethe.header.names import keyword
from lethe.header.objectfile import read_object
from lethe.header.raw import Dataset
from lethe.header.tree import object_files
from lethe.header.view import View

_SERIES, _MODALITY = 0x0020000E, 0x00080060
_CLASSES = (
    ("date", re.compile(rb"[0-9]{8}\Z")),
    ("age", re.compile(rb"[0-9]{3}[DWMY]\Z")),
    ("UID", re.compile(rb"[0-9]+(?:\.[0-9]+){2,}\Z")),
    ("number", re.compile(rb"[-+0-9.eE \\]+\Z")),
)
Steps = tuple[int, ...]


@dataclass(frozen=True)
class Change:
    """One attribute of one series that the new script treats in another way.

    Parameters
    ----------
    series : int
        Number of the series in the order in which it was met, from 1.
    modality : str
        What sort of series it is.
    attribute : str
        Keyword, with those of the sequences around it.
    old, new : str
        Class of the value with the old and with the new script: ``absent``, ``empty``, ``date``, ``age``,
        ``UID``, ``number``, ``text``, ``binary``, ``items``; ``other date`` where only the value differs.
    objects : int
        In how many objects.
    """

    series: int
    modality: str
    attribute: str
    old: str
    new: str
    objects: int

    def as_dict(self) -> dict[str, Any]:
        """Return the change for JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class Rehearsal:
    """What a changed script would do to stored series.

    Parameters
    ----------
    objects, series : int
        How many were tried.
    changes : tuple of Change
        By series and attribute; an object that only one of the scripts lets pass counts under the attribute
        ``(object)``.
    """

    objects: int
    series: int
    changes: tuple[Change, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the rehearsal for JSON."""
        return {
            "objects": self.objects,
            "series": self.series,
            "changes": [change.as_dict() for change in self.changes],
        }


def rehearse(
    old: Anonymizer, new: Anonymizer, folder: Path, *, progress: Callable[[int, int], None] | None = None
) -> Rehearsal:
    """Run both scripts over the objects of a folder and compare; nothing is written.

    Parameters
    ----------
    old, new : Anonymizer
        The script in use, and the changed one.
    folder : Path
        Stored DICOM objects, in any tree.
    progress : callable, optional
        Called with (objects done, all objects).
    """
    files = list(object_files(folder))
    numbers: dict[bytes, int] = {}
    modalities: dict[int, str] = {}
    counted: Counter[tuple[int, str, str, str]] = Counter()
    for done, path in enumerate(files, 1):
        with path.open("rb") as stream:
            view = View.of_file(stream)
            results = (_held(old.apply(view)), _held(new.apply(view)))
            root = (
                None if all(isinstance(one, HeaderOutcome) for one in results) else read_object(view).dataset
            )
        series = b"" if root is None else _raw(root, _SERIES)
        number = numbers.setdefault(series, len(numbers) + 1)
        modalities.setdefault(number, _modality(root))
        for attribute, before, after in _differences(*results):
            counted[number, attribute, before, after] += 1
        if progress is not None:
            progress(done, len(files))
    changes = tuple(
        Change(number, modalities[number], attribute, before, after, count)
        for (number, attribute, before, after), count in sorted(counted.items())
    )
    return Rehearsal(len(files), len(numbers), changes)


def _held(outcome: View | HeaderOutcome) -> Dataset | HeaderOutcome:
    if isinstance(outcome, HeaderOutcome):
        return outcome
    return read_object(outcome).dataset


def _raw(dataset: Dataset, tag: int) -> bytes:
    element = dataset.index.get(tag)
    return b"" if element is None else dataset.raw(element).rstrip(b" \0")


def _modality(root: Dataset | None) -> str:
    raw = b"" if root is None else _raw(root, _MODALITY)
    return raw.decode("ascii") if re.fullmatch(rb"[A-Z]{2,4}", raw) else "unknown"


def _differences(
    old: Dataset | HeaderOutcome, new: Dataset | HeaderOutcome
) -> Iterator[tuple[str, str, str]]:
    if isinstance(old, HeaderOutcome) or isinstance(new, HeaderOutcome):
        before, after = _fate(old), _fate(new)
        if before != after:
            yield "(object)", before, after
        return
    before_values, after_values = (dict(_values(dataset, ())) for dataset in (old, new))
    for path in sorted({*before_values, *after_values}):
        first, second = before_values.get(path), after_values.get(path)
        if first != second:
            one, other = _class(first), _class(second)
            yield " > ".join(map(keyword, path)), one, f"other {other}" if one == other else other


def _fate(outcome: Dataset | HeaderOutcome) -> str:
    return f"held ({outcome.code})" if isinstance(outcome, HeaderOutcome) else "passes"


def _values(dataset: Dataset, place: Steps) -> Iterator[tuple[Steps, list[tuple[str, bytes]]]]:
    found: dict[Steps, list[tuple[str, bytes]]] = {}
    for element in dataset.elements:
        path = (*place, element.tag)
        if element.vr == "SQ":
            items = dataset.items(element)
            found.setdefault(path, []).append(("SQ", b"items" if items else b""))
            for item in items:
                for inner, values in _values(item.dataset, path):
                    found.setdefault(inner, []).extend(values)
        else:
            found.setdefault(path, []).append((element.vr, dataset.raw(element).rstrip(b" \0")))
    yield from found.items()


def _class(values: list[tuple[str, bytes]] | None) -> str:
    if values is None:
        return "absent"
    vr, raw = next((value for value in values if value[1]), values[0])
    if not raw:
        return "empty"
    if vr == "SQ":
        return "items"
    if vr in ("US", "SS", "UL", "SL", "FL", "FD", "AT", "UV", "SV", "UN") or vr.startswith("O"):
        return "binary"
    return next((name for name, pattern in _CLASSES if pattern.match(raw)), "text")
