"""The launch form: which inputs a person may set, and what they hold for one object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lethe.archive.containers import registry
from lethe.archive.containers.inputs import Ambiguous, Inputs, Load, Resolved, resolve_inputs
from lethe.archive.containers.model import Command, CommandInput, Wrapper, WrapperInput
from lethe.archive.containers.objects import loader
from lethe.archive.containers.registry import Registered
from lethe.archive.containers.resolve import configure
from lethe.archive.containers.settings import ServerSettings
from lethe.archive.context import Context
from lethe.archive.model import User
from lethe.archive.problem import Problem
from lethe.errors import Refused

Json = dict[str, Any]
Choices = tuple[tuple[str, str], ...]


def launch_form(
    ctx: Context,
    user: User,
    found: Registered,
    params: Mapping[str, str],
    targets: Sequence[str],
    *,
    project: str,
) -> Json:
    """Return ``meta``, ``input-config``, ``input-values`` and ``container-server-config``.

    Raises
    ------
    Problem
        400 when the object does not fit; the sentence says why.
    """
    config = registry.effective_config(ctx, found.wrapper_id, project)
    command, wrapper = configure(found.command, found.wrapper, config)
    try:
        inputs, choices = _resolved(command, wrapper, params, loader(ctx, user, project=project))
    except Problem:
        raise
    except Refused as refusal:
        raise Problem(400, refusal.sentence) from refusal
    provided = {item.command_input for item in wrapper.inputs if item.command_input}
    asked = [item for item in command.inputs if item.name not in provided]
    settings = ServerSettings(ctx).document()
    return {
        "meta": {
            "command-id": found.command_id,
            "command-name": command.name,
            "command-label": command.label or command.name,
            "command-description": command.description,
            "wrapper-id": found.wrapper_id,
            "wrapper-name": wrapper.name,
            "wrapper-label": wrapper.label or wrapper.name,
            "wrapper-description": wrapper.description,
            "image-name": command.image,
            "image-type": "docker",
            "enabled": registry.runnable(ctx, found.wrapper_id, project),
            "root-element-name": wrapper.root.name if wrapper.root else None,
            "targets": list(targets),
        },
        "input-config": [_wrapper_config(item, item.name in choices) for item in wrapper.inputs]
        + [_command_config(item) for item in asked],
        "input-values": [
            _choices(item.name, choices[item.name]) if item.name in choices else _value(item)
            for item in _listed(inputs, provided)
        ],
        "container-server-config": {"swarm-constraints": settings["swarm-constraints"]},
    }


def _resolved(
    command: Command, wrapper: Wrapper, params: Mapping[str, str], load: Load
) -> tuple[Inputs, dict[str, Choices]]:
    """Resolve the inputs; where several objects fit, take the first and tell all of them."""
    given, choices = dict(params), dict[str, Choices]()
    while True:
        try:
            return resolve_inputs(command, wrapper, given, load), choices
        except Ambiguous as ambiguous:
            if ambiguous.name in choices:
                raise
            choices[ambiguous.name] = ambiguous.choices
            given[ambiguous.name] = ambiguous.choices[0][0]


def _choices(name: str, choices: Choices) -> Json:
    return {"name": name, "values": [{"value": value, "label": label} for value, label in choices]}


def _listed(inputs: Inputs, provided: set[str]) -> list[Resolved]:
    return [*inputs.wrapper.values(), *(one for one in inputs.command.values() if one.name not in provided)]


def _wrapper_config(item: WrapperInput, asked: bool) -> Json:
    fixed = item.is_object or not item.user_settable
    return {
        "name": item.name,
        "label": item.label or item.name,
        "description": item.description,
        "type": "select-one" if asked else "static" if fixed else _widget(item.type),
        "required": item.required,
        "user-settable": item.user_settable,
        "advanced": False,
        "parent": item.source or None,
        "input-type": "derived-wrapper-input" if item.source else "external-wrapper-input",
    }


def _command_config(item: CommandInput) -> Json:
    return {
        "name": item.name,
        "label": item.label or item.name,
        "description": item.description,
        "type": _widget(item.type),
        "required": item.required,
        "user-settable": True,
        "advanced": False,
        "parent": None,
        "sensitive": item.sensitive,
        "select-values": list(item.select_values),
        "input-type": "command-input",
    }


def _widget(kind: str) -> str:
    return {
        "boolean": "boolean",
        "number": "number",
        "select-one": "select-one",
        "select-many": "select-many",
    }.get(kind, "text")


def _value(item: Resolved) -> Json:
    hidden = "" if item.sensitive else None
    raw = item.raw if hidden is None else hidden
    if item.objects:
        shown = [
            {"value": v, "label": str(o.get("label") or v)}
            for v, o in zip(item.values, item.objects, strict=True)
        ]
    else:
        shown = [{"value": raw or "", "label": raw or ""}] if raw is not None else []
    return {"name": item.name, "values": shown}
