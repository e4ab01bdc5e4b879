"""The variable dictionary: what a column means, may hold, and what happens to it on the way out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import yaml

from lethe.errors import Misconfigured

try:
    from yaml import CSafeLoader as SafeLoader  # six times as fast
except ImportError:  # a PyYAML built without libyaml
    from yaml import SafeLoader  # type: ignore[assignment]

_PRID_NOTE = {
    "type": "text",
    "label": "Research identifier of the patient, in images and table alike",
    "description": "Upper-case hexadecimal digits. Read the column as text: 1E05 and 0012 are not numbers.",
}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Role(StrEnum):
    """What happens to a variable."""

    IDENTIFIER = "identifier"
    DATE = "date"
    TIMING = "timing"
    OUTCOME = "outcome"
    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    FREE_TEXT = "free_text"


class Type(StrEnum):
    """What a cell may hold."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    CODE = "code"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"


NUMBERS = frozenset({Type.INTEGER, Type.DECIMAL})
MOMENTS = frozenset({Type.DATE, Type.DATETIME})
DROPPED = frozenset({Role.IDENTIFIER, Role.FREE_TEXT})


@dataclass(frozen=True, slots=True)
class Variable:
    """One column.

    Attributes
    ----------
    name : str
        Column name.
    label, description, group : str
        For people.
    type : Type
    role : Role
    unit : str
        UCUM, empty where there is none.
    minimum, maximum : Decimal or None
        Closed range of a number.
    codes : mapping of str to str
        Allowed texts and their meaning (types code and boolean).
    resolution : Decimal or None
        Step to which a scrambled number is rounded; needed for role numeric.
    ceiling : Decimal or None
        From this true value on, `ceiling_label` is released instead of a number.
    after : str
        Name of the moment that this one may not precede.
    applies : mapping of str to tuple of str
        Variable and its codes with which this one can be filled; elsewhere an empty cell is not missing.
    optional : bool
        Whether an empty cell is never missing.
    loinc, snomed : str
        Codes, empty where none is certain.
    """

    name: str
    label: str
    type: Type
    role: Role
    description: str = ""
    group: str = ""
    unit: str = ""
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    codes: Mapping[str, str] = field(default_factory=dict)
    resolution: Decimal | None = None
    ceiling: Decimal | None = None
    ceiling_label: str = ""
    after: str = ""
    applies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    optional: bool = False
    loinc: str = ""
    snomed: str = ""

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise Misconfigured("dictionary", f"Variable {self.name!r}: {problem}.")

    def _problem(self) -> str:
        if not _NAME.fullmatch(self.name):
            return "the name is not lower case letters, digits and underscores"
        if (self.role is Role.DATE) != (self.type in MOMENTS):
            return "role date goes with type date or datetime, and only with these"
        if self.role is Role.NUMERIC and (self.type not in NUMBERS or not self.resolution):
            return "role numeric needs type integer or decimal and a resolution"
        if self.type is Type.TEXT and self.role not in DROPPED:
            return "text that no rule limits can only be an identifier or free_text"
        if self.type in (Type.CODE, Type.BOOLEAN) and not self.codes:
            return "type code needs codes"
        if self.resolution is not None and self.resolution <= 0:
            return "the resolution is not positive"
        if (self.ceiling is None) != (not self.ceiling_label):
            return "ceiling and ceiling_label go together"
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            return "the minimum is above the maximum"
        return ""

    def as_dict(self) -> dict[str, Any]:
        """Return what is set, as JSON values."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: _plain(value) for name, value in values.items() if value not in (None, "", {}, False)}


@dataclass(frozen=True, slots=True)
class Model:
    """A model of outcome that a report fits before and after scrambling.

    Attributes
    ----------
    outcome : str
        Variable of role outcome; its `codes` are the event.
    codes : tuple of str
    predictors : tuple of str
        Numbers that are released.
    """

    outcome: str
    codes: tuple[str, ...]
    predictors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dictionary:
    """All variables of a cohort, in the order in which they are released."""

    name: str
    title: str
    version: str
    patient_column: str
    variables: Mapping[str, Variable]
    formats: Mapping[str, tuple[str, ...]]
    model: Model | None = None

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read a dictionary file (YAML); without `path` the one for stroke.

        Raises
        ------
        Misconfigured
            The file is not a dictionary, or a variable has no role or contradicts itself.
        """
        return cls.parse(read_yaml(path))

    @classmethod
    def parse(cls, raw: Any) -> Self:
        """Build a dictionary from the values of its file; raises like `load`."""
        keys = {"name", "title", "version", "patient_column", "formats", "groups", "model", "record"}
        if not isinstance(raw, dict) or not {"name", "patient_column", "groups"} <= set(raw) <= keys:
            raise Misconfigured("dictionary", f"A dictionary has the keys {', '.join(sorted(keys))}.")
        variables: dict[str, Variable] = {}
        for group, members in raw["groups"].items():
            for name, values in members.items():
                if name in variables:
                    raise Misconfigured("dictionary", f"Variable {name!r} is there twice.")
                variables[name] = _variable(str(name), group, values)
        patient = variables.get(raw["patient_column"])
        if patient is None or patient.role is not Role.IDENTIFIER:
            raise Misconfigured("dictionary", "The patient column is not a variable of role identifier.")
        for variable in variables.values():
            for named in (*([variable.after] if variable.after else []), *variable.applies):
                if named not in variables:
                    raise Misconfigured("dictionary", f"Variable {variable.name!r} points at no variable.")
        formats = {kind: tuple(patterns) for kind, patterns in raw.get("formats", {}).items()}
        default = {"date": ("%Y-%m-%d",), "datetime": ("%Y-%m-%d %H:%M",), "time": ("%H:%M",)}
        return cls(
            name=str(raw["name"]),
            title=str(raw.get("title", raw["name"])),
            version=str(raw.get("version", "0")),
            patient_column=raw["patient_column"],
            variables=MappingProxyType(variables),
            formats=MappingProxyType({**default, **formats}),
            model=_model(raw["model"], variables) if "model" in raw else None,
        )

    def with_role(self, *roles: Role) -> list[str]:
        """Return the names of the variables that have one of `roles`."""
        return [name for name, variable in self.variables.items() if variable.role in roles]

    @property
    def outcomes(self) -> list[str]:
        """Names of the outcome variables."""
        return self.with_role(Role.OUTCOME)

    def as_dict(self, *, released: bool = False) -> dict[str, Any]:
        """Return the dictionary as JSON values; with `released` only what a released table may hold."""
        shown = [v for v in self.variables.values() if not (released and v.role in DROPPED)]
        head: dict[str, Any] = {"prid": _PRID_NOTE} if released else {"patient_column": self.patient_column}
        return {
            "name": self.name,
            "title": self.title,
            "version": self.version,
            **head,
            "formats": {kind: list(patterns) for kind, patterns in self.formats.items()},
            "variables": [variable.as_dict() for variable in shown],
        }


