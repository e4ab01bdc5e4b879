"""The XML schema: what XNAT's reader makes tables of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from lethe.plugin.fault import Fault
from lethe.plugin.jar import Jar
from lethe.plugin.rules import words

XS = "{http://www.w3.org/2001/XMLSchema}"
_PLACE = re.compile(r"schemas/[^/]+/[^/]+\.xsd")
_RESERVED = {"xdat.xsd", "build.xsd", "display.xsd", "instance.xsd", "PlexiViewer.xsd", "xnat.xsd"}
_IMPORTS = {"../xnat/xnat.xsd", "../xdat/xdat.xsd"}
_BASES = ("xnat:subjectAssessorData", "xnat:imageAssessorData")
_TYPES = {"xs:string", "xs:integer", "xs:float", "xs:date", "xs:time", "xs:dateTime", "xdat:LONGVARCHAR"}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
_TYPE_NAME = re.compile(r"[a-z][A-Za-z0-9]*")
_COLUMN = 63  # PostgreSQL cuts longer names without a word
_KEEP = "Take a name of lower case letters, digits and underscores, at most 30 characters."


@dataclass(frozen=True, slots=True)
class Column:
    """One element: its type and its facets, as of the schema."""

    type: str
    facets: dict[str, list[str]]


@dataclass(slots=True)
class Model:
    """What the schema declares: the base of each type and its own columns."""

    bases: dict[str, str] = field(default_factory=dict)
    columns: dict[str, dict[str, Column]] = field(default_factory=dict)


def parse(data: bytes) -> etree._Element | None:
    """Parse a document of the JAR; None when it is not well-formed or has a document type."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        return None
    return None if b"<!DOCTYPE" in data else root


def schema_faults(jar: Jar, model: Model) -> Iterator[Fault]:
    """Yield what is wrong with the schemas; fills `model` with what they declare."""
    for name in jar.below("schemas/", ".xsd"):
        if not _PLACE.fullmatch(name):
            yield Fault(
                "schema-place",
                name,
                "XNAT looks for schemas exactly one folder deep.",
                "schemas/lethe/lethe.xsd.",
            )
        if name.rpartition("/")[2] in _RESERVED:
            yield Fault(
                "schema-name",
                name,
                "XNAT reserves this name and never loads the file.",
                "schemas/lethe/lethe.xsd.",
            )
        root = parse(jar.files[name])
        if root is None or root.tag != f"{XS}schema":
            yield Fault(
                "schema-xml", name, "This is no well-formed XML schema.", "Run lethe plugin generate."
            )
            continue
        yield from _head(name, root, jar.files[name].decode("utf-8", "replace"))
        prefix = next((p for p, uri in root.nsmap.items() if uri == root.get("targetNamespace") and p), "")
        yield from _types(name, root, prefix, model)


def _head(place: str, root: etree._Element, text: str) -> Iterator[Fault]:
    if "<xs:schema" not in text:
        yield Fault(
            "schema-prefix",
            place,
            "The prefix of XML Schema is not literally xs; XNAT and its clients search the text for it.",
            'Bind xmlns:xs="http://www.w3.org/2001/XMLSchema".',
        )
    if not root.get("targetNamespace") or root.get("targetNamespace") not in root.nsmap.values():
        yield Fault(
            "schema-namespace", place, "The target namespace has no prefix.", "Bind it in the root tag."
        )
    if root.get("elementFormDefault") != "qualified":
        yield Fault(
            "schema-namespace", place, "Elements are not qualified.", 'elementFormDefault="qualified"'
        )
    for one in root.findall(f"{XS}import"):
        if one.get("schemaLocation") not in _IMPORTS:
            yield Fault(
                "schema-import",
                place,
                "A schema is imported that may be on no classpath; XNAT would not start.",
                "Import only ../xnat/xnat.xsd (and ../xdat/xdat.xsd).",
            )
        if one.prefix != "xs":
            yield Fault("schema-import", place, "An import is not written xs:import.", "Use the prefix xs.")
    if not any(one.get("schemaLocation") == "../xnat/xnat.xsd" for one in root.findall(f"{XS}import")):
        yield Fault("schema-import", place, "XNAT's own schema is not imported.", "Import ../xnat/xnat.xsd.")


