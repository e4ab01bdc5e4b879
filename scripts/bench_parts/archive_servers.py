"""Servers the archive is measured against, each a process of its own: a bare receiver, a bare upload handler.

Run as ``python -m bench_parts.archive_servers receiver|upload FOLDER PORT FSYNC``.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

import uvicorn
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def receiver(folder: Path, port: int, *, fsync: bool) -> None:
    """Receive by C-STORE and write each object to a file; nothing else."""

    def store(event: evt.Event) -> int:
        path = folder / f"{secrets.token_hex(8)}.dcm"
        with path.open("wb") as stream:
            stream.write(event.encoded_dataset())
            if fsync:
                stream.flush()
                os.fsync(stream.fileno())
        return 0

    entity = AE(ae_title="XNAT")
    entity.maximum_pdu_size = 1 << 20
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(str(context.abstract_syntax), list(ALL_TRANSFER_SYNTAXES))
    entity.start_server(("127.0.0.1", port), block=True, evt_handlers=[(evt.EVT_C_STORE, store)])


def upload(folder: Path, port: int, *, fsync: bool) -> None:
    """Stream the body of a PUT to a file; nothing else."""

    async def put(request: Request) -> Response:
        with (folder / secrets.token_hex(8)).open("wb") as stream:
            async for piece in request.stream():
                stream.write(piece)
            if fsync:
                stream.flush()
                os.fsync(stream.fileno())
        return Response("")

    app = Starlette(routes=[Route("/{path:path}", put, methods=["PUT", "GET"])])
    uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, access_log=False)


if __name__ == "__main__":
    kind, where, number, sync = sys.argv[1:]
    {"receiver": receiver, "upload": upload}[kind](Path(where), int(number), fsync=sync == "1")
