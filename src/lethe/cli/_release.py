"""How a release is shown: what goes, what is there, what is held by which gate and what helps."""

from __future__ import annotations

import json
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lethe.xnat.release import Release, Session

_COLOURS = {"to publish": "green", "published": "dim", "held": "yellow"}


def release_document(release: Release) -> dict[str, Any]:
    """Return a release as JSON."""
    table = release.table
    return {
        "collection": release.collection.name,
        "differs": release.differs,
        "counts": release.counts(),
        "sessions": [
            {
                "patient": one.scan.prid,
                "session": one.scan.session,
                "state": one.state,
                "files": one.files,
                "in-collection": one.out,
                "series": [
                    {
                        "series": each.scan.number,
                        "resources": list(each.planned.resources),
                        "files": each.files,
                        "reason": each.planned.reason,
                        "gate": each.planned.gate,
                        "remedy": each.planned.gate.remedy if each.planned.gate else "",
                    }
                    for each in one.series
                ],
            }
            for one in release.sessions
        ],
        "table": {
            "state": table.state,
            "files": table.files,
            "reason": table.reason,
            "gate": table.gate,
            "remedy": table.gate.remedy if table.gate else "",
        },
    }


def show_release(release: Release, *, as_json: bool, done: bool) -> None:
    """Print a release, planned or done."""
    if as_json:
        typer.echo(json.dumps({**release_document(release), "applied": done}, indent=2, sort_keys=True))
        return
    console = Console(highlight=False)
    shown = Table("patient", "session", "state", "series", "files", "held because")
    for one in release.sessions:
        colour = _COLOURS[one.state]
        going = f"{len(one.series) - len(one.held)} of {len(one.series)}"
        state = "published now" if done and one.state == "to publish" else one.state
        row = (f"[{colour}]{state}[/]", going, str(one.files), escape(_why(one)))
        shown.add_row(escape(one.scan.prid), escape(one.scan.session), *row)
    console.print(shown)
    table = release.table
    console.print(f"clinical table: {table.state}" + (f" ({escape(table.reason)})" if table.reason else ""))
    gates = {each.gate for one in release.sessions for each in one.held} | {table.gate}
    for gate in sorted(gate for gate in gates if gate is not None):
        console.print(f"[yellow]{gate}:[/] {escape(gate.remedy)}", soft_wrap=True)
    left = [one.scan.session for one in release.sessions if one.out and one.state == "held"]
    if left:
        console.print(
            f"[red]{len(left)} held sessions are in the collection from before:[/] "
            f"{escape(', '.join(left))}. Decide whether they have to be withdrawn; nothing is deleted here.",
            soft_wrap=True,
        )
    counts = release.counts()
    word = "published now" if done else "to publish"
    console.print(
        f"{counts['sessions']} sessions: {counts['to publish']} {word}, "
        f"{counts['published']} published before, {counts['held']} held; "
        f"{counts['held series']} series held, {counts['files']} files."
    )


def _why(session: Session) -> str:
    """Return gate and reason of what is held; series that are held only by others say nothing new."""
    lines: dict[str, list[str]] = {}
    for one in session.held:
        lines.setdefault(f"[{one.gate}] {one.reason}", []).append(one.series.scan)
    own = {text: scans for text, scans in lines.items() if not text.startswith("[session]")}
    return "\n".join(f"{', '.join(scans)}: {text}" for text, scans in (own or lines).items())
