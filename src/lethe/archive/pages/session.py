"""The page of a session: scans, resources, launch buttons, de-face verdicts with their pictures."""

from __future__ import annotations

from starlette.responses import Response

from lethe.archive import access, items
from lethe.archive.context import Context
from lethe.archive.model import Item, User
from lethe.archive.pages import addresses, frame, launches
from lethe.archive.pages.markup import Child, Markup, join, tag
from lethe.archive.pages.project import resource_list
from lethe.archive.pages.verdict import Verdict, session_verdicts


def session_page(ctx: Context, user: User, session: Item) -> Response:
    """Return the page of a session that the user may read."""
    scans = items.children(ctx, session, "scan")
    verdicts = session_verdicts(ctx, scans)
    subject = items.by_pk(ctx, session.parent) if session.parent else None
    project = _project_seen(ctx, user, session)
    offer = launches.Offer(ctx, user, session.project, "scan")
    table = frame.rows(
        ["Scan", "Type", "Modality", "Images", "Quality", "Files", "Launch"],
        [_scan(ctx, offer, session, scan, verdicts.get(scan.pk)) for scan in scans],
        "The session holds no scan.",
    )
    own = resource_list(ctx, addresses.base(session), session)
    return frame.page(
        ctx,
        user,
        items.label_in(ctx, session, project),
        tag("h1", items.label_in(ctx, session, project)),
        frame.facts(_facts(session, subject)),
        frame.panel("Scans", table),
        frame.panel("Files of the session", own) if own else None,
        [_verdict(session, scan, verdicts[scan.pk]) for scan in scans if scan.pk in verdicts],
        crumbs=(("Projects", "/"), (project, addresses.project(project))),
    )


def _project_seen(ctx: Context, user: User, session: Item) -> str:
    """Return the owning project, or the one it is shared into, through which the user sees the session."""
    found = items.projects_of(ctx, session)
    return next((one for one in found if access.right(ctx, user, one, "read")), session.project)


def _facts(session: Item, subject: Item | None) -> list[tuple[str, Child]]:
    data = session.data
    scanner = " ".join(str(data[path]) for path in ("scanner/manufacturer", "scanner/model") if path in data)
    return [
        ("Subject", subject.label if subject else ""),
        ("Date", str(data.get("date", ""))),
        ("Modality", str(data.get("modality", ""))),
        ("Scanner", scanner),
        ("Accession", session.id),
        ("State", "" if session.status == "active" else session.status),
    ]


def _scan(
    ctx: Context, offer: launches.Offer, session: Item, scan: Item, verdict: Verdict | None
) -> list[Child]:
    owner = addresses.base(scan, session)
    badge = None
    if verdict is not None:
        badge = tag("a", verdict.text, class_=f"badge {verdict.style}", href=f"#qc-{scan.pk}")
    return [
        tag("strong", scan.id),
        join(str(scan.data.get("type", "")), " ", badge),
        str(scan.data.get("modality", "")),
        str(scan.data.get("frames", "")),
        str(scan.data.get("quality", "")),
        resource_list(ctx, owner, scan),
        launches.buttons(ctx, session.project, scan, offer.fitting(scan)),
    ]


def _verdict(session: Item, scan: Item, verdict: Verdict) -> Markup:
    owner = addresses.base(scan, session)
    pictures = [
        tag(
            "figure",
            tag(
                "img", src=addresses.file(owner, verdict.resource, path), alt=_alt(path, scan), loading="lazy"
            ),
            tag("figcaption", path),
        )
        for path in verdict.pictures
    ]
    return tag(
        "section",
        tag(
            "h2", f"De-facing of scan {scan.id} ", tag("span", verdict.text, class_=f"badge {verdict.style}")
        ),
        tag("ul", [tag("li", reason) for reason in verdict.reasons]) if verdict.reasons else None,
        tag("div", pictures, class_="pictures"),
        class_="panel",
        id=f"qc-{scan.pk}",
    )


def _alt(path: str, scan: Item) -> str:
    name = path.rsplit("/", 1)[-1].removesuffix(".png")
    return f"Quality picture '{name}' of scan {scan.id}"
