"""Credentials, hosts and their keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0003_fleet"
down_revision = "0002_signals"

STATE_RULE = (
    "CASE WHEN active_scan_id IS NOT NULL THEN 'scanning' "
    "WHEN last_scan_state = 'failed' THEN 'failed' "
    "WHEN current_scan_id IS NOT NULL THEN 'ok' "
    "ELSE 'never_scanned' END"
)


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "credentials",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("private_key_sealed", sa.LargeBinary()),
        sa.Column("passphrase_sealed", sa.LargeBinary()),
        sa.Column("password_sealed", sa.LargeBinary()),
        sa.Column("sudo_password_sealed", sa.LargeBinary()),
        sa.Column("key_type", sa.Text()),
        sa.Column("key_fingerprint", sa.Text()),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, server_default=sa.text("1")),
        sa.PrimaryKeyConstraint("id", name="pk_credentials"),
        sa.CheckConstraint(
            "private_key_sealed IS NOT NULL OR password_sealed IS NOT NULL",
            name="ck_credentials_can_log_in",
        ),
        sa.CheckConstraint(
            "passphrase_sealed IS NULL OR private_key_sealed IS NOT NULL",
            name="ck_credentials_passphrase_of_a_key",
        ),
    )
    op.create_index("uq_credentials_name", "credentials", [sa.text("lower(name)")], unique=True)

    op.create_table(
        "hosts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("username", sa.Text()),
        sa.Column("environment", sa.Text()),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("tags", ARRAY(sa.Text()), nullable=False),
        sa.Column("credential_id", sa.Uuid()),
        sa.Column("jump_host_id", sa.Uuid()),
        sa.Column("host_key_policy", sa.Text(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("deleted_at", moment),
        sa.Column("version", sa.Integer(), nullable=False, server_default=sa.text("1")),
        sa.Column("current_scan_id", sa.Uuid()),
        sa.Column("current_scan_at", moment),
        sa.Column("os_family", sa.Text()),
        sa.Column("os_id", sa.Text()),
        sa.Column("os_version", sa.Text()),
        sa.Column("os_name", sa.Text()),
        sa.Column("score", sa.Double[float]()),
        sa.Column("score_formula", sa.Text()),
        sa.Column("coverage", sa.Double[float]()),
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
        sa.Column("last_scan_id", sa.Uuid()),
        sa.Column("last_scan_state", sa.Text()),
        sa.Column("last_scan_finished_at", moment),
        sa.Column("last_scan_failure_code", sa.Text()),
        sa.Column("active_scan_id", sa.Uuid()),
        sa.Column("state", sa.Text(), sa.Computed(STATE_RULE, persisted=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hosts"),
        sa.ForeignKeyConstraint(
            ["credential_id"], ["credentials.id"], name="fk_hosts_credential_id_credentials"
        ),
        sa.ForeignKeyConstraint(["jump_host_id"], ["hosts.id"], name="fk_hosts_jump_host_id_hosts"),
        sa.CheckConstraint("port BETWEEN 1 AND 65535", name="ck_hosts_port"),
        sa.CheckConstraint(
            "host_key_policy IN ('accept_new', 'strict')", name="ck_hosts_host_key_policy"
        ),
        sa.CheckConstraint("jump_host_id <> id", name="ck_hosts_jump_host"),
    )
    op.create_index(
        "uq_hosts_name_live",
        "hosts",
        [sa.text("lower(name)")],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_hosts_credential_id", "hosts", ["credential_id"])
    op.create_index("ix_hosts_jump_host_id", "hosts", ["jump_host_id"])

    op.create_table(
        "host_keys",
        sa.Column("host_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text()),
        sa.Column("public_key", sa.Text()),
        sa.Column("trusted", sa.Boolean(), nullable=False),
        sa.Column("first_seen_at", moment, nullable=False),
        sa.Column("last_seen_at", moment),
        sa.PrimaryKeyConstraint("host_id", "address", "port", "fingerprint", name="pk_host_keys"),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name="fk_host_keys_host_id_hosts"),
    )
