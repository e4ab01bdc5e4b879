import base64
import bz2
import gzip
import io
import json
import lzma
import os
import random
import sqlite3
import tarfile
import time
import unicodedata
import urllib.parse
import zipfile
import zlib

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.people import people
from lethe.errors import Misconfigured
from lethe.identity.leftovers import search, survey
from lethe.identity.matcher import Matcher

PEOPLE = people(12)
NAME = PEOPLE[3].name  # not ASCII
PLANTED = list(dict.fromkeys(text for person in PEOPLE for text in person.planted()))
NOISE = random.Random(1).randbytes(5000)


def zipped(inner: bytes, name: str = "inside.bin") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, inner)
    return stream.getvalue()


def tarred(inner: bytes, name: str = "inside.bin") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(inner)
        archive.addfile(info, io.BytesIO(inner))
    return stream.getvalue()


def deflated_dicom(inner: bytes) -> bytes:
    meta = b"\x02\x00\x10\x00UI\x16\x001.2.840.10008.1.2.1.99"
    packer = zlib.compressobj(wbits=-15)
    group = b"\x02\x00\x00\x00UL\x04\x00" + len(meta).to_bytes(4, "little")
    return bytes(128) + b"DICM" + group + meta + packer.compress(NOISE + inner) + packer.flush()


def workbook(text: str) -> bytes:
    book, stream = openpyxl.Workbook(), io.BytesIO()
    book.active["C7"] = text
    book.save(stream)
    return stream.getvalue()


def database(text: str, tmp_path) -> bytes:
    place = tmp_path / "made.db"
    connection = sqlite3.connect(place)
    connection.execute("CREATE TABLE t (a, b)")
    connection.execute("INSERT INTO t VALUES (1, ?)", ("x" * 4050 + text + "y" * 9000,))  # cut by a page
    connection.commit()
    connection.close()
    data = place.read_bytes()
    place.unlink()
    return data


def leftovers(tmp_path) -> dict[str, bytes]:
    """Thirty ways in which one name may have stayed behind."""
    utf8, frame = NAME.encode(), pd.DataFrame({"a": ["x", NAME]})
    parquet = io.BytesIO()
    frame.to_parquet(parquet, compression="zstd")
    inside = NOISE + utf8 + NOISE
    return {
        "plain": inside,
        "upper": NAME.upper().encode(),
        "lower": NAME.lower().encode(),
        "latin1": NAME.encode("latin-1"),
        "latin1-upper": NAME.upper().encode("latin-1"),
        "utf16le": b"\0" + NAME.encode("utf-16-le"),
        "utf16be": NAME.encode("utf-16-be"),
        "utf16bom": NAME.encode("utf-16"),
        "decomposed": unicodedata.normalize("NFD", NAME).encode(),
        "json": json.dumps({"name": NAME}).encode(),
        "url": f"GET /?name={urllib.parse.quote(NAME)} HTTP/1.1".encode(),
        "xml": f"<n>{NAME.encode('ascii', 'xmlcharrefreplace').decode()}</n>".encode(),
        "base64-0": base64.b64encode(utf8),
        "base64-1": base64.b64encode(b"x" + utf8),
        "base64-2": base64.b64encode(b"xy" + utf8 + b"z"),
        "gzip": gzip.compress(inside),
        "nii.gz": gzip.compress(bytes(100_000) + utf8),
        "bzip2": bz2.compress(inside),
        "xz": lzma.compress(inside),
        "zip": zipped(inside),
        "zip-name": zipped(b"nothing", f"{NAME}.txt"),
        "tar": tarred(inside),
        "tar.gz": gzip.compress(tarred(inside)),
        "zip-in-tar-in-gzip": gzip.compress(tarred(zipped(inside))),
        "gzip-in-zip": zipped(gzip.compress(inside)),
        "xlsx": workbook(f"Patient {NAME}"),
        "sqlite": database(NAME, tmp_path),
        "sqlite-in-zip": zipped(database(NAME, tmp_path)),
        "parquet": parquet.getvalue(),
        "dicom-deflated": deflated_dicom(utf8),
    }


@pytest.mark.requirement("M-88", "T-8", "M-36")
def test_each_of_thirty_leftovers_is_found_and_never_printed(tmp_path):
    made = leftovers(tmp_path)
    assert len(made) == 30
    for number, data in enumerate(made.values()):
        (tmp_path / f"{number:02d}.bin").write_bytes(data)
    result = survey([tmp_path], ["SOMETHING-ELSE", NAME])
    missed = set(range(30)) - {int(finding.path.stem) for finding in result.findings}
    assert [list(made)[number] for number in missed] == []
    assert {finding.which_index for finding in result.findings} == {1}
    assert result.unread == []
    told = json.dumps(result.as_dict(), ensure_ascii=False)
    assert "grün" not in told.casefold()


