"""The tables of imports and of what became of each of their rows."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from openwatch.db.base import metadata


class ImportState(StrEnum):
    """How far an import is."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class Mode(StrEnum):
    """Whether one refused row keeps all others out."""

    ATOMIC = "atomic"
    PER_ROW = "per_row"


class OnExisting(StrEnum):
    """What to do with a row whose host is known."""

    SKIP = "skip"
    UPDATE = "update"
    REFUSE = "refuse"


class Key(StrEnum):
    """What says that a host is known."""

    NAME = "name"
    ADDRESS = "address"


class Outcome(StrEnum):
    """What became of a row."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    REFUSED = "refused"


imports: Final = Table(
    "imports",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("file_name", Text),
    Column("format", Text, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("mode", Text, nullable=False),
    Column("on_existing", Text, nullable=False),
    Column("key", Text, nullable=False),
    # The columns of the file, which of them holds which field, and what new hosts get besides.
    Column("columns", ARRAY(Text), nullable=False),
    Column("mapped", JSONB, nullable=False),
    Column("defaults", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    Column("total", Integer, nullable=False),
    # How many rows are done; written with what was done with them.
    Column("position", Integer, nullable=False),
    *(Column(outcome.value, Integer, nullable=False) for outcome in Outcome),
    # The rows, packed, until the import is over. Columns of secrets are not in it.
    Column("content", LargeBinary),
    Column("failure_code", Text),
    Column("failure_message", Text),
    Column("failure_fix", Text),
    Column("requested_by", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    CheckConstraint("state IN ('queued', 'running', 'completed', 'failed')", name="state"),
    CheckConstraint("position BETWEEN 0 AND total", name="position"),
)

Index("ix_imports_created_at", imports.c.created_at)

import_rows: Final = Table(
    "import_rows",
    metadata,
    Column("import_id", Uuid, ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("line", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("name", Text, nullable=False),
    # No foreign key: it tells what happened, also about hosts that are gone.
    Column("host_id", Uuid),
    Column("problem", Text),
    # What stood in a refused row, so that it can be corrected and imported again.
    Column("cells", ARRAY(Text)),
    CheckConstraint(
        "outcome IN ('created', 'updated', 'unchanged', 'skipped', 'refused')", name="outcome"
    ),
)
