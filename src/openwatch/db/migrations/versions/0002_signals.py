"""The event log: outbox, log, and the triggers that number and protect it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002_signals"
down_revision = "0001_identity"

# Any fixed number that no other advisory lock of ours uses: "ow-event" in ASCII.
LOG_LOCK = int.from_bytes(b"ow-event")

# Deferred: runs when the transaction commits, after the last statement that could wait for
# somebody's row. The lock is kept until the commit is visible, so ids become visible in order.
NUMBER_AT_COMMIT = f"""
CREATE FUNCTION log_event_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock({LOG_LOCK});
    INSERT INTO events (kind, at, subject_type, subject_id, host_id, data)
    VALUES (
        NEW.kind, clock_timestamp(), NEW.subject_type, NEW.subject_id, NEW.host_id, NEW.data
    );
    DELETE FROM event_outbox WHERE position = NEW.position;
    PERFORM pg_notify('openwatch_signals', '');
    RETURN NULL;
END
$$
"""

FIRE_AT_COMMIT = """
CREATE CONSTRAINT TRIGGER log_event AFTER INSERT ON event_outbox
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION log_event_at_commit()
"""

REFUSE = """
CREATE FUNCTION refuse_change_of_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the event log is append-only' USING ERRCODE = 'restrict_violation';
END
$$
"""

PROTECT = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_events()
"""


def upgrade() -> None:
    def described() -> list[sa.Column[object]]:
        return [
            sa.Column("kind", sa.Text(), nullable=False),
            sa.Column("subject_type", sa.Text(), nullable=False),
            sa.Column("subject_id", sa.Uuid(), nullable=False),
            sa.Column("host_id", sa.Uuid()),
        ]

    op.create_table(
        "event_outbox",
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        *described(),
        sa.Column("data", JSONB(), nullable=False, server_default=sa.text("'{}'::jsonb")),
        sa.PrimaryKeyConstraint("position", name="pk_event_outbox"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *described(),
        sa.Column("data", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    op.create_index("ix_events_kind_id", "events", ["kind", "id"])
    op.create_index("ix_events_host_id_id", "events", ["host_id", "id"])
    op.create_index("ix_events_subject_id_id", "events", ["subject_id", "id"])
    for statement in (NUMBER_AT_COMMIT, FIRE_AT_COMMIT, REFUSE, PROTECT):
        op.execute(statement)
