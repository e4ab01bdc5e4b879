"""Profiles: what a collection keeps, as data, compiled into a CTP anonymizer script."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import yaml
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_VR, tag_for_keyword

from lethe.errors import Misconfigured
from lethe.header.deviations import Deviation

_NUMERIC = frozenset(["US", "SS", "UL", "SL", "FL", "FD", "AT", "OB", "OW", "OV", "US or SS", "US or OW"])
_NUMERIC |= {"US or SS or OW", "OB or OW", "UV", "SV"}
_ALWAYS_KEPT_GROUPS = (0x0028, 0x7FE0)
_PIXELS = 0x7FE00010


@dataclass(frozen=True)
class Profile:
    """A profile, ready to be compiled.

    Parameters
    ----------
    name, title : str
        Short name, and a line for people.
    parameters : mapping
        Script parameters.
    rules : mapping of int to str
        Script text by tag.
    words : mapping of int to str
        What happens, by tag, for people.
    private : mapping of str to (str, str)
        Script text and words of private elements, by ``gggg[Creator]ee``.
    deviations : tuple of Deviation
        What was approved to differ.
    """

    name: str
    title: str
    parameters: Mapping[str, str]
    rules: Mapping[int, str]
    words: Mapping[int, str] = field(default_factory=dict)
    private: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    deviations: tuple[Deviation, ...] = ()


def load_profile(path: Path, deviations: Sequence[Deviation] = ()) -> Profile:
    """Read a profile and the files it builds on.

    A profile names `actions` (action name to script text) and lists attributes under them; `scripts` gives an
    attribute a script text of its own. The file named by `base` is read first, then those of `with`; what is
    listed again is put in place of it.

    Parameters
    ----------
    path : Path
        The profile (YAML).
    deviations : sequence of Deviation, optional
        Approved differences; each names an attribute and one of the profile's actions.

    Raises
    ------
    Misconfigured
        The file is missing, no YAML, or names an attribute or action that does not exist.
    """
    data = _read(path)
    parameters = {str(k): str(v) for k, v in data.get("parameters", {}).items()}
    parameters["TERM"] = _terms([str(term) for term in data.get("terms", [])])
    actions = {str(name): str(text) for name, text in data["actions"].items()}
    meanings = {str(name): str(text) for name, text in data.get("words", {}).items()}
    rules: dict[int, str] = {}
    words: dict[int, str] = {}
    for action, keywords in data["attributes"].items():
        for keyword in keywords:
            tag = _tag(keyword)
            rules[tag], words[tag] = _text(actions, action, tag), meanings.get(action, str(action))
    for keyword, text in data.get("scripts", {}).items():
        rules[_tag(keyword)] = str(text)
        words[_tag(keyword)] = meanings.get(keyword, "by a rule of its own")
    for deviation in deviations:
        tag = _tag(deviation.attribute)
        rules[tag] = _text(actions, deviation.action, tag)
        words[tag] = meanings.get(deviation.action, deviation.action) + " (deviation)"
    for tag in DicomDictionary:
        if tag >> 16 in _ALWAYS_KEPT_GROUPS and tag not in rules and tag != _PIXELS:
            rules[tag], words[tag] = "@remove()", "removed"
    private = {
        place: (_text(actions, action, 0), meanings.get(action, str(action)))
        for place, action in data.get("private", {}).items()
    }
    return Profile(
        str(data["name"]),
        str(data["title"]),
        parameters,
        dict(sorted(rules.items())),
        words,
        {**_creators(private), **private},
        tuple(deviations),
    )


def _text(actions: Mapping[str, str], action: object, tag: int) -> str:
    text = actions.get(str(action))
    if text is None:
        raise Misconfigured(
            "profile-action", f"The profile uses an action {action!r} that it does not define."
        )
    if text == "@keep()" and (not tag or dictionary_VR(tag) not in _NUMERIC):
        keyword = DicomDictionary[tag][4] if tag else "A private attribute"
        raise Misconfigured("profile-keep", f"{keyword} holds text and may not be kept unseen.")
    return text


def _creators(private: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Return rules that keep the creators of private elements, in the blocks where scanners put them."""
    names: dict[str, list[str]] = {}
    for place in private:
        group, _, rest = place.partition("[")
        names.setdefault(group, []).append(rest.partition("]")[0])
    rules = {}
    for group, creators in names.items():
        pattern = "|".join(re.escape(name).replace("\\ ", " ") for name in sorted(set(creators)))
        for block in range(0x10, 0x18):
            text = f'@if(this,matches,"{pattern}"){{@keep()}}{{@remove()}}'
            rules[f"{group}{block:04x}"] = (text, "kept if it names a private block that is kept")
    return rules


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise Misconfigured("profile-attribute", f"The profile names an unknown attribute {keyword!r}.")
    return tag


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise Misconfigured(
            "profile-unreadable", "The profile cannot be read.", remedy="Name a YAML file."
        ) from None
    if not isinstance(data, dict):
        raise Misconfigured("profile-unreadable", "The profile is not a YAML mapping.")
    if "base" not in data:
        return data
    merged = _read(path.parent / str(data["base"]))
    for name in data.get("with", []):
        merged = _merged(merged, _read(path.parent / str(name)))
    return _merged(merged, data)


def _merged(base: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    merged = {**base, **data}
    for key in ("parameters", "actions", "scripts", "words", "private"):
        merged[key] = {**base.get(key, {}), **data.get(key, {})}
    merged["terms"] = list(dict.fromkeys([*base.get("terms", []), *data.get("terms", [])]))
    merged["attributes"] = dict(base.get("attributes", {}))
    for action, keywords in data.get("attributes", {}).items():
        again = set(keywords)
        merged["attributes"] = {
            name: [keyword for keyword in listed if keyword not in again]
            for name, listed in merged["attributes"].items()
        }
        merged["attributes"][action] = [*merged["attributes"].get(action, []), *keywords]
        merged["scripts"] = {k: v for k, v in merged["scripts"].items() if k not in again}
    return merged


def _terms(terms: list[str]) -> str:
    """Return a regular expression for a list of values all of which are among `terms`."""
    words = "|".join(re.sub(r"([.*+^$()\[\]{}|?\\-])", r"[\1]", term) for term in terms)
    return rf"(?:(?:{words})? *(?:\\|$))*"


def compile_profile(profile: Profile) -> str:
    """Return the profile as the XML text of a CTP anonymizer script; equal profiles give equal bytes."""
    lines = ["<script>", f"<!-- {profile.title} -->", "<!-- made by: lethe profile compile -->"]
    lines += [f"<!-- deviation: {deviation.summary} -->" for deviation in profile.deviations]
    for name, value in sorted(profile.parameters.items()):
        lines.append(f"<p t={quoteattr(name)}>{escape(value)}</p>")
    for tag, text in profile.rules.items():
        keyword = DicomDictionary[tag][4] or f"{tag:08X}"
        lines.append(f'<e en="T" t="{tag:08x}" n="{keyword}">{escape(text)}</e>')
    for place, (text, _) in sorted(profile.private.items()):
        lines.append(f'<e en="T" t={quoteattr(place)} n="">{escape(text)}</e>')
    for rule in ("privategroups", "curves", "overlays", "unspecifiedelements"):
        lines.append(f'<r en="T" t="{rule}">Remove {rule}</r>')
    return "\n".join([*lines, "</script>", ""])
