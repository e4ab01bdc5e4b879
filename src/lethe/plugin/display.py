"""The display documents: without one a type is stored but neither listed nor searched nor exported."""

from __future__ import annotations

from collections.abc import Iterable
from string import Template
from xml.sax.saxutils import quoteattr

from lethe.clinical.record import Element, Kind
from lethe.plugin.types import PREFIX, DataType

_COLOURS = 'dark-color="6F8FAF" light-color="DFE8F0"'
_TEXT = ' data-type="string"'
_SHARE = "sharing_share_xnat_experimentda_id"
_PLACED = Template(
    "SELECT COALESCE(label, $share) AS $label, $share FROM ("
    "SELECT $share, label FROM xnat_experimentdata_share WHERE project='@WHERE' "
    "UNION SELECT id, label FROM xnat_experimentdata WHERE project='@WHERE') placed"
)
_VARIABLE = Template(
    "SELECT DISTINCT ON (expt.id) expt.id AS expt_id, own.field FROM xnat_experimentdata_field own "
    "JOIN xnat_experimentdata expt ON own.fields_field_xnat_experimentdat_id=expt.id "
    "JOIN xdat_meta_element kind ON expt.extension=kind.xdat_meta_element_id "
    "WHERE kind.element_name='$type' AND own.name='@WHERE'"
)
_PROJECTS = Template(
    "SELECT expt.id, '&lt;' || expt.project || '&gt;' || xs_a_concat(', ' || shared.project) AS projects "
    "FROM xnat_experimentdata expt "
    "LEFT JOIN xnat_experimentdata_share shared ON expt.id=shared.$share "
    "JOIN xdat_meta_element kind ON expt.extension=kind.xdat_meta_element_id "
    "WHERE kind.element_name='$type' GROUP BY expt.id, expt.project"
)
_NOT_LISTED = {Kind.TEXT}  # a listing of the page shows what fits; the export has everything


def display_path(one: DataType) -> str:
    """Return the place of a display document in the JAR."""
    return f"schemas/{PREFIX}/display/{one.sql_name}_display.xml"


def display(one: DataType) -> str:
    """Return the display document of a type.

    The column of a field is the element's name in upper case. Which projects an item is in comes from a view
    over its own project and those it is shared into; ``…_PROJECT_IDENTIFIER`` is its label in one project,
    ``…_FIELD_MAP`` a custom variable of it.
    """
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<!-- Generated from the variable dictionary by lethe plugin generate; do not edit. -->",
        '<Displays xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:noNamespaceSchemaLocation="../../xdat/display.xsd" '
        f'schema-element="{one.name}" full-description={quoteattr(one.plural)} '
        f"brief-description={quoteattr(one.singular)}>",
        *_arc(one),
        *_fixed(one),
        *_sub_queries(one),
    ]
    for element in one.record.elements.values():
        lines += _field(one, element.name.upper(), _header(element), element.name)
    for name, ids in _versions(one).items():
        lines += _version(one, name, ids)
    return "\n".join([*lines, *_view(one), "</Displays>"]) + "\n"


def _view_name(one: DataType) -> str:
    return f"{one.sql_name.upper()}_PROJECTS"


def _arc(one: DataType) -> list[str]:
    fields = {"EXPT_ID": "EXPT_ID", "ASSESSED_EXPT_ID": "SESSION_ID"}
    name = "ASSESSOR"
    if not one.of_images:
        name, fields = (
            "PARTICIPANT_EXPERIMENT",
            {"PART_ID": "SUBJECT_ID", "DATE": "DATE", "EXPT_ID": "EXPT_ID"},
        )
    rows = [f'    <CommonField id="{key}" local-field="{field}"/>' for key, field in fields.items()]
    return [f'  <Arc name="{name}">', *rows, "  </Arc>"]


def _fixed(one: DataType) -> list[str]:
    parent = (
        ("SESSION_ID", "Session", "imageSession_ID")
        if one.of_images
        else ("SUBJECT_ID", "Subject", "subject_ID")
    )
    lines = _field(one, "EXPT_ID", "ID", "ID", link=True)
    lines += [
        _start("LABEL", "Label", _TEXT),
        f'    <DisplayFieldElement name="Field1" schema-element="{one.name}.ID"/>',
        f'    <DisplayFieldElement name="Field2" schema-element="{one.name}.label"/>',
        '    <Content type="sql">COALESCE(@Field2, @Field1)</Content>',
        *_link(one),
        "  </DisplayField>",
    ]
    for name, header, path in (
        parent,
        ("DATE", "Date", "date"),
        ("PROJECT", "Project", "project"),
        ("INSERT_DATE", "Inserted", "meta.insert_date"),
        ("INSERT_USER", "Creator", "meta.insert_user.login"),
    ):
        lines += _field(one, name, header, path)
    view = f'    <DisplayFieldElement name="Field1" viewName="{_view_name(one)}" viewColumn="PROJECTS"/>'
    return [*lines, _start("PROJECTS", "Projects", _TEXT), view, "  </DisplayField>"]


