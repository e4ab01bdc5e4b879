"""What a project of an export has beside its items: variables, configuration, scripts, modes, visibility."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from lxml import etree

from lethe.xnat.moving_target import Target

Json = dict[str, Any]
_XNAT = "http://nrg.wustl.edu/xnat"
_TEXT = {"Content-Type": "text/plain"}


def protocols(target: Target, path: str, project: Json, item: Json | None) -> None:
    """Define the custom variables that the target's project lacks."""
    lists = [] if item is None else item["children"]
    there = {
        row["data_fields"].get("ID")
        for one in lists
        if one["field"] == "studyProtocol"
        for row in one["items"]
    }
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    found = [etree.fromstring(text.encode(), parser) for text in project["protocols"]]
    missing = [one for one in found if one.get("ID") not in there]
    if not missing:
        return
    root = etree.Element(f"{{{_XNAT}}}Project", ID=project["id"], nsmap={"xnat": _XNAT})
    root.extend(missing)
    target.change(
        "PUT",
        path,
        "define custom variables",
        data=etree.tostring(root),
        headers={"Content-Type": "text/xml"},
    )


def configs(target: Target, name: str, project: Json) -> list[str]:
    """Store the versions of each configuration that the target lacks, in order; return what differs."""
    differs = []
    for one in project["configs"]:
        path = f"/data/projects/{quote(name, safe='')}/config/{quote(one['tool'])}/{quote(one['path'])}"
        rows = target.rows(path, "read the versions of a configuration", action="getHistory")
        have = _distinct([row.get("contents") or "" for row in rows])
        want = _distinct([version["contents"] for version in one["versions"]])
        if [text.strip() for text in want[: len(have)]] != [text.strip() for text in have]:
            differs.append(f"{name}: configuration {one['tool']}/{one['path']}")
            continue
        reasons = {version["contents"]: version["reason"] for version in one["versions"]}
        for text in want[len(have) :]:
            more = {"reason": reasons[text]} if reasons[text] else {}
            target.change(
                "PUT", path, "store a configuration",
                params={"inbody": "true", **more}, data=text.encode(), headers=_TEXT,
            )  # fmt: skip
        status = rows[-1].get("status") if rows and len(have) == len(want) else "enabled"
        if one["versions"][-1]["status"] == "disabled" and status != "disabled":
            target.change("PUT", path, "disable a configuration", params={"status": "disabled"})
    return differs


def _distinct(texts: list[str]) -> list[str]:
    """Drop empty texts and those equal to the one before: some servers store no version for them."""
    found: list[str] = []
    for text in texts:
        if text.strip() and (not found or found[-1].strip() != text.strip()):
            found.append(text)
    return found


def anonymization(target: Target, name: str, project: Json) -> list[str]:
    """Store the project's script where the target has none; return what differs."""
    wanted = project["anonymization"]
    if wanted is None:
        return []
    path = f"/xapi/anonymize/projects/{quote(name, safe='')}"
    answer = target.get(path, "read the anonymization script")
    there = answer.text if answer.status_code == 200 else ""
    if not there.strip():
        target.change(
            "PUT", path, "store the anonymization script", data=wanted["script"].encode(), headers=_TEXT
        )
    elif there.strip() != wanted["script"].strip():
        return [f"{name}: anonymization script"]
    flag = str(wanted["enabled"]).lower()
    answer = target.get(f"{path}/enabled", "ask for the script's state", ok=(200, 204, 404, 500))
    if answer.status_code != 200 or answer.text.strip() != flag:
        target.change("PUT", f"{path}/enabled", "switch the script", params={"enable": flag}, json={})
    return []


def settings(target: Target, name: str, project: Json, *, write: bool) -> list[str]:
    """Set modes of arrival, then the visibility; return what differs where they are not written."""
    base = f"/data/projects/{quote(name, safe='')}"
    differs = []
    for word, text in [*project["settings"].items(), ("accessibility", project["visibility"])]:
        there = target.get(f"{base}/{word}", "read a mode of the project").text.strip()
        if there == text:
            continue
        if write:
            target.change("PUT", f"{base}/{word}/{text}", "set a mode of the project")
        else:
            differs.append(f"{name}: {word}")
    return differs
