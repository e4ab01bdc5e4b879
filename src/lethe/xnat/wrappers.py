"""Commands and wrappers as an XNAT has them registered: found, enabled, and checked before a launch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lethe.errors import Misconfigured
from lethe.xnat.client import Archive

GENERIC: Mapping[str, str] = {
    "Scan": "xnat:imageScanData",
    "Session": "xnat:imageSessionData",
    "Subject": "xnat:subjectData",
    "Project": "xnat:projectData",
}
"""Type of a wrapper's root input -> the xsi:type that stands for all objects of that type."""


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A registered wrapper: the thing that is enabled and launched.

    Attributes
    ----------
    command_id, wrapper_id : int
        The server's numbers.
    name : str
        Name of the wrapper; XNAT calls it pipeline name in workflows.
    root : str
        Name of the input that takes the object's URI.
    root_type : str
        Scan, Session, Subject, Project, ...
    matcher : str
        Which objects of that type it takes; empty: all.
    contexts : tuple of str
        xsi:types on which it is offered.
    results : tuple of str
        Labels of the resources that the object has when a run succeeded.
    """

    command_id: int
    wrapper_id: int
    name: str
    root: str
    root_type: str = ""
    matcher: str = ""
    contexts: tuple[str, ...] = ()
    results: tuple[str, ...] = ()


def wrapper_of(command: Mapping[str, Any], wrapper: Mapping[str, Any]) -> Wrapper:
    """Return a wrapper of a command as the server shows it."""
    (root, *_) = wrapper["external-inputs"]
    return Wrapper(
        int(command["id"]),
        int(wrapper["id"]),
        str(wrapper["name"]),
        str(root["name"]),
        str(root.get("type") or ""),
        str(root.get("matcher") or ""),
        tuple(wrapper.get("contexts") or ()),
        _results(command, wrapper, str(root["name"])),
    )


def _results(command: Mapping[str, Any], wrapper: Mapping[str, Any], root: str) -> tuple[str, ...]:
    """Return the labels of the resources that a successful run leaves on its root object."""
    required = {entry["name"] for entry in command.get("outputs") or () if entry.get("required")}
    handlers = [
        handler
        for handler in wrapper.get("output-handlers") or ()
        if (handler.get("type") or "Resource") == "Resource" and handler.get("as-a-child-of") == root
    ]
    sure = [handler for handler in handlers if handler["accepts-command-output"] in required]
    return tuple(str(handler.get("label") or handler["name"]) for handler in sure or handlers)


def register(archive: Archive, definition: dict[str, Any]) -> list[Wrapper]:
    """Register a command, or find the same name and version already there.

    Parameters
    ----------
    definition : dict
        Contents of a ``command.json``.

    Returns
    -------
    list of Wrapper
        Its wrappers with the server's ids.
    """
    found = find_command(archive, definition)
    if found is None:
        created = archive.request("POST", "/xapi/commands", "register a command", json=definition).json()
        found = archive.request("GET", f"/xapi/commands/{int(created)}", "read a command").json()
    return [wrapper_of(found, wrapper) for wrapper in found["xnat"]]


def find_command(archive: Archive, definition: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the registered command of the same name and version, if there is one."""
    query = {"name": str(definition["name"]), "version": str(definition["version"])}
    rows = archive.request("GET", "/xapi/commands", "list commands", params=query).json()
    # the server's filter is not relied on
    return next((row for row in rows if all(str(row.get(key)) == query[key] for key in query)), None)


def enable(archive: Archive, project: str, wrapper: Wrapper) -> None:
    """Enable a wrapper for the site and for one project."""
    archive.request("PUT", f"/xapi/wrappers/{wrapper.wrapper_id}/enabled", "enable a command for the site")
    archive.request(
        "PUT",
        f"/xapi/projects/{project}/wrappers/{wrapper.wrapper_id}/enabled",
        "enable a command for the project",
    )


def is_enabled(archive: Archive, project: str, wrapper: Wrapper) -> bool:
    """Tell whether a wrapper may run in a project: the site and the project must both allow it."""
    found = archive.request(
        "GET", f"/xapi/projects/{project}/wrappers/{wrapper.wrapper_id}/enabled", "look whether it is enabled"
    ).json()
    return bool(found["enabled-for-site"] and found["enabled-for-project"])


