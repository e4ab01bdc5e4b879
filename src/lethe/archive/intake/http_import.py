"""``/data/services/import``."""

from __future__ import annotations

from collections.abc import Mapping

from anyio import to_thread
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lethe.archive.context import Context
from lethe.archive.intake.importer import (
    GRADUAL,
    SESSION_IMPORTER,
    Imported,
    ImportRequest,
    acknowledge,
    import_object,
    import_upload,
)
from lethe.archive.intake.receive import Intake
from lethe.archive.model import User
from lethe.archive.problem import Problem
from lethe.archive.web import cache
from lethe.archive.web.request import user_of
from lethe.archive.web.upload import Upload, receive

_MIRC = frozenset({"application/x-mirc", "application/x-mirc-dicom"})
_ONE_OBJECT = _MIRC | {"application/dicom"}


def routes(ctx: Context, intake: Intake) -> list[Route]:
    """Return the route of the import service."""

    async def serve(request: Request) -> Response:
        user = user_of(request)
        if user.is_guest:
            raise Problem(403, "Log in first.")
        upload = await receive(ctx, request)
        parameters = {**upload.fields, **request.query_params}
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            imported = await to_thread.run_sync(_import, intake, user, upload, parameters, kind)
        finally:
            upload.discard()
        # CTP's HTTP export looks for this one word.
        body = "OK" if kind in _MIRC else "".join(f"{uri}\r\n" for uri in imported.uris)
        return Response(body, media_type="text/plain", background=BackgroundTask(acknowledge, ctx, imported))

    return [Route("/data/services/import", serve, methods=["POST", "PUT"])]


def _import(intake: Intake, user: User, upload: Upload, parameters: Mapping[str, str], kind: str) -> Imported:
    default = str(intake.ctx.settings.get("uiDefaultCompressedUploaderImporter") or SESSION_IMPORTER)
    handler = parameters.get("import-handler") or (GRADUAL if kind in _ONE_OBJECT else default)
    request = ImportRequest.of(user, parameters, handler)
    src = parameters.get("src", "")
    if len(upload.files) != (0 if src else 1):
        raise Problem(400, "The upload holds no file, or more than one.")
    path = cache.source(intake.ctx, user, src) if src else upload.files[0].path
    if request.handler == GRADUAL:
        return import_object(intake, path, request)
    return import_upload(intake, path, request)
