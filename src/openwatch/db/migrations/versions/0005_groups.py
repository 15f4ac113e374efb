"""Groups of hosts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005_groups"
down_revision = "0004_compliance"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "groups",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Uuid()),
        sa.Column("rule", sa.Text()),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, server_default=sa.text("1")),
        sa.PrimaryKeyConstraint("id", name="pk_groups"),
        sa.ForeignKeyConstraint(["parent_id"], ["groups.id"], name="fk_groups_parent_id_groups"),
        sa.CheckConstraint("parent_id <> id", name="ck_groups_parent"),
    )
    op.create_index("uq_groups_name", "groups", [sa.text("lower(name)")], unique=True)
    op.create_index("ix_groups_parent_id", "groups", ["parent_id"])

    op.create_table(
        "group_members",
        sa.Column("host_id", sa.Uuid(), nullable=False),
        sa.Column("group_id", sa.Uuid(), nullable=False),
        sa.Column("added_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("host_id", "group_id", name="pk_group_members"),
        sa.ForeignKeyConstraint(
            ["host_id"], ["hosts.id"], name="fk_group_members_host_id_hosts", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name="fk_group_members_group_id_groups", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_group_members_group_id", "group_members", ["group_id"])
