"""The properties file by which XNAT discovers the plugin."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lethe.plugin.fault import Fault
from lethe.plugin.jar import Jar

PLACE = "META-INF/xnat/lethe-plugin.properties"
_NEEDED = ("id", "class", "name", "version")
_MODEL = re.compile(r"dataModel\.(\w+)\.(\w+)\.(secured|singular|plural|code)")
_KNOWN = {*_NEEDED, "namespace", "description", "beanName", "entityPackages", "openUrls", "adminUrls",
          "logConfigurationFile"}  # fmt: skip
_VERSION = re.compile(r"[0-9][\w.+-]*")


def read_properties(text: str) -> dict[str, str]:
    """Return the keys and values of a Java properties file (plain lines, which is what we write)."""
    rows = [line.strip() for line in text.splitlines()]
    pairs = (row.partition("=") for row in rows if row and not row.startswith(("#", "!")))
    return {key.strip(): value.strip() for key, _, value in pairs}


def models(values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return type (``lethe:clinicalData``) to its settings (secured, singular, plural, code)."""
    found: dict[str, dict[str, str]] = {}
    for key, value in values.items():
        if match := _MODEL.fullmatch(key):
            found.setdefault(f"{match[1]}:{match[2]}", {})[match[3]] = value
    return found


def properties_faults(jar: Jar, types: list[str], version: str) -> Iterator[Fault]:
    """Yield what is wrong with the properties.

    Parameters
    ----------
    types : list of str
        Names of the types of the schema.
    version : str
        Version that the JAR's file name carries, or empty.
    """
    others = [name for name in jar.below("META-INF/xnat/", "-plugin.properties") if name != PLACE]
    for name in others:
        yield Fault("second-plugin", name, "A second plugin in the JAR.", "One JAR, one plugin.")
    if PLACE not in jar.files:
        return
    values = read_properties(jar.files[PLACE].decode("utf-8", "replace"))
    yield from _keys(values, version)
    main = values.get("class", "").replace(".", "/") + ".class"
    if values.get("class") and main not in jar.files:
        yield Fault(
            "plugin-class",
            PLACE,
            "The class named here is not in the JAR; XNAT would stop loading this and every later plugin.",
            "Name org.lethe.xnat.LethePlugin and pack it.",
        )
    set_up = models(values)
    for name in types:
        if set_up.get(name, {}).get("secured") != "true":
            yield Fault(
                "not-secured",
                PLACE,
                f"Type {name} is not secured; it would exist for nobody.",
                f"Add dataModel.{name.replace(':', '.')}.secured=true.",
            )
        for key in ("singular", "plural", "code"):
            if not set_up.get(name, {}).get(key):
                yield Fault("type-name", PLACE, f"Type {name} has no {key}.", "Give one.")
    for name in set_up:
        if name not in types:
            yield Fault("unknown-type", PLACE, f"Type {name} is not in the schema.", "Remove it.")


def _keys(values: Mapping[str, str], version: str) -> Iterator[Fault]:
    for key in _NEEDED:
        if not values.get(key):
            yield Fault(
                "plugin-key",
                PLACE,
                f"The key {key} is missing; XNAT needs it at start-up.",
                f"Add {key}=.",
            )
    if values.get("id") not in (None, "", "lethe"):
        yield Fault("plugin-id", PLACE, "The id is not lethe.", "Keep the id: an update is known by it.")
    if values.get("version") and not _VERSION.fullmatch(values["version"]):
        yield Fault("version", PLACE, "The version does not begin with a digit.", "Write it as 1.2.3.")
    if version and values.get("version") not in (None, "", version):
        yield Fault(
            "version",
            PLACE,
            "The version is not that of the file name.",
            "Name the JAR lethe-plugin-{version}.jar.",
        )
    for key, value in values.items():
        if key not in _KNOWN and not _MODEL.fullmatch(key):
            yield Fault("plugin-key", PLACE, f"XNAT knows no key {key}.", "Remove it.")
        if "'" in value:
            yield Fault(
                "apostrophe",
                PLACE,
                f"The value of {key} holds an apostrophe, which breaks the SQL that XNAT writes with it.",
                "Say it without one.",
            )
