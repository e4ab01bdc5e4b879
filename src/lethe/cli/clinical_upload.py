"""``lethe clinical upload``: the linked table and the noise key go to the intake project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lethe.cli import _connection as connection
from lethe.cli._output import Output, Printed
from lethe.clinical import Dictionary
from lethe.clinical.linked import check_linked
from lethe.clinical.noise import read_noise_key
from lethe.governance.collection import Collection


def upload(
    table: Annotated[Path, typer.Argument(help="Linked table: table.csv of `lethe clinical link`.")],
    collection: Annotated[str, typer.Option("--collection", help="Name of the collection.")],
    url: connection.Url,
    user: connection.User,
    password_file: connection.PasswordFile = None,
    noise_key: Annotated[
        Path | None, typer.Option("--noise-key", help="noise.key; the one beside the table by default.")
    ] = None,
    centre: Annotated[
        str, typer.Option("--centre", help="Code of the only centre whose rows may be in the table.")
    ] = "",
    dictionary: Annotated[
        Path | None, typer.Option("--dictionary", help="Dictionary (YAML); the stroke one by default.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything; send nothing.")] = False,
    output: Printed = Output.TABLE,
) -> None:
    """Send a linked table and its noise key into the intake project.

    A table that is not linked (no PRID first, a column that names a person, free text) is refused, and so
    is one of a centre whose agreement or ethics approval does not cover sending today. A second time sends
    nothing.

    Example: lethe clinical upload intake/table.csv --collection STROKE --centre ZRH
    """
    from lethe.xnat import intake_table
    from lethe.xnat.client import connect

    chosen, key = Collection(collection), noise_key or table.parent / intake_table.KEY
    linked = check_linked(table, Dictionary.load(dictionary), centre=centre)
    read_noise_key(key)
    with connect(url, user, connection.password(password_file)) as archive:
        done = intake_table.upload(archive, chosen, (table, key), linked, centre=centre, dry_run=dry_run)
    if output is Output.JSON:
        document = {
            "project": chosen.intake,
            "sent" if not dry_run else "to-send": list(done.files),
            "patients": done.patients,
            "with-images": done.with_images,
        }
        typer.echo(json.dumps(document, indent=2, sort_keys=True))
        return
    word = "to be sent" if dry_run else "sent"
    typer.echo(f"{', '.join(done.files)} {word}." if done.files else "Both files are there already.")
    typer.echo(f"{done.with_images} of {done.patients} patients of the table have images in {chosen.intake}.")
