"""The tables of the content-addressed store. Rows are written once and never changed."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Column,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    func,
)

from openwatch.db.base import metadata

evidence: Final = Table(
    "evidence",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("size", Integer, nullable=False),
    # zstd (RFC 8878) of the exact bytes that were hashed.
    Column("data", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

# Chunks of manifests and, under the hash of the whole tree, the list of a manifest's chunks.
manifest_nodes: Final = Table(
    "manifest_nodes",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

signing_keys: Final = Table(
    "signing_keys",
    metadata,
    Column("number", SmallInteger, Identity(always=True), primary_key=True),
    Column("key_id", Text, nullable=False, unique=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("first_used_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
