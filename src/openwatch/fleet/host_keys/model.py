"""The table of SSH host keys.

A key belongs to a host at an address: a host that moves shows its key anew. A key that was refused
is kept too (``trusted`` is false), so that a person can compare it with the trusted one.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, Column, DateTime, ForeignKey, Integer, Table, Text, Uuid

from openwatch.db.base import metadata

host_keys: Final = Table(
    "host_keys",
    metadata,
    Column("host_id", Uuid, ForeignKey("hosts.id"), primary_key=True),
    Column("address", Text, primary_key=True),
    Column("port", Integer, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    # Unknown until the host shows the key, when only its fingerprint was given beforehand.
    Column("algorithm", Text),
    Column("public_key", Text),
    Column("trusted", Boolean, nullable=False),
    Column("first_seen_at", DateTime(timezone=True), nullable=False),
    Column("last_seen_at", DateTime(timezone=True)),
)