def _sub_queries(one: DataType) -> list[str]:
    names = {"share": _SHARE, "label": f"{one.sql_name.lower()}_label", "type": one.name}
    prefix = one.sql_name.upper()
    placed, variable = _PLACED.substitute(names), _VARIABLE.substitute(names)
    return [
        *_sub_query(one, f"{prefix}_PROJECT_IDENTIFIER", one.singular, names["label"], placed, _SHARE),
        *_sub_query(one, f"{prefix}_FIELD_MAP", "Custom variable", "field", variable, "expt_id"),
    ]


def _sub_query(one: DataType, name: str, header: str, content: str, query: str, key: str) -> list[str]:
    return [
        f'  <DisplayField id="{name}" header={quoteattr(header)} visible="true" searchable="false" '
        'data-type="string" xsi:type="SubQueryField">',
        f'    <Content type="sql">{content}</Content>',
        f"    <SubQuery>{query}</SubQuery>",
        "    <MappingColumns>",
        f'      <MappingColumn schemaField="{one.name}.ID" queryField="{key}"/>',
        "    </MappingColumns>",
        "  </DisplayField>",
    ]


def _start(name: str, header: str, more: str = "") -> str:
    return f'  <DisplayField id="{name}" header={quoteattr(header)} visible="true" searchable="true"{more}>'


def _field(one: DataType, name: str, header: str, path: str, *, link: bool = False) -> list[str]:
    element = f'    <DisplayFieldElement name="Field1" schema-element="{one.name}.{path}"/>'
    return [_start(name, header), element, *(_link(one) if link else []), "  </DisplayField>"]


def _link(one: DataType) -> list[str]:
    steps = f"search_value/@Field1/search_element/{one.name}/search_field/{one.name}.ID"
    rights = {"PROJECTS": f"{one.name}/sharing/share/project", "PROJECT": f"{one.name}/project"}
    return [
        "    <HTML-Link>",
        f'      <SecureLink elementName="{one.name}">',
        *(
            f'        <securityMappingValue displayFieldId="{field}" schemaElementMap="{path}"/>'
            for field, path in rights.items()
        ),
        "      </SecureLink>",
        # @WEBAPP ends with a slash
        f'      <Property name="HREF" value="@WEBAPPapp/action/DisplayItemAction/{steps}">',
        '        <InsertValue id="Field1" field="EXPT_ID"/>',
        "      </Property>",
        "    </HTML-Link>",
    ]


def _header(one: Element) -> str:
    return f"{one.label} [{one.unit}]" if one.unit and not one.unit.startswith("{") else one.label


def _versions(one: DataType) -> dict[str, list[str]]:
    owner = "SESSION_ID" if one.of_images else "SUBJECT_ID"
    every = [element.name.upper() for element in one.record.elements.values()]
    short = [e.name.upper() for e in one.record.elements.values() if e.kind not in _NOT_LISTED]
    return {
        "listing": ["LABEL", owner, *short],
        "listing_csv": ["EXPT_ID", "LABEL", owner, "PROJECT", *every],
        "full": ["LABEL", owner, "PROJECT", "DATE", "INSERT_DATE", "INSERT_USER", *every],
        "detailed": ["LABEL", owner, "PROJECT", *every],
        "project_bundle": ["LABEL", owner, *short],
    }


def _version(one: DataType, name: str, ids: Iterable[str]) -> list[str]:
    return [
        f'  <DisplayVersion versionName="{name}" default-order-by="LABEL" default-sort-order="ASC" '
        f"brief-description={quoteattr(one.plural)} {_COLOURS}>",
        *(f'    <DisplayFieldRef id="{field}"/>' for field in ids),
        "  </DisplayVersion>",
    ]


def _view(one: DataType) -> list[str]:
    name = _view_name(one)
    query = _PROJECTS.substitute(share=_SHARE, type=one.name)
    return [
        f'  <ViewLink alias="{name}">',
        f'    <Mapping TableName="{name}">',
        f'      <MappingColumn rootElement="{one.name}" fieldElement="{one.name}.ID" mapsTo="id"/>',
        "    </Mapping>",
        "  </ViewLink>",
        f'  <SQLView name="{name}" sql="{query}"/>',
    ]
