"""The table of credentials. Every ``*_sealed`` column is bound to its row and column."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    func,
    text,
)

from openwatch.db.base import metadata

credentials: Final = Table(
    "credentials",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("username", Text, nullable=False),
    Column("private_key_sealed", LargeBinary),
    Column("passphrase_sealed", LargeBinary),
    Column("password_sealed", LargeBinary),
    Column("sudo_password_sealed", LargeBinary),
    Column("key_type", Text),
    Column("key_fingerprint", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("version", Integer, nullable=False, server_default=text("1")),
    CheckConstraint(
        "private_key_sealed IS NOT NULL OR password_sealed IS NOT NULL", name="can_log_in"
    ),
    CheckConstraint(
        "passphrase_sealed IS NULL OR private_key_sealed IS NOT NULL", name="passphrase_of_a_key"
    ),
)

Index("uq_credentials_name", func.lower(credentials.c.name), unique=True)
