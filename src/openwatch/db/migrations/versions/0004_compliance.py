"""Scans, evidence, verdicts over time, rule versions, and the queue."""

from __future__ import annotations

import re
from importlib.resources import files

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004_compliance"
down_revision = "0003_fleet"

# procrastinate's own migrations, up to the version that this one was written for. The files of
# released versions never change, so a later migration can apply those that follow.
QUEUE_MIGRATIONS_UNTIL = "03.04.00_50"
ADDED_VALUE = re.compile(r"^ALTER TYPE (\w+) ADD VALUE '(\w+)'[^;]*;", re.MULTILINE)
ENUM_BEGINS = re.compile(r"CREATE TYPE (\w+) AS ENUM \(\s*")


def upgrade() -> None:
    _create_evidence()
    _create_scans()
    _create_history()
    _create_queue()


def _create_evidence() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "evidence",
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", moment, nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("sha256", name="pk_evidence"),
    )
    op.create_table(
        "manifest_nodes",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_manifest_nodes"),
    )
    # The data is compressed already: trying again would cost time and gain nothing.
    op.execute("ALTER TABLE evidence ALTER COLUMN data SET STORAGE EXTERNAL")
    op.execute("ALTER TABLE manifest_nodes ALTER COLUMN data SET STORAGE EXTERNAL")
    op.create_table(
        "signing_keys",
        sa.Column("number", sa.SmallInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("first_used_at", moment, nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("number", name="pk_signing_keys"),
        sa.UniqueConstraint("key_id", name="uq_signing_keys_key_id"),
    )


def _create_scans() -> None:
    moment = sa.DateTime(timezone=True)
    seconds: sa.types.TypeEngine[float] = sa.REAL()
    op.create_table(
        "scans",
        sa.Column("host_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Uuid()),
        sa.Column("retry_of", sa.Uuid()),
        sa.Column("queued_at", moment, nullable=False),
        sa.Column("started_at", moment),
        sa.Column("finished_at", moment),
        sa.Column("attempts", sa.SmallInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("available_at", moment),
        sa.Column("worker_id", sa.Uuid()),
        sa.Column("lease_expires_at", moment),
        sa.Column("cancel_requested_at", moment),
        sa.Column("progress_stage", sa.Text()),
        sa.Column("progress_done", sa.Integer()),
        sa.Column("progress_total", sa.Integer()),
        sa.Column("failure_code", sa.Text()),
        sa.Column("failure_message", sa.Text()),
        sa.Column("failure_fix", sa.Text()),
        sa.Column("pass_count", sa.Integer()),
        sa.Column("fail_count", sa.Integer()),
        sa.Column("error_count", sa.Integer()),
        sa.Column("not_applicable_count", sa.Integer()),
        sa.Column("manual_count", sa.Integer()),
        sa.Column("not_configured_count", sa.Integer()),
        sa.Column("failing_critical", sa.Integer()),
        sa.Column("failing_high", sa.Integer()),
        sa.Column("failing_medium", sa.Integer()),
        sa.Column("failing_low", sa.Integer()),
        sa.Column("facts_count", sa.Integer()),
        sa.Column("subject_hash", sa.LargeBinary()),
        sa.Column("corpus_hash", sa.LargeBinary()),
        sa.Column("tree_hash", sa.LargeBinary()),
        sa.Column("previous_root", sa.LargeBinary()),
        sa.Column("root_hash", sa.LargeBinary()),
        sa.Column("signature", sa.LargeBinary()),
        sa.Column("signing_key", sa.SmallInteger()),
        sa.Column("round_trips", sa.SmallInteger()),
        sa.Column("bytes_sent", sa.BigInteger()),
        sa.Column("bytes_received", sa.BigInteger()),
        sa.Column("seconds_connect", seconds),
        sa.Column("seconds_detect", seconds),
        sa.Column("seconds_collect", seconds),
        sa.Column("seconds_assess", seconds),
        sa.Column("seconds_store", seconds),
        sa.Column("seconds_total", seconds),
        sa.PrimaryKeyConstraint("host_id", "id", name="pk_scans"),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name="fk_scans_host_id_hosts"),
        sa.ForeignKeyConstraint(
            ["requested_by"],
            ["users.id"],
            name="fk_scans_requested_by_users",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["signing_key"], ["signing_keys.number"], name="fk_scans_signing_key_signing_keys"
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'completed', 'failed', 'cancelled')",
            name="ck_scans_state",
        ),
        sa.CheckConstraint(
            "(state = 'running') = (worker_id IS NOT NULL AND lease_expires_at IS NOT NULL)",
            name="ck_scans_lease",
        ),
        sa.CheckConstraint(
            "(state IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL)",
            name="ck_scans_finished",
        ),
        sa.CheckConstraint(
            "(state = 'completed') = (root_hash IS NOT NULL AND signature IS NOT NULL)",
            name="ck_scans_signed",
        ),
        sa.CheckConstraint(
            "state <> 'failed' OR failure_code IS NOT NULL", name="ck_scans_failure"
        ),
    )
    op.create_index(
        "uq_scans_active",
        "scans",
        ["host_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_index("ix_scans_id", "scans", ["id"])
    op.create_index("ix_scans_queued_at", "scans", ["queued_at", "id"])
    op.create_index(
        "ix_scans_history",
        "scans",
        ["host_id", "finished_at"],
        postgresql_where=sa.text("state = 'completed'"),
    )
    op.create_index(
        "ix_scans_waiting",
        "scans",
        ["available_at"],
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_scans_leases",
        "scans",
        ["lease_expires_at"],
        postgresql_where=sa.text("state = 'running'"),
    )


def _create_history() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "rule_versions",
        sa.Column("number", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("references", JSONB(), nullable=False),
        sa.Column("definition", JSONB(), nullable=False),
        sa.Column("first_used_at", moment, nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("number", name="pk_rule_versions"),
        sa.UniqueConstraint("rule_id", "hash", name="uq_rule_versions_rule_id_hash"),
    )
    op.create_table(
        "rule_state",
        sa.Column("host_id", sa.Uuid(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("evidence_hash", sa.LargeBinary(), nullable=False),
        sa.Column("valid_from", moment, nullable=False),
        sa.PrimaryKeyConstraint("host_id", "rule_id", name="pk_rule_state"),
        postgresql_with={"fillfactor": 85},
    )
    op.create_table(
        "rule_state_closed",
        sa.Column("host_id", sa.Uuid(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("evidence_hash", sa.LargeBinary(), nullable=False),
        sa.Column("valid_from", moment, nullable=False),
        sa.Column("valid_to", moment, nullable=False),
        sa.PrimaryKeyConstraint("host_id", "rule_id", "valid_to", name="pk_rule_state_closed"),
        postgresql_partition_by="RANGE (valid_to)",
    )
    # Months are made ahead by periodic work; this one takes what comes when that work did not run.
    op.execute("CREATE TABLE rule_state_closed_rest PARTITION OF rule_state_closed DEFAULT")


def _create_queue() -> None:
    connection = op.get_bind().execution_options(no_parameters=True)
    for script in _queue_scripts():
        connection.exec_driver_sql(script)
    # Execution options stay with the connection, which the migrations after this one use too.
    op.get_bind().execution_options(no_parameters=False)


def _queue_scripts() -> list[str]:
    """Return procrastinate's migrations, with values that are added to an enum put in at once.

    Before version 17, PostgreSQL refuses to use a value in the transaction that added it
    (ALTER TYPE, "Notes"), and ours is one transaction.
    """
    folder = files("procrastinate") / "sql" / "migrations"
    scripts = [
        script.read_text(encoding="utf-8")
        for script in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if script.name.endswith(".sql") and script.name[:11] <= QUEUE_MIGRATIONS_UNTIL
    ]
    added: dict[str, list[str]] = {}
    for enum, value in ADDED_VALUE.findall("\n".join(scripts)):
        added.setdefault(enum, []).append(value)

    def completed(match: re.Match[str]) -> str:
        return match[0] + "".join(f"'{value}', " for value in added.get(match[1], []))

    return [ENUM_BEGINS.sub(completed, ADDED_VALUE.sub("", script)) for script in scripts]
