"""The data types of the plugin: where each hangs in XNAT and which record it holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lethe.clinical.record import Record

PREFIX = "lethe"
NAMESPACE = "http://lethe.example/lethe"
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class DataType:
    """A data type.

    Attributes
    ----------
    record : Record
        Its own elements.
    base : str
        ``xnat:subjectAssessorData`` or ``xnat:imageAssessorData``.
    root : str
        Name of the root element of its documents.
    singular, plural, code : str
        As XNAT shows them.
    """

    record: Record
    base: str
    root: str
    singular: str
    plural: str
    code: str

    @property
    def name(self) -> str:
        """Full name: ``lethe:clinicalData``."""
        return f"{PREFIX}:{self.record.element}"

    @property
    def sql_name(self) -> str:
        """Name of its table: ``lethe_clinicalData``."""
        return f"{PREFIX}_{self.record.element}"

    @property
    def class_name(self) -> str:
        """Name that XNAT expects of its Java class: ``org.nrg.xdat.om.LetheClinicaldata``."""
        return f"org.nrg.xdat.om.{PREFIX.capitalize()}{self.record.element.capitalize()}"

    @property
    def of_images(self) -> bool:
        """Whether it belongs to a session (else to a subject)."""
        return self.base == "xnat:imageAssessorData"


@cache
def data_types() -> tuple[DataType, ...]:
    """Return the data types, the clinical record first."""
    clinical = Record.load()
    return (
        DataType(
            clinical, "xnat:subjectAssessorData", "ClinicalData", clinical.title, f"{clinical.title}s", "CLIN"
        ),
        DataType(deface_qc(), "xnat:imageAssessorData", "DefaceQc", "De-facing QC", "De-facing QCs", "DQC"),
    )


@cache
def deface_qc() -> Record:
    """Return the record of the de-facing QC."""
    return Record.load(_HERE / "deface_qc.yaml", own_names=True)
