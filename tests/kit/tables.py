"""Clinical tables of invented patients, with identifiers planted in columns and free text."""

from __future__ import annotations

import csv
import random
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from kit.people import Person
from lethe.clinical.dictionary import Dictionary, Role, Type, Variable


def clinical_table(
    people: Sequence[Person], path: Path, seed: int = 1, opted_out: Collection[Person] = ()
) -> Path:
    """Write a CSV with every variable of the stroke dictionary, one row per person, and return its path.

    Those of `opted_out` have refused the use of their routine data.
    """
    dictionary = Dictionary.load()
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(dictionary.variables))
        writer.writeheader()
        for person in people:
            refused = {"opt_out": "1"} if person in opted_out else {}
            writer.writerow(clinical_row(person, dictionary, seed) | refused)
    return path


def clinical_row(person: Person, dictionary: Dictionary, seed: int = 1) -> dict[str, str]:
    """Return one row; equal persons and seeds give equal rows."""
    rng = random.Random(f"{seed} {person.patient_id}")
    row = {name: _cell(variable, rng) for name, variable in dictionary.variables.items()}
    return {**row, **_identity(person), **_moments(person, rng)}


def _identity(person: Person) -> dict[str, str]:
    return {
        "patient_id": person.patient_id,
        "case_number": person.accession,
        "patient_name": f"{person.given} {person.family}",
        "birth_date": person.birth_date_iso,
        "nationality": "Swiss",
        "address": person.address,
        "postcode": person.address.split(", ")[1][:4],
        "phone": person.phone,
        "email": f"{person.patient_id.replace(' ', '.')}@example.org",
        "insurance_number": f"756.{person.accession}",
        "physician": " ".join(reversed(person.physician.split("^"))),
        "referring_hospital": person.institution,
        "age": str(person.age),
        "sex": person.sex,
        "history": f"{person.given} {person.family}, born {person.birth_date_iso}, of {person.address}.",
        "radiology_report": f"Dear Dr {person.physician.split('^')[0]}, CT of {person.name}: M1 occlusion.",
        "comment": f"Reached under {person.phone}; see {person.accession}.",
        "opt_out": "0",
        "occlusion_site": "m1",  # a large vessel: the row is eligible
    }


def _moments(person: Person, rng: random.Random) -> dict[str, str]:
    onset = person.event
    door = onset + timedelta(minutes=rng.randint(35, 300))
    imaging = door + timedelta(minutes=rng.randint(8, 40))
    needle = imaging + timedelta(minutes=rng.randint(5, 40))
    groin = needle + timedelta(minutes=rng.randint(10, 90))
    end = groin + timedelta(minutes=rng.randint(15, 120))
    minutes = {
        "onset_to_door_min": door - onset,
        "door_to_imaging_min": imaging - door,
        "door_to_needle_min": needle - door,
        "onset_to_needle_min": needle - onset,
        "door_to_groin_min": groin - door,
        "onset_to_groin_min": groin - onset,
        "groin_to_recanalisation_min": end - groin,
        "onset_to_recanalisation_min": end - onset,
    }
    stay = rng.randint(2, 21)
    return {
        "onset_datetime": _text(onset),
        "admission_datetime": _text(door),
        "imaging_datetime": _text(imaging),
        "ivt_datetime": _text(needle),
        "groin_datetime": _text(groin),
        "recanalisation_datetime": _text(end),
        "control_imaging_datetime": _text(imaging + timedelta(hours=24)),
        "discharge_date": f"{door + timedelta(days=stay):%Y-%m-%d}",
        "followup_date": f"{door + timedelta(days=rng.randint(80, 100)):%Y-%m-%d}",
        "death_date": "",
        "length_of_stay_days": str(stay),
        **{name: str(int(span.total_seconds() // 60)) for name, span in minutes.items()},
    }


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _cell(variable: Variable, rng: random.Random) -> str:
    if variable.role in (Role.IDENTIFIER, Role.FREE_TEXT, Role.DATE):
        return ""
    if variable.codes:
        return rng.choice(list(variable.codes))
    low, high = float(variable.minimum or 0), float(variable.maximum or 100)
    value = min(max(rng.gauss(low + (high - low) * 0.25, (high - low) * 0.06), low), high)
    if variable.type is Type.INTEGER or variable.resolution == 1:
        return str(round(value))
    return (
        f"{value:.{max(0, -int(variable.resolution.as_tuple().exponent))}f}" if variable.resolution else "1"
    )
