"""Answers in the shapes XNAT gives: status pages, tables as JSON, CSV, XML or HTML, item documents."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from starlette.responses import Response

from lethe.archive.problem import Problem

_PHRASES = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    406: "Not Acceptable", 409: "Conflict", 412: "Precondition Failed",
    413: "Content Too Large", 417: "Expectation Failed",
    422: "Unprocessable Entity", 424: "Failed Dependency", 500: "Internal Server Error",
    507: "Insufficient Storage",
}  # fmt: skip


def status_page(problem: Problem, path: str, site: str) -> Response:
    """Return the answer for a problem: XNAT's status page, or plain text below ``/xapi``."""
    text = problem.sentence or _PHRASES.get(problem.status, "Error")
    headers = {"WWW-Authenticate": f'Basic realm="{site}"'} if problem.status == 401 else {}
    if path.startswith("/xapi"):
        return Response(text, problem.status, headers, media_type="text/plain")
    body = (
        "<html>\n<head>\n   <title>Status page</title>\n</head>\n<body>\n"
        f"<h3>{html.escape(text)}</h3>\n</body>\n</html>\n"
    )
    return Response(body, problem.status, headers, media_type="text/html")


def text(body: str, status: int = 200) -> Response:
    """Return plain text."""
    return Response(body, status, media_type="text/plain")


def as_json(value: Any, status: int = 200) -> Response:
    """Return a JSON value."""
    return Response(json.dumps(value, ensure_ascii=False), status, media_type="application/json")


@dataclass(frozen=True, slots=True)
class Table:
    """A list answer: column names and rows of texts; `show_columns` puts ``Columns`` into the JSON."""

    columns: Sequence[str]
    rows: Sequence[Mapping[str, Any]]
    title: str = ""
    show_columns: bool = False


def table(found: Table, form: str) -> Response:
    """Return a list in the asked format (json, csv, xml, html, txt, xList).

    Raises
    ------
    Problem
        400 for a format that lists do not have.
    """
    match (form or "json").lower():
        case "json":
            return as_json(result_set(found))
        case "csv":
            return Response(_csv(found, ","), media_type="text/csv")
        case "txt" | "tsv":
            return Response(_csv(found, "\t"), media_type="text/plain")
        case "xml" | "xlist":
            return Response(_xml(found), media_type="text/xml")
        case "html":
            return Response(_html(found), media_type="text/html")
    raise Problem(400, "Lists come as json, csv, xml, txt or html.")


def cell(value: Any) -> str:
    """Return a value as lists show it: everything is text, nothing is the empty text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def result_set(found: Table) -> dict[str, Any]:
    """Return a list as the JSON object that holds its ``ResultSet``."""
    rows = [{name: cell(row.get(name)) for name in found.columns} for row in found.rows]
    result: dict[str, Any] = {}
    if found.show_columns:
        result["Columns"] = [{"key": name} for name in found.columns]
    result["Result"] = rows
    result["totalRecords"] = str(len(rows))
    if found.title:
        result["title"] = found.title
    return {"ResultSet": result}


def _cells(found: Table) -> Iterable[list[str]]:
    return ([cell(row.get(name)) for name in found.columns] for row in found.rows)


def _csv(found: Table, delimiter: str) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    writer.writerow(found.columns)
    writer.writerows(_cells(found))
    return stream.getvalue()


def _xml(found: Table) -> str:
    columns = "".join(f"<column>{escape(name)}</column>" for name in found.columns)
    rows = "".join(
        "<row>" + "".join(f"<cell>{escape(value)}</cell>" for value in row) + "</row>"
        for row in _cells(found)
    )
    title = f" title={quoteattr(found.title)}" if found.title else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<ResultSet{title} totalRecords="{len(found.rows)}"><results>'
        f"<columns>{columns}</columns><rows>{rows}</rows></results></ResultSet>\n"
    )


def _html(found: Table) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in found.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(value)}</td>" for value in row) + "</tr>" for row in _cells(found)
    )
    # A successful answer must not begin with <html>: the clients take that for an error page.
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>\n"
