"""The XML schema that clients build their classes from, printed from the type table."""

from __future__ import annotations

from functools import cache
from xml.sax.saxutils import quoteattr

from lethe.archive.types.node import Node
from lethe.archive.types.table import NAMESPACES, TYPES, XsiType
from lethe.plugin.schema import schema as plugin_schema
from lethe.plugin.types import PREFIX

_DISPLAY = {
    "xnat:subjectData": "label",
    "xnat:experimentData": "label",
    "xnat:projectParticipant": "project",
    "xnat:abstractProtocol": "ID",
    "xnat:fieldDefinitionGroup": "ID",
}


@cache
def schema(prefix: str = "xnat") -> str:
    """Return the schema document of one prefix (a key of `NAMESPACES`); the plugin's own is its JAR's."""
    if prefix == PREFIX:
        return plugin_schema()
    own = [one for one in TYPES.values() if one.name.startswith(prefix + ":")]
    lines = [f'<xs:element name="{one.element}" type="{one.name}"/>' for one in own if one.element]
    for one in own:
        lines += _complex_type(one)
    spaces = " ".join(f'xmlns:{name}="{uri}"' for name, uri in NAMESPACES.items())
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<xs:schema targetNamespace="{NAMESPACES[prefix]}" {spaces} xmlns:xdat="http://nrg.wustl.edu/xdat" '
        'xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified" '
        'attributeFormDefault="unqualified">\n' + "\n".join(lines) + "\n</xs:schema>\n"
    )


def _complex_type(one: XsiType) -> list[str]:
    lines = [f'<xs:complexType name="{one.name.split(":")[1]}">', *_display(_DISPLAY.get(one.name))]
    if one.base:
        lines += ["<xs:complexContent>", f'<xs:extension base="{one.base}">']
    lines += _members(one.own)
    if one.base:
        lines += ["</xs:extension>", "</xs:complexContent>"]
    return [*lines, "</xs:complexType>"]


def _display(name: str | None) -> list[str]:
    if name is None:
        return []
    return [
        f'<xs:annotation><xs:appinfo><xdat:element displayIdentifiers="{name}"/></xs:appinfo></xs:annotation>'
    ]


def _members(nodes: tuple[Node, ...]) -> list[str]:
    elements = [node for node in nodes if not node.attribute]
    lines = ["<xs:sequence>"] if elements else []
    for node in elements:
        lines += _element(node)
    lines += ["</xs:sequence>"] if elements else []
    return lines + [line for node in nodes if node.attribute for line in _attribute(node)]


def _attribute(node: Node) -> list[str]:
    if not node.enum:
        return [f'<xs:attribute name="{node.name}" type="xs:{node.type}"/>']
    return [f'<xs:attribute name="{node.name}">', *_simple(node), "</xs:attribute>"]


def _simple(node: Node) -> list[str]:
    values = [f"<xs:enumeration value={quoteattr(value)}/>" for value in node.enum]
    return [
        "<xs:simpleType>",
        f'<xs:restriction base="xs:{node.type}">',
        *values,
        "</xs:restriction>",
        "</xs:simpleType>",
    ]


def _element(node: Node) -> list[str]:
    if not node.wrapper:
        return _inner(node)
    return [
        f'<xs:element name="{node.wrapper}" minOccurs="0">',
        "<xs:complexType>",
        "<xs:sequence>",
        *_inner(node),
        "</xs:sequence>",
        "</xs:complexType>",
        "</xs:element>",
    ]


def _inner(node: Node) -> list[str]:
    occurs = 'minOccurs="0" maxOccurs="unbounded"' if node.many else 'minOccurs="0"'
    start = f'<xs:element name="{node.name}" {occurs}'
    if node.ref:
        return [f'{start} type="xnat:{node.ref}"/>']
    if node.enum:
        return [f"{start}>", *_simple(node), "</xs:element>"]
    if not node.attributes and not node.children:
        return [f'{start} type="xs:{node.type}"/>']
    lines = [f"{start}>", "<xs:complexType>"]
    if node.name == "share":
        lines += _display("project")
    elif node.keyed:
        lines += _display("name")
    if node.children or node.name == "share" or node.name in {"voxelRes", "fov", "matrix"}:
        lines += _members((*node.children, *node.attributes))
    else:
        lines += [
            "<xs:simpleContent>",
            f'<xs:extension base="xs:{node.type}">',
            *(line for attribute in node.attributes for line in _attribute(attribute)),
            "</xs:extension>",
            "</xs:simpleContent>",
        ]
    return [*lines, "</xs:complexType>", "</xs:element>"]
