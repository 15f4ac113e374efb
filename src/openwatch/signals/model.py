"""Tables of the event log.

An event is inserted into the outbox, in the transaction of what it tells of. When that transaction
commits, a deferred trigger (see the migration) moves it into the log: it takes a lock, draws the
id and leaves the lock to the end of the commit. So ids become visible in ascending order, and a
reader that has seen id N never has to look below N again. Taking the lock only at commit means
that nobody waits for another's row locks while holding it.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from openwatch.db.base import metadata

CHANNEL: Final = "openwatch_signals"
"""NOTIFY with an empty payload: the log grew. With a payload: an announcement, as JSON."""

NO_DATA: Final = text("'{}'::jsonb")

event_outbox = Table(
    "event_outbox",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject_type", Text, nullable=False),
    Column("subject_id", Uuid, nullable=False),
    Column("host_id", Uuid),
    Column("data", JSONB, nullable=False, server_default=NO_DATA),
)

# Append-only: a trigger refuses to change or remove rows.
events = Table(
    "events",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("subject_type", Text, nullable=False),
    Column("subject_id", Uuid, nullable=False),
    Column("host_id", Uuid),
    Column("data", JSONB, nullable=False),
    Index("ix_events_kind_id", "kind", "id"),
    Index("ix_events_host_id_id", "host_id", "id"),
    Index("ix_events_subject_id_id", "subject_id", "id"),
)
