import csv
import json
import os
import stat

import pandas as pd
import pytest

from kit.people import people
from kit.tables import clinical_table
from lethe.identity.leftovers import search

PEOPLE = people(12)


@pytest.mark.requirement("M-33", "M-36", "M-45", "M-48", "T-2", "A-29")
def test_from_registry_to_released_table_and_sealed_session(tmp_path, lethe):
    registry = clinical_table(PEOPLE, tmp_path / "registry.csv")
    (tmp_path / "planted.txt").write_text("\n".join({text for p in PEOPLE for text in p.planted()}))
    session = (tmp_path / "session", "--key", tmp_path / "key")
    lethe("intake", "open", *session)
    lethe("intake", "add", *session, "--from", registry, "--dry-run")
    added = json.loads(lethe("intake", "add", *session, "--from", registry, "--output", "json"))
    assert added == {"read": 12, "new": 12, "patients": 12}
    lethe("intake", "lookup-table", *session, "--to", tmp_path / "lookup.properties")
    assert stat.S_IMODE((tmp_path / "lookup.properties").stat().st_mode) == 0o600
    lethe("clinical", "check", registry)
    intake, out = tmp_path / "clinical-intake", tmp_path / "clinical"
    lethe(
        "clinical",
        "link",
        registry,
        "--session",
        session[0],
        "--key",
        session[2],
        "--to",
        intake,
        "--dry-run",
    )
    assert not intake.exists()
    lethe("clinical", "link", registry, "--session", session[0], "--key", session[2], "--to", intake)
    lethe("clinical", "scramble", intake / "table.csv", "--noise-key", intake / "noise.key", "--to", out)
    attack = json.loads(
        lethe("clinical", "risk", intake / "table.csv", out / "clinical.csv", "--output", "json")
    )
    assert attack["relinked"] > attack["guess"]
    lethe("intake", "seal", *session, code=2)
    lethe("intake", "seal", *session, "--yes")
    assert not (tmp_path / "key").exists()
    assert not (tmp_path / "lookup.properties").exists()
    lethe("intake", "add", *session, "--from", registry, code=4)
    record = session[0] / "destruction-record.json"
    lethe(
        "intake",
        "verify",
        session[0],
        intake,
        out,
        "--originals",
        tmp_path / "planted.txt",
        "--record",
        record,
    )
    found = lethe(
        "intake", "verify", tmp_path, "--originals", tmp_path / "planted.txt", "--output", "json", code=4
    )
    assert json.loads(found)["findings"]


def test_a_wrong_table_writes_nothing(tmp_path, lethe):
    registry = clinical_table(PEOPLE, tmp_path / "registry.csv")
    lethe("intake", "open", tmp_path / "session", "--key", tmp_path / "key")
    link = ("clinical", "link", registry, "--session", tmp_path / "session", "--key", tmp_path / "key")
    lethe(*link, "--to", tmp_path / "out", code=4)  # the patients were never added
    lethe(
        "clinical", "scramble", registry, "--noise-key", tmp_path / "none", "--to", tmp_path / "out", code=4
    )
    lethe(
        "clinical",
        "scramble",
        tmp_path / "none",
        "--noise-key",
        tmp_path / "none",
        "--to",
        tmp_path / "out",
        code=2,
    )
    assert sorted(os.listdir(tmp_path)) == ["key", "registry.csv", "session"]


@pytest.mark.requirement("M-12", "M-14")
def test_a_patient_who_refused_is_left_out_and_the_reason_is_kept(tmp_path, lethe):
    registry = clinical_table(PEOPLE, tmp_path / "registry.csv")
    with registry.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows[3]["opt_out"] = "1"
    with registry.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    session = ("--session", tmp_path / "session", "--key", tmp_path / "key")
    lethe("intake", "open", tmp_path / "session", "--key", tmp_path / "key")
    lethe("intake", "add", tmp_path / "session", "--key", tmp_path / "key", "--from", registry)
    lethe("clinical", "link", registry, *session, "--to", tmp_path / "out")
    assert len((tmp_path / "out" / "table.csv").read_text().splitlines()) == 12
    record = json.loads((tmp_path / "out" / "excluded.json").read_text())
    assert record["excluded"] == [{"row": 5, "rules": ["opt-out"]}]
    assert record["reasons"]["opt-out"]


@pytest.mark.requirement("T-3", "A-24", "A-25", "A-26", "A-27", "A-28", "A-29", "A-30", "A-77", "A-86")
def test_the_two_steps_from_a_pseudonymous_table_to_an_anonymous_one(tmp_path, lethe):
    registry = clinical_table(PEOPLE, tmp_path / "registry.csv")
    site, archive = ((tmp_path / name, "--key", tmp_path / f"{name}.key") for name in ("site", "archive"))
    lethe("intake", "open", *site, "--mode", "pseudonymous")
    lethe("intake", "add", *site, "--from", registry)
    lethe("clinical", "link", registry, "--session", site[0], "--key", site[2], "--to", tmp_path / "one")
    lethe("intake", "seal", *site, "--yes", code=4)  # the site keeps its table
    first = pd.read_csv(tmp_path / "one" / "table.csv", dtype=str, keep_default_na=False)
    assert set(first["onset_datetime"]) == {f"{one.event:%Y-%m-%d %H:%M}" for one in PEOPLE}  # real dates

    first.iloc[:9][["prid"]].to_csv(tmp_path / "complete.csv", index=False)
    first.iloc[:9].to_csv(tmp_path / "complete-table.csv", index=False)
    lethe("intake", "open", *archive)
    step = ("intake", "promote", *site, "--to", archive[0], "--to-key", archive[2])
    dry = lethe(*step, "--cases", tmp_path / "complete.csv", "--dry-run", "--output", "json")
    assert json.loads(dry) == {"cases": 9, "new": 0}
    done = lethe(*step, "--cases", tmp_path / "complete.csv", "--output", "json")
    assert json.loads(done) == {"cases": 9, "new": 9}
    again = lethe(*step, "--cases", tmp_path / "complete.csv", "--output", "json")
    assert json.loads(again) == {"cases": 9, "new": 0}
    link = ("--session", archive[0], "--key", archive[2], "--patient-column", "prid")
    lethe("clinical", "link", tmp_path / "complete-table.csv", *link, "--to", tmp_path / "two")
    lethe("intake", "lookup-table", *archive, "--to", tmp_path / "lookup.properties")
    second = pd.read_csv(tmp_path / "two" / "table.csv", dtype=str, keep_default_na=False)
    assert set(second["prid"]).isdisjoint(first["prid"])

    kept = ["mrs_3m", "nihss_admission", "door_to_groin_min", "glucose"]
    old = first.iloc[:9].set_index(kept)["onset_datetime"].map(pd.Timestamp)
    new = second.set_index(kept)["onset_datetime"].map(pd.Timestamp)
    moved = (new - old).dt.days
    assert moved.between(-21, 21).all()
    assert moved.nunique() > 3
    lethe("intake", "seal", *archive, "--yes")
    assert search([tmp_path / "archive"], first["prid"].tolist()) == []
