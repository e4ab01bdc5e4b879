"""Set-up and wrap-up commands: small containers before and after the main one, ``/input`` to ``/output``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lethe.archive.containers import registry, staging
from lethe.archive.containers.backends import Backend, Bind, Cause, RunSpec, Signals
from lethe.archive.containers.model import SETUP, WRAPUP, Command
from lethe.archive.containers.parse import parse_command
from lethe.archive.context import Context
from lethe.errors import Refused


class AuxiliaryFailed(Refused):
    """A set-up or wrap-up command did not end well, or is not registered."""


def find_command(ctx: Context, reference: str, kind: str) -> Command:
    """Return the set-up or wrap-up command of ``repo/image:tag[:name]``.

    Raises
    ------
    AuxiliaryFailed
        None is registered.
    """
    for document in registry.documents(ctx):
        command = parse_command(document)
        if command.type == kind and reference in (command.image, f"{command.image}:{command.name}"):
            return command
    raise AuxiliaryFailed("no-auxiliary", f"No command of type {kind} is registered as {reference}.")


def set_up(
    ctx: Context, backend: Backend, spec: RunSpec, signals: Signals, reference: str, bind: Bind, folder: Path
) -> Bind:
    """Let a set-up command fill `folder` from the files of `bind`; return the mount that takes its place."""
    command = find_command(ctx, reference, SETUP)
    _run(backend, spec, signals, command, bind.host, folder)
    return replace(bind, host=folder)


def wrap_up(
    ctx: Context,
    backend: Backend,
    spec: RunSpec,
    signals: Signals,
    reference: str,
    source: Path,
    folder: Path,
) -> None:
    """Let a wrap-up command turn the files of an output into those that are stored."""
    _run(backend, spec, signals, find_command(ctx, reference, WRAPUP), source, folder)


def _run(
    backend: Backend, spec: RunSpec, signals: Signals, command: Command, source: Path, folder: Path
) -> None:
    logs = folder.with_name(f"{folder.name}.logs")
    scratch = folder.with_name(f"{folder.name}.scratch")
    for fresh in (logs, scratch):
        staging.make_empty(fresh)
    own = replace(
        spec,
        name=f"{spec.name}-{folder.name}",
        image=command.image,
        command_line=command.command_line,
        environment=dict(command.environment),
        binds=(Bind(source, "/input"), Bind(folder, "/output", writable=True)),
        logs=logs,
        scratch=scratch,
        working_directory=command.working_directory,
        override_entrypoint=command.override_entrypoint,
        limits=command.limits,
    )
    ending = backend.wait(backend.start(own), own, signals)
    backend.remove(own)
    if ending.cause is not Cause.EXITED or ending.code:
        raise AuxiliaryFailed(
            "auxiliary", f"The command {command.name} did not end well ({ending.cause}, {ending.code})."
        )
