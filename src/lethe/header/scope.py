"""What a function can see: the original object, the script's parameters and its memories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from lethe.header.calls import Abort
from lethe.header.elements import Elements, PrivateTag, locate
from lethe.header.functions import evaluate
from lethe.header.lookup import IntegerTable, LookupTable
from lethe.header.raw import Dataset
from lethe.header.script import Rule
from lethe.header.values import Reader

METHOD_CODES = 0x00120064


def inserts(rules: Mapping[int, Rule]) -> dict[int, Rule]:
    """Return the rules that insert an absent element."""
    return {
        tag: rule
        for tag, rule in rules.items()
        if tag >> 16 != 2 and (rule.expression.always or tag == METHOD_CODES)
    }


@dataclass(frozen=True)
class Surroundings:
    """What stays the same while one object is worked on."""

    root: Dataset
    meta: Mapping[int, str]
    reader: Reader
    elements: Elements
    parameters: Mapping[str, str]
    rules: Mapping[int, Rule]
    inserting: Mapping[int, Rule]
    lookup: LookupTable | None
    integers: IntegerTable
    now: datetime
    strict: bool


class Scope:
    """The place where one element script is evaluated.

    Parameters
    ----------
    around : Surroundings
        The object and the script.
    dataset : Dataset
        The dataset or item that holds the element.
    tag : int
        The element.
    depth : int
        How many scripts called each other to come here.
    """

    __slots__ = ("_around", "dataset", "depth", "processed", "tag")

    def __init__(self, around: Surroundings, dataset: Dataset, tag: int, depth: int = 0) -> None:
        self._around = around
        self.dataset = dataset
        self.tag = tag
        self.depth = depth
        self.processed = False

    @property
    def strict(self) -> bool:
        """Whether what CTP lets pass is refused."""
        return self._around.strict

    @property
    def now(self) -> datetime:
        """The time of this run."""
        return self._around.now

    @property
    def present(self) -> bool:
        """Whether the element exists in the object."""
        return self.tag in self.dataset.index

    @property
    def outer(self) -> Scope:
        """The scope of the dataset around this item; itself at the outermost."""
        parent = self.dataset.parent
        return self if parent is None else Scope(self._around, parent, self.tag, self.depth)

    def text(self, name: str) -> str | None:
        """Return the contents of a named element; None where it is missing."""
        place = locate(self._around.elements.parse(name), self.dataset, self.tag)
        if place is None:
            return None
        dataset, tag = place
        if tag >> 16 == 2:
            return self._around.meta.get(tag)
        return self._around.reader.text(dataset, tag)

    def exists(self, name: str) -> bool:
        """Say whether the current dataset holds a named element."""
        parsed = self._around.elements.parse(name)
        if parsed.root or len(parsed.path) > 1:
            return False
        step = parsed.path[0]
        tag = self.tag if parsed.this else step.find(self.dataset) if isinstance(step, PrivateTag) else step
        return tag in self.dataset.index

    def parameter(self, text: str) -> str | None:
        """Return a parameter for ``@NAME`` or ``$NAME``, any other text as it is."""
        if text[:1] in ("@", "$"):
            return self._around.parameters.get(text[1:])
        return text

    def script_of(self, name: str) -> str:
        """Return what the script of another element gives in this dataset."""
        place = locate(self._around.elements.parse(name), self.dataset, self.tag)
        rule = None if place is None else self._around.rules.get(place[1])
        if place is None or rule is None:
            return ""
        if self.depth > 100:
            raise Abort
        return evaluate(rule.expression, Scope(self._around, self.dataset, place[1], self.depth + 1))

    def table(self, kind: str, key: str) -> str | None:
        """Return the value of the lookup table, None where it has none."""
        lookup = self._around.lookup
        return None if lookup is None else lookup.find(kind.strip(), key)

    def number(self, kind: str, value: str) -> int:
        """Return the running number of a value."""
        return self._around.integers.number(kind, value)

    def process(self) -> None:
        """Ask for the items of this sequence to be worked on."""
        self.processed = True
