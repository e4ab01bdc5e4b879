"""Digests of large files: put off at the upload, right for whoever asks, whatever comes between."""

from __future__ import annotations

import hashlib
import io
import threading

import pytest

from lethe.archive import check, content, digests, items
from lethe.archive.context import open_context

BIG, OTHER = b"x" * 3000, b"y" * 3000


@pytest.fixture(autouse=True)
def _large_is_small(monkeypatch):
    monkeypatch.setattr(content, "LARGE", 1000)


def md5(body):
    return hashlib.md5(body).hexdigest()


def noted(ctx):
    return [row["md5"] for row in ctx.store.read().execute("SELECT md5 FROM file ORDER BY pk")]


def listed(client, project):
    rows = client("GET", f"/data/projects/{project}/resources/R/files", "max").json()["ResultSet"]["Result"]
    return {row["Name"]: row["digest"] for row in rows}


@pytest.fixture
def url(project):
    return f"/data/projects/{project}/resources/R/files/{{}}?inbody=true"


def test_a_large_upload_is_answered_before_it_is_hashed_and_listed_with_its_digest(client, ctx, project, url):
    assert client("PUT", url.format("big"), "max", content=BIG).status_code == 200
    assert client("PUT", url.format("small"), "max", content=b"s").status_code == 200
    assert noted(ctx) == ["", md5(b"s")]
    assert listed(client, project) == {"big": md5(BIG), "small": md5(b"s")}
    assert noted(ctx) == [md5(BIG), md5(b"s")]
    assert check.check(ctx) == []


def test_the_catalogue_and_a_form_know_the_digest_as_well(client, project):
    base = f"/data/projects/{project}/resources/R"
    files = {"file": ("big", BIG)}
    assert client("POST", f"{base}/files", "max", files=files).status_code == 200
    assert f'digest="{md5(BIG)}"' in client("GET", base, "max").text


def test_what_a_killed_server_left_is_computed_after_the_next_start(client, ctx, url, root):
    client("PUT", url.format("big"), "max", content=BIG)
    ctx.store.close()
    again = open_context(root)
    try:
        assert noted(again) == [""]
        assert check.check(again) == []
        digests.start(again)
        for _ in range(500):
            if noted(again) == [md5(BIG)]:
                break
            threading.Event().wait(0.01)
        digests.stop(again)
        assert noted(again) == [md5(BIG)]
    finally:
        again.store.close()


def test_a_file_replaced_while_it_is_hashed_gets_the_digest_of_its_new_bytes(
    client, ctx, clock, project, url, monkeypatch
):
    client("PUT", url.format("big"), "max", content=BIG)
    real, calls = digests._md5, []

    def replaced_meanwhile(descriptor, stopping):
        found = real(descriptor, stopping)
        calls.append(found)
        if len(calls) == 1:
            clock.seconds += 1
            over = url.format("big") + "&overwrite=true"
            assert client("PUT", over, "max", content=OTHER).status_code == 200
        return found

    monkeypatch.setattr(digests, "_md5", replaced_meanwhile)
    resource = content.find_resource(ctx, items.find_project(ctx, project), "R")
    (entry,) = digests.settled(ctx, content.list_files(ctx, resource))
    assert calls == [md5(BIG), md5(OTHER)]
    assert entry.md5 == md5(OTHER)
    assert noted(ctx) == [md5(OTHER)]


def test_a_file_deleted_while_somebody_waits_for_its_digest_harms_nobody(client, ctx, project, url):
    client("PUT", url.format("big"), "max", content=BIG)
    resource = content.find_resource(ctx, items.find_project(ctx, project), "R")
    (entry,) = content.list_files(ctx, resource)
    content.delete_files(ctx, resource, [entry])
    assert digests.settled(ctx, [entry]) == [entry]


@pytest.mark.requirement("E-75")
def test_a_large_image_without_its_digest_yet_is_still_not_overwritten(client, ctx, project):
    url = (
        f"/data/projects/{project}/subjects/S1/experiments/E1/scans/1/resources/DICOM/files/a.dcm?inbody=true"
    )
    assert client("PUT", url, "max", content=BIG).status_code == 200
    assert noted(ctx) == [""]
    assert client("PUT", url + "&overwrite=true", "max", content=OTHER).status_code == 403
    assert client("PUT", url + "&overwrite=true", "max", content=BIG).status_code == 200


def test_a_receiver_takes_pieces_of_any_number(ctx):
    pieces = [bytes([n % 256]) for n in range(2000)] + [b"", b"end"]
    with content.Receiver(ctx) as receiver:
        for piece in pieces:
            receiver.write(piece)
        path, size, digest = receiver.finish()
    assert path.read_bytes() == b"".join(pieces)
    assert (size, digest) == (2003, md5(b"".join(pieces)))
    path.unlink()
    with content.Receiver(ctx) as receiver:
        receiver.write(b"broken off")
    assert not list((ctx.root / "tmp").iterdir())
    assert content.receive(ctx, io.BytesIO(b"ab"))[1:] == (2, md5(b"ab"))
