"""Table of sign-in attempts."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Index, Integer, LargeBinary, Table, func

from openwatch.db.base import metadata

# One row counts the failures under one key: an address, a user name, or both together. Keys are
# hashes: what people mistype into the name field (often a password) is not kept.
sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("last_failed_at", DateTime(timezone=True)),
    Column("paused_until", DateTime(timezone=True)),
    # Set for user name + address after a sign-in from there succeeded.
    Column("known_until", DateTime(timezone=True)),
    Column("touched_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index(None, "touched_at"),
)
