"""Values of inputs: the tree from the root object down, then the command's own inputs. No I/O of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lethe.archive.containers.matcher import matches
from lethe.archive.containers.model import Command, CommandInput, Wrapper, WrapperInput
from lethe.archive.containers.parse import derivation_order
from lethe.archive.containers.shell import Fragment, Words, fill_text
from lethe.errors import Refused

Json = Mapping[str, Any]


class Load(Protocol):
    """Reads objects of the archive."""

    def __call__(self, uri: str, lists: str = "") -> Json:
        """Return the JSON of the object at an archive URI; `lists` names a list that must be in it.

        Raises
        ------
        Refused
            There is no such object, or the caller may not read it.
        """
        ...


class Ambiguous(Refused):
    """Several objects or values fit an input that takes one; `choices` are (value, label) of each."""

    def __init__(self, name: str, choices: Sequence[tuple[str, str]]) -> None:
        super().__init__(
            "object-ambiguous",
            f"{len(choices)} objects fit input '{name}', and it takes one.",
            remedy=f"Name one of them as '{name}'.",
        )
        self.name = name
        self.choices = tuple(choices)


_CHILD_LISTS = {
    ("Project", "Subject"): "subjects",
    ("Project", "Session"): "sessions",
    ("Project", "Resource"): "resources",
    ("Project", "ProjectAsset"): "assets",
    ("Subject", "Session"): "sessions",
    ("Subject", "Resource"): "resources",
    ("Subject", "SubjectAssessor"): "subject-assessors",
    ("Session", "Scan"): "scans",
    ("Session", "Assessor"): "assessors",
    ("Session", "Resource"): "resources",
    ("Scan", "Resource"): "resources",
    ("Assessor", "Resource"): "resources",
    ("SubjectAssessor", "Resource"): "resources",
    ("ProjectAsset", "Resource"): "resources",
    ("Resource", "File"): "files",
    ("Resource", "File[]"): "files",
}
_PARENTS = {
    "Project": "project-uri",
    "Subject": "subject-uri",
    "Session": "session-uri",
    "Scan": "parent-uri",
}


@dataclass(frozen=True, slots=True)
class Resolved:
    """An input with its value; `values` has more than one entry for ``multiple`` and select-many only.

    `kind` is ``wrapper-external``, ``wrapper-derived`` or ``command``; `objects` are the archive objects
    behind the values, empty for plain values; `words` is what replaces the key in a command line.
    """

    kind: str
    name: str
    key: str
    values: tuple[str, ...] = ()
    objects: tuple[Json, ...] = ()
    sensitive: bool = False
    words: Words = ()
    raw: str | None = None

    @property
    def value(self) -> str:
        """The value as one text, several joined with commas."""
        return ",".join(self.values)


@dataclass(slots=True)
class Inputs:
    """All resolved inputs of one run by name."""

    wrapper: dict[str, Resolved] = field(default_factory=dict)
    command: dict[str, Resolved] = field(default_factory=dict)

    def texts(self) -> dict[str, str]:
        """Return key -> value for texts that no shell reads; command inputs win over wrapper inputs."""
        return {item.key: item.value for item in (*self.wrapper.values(), *self.command.values())}

    def words(self) -> dict[str, Words]:
        """Return key -> fragments for the command line."""
        return {item.key: item.words for item in (*self.wrapper.values(), *self.command.values())}


def resolve_inputs(command: Command, wrapper: Wrapper, params: Mapping[str, str], load: Load) -> Inputs:
    """Give every input of a wrapper and its command a value.

    Parameters
    ----------
    command, wrapper
        The definition, with the settings of site and project applied.
    params : mapping
        What the caller gave, by input name.
    load : Load
        Reads objects of the archive.

    Raises
    ------
    Refused
        ``input-missing``, ``input-invalid``, ``object-does-not-match``, ``object-ambiguous``; whatever
        `load` raises.
    """
    inputs = Inputs()
    for item in wrapper.external:
        inputs.wrapper[item.name] = _external(item, params, load, inputs)
    for item in derivation_order(wrapper):
        inputs.wrapper[item.name] = _derived(item, inputs.wrapper[item.source], params, load)
    providers = {
        item.command_input: inputs.wrapper[item.name] for item in wrapper.inputs if item.command_input
    }
    for entry in command.inputs:
        inputs.command[entry.name] = _command_input(entry, providers.get(entry.name), params, inputs)
    return inputs


# ---- wrapper inputs ---------------------------------------------------------------------------------------


def _given(item: WrapperInput, params: Mapping[str, str]) -> str | None:
    return params.get(item.name) if item.user_settable else None


def _external(item: WrapperInput, params: Mapping[str, str], load: Load, known: Inputs) -> Resolved:
    given = _given(item, params)
    if given is None and item.default is not None:
        given = fill_text(item.default, known.texts())
    if not given:
        return _absent("wrapper-external", item)
    if not item.is_object:
        return _plain("wrapper-external", item, (given,))
    lists = next((name for name in ("subjects", "sessions") if f"@.{name}" in item.matcher), "")
    found = load(given, lists)
    if found.get("type") != item.type:
        raise Refused("input-invalid", f"Input '{item.name}' must name a {item.type}.")
    if not matches(item.matcher, found):
        raise Refused(
            "object-does-not-match",
            f"The {item.type} given for '{item.name}' does not meet this command's condition {item.matcher}.",
            remedy="Launch it on an object that does.",
        )
    return _of_objects("wrapper-external", item, (found,))


def _derived(item: WrapperInput, source: Resolved, params: Mapping[str, str], load: Load) -> Resolved:
    if not source.objects:
        given = _given(item, params)
        return _plain("wrapper-derived", item, (given,)) if given else _absent("wrapper-derived", item)
    candidates = [found for parent in source.objects for found in _candidates(item, parent, load)]
    if item.is_object or item.type.startswith("File"):
        picked = _pick(item, [c for c in candidates if matches(item.matcher, c)], params)
        return _of_objects("wrapper-derived", item, picked) if picked else _absent("wrapper-derived", item)
    texts = _pick(item, [_property(item, candidate) for candidate in candidates], params)
    return _plain("wrapper-derived", item, tuple(texts)) if texts else _absent("wrapper-derived", item)


def _candidates(item: WrapperInput, parent: Json, load: Load) -> Sequence[Json]:
    kind = str(parent.get("type"))
    if not (item.is_object or item.type.startswith("File")):
        return [parent]
    listed = _CHILD_LISTS.get((kind, item.type))
    if listed is not None:
        if listed not in parent:
            parent = load(str(parent["uri"]), listed)
        return list(parent.get(listed, ()))
    above = parent.get(_PARENTS.get(item.type, ""))
    if not above:
        return []
    found = load(str(above))
    return [found] if found.get("type") == item.type else []


def _property(item: WrapperInput, parent: Json) -> str:
    value = parent.get(item.prop)
    return "" if value is None else str(value)


def _pick(item: WrapperInput, found: Sequence[Any], params: Mapping[str, str]) -> Sequence[Any]:
    given = _given(item, params)
    if given:
        chosen = [entry for entry in found if given in _names(entry)]
        if not chosen:
            raise Refused("input-invalid", f"The value for '{item.name}' is not one of those that fit.")
        return chosen[:1]
    if len(found) > 1 and not item.multiple:
        raise Ambiguous(item.name, [_choice(entry) for entry in found])
    return [entry for entry in found if entry != ""]


def _choice(entry: Any) -> tuple[str, str]:
    """Return what names an entry in a launch, and what it is called for people."""
    if not isinstance(entry, Mapping):
        return str(entry), str(entry)
    value = str(entry.get("uri") or entry.get("id") or "")
    described = str(entry.get("series-description") or entry.get("scan-type") or "")
    label = str(entry.get("label") or entry.get("name") or value)
    return value, f"{label} ({described})" if described else label


def _names(entry: Any) -> set[str]:
    if isinstance(entry, Mapping):
        return {str(entry[key]) for key in ("uri", "id", "label", "name") if entry.get(key) is not None}
    return {str(entry)}


def _absent(kind: str, item: WrapperInput) -> Resolved:
    if item.default is not None and not item.is_object:
        return _plain(kind, item, (item.default,))
    if item.required:
        raise Refused("input-missing", f"Input '{item.name}' is required and nothing fits or was given.")
    return Resolved(kind, item.name, item.key, sensitive=item.sensitive)


def _plain(kind: str, item: WrapperInput, values: tuple[str, ...]) -> Resolved:
    words = (Fragment(" ".join(values)),)
    return Resolved(kind, item.name, item.key, values, (), item.sensitive, words, values[0])


def _of_objects(kind: str, item: WrapperInput, objects: Sequence[Json]) -> Resolved:
    # an object read through a property of its own stands for that property, else for its URI
    values = tuple(_property(item, found) if item.prop else str(found.get("uri", "")) for found in objects)
    words = (Fragment(" ".join(values)),)
    return Resolved(kind, item.name, item.key, values, tuple(objects), item.sensitive, words, values[0])


# ---- command inputs ---------------------------------------------------------------------------------------


def _command_input(
    item: CommandInput, provider: Resolved | None, params: Mapping[str, str], known: Inputs
) -> Resolved:
    raw: str | None
    if provider is not None and provider.values:
        values, raw = provider.values, provider.raw
    else:
        raw = params.get(item.name)
        if raw is None and item.default is not None:
            raw = fill_text(item.default, known.texts())
        values = _split(item, raw) if raw is not None else ()
    if not any(values):
        if item.required:
            raise Refused("input-missing", f"Input '{item.name}' is required and has no value.")
        values = ()
    shown = tuple(_checked(item, value) for value in values)
    if item.type == "boolean" and not values:
        shown = ()
    words = _words(item, shown)
    sensitive = item.sensitive or bool(provider and provider.sensitive)
    return Resolved("command", item.name, item.key, shown, (), sensitive, words, raw)


def _split(item: CommandInput, raw: str) -> tuple[str, ...]:
    """Several values arrive as a JSON list in a text; one value stands for itself."""
    if item.type == "select-many" and raw.lstrip().startswith("["):
        try:
            listed = json.loads(raw)
        except ValueError:
            listed = None
        if not isinstance(listed, list):
            raise Refused("input-invalid", f"The value for '{item.name}' is not a JSON list.")
        return tuple(str(entry) for entry in listed)
    return (raw,)


def _checked(item: CommandInput, value: str) -> str:
    """Check a value against its type; return what stands for it (true-value and false-value)."""
    if item.type == "boolean":
        if value.strip().lower() not in ("true", "false"):
            raise Refused("input-invalid", f"Input '{item.name}' takes true or false.")
        yes = value.strip().lower() == "true"
        chosen = item.true_value if yes else item.false_value
        return ("true" if yes else "false") if chosen is None else chosen
    if item.type == "number" and value:
        try:
            float(value)
        except ValueError:
            raise Refused("input-invalid", f"Input '{item.name}' takes a number.") from None
    if item.select_values and value and value not in item.select_values:
        raise Refused("input-invalid", f"Input '{item.name}' takes one of {', '.join(item.select_values)}.")
    return value


def _words(item: CommandInput, values: tuple[str, ...]) -> Words:
    """Return flag, separator and values; the author's own true-value and false-value are shell code."""
    values = tuple(value for value in values if value)
    if not values:
        return ()
    trusted = item.type == "boolean"
    flag = [Fragment(item.flag + item.separator, trusted=True)] if item.flag else []
    if item.delimiter == "flag" and len(values) > 1:
        pieces = [[*flag, Fragment(value, trusted)] for value in values]
        return [part for n, piece in enumerate(pieces) for part in ([_BLANK] if n else []) + piece]
    if item.delimiter == "space" and len(values) > 1:
        spaced = [
            part for n, v in enumerate(values) for part in ([_BLANK] if n else []) + [Fragment(v, trusted)]
        ]
        return [*flag, *spaced]
    joined = ("," if item.delimiter == "comma" else " ").join(values)
    return [*flag, Fragment(joined, trusted)]


_BLANK = Fragment(" ", trusted=True)
