"""Command line of the demo."""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from demo_walk import server as servers
from demo_walk import show
from demo_walk.kit_source import kit_source
from demo_walk.places import Places
from demo_walk.source import Source, check_same_input, own_source
from demo_walk.walk import steps, walk
from lethe.errors import Misconfigured, Outcome
from lethe.governance.collection import Collection

console = Console()
errors = Console(stderr=True)


def _size(folder: Path | None) -> int:
    if folder is None or not folder.is_dir():
        return 0
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _source(places: Places, dicom: Path | None, table: Path | None) -> Source:
    with steps() as step:
        if dicom is not None and table is not None:
            return own_source(dicom, table, step("Reading your data"))
        return kit_source(places, step("Preparing the hospital's data"))


def demo(
    directory: Annotated[Path, typer.Option("--dir", help="Where the demo keeps everything.")] = Path("demo"),
    dicom: Annotated[
        Path | None, typer.Option("--dicom", help="Your own DICOM folder; needs --table.")
    ] = None,
    table: Annotated[
        Path | None, typer.Option("--table", help="Your own clinical table (CSV or Excel).")
    ] = None,
    collection: Annotated[str, typer.Option("--collection", help="Name of the collection.")] = "DEMO",
    http: Annotated[
        int | None, typer.Option("--http", help="Port of the page and REST; else a free one.")
    ] = None,
    dicom_port: Annotated[
        int | None, typer.Option("--dicom-port", help="Port of the DICOM receiver.")
    ] = None,
    backend: Annotated[str, typer.Option("--backend", help="auto, docker or process.")] = "auto",
    serve: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Keep the archive running at the end.")
    ] = True,
    output: Annotated[str, typer.Option("--output", help="table or json.")] = "table",
) -> None:
    """Walk a hospital's DICOM and clinical table through to a published collection.

    Example: ./scripts/demo --no-serve
    """
    if (dicom is None) != (table is None):
        raise Misconfigured(
            "options",
            "--dicom and --table go together.",
            remedy="Give both, or none for the demo's own data.",
        )
    if backend not in ("auto", "docker", "process") or output not in ("table", "json"):
        raise Misconfigured("options", "--backend is auto, docker or process; --output is table or json.")
    chosen = Collection(collection)
    http_port = servers.free_port(http, 8080)
    receiver_port = servers.free_port(dicom_port, 8104)
    if dicom is not None and not dicom.is_dir():
        raise Misconfigured("no-folder", "The DICOM folder does not exist.", remedy="Check the path.")
    places = Places(directory.resolve())
    if dicom is not None and table is not None:
        source = _source(places, dicom, table)  # the user's data are checked before anything is written
    places.prepare(_size(dicom))
    check_same_input(places, dicom, table)
    if dicom is None:
        source = _source(places, None, None)
    with servers.archive(places.root, http_port, receiver_port, backend) as running:
        with steps() as step:
            walk(places, running, chosen, source, step)
        summary = json.loads(places.summary.read_text())
        if output == "json":
            typer.echo(json.dumps(summary, indent=2))
        else:
            show.closing_table(console, summary)
            show.figures(console, summary)
        if serve:
            _wait(running, places, chosen)


def _wait(running: servers.Server, places: Places, collection: Collection) -> None:
    console.print(f"\nThe dashboard: [bold]{running.url}/lethe/#/c/{collection.name}[/]")
    console.print(f"Logins: {', '.join(servers.PEOPLE)}; their passwords are in {places.root / 'users.json'}")
    console.print("Ctrl-C ends the archive; `./scripts/demo` starts it again.")
    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()


def main() -> None:
    """Run; an expected failure is one sentence with a remedy and its exit code."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(demo)
    try:
        app(prog_name="./scripts/demo")
    except Outcome as outcome:
        errors.print(f"demo: {outcome}", style="red", highlight=False, markup=False)
        sys.exit(outcome.exit_code)


main()
