"""The type table: every data type the archive knows, in the notation of `lethe.archive.types.node`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from lethe.archive.types import lethe
from lethe.archive.types.node import Node, parse

NAMESPACES = {"xnat": "http://nrg.wustl.edu/xnat", "lethe": "http://lethe.example/lethe"}
"""Prefixes of data types and their XML namespaces."""

_FIELDS = "fields/field*{@name}"
_RESOURCES = "resources/resource*->abstractResource"
_PARAMS = "parameters{addParam*{@name}}"
_GENDER = "enum(male|female|other|unknown|M|F)"
_HAND = "enum(left|right|ambidextrous|unknown)"

_TABLE: tuple[tuple[str, str, str, str], ...] = (
    # name, base, root element, own members
    ("investigatorData", "", "Investigator",
     "@ID title firstname lastname institution department email phone"),
    ("validationData", "", "", "@status method date:date notes"),
    ("abstractDemographicData", "", "", ""),
    ("demographicData", "abstractDemographicData", "", f"""
        dob:date yob:integer age:integer gender:{_GENDER} handedness:{_HAND} ses:integer employment:integer
        education:integer educationDesc race ethnicity weight:float{{@units}} height:float{{@units}}
        gestational_age:float post_menstrual_age:float birth_weight:float"""),
    ("abstractSubjectMetadata", "", "", ""),
    ("subjectMetadata", "abstractSubjectMetadata", "", "cohort"),
    ("fieldDefinitionGroup", "", "", """@ID @data-type @description @shareable @project-specific
        fields/field*{@name @datatype @sequence @required @type @xmlPath
            possibleValues{possibleValue*{@display}}}"""),
    ("abstractProtocol", "", "", "@ID @name @description @data-type"),
    ("datatypeProtocol", "abstractProtocol", "", "definitions/definition*->fieldDefinitionGroup"),
    ("studyProtocol", "abstractProtocol", "StudyProtocol", ""),
    ("abstractResource", "", "", "@label @file_count:integer @file_size:integer note tags/tag*{@name}"),
    ("resource", "abstractResource", "", "@URI @format @description @content @cachePath"),
    ("resourceCatalog", "resource", "ResourceCatalog", ""),
    ("projectData", "", "Project", f"""@ID @secondary_ID @active name type description keywords
        aliases/alias*{{@source}} {_RESOURCES} studyProtocol*->abstractProtocol PI->investigatorData
        investigators/investigator*->investigatorData {_FIELDS}"""),
    ("projectParticipant", "", "", "@label @project @subject_ID @group"),
    ("subjectData", "", "Subject", f"""@ID @project @group @label @src @initials
        sharing/share*->projectParticipant {_RESOURCES} investigator->investigatorData
        demographics->abstractDemographicData metadata->abstractSubjectMetadata addID*{{@name}} {_FIELDS}
        experiments/experiment*->subjectAssessorData"""),
    ("experimentData", "", "", f"""@ID @project @visit_id @visit @version @original @protocol @label
        sharing/share*{{@label @project}} date:date time:time duration delay:integer note
        investigator->investigatorData validation->validationData {_RESOURCES} {_FIELDS} acquisition_site"""),
    ("genericData", "experimentData", "Generic", ""),
    ("subjectAssessorData", "experimentData", "SubjectAssessor", "subject_ID age:float"),
    ("subjectVariablesData", "subjectAssessorData", "SubjectVariables", "variables/variable*{@name}"),
    ("imageSessionData", "subjectAssessorData", "ImageSession", """@session_type @modality @UID @study_id
        scanner{@manufacturer @model} operator prearchivePath scans/scan*->imageScanData
        reconstructions/reconstructedImage*->reconstructedImageData
        assessors/assessor*->imageAssessorData dcmAccessionNumber dcmPatientId dcmPatientName
        dcmPatientBirthDate:date dcmPatientWeight:float"""),
    ("mrSessionData", "imageSessionData", "MRSession", "coil fieldStrength marker stabilization"),
    ("petSessionData", "imageSessionData", "PETSession", """tracer{name startTime:time dose:float{@units}
        totalmass:float{@units} specificActivity:float{@units}}"""),
    ("imageScanData", "", "ImageScan", """@ID @type @UID @project sharing/share*{@label @project}
        image_session_ID note quality condition series_description documentation scanner{@manufacturer @model}
        modality frames:integer operator startTime:time validation->validationData
        file*->abstractResource series_class"""),
    ("mrScanData", "imageScanData", "MRScan", """coil fieldStrength marker stabilization
        parameters{voxelRes{@units @x:float @y:float @z:float} orientation fov{@x:integer @y:integer}
        matrix{@x:integer @y:integer} partitions:integer tr:float te:float ti:float flip:float sequence
        imageType scanSequence seqVariant scanOptions acqType addParam*{@name}}"""),
    ("derivedData", "experimentData", "", "imageSession_ID"),
    ("imageAssessorData", "derivedData", "ImageAssessor", f"""in/file*->abstractResource
        out/file*->abstractResource {_PARAMS}"""),
    ("qcAssessmentData", "imageAssessorData", "QCAssessment", ""),
    ("qcManualAssessorData", "imageAssessorData", "QCManualAssessment", "rater pass comments"),
    ("mrAssessorData", "imageAssessorData", "MRAssessor", ""),
    ("reconstructedImageData", "", "ReconstructedImage", """@ID @type @baseScanType image_session_ID
        in/file*->abstractResource out/file*->abstractResource"""),
)  # fmt: skip

_SESSIONS = {"ct": "CT", "xa": "XA", "us": "US", "cr": "CR", "dx": "DX", "mg": "MG", "nm": "NM", "rf": "RF",
             "otherDicom": "OtherDicom"}  # fmt: skip
_SCANS = {**_SESSIONS, "pet": "PET", "sc": "SC", "sr": "SR", "seg": "Seg"}

BY_MODALITY = {"MR": "mr", "CT": "ct", "PT": "pet", "XA": "xa", "US": "us", "CR": "cr", "DX": "dx",
               "MG": "mg", "NM": "nm", "RF": "rf", "SC": "sc", "OT": "sc", "SR": "sr",
               "SEG": "seg"}  # fmt: skip
"""First part of the type names of a DICOM modality; any other is ``otherDicom``."""


def session_type(modality: str) -> str:
    """Return the session type of a DICOM modality: ``xnat:mrSessionData``."""
    name = f"xnat:{BY_MODALITY.get(modality.upper(), 'otherDicom')}SessionData"
    return name if name in TYPES else "xnat:otherDicomSessionData"


def scan_type(modality: str) -> str:
    """Return the scan type of a DICOM modality: ``xnat:mrScanData``."""
    return f"xnat:{BY_MODALITY.get(modality.upper(), 'otherDicom')}ScanData"


@dataclass(frozen=True)
class XsiType:
    """A data type: its full name (``xnat:mrSessionData``), base, root element and own members."""

    name: str
    base: str
    element: str
    own: tuple[Node, ...]

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Return all members, those of the base types first."""
        return (*(TYPES[self.base].nodes if self.base else ()), *self.own)

    @cached_property
    def sections(self) -> tuple[tuple[str, tuple[Node, ...]], ...]:
        """Return the own members of the base types and of this one, each with its XML namespace."""
        own = (NAMESPACES[self.name.split(":")[0]], self.own)
        return (*(TYPES[self.base].sections if self.base else ()), own)

    @cached_property
    def lineage(self) -> tuple[str, ...]:
        """Return the names of this type and its base types, nearest first."""
        return (self.name, *(TYPES[self.base].lineage if self.base else ()))

    @property
    def singular(self) -> str:
        """Return the display name."""
        return self.element or self.name.split(":")[1]


