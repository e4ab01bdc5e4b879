"""The report and edit pages of the data types inside XNAT, as Velocity templates."""

from __future__ import annotations

from html import escape
from itertools import groupby

from lethe.clinical.record import Element
from lethe.plugin.types import DataType, data_types

SCREENS = "META-INF/resources/templates/screens"
_APP = '$content.getURI("/lethe/index.html")#/c/#escapeHTML($letheProject)'
_HEAD = """\
<!-- title: {title} -->
$page.setTitle("{title}")
#set($letheProject = $!item.getStringProperty("project"))
"""


def pages() -> dict[str, str]:
    """Return path in the JAR and text of every generated page."""
    clinical, qc = data_types()
    found = {f"{SCREENS}/XDATScreen_report_{one.sql_name}.vm": report_page(one) for one in (clinical, qc)}
    found[f"{SCREENS}/XDATScreen_edit_{clinical.sql_name}.vm"] = edit_page(clinical)
    return found


def report_page(one: DataType) -> str:
    """Return the report: what is filled, group by group, with XNAT's own action box."""
    lines = [
        _HEAD.format(title=_text(one.singular)).rstrip(),
        '<table class="lethe-report" style="width:100%"><tr><td style="vertical-align:top">',
        '#set($letheValue = "")#set($letheValue = $!item.getStringProperty("label"))',
        f'<h2>{_text(one.singular)}#if("$!letheValue" != "") #escapeHTML($letheValue)#end</h2>',
        f'#if("$!letheProject" != "")<p><a href="{_APP}/{_screen(one)}">Open on the dashboard</a></p>#end',
    ]
    for group, members in groupby(one.record.elements.values(), key=lambda element: element.group):
        lines += [f"<h3>{_text(one.record.groups[group])}</h3>", '<table class="data-table">']
        lines += [line for element in members for line in _row(one, element)]
        lines.append("</table>")
    return "\n".join(
        [
            *lines,
            '</td><td style="vertical-align:top;text-align:right">',
            "#elementActionsBox($element $search_field $search_value $user $item)",
            "</td></tr></table>",
            "",
        ]
    )


def edit_page(one: DataType) -> str:
    """Return the edit page, which leads to the form of the dashboard: one form, one set of checks."""
    lines = [
        _HEAD.format(title=_text(one.singular)).rstrip(),
        f"<h2>{_text(one.singular)}</h2>",
        "<p>This record is edited on the dashboard, where the cross-checks run while you type.</p>",
        '#if("$!letheProject" != "")',
        f'<p><a class="btn" href="{_APP}/{_screen(one)}">Open the form</a></p>',
        "#else",
        '<p><a class="btn" href="$content.getURI("/lethe/index.html")">Open the dashboard</a></p>',
        "#end",
        "",
    ]
    return "\n".join(lines)


def _screen(one: DataType) -> str:
    return "review" if one.of_images else "clinical"


def _row(one: DataType, element: Element) -> list[str]:
    unit = f" {_text(element.unit)}" if element.unit and not element.unit.startswith("{") else ""
    path = f"{one.name}/{element.name}"
    return [
        f'#set($letheValue = "")#set($letheValue = $!item.getStringProperty("{path}"))'
        f'#if("$!letheValue" != "")<tr><th>{_text(element.label)}</th>'
        f"<td>#escapeHTML($letheValue){unit}</td></tr>#end"
    ]


def _text(text: str) -> str:
    """Return a text of the dictionary for HTML inside a template: no character starts a directive."""
    return escape(text, quote=True).replace("#", "&#35;").replace("$", "&#36;")
