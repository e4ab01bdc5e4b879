"""What the demo shows in the end: the table, the pictures and where to look."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

_TITLES = ("patient", "series", "lane", "NIFTI", "de-face verdict", "clinical row", "published", "why")
_KEYS = ("patient", "series", "lane", "nifti", "verdict", "clinical_row", "published", "reason")


def closing_table(console: Console, summary: dict[str, Any]) -> None:
    """Print one line a series."""
    table = Table(title=f"Collection {summary['collection']}", show_lines=False)
    for title in _TITLES:
        table.add_column(title, overflow="fold")
    for row in summary["rows"]:
        style = "" if row["published"] != "no" else "dim"
        table.add_row(*(row[key] for key in _KEYS), style=style)
    console.print(table)


def figures(console: Console, summary: dict[str, Any]) -> None:
    """Print what was counted."""
    counts = summary["counts"]
    console.print(
        f"{counts['sent']} objects sent ({counts['by_c_store']} by C-STORE, {counts['by_rest']} by REST), "
        f"{counts['quarantined']} quarantined at the hospital, {counts['patients']} patients, "
        f"{counts['clinical_rows']} clinical rows."
    )
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
        console.print(f"[yellow]{note}[/]")
    for name, where in summary["pictures"].items():
        console.print(f"{name}: {where}")
