"""Site configuration: XNAT's ``siteConfig`` properties with our defaults, kept in the database."""

from __future__ import annotations

import re
from typing import Any

from lethe.archive.store import Store

DEFAULTS: dict[str, Any] = {
    "siteId": "XNAT",
    "siteUrl": "",
    "siteHome": "/",
    "siteLogoPath": "/images/logo.png",
    "siteDescription": "De-identified imaging archive",
    "processingUrl": "",
    "requireLogin": False,
    "uiAllowNonAdminProjectCreation": True,
    "restrictUserListAccessToAdmins": True,
    "securityAllowNonPrivateProjects": True,
    "enableSitewideAnonymizationScript": False,
    "enableSitewideSeriesImportFilter": False,
    "sessionXmlRebuilderInterval": 5,
    "sessionXmlRebuilderRepeatCount": 10000,
    "uiDefaultCompressedUploaderImporter": "SI",
    "dicomFileNameTemplate": "${SOPInstanceUID}.dcm",
    "headerNetProjects": ".*_INTAKE",
    "receivedFileUser": "",
    "checksums": True,
    "archivePath": "archive",
    "prearchivePath": "prearchive",
    "buildPath": "build",
    "cachePath": "cache",
    "aliasTokenTimeout": "2 days",
    "sessionTimeout": "1 hour",
}
"""Defaults. `requireLogin` is false so that a public project is public to the outside (E-18)."""

_UNITS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "week": 604800.0}
_SPAN = re.compile(rf"(\d{{1,6}})\s*({'|'.join(_UNITS)})s?")

OPEN = frozenset({"siteId", "siteUrl", "siteHome", "siteLogoPath", "siteDescription", "buildInfo"})
"""Properties everybody may read."""


class Settings:
    """Read and change site properties; unknown keys are kept as they come."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, key: str) -> Any:
        """Return a property, its default, or None for an unknown one."""
        return self._store.setting(f"site.{key}", DEFAULTS.get(key))

    def seconds(self, key: str) -> float:
        """Return a span such as ``2 days`` in seconds; the default's, where the text is no span."""
        for text in (self.get(key), DEFAULTS[key]):
            found = _SPAN.fullmatch(str(text).strip().lower())
            if found is not None:
                return int(found[1]) * _UNITS[found[2]]
        raise KeyError(key)

    def set(self, key: str, value: Any) -> None:
        """Store a property."""
        self._store.set_setting(f"site.{key}", value)

    def all(self) -> dict[str, Any]:
        """Return every property, defaults included."""
        rows = self._store.read().execute("SELECT key FROM setting WHERE key LIKE 'site.%'").fetchall()
        keys = set(DEFAULTS) | {row["key"][5:] for row in rows}
        return {key: self.get(key) for key in sorted(keys)}

    @property
    def site_id(self) -> str:
        """Return the prefix of accession ids."""
        text = str(self.get("siteId"))
        return "".join(c for c in text if c not in " '\"").replace("-", "_") or "XNAT"
