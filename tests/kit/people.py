"""Invented patients with identifiers that can be searched for afterwards.

Names are put together from syllables, so that no planted identifier is a word that a file could hold for
another reason. The same `n` and `seed` give the same people; a longer list starts with the shorter one.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

_FIRST = (
    "Quell",
    "Wyss",
    "Zuber",
    "Oehl",
    "Jagg",
    "Vonl",
    "Krumm",
    "Thurn",
    "Brugg",
    "Ybrig",
    "Gstaad",
    "Pfyff",
)
_MIDDLE = ("en", "ing", "ol", "er", "an", "ul")
_LAST = ("brunnli", "matthuber", "hofstett", "wilersch", "bachtolf", "egglimur", "stalderu", "zgraggor")
_GIVEN = {
    "F": ("Annegreth", "Rosmarielle", "Ursulinde", "Friedelinde", "Marguerithe", "Vreneliese"),
    "M": ("Hanspetrus", "Waltherus", "Jeanlouic", "Ottokarius", "Reinholdus", "Beatuswil"),
}
_STREETS = ("Rebhaldenrain", "Sonnmattgasse", "Chemin du Crotzet", "Via Lucendrina", "Oberdorfhalde")
_TOWNS = ("Hinterfultigen", "Oberwichtrach", "Chavannes-le-Crot", "Vezzolino", "Niederglattwil")
_HOSPITALS = ("Kantonsspital Fultigerberg", "Hopital du Crotzetval", "Ospedale Civico Vezzolino")
_NOT_ASCII = ("Grünwälder-Böschungen", "Zoëline")
_DISTINCT_FAMILIES = 300  # beyond, names repeat, as there are 528
_AWKWARD_ID = "ZRH 07:4411=QX"  # blank, colon and equal sign need escapes in a Java properties key


@dataclass(frozen=True, slots=True)
class Person:
    """One invented patient.

    Attributes
    ----------
    patient_id : str
        Identifier of the hospital (DICOM PatientID; column ``patient_id`` of the clinical table).
    name : str
        DICOM form, ``Family^Given``. One in the list is not ASCII (Latin-1 holds it).
    birth_date : str
        DICOM form, ``YYYYMMDD``.
    sex : str
        ``F`` or ``M``.
    age : int
        Whole years at `event`.
    event : datetime
        Onset of the stroke, 2020 to 2023.
    """

    patient_id: str
    name: str
    birth_date: str
    sex: str
    age: int
    event: datetime
    address: str
    phone: str
    accession: str
    physician: str
    institution: str

    @property
    def family(self) -> str:
        return self.name.split("^")[0]

    @property
    def given(self) -> str:
        return self.name.split("^")[1]

    @property
    def birth_date_iso(self) -> str:
        return f"{self.birth_date[:4]}-{self.birth_date[4:6]}-{self.birth_date[6:]}"

    @property
    def dicom_age(self) -> str:
        return f"{self.age:03d}Y"

    def planted(self) -> list[str]:
        """Return every string that may not be found after cleaning; each has at least 8 characters."""
        doctor_family, doctor_given = self.physician.split("^")
        return [
            self.patient_id,
            self.name,
            f"{self.given} {self.family}",
            f"{self.family}, {self.given}",
            self.family,
            self.birth_date,
            self.birth_date_iso,
            f"{self.birth_date[6:]}.{self.birth_date[4:6]}.{self.birth_date[:4]}",
            self.address,
            self.phone,
            self.accession,
            self.physician,
            f"{doctor_given} {doctor_family}",
            doctor_family,
            self.institution,
        ]


def people(n: int, seed: int = 1) -> list[Person]:
    """Return `n` invented patients; the first three are 89, 90 and 97, the fourth is not ASCII."""
    rng = random.Random(seed)
    chosen: list[Person] = []
    seen: set[str] = set()
    while len(chosen) < n:
        person = _person(len(chosen), rng)
        own = {person.patient_id, person.accession}
        if len(chosen) < _DISTINCT_FAMILIES:
            own.add(person.family)
        if seen.isdisjoint(own):
            seen |= own
            chosen.append(person)
    return chosen


def _person(index: int, rng: random.Random) -> Person:
    sex = rng.choice("FM")
    family, given = _family(rng), rng.choice(_GIVEN[sex])
    patient_id = f"{rng.choice(('USZ', 'Chuv', 'ins'))}-{rng.randrange(10**6, 10**7)}{rng.choice('ABCDEF')}"
    event = datetime(2020, 1, 1) + timedelta(minutes=rng.randrange(4 * 365 * 24 * 60))
    age = {0: 89, 1: 90, 2: 97}.get(index, rng.randint(31, 88))
    birth = event.replace(year=event.year - age, day=min(event.day, 28)) - timedelta(
        days=rng.randrange(1, 364)
    )
    doctor = f"{_family(rng)}^{rng.choice(_GIVEN['M'])}"
    address = f"{rng.choice(_STREETS)} {rng.randint(1, 199)}, {rng.randint(1000, 9658)} {rng.choice(_TOWNS)}"
    phone = f"+41 {rng.randint(21, 91)} {rng.randint(200, 999)} {rng.randint(10, 99)} {rng.randint(10, 99)}"
    accession = f"ACC{rng.randrange(10**8, 10**9)}Z"
    if index == 3:
        family, given = _NOT_ASCII
    if index == 4:
        patient_id = _AWKWARD_ID
    return Person(
        patient_id=patient_id,
        name=f"{family}^{given}",
        birth_date=f"{birth:%Y%m%d}",
        sex=sex,
        age=age,
        event=event,
        address=address,
        phone=phone,
        accession=accession,
        physician=doctor,
        institution=rng.choice(_HOSPITALS),
    )


def _family(rng: random.Random) -> str:
    return rng.choice(_FIRST) + rng.choice(_MIDDLE) + rng.choice(_LAST)
