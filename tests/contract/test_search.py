"""Searches with the clients' own query languages, and what their reprs ask for."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.contract, pytest.mark.requirement("E-71")]


def test_xnatpy_queries_subjects_and_sessions(site):
    p = site.new_project()
    site.mr(p)
    site.rq("PUT", f"/data/projects/{p}/subjects/S1?gender=female&group=control")
    site.rq("PUT", f"/data/projects/{p}/subjects/S2?gender=male")
    with site.connect() as c:
        cls = c.classes.SubjectData
        found = cls.query().filter(cls.PROJECT == p).view(cls.SUBJECT_LABEL, cls.GENDER_TEXT).tabulate_dict()  # noqa: SIM300
        assert {(row["subject_label"], row["gender_text"]) for row in found} == {
            ("S1", "female"),
            ("S2", "male"),
        }
        males = (
            cls.query().filter((cls.PROJECT == p) & (cls.SUBJECT_LABEL.like("%2"))).view(cls.SUBJECT_LABEL)  # noqa: SIM300
        )
        assert [row["subject_label"] for row in males.tabulate_dict()] == ["S2"]
        assert [one.label for one in males.all()] == ["S2"]
        mr = c.classes.MrSessionData
        rows = mr.query().filter(mr.PROJECT == p).view(mr.LABEL, mr.SUBJECT_LABEL).tabulate_dict()  # noqa: SIM300
        assert [(row["label"], row["subject_label"]) for row in rows] == [("S1_MR1", "S1")]
        assert [one.label for one in mr.query().filter(mr.PROJECT == p).all()] == ["S1_MR1"]  # noqa: SIM300


def test_pyxnat_selects_where_and_prints_objects(site):
    p = site.new_project()
    site.mr(p)
    i = site.pyx()
    table = i.select(
        "xnat:subjectData", ["xnat:subjectData/PROJECT", "xnat:subjectData/SUBJECT_LABEL"]
    ).where([("xnat:subjectData/PROJECT", "=", p), "AND"])
    assert [(row["project"], row["subject_label"]) for row in table.data] == [(p, "S1")]
    assert p in repr(i.select.project(p))
    assert "S1" in repr(i.select.project(p).subject("S1"))


def test_a_broken_search_is_422(site):
    assert site.rq("POST", "/data/search?format=json", data=b"<bundle").status_code == 422
