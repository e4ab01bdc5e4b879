"""What the demo shows in the end: the table, the pictures and where to look."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

_COLUMNS = {
    "patient": "patient",
    "series": "series",
    "kind": "kind",
    "lane": "lane",
    "nifti": "NIFTI",
    "verdict": "verdict",
    "clinical_row": "row",
    "published": "published",
}


_BACKENDS = {"docker": "Docker containers", "process": "processes (no Docker engine was used)"}


def closing_table(console: Console, summary: dict[str, Any]) -> None:
    """Print one line a series, then why what was held back was held back."""
    table = Table(
        title=f"Collection {summary['collection']}", box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False
    )
    for title in _COLUMNS.values():
        table.add_column(title, no_wrap=True)
    for row in summary["rows"]:
        table.add_row(*(row[key] for key in _COLUMNS), style="" if row["published"] != "no" else "dim")
    console.print(table)
    held: dict[str, list[str]] = {}
    for row in summary["rows"]:
        if row["published"] == "no":
            held.setdefault(row["reason"], []).append(f"{row['patient']}/{row['series']}")
    for reason, series in held.items():
        console.print(f"Held back {', '.join(series)}: {reason}", highlight=False, markup=False)


def figures(console: Console, summary: dict[str, Any]) -> None:
    """Print what was counted."""
    counts = summary["counts"]
    console.print(
        f"{counts['sent']} objects sent ({counts['by_c_store']} by C-STORE, {counts['by_rest']} by REST), "
        f"{counts['quarantined']} quarantined at the hospital, {counts['patients']} patients, "
        f"{counts['clinical_rows']} clinical rows."
    )
    runs = ", ".join(f"{count} by {_BACKENDS[name]}" for name, count in summary["backends"].items())
    console.print(f"Commands launched through the Container Service: {runs}.")
    search = summary["search"]
    verdict = "[green]none found[/]" if search["found"] == 0 else f"[red]{search['found']} FOUND[/]"
    console.print(
        f"Searched archive, database, logs, resources and workplace ({search['files']} files, "
        f"{search['mebibytes']} MiB) for {search['planted']} original identifiers: {verdict}."
    )
    if search["too_short"]:
        console.print(f"{search['too_short']} identifiers are too short to search for without false alarms.")
    console.print(f"Intake session sealed: {summary['destruction_record']}")
    for note in summary["notes"]:
        console.print(note, style="yellow", markup=False)
    for name, where in summary["pictures"].items():
        console.print(f"{name}: {where}")
