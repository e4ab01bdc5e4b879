"""``lethe clinical``: the way of a clinical table from the hospital to the released one."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lethe.cli import clinical_upload
from lethe.cli._output import Output, Printed, show_facts
from lethe.clinical import (
    PRID,
    Dictionary,
    ScrambleReport,
    link_table,
    read_table,
    scramble_table,
    write_table,
)
from lethe.clinical.check import CheckReport, check_table
from lethe.clinical.describe import as_markdown, as_redcap
from lethe.clinical.eligibility import RuleSet, select
from lethe.clinical.form import custom_form, template
from lethe.clinical.noise import read_noise_key, write_noise_key
from lethe.clinical.page import as_page
from lethe.clinical.record import Record
from lethe.clinical.redcap import Mapping
from lethe.clinical.release import write_release
from lethe.clinical.risk import assess
from lethe.clinical.risk_page import as_risk_page
from lethe.errors import Misconfigured, Refused
from lethe.files import write_bytes, write_json
from lethe.identity import IntakeSession

HELP = "Clinical tables: dictionary, check, link, upload, scramble, risk."
app = typer.Typer(help=HELP, no_args_is_help=True)


class Form(StrEnum):
    """How the dictionary is printed."""

    MARKDOWN = "markdown"
    JSON = "json"
    REDCAP = "redcap"


Source = Annotated[Path, typer.Argument(help="CSV (UTF-8), Excel or REDCap export.")]
Dict = Annotated[
    Path | None, typer.Option("--dictionary", help="Dictionary (YAML); the stroke one by default.")
]
Rules = Annotated[Path | None, typer.Option(help="Rule set (YAML); the stroke one by default.")]
Folder = Annotated[Path, typer.Option("--to", help="Folder to write into; made when absent.")]
Names = Annotated[
    Path | None, typer.Option("--mapping", help="Mapping (YAML) of the names of a REDCap project.")
]
Centre = Annotated[str, typer.Option(help="Code of the only centre whose rows may be in the table.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Do everything except writing.")]


@app.command("dictionary")
def show_dictionary(
    dictionary: Dict = None, output: Annotated[Form, typer.Option(help="Form.")] = Form.MARKDOWN
) -> None:
    """Print the variable dictionary: label, type, unit, range or codes, role.

    Example: lethe clinical dictionary --output redcap > stroke-redcap.csv
    """
    loaded = Dictionary.load(dictionary)
    if output is Form.JSON:
        typer.echo(json.dumps(loaded.as_dict(), indent=2, ensure_ascii=False))
    else:
        typer.echo(as_markdown(loaded) if output is Form.MARKDOWN else as_redcap(loaded), nl=False)


@app.command()
def form(
    project: Annotated[str, typer.Option(help="Project that gets the form; the whole site without.")] = "",
    csv_table: Annotated[bool, typer.Option("--csv", help="Print an empty table (CSV) instead.")] = False,
    dictionary: Dict = None,
) -> None:
    """Print the record as a custom form, for an XNAT (1.8.8 or newer) without the plugin.

    Example: lethe clinical form --project STROKE > form.json, then PUT it to /xapi/customforms/save
    """
    record = Record.load(dictionary)
    shown = template(record) if csv_table else json.dumps(custom_form(record, project), indent=1) + "\n"
    typer.echo(shown, nl=False)


@app.command()
def check(
    table: Source,
    rules: Rules = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as one HTML page, too.")] = None,
    mapping: Names = None,
    centre: Centre = "",
    dictionary: Dict = None,
    output: Printed = Output.TABLE,
) -> None:
    """Say what is wrong with a table, how complete it is, and which rows belong into the collection.

    Rows are counted as in a spreadsheet; values are never printed. Exit code 4 when something is wrong.

    Example: lethe clinical check registry.csv --html report.html
    """
    loaded = Dictionary.load(dictionary)
    names = Mapping.load(mapping, loaded) if mapping else None
    report = check_table(table, loaded, RuleSet.load(loaded, rules), mapping=names, centre=centre)
    if html is not None:
        write_bytes(html, as_page(report, loaded.title).encode())
    if output is Output.JSON:
        typer.echo(json.dumps(report.as_dict(), indent=2, sort_keys=True))
    else:
        _show_check(report)
    if report.issues:
        raise Refused("table-faults", f"{len(report.issues)} cells or columns have to be corrected.")


@app.command()
def link(
    table: Source,
    session: Annotated[Path, typer.Option(help="Folder of the intake session.")],
    key: Annotated[Path, typer.Option(help="Key file of the intake session.")],
    to: Folder,
    rules: Rules = None,
    mapping: Names = None,
    centre: Centre = "",
    patient_column: Annotated[
        str, typer.Option(help="Column of the patient; prid for a table of a pseudonymous session.")
    ] = "",
    dictionary: Dict = None,
    dry_run: DryRun = False,
    output: Printed = Output.TABLE,
) -> None:
    """Put PRIDs into a table, drop identifiers and free text, shift dates; writes table.csv and noise.key.

    Rows that do not belong into the collection (refusal of the patient, rule set) are left out;
    excluded.json says which and why. Patients unknown to the session are refused: add them first.

    Example: lethe clinical link registry.csv --session session --key stroke.key --to clinical-intake
    """
    loaded = Dictionary.load(dictionary)
    column = patient_column or loaded.patient_column
    names = Mapping.load(mapping, loaded) if mapping else None
    read = read_table(table, loaded, patient_column=column, mapping=names, centre=centre)
    ruleset = RuleSet.load(loaded, rules)
    chosen = select(read, loaded, ruleset)
    intake = IntakeSession.resume(session, key_file=key)
    linked = link_table(chosen.table, loaded, intake.assignments, patient_column=column)
    if not dry_run:
        _make(to)
        write_table(linked, to / "table.csv", 0o600)
        write_noise_key(to / "noise.key", intake.noise_key)
        write_json(to / "excluded.json", chosen.as_dict(ruleset), 0o600)
    show_facts(
        {
            "rows": len(linked),
            "columns": len(linked.columns),
            "excluded": len(chosen.excluded),
            "dropped_columns": len(read.columns) - len(linked.columns) + 1,
        },
        output,
    )


@app.command()
def scramble(
    table: Annotated[Path, typer.Argument(help="Linked table: table.csv of `lethe clinical link`.")],
    noise_key: Annotated[Path, typer.Option(help="noise.key of the collection.")],
    to: Folder,
    dictionary: Dict = None,
    dry_run: DryRun = False,
    output: Printed = Output.TABLE,
) -> None:
    """Scramble a linked table by role; writes CSV, Parquet, dictionary and report (JSON and HTML).

    Example: lethe clinical scramble intake/table.csv --noise-key intake/noise.key --to clinical
    """
    loaded = Dictionary.load(dictionary)
    read = read_table(table, loaded, patient_column=PRID)
    released = scramble_table(read, loaded, noise_key=read_noise_key(noise_key))
    if not dry_run:
        _make(to)
        write_release(released, loaded, to)
    if output is Output.JSON:
        typer.echo(json.dumps(released.report.as_dict(), indent=2, sort_keys=True))
    else:
        _show_report(released.report)


@app.command()
def risk(
    linked: Annotated[Path, typer.Argument(help="Linked table, before scrambling: table.csv.")],
    released: Annotated[Path, typer.Argument(help="Released table: clinical.csv.")],
    known: Annotated[
        str, typer.Option(help="Variables whose true values the attacker knows.")
    ] = "glucose,creatinine,platelets,crp",
    quasi: Annotated[str, typer.Option(help="Variables that recognise a patient.")] = "age,sex,centre,mrs_3m",
    html: Annotated[Path | None, typer.Option(help="Write the report as one HTML page, too.")] = None,
    to_json: Annotated[Path | None, typer.Option("--json", help="Write the report as JSON, too.")] = None,
    dictionary: Dict = None,
    output: Printed = Output.TABLE,
) -> None:
    """Attack a released table as an informed neighbour would, and count the patients who stand alone.

    Example: lethe clinical risk intake/table.csv clinical/clinical.csv --html risk.html --json risk.json
    """
    loaded = Dictionary.load(dictionary)
    before, after = (read_table(path, loaded, patient_column=PRID) for path in (linked, released))
    report = assess(before, after, loaded, known=_names(known), quasi=_names(quasi))
    if html is not None:
        write_bytes(html, as_risk_page(report, loaded.title).encode())
    if to_json is not None:
        write_json(to_json, report.as_dict())
    if output is Output.JSON:
        typer.echo(json.dumps(report.as_dict(), indent=2, sort_keys=True))
        return
    table = Table("attack with " + ", ".join(report.known), "patients re-linked")
    table.add_row("blind guess", f"{report.guess:.2%}")
    table.add_row("as released", f"{report.relinked:.1%}")
    for step in report.steps:
        table.add_row(f"after {step.name}", f"{step.relinked:.1%}")
    groups = Table("groups by " + ", ".join(report.quasi), "smallest", "alone", "below five")
    for name, one in (("before", report.before), ("after", report.after)):
        groups.add_row(name, str(one.smallest), f"{one.unique:.1%}", f"{one.small:.1%}")
    Console().print(table, groups)


def _show_check(report: CheckReport) -> None:
    for issue in report.issues[:50]:
        typer.echo(str(issue))
    if len(report.issues) > 50:
        typer.echo(f"and {len(report.issues) - 50} more (--output json shows all)")
    table = Table("excluded because", "rows")
    for name, count in report.counts().items():
        table.add_row(report.reasons[name], str(count))
    centres = Table("centre", "rows", "eligible", "complete", "least complete")
    for name, one in report.centres.items():
        least = ", ".join(f"{variable} {share:.0%}" for variable, share in one.least_complete)
        centres.add_row(name, str(one.rows), str(one.eligible), f"{one.completeness:.0%}", least)
    console = Console()
    console.print(table, centres)
    console.print(f"{report.rows} rows, {report.eligible} eligible, {report.mean_completeness:.0%} complete")


def _names(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip())]


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise Misconfigured("folder", "The output folder is a file.") from None


def _show_report(report: ScrambleReport) -> None:
    table = Table("variable", "what", "filled", "changed", "unchanged by rounding", "largest change")
    for one in report.variables:
        if one.treatment == "scrambled":
            counts = (str(one.filled), str(one.changed), str(one.rounded_back))
            table.add_row(
                one.name, "no-op" if one.no_op else "scrambled", *counts, f"{one.largest_change:.1%}"
            )
    console = Console()
    console.print(table)
    kept = sum(one.treatment == "kept" for one in report.variables)
    moved = sum(one.treatment == "shifted" for one in report.variables)
    console.print(f"{report.rows} patients; {kept} variables kept, {moved} shifted with the patient's dates.")


app.command("upload")(clinical_upload.upload)
