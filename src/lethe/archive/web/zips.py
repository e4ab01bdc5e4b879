"""Zip archives written while they are sent; no file and no archive is held in memory or on disk."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from starlette.responses import StreamingResponse

from lethe.archive import content, items
from lethe.archive.context import Context
from lethe.archive.model import FileEntry, Item, Resource

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a zip: its name in it and where it comes from."""

    name: str
    resource: Resource
    entry: FileEntry


class _Sink:
    """A place to write to that gives back what was written."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: there is no buffer below."""

    def drain(self) -> bytes:
        data = b"".join(self.pieces)
        self.pieces.clear()
        return data


def stream(ctx: Context, members: Sequence[Member], level: int | None) -> Iterator[bytes]:
    """Yield the bytes of a zip; `level` 1 to 9 compresses, 0 or None stores."""
    sink = _Sink()
    method = zipfile.ZIP_DEFLATED if level else zipfile.ZIP_STORED
    with zipfile.ZipFile(sink, "w", method, compresslevel=level or None) as archive:  # type: ignore[call-overload]
        for member in members:
            moment = datetime.fromtimestamp(member.entry.created, UTC)
            info = zipfile.ZipInfo(member.name, moment.timetuple()[:6])
            info.compress_type, info.external_attr = method, 0o644 << 16
            info.file_size = member.entry.size
            path = content.file_path(ctx, member.resource, member.entry)
            with path.open("rb") as source, archive.open(info, "w") as target:
                while piece := source.read(_CHUNK):
                    target.write(piece)
                    yield sink.drain()
            yield sink.drain()
    yield sink.drain()


def response(ctx: Context, members: Sequence[Member], name: str, level: int | None) -> StreamingResponse:
    """Return a zip as an answer, named ``{name}.zip``."""
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}.zip"
    if name.isascii() and '"' not in name and "\\" not in name:
        disposition = f'attachment; filename="{name}.zip"'
    return StreamingResponse(
        stream(ctx, members, level),
        media_type="application/zip",
        headers={"Content-Disposition": disposition},
    )


def member_name(ctx: Context, owner: Item, resource: Resource, path: str, structure: str) -> str:
    """Return the name of a file in a zip: ``{session}/scans/{N}-{type}/resources/{R}/files/{path}``."""
    label = clean(resource.label)
    inside = f"resources/{label}/files/{path}"
    if structure == "simplified":
        inside = f"{label}/{path}"
    elif structure == "improved":
        inside = f"{label}/{path}" if owner.kind == "scan" else f"resources/{label}/{path}"
    if resource.variant and structure != "simplified":
        inside = f"{resource.variant}/{inside}"
    if owner.kind in {"project", "subject", "experiment"}:
        return f"{clean(owner.label)}/{inside}"
    session = clean(items.by_pk(ctx, owner.parent or 0).label)
    if owner.kind == "assessor":
        return f"{session}/assessors/{clean(owner.label)}/{inside}"
    if owner.kind == "reconstruction":
        return f"{session}/reconstructions/{clean(owner.id)}/{inside}"
    name, kind = clean(owner.id), clean(str(owner.data.get("type", "")))
    if kind and structure != "simplified":
        name += ("_" if structure == "improved" else "-") + kind
    return f"{session}/scans/{name}/{inside}"


def clean(label: str) -> str:
    """Return a label as one safe segment of a member name."""
    text = "".join("_" if c in '/\\:*?"<>|' or c < " " else c for c in label)
    return "_" + text if text.startswith(".") else text
