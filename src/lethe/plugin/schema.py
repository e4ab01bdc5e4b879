"""The XML schema of the data types, written from their records."""

from __future__ import annotations

from decimal import Decimal
from xml.sax.saxutils import escape, quoteattr

from lethe.clinical.record import Element, Kind
from lethe.plugin.types import NAMESPACE, PREFIX, DataType, data_types

SCHEMA_PATH = f"schemas/{PREFIX}/{PREFIX}.xsd"
_BASES = {Kind.INTEGER: "xs:integer", Kind.DECIMAL: "xs:float", Kind.MOMENT: "xs:dateTime"}


def schema() -> str:
    """Return the schema document that goes into the JAR and that the embedded archive serves.

    XNAT finds imports by their literal prefix; everything is optional, since completeness is judged by the
    gates and half a record must be storable; answers are enumerations, since a blank is not a "no".
    """
    types = data_types()
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<!-- Generated from the variable dictionary by lethe plugin generate; do not edit. -->",
        f'<xs:schema targetNamespace="{NAMESPACE}" xmlns:{PREFIX}="{NAMESPACE}" '
        'xmlns:xnat="http://nrg.wustl.edu/xnat" xmlns:xs="http://www.w3.org/2001/XMLSchema" '
        'elementFormDefault="qualified" attributeFormDefault="unqualified">',
        '  <xs:import namespace="http://nrg.wustl.edu/xnat" schemaLocation="../xnat/xnat.xsd"/>',
        *(f'  <xs:element name="{one.root}" type="{one.name}"/>' for one in types),
    ]
    for one in types:
        lines += _complex_type(one)
    return "\n".join([*lines, "</xs:schema>"]) + "\n"


def _complex_type(one: DataType) -> list[str]:
    return [
        f'  <xs:complexType name="{one.record.element}">',
        *_documented(one.singular, "    "),
        "    <xs:complexContent>",
        f'      <xs:extension base="{one.base}">',
        "        <xs:sequence>",
        *(line for element in one.record.elements.values() for line in _element(element)),
        "        </xs:sequence>",
        "      </xs:extension>",
        "    </xs:complexContent>",
        "  </xs:complexType>",
    ]


def _documented(text: str, margin: str) -> list[str]:
    return [
        f"{margin}<xs:annotation><xs:documentation>{escape(text)}</xs:documentation></xs:annotation>",
    ]


def _element(one: Element) -> list[str]:
    unit = f" [{one.unit}]" if one.unit else ""
    base, facets = _BASES.get(one.kind, "xs:string"), _facets(one)
    start = f'          <xs:element name="{one.name}" minOccurs="0"'
    documented = _documented(one.label + unit, "            ")
    if not facets:
        return [f'{start} type="{base}">', *documented, "          </xs:element>"]
    return [
        f"{start}>",
        *documented,
        "            <xs:simpleType>",
        f'              <xs:restriction base="{base}">',
        *(f"                <xs:{name} value={quoteattr(value)}/>" for name, value in facets),
        "              </xs:restriction>",
        "            </xs:simpleType>",
        "          </xs:element>",
    ]


def _facets(one: Element) -> list[tuple[str, str]]:
    if one.kind in (Kind.CODE, Kind.ANSWER):
        return [("enumeration", code) for code in one.codes]
    if one.kind is Kind.TEXT:
        return [("maxLength", str(one.length))]
    limits: tuple[tuple[str, Decimal | None], ...] = (
        ("minInclusive", one.minimum),
        ("maxInclusive", one.maximum),
    )
    return [(name, str(limit)) for name, limit in limits if limit is not None]
