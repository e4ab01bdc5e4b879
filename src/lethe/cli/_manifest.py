"""``lethe command manifest``: a command as a Kubernetes job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lethe.cli._pairs import pairs
from lethe.errors import Misconfigured


def manifest(
    file: Annotated[Path, typer.Argument(help="A command.json.")],
    folders: Annotated[
        list[str],
        typer.Option(
            "--folder", metavar="MOUNT=PATH", help="Folder of a mount inside its claim; repeatable."
        ),
    ],
    values: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Value of an input; repeatable.")
    ] = None,
    nodes: Annotated[
        list[str] | None,
        typer.Option("--node", metavar="LABEL=VALUE", help="Label that a node must have; repeatable."),
    ] = None,
    name: Annotated[
        str, typer.Option("--name", help="Name of the job; by default that of the command.")
    ] = "",
    namespace: Annotated[str, typer.Option("--namespace", help="Namespace of the job.")] = "xnat-jobs",
) -> None:
    """Print a command as the Kubernetes job that runs it once, to try a cluster without XNAT."""
    from lethe.command.kubernetes import job_manifest

    try:
        definition = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise Misconfigured(
            "command-file", f"{file.name} is no readable command.json.", remedy="Check it."
        ) from None
    document = job_manifest(
        definition,
        pairs(folders, "--folder"),
        name=name or definition["name"],
        values=pairs(values or [], "--set"),
        constraints=pairs(nodes or [], "--node"),
        namespace=namespace,
    )
    typer.echo(json.dumps(document, indent=2))
