"""The dictionary as the dashboard reads it."""

import json
from pathlib import Path

from lethe.plugin.browser import dictionary_json

GENERATED = Path(__file__).parents[3] / "plugin" / "dashboard" / "src" / "generated" / "dictionary.json"


def test_the_generated_dictionary_of_the_dashboard_is_up_to_date():
    assert GENERATED.read_text("utf-8") == dictionary_json(), "run: lethe plugin generate"


def test_it_holds_both_types_with_their_elements_and_checks():
    types = json.loads(dictionary_json())["types"]
    assert len(types["clinicalData"]["elements"]) == 77
    assert len(types["defaceQcData"]["elements"]) == 22
    mrs = next(one for one in types["clinicalData"]["elements"] if one["name"] == "mrs_3m")
    assert mrs["codes"][6] == {"value": "6", "label": "dead"}
    assert mrs["required_for"] == "inclusion"
