"""The table of rule versions: each text that a rule ever had when a verdict was given by it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Column,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from openwatch.db.base import metadata

rule_versions: Final = Table(
    "rule_versions",
    metadata,
    Column("number", Integer, Identity(always=True), primary_key=True),
    Column("rule_id", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("title", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("category", Text, nullable=False),
    # Framework to the ids of its controls, as they were in this version.
    Column("references", JSONB, nullable=False),
    Column("definition", JSONB, nullable=False),
    Column("first_used_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("rule_id", "hash"),
)
