"""Check a JAR against everything that XNAT would pass over in silence or stumble on at start-up."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lethe.plugin import jar as jars
from lethe.plugin.fault import Fault
from lethe.plugin.released import record_of, released_faults
from lethe.plugin.rules.classes import class_faults
from lethe.plugin.rules.displays import display_faults
from lethe.plugin.rules.layout import layout_faults
from lethe.plugin.rules.pages import page_faults
from lethe.plugin.rules.properties import PLACE, properties_faults, read_properties
from lethe.plugin.rules.schemas import Model, schema_faults

_FILE_NAME = re.compile(r"lethe-plugin-([0-9][\w.+-]*)\.jar")


@dataclass(frozen=True, slots=True)
class JarReport:
    """What was found.

    Attributes
    ----------
    name, version, sha256 : str
    size, files : int
    record : mapping
        What the schema declares, for the comparison of the next release.
    faults : tuple of Fault
    """

    name: str
    version: str
    sha256: str
    size: int
    files: int
    record: Mapping[str, Any]
    faults: tuple[Fault, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        types = self.record["types"]
        return {
            "name": self.name,
            "version": self.version,
            "sha256": self.sha256,
            "size": self.size,
            "files": self.files,
            "types": {kind: len(one["columns"]) for kind, one in types.items()},
            "faults": [fault.as_dict() for fault in self.faults],
        }


def check_jar(path: Path, released: Mapping[str, Any] | None = None) -> JarReport:
    """Return what is wrong with a JAR.

    Parameters
    ----------
    path : Path
    released : mapping, optional
        The record of the last release (`lethe.plugin.released.read_record`); without one there was none.

    Raises
    ------
    Refused
        The file is no JAR.
    """
    jar = jars.read(path)
    match = _FILE_NAME.fullmatch(path.name)
    model = Model()
    faults = [*layout_faults(jar), *schema_faults(jar, model)]
    if match is None:
        faults.append(
            Fault(
                "file-name",
                path.name,
                "XNAT takes the version from a name that ends in -{version}.jar.",
                "Name the JAR lethe-plugin-{version}.jar.",
            )
        )
    faults += properties_faults(jar, list(model.columns), match[1] if match else "")
    faults += class_faults(jar, model.bases)
    faults += display_faults(jar, model)
    faults += page_faults(jar)
    if released is not None:
        faults += released_faults(model, released)
    version = read_properties(jar.files.get(PLACE, b"").decode("utf-8", "replace")).get("version", "")
    data = path.read_bytes()
    return JarReport(
        name=path.name,
        version=version,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        files=len(jar.files),
        record=record_of(model, version),
        faults=tuple(faults),
    )
