"""The frame around every page: head, navigation, who is logged in, and what a browser may do with it."""

from __future__ import annotations

from starlette.responses import Response

from lethe.archive.context import Context
from lethe.archive.model import User
from lethe.archive.pages.markup import Child, Markup, join, tag

STYLE = "/pages/lethe.css"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# Clients of XNAT take an answer that begins with a doctype for an error page.
_START = "<!-- Lethe -->\n<!DOCTYPE html>\n"
Crumb = tuple[str, str]


def page(
    ctx: Context, user: User, title: str, *content: Child, crumbs: tuple[Crumb, ...] = (), status: int = 200
) -> Response:
    """Return a whole page; `crumbs` are (text, address) from the site down to the parent."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{title} · {ctx.settings.site_id}"),
        tag("link", rel="stylesheet", href=STYLE),
    )
    body = tag(
        "body",
        tag("a", "Skip to content", href="#content", class_="skip"),
        tag("header", _brand(ctx), _who(user), class_="bar"),
        _crumbs(crumbs, title),
        tag("main", *content, id="content"),
        tag("footer", str(ctx.settings.get("siteDescription") or "")),
    )
    whole = _START + tag("html", head, body, lang="en")
    return Response(whole, status, HEADERS, media_type="text/html")


def _brand(ctx: Context) -> Markup:
    return tag("a", tag("strong", "Lethe"), " ", tag("span", ctx.settings.site_id), href="/", class_="brand")


def _who(user: User) -> Markup:
    if user.is_guest:
        # The exact words by which xnatpy knows an anonymous login.
        guest = Markup('<span id="user_info">Logged in as: <span style="color:red;">Guest</span></span>')
        return tag("nav", guest, " ", tag("a", "Log in", href="/app/template/Login.vm", class_="button"))
    leave = tag(
        "form",
        tag("button", "Log out", class_="quiet"),
        method="post",
        action="/app/action/LogoutUser",
    )
    return tag("nav", tag("span", f"Logged in as: {user.login}", id="user_info"), leave, aria_label="You")


def _crumbs(crumbs: tuple[Crumb, ...], title: str) -> Markup:
    if not crumbs:
        return join()
    links = [tag("li", tag("a", text, href=address)) for text, address in crumbs]
    here = tag("li", title, aria_current="page")
    return tag("nav", tag("ol", links, here), class_="crumbs", aria_label="Where you are")


def panel(title: str, *content: Child) -> Markup:
    """Return a titled section."""
    return tag("section", tag("h2", title), *content, class_="panel")


def facts(pairs: list[tuple[str, Child]]) -> Markup:
    """Return name and value pairs; empty values are left out."""
    shown = [(name, value) for name, value in pairs if value not in ("", None)]
    return tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in shown], class_="facts")
