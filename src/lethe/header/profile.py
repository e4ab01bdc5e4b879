"""Profiles: what a collection keeps, as data, compiled into a CTP anonymizer script."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import yaml
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_VR, tag_for_keyword

from lethe.errors import Misconfigured

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
        The action's name by tag, for tables.
    """

    name: str
    title: str
    parameters: Mapping[str, str]
    rules: Mapping[int, str]
    words: Mapping[int, str] = field(default_factory=dict)


def load_profile(path: Path) -> Profile:
    """Read a profile and the files it builds on.

    A profile names `actions` (action name to script text) and lists attributes under them. The file named
    by `base` is read first; what is listed again is put in place of it.

    Raises
    ------
    Misconfigured
        The file is missing, no YAML, or names an attribute or action that does not exist.
    """
    data = _read(path)
    parameters = {str(k): str(v) for k, v in data.get("parameters", {}).items()}
    parameters["TERM"] = _terms([str(term) for term in data.get("terms", [])])
    rules: dict[int, str] = {}
    words: dict[int, str] = {}
    for action, keywords in data["attributes"].items():
        text = data["actions"].get(action)
        if text is None:
            raise Misconfigured(
                "profile-action", f"The profile uses an action {action!r} that it does not define."
            )
        for keyword in keywords:
            tag = _tag(keyword)
            if str(text) == "@keep()" and dictionary_VR(tag) not in _NUMERIC:
                raise Misconfigured("profile-keep", f"{keyword} holds text and may not be kept unseen.")
            rules[tag], words[tag] = str(text), str(action)
    for keyword, text in data.get("scripts", {}).items():
        rules[_tag(keyword)], words[_tag(keyword)] = str(text), "script"
    for tag in DicomDictionary:
        if tag >> 16 in _ALWAYS_KEPT_GROUPS and tag not in rules and tag != _PIXELS:
            rules[tag], words[tag] = "@remove()", "remove"
    return Profile(str(data["name"]), str(data["title"]), parameters, dict(sorted(rules.items())), words)


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
    base = _read(path.parent / str(data["base"]))
    merged = {**base, **data}
    for key in ("parameters", "actions", "scripts"):
        merged[key] = {**base.get(key, {}), **data.get(key, {})}
    merged["attributes"] = dict(base.get("attributes", {}))
    for action, keywords in data.get("attributes", {}).items():
        again = set(keywords)
        merged["attributes"] = {
            name: [keyword for keyword in listed if keyword not in again]
            for name, listed in merged["attributes"].items()
        }
        merged["attributes"][action] = [*merged["attributes"].get(action, []), *keywords]
    return merged


def _terms(terms: list[str]) -> str:
    """Return a regular expression for a list of values all of which are among `terms`."""
    words = "|".join(re.sub(r"([.*+^$()\[\]{}|?\\-])", r"[\1]", term) for term in terms)
    return rf"(?:(?:{words})? *(?:\\|$))*"


def compile_profile(profile: Profile) -> str:
    """Return the profile as the XML text of a CTP anonymizer script; equal profiles give equal bytes."""
    lines = ["<script>", f"<!-- {profile.title} -->", "<!-- made by: lethe profile compile -->"]
    for name, value in sorted(profile.parameters.items()):
        lines.append(f"<p t={quoteattr(name)}>{escape(value)}</p>")
    for tag, text in profile.rules.items():
        keyword = DicomDictionary[tag][4] or f"{tag:08X}"
        lines.append(f'<e en="T" t="{tag:08x}" n="{keyword}">{escape(text)}</e>')
    for rule in ("privategroups", "curves", "overlays", "unspecifiedelements"):
        lines.append(f'<r en="T" t="{rule}">Remove {rule}</r>')
    return "\n".join([*lines, "</script>", ""])
