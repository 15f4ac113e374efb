"""What a rule may look at: typed records that are read from facts."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, BaseModel, ConfigDict

from openwatch.engine.facts import CouldNot, Request
from openwatch.engine.snapshot import Snapshot


class Kind(StrEnum):
    """The type of a field; it decides which tests make sense."""

    TEXT = "text"
    VERSION = "version"
    NUMBER = "number"
    FLAG = "flag"
    MODE = "mode"
    WORDS = "words"


Value = str | int | bool | frozenset[str] | None | CouldNot
"""The value of a field. ``None``: it is not set. :class:`CouldNot`: nobody knows."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value stands: a file and a line, counted from 1, and the text of that line."""

    path: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that a rule looks at: a file, an account, a setting."""

    name: str
    values: Mapping[str, Value]
    sources: Mapping[str, Source] = field(default_factory=dict[str, Source])
    raw: str = ""
    requests: Mapping[str, Request] = field(default_factory=dict[str, Request])
    """The fact that answers a field, where it is not the first one that the subject asks for."""
    unseen: CouldNot | None = None
    """Why it is not even known whether there is such a thing, or how many: it counts as none and
    as many."""


@dataclass(frozen=True, slots=True)
class Selection:
    """All records of a subject, or why they cannot be said. A part of them is not all of them."""

    records: tuple[Record, ...] = ()
    could_not: CouldNot | None = None


class Subject(BaseModel):
    """The parameters of a subject, the facts that it needs and the records that it reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    FIELDS: ClassVar[Mapping[str, Kind]]
    LABEL: ClassVar[str]

    NOUN: ClassVar[str] = ""
    """What one record is called, where that is not the label."""

    def fields_of(self) -> Mapping[str, Kind]:
        """Return the fields of a record of this subject."""
        return self.FIELDS

    def title(self) -> str:
        """Return what is looked at in words, for example ``unit ssh.service``."""
        noun = self.NOUN or self.LABEL.replace("_", " ")
        values = (getattr(self, name, None) for name in _PRIMARY)
        match next((value for value in values if value), None):
            case None:
                return noun
            case str(name):
                return f"{noun} {name}"
            case several:
                names: tuple[str, ...] = several
                rest = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
                return f"{noun} {', '.join(names[:_MAX_NAMES])}{rest}"

    @abstractmethod
    def requests(self) -> tuple[Request, ...]:
        """Return the facts that are needed, in the order of their weight as evidence."""

    @abstractmethod
    def select(self, snapshot: Snapshot) -> Selection:
        """Return the records, read from a snapshot. Pure."""


class TableSubject(Subject):
    """A subject with a record for each row of the only fact that it needs."""

    PROBE: ClassVar[str]

    def requests(self) -> tuple[Request, ...]:
        return (Request(self.PROBE),)

    def select(self, snapshot: Snapshot) -> Selection:
        rows: tuple[Any, ...] | CouldNot = snapshot.read(Request(self.PROBE))
        if isinstance(rows, CouldNot):
            return Selection(could_not=rows)
        return Selection(tuple(self.record(row) for row in rows))

    @abstractmethod
    def record(self, row: Any) -> Record:
        """Return the record of a row."""


_PRIMARY: Final = ("key", "path", "name", "target", "service", "option", "file")
"""The parameters that say what a subject is about, in the order in which they are looked for."""

_MAX_NAMES: Final = 4


def _compiles(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return value


Pattern = Annotated[str, AfterValidator(_compiles)]
"""A regular expression of Python's re."""


def as_list(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return one or several names as several."""
    return (value,) if isinstance(value, str) else value
