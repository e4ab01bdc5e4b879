"""The demo's collection as a file: its people, its agreements, its policies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from demo_walk.source import Source
from lethe.clinical.table import CENTRE
from lethe.files import write_bytes
from lethe.governance.collection import Collection

_SITE = "SITE"
_ROLES = {"coordinator": "owner", "member": "member", "collaborator": "collaborator"}


def centres(source: Source) -> list[str]:
    """Return the codes of the centres in the hospital's table, the sending one first."""
    table = source.chosen.table
    found = sorted({str(code) for code in table[CENTRE] if str(code)}) if CENTRE in table.columns else []
    return found or [_SITE]


def write_file(path: Path, collection: Collection, source: Source, commands: list[str]) -> None:
    """Write the collection file of the demo; `commands` are the wrappers of the intake project."""
    known = centres(source)
    signed = {"reference": "invented for the demo", "since": "2020-01-01"}
    people: dict[str, Any] = {
        login: {"centre": known[0], "collection": role} for login, role in _ROLES.items()
    }
    people["curator"] = {"centre": known[0], "intake": "owner"}
    data = {
        "collection": collection.name,
        "description": "Lethe demo collection",
        "centres": {
            code: {
                "name": f"Centre {code}",
                "agreement": {**signed, "uses": ["access", "contribute", "publish"]},
                "ethics": {**signed, "kind": "approval"},
            }
            for code in known
        },
        "people": people,
        "profile": {"name": "stroke"},
        "lookup": {"mode": "anonymous"},
        "commands": {"intake": commands},
    }
    write_bytes(path, yaml.safe_dump(data, sort_keys=False, allow_unicode=True).encode())
