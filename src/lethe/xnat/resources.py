"""Files in resources: uploaded once, downloaded with their digest checked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from lethe.errors import Refused, Unavailable
from lethe.files import atomic_writer
from lethe.xnat.client import Archive

_CHUNK = 1 << 20


def list_files(archive: Archive, resource: str) -> dict[str, dict[str, str]]:
    """Return path inside the resource -> row; empty when the resource is not there.

    Parameters
    ----------
    resource : str
        Path such as ``/data/projects/P/resources/CLINICAL``.
    """
    response = archive.request(
        "GET", f"{resource}/files", "list files", params={"format": "json"}, ok=(200, 404)
    )
    if response.status_code == 404:
        return {}
    rows: list[dict[str, str]] = response.json()["ResultSet"]["Result"]
    return {row["URI"].split("/files/", 1)[1]: row for row in rows}


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)  # XNAT's catalogue digest, an integrity check only
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def put_file(
    archive: Archive,
    resource: str,
    name: str,
    path: Path,
    *,
    file_format: str = "",
    content: str = "",
) -> bool:
    """Upload one file; the same bytes under the same name are not sent again.

    Returns
    -------
    bool
        True when bytes were sent.

    Raises
    ------
    Refused
        Other bytes already lie under that name: nothing is overwritten.
    Unavailable
        The archive took the request but stored something else.
    """
    digest = _md5(path)
    present = list_files(archive, resource).get(name)
    if present is not None:
        return _same_or_refuse(present, digest)
    with path.open("rb") as stream:
        response = archive.request(
            "PUT",
            f"{resource}/files/{quote(name)}",
            "upload a file",
            params={"inbody": "true", "format": file_format, "content": content},
            data=stream,
            headers={"Content-Type": "application/octet-stream"},
        )
    if "duplicates" in response.text:
        return _same_or_refuse(list_files(archive, resource)[name], digest)
    # XNAT answers 200 and stores nothing where the right to edit is missing: look, do not trust
    stored = list_files(archive, resource).get(name)
    if stored is None or (stored.get("digest") and stored["digest"] != digest):
        raise Unavailable(
            "upload-not-stored",
            "The archive accepted an upload but does not hold those bytes.",
            remedy="Check your role in the project, then run again.",
        )
    return True


def is_stored(archive: Archive, resource: str, name: str, path: Path) -> bool:
    """Tell whether `put_file` would send nothing.

    Raises
    ------
    Refused
        Other bytes already lie under that name.
    """
    present = list_files(archive, resource).get(name)
    return present is not None and not _same_or_refuse(present, _md5(path))


def _same_or_refuse(present: dict[str, str], digest: str) -> bool:
    if present.get("digest") == digest:
        return False
    raise Refused(
        "other-bytes",
        "The resource already holds a file of that name with other content.",
        remedy="Stored files are not edited: upload under a new name, or remove the old one as an owner.",
    )


def put_files(
    archive: Archive,
    resource: str,
    paths: Iterable[tuple[str, Path]],
    *,
    file_format: str = "",
    content: str = "",
) -> int:
    """Upload several files and return how many were sent."""
    return sum(
        put_file(archive, resource, name, path, file_format=file_format, content=content)
        for name, path in paths
    )


def get_file(archive: Archive, uri: str, target: Path, *, digest: str = "") -> None:
    """Download one file whole or not at all.

    Parameters
    ----------
    uri : str
        The file's path on the server.
    digest : str
        Expected MD5 in lower-case hex; empty = not checked.
    """
    computed = hashlib.md5(usedforsecurity=False)
    response = archive.request("GET", uri, "download a file", ok=(200,), stream=True)
    with response, atomic_writer(target) as stream:
        for chunk in response.iter_content(_CHUNK):
            computed.update(chunk)
            stream.write(chunk)
        if digest and computed.hexdigest() != digest:
            raise Unavailable(
                "digest", "A downloaded file differs from the archive's digest.", remedy="Download it again."
            )
