"""Uploads through the import service."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from lethe.archive import content, items
from lethe.archive.context import Context

from .conftest import as_file, as_zip, study_objects

ARCHIVE = {"dest": "/archive", "project": "P", "inbody": "true"}


def post(client: TestClient, body: bytes, kind: str = "application/zip", **params: str):  # type: ignore[no-untyped-def]
    names = {name.replace("_", "-"): value for name, value in params.items()}
    return client.post("/data/services/import", params=names, content=body, headers={"Content-Type": kind})


def files_of(ctx: Context, label: str, project: str = "P") -> dict[str, int]:
    session = items.find_experiment(ctx, label, project)
    assert session is not None
    return {
        scan.id: len(content.list_files(ctx, resource))
        for scan in items.children(ctx, session, "scan")
        for resource in content.list_resources(ctx, [scan])
    }


@pytest.mark.requirement("E-62")
def test_a_zip_goes_to_the_archive_with_its_scans(client: TestClient, ctx: Context, zip_of_two_series: bytes) -> None:
    answer = post(client, zip_of_two_series, **ARCHIVE)
    assert answer.status_code == 200, answer.text
    assert answer.text == "/data/archive/projects/P/subjects/A1B2/experiments/A1B2_MR\r\n"
    assert files_of(ctx, "A1B2_MR") == {"1": 2, "2": 2}
    session = items.find_experiment(ctx, "A1B2_MR", "P")
    assert session is not None
    assert session.xsi_type == "xnat:mrSessionData"
    assert session.data["date"] == "2024-05-01"
    scan = items.find_scan(ctx, session, "1")
    assert scan is not None
    assert (scan.data["type"], scan.data["quality"], scan.data["frames"]) == ("SER1", "usable", "2")
