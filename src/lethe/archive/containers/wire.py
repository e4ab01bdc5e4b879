"""The command definition as JSON: the field names that the Container Service writes."""

from __future__ import annotations

from typing import Any

from lethe.archive.containers.model import (
    Command,
    CommandInput,
    CommandOutput,
    Mount,
    OutputHandler,
    Wrapper,
    WrapperInput,
)

Document = dict[str, Any]


def command_document(command: Command) -> Document:
    """Return `command` as the JSON object that ``GET /xapi/commands/{id}`` shows, without ids."""
    limits = command.limits
    return {
        "name": command.name,
        "label": command.label,
        "description": command.description,
        "version": command.version,
        "schema-version": command.schema_version,
        "info-url": command.info_url,
        "image": command.image,
        "type": command.type,
        "index": command.index,
        "hash": command.hash,
        "working-directory": command.working_directory,
        "command-line": command.command_line,
        "override-entrypoint": command.override_entrypoint,
        "mounts": [_mount(item) for item in command.mounts],
        "environment-variables": dict(command.environment),
        "ports": dict(command.ports),
        "inputs": [_input(item) for item in command.inputs],
        "outputs": [_output(item) for item in command.outputs],
        "xnat": [wrapper_document(item) for item in command.wrappers],
        "reserve-memory": _whole(limits.reserve_memory_mib),
        "limit-memory": _whole(limits.memory_mib),
        "limit-cpu": limits.cpus,
        "shm-size": limits.shm_bytes,
        "visibility": command.visibility,
        "container-labels": dict(command.container_labels),
    }


def wrapper_document(wrapper: Wrapper) -> Document:
    """Return one wrapper as JSON, without its id."""
    return {
        "name": wrapper.name,
        "label": wrapper.label,
        "description": wrapper.description,
        "contexts": list(wrapper.contexts),
        "external-inputs": [_wrapper_input(item) for item in wrapper.external],
        "derived-inputs": [_wrapper_input(item) for item in wrapper.derived],
        "output-handlers": [_handler(item) for item in wrapper.handlers],
    }


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _mount(mount: Mount) -> Document:
    return {"name": mount.name, "writable": mount.writable, "path": mount.path}


def _input(item: CommandInput) -> Document:
    return {
        "name": item.name,
        "label": item.label,
        "description": item.description,
        "type": item.type,
        "required": item.required,
        "matcher": item.matcher or None,
        "default-value": item.default,
        "replacement-key": item.replacement_key or None,
        "command-line-flag": item.flag,
        "command-line-separator": item.separator,
        "true-value": item.true_value,
        "false-value": item.false_value,
        "sensitive": item.sensitive,
        "select-values": list(item.select_values),
        "multiple-delimiter": item.delimiter,
    }


def _output(item: CommandOutput) -> Document:
    return {
        "name": item.name,
        "description": item.description,
        "required": item.required,
        "mount": item.mount,
        "path": item.path,
        "glob": item.glob or None,
    }


def _wrapper_input(item: WrapperInput) -> Document:
    document: Document = {
        "name": item.name,
        "label": item.label,
        "description": item.description,
        "type": item.type,
        "matcher": item.matcher or None,
        "default-value": item.default,
        "required": item.required,
        "load-children": item.load_children,
        "user-settable": item.user_settable,
        "sensitive": item.sensitive,
        "replacement-key": item.replacement_key or None,
        "provides-value-for-command-input": item.command_input or None,
        "provides-files-for-command-mount": item.command_mount or None,
        "via-setup-command": item.setup_command or None,
    }
    if item.source:
        document["derived-from-wrapper-input"] = item.source
        document["derived-from-xnat-object-property"] = item.prop or None
        document["multiple"] = item.multiple
    return document


def _handler(item: OutputHandler) -> Document:
    return {
        "name": item.name,
        "accepts-command-output": item.output,
        "as-a-child-of": item.parent,
        "type": item.type,
        "label": item.label or None,
        "format": item.format or None,
        "content": item.content or None,
        "tags": list(item.tags),
        "description": item.description or None,
        "xsi-type": item.xsi_type or None,
        "via-wrapup-command": item.wrapup_command or None,
    }
