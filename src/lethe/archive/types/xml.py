"""Items as XNAT's XML: written from, and read with, the type table."""

from __future__ import annotations

from lxml import etree

from lethe.archive.model import Data
from lethe.archive.problem import Problem
from lethe.archive.types.node import Node
from lethe.archive.types.table import NAMESPACES, XsiType, by_element, target_of, type_of
from lethe.archive.types.tree import Tree, part
from lethe.archive.types.xpath import Spot, put, text_name

XSI = "http://www.w3.org/2001/XMLSchema-instance"
_NS = {**NAMESPACES, "xsi": XSI}


def write(tree: Tree, site: str = "") -> bytes:
    """Return an item document."""
    prefix, name = tree.type.name.split(":")
    root = etree.Element(f"{{{NAMESPACES[prefix]}}}{tree.type.element or name}", nsmap=_NS)
    root.set(f"{{{XSI}}}schemaLocation", f"{NAMESPACES[prefix]} {site}/xapi/schemas/{prefix}")
    _fill(root, tree)
    body: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=False, pretty_print=True)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body


def _fill(element: etree._Element, tree: Tree) -> None:
    for node in tree.type.nodes:
        if node.attribute and node.name in tree.values:
            element.set(node.name, _clean(tree.values[node.name]))
    for space, nodes in tree.type.sections:
        for node in nodes:
            if not node.attribute:
                _write_node(element, node, tree, space, "")


def _write_node(parent: etree._Element, node: Node, tree: Tree, space: str, prefix: str) -> None:
    path, values = prefix + node.path, tree.values
    if node.many:
        _write_list(parent, node, values.get(path, {}) if node.stored else tree.below.get(path, []), space)
    elif node.ref:
        inner = part(values, node)
        if inner:
            target = target_of(node)
            element = etree.SubElement(parent, f"{{{space}}}{node.name}")
            if target.name != f"xnat:{node.ref}":
                element.set(f"{{{XSI}}}type", target.name)
            _fill(element, Tree(target, inner))
    elif any(key == path or key.startswith(path + "/") for key in values):
        element = etree.SubElement(parent, f"{{{space}}}{node.name}")
        for attribute in node.attributes:
            if f"{path}/{attribute.name}" in values:
                element.set(attribute.name, _clean(values[f"{path}/{attribute.name}"]))
        for child in node.children:
            _write_node(element, child, tree, space, path + "/")
        if path in values:
            element.text = _clean(values[path])


def _write_list(
    parent: etree._Element, node: Node, entries: dict[str, dict[str, str]] | list[Tree], space: str
) -> None:
    if not entries:
        return
    if node.wrapper:
        parent = etree.SubElement(parent, f"{{{space}}}{node.wrapper}")
    if isinstance(entries, list):
        for tree in entries:
            if tree.raw:
                parent.append(etree.fromstring(tree.raw.encode()))
                continue
            element = etree.SubElement(parent, f"{{{space}}}{node.name}")
            if node.ref:
                element.set(f"{{{XSI}}}type", tree.type.name)
            if node.name == "share":
                for name in ("label", "project"):
                    element.set(name, _clean(tree.values.get(name, "")))
            else:
                _fill(element, tree)
        return
    for entry in entries.values():
        element = etree.SubElement(parent, f"{{{space}}}{node.name}")
        element.text = _clean(entry.get(text_name(node), ""))
        for attribute in node.attributes:
            if attribute.name in entry:
                element.set(attribute.name, _clean(entry[attribute.name]))


def _clean(value: object) -> str:
    """Return a text without the characters that XML cannot carry."""
    return "".join(c for c in str(value) if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff"))


# ---- read ---------------------------------------------------------------------------------------


def parse(body: bytes) -> etree._Element:
    """Parse XML from a client; no entities, no document type, no network.

    Raises
    ------
    Problem
        422 for anything that is not plain, well-formed XML.
    """
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        raise Problem(422, "The XML does not parse.") from None
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise Problem(422, "XML with a document type is refused.")
    return root


def read(body: bytes) -> tuple[XsiType, Data]:
    """Read an item document: its type and its fields (``ID``, ``project``, ``label`` among them).

    Child items are not read (`lethe.archive.web.below` does), nor resources and shares; unknown elements
    are passed over.
    """
    return read_element(parse(body))


def read_element(root: etree._Element, likely: XsiType | None = None) -> tuple[XsiType, Data]:
    """Read one element that holds an item; `likely` is its type where it does not say one.

    Raises
    ------
    Problem
        422 if it is of no known type.
    """
    name = root.get(f"{{{XSI}}}type")
    found = type_of(name) if name else by_element(etree.QName(root).localname) or likely
    if found is None:
        raise Problem(422, "An element is of no known data type.")
    data: Data = {}
    _read(root, found.nodes, data, "")
    return found, data


def _read(element: etree._Element, nodes: tuple[Node, ...], data: Data, prefix: str) -> None:
    for node in nodes:
        if node.attribute:
            value = element.get(node.name)
            if value is not None:
                put(data, Spot(prefix + node.name, node), value)
            continue
        parent = element.find(f"{{*}}{node.wrapper}") if node.wrapper else element
        if parent is None:
            continue
        for index, child in enumerate(parent.findall(f"{{*}}{node.name}")):
            _read_element(child, node, data, prefix + node.path, index)


def _read_element(child: etree._Element, node: Node, data: Data, path: str, index: int) -> None:
    if node.many:
        if node.stored:
            key = child.get("name") or str(index)
            key = key.lower() if path == "fields/field" else key
            entry = {a.name: child.get(a.name, "") for a in node.attributes if child.get(a.name) is not None}
            if "name" in entry:
                entry["name"] = key
            data.setdefault(path, {})[key] = {**entry, text_name(node): (child.text or "").strip()}
        return
    if node.ref:
        _read(child, target_of(node).nodes, data, path + "/")
        return
    for attribute in node.attributes:
        value = child.get(attribute.name)
        if value is not None:
            put(data, Spot(f"{path}/{attribute.name}", attribute), value)
    if node.children:
        _read(child, node.children, data, path + "/")
    elif child.text and child.text.strip():
        put(data, Spot(path, node), child.text.strip())
