"""``lethe command``: the commands of the Container Service on any XNAT."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lethe.cli import _connection as connection
from lethe.cli import _runs
from lethe.cli._manifest import manifest
from lethe.cli._output import Output, Printed
from lethe.cli._pairs import pairs
from lethe.errors import Misconfigured, Refused
from lethe.xnat import bulk as launching
from lethe.xnat import commands, overview, placing, runs, targets, verdicts
from lethe.xnat import plan as planning
from lethe.xnat.client import Archive, connect

app = typer.Typer(
    no_args_is_help=True,
    help="Commands of the Container Service: register, enable, launch, bulk, place, status, logs, kill.",
    pretty_exceptions_enable=False,
)
console = Console()
_STOPPED = 130
_PAUSE_S = 1.0


class Stream(StrEnum):
    """The two logs of a run."""

    stdout = "stdout"
    stderr = "stderr"


Project = Annotated[str, typer.Option("--project", help="Project id.")]
MaybeProject = Annotated[str, typer.Option("--project", help="Project id: all objects in it.")]
Session = Annotated[
    str, typer.Option("--session", help="Only this session (label; accession id without --project).")
]
Subject = Annotated[
    str, typer.Option("--subject", help="Only this subject (label; accession id without --project).")
]
Values = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Value of an input; repeatable.")
]
Again = Annotated[bool, typer.Option("--again", help="Also where the results are there already.")]
SkipFailed = Annotated[bool, typer.Option("--skip-failed", help="Not where the last run failed.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")]
Timeout = Annotated[float, typer.Option("--timeout", help="Give up when no run ended for so many seconds.")]
WrapperName = Annotated[str, typer.Argument(metavar="WRAPPER", help="Name of the wrapper, as deface-scan.")]


def _show(rows: list[dict[str, str]], output: Output) -> None:
    if output is Output.JSON:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table(*(rows[0] if rows else ("nothing",)))
    for row in rows:
        table.add_row(*(escape(value) for value in row.values()))
    console.print(table)


def _print_json(document: Any) -> None:
    typer.echo(json.dumps(document, indent=2))


def _definition(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or not {"name", "version"} <= set(found):
        raise Misconfigured("command-file", f"{file.name} is no readable command.json.", remedy="Check it.")
    return found


@app.command(epilog="Example: lethe command register xnat-containers/deface/command.json")
def register(
    files: Annotated[list[Path], typer.Argument(help="command.json files.")],
    url: connection.Url,
    user: connection.User,
    password_file: connection.PasswordFile = None,
    dry_run: DryRun = False,
    output: Printed = Output.TABLE,
) -> None:
    """Register commands; one that is there in the same version is found, not doubled."""
    definitions = [_definition(file) for file in files]
    with connect(url, user, connection.password(password_file)) as archive:
        if dry_run:
            rows = [
                {
                    "command": str(one["name"]),
                    "version": str(one["version"]),
                    "would": "be found" if commands.find_command(archive, one) else "be registered",
                }
                for one in definitions
            ]
        else:
            rows = [
                {"command": one["name"], "wrapper": wrapper.name, "wrapper-id": str(wrapper.wrapper_id)}
                for one in definitions
                for wrapper in commands.register(archive, one)
            ]
    _show(rows, output)


@app.command(epilog="Example: lethe command enable deface-scan --project STROKE_INTAKE")
def enable(
    wrapper: WrapperName,
    project: Project,
    url: connection.Url,
    user: connection.User,
    password_file: connection.PasswordFile = None,
    dry_run: DryRun = False,
) -> None:
    """Enable a wrapper for the site and for one project."""
    with connect(url, user, connection.password(password_file)) as archive:
        found = commands.registered(archive, wrapper)
        if commands.is_enabled(archive, project, found):
            console.print(f"{wrapper} is enabled in {project} already.")
        elif dry_run:
            console.print(f"{wrapper} would be enabled in {project}.")
        else:
            commands.enable(archive, project, found)
            console.print(f"{wrapper} is enabled in {project}.")


# ---- launch -----------------------------------------------------------------------------------------------


@app.command(
    epilog="Example: lethe command launch deface-scan --project STROKE_INTAKE --all; or on one object: "
    "lethe command launch deface-scan /archive/experiments/XNAT_E00001/scans/2 --project STROKE_INTAKE"
)
def launch(
    wrapper: WrapperName,
    url: connection.Url,
    user: connection.User,
    project: Project,
    objects: Annotated[list[str] | None, typer.Argument(help="Archive URIs of objects.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="On all objects of the project that it fits and that lack results.")
    ] = False,
    values: Values = None,
    again: Again = False,
    skip_failed: SkipFailed = False,
    timeout: Timeout = 86400.0,
    password_file: connection.PasswordFile = None,
    dry_run: DryRun = False,
    output: Printed = Output.TABLE,
) -> None:
    """Launch a command and follow it to the end; exit 4 when a run failed.

    Ctrl-C stops the launching and the watching, not what runs; the same command goes on from there.
    """
    if everything == bool(objects):
        raise Misconfigured("objects", "Name objects, or say --all.", remedy="See --help for an example.")
    given = pairs(values or [], "--set")
    with connect(url, user, connection.password(password_file)) as archive:
        chosen = commands.ready(archive, project, wrapper, given)
        scope = targets.Scope(project)
        if everything:
            plan = planning.plan(archive, chosen, scope, again=again, skip_failed=skip_failed)
        else:
            plan = planning.plan_named(archive, chosen, project, objects or [])
        _carry_out(archive, plan, scope if everything else None, given, timeout, dry_run, output)


@app.command(
    epilog="Example: lethe command bulk deface-scan --project STROKE_INTAKE --session A1B2_20240105_CT_1f"
)
def bulk(
    wrapper: WrapperName,
    url: connection.Url,
    user: connection.User,
    project: MaybeProject = "",
    session: Session = "",
    subject: Subject = "",
    values: Values = None,
    again: Again = False,
    skip_failed: SkipFailed = False,
    timeout: Timeout = 86400.0,
    password_file: connection.PasswordFile = None,
    dry_run: DryRun = False,
    output: Printed = Output.TABLE,
) -> None:
    """Launch on every object of a session, subject or project that the command fits and that lacks results.

    A choice larger than the wrapper's own object is taken apart: deface-scan on a session is one run for each
    of its scans. Ctrl-C stops the launching and the watching, not what runs; the same command goes on from
    there.
    """
    given = pairs(values or [], "--set")
    with connect(url, user, connection.password(password_file)) as archive:
        scope = targets.scope_of(archive, project=project, session=session, subject=subject)
        chosen = commands.ready(archive, scope.project, wrapper, given)
        plan = planning.plan(archive, chosen, scope, again=again, skip_failed=skip_failed)
        _carry_out(archive, plan, scope, given, timeout, dry_run, output)


def _carry_out(
    archive: Archive,
    plan: planning.Plan,
    scope: targets.Scope | None,
    inputs: Mapping[str, str],
    timeout: float,
    dry_run: bool,
    output: Output,
) -> None:
    """Run a plan under the live table, or only show it."""
    if dry_run:
        _show_plan(plan, output)
        return
    with _runs.board(plan.wrapper.name) as board:
        try:
            ended = launching.run_plan(archive, plan, inputs=inputs, timeout_s=timeout, report=board.update)
        except KeyboardInterrupt:
            last = board.last
            typer.echo(
                f"Stopped. {last.done} done, {last.failed} failed, {last.running + last.queued} go on in the "
                f"archive, {last.waiting} not launched. The same command goes on from here.",
                err=True,
            )
            raise typer.Exit(_STOPPED) from None
    if scope is not None:
        ended = launching.confirm(archive, scope, ended)
    settled = placing.settle(archive, ended)
    if {"DEFACE_QC", placing.REPORT} & set(plan.wrapper.results):
        verdicts.record_results(archive, plan.project)
    _show_result(plan, settled, output)


def _show_plan(plan: planning.Plan, output: Output) -> None:
    if output is Output.JSON:
        _print_json(_runs.plan_document(plan))
        return
    console.print(
        f"{plan.wrapper.name} in {plan.project}: {len(plan.waiting)} to launch, {len(plan.running)} running, "
        f"{len(plan.done)} done before, {len(plan.failed)} failed before and left out."
    )
    for target in plan.waiting:
        console.print(f"  {target.name}", markup=False, highlight=False)


def _show_result(plan: planning.Plan, ended: list[launching.Ended], output: Output) -> None:
    groups = launching.by_reason(ended)
    failed = sum(len(group.ended) for group in groups)
    if output is Output.JSON:
        _print_json(_runs.result_document(plan, ended, groups))
    else:
        names = {target.uri: target.name for target in plan.waiting}
        for table in _runs.failure_tables(groups, names):
            console.print(table)
        console.print(
            f"{plan.wrapper.name}: {len(ended) - failed} complete, {failed} failed, "
            f"{len(plan.done)} done before."
        )
    if failed:
        raise Refused(
            "runs-failed",
            f"{failed} of {len(ended)} runs failed.",
            remedy="The reasons stand above; the same command tries them again.",
        )


@app.command(epilog="Example: lethe command place --project STROKE_INTAKE")
def place(
    url: connection.Url,
    user: connection.User,
    project: MaybeProject = "",
    session: Session = "",
    subject: Subject = "",
    password_file: connection.PasswordFile = None,
    dry_run: DryRun = False,
    output: Printed = Output.TABLE,
) -> None:
    """Move results of prepare-session that was launched from XNAT's page to the scans they belong to."""
    with connect(url, user, connection.password(password_file)) as archive:
        scope = targets.scope_of(archive, project=project, session=session, subject=subject)
        waiting = [one for one in targets.sessions(archive, scope) if placing.PREPARED in one.labels]
        rows = [
            {
                "session": one.name,
                "files": "would be placed" if dry_run else str(placing.place(archive, one.session)),
                "scans failed": str(
                    sum(bool(scan.reason) for scan in placing.report_of(archive, one.session))
                ),
            }
            for one in waiting
        ]
    _show(rows, output)


