"""Check a config.xml of CTP: stages, their order, the files they name, and what lets identifiers pass."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from lethe.errors import Misconfigured
from lethe.header.findings import Finding, Severity
from lethe.header.lint import lint
from lethe.header.lookup import LookupTable, load_lookup
from lethe.header.objectfilter import load_filter
from lethe.header.pixelscript import load_pixel_script
from lethe.header.script import read_script

_PACKAGE = "org.rsna.ctp.stdstages."
_COMMON = frozenset(["name", "class", "root", "id", "quarantine", "quarantineTimeDepth"])
_ACCEPTS = frozenset(f"accept{kind}Objects" for kind in ("Dicom", "File", "Xml", "Zip"))
_IMPORT = _COMMON | _ACCEPTS
_STAGES: dict[str, frozenset[str]] = {
    "DicomImportService": _IMPORT
    | {"port", "ip", "calledAETTag", "callingAETTag", "connectionIPTag", "timeTag", "throttle"}
    | {"suppressDuplicates", "logConnections"},
    "HttpImportService": _IMPORT | {"port", "ssl", "zip", "requireAuthentication", "logConnections"},
    "DicomSTOWRSImportService": _IMPORT | {"port", "ssl", "requireAuthentication"},
    "PollingHttpImportService": _IMPORT | {"url"},
    "DirectoryImportService": _IMPORT
    | {"import", "interval", "fsName", "fsNameTag", "filePathTag", "fileNameTag"},
    "ArchiveImportService": _IMPORT | {"treeRoot", "minAge", "expandTARs"},
    "ObjectCache": _COMMON,
    "DicomFilter": _COMMON | {"script"},
    "DicomAnonymizer": _COMMON | {"script", "lookupTable", "dicomScript"},
    "LookupTableChecker": _COMMON,
    "DicomPixelAnonymizer": _COMMON | {"script", "log", "setBurnedInAnnotation", "test"},
    "DicomDecompressor": _COMMON | {"script", "skipJPEGBaseline"},
    "DicomTranscoder": _COMMON | {"script", "tsuid", "quality"},
    "DicomCorrector": _COMMON | {"dicomScript", "fixPrivateElements", "quarantineUncorrectedMismatches"},
    "IDMap": _COMMON,
    "ObjectTracker": _COMMON,
    "ObjectLogger": _COMMON,
    "HttpExportService": _IMPORT
    | {"url", "contentType", "zip", "username", "password", "sendDigestHeader", "enableExport"}
    | {"dicomScript", "throttle", "interval"},
    "PolledHttpExportService": _IMPORT | {"port", "ssl"},
    "DicomExportService": _IMPORT
    | {"url", "associationTimeout", "forceClose", "hostTag", "portTag", "callingAETTag", "calledAETTag"}
    | {"dicomScript"},
}
_ORDER = (
    "ImportService", "DicomFilter", "DicomCorrector", "LookupTableChecker", "DicomAnonymizer",
    "DicomPixelAnonymizer", "ExportService",
)  # fmt: skip
_PUBLIC = frozenset(["keystore", "ctpstore", "password", "king", "admin"])


def lint_pipeline(path: Path) -> list[Finding]:
    """Return the findings of a config.xml and of the files that it names.

    Parameters
    ----------
    path : Path
        The file; what it names is looked for beside it, except lookup tables, which a site has of its own.

    Raises
    ------
    Misconfigured
        The file cannot be read.
    """
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        root = etree.fromstring(path.read_bytes(), parser)
    except OSError:
        raise Misconfigured(
            "config-missing", "The configuration cannot be read.", remedy="Name an existing file."
        ) from None
    except etree.XMLSyntaxError as error:
        sentence = "The configuration is not well-formed XML."
        return [Finding(error.lineno or 0, Severity.FATAL, "malformed", sentence, "Correct the file.")]
    found = [*_server(root), *_shared(root)]
    for pipeline in root.iterchildren("Pipeline"):
        stages = [node for node in pipeline if isinstance(node.tag, str)]
        found += _sequence(pipeline, stages)
        for stage in stages:
            found += _stage(stage, path.parent)
    return sorted(set(found))


def _at(node: etree._Element, severity: Severity, rule: str, sentence: str, remedy: str) -> Finding:
    line = node.sourceline
    return Finding(line if isinstance(line, int) else 0, severity, rule, sentence, remedy)


def _kind(stage: etree._Element) -> str:
    return (stage.get("class") or "").removeprefix(_PACKAGE)


def _server(root: etree._Element) -> Iterator[Finding]:
    server = root.find("Server")
    if server is None or server.get("ssl") != "yes" or server.get("requireAuthentication") != "yes":
        yield _at(
            root if server is None else server,
            Severity.FATAL,
            "open-server",
            "CTP's web server shows the whole configuration, passwords too, to everybody.",
            'Set ssl="yes" and requireAuthentication="yes".',
        )
    keys = None if server is None else server.find("SSL")
    if keys is None or not keys.get("keystore") or not keys.get("truststore"):
        yield _at(
            root,
            Severity.FATAL,
            "public-keystore",
            "Without its own keystore CTP uses the public one.",
            "Name keystore and truststore in an SSL element.",
        )
    for node in root.iter():
        for name in ("keystore", "keystorePassword", "truststorePassword", "password", "username"):
            if isinstance(node.tag, str) and (node.get(name) or "").lower() in _PUBLIC:
                yield _at(
                    node,
                    Severity.FATAL,
                    "default-secret",
                    f"{name} is the one that everybody knows.",
                    "Make your own.",
                )


def _shared(root: etree._Element) -> Iterator[Finding]:
    for name in ("root", "quarantine", "port", "id"):
        seen: set[str] = set()
        for node in root.iter():
            value = node.get(name) if isinstance(node.tag, str) else None
            if value and value in seen:
                sentence = f"Two stages share a {name}."
                yield _at(node, Severity.FATAL, f"shared-{name}", sentence, "Give each its own.")
            seen.add(value or "")


def _sequence(pipeline: etree._Element, stages: list[etree._Element]) -> Iterator[Finding]:
    places = [
        next((place for place, word in enumerate(_ORDER) if _kind(stage).endswith(word)), None)
        for stage in stages
    ]
    known = [place for place in places if place is not None]
    anonymizer = _ORDER.index("DicomAnonymizer")
    first = [
        place for number, place in enumerate(known) if place != anonymizer or place not in known[:number]
    ]
    if first != sorted(first) or not known or known[0] != 0 or known[-1] != len(_ORDER) - 1:
        yield _at(
            pipeline,
            Severity.FATAL,
            "stage-order",
            "The stages do not follow each other from import over filter, lookup check, anonymizer and "
            "pixel anonymizer to export.",
            "Put them in this order.",
        )
    if anonymizer not in known:
        yield _at(pipeline, Severity.FATAL, "no-anonymizer", "Nothing is anonymized.", "Add an anonymizer.")


def _stage(stage: etree._Element, folder: Path) -> Iterator[Finding]:
    kind = _kind(stage)
    allowed = _STAGES.get(kind)
    if allowed is None:
        yield _at(
            stage, Severity.FATAL, "stage-class", "The stage's class is none of CTP's.", "Correct its class."
        )
        return
    for name in sorted(set(stage.attrib) - allowed):
        sentence = f"{kind} has no attribute {str(name)!r}; CTP ignores it."
        yield _at(stage, Severity.FATAL, "stage-attribute", sentence, "Correct its name.")
    if not stage.get("root"):
        yield _at(stage, Severity.FATAL, "no-root", "The stage has no folder.", "Give it a root.")
    if not stage.get("quarantine"):
        yield _at(
            stage,
            Severity.PHI,
            "no-quarantine",
            "What this stage would quarantine is deleted.",
            "Give it a quarantine.",
        )
    if kind.endswith(("ImportService", "ExportService")):
        yield from _door(stage, kind)
    if kind == "DicomAnonymizer" and stage.get("dicomScript"):
        yield _at(
            stage,
            Severity.FATAL,
            "anonymizer-filter",
            "Objects that do not match the dicomScript of an anonymizer pass unchanged.",
            "Use a DicomFilter stage before it.",
        )
    yield from _files(stage, kind, folder)


def _door(stage: etree._Element, kind: str) -> Iterator[Finding]:
    for name in sorted(_ACCEPTS - {"acceptDicomObjects"}):
        if stage.get(name) != "no":
            yield _at(
                stage,
                Severity.PHI,
                "other-objects",
                f"{name} is not no: a file that is no DICOM passes every stage untouched.",
                f'Set {name}="no".',
            )
    guarded = stage.get("ssl") == "yes" and stage.get("requireAuthentication") == "yes"
    if kind.startswith("Http") and kind.endswith("ImportService") and not guarded:
        yield _at(
            stage,
            Severity.PHI,
            "open-door",
            "Anybody may send, or the way is not encrypted.",
            'Set ssl="yes" and requireAuthentication="yes".',
        )
    url = stage.get("url") or ""
    if kind == "HttpExportService" and not re.match(r"https://[^/:]+:[0-9]+", url):
        yield _at(stage, Severity.PHI, "open-way", "The export is not HTTPS with a port.", "Correct the url.")


def _files(stage: etree._Element, kind: str, folder: Path) -> Iterator[Finding]:
    table = stage.get("lookupTable")
    if table is not None and table.lower().endswith(".csv"):
        yield _at(
            stage,
            Severity.FATAL,
            "lookup-csv",
            "CTP loads nothing from a CSV lookup table.",
            "Write the table as Java properties.",
        )
    name = stage.get("script")
    if name is None:
        if kind in ("DicomFilter", "DicomAnonymizer", "DicomPixelAnonymizer"):
            yield _at(stage, Severity.FATAL, "no-script", f"{kind} has no script.", "Name one.")
        return
    path = folder / name
    if not path.is_file():
        yield _at(
            stage,
            Severity.FATAL,
            "script-missing",
            "The script does not exist; CTP would make one that lets everything pass.",
            "Correct its name.",
        )
        return
    try:
        if kind == "DicomFilter":
            load_filter(path)
        elif kind == "DicomPixelAnonymizer":
            load_pixel_script(path)
        elif kind == "DicomAnonymizer":
            lookup = _lookup(folder, table)
            for finding in lint(read_script(path.read_text(encoding="utf-8-sig")), lookup):
                if finding.severity is Severity.FATAL:
                    sentence = f"Line {finding.line} of its script: {finding.sentence}"
                    yield _at(stage, finding.severity, finding.rule, sentence, finding.remedy)
    except (Misconfigured, UnicodeDecodeError) as fault:
        code = fault.code if isinstance(fault, Misconfigured) else "script-encoding"
        yield _at(stage, Severity.FATAL, code, "The script cannot be used.", "Correct it.")


def _lookup(folder: Path, table: str | None) -> LookupTable | None:
    path = None if table is None else folder / table
    return load_lookup(path) if path is not None and path.is_file() else None


def placeholders(path: Path) -> list[str]:
    """Return what a configuration wants to be filled in, such as ``%KEYSTORE%``."""
    return sorted(set(re.findall(r"%[A-Z_]+%", path.read_text(encoding="utf-8"))))