def _all() -> dict[str, XsiType]:
    rows = list(_TABLE)
    rows += [
        (f"{key}SessionData", "imageSessionData", f"{word}Session", "") for key, word in _SESSIONS.items()
    ]
    rows += [(f"{key}ScanData", "imageScanData", f"{word}Scan", _PARAMS) for key, word in _SCANS.items()]
    full = [(f"xnat:{name}", f"xnat:{base}" if base else "", *rest) for name, base, *rest in rows]
    return {
        name: XsiType(name, base, element, parse(text)) for name, base, element, text in (*full, *lethe.TABLE)
    }


TYPES: dict[str, XsiType] = _all()
"""Every data type by name."""

CONCRETE = {
    "abstractDemographicData": "demographicData",
    "abstractSubjectMetadata": "subjectMetadata",
    "abstractProtocol": "datatypeProtocol",
    "abstractResource": "resourceCatalog",
}
"""The type that stands in items where the schema names an abstract one."""


def type_of(name: str) -> XsiType | None:
    """Return a data type by name, whatever the letter case."""
    found = TYPES.get(name)
    if found is None:
        found = next((t for key, t in TYPES.items() if key.lower() == name.lower()), None)
    return found


def target_of(node: Node) -> XsiType:
    """Return the concrete type an element refers to."""
    return TYPES[f"xnat:{CONCRETE.get(node.ref, node.ref)}"]


def is_a(name: str, ancestor: str) -> bool:
    """Return whether type `name` is `ancestor` or derived from it."""
    found = TYPES.get(name)
    return found is not None and ancestor in found.lineage


def by_element(element: str) -> XsiType | None:
    """Return the type of an XML root element (``MRSession``)."""
    return next((t for t in TYPES.values() if t.element and t.element == element), None)