def read_yaml(path: Path | None = None) -> Any:
    """Return the values of a dictionary file; without `path` the one for stroke.

    Raises
    ------
    Misconfigured
        The file is absent or not YAML.
    """
    place = path or files("lethe.clinical") / "dictionaries" / "stroke.yaml"
    try:
        return yaml.load(place.read_text("utf-8"), SafeLoader)
    except FileNotFoundError:
        raise Misconfigured("dictionary", "The dictionary file does not exist.") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise Misconfigured("dictionary", "The dictionary is not YAML in UTF-8.") from None


def _model(raw: Any, variables: Mapping[str, Variable]) -> Model:
    try:
        model = Model(str(raw["outcome"]), tuple(map(str, raw["codes"])), tuple(map(str, raw["predictors"])))
        outcome, predictors = variables[model.outcome], [variables[name] for name in model.predictors]
    except (KeyError, TypeError):
        raise Misconfigured(
            "dictionary", "The model does not name an outcome, its codes and predictors."
        ) from None
    fits = all(one.type in NUMBERS and one.role not in DROPPED for one in predictors)
    if not predictors or not fits or not set(model.codes) <= set(outcome.codes):
        raise Misconfigured("dictionary", "The model needs codes of its outcome and numbers as predictors.")
    return model


def _variable(name: str, group: str, values: Any) -> Variable:
    known = {item.name for item in fields(Variable)} - {"name", "group"}
    if not isinstance(values, dict) or not set(values) <= known:
        raise Misconfigured("dictionary", f"Variable {name!r} has a key that is not known.")
    missing = {"label", "type", "role"} - set(values)
    if missing:
        raise Misconfigured(
            "dictionary", f"Variable {name!r} has no {min(missing)}.", remedy="Every variable needs one."
        )
    try:
        ready = {key: _typed(key, value) for key, value in values.items()}
    except (ValueError, InvalidOperation, AttributeError):
        raise Misconfigured("dictionary", f"Variable {name!r} has a value that is not allowed.") from None
    if ready["type"] is Type.BOOLEAN:
        ready.setdefault("codes", MappingProxyType({"0": "no", "1": "yes"}))
    return Variable(name=name, group=group, **ready)


def _typed(key: str, value: Any) -> Any:
    if key == "type":
        return Type(value)
    if key == "role":
        return Role(value)
    if key in ("minimum", "maximum", "resolution", "ceiling"):
        return Decimal(str(value))
    if key == "applies":
        return MappingProxyType({name: tuple(map(str, codes)) for name, codes in value.items()})
    if key == "optional":
        return bool(value)
    if key == "codes":
        return MappingProxyType({str(code): str(meaning) for code, meaning in value.items()})
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return {name: list(item) if isinstance(item, tuple) else item for name, item in value.items()}
    return value
