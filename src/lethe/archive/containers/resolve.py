"""From a launch request to everything a backend needs to know. Pure: objects come through a function."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from jsonpath import JSONPathError, findall

from lethe.archive.containers.inputs import Inputs, Json, Load, Resolved, resolve_inputs
from lethe.archive.containers.model import Command, CommandOutput, Mount, OutputHandler, Wrapper
from lethe.archive.containers.shell import Fragment, Words, fill_line, fill_text, literal
from lethe.archive.containers.wire import wrapper_document
from lethe.errors import Refused

_STARS = "******"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_PATH = re.compile(r"\^(wrapper:)?(\$[^^]+)\^")


@dataclass(frozen=True, slots=True)
class MountPlan:
    """Where a mount's files come from.

    `directory` is a folder of the archive, empty for an empty folder; `copy` asks for a private copy (a
    writable mount with files). `setup` names a set-up command that prepares the files.
    """

    name: str
    path: str
    writable: bool
    directory: str = ""
    copy: bool = False
    setup: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """Where the files below one path of one writable mount go.

    `parent` is an archive URI, or empty where `parent_handler` names an earlier handler.
    """

    name: str
    command_output: str
    type: str
    required: bool
    mount: str
    path: str
    glob: str
    label: str
    format: str
    content: str
    tags: tuple[str, ...]
    description: str
    parent: str
    parent_handler: str = ""
    xsi_type: str = ""
    wrapup: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """One run, resolved: what is executed, with which files, and what becomes of its output.

    `shown_line` and `shown_environment` are for people: sensitive values are starred out.
    """

    command_line: str
    environment: Mapping[str, str]
    working_directory: str
    mounts: tuple[MountPlan, ...]
    outputs: tuple[OutputPlan, ...]
    inputs: tuple[Mapping[str, Any], ...]
    root: Mapping[str, str]
    ports: Mapping[str, str] = field(default_factory=dict)
    shown_line: str = ""
    shown_environment: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the plan as JSON."""
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Plan:
        """Return the plan that `document` was made of."""
        values = dict(document)
        values["mounts"] = tuple(MountPlan(**item) for item in values["mounts"])
        values["outputs"] = tuple(OutputPlan(**{**o, "tags": tuple(o["tags"])}) for o in values["outputs"])
        values["inputs"] = tuple(values["inputs"])
        return cls(**values)


def configure(command: Command, wrapper: Wrapper, config: Mapping[str, Any]) -> tuple[Command, Wrapper]:
    """Apply the settings of a site or a project to a definition.

    Parameters
    ----------
    config : mapping
        ``{"inputs": {name: {"default-value", "matcher", "user-settable"}}, "outputs": {name: {"label"}}}``.
    """
    inputs: Mapping[str, Json] = config.get("inputs") or {}
    outputs: Mapping[str, Json] = config.get("outputs") or {}

    def changed(item: Any) -> Any:
        wish = inputs.get(item.name) or {}
        known = {"default-value": "default", "matcher": "matcher", "user-settable": "user_settable"}
        fields = {
            known[k]: v for k, v in wish.items() if v is not None and k in known and hasattr(item, known[k])
        }
        return replace(item, **fields) if fields else item

    handlers = tuple(
        replace(item, label=(outputs.get(item.name) or {}).get("label") or item.label)
        for item in wrapper.handlers
    )
    wrapper = replace(
        wrapper,
        external=tuple(map(changed, wrapper.external)),
        derived=tuple(map(changed, wrapper.derived)),
        handlers=handlers,
    )
    return replace(command, inputs=tuple(map(changed, command.inputs))), wrapper


def resolve(command: Command, wrapper: Wrapper, params: Mapping[str, str], load: Load) -> Plan:
    """Resolve one launch.

    Parameters
    ----------
    command, wrapper
        The definition, configured for site and project.
    params : mapping
        Input name to value, as the caller sent them; objects as archive URIs.
    load : Load
        Reads objects with the caller's rights.

    Returns
    -------
    Plan

    Raises
    ------
    Refused
        An input is missing or invalid, a matcher is not met, a value cannot be quoted safely.
    """
    inputs = resolve_inputs(command, wrapper, params, load)
    fill = _Filler(command, wrapper, inputs)
    shown = _Filler(command, wrapper, _starred(inputs))
    root = wrapper.root
    return Plan(
        command_line=fill.line(command.command_line),
        environment=_environment(fill.texts(command.environment)),
        working_directory=fill.text(command.working_directory),
        mounts=tuple(_mount(mount, wrapper, inputs) for mount in command.mounts),
        outputs=tuple(_output(handler, command, inputs, fill) for handler in wrapper.handlers),
        inputs=tuple(_shown(inputs)),
        root=_root(inputs.wrapper[root.name]) if root else {},
        ports=fill.texts(command.ports),
        shown_line=shown.line(command.command_line),
        shown_environment=shown.texts(command.environment),
    )


def _environment(values: dict[str, str]) -> dict[str, str]:
    """Refuse names and values that no environment can hold."""
    if not all(_NAME.fullmatch(name) for name in values) or any("\0" in value for value in values.values()):
        raise Refused(
            "environment",
            "An environment variable of this command would get a name or value that is not allowed.",
            remedy="A name consists of letters, digits and _.",
        )
    return values


