"""The display documents: what a typo would hide without a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from lxml import etree

from lethe.plugin.fault import Fault
from lethe.plugin.jar import Jar
from lethe.plugin.rules import words
from lethe.plugin.rules.schemas import Model, parse

_ATTRIBUTES = {
    "Displays": {"schema-element", "full-description", "brief-description"},
    "Arc": {"name"},
    "CommonField": {"id", "local-field"},
    "DisplayField": {"id", "header", "visible", "searchable", "data-type", "image"},
    "DisplayFieldElement": {"name", "schema-element", "viewName", "viewColumn"},
    "DisplayFieldRef": {"id", "element_name", "header"},
    "MappingColumn": {"schemaField", "queryField", "rootElement", "fieldElement", "mapsTo"},
}
_ALWAYS = {"EXPT_ID", "LABEL", "PROJECT", "PROJECTS", "DATE", "INSERT_DATE", "INSERT_USER"}
_VERSIONS = {"listing", "listing_csv", "full", "detailed", "project_bundle"}
_FIX = "Run lethe plugin generate."


def display_faults(jar: Jar, model: Model) -> Iterator[Fault]:
    """Yield what is wrong with the display documents, given what the schema declares."""
    described = set()
    for place in jar.below("schemas/", "_display.xml"):
        root = parse(jar.files[place])
        if root is None or root.tag != "Displays":
            yield Fault("display-xml", place, "This is no well-formed display document.", _FIX)
            continue
        kind = root.get("schema-element") or ""
        described.add(kind)
        if kind not in model.columns:
            yield Fault("display-type", place, f"The schema has no type {kind}.", _FIX)
            continue
        yield from _spelling(place, root)
        yield from _fields(place, root, kind, model.columns[kind])
        yield from _required(place, root, kind, model.bases[kind])
    for kind in model.columns:
        if kind not in described:
            yield Fault(
                "display-missing",
                "schemas/",
                f"Type {kind} has no display document; it would be neither listed nor searched.",
                _FIX,
            )


def _spelling(place: str, root: etree._Element) -> Iterator[Fault]:
    for one in root.iter(*_ATTRIBUTES):
        for name in map(str, one.attrib):
            if not name.startswith("{") and name not in _ATTRIBUTES[str(one.tag)]:
                yield Fault(
                    "display-attribute",
                    place,
                    f"{one.tag} has an attribute {name} that XNAT does not read.",
                    _FIX,
                )
    for field, count in Counter(one.get("id") for one in root.findall("DisplayField")).items():
        if count > 1:
            yield Fault("display-field", place, f"The field {field} is there twice.", _FIX)


def _fields(place: str, root: etree._Element, kind: str, columns: Mapping[str, object]) -> Iterator[Fault]:
    known = {*columns, *words.OF_BASES}
    paths = [one.get("schema-element") for one in root.iter("DisplayFieldElement")]
    paths += [one.get(name) for one in root.iter("MappingColumn") for name in ("schemaField", "fieldElement")]
    for path in filter(None, paths):
        owner, _, rest = path.replace("/", ".").partition(".")
        if owner != kind or rest.partition(".")[0].lower() not in known:
            yield Fault(
                "display-path",
                place,
                f"The path {path} does not exist; its column would load and then break the listing.",
                _FIX,
            )
    ids = {one.get("id") for one in root.findall("DisplayField")}
    for reference in root.iter("DisplayFieldRef"):
        if reference.get("id") not in ids and not reference.get("element_name"):
            yield Fault("display-field", place, f"A list names no field: {reference.get('id')}.", _FIX)
    for column in columns:
        if column.upper() not in ids:
            yield Fault("display-field", place, f"The element {column} has no field.", _FIX)


def _required(place: str, root: etree._Element, kind: str, base: str) -> Iterator[Fault]:
    images = base == "xnat:imageAssessorData"
    prefix = kind.replace(":", "_").upper()
    own = {"SESSION_ID" if images else "SUBJECT_ID", f"{prefix}_PROJECT_IDENTIFIER", f"{prefix}_FIELD_MAP"}
    ids = {one.get("id") for one in root.findall("DisplayField")}
    for name in sorted((_ALWAYS | own) - ids):
        yield Fault("display-field", place, f"The field {name} is missing; XNAT's lists use it.", _FIX)
    arc = "ASSESSOR" if images else "PARTICIPANT_EXPERIMENT"
    if arc not in {one.get("name") for one in root.findall("Arc")}:
        yield Fault("display-arc", place, f"The arc {arc} is missing; searches could not join.", _FIX)
    have = {one.get("versionName") for one in root.findall("DisplayVersion")}
    for name in sorted(_VERSIONS - have):
        yield Fault("display-version", place, f"The version {name} is missing.", _FIX)
    views = {one.get("name") for one in root.findall("SQLView")}
    links = {one.get("alias") for one in root.findall("ViewLink")}
    for one in root.iter("DisplayFieldElement"):
        view = one.get("viewName")
        if view and not (view in views and view in links):
            yield Fault("display-view", place, f"The view {view} is not made or not linked.", _FIX)