# ---- what runs --------------------------------------------------------------------------------------------


@app.command(epilog="Example: lethe command status --project STROKE_INTAKE")
def status(
    project: Project,
    url: connection.Url,
    user: connection.User,
    each: Annotated[bool, typer.Option("--runs", help="One line for each run, the newest first.")] = False,
    password_file: connection.PasswordFile = None,
    output: Printed = Output.TABLE,
) -> None:
    """Count the runs of a project by command and state, and group failures by reason."""
    with connect(url, user, connection.password(password_file)) as archive:
        rows = commands.containers(archive, project)
        if each:
            _show(overview.each_run(rows), output)
            return
        counts = overview.count(rows)
        groups = overview.failures(archive, rows)
    if output is Output.JSON:
        failures = [{"reason": one.reason, "count": len(one.ended)} for one in groups]
        _print_json({"commands": counts, "failures": failures})
        return
    _show(counts, output)
    for table in _runs.failure_tables(groups, {}):
        console.print(table)


@app.command(epilog="Example: lethe command logs 17 --stream stderr --follow")
def logs(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Number of the run, as status --runs lists it.")],
    url: connection.Url,
    user: connection.User,
    stream: Annotated[Stream, typer.Option("--stream", help="Which log.")] = Stream.stdout,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the run ends.")] = False,
    password_file: connection.PasswordFile = None,
) -> None:
    """Print the log of a run."""
    with connect(url, user, connection.password(password_file)) as archive:
        if not follow:
            typer.echo(runs.log(archive, run, stream), nl=False)
            return
        for piece in runs.log_pieces(archive, run, stream):
            typer.echo(piece, nl=False)
            if not piece:
                time.sleep(_PAUSE_S)