def _starred(inputs: Inputs) -> Inputs:
    """Return the inputs with stars in place of sensitive values."""

    def star(item: Resolved) -> Resolved:
        hidden = item.sensitive and bool(item.values)
        return replace(item, values=(_STARS,), words=(Fragment(_STARS, trusted=True),)) if hidden else item

    return Inputs(
        {name: star(item) for name, item in inputs.wrapper.items()},
        {name: star(item) for name, item in inputs.command.items()},
    )


class _Filler:
    """Replaces keys and ``^jsonpath^`` in the texts of one run."""

    def __init__(self, command: Command, wrapper: Wrapper, inputs: Inputs) -> None:
        self._command, self._wrapper, self._inputs = command, wrapper, inputs
        self._texts = inputs.texts()
        self._words = inputs.words()

    def text(self, template: str) -> str:
        return fill_text(template, {**self._texts, **self._paths(template)})

    def texts(self, templates: Mapping[str, str]) -> dict[str, str]:
        return {self.text(name): self.text(value) for name, value in templates.items()}

    def line(self, template: str) -> str:
        paths: dict[str, Words] = {key: literal(value) for key, value in self._paths(template).items()}
        return fill_line(template, {**self._words, **paths})

    def _paths(self, template: str) -> dict[str, str]:
        return {hit[0]: self._find(hit[2], bool(hit[1])) for hit in _PATH.finditer(template)}

    def _find(self, path: str, in_wrapper: bool) -> str:
        try:
            found = findall(path, self._document(in_wrapper))
        except JSONPathError as error:
            raise Refused("path-syntax", f"The path {path} in this command cannot be read.") from error
        if not found:
            raise Refused("path-empty", f"The path {path} in this command leads to nothing.")
        return ", ".join(str(value) for value in found)

    def _document(self, in_wrapper: bool) -> dict[str, Any]:
        document = wrapper_document(self._wrapper) if in_wrapper else self._command.document()
        known = self._inputs.wrapper if in_wrapper else self._inputs.command
        for name in ("inputs", "external-inputs", "derived-inputs"):
            for entry in document.get(name, ()):
                if entry["name"] in known:
                    entry["value"] = known[entry["name"]].value
        return document


def _mount(mount: Mount, wrapper: Wrapper, inputs: Inputs) -> MountPlan:
    provider = next((item for item in wrapper.inputs if item.command_mount == mount.name), None)
    plan = MountPlan(mount.name, mount.path, mount.writable)
    if provider is None:
        return plan
    resolved = inputs.wrapper[provider.name]
    if not resolved.values:
        return plan
    directory = str(resolved.objects[0].get("directory") or "") if resolved.objects else resolved.value
    if not directory:
        raise Refused(
            "no-files", f"The object for input '{provider.name}' holds no files that could be mounted."
        )
    return replace(
        plan,
        directory=directory,
        copy=mount.writable,
        setup=provider.setup_command,
        source=provider.name,
    )


def _output(handler: OutputHandler, command: Command, inputs: Inputs, fill: _Filler) -> OutputPlan:
    output = next(item for item in command.outputs if item.name == handler.output)
    parent = inputs.wrapper.get(handler.parent)
    if parent is not None and not parent.objects:
        raise Refused("no-parent", f"Output '{handler.name}' has no object to be attached to.")
    return OutputPlan(
        name=handler.name,
        command_output=output.name,
        type=handler.type,
        required=output.required,
        mount=output.mount,
        path=_inside(fill.text(output.path), output),
        glob=fill.text(output.glob),
        label=fill.text(handler.label) or output.name,
        format=fill.text(handler.format),
        content=fill.text(handler.content),
        tags=tuple(fill.text(tag) for tag in handler.tags),
        description=fill.text(handler.description),
        parent=str(parent.objects[0]["uri"]) if parent is not None else "",
        parent_handler="" if parent is not None else handler.parent,
        xsi_type=handler.xsi_type,
        wrapup=handler.wrapup_command,
    )


def _inside(path: str, output: CommandOutput) -> str:
    clean = posixpath.normpath(path.lstrip("/")) if path.strip("/") else ""
    if clean == ".." or clean.startswith("../") or "\0" in clean:
        raise Refused("path-outside", f"The path of output '{output.name}' leads out of its mount.")
    return "" if clean == "." else clean


def _shown(inputs: Inputs) -> list[dict[str, Any]]:
    """Return the inputs as the container object lists them; sensitive values are not kept."""
    rows = []
    for item in (*inputs.wrapper.values(), *inputs.command.values()):
        value = _STARS if item.sensitive and item.values else item.value
        rows.append({"type": item.kind, "name": item.name, "value": value, "sensitive": item.sensitive})
    return rows


def _root(resolved: Resolved) -> dict[str, str]:
    if not resolved.objects:
        return {}
    found = resolved.objects[0]
    keys = ("uri", "id", "label", "xsiType", "project-id", "type")
    return {key: str(found.get(key) or "") for key in keys} | {"input": resolved.name}
