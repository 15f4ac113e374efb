"""Table of first-run tokens."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, LargeBinary, Table, func

from openwatch.db.base import metadata

# Empty once the first administrator exists.
setup_tokens = Table(
    "setup_tokens",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
