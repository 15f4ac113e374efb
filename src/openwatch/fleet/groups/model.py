"""The tables of groups and of the hosts that were put into them by hand."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    func,
    text,
)

from openwatch.db.base import metadata


class Membership(StrEnum):
    """How hosts come into a group."""

    MANUAL = "manual"
    RULE = "rule"


groups: Final = Table(
    "groups",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("parent_id", Uuid, ForeignKey("groups.id"), index=True),
    # A group with a rule holds what the rule finds; one without holds what was put into it.
    Column("rule", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("version", Integer, nullable=False, server_default=text("1")),
    CheckConstraint("parent_id <> id", name="parent"),
)

Index("uq_groups_name", func.lower(groups.c.name), unique=True)

group_members: Final = Table(
    "group_members",
    metadata,
    Column("host_id", Uuid, ForeignKey("hosts.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "group_id",
        Uuid,
        ForeignKey("groups.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
    Column("added_at", DateTime(timezone=True), nullable=False),
)
