"""Print a dictionary for people and for REDCap."""

from __future__ import annotations

import csv
import io

from lethe.clinical.dictionary import DROPPED, NUMBERS, Dictionary, Role, Type, Variable

_TREATMENT = {
    Role.IDENTIFIER: "dropped",
    Role.FREE_TEXT: "dropped",
    Role.DATE: "shifted by the patient's offset",
    Role.NUMERIC: "scrambled, at most 5 %",
    Role.TIMING: "kept",
    Role.OUTCOME: "kept",
    Role.CATEGORICAL: "kept",
}
_REDCAP_HEADER = (
    "Variable / Field Name",
    "Form Name",
    "Section Header",
    "Field Type",
    "Field Label",
    "Choices, Calculations, OR Slider Labels",
    "Field Note",
    "Text Validation Type OR Show Slider Number",
    "Text Validation Min",
    "Text Validation Max",
    "Identifier?",
)
_REDCAP_CHECKS = {
    Type.INTEGER: "integer",
    Type.DECIMAL: "number",
    Type.DATE: "date_ymd",
    Type.DATETIME: "datetime_ymd",
    Type.TIME: "time",
}


def as_markdown(dictionary: Dictionary) -> str:
    """Return the dictionary as Markdown tables, one per group."""
    lines = [f"# {dictionary.title}, version {dictionary.version}", ""]
    group = ""
    for variable in dictionary.variables.values():
        if variable.group != group:
            group = variable.group
            lines += ["", f"## {group.replace('_', ' ').capitalize()}", ""]
            lines += ["| variable | label | type | unit | allowed | role: what happens | code |"]
            lines += ["|---|---|---|---|---|---|---|"]
        codes = [f"LOINC {variable.loinc}"] * bool(variable.loinc)
        codes += [f"SNOMED CT {variable.snomed}"] * bool(variable.snomed)
        cells = (variable.name, variable.label, variable.type, variable.unit, _allowed(variable))
        done = f"{variable.role}: {_TREATMENT[variable.role]}"
        lines.append("| " + " | ".join((*cells, done, ", ".join(codes))) + " |")
    return "\n".join(lines) + "\n"


def as_redcap(dictionary: Dictionary) -> str:
    """Return a REDCap data dictionary (CSV), which REDCap imports to build the entry form."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_REDCAP_HEADER)
    for variable in dictionary.variables.values():
        writer.writerow(_redcap_row(variable))
    return stream.getvalue()


def _redcap_row(variable: Variable) -> tuple[str, ...]:
    kind = {Type.BOOLEAN: "yesno", Type.CODE: "radio"}.get(variable.type, "text")
    choices = " | ".join(f"{code}, {meaning}" for code, meaning in variable.codes.items())
    limits = (variable.minimum, variable.maximum) if variable.type in NUMBERS else (None, None)
    return (
        variable.name,
        variable.group,
        "",
        "notes" if variable.role is Role.FREE_TEXT else kind,
        variable.label,
        choices if kind == "radio" else "",
        variable.unit,
        _REDCAP_CHECKS.get(variable.type, ""),
        *("" if limit is None else str(limit) for limit in limits),
        "y" if variable.role in DROPPED else "",
    )


def _allowed(variable: Variable) -> str:
    if variable.codes:
        return "; ".join(f"{code} {meaning}" for code, meaning in variable.codes.items())
    if variable.minimum is None or variable.maximum is None:
        return ""
    step = f", step {variable.resolution}" if variable.resolution else ""
    label = f'; "{variable.ceiling_label}" from {variable.ceiling}' if variable.ceiling_label else ""
    return f"{variable.minimum} to {variable.maximum}{step}{label}"
