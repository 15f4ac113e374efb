"""The table of scans.

A scan is its own unit of work: the state, the lease and the attempts stand in its row, and the job
in the queue only wakes a worker. ``attempts`` is the fence: a worker writes results only while the
row still carries the attempt that it began.

What a completed scan found is in the content-addressed store; the row holds the root of it. So an
unchanged scan costs this row and nothing else.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from sqlalchemy import (
    REAL,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.types import TypeEngine

from openwatch.db.base import metadata


class ScanState(StrEnum):
    """Where a scan is: queued → running → completed, failed or cancelled."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_active(self) -> bool:
        """True while the scan is not over."""
        return self in (ScanState.QUEUED, ScanState.RUNNING)


ACTIVE: Final = text("state IN ('queued', 'running')")
QUEUED: Final = text("state = 'queued'")
RUNNING: Final = text("state = 'running'")
COMPLETED: Final = text("state = 'completed'")

SECONDS: Final[TypeEngine[float]] = REAL()

scans: Final = Table(
    "scans",
    metadata,
    Column("host_id", Uuid, ForeignKey("hosts.id"), primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("state", Text, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("requested_by", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    Column("retry_of", Uuid),
    Column("queued_at", DateTime(timezone=True), nullable=False),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    # Work: who has it, until when, and what is asked of them.
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    Column("available_at", DateTime(timezone=True)),
    Column("worker_id", Uuid),
    Column("lease_expires_at", DateTime(timezone=True)),
    Column("cancel_requested_at", DateTime(timezone=True)),
    Column("progress_stage", Text),
    Column("progress_done", Integer),
    Column("progress_total", Integer),
    Column("failure_code", Text),
    Column("failure_message", Text),
    Column("failure_fix", Text),
    # What a completed scan found.
    Column("pass_count", Integer),
    Column("fail_count", Integer),
    Column("error_count", Integer),
    Column("not_applicable_count", Integer),
    Column("manual_count", Integer),
    Column("not_configured_count", Integer),
    Column("failing_critical", Integer),
    Column("failing_high", Integer),
    Column("failing_medium", Integer),
    Column("failing_low", Integer),
    Column("facts_count", Integer),
    # What proves it: SHA-256 digests and an Ed25519 signature over the statement they make. The
    # subject says which host answered, with its operating system, kernel and privilege.
    Column("subject_hash", LargeBinary),
    Column("corpus_hash", LargeBinary),
    Column("tree_hash", LargeBinary),
    Column("previous_root", LargeBinary),
    Column("root_hash", LargeBinary),
    Column("signature", LargeBinary),
    Column("signing_key", SmallInteger, ForeignKey("signing_keys.number")),
    # What it cost: nothing of this is hashed.
    Column("round_trips", SmallInteger),
    Column("bytes_sent", BigInteger),
    Column("bytes_received", BigInteger),
    Column("seconds_connect", SECONDS),
    Column("seconds_detect", SECONDS),
    Column("seconds_collect", SECONDS),
    Column("seconds_assess", SECONDS),
    Column("seconds_store", SECONDS),
    Column("seconds_total", SECONDS),
    CheckConstraint(
        "state IN ('queued', 'running', 'completed', 'failed', 'cancelled')", name="state"
    ),
    CheckConstraint(
        "(state = 'running') = (worker_id IS NOT NULL AND lease_expires_at IS NOT NULL)",
        name="lease",
    ),
    CheckConstraint(
        "(state IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL)",
        name="finished",
    ),
    CheckConstraint(
        "(state = 'completed') = (root_hash IS NOT NULL AND signature IS NOT NULL)", name="signed"
    ),
    CheckConstraint("state <> 'failed' OR failure_code IS NOT NULL", name="failure"),
)

Index("uq_scans_active", scans.c.host_id, unique=True, postgresql_where=ACTIVE)
Index("ix_scans_id", scans.c.id)
Index("ix_scans_queued_at", scans.c.queued_at, scans.c.id)
Index("ix_scans_history", scans.c.host_id, scans.c.finished_at, postgresql_where=COMPLETED)
Index("ix_scans_waiting", scans.c.available_at, postgresql_where=QUEUED)
Index("ix_scans_leases", scans.c.lease_expires_at, postgresql_where=RUNNING)
