"""The quick reader of headers reads what pydicom reads, and nothing that is damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from kit import vendor
from kit.enhanced import write_enhanced
from kit.people import Person
from kit.phantom import Volume
from lethe.image.elements import Header, read_header
from lethe.image.frames import UNREADABLE, read_instance, read_instances

PRIVATE = ("PhilipsScaleSlope", "PhilipsFrameSequence")


def plain(value: Any) -> Any:
    """Return a value of pydicom as text, numbers or lists of them."""
    if value is None or value == "" or isinstance(value, (str, int, float)):
        return None if value is None or value == "" else value.strip() if isinstance(value, str) else value
    parts = ["" if part == "" else plain(part) for part in value]
    return parts or None


def differences(header: Header, dataset: Dataset) -> list[str]:
    """Return the keywords whose values are not those of pydicom, at any depth."""
    found = []
    for keyword, mine in header.values.items():
        if keyword in PRIVATE:
            continue
        theirs = dataset.get(keyword)
        if isinstance(mine, list) and isinstance(mine[0], Header):
            pairs = zip(mine, theirs, strict=True)
            found += [f"{keyword}.{name}" for one, other in pairs for name in differences(one, other)]
        elif mine != plain(theirs):
            found.append(keyword)
    return found


@pytest.mark.requirement("L-13", "M-20")
@pytest.mark.parametrize("name", sorted(vendor.SAMPLES))
def test_the_headers_of_vendors_read_as_pydicom_reads_them(tmp_path: Path, person: Person, name: str) -> None:
    path = vendor.write_sample(name, tmp_path, person=person)[0]
    header, dataset = read_header(path), pydicom.dcmread(path, stop_before_pixels=True)
    assert differences(header, dataset) == []
    for keyword in ("SOPInstanceUID", "Rows", "PixelSpacing", "ImagePositionPatient", "InstanceNumber"):
        assert (keyword in header) == (plain(dataset.get(keyword)) is not None)


@pytest.mark.requirement("L-13", "M-20")
@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
@pytest.mark.parametrize("undefined", [False, True], ids=["lengths", "end marks"])
def test_nested_headers_read_alike_in_every_encoding(
    tmp_path: Path, mr: Volume, person: Person, syntax: str, undefined: bool
) -> None:
    source = write_enhanced(mr, tmp_path, modality="MR", person=person, times=2)[0]
    before = read_header(source)
    dataset = pydicom.dcmread(source)
    for sequence in (dataset["PerFrameFunctionalGroupsSequence"], dataset["DimensionIndexSequence"]):
        sequence.is_undefined_length = undefined
        for item in sequence.value:
            item.is_undefined_length_sequence_item = undefined
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        dataset["PixelData"].value = b"".join(
            dataset.PixelData[n + 1 : n + 2] + dataset.PixelData[n : n + 1]
            for n in range(0, len(dataset.PixelData), 2)
        )
    target = tmp_path / "other.dcm"
    pydicom.dcmwrite(
        target,
        dataset,
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=syntax != ExplicitVRBigEndian,
    )
    after = read_header(target)
    assert after.values == before.values
    assert (after.pixels is None) == (syntax == DeflatedExplicitVRLittleEndian)
    assert len(read_instance(target).frames) == 2 * mr.data.shape[2]


@pytest.mark.requirement("E-73")
@given(data=st.data())
@settings(derandomize=True, max_examples=60, deadline=None)
def test_a_damaged_header_is_found_unreadable_or_read_but_never_breaks_the_reader(
    written: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = next(iter(sorted(written["ct"].iterdir()))).read_bytes()
    content = bytearray(whole[:4000])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(132, 3999))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "0001.dcm"
    path.write_bytes(bytes(content[: data.draw(st.integers(0, 4000))]))
    instances, broken = read_instances([path])
    assert len(instances) + len(broken) == 1


@pytest.mark.requirement("E-73")
@pytest.mark.parametrize("value", ["nan", "inf", "1e999", "x"])
def test_a_place_that_is_no_number_makes_the_object_unreadable(
    tmp_path: Path, written: dict[str, Path], value: str
) -> None:
    whole = next(iter(sorted(written["ct"].iterdir()))).read_bytes()
    path = tmp_path / "0001.dcm"
    marker = b"\x28\x00\x53\x10DS"
    at = whole.index(marker) + 8
    length = int.from_bytes(whole[at - 2 : at], "little")
    path.write_bytes(whole[: at - 2] + len(value.ljust(6)).to_bytes(2, "little") + value.ljust(6).encode()
                     + whole[at + length :])  # fmt: skip
    with pytest.raises(UNREADABLE):
        read_instance(path)


def test_a_file_without_the_mark_of_dicom_is_no_object(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_bytes(b"x" * 400)
    with pytest.raises(ValueError, match="not a DICOM"):
        read_header(path)