@app.command(epilog="Example: lethe command kill --project STROKE_INTAKE --wrapper deface-scan --all")
def kill(
    project: Project,
    url: connection.Url,
    user: connection.User,
    numbers: Annotated[list[str] | None, typer.Argument(metavar="RUN...", help="Numbers of runs.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All runs that have not ended.")] = False,
    wrapper: Annotated[str, typer.Option("--wrapper", help="With --all: only of this wrapper.")] = "",
    password_file: connection.PasswordFile = None,
    dry_run: DryRun = False,
    output: Printed = Output.TABLE,
) -> None:
    """End runs; nothing of an ended run is stored."""
    if everything == bool(numbers):
        raise Misconfigured("runs", "Name runs, or say --all.", remedy="See lethe command status --runs")
    with connect(url, user, connection.password(password_file)) as archive:
        chosen = numbers or []
        if everything:
            number = commands.registered(archive, wrapper).wrapper_id if wrapper else None
            rows = commands.containers(archive, project, alive=True)
            chosen = [str(row["id"]) for row in rows if number in (None, int(row["wrapper-id"]))]
        done = [
            {"run": one, "result": _killed(archive, project, one, dry_run)}
            for one in sorted(chosen, key=lambda text: text.zfill(12), reverse=True)
        ]
    _show(done, output)


def _killed(archive: Archive, project: str, number: str, dry_run: bool) -> str:
    """End one run; the newest first, so that nothing waiting starts meanwhile."""
    if dry_run:
        return "would be ended"
    return "ended" if runs.kill(archive, project, number) else "had ended already"


app.command(
    epilog="Example: lethe command manifest xnat-containers/deface/command.json --folder "
    "input=STROKE_INTAKE/arc001/A1B2_CT/SCANS/2/NIFTI --folder output=try-1 | kubectl create -f -"
)(manifest)
