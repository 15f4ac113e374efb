"""Imports of hosts from files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0006_imports"
down_revision = "0005_groups"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    outcomes = ("created", "updated", "unchanged", "skipped", "refused")
    op.create_table(
        "imports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("file_name", sa.Text()),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("on_existing", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("columns", ARRAY(sa.Text()), nullable=False),
        sa.Column("mapped", JSONB(), nullable=False),
        sa.Column("defaults", JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        *(sa.Column(outcome, sa.Integer(), nullable=False) for outcome in outcomes),
        sa.Column("content", sa.LargeBinary()),
        sa.Column("failure_code", sa.Text()),
        sa.Column("failure_message", sa.Text()),
        sa.Column("failure_fix", sa.Text()),
        sa.Column("requested_by", sa.Uuid()),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("started_at", moment),
        sa.Column("finished_at", moment),
        sa.PrimaryKeyConstraint("id", name="pk_imports"),
        sa.ForeignKeyConstraint(
            ["requested_by"],
            ["users.id"],
            name="fk_imports_requested_by_users",
            ondelete="SET NULL",
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'completed', 'failed')", name="ck_imports_state"
        ),
        sa.CheckConstraint("position BETWEEN 0 AND total", name="ck_imports_position"),
    )
    op.create_index("ix_imports_created_at", "imports", ["created_at"])

    op.create_table(
        "import_rows",
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Uuid()),
        sa.Column("problem", sa.Text()),
        sa.Column("cells", ARRAY(sa.Text())),
        sa.PrimaryKeyConstraint("import_id", "number", name="pk_import_rows"),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["imports.id"],
            name="fk_import_rows_import_id_imports",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "outcome IN ('created', 'updated', 'unchanged', 'skipped', 'refused')",
            name="ck_import_rows_outcome",
        ),
    )