def available(archive: Archive, project: str, xsi_type: str) -> list[dict[str, Any]]:
    """Return the enabled commands that the user is offered on a type of object in `project`."""
    rows: list[dict[str, Any]] = archive.request(
        "GET",
        "/xapi/commands/available",
        "list available commands",
        params={"project": project, "xsiType": xsi_type},
    ).json()
    return [row for row in rows if row["enabled"]]


def registered(archive: Archive, name: str) -> Wrapper:
    """Find a wrapper by its name among all registered commands; the newest registration counts.

    Raises
    ------
    Misconfigured
        No command has a wrapper of that name.
    """
    command, wrapper = _search(archive, name)
    return wrapper_of(command, wrapper)


def _search(archive: Archive, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    found = [
        (command, wrapper)
        for command in archive.request("GET", "/xapi/commands", "list commands").json()
        for wrapper in command.get("xnat") or ()
        if wrapper["name"] == name and wrapper.get("external-inputs")
    ]
    if not found:
        raise Misconfigured(
            "not-registered", f"No wrapper is called {name}.", remedy="Register its command first."
        )
    return max(found, key=lambda pair: int(pair[1]["id"]))


def ready(archive: Archive, project: str, name: str, inputs: Mapping[str, str]) -> Wrapper:
    """Return the wrapper of that name after checking all that the server checks only when it is too late.

    XNAT answers a launch with success whatever is wrong with it and fails later in the background.

    Parameters
    ----------
    inputs : mapping of str to str
        Values that the launch will set.

    Raises
    ------
    Misconfigured
        Not registered, not enabled in the project, not offered to this user, unknown or missing inputs, a
        value that is not in the list.
    """
    command, wrapper = _search(archive, name)
    _check_inputs(command, wrapper, inputs)
    chosen = wrapper_of(command, wrapper)
    if not is_enabled(archive, project, chosen):
        raise Misconfigured(
            "not-enabled",
            f"{name} is not enabled in {project}.",
            remedy=f"An owner can do it: lethe command enable {name} --project {project}",
        )
    _check_offered(archive, project, chosen)
    return chosen


def _check_offered(archive: Archive, project: str, wrapper: Wrapper) -> None:
    """Refuse what XNAT would queue and then let fail, since the user lacks the rights for its outputs."""
    context = wrapper.contexts[0] if wrapper.contexts else GENERIC.get(wrapper.root_type, "")
    rows = available(archive, project, context) if context else []
    if context and wrapper.wrapper_id not in {int(row["wrapper-id"]) for row in rows}:
        raise Misconfigured(
            "not-offered",
            f"{wrapper.name} is not offered to you in {project}: your role may not add what it writes.",
            remedy="Ask the owner of the project for the role of a member.",
        )


def _check_inputs(command: Mapping[str, Any], wrapper: Mapping[str, Any], inputs: Mapping[str, str]) -> None:
    (root, *others) = wrapper["external-inputs"]
    entries = [*others, *(wrapper.get("derived-inputs") or ()), *(command.get("inputs") or ())]
    known = {str(entry["name"]): entry for entry in entries if entry.get("user-settable", True)}
    for name, value in inputs.items():
        if name not in known:
            offered = ", ".join(sorted(entry["name"] for entry in command.get("inputs") or ())) or "none"
            raise Misconfigured(
                "no-input", f"The command has no input {name}.", remedy=f"There are: {offered}."
            )
        offered_values = known[name].get("select-values") or ()
        if offered_values and value not in offered_values:
            raise Misconfigured(
                "no-value", f"Input {name} has no such value.", remedy=f"Choose {', '.join(offered_values)}."
            )
    provided = {
        str(entry.get("provides-value-for-command-input"))
        for entry in [root, *others, *(wrapper.get("derived-inputs") or ())]
    }
    for entry in command.get("inputs") or ():
        given = entry["name"] in inputs or entry["name"] in provided
        if entry.get("required") and not given and entry.get("default-value") in (None, ""):
            raise Misconfigured(
                "input-needed",
                f"Input {entry['name']} needs a value.",
                remedy=f"Add --set {entry['name']}=VALUE",
            )
