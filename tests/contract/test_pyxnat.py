"""Smoke scenarios of the XNAT contract: pyxnat 1.6.4."""

from __future__ import annotations

import os
import tempfile
import zipfile
from pathlib import Path

import pytest

from contract.helpers import fresh

pytestmark = pytest.mark.contract


@pytest.mark.requirement("E-71")
def test_s21_pyxnat_create_chain_exists_label_id(site):
    p = fresh()
    i = site.pyx()
    e = i.select.project(p).subject("PYS1").experiment("PYE1")
    assert not e.exists()
    e.create(experiments="xnat:ctSessionData")
    assert e.exists()
    assert e.label() == "PYE1"
    assert e.id().split("_E")[1].isdigit()
    assert e.datatype() == "xnat:ctSessionData"
    assert [s.label() for s in i.select.project(p).subjects()] == ["PYS1"]


@pytest.mark.requirement("E-71")
def test_s22_pyxnat_attrs_get_set(site):
    p = fresh()
    i = site.pyx()
    s = i.select.project(p).subject("A1")
    s.create()
    s.attrs.set("xnat:subjectData/demographics[@xsi:type=xnat:demographicData]/gender", "male")
    assert s.attrs.get("gender") == "male"
    s.attrs.mset({"group": "control"})
    assert s.attrs.get("group") == "control"


@pytest.mark.requirement("E-71")
def test_s23_pyxnat_file_put_get_attributes_delete(site):
    p = fresh()
    i = site.pyx()
    s = i.select.project(p).subject("F1")
    s.create()
    with tempfile.TemporaryDirectory() as d:
        Path(d + "/in.txt").write_text("payload, with comma")
        f = s.resource("NOTES").file("in.txt")
        f.put(d + "/in.txt", format="TXT", content="NOTE", tags="t1")
        assert f.exists()
        assert f.format() == "TXT"
        assert f.content() == "NOTE"
        assert f.size() == "19"
        assert Path(f.get(d + "/out.txt")).read_text() == "payload, with comma"
        f.delete()
        assert not s.resource("NOTES").file("in.txt").exists()


@pytest.mark.requirement("E-71")
def test_s24_pyxnat_zip_put_with_extract_and_resource_zip_get(site):
    p = fresh()
    i = site.pyx()
    s = i.select.project(p).subject("Z1")
    s.create()
    with tempfile.TemporaryDirectory() as d:
        for n in ("a.txt", "b.txt"):
            Path(f"{d}/{n}").write_text(n)
        with zipfile.ZipFile(d + "/u.zip", "w") as z:
            [z.write(f"{d}/{n}", n) for n in ("a.txt", "b.txt")]
        r = s.resource("ZR")
        r.put_zip(d + "/u.zip", extract=True)
        assert sorted(r.files().get()) == ["a.txt", "b.txt"]
        os.mkdir(d + "/o")
        got = r.get(d + "/o", extract=True)
        assert sorted(os.path.basename(x) for x in got) == ["a.txt", "b.txt"]


@pytest.mark.requirement("E-71")
def test_s25_pyxnat_scans_and_scan_parameters_of_a_session(site):
    p = fresh()
    i = site.pyx()
    e = i.select.project(p).subject("S").experiment("E")
    e.create(experiments="xnat:mrSessionData")
    e.scan("11").create(scans="xnat:mrScanData")
    e.scan("11").attrs.set("xnat:mrScanData/quality", "questionable")
    assert e.scans().get() == ["11"]
    assert e.scan("11").attrs.get("quality") == "questionable"


@pytest.mark.requirement("E-16")
def test_s26_pyxnat_users_and_roles_of_a_project(site):
    p = site.new_project()
    i = site.pyx()
    pr = i.select.project(p)
    pr.add_user("alice", "member")
    assert pr.members() == ["alice"]
    assert pr.user_role("alice") == "member"
    assert pr.owners() == ["admin"]
    pr.remove_user("alice")
    assert "alice" not in pr.users()
    pr.set_accessibility("public")
    assert pr.accessibility() in (b"public", "public")