def _types(place: str, root: etree._Element, prefix: str, model: Model) -> Iterator[Fault]:
    rooted = {one.get("type") for one in root.findall(f"{XS}element")}
    for one in root.findall(f"{XS}complexType"):
        name = one.get("name") or ""
        full = f"{prefix}:{name}"
        if not _TYPE_NAME.fullmatch(name):
            yield Fault(
                "type-name",
                place,
                f"Type {name} is not in lower camel case.",
                "As in clinicalData, no underscore.",
            )
        if full not in rooted:
            yield Fault(
                "type-element", place, f"Type {name} has no element of its own.", "Add a global xs:element."
            )
        extension = one.find(f"{XS}complexContent/{XS}extension")
        base = "" if extension is None else extension.get("base") or ""
        if base not in _BASES:
            yield Fault(
                "type-base",
                place,
                f"Type {name} extends neither {_BASES[0]} nor {_BASES[1]}; it would have no rights.",
                "Extend one of the two.",
            )
        model.bases[full] = base
        model.columns[full] = {}
        columns = [] if extension is None else list(_columns(extension.findall(f"{XS}sequence/{XS}element")))
        yield from _elements(place, name, columns, model.columns[full])


def _columns(elements: list[etree._Element], above: str = "") -> Iterator[tuple[str, etree._Element]]:
    """Yield column and element: a nested element of one occurrence is flattened to parent_child."""
    for one in elements:
        column = (above + (one.get("name") or "")).lower().replace("-", "_")
        inner = one.findall(f"{XS}complexType/{XS}sequence/{XS}element")
        if inner and one.get("maxOccurs", "1") == "1":
            yield from _columns(inner, f"{column}_")
        else:
            yield column, one


def _elements(
    place: str, kind: str, columns: list[tuple[str, etree._Element]], found: dict[str, Column]
) -> Iterator[Fault]:
    cut = Counter(column[:_COLUMN] for column, _ in columns)
    for name, count in cut.items():
        if count > 1:
            yield Fault(
                "column-collision",
                place,
                f"Several elements of {kind} become the column {name} (names are cut to 63 characters).",
                "Take shorter names that differ early.",
            )
    for column, one in columns:
        name = one.get("name") or ""
        found[column] = Column(*_type_of(one))
        yield from _name(place, kind, name, column)
        if one.get("minOccurs") != "0":
            yield Fault(
                "element-required",
                place,
                f"{kind}/{name} is required; half a record could not be stored.",
                'minOccurs="0": completeness is judged by the gates.',
            )
        if found[column].type not in _TYPES:
            yield Fault(
                "element-type",
                place,
                f"{kind}/{name} has the type {found[column].type or 'none'}; the database has none such.",
                "Use string, integer, float, date, time or dateTime; yes/no as an enumeration with unknown.",
            )


def _name(place: str, kind: str, name: str, column: str) -> Iterator[Fault]:
    if not _NAME.fullmatch(name):
        yield Fault("element-name", place, f"{kind}/{name} is no name that XNAT can take.", _KEEP)
    if column in words.SQL:
        yield Fault(
            "sql-word", place, f"{kind}/{name} is a word of SQL; XNAT does not quote columns.", "Rename it."
        )
    if column in words.OF_BASES:
        yield Fault("base-name", place, f"{kind}/{name} hides a member of its base type.", "Rename it.")


def _type_of(one: etree._Element) -> tuple[str, dict[str, list[str]]]:
    restriction = one.find(f"{XS}simpleType/{XS}restriction")
    if restriction is None:
        return one.get("type") or "", {}
    facets: dict[str, list[str]] = {}
    for facet in restriction:
        if isinstance(facet.tag, str):
            facets.setdefault(etree.QName(facet).localname, []).append(facet.get("value") or "")
    return restriction.get("base") or "", facets
