"""API shapes of imports."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Shape

from openwatch.fleet.fields import Environment, Tags
from openwatch.fleet.imports.columns import Field, Reason
from openwatch.fleet.imports.model import ImportState, Key, Mode, OnExisting, Outcome
from openwatch.fleet.imports.readers.sheet import Format

FileName = Annotated[str, Shape(max_length=255)]


class Defaults(BaseModel):
    """What a new host gets where its row says nothing; tags and group besides those of its row."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    environment: Environment | None = None
    tags: Tags = []
    group_id: UUID | None = None
    credential_id: UUID | None = None


class Options(BaseModel):
    """How a file is imported."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = Mode.PER_ROW
    on_existing: OnExisting = OnExisting.SKIP
    key: Key = Key.NAME
    dry_run: bool = False
    defaults: Defaults = Defaults()


class FoundColumn(BaseModel):
    """A column of a file and the field that it most likely holds."""

    model_config = ConfigDict(frozen=True)

    name: str
    field: Field | None
    confidence: float = Shape(description="From 0 to 1.")
    reason: Reason | None
    samples: list[str]
    secret: bool = Shape(description="By its name it holds secrets: it is never kept or shown.")


class LineRemark(BaseModel):
    """A line of a file and what is to be said about it."""

    model_config = ConfigDict(frozen=True)

    line: int
    text: str


class PreviewRow(BaseModel):
    """One of the first rows; ``problem``: why it would be refused."""

    model_config = ConfigDict(frozen=True)

    line: int
    cells: list[str]
    problem: str | None


class Analysis(BaseModel):
    """What a file holds, before anything of it is kept."""

    model_config = ConfigDict(frozen=True)

    format: Format
    encoding: str
    delimiter: str | None
    columns: list[FoundColumn]
    total: int = Shape(description="How many rows there are.")
    rows: list[PreviewRow] = Shape(description="The first of them.")
    refused: int = Shape(description="How many rows would be refused as they are mapped.")
    problems: list[LineRemark] = Shape(description="The first of the refused rows, and why.")
    remarks: list[LineRemark] = Shape(description="What was not taken over, and why.")


class Counts(BaseModel):
    """How many rows had which outcome; of a trial, would have."""

    model_config = ConfigDict(frozen=True)

    created: int
    updated: int
    unchanged: int
    skipped: int
    refused: int


class ImportFailure(BaseModel):
    """Why an import as a whole failed."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    fix: str


class Import(BaseModel):
    """An import and how far it is."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    file_name: str | None
    format: Format
    dry_run: bool
    mode: Mode
    on_existing: OnExisting
    key: Key
    state: ImportState
    total: int
    done: int
    counts: Counts
    failure: ImportFailure | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class ImportRow(BaseModel):
    """What became of a row."""

    model_config = ConfigDict(frozen=True)

    line: int
    outcome: Outcome
    name: str
    host_id: UUID | None
    problem: str | None
