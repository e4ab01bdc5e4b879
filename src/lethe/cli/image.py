"""``lethe image``: lane, convert, deface, rebuild, check."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from lethe.cli._output import Output, Printed, show_facts
from lethe.cli._target import check_files, check_folders, target_folder, tidy, words_for_the_disk
from lethe.errors import Misconfigured, Refused

if TYPE_CHECKING:
    from lethe.image.deface import SessionImage

HELP = "Images: lane, convert, de-face, back to DICOM, check."
app = typer.Typer(help=HELP, no_args_is_help=True)

Rules = Annotated[Path | None, typer.Option(help="Lane table of a project (YAML).")]


@app.command(epilog="Example: lethe image lane study/head --output json")
def lane(
    dicom: Annotated[Path, typer.Argument(help="Folder with the files of one series.")],
    rules: Rules = None,
    output: Printed = Output.TABLE,
) -> None:
    """Say which way a series takes: deface, convert, header-only or quarantine."""
    from lethe.image.convert import series_files
    from lethe.image.lane import decide, project_rules
    from lethe.image.series import read_evidence

    table = project_rules(rules) if rules else None
    with _busy("reading headers"):
        decision = decide(read_evidence(series_files(dicom)), table)
    show_facts(decision.as_dict(), output)


@app.command(epilog="Example: lethe image convert study/head nifti/")
def convert(
    dicom: Annotated[Path, typer.Argument(help="Folder with the files of one series.")],
    out: Annotated[Path, typer.Argument(help="New or empty folder for image.nii.gz and image.json.")],
    rules: Rules = None,
    output: Printed = Output.TABLE,
    dry_run: Annotated[bool, typer.Option(help="Convert and check, but keep nothing.")] = False,
) -> None:
    """Convert a series to NIfTI if its lane allows, and prove that nothing was lost."""
    from lethe.image.convert import convert_series
    from lethe.image.lane import project_rules

    table = project_rules(rules) if rules else None
    with target_folder(out, dry_run=dry_run) as folder, _busy("converting and checking"):
        result = convert_series(dicom, folder, rules=table)
    facts: dict[str, object] = {**result.lane.as_dict(), "files": [path.name for path in result.files]}
    if result.conservation is not None:
        facts["conservation"] = result.conservation.as_dict()
    show_facts(facts, output)


@app.command(epilog="Example: lethe image deface head.nii.gz head-defaced.nii.gz --report report.json")
def deface(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="NIfTI image of a head, or a folder with those of a session.")
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="De-faced NIfTI image, or folder of them.")],
    mask_out: Annotated[Path | None, typer.Option(help="Write the mask of what was removed.")] = None,
    pictures: Annotated[Path | None, typer.Option(help="Folder for before and after pictures.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write verdict and measures as JSON.")] = None,
    modality: Annotated[Literal["auto", "ct", "mr"], typer.Option(help="Kind of image.")] = "auto",
    same_frame: Annotated[
        bool,
        typer.Option(help="The images of the folder share scanner coordinates: the best helps the others."),
    ] = False,
    output: Printed = Output.TABLE,
    dry_run: Annotated[bool, typer.Option(help="De-face and judge, but keep nothing.")] = False,
) -> None:
    """Remove the face from a CT or MR image; exit code 4 and no image when it cannot be trusted.

    With a folder, OUT and the options name folders, too.
    """
    from lethe.image.deface import deface_file, images_of_folder

    if same_frame and not source.is_dir():
        raise Misconfigured(
            "one-image", "One image has no others to share with.", remedy="Name the folder of the session."
        )
    with tempfile.TemporaryDirectory(prefix="lethe-") as thrown_away:
        if dry_run:
            target, mask_out, pictures, report = Path(thrown_away) / target.name, None, None, None
        with words_for_the_disk(target.parent):
            if source.is_dir():
                check_folders(target, mask_out, pictures, report)
                images = images_of_folder(
                    source,
                    target,
                    same_frame=same_frame,
                    modality=modality,
                    masks=mask_out,
                    pictures=pictures,
                    reports=report,
                )
                _deface_session(images, output)
                return
            check_files(target, mask_out, report)
            check_folders(pictures)
            tidy(target, mask_out, pictures, report)
            try:
                with _busy("de-facing"):
                    outcome = deface_file(
                        source, target, modality=modality, mask=mask_out, pictures=pictures, report=report
                    )
            except Refused:
                _withdraw(target, mask_out, report)
                raise
            if outcome.verdict == "fail":
                _withdraw(target, mask_out, report)
    show_facts(_told(outcome.as_dict(), output), output)
    if outcome.verdict == "fail":
        raise Refused(
            "deface-failed",
            "De-facing could not be trusted; nothing was written.",
            remedy="Look at the reasons above; a person must decide.",
        )


def _withdraw(*outputs: Path | None) -> None:
    """Remove what an earlier run wrote under these names: it must not pass for a result of this one."""
    for output in outputs:
        if output is not None:
            output.unlink(missing_ok=True)


def _told(report: dict[str, Any], output: Output) -> dict[str, Any]:
    """Return the report as it is for programs, and in words for people."""
    from lethe.image.deface.words import readable

    if output is Output.JSON:
        return report
    told: dict[str, Any] = {
        "verdict": report["verdict"],
        "reasons": [" ".join((*_sentences(reason), f"({reason['code']})")) for reason in report["reasons"]],
    }
    return told | readable(report.get("measures", {}))


def _sentences(reason: Mapping[str, str]) -> Iterator[str]:
    yield reason["sentence"]
    if reason.get("remedy"):
        yield reason["remedy"]


def _deface_session(images: Sequence[SessionImage], output: Output) -> None:
    from rich.progress import Progress

    from lethe.image.deface import deface_session

    for image in images:
        tidy(image.target, image.mask, image.pictures, image.report)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("de-facing", total=2 * len(images))
        results = deface_session(images, progress=lambda: progress.advance(task))
    failed = [result for result in results if result.report is None or result.report.verdict == "fail"]
    for result in failed:
        _withdraw(result.image.target, result.image.mask, result.image.report)
    show_facts({result.image.source.name: _told(result.as_dict(), output) for result in results}, output)
    if failed:
        raise Refused(
            "deface-failed",
            "Not every image could be de-faced; nothing was written for those.",
            remedy="Look at the reasons above; a person must decide.",
        )


@app.command(epilog="Example: lethe image rebuild study/head defaced/ dicom/ --qc qc/")
def rebuild(
    dicom: Annotated[Path, typer.Argument(help="Folder with the cleaned objects of one series.")],
    images: Annotated[Path, typer.Argument(help="De-faced NIfTI image, or the folder with all of them.")],
    out: Annotated[Path, typer.Argument(help="New or empty folder for the new objects.")],
    qc: Annotated[Path, typer.Option(help="What deface reported: verdict, mask, provenance.")],
    output: Printed = Output.TABLE,
    dry_run: Annotated[bool, typer.Option(help="Rebuild and check, but keep nothing.")] = False,
) -> None:
    """Put de-faced images back into DICOM objects of the kind they came from."""
    from lethe.image.rebuild import cleared, nifti_files, rebuild_series

    found = nifti_files(images)
    with _busy("rebuilding and reading again"):
        clearance = cleared(found, qc)
        with target_folder(out, dry_run=dry_run) as folder:
            rebuilt = rebuild_series(dicom, found, folder, method=clearance.method, masks=clearance.masks)
    show_facts({"verdict": clearance.verdict, **rebuilt.as_dict()}, output)


@app.command(epilog="Example: lethe image check study/head --sheet sheet.png --output json")
def check(
    dicom: Annotated[Path, typer.Argument(help="Folder with the files of one series.")],
    sheet: Annotated[Path | None, typer.Option(help="Write a picture with twelve slices.")] = None,
    output: Printed = Output.TABLE,
    dry_run: Annotated[bool, typer.Option(help="Check, but write no picture.")] = False,
) -> None:
    """Grade a series: header, slices, noise, sharpness, motion."""
    from lethe.files import write_bytes
    from lethe.quality.series import check_series

    check_files(sheet)
    with _busy("checking"):
        report = check_series(dicom)
    if sheet is not None and report.sheet is not None and not dry_run:
        tidy(sheet)
        with words_for_the_disk(sheet.parent):
            write_bytes(sheet, report.sheet)
    show_facts(report.as_dict(), output)


@contextmanager
def _busy(what: str) -> Iterator[None]:
    """Show on a terminal that work goes on."""
    with Console(stderr=True).status(f"{what} ..."):
        yield
