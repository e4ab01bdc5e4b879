"""Uploads that try to leave their folder, to be something else than files, or to fill the disk."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lethe.archive.intake import unpack
from lethe.errors import Refused


def zip_with(tmp_path: Path, *entries: tuple[str, bytes], mode: int = 0, flags: int = 0) -> Path:
    path = tmp_path / "upload"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in entries:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode << 16
            packed.writestr(info, data)
    if flags:
        raw = bytearray(path.read_bytes())
        raw[raw.index(b"PK\x01\x02") + 8] |= flags
        raw[raw.index(b"PK\x03\x04") + 6] |= flags
        path.write_bytes(raw)
    return path


def tar_with(tmp_path: Path, *entries: tarfile.TarInfo, mode: str = "w") -> Path:
    path = tmp_path / "upload"
    with tarfile.open(path, mode) as packed:  # type: ignore[call-overload]
        for entry in entries:
            packed.addfile(entry, io.BytesIO(b"x" * entry.size))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


def read(path: Path, limits: unpack.Limits | None = None) -> dict[str, bytes]:
    return {member.name: member.stream.read() for member in unpack.members(path, limits or unpack.Limits())}


def refusal(path: Path, limits: unpack.Limits | None = None) -> str:
    with pytest.raises(Refused) as caught:
        read(path, limits)
    return caught.value.code


def test_zip_tar_and_tar_gz_give_their_files(tmp_path: Path) -> None:
    assert read(zip_with(tmp_path, ("a/", b""), ("a/b", b"1"), ("./c", b"2"))) == {"a/b": b"1", "c": b"2"}
    for mode in ("w", "w:gz", "w:bz2"):
        found = tar_with(tmp_path, entry("d", tarfile.DIRTYPE), entry("d/e", size=3), mode=mode)
        if mode != "w:bz2":
            assert read(found) == {"d/e": b"xxx"}
        else:
            assert refusal(found) == "not-an-archive"


HOSTILE = ["../x", "a/../../x", "/etc/passwd", "C:\\x", "..\\x", "a\\..\\..\\x", "..", "\\\\host\\x"]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_leave_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    assert refusal(zip_with(tmp_path, (name, b"x"))) == "unsafe-member"
    assert refusal(tar_with(tmp_path, entry(name, size=1))) == "unsafe-member"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    assert refusal(tar_with(tmp_path, entry("a", kind, link="/etc/passwd"))) == "link-member"


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    assert refusal(zip_with(tmp_path, ("a", b"/etc/passwd"), mode=stat.S_IFLNK | 0o777)) == "link-member"


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    assert refusal(zip_with(tmp_path, ("a", b"x"), flags=1)) == "encrypted-member"


def test_a_bomb_is_stopped_by_what_it_unfolds_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "_RATIO_FROM", 1 << 20)
    assert refusal(zip_with(tmp_path, ("a", bytes(4 << 20)))) == "archive-bomb"
    assert refusal(zip_with(tmp_path, ("a", b"1234")), unpack.Limits(total_bytes=3)) == "archive-bomb"


def test_the_claimed_size_of_a_member_is_not_believed(tmp_path: Path) -> None:
    path = zip_with(tmp_path, ("a", bytes(1 << 16)))
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 24 : raw.index(b"PK\x01\x02") + 28] = (10).to_bytes(4, "little")
    path.write_bytes(raw)
    assert refusal(path) == "broken-archive" or len(read(path)["a"]) <= 10


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    path = zip_with(tmp_path, *((f"{n}", b"") for n in range(5)))
    assert refusal(path, unpack.Limits(members=4)) == "too-many-members"


def test_what_is_no_archive_or_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(b"hello")
    assert refusal(path) == "not-an-archive"
    whole = zip_with(tmp_path, ("a", bytes(range(256)) * 100)).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert refusal(path) == "broken-archive"
    packed = tar_with(tmp_path, entry("a", size=5000), mode="w:gz").read_bytes()
    path.write_bytes(packed[: len(packed) // 2])
    assert refusal(path) == "broken-archive"


@given(st.text(max_size=30))
@settings(derandomize=True, max_examples=300)
def test_a_safe_name_stays_inside(name: str) -> None:
    try:
        found = unpack.safe_name(name)
    except Refused:
        return
    inside = Path("/root/of/it", found).resolve()
    assert inside.is_relative_to("/root/of/it")
    assert inside != Path("/root/of/it")
