import csv
import json
import os
import stat

import pytest

from kit.people import people
from kit.tables import clinical_table

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
