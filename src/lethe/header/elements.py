"""Element names in arguments: ``this``, dictionary names, hex, paths, private elements."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lethe.header.names import tag_of_name
from lethe.header.raw import Dataset
from lethe.header.text import trim

_HEX = re.compile(r"[0-9a-fA-F]{1,8}\Z")
_PAIR = re.compile(r"([0-9a-fA-F]{1,4}),([0-9a-fA-F]{1,4})\Z")
_BLOCK = re.compile(r"([0-9a-fA-F]{1,4}),?\[(.*)\]([0-9a-fA-F]{1,2})\Z")
_BRACKETS = {"[": "]", "(": ")", "{": "}"}


@dataclass(frozen=True)
class PrivateTag:
    """A private element by group, creator and element byte."""

    group: int
    creator: str
    element: int

    def find(self, dataset: Dataset) -> int | None:
        """Return the tag under which `dataset` holds this element, None where its creator is absent."""
        for tag in dataset.index:
            if tag >> 16 == self.group and 0x10 <= tag & 0xFFFF <= 0xFF:
                text = dataset.raw(dataset.index[tag]).decode("latin-1").strip(" \0")
                if text == self.creator:
                    return self.group << 16 | (tag & 0xFF) << 8 | self.element
        return None


@dataclass(frozen=True)
class Name:
    """A parsed element name.

    Parameters
    ----------
    root : bool
        Whether the name starts at the outermost dataset.
    path : tuple
        Tags from outside in; None stands for ``this`` or for a name nobody knows.
    this : bool
        Whether the last step is the element being processed.
    """

    root: bool
    path: tuple[int | PrivateTag | None, ...]
    this: bool = False

    @property
    def known(self) -> bool:
        """Whether every step of the name is known."""
        return self.this or None not in self.path


class Elements:
    """Parses element names and remembers them.

    Parameters
    ----------
    aliases : mapping
        Names of private rules, lower case, to their tags.
    """

    def __init__(self, aliases: Mapping[str, int | PrivateTag]) -> None:
        self._aliases = aliases
        self._parsed: dict[str, Name] = {}

    def parse(self, text: str) -> Name:
        """Return the meaning of an element name."""
        known = self._parsed.get(text)
        if known is None:
            known = self._parsed[text] = self._parse(trim(text))
        return known

    def _parse(self, text: str) -> Name:
        root = text.startswith("root:") and not text.startswith("root::")
        if root:
            text = trim(text[5:])
        if text == "this":
            return Name(root, (None,), this=True)
        return Name(root, tuple(self._step(trim(step)) for step in text.split("::")))

    def _step(self, text: str) -> int | PrivateTag | None:
        tag = tag_of_name(text)
        if tag is not None:
            return tag
        bare = text
        if bare and bare[0] in _BRACKETS and bare[-1] == _BRACKETS[bare[0]]:
            bare = trim(bare[1:-1])
        if _HEX.match(bare):
            return int(bare, 16)
        pair = _PAIR.match(bare)
        if pair:
            return int(pair[1], 16) << 16 | int(pair[2], 16)
        alias = self._aliases.get(text.lower())
        if alias is not None:
            return alias
        block = _BLOCK.match(bare)
        if block:
            return PrivateTag(int(block[1], 16), block[2], int(block[3], 16))
        return None


def locate(name: Name, dataset: Dataset, this: int | None) -> tuple[Dataset, int] | None:
    """Return the dataset and tag that a name points to; None where a step is unknown or absent."""
    here = dataset.root if name.root else dataset
    if name.this:
        return None if this is None else (here, this)
    for step in name.path[:-1]:
        tag = step.find(here) if isinstance(step, PrivateTag) else step
        element = None if tag is None else here.index.get(tag)
        if element is None or element.vr != "SQ":
            return None
        items = here.items(element)
        if not items:
            return None
        here = items[0].dataset
    last = name.path[-1]
    tag = last.find(here) if isinstance(last, PrivateTag) else last
    return None if tag is None else (here, tag)
