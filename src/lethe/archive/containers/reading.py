"""Read JSON objects field by field and collect every mistake instead of stopping at the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]


class FieldReader:
    """Typed access to one JSON object; mistakes go into a shared list.

    Parameters
    ----------
    value : object
        The decoded JSON; anything but an object is itself a mistake.
    where : str
        How to call this object in a mistake (``"input 'bids'"``).
    mistakes : list of str
        Receives one sentence per mistake.
    """

    def __init__(self, value: object, where: str, mistakes: list[str]) -> None:
        self.where = where
        self.mistakes = mistakes
        if not isinstance(value, Mapping):
            self.mistakes.append(f"{where} must be a JSON object.")
            value = {}
        self.value: Json = value

    def wrong(self, sentence: str) -> None:
        """Note a mistake in this object."""
        self.mistakes.append(f"{self.where}: {sentence}")

    def text(self, key: str, default: str = "") -> str:
        """Return a text field; numbers and booleans are taken in their JSON spelling, as XNAT does."""
        value = self.optional_text(key)
        return default if value is None else value

    def optional_text(self, key: str) -> str | None:
        """Return a text field or None where it is missing or null."""
        value = self.value.get(key)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(value)
        self.wrong(f"'{key}' must be a text.")
        return None

    def required_text(self, key: str) -> str:
        """Return a text field that may not be blank."""
        value = self.text(key).strip()
        if not value:
            self.wrong(f"'{key}' is missing or blank.")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        """Return a boolean; the words true and false count as well."""
        value = self.value.get(key)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        self.wrong(f"'{key}' must be true or false.")
        return default

    def number(self, key: str) -> float | None:
        """Return a number of at least zero, or None where it is missing."""
        value = self.value.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            self.wrong(f"'{key}' must be a number of at least zero.")
            return None
        return float(value)

    def choice(self, key: str, allowed: Sequence[str], default: str) -> str:
        """Return one of the allowed words in its listed spelling; upper and lower case are the same."""
        value = self.text(key, default).strip() or default
        for word in allowed:
            if word.lower() == value.lower():
                return word
        self.wrong(f"'{key}' must be one of {', '.join(w for w in allowed if w)}.")
        return default

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self.value.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.wrong(f"'{key}' must be a list of texts.")
            return ()
        return tuple(value)

    def mapping(self, key: str) -> dict[str, str]:
        """Return an object whose values are texts."""
        value = self.value.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping) or not all(
            isinstance(v, str | int | float) for v in value.values()
        ):
            self.wrong(f"'{key}' must be an object of texts.")
            return {}
        return {str(name): str(text) for name, text in value.items()}

    def objects(self, key: str, noun: str) -> list[FieldReader]:
        """Return readers for a list of objects, each named after its ``name``."""
        value = self.value.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.wrong(f"'{key}' must be a list.")
            return []
        prefix = "" if self.where == "The command" else f"{self.where}, "
        readers = []
        for index, item in enumerate(value):
            name = item.get("name") if isinstance(item, Mapping) else None
            readers.append(FieldReader(item, f"{prefix}{noun} '{name or index}'", self.mistakes))
        return readers


def unique(readers: FieldReader, names: Sequence[str], noun: str) -> None:
    """Note a mistake for each name that occurs twice."""
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        readers.wrong(f"two {noun}s are called '{name}'.")