@pytest.mark.requirement("M-88")
def test_clean_files_of_the_same_kinds_hold_nothing(tmp_path):
    for number, data in enumerate(leftovers(tmp_path).values()):
        (tmp_path / f"{number:02d}.bin").write_bytes(data)
    others = [text for person in PEOPLE if person is not PEOPLE[3] for text in person.planted()]
    assert search([tmp_path], [text for text in others if len(text) > 5]) == []


@pytest.mark.requirement("T-8")
def test_names_of_files_folders_and_links_are_searched_and_withheld(tmp_path):
    (tmp_path / f"of {NAME}").mkdir()
    (tmp_path / f"of {NAME}" / "a.txt").write_text("nothing")
    (tmp_path / "link").symlink_to(f"/nowhere/{NAME}")
    result = survey([tmp_path], [NAME])
    assert sorted(finding.kind for finding in result.findings) == ["link", "name"]
    assert all(NAME not in finding.as_dict()["path"] for finding in result.findings)


def test_the_offset_points_at_the_first_occurrence_across_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("lethe.identity.leftovers._CHUNK", 1000)
    for start in (0, 990, 995, 999, 1000, 1990, 4321):
        (tmp_path / "big").write_bytes(b"." * start + b"ACC209765575Z" + b"." * 3000)
        (finding,) = search([tmp_path], ["ACC209765575Z"])
        assert finding.offset == start


@pytest.mark.requirement("M-88")
def test_short_identifiers_count_only_as_whole_tokens(tmp_path):
    (tmp_path / "a").write_bytes(b"1234711 847110 x4711")
    assert search([tmp_path], ["4711", "12"]) == []
    (tmp_path / "a").write_bytes(b"id: 4711, 12." + "|4711|".encode("utf-16-le"))
    assert {finding.which_index for finding in search([tmp_path], ["4711", "12"])} == {0, 1}


def test_what_cannot_be_unpacked_is_listed(tmp_path):
    (tmp_path / "broken.gz").write_bytes(gzip.compress(NOISE)[:-900])
    (tmp_path / "broken.zip").write_bytes(zipped(NOISE)[:300])
    (tmp_path / "broken.db").write_bytes(b"SQLite format 3\0" + NOISE)
    result = survey([tmp_path], ["SOMETHING"])
    assert sorted(path.rsplit("/", 1)[1] for path, _ in result.unread) == [
        "broken.db",
        "broken.gz",
        "broken.zip",
    ]


def test_a_database_that_is_in_use_is_searched_with_its_log(tmp_path):
    connection = sqlite3.connect(tmp_path / "live.db")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE t (a)")
    connection.execute("INSERT INTO t VALUES (?)", (NAME,))
    connection.commit()
    found = search([tmp_path], [NAME])
    connection.close()
    assert found
    assert survey([tmp_path], ["SOMETHING"]).unread == []


def test_a_pipe_does_not_hold_the_search_up(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert search([tmp_path], ["SOMETHING"]) == []


def test_a_missing_place_or_an_empty_original_is_an_error(tmp_path):
    with pytest.raises(Misconfigured):
        search([tmp_path / "nowhere"], ["SOMETHING"])
    with pytest.raises(Misconfigured):
        search([tmp_path], ["SOMETHING", "  "])


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    words=st.lists(
        st.text(st.characters(codec="latin-1", categories=["L", "N", "P"]), min_size=6, max_size=20),
        min_size=1,
        max_size=8,
    ),
    before=st.binary(max_size=300),
    after=st.binary(max_size=300),
    codec=st.sampled_from(["utf-8", "latin-1", "utf-16-le", "utf-16-be"]),
    pick=st.integers(0, 7),
)
def test_whatever_is_planted_is_found(words, before, after, codec, pick):
    word = words[pick % len(words)]
    data = before + word.encode(codec) + after
    assert len(before) in {at for _, at in Matcher(words).scan(data)} or word != word.strip()


@pytest.mark.requirement("M-88")
def test_a_hundred_megabytes_take_seconds(tmp_path):
    block = random.Random(3).randbytes(1 << 20)
    with (tmp_path / "big.bin").open("wb") as stream:
        for _ in range(100):
            stream.write(block)
        stream.write(PLANTED[0].encode())
    begin = time.process_time()
    assert len(search([tmp_path], PLANTED)) == 1
    assert time.process_time() - begin < 6  # a gigabyte within a minute; others may keep the machine busy
