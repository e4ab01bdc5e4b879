"""The dictionary as the browser reads it."""

from __future__ import annotations

import json
from typing import Any

from lethe.plugin.types import NAMESPACE, DataType, data_types

CLINICAL_LABEL = "{subject}_CLIN_{event_no}"
QC_LABEL = "{session}_DQC_{scan}_{number}"
_WORDS = {
    "filled": "[filled, x]: the element is not empty",
    "is": "[is, x, v, ...]: the element is one of the values; two numbers compare as numbers",
    "above": "[above, x, n]: the element is a number greater than n",
    "below": "[below, x, n]: the element is a number less than n",
    "less": "[less, x, y]: both elements are numbers and x is less than y",
    "and": "[and, e, ...]: all expressions are true",
    "or": "[or, e, ...]: an expression is true",
    "not": "[not, e]: the expression is not true",
}


def dictionary_json() -> str:
    """Return the types, elements and cross-checks that the dashboard is built with, as JSON text.

    A check has a fault when its ``fault`` expression is true of the record (element name to trimmed text;
    absent is empty). A number is ``-?[0-9]+(.[0-9]+)?``; anything else makes above, below and less false.
    """
    types = data_types()
    document: dict[str, Any] = {
        "generated": "by lethe plugin generate; do not edit",
        "namespace": NAMESPACE,
        "expressions": _WORDS,
        "types": {one.record.element: _type(one) for one in types},
    }
    return _text(document) + "\n"


def _text(value: Any, depth: int = 0) -> str:
    """Return JSON with one element or check per line."""
    inside = " " * (depth + 1)
    if depth < 4 and isinstance(value, dict) and depth != 3:
        rows = [f"{inside}{json.dumps(key)}: {_text(one, depth + 1)}" for key, one in value.items()]
        return "{\n" + ",\n".join(rows) + "\n" + " " * depth + "}"
    if depth == 3 and isinstance(value, list):
        rows = [inside + json.dumps(one, ensure_ascii=False) for one in value]
        return "[\n" + ",\n".join(rows) + "\n" + " " * depth + "]"
    return json.dumps(value, ensure_ascii=False)


def _type(one: DataType) -> dict[str, Any]:
    return {
        "xsi_type": one.name,
        "base": one.base,
        "root_element": one.root,
        "singular": one.singular,
        "plural": one.plural,
        "label": QC_LABEL if one.of_images else CLINICAL_LABEL,
        **one.record.as_dict(),
    }
