"""``scripts/fetch-artifacts``: the files and images of the stack, with their digests settled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from docker.client import DockerClient
from docker.errors import DockerException
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from lethe.errors import Unavailable
from lethe.stack.artifacts import Ledger, fetch, image_digest, read_artifacts
from lethe.stack.running import run
from lethe.stack.settings import read_env

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def fetch_all(
    root: Annotated[Path, typer.Option(help="Folder of docker-compose.yml and .env.")] = Path(),
    files: Annotated[bool, typer.Option(help="Fetch the files.")] = True,
    images: Annotated[bool, typer.Option(help="Pull the images.")] = True,
) -> None:
    """Fetch what the stack is built from; a digest that changed stops it.

    Example: scripts/fetch-artifacts --no-images
    """
    wanted, references = read_artifacts(root / "stack" / "artifacts.toml", read_env(root / ".env"))
    ledger = Ledger(root / "stack" / "artifacts.lock")
    console = Console(highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        for artifact in wanted if files else ():
            task = bars.add_task(artifact.name, total=None)
            said = fetch(
                artifact,
                root / "stack" / "downloads",
                ledger,
                progress=lambda _name, done, total, task=task: bars.update(  # type: ignore[misc]
                    task, completed=done, total=total or None
                ),
            )
            console.print(f"{said:>10}  {artifact.name}", markup=False)
    for name, reference in references.items() if images else ():
        console.print(f"{ledger.settle(reference, _pulled(reference)):>10}  {name} {reference}", markup=False)


def _pulled(reference: str) -> str:
    try:
        client = DockerClient.from_env()  # type: ignore[no-untyped-call]
        return image_digest(client.images.pull(reference).attrs, reference)
    except DockerException:
        raise Unavailable(
            "no-image", f"The image {reference} could not be pulled.", remedy="Check engine and network."
        ) from None


if __name__ == "__main__":
    run(app)
