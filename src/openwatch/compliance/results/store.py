"""All SQL about the content-addressed store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Final

import zstandard
from sqlalchemy import (
    Column,
    Executable,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    bindparam,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.compliance.errors import EVIDENCE_DAMAGED
from openwatch.compliance.results.model import evidence, manifest_nodes, signing_keys
from openwatch.db.engine import Database
from openwatch.kit.errors import OpenWatchError

LEVEL: Final = 9
"""zstd level: a third smaller than the default on facts, and still far cheaper than the scan."""

MAX_BLOB_BYTES: Final = 256 * 1024 * 1024
"""More than any fact may have; a damaged length must not take all memory."""

# One for each connection, emptied by each commit: rows go in by COPY and on from there as a set.
_STAGE: Final = text("""
    CREATE TEMPORARY TABLE IF NOT EXISTS staged_blobs (hash bytea, size integer, data bytea)
    ON COMMIT DELETE ROWS
""")
_staged: Final = Table(
    "staged_blobs",
    MetaData(),
    Column("hash", LargeBinary),
    Column("size", Integer),
    Column("data", LargeBinary),
)
# In the order of the hashes, so that two scans that find the same never wait for each other.
_KEEP_EVIDENCE: Final = text("""
    INSERT INTO evidence (sha256, size, data) SELECT hash, size, data FROM staged_blobs
    ORDER BY hash ON CONFLICT DO NOTHING
""")
_KEEP_NODES: Final = text("""
    INSERT INTO manifest_nodes (hash, data) SELECT hash, data FROM staged_blobs
    ORDER BY hash ON CONFLICT DO NOTHING
""")
# A scan asks for more than a thousand: all hashes are one value, and only the missing come back.
_MISSING: Final = """
    SELECT hash FROM (
        SELECT substring(CAST(:hashes AS bytea) FROM place * 32 + 1 FOR 32) AS hash
        FROM generate_series(0, CAST(:count AS integer) - 1) AS place
    ) AS asked
    WHERE NOT EXISTS (SELECT FROM {table} AS kept WHERE kept.{column} = asked.hash)
"""
_MISSING_EVIDENCE: Final = text(_MISSING.format(table="evidence", column="sha256"))
_MISSING_NODES: Final = text(_MISSING.format(table="manifest_nodes", column="hash"))
_HASHES: Final = bindparam("hashes", type_=ARRAY(LargeBinary))


async def keep_evidence(db: Database, tx: AsyncConnection, blobs: Mapping[bytes, bytes]) -> int:
    """Store the documents that are not stored yet; return how many those were."""
    return await _keep(db, tx, blobs, missing=_MISSING_EVIDENCE, statement=_KEEP_EVIDENCE)


async def keep_nodes(db: Database, tx: AsyncConnection, nodes: Mapping[bytes, bytes]) -> int:
    """Store the parts of a manifest that are not stored yet; return how many those were."""
    return await _keep(db, tx, nodes, missing=_MISSING_NODES, statement=_KEEP_NODES)


async def has_node(conn: AsyncConnection, node: bytes) -> bool:
    statement = select(manifest_nodes.c.hash).where(manifest_nodes.c.hash == node)
    return (await conn.execute(statement)).first() is not None


async def read_evidence(conn: AsyncConnection, hashes: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return the stored documents among ``hashes``, each checked against its hash.

    Raises ``evidence.damaged``.
    """
    statement = select(evidence.c.sha256, evidence.c.data).where(
        evidence.c.sha256 == _HASHES.any_()
    )
    rows = await conn.execute(statement, {"hashes": list(hashes)})
    return {digest: _checked(digest, data) for digest, data in rows}


async def read_nodes(conn: AsyncConnection, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the stored parts of manifests among ``hashes``."""
    statement = select(manifest_nodes.c.hash, manifest_nodes.c.data).where(
        manifest_nodes.c.hash == _HASHES.any_()
    )
    rows = await conn.execute(statement, {"hashes": list(hashes)})
    return {node: _decompress(data) for node, data in rows}


async def signing_key_number(tx: AsyncConnection, key_id: str, public_key: bytes) -> int:
    """Return the number under which a public key is kept, which may be a new one."""
    known = select(signing_keys.c.number).where(signing_keys.c.key_id == key_id)
    number = (await tx.execute(known)).scalar_one_or_none()
    if number is not None:
        return number
    add = insert(signing_keys).values(key_id=key_id, public_key=public_key)
    await tx.execute(add.on_conflict_do_nothing())
    return (await tx.execute(known)).scalar_one()


async def public_key(conn: AsyncConnection, number: int) -> bytes:
    """Return the bytes of a public key."""
    statement = select(signing_keys.c.public_key).where(signing_keys.c.number == number)
    return (await conn.execute(statement)).scalar_one()


async def _keep(
    db: Database,
    tx: AsyncConnection,
    blobs: Mapping[bytes, bytes],
    *,
    missing: Executable,
    statement: Executable,
) -> int:
    rows = await tx.execute(missing, {"hashes": b"".join(blobs), "count": len(blobs)})
    absent = rows.scalars().all()
    if not absent:
        return 0
    await tx.execute(_STAGE)
    await db.copy_rows(
        tx,
        _staged,
        ("hash", "size", "data"),
        ((digest, len(blobs[digest]), _compressor().compress(blobs[digest])) for digest in absent),
    )
    await tx.execute(statement)
    return len(absent)


@cache
def _compressor() -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(level=LEVEL, write_checksum=False, write_content_size=True)


def _decompress(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(data, max_output_size=MAX_BLOB_BYTES)


def _checked(digest: bytes, data: bytes) -> bytes:
    try:
        plain = _decompress(data)
    except zstandard.ZstdError:
        plain = b""
    if hashlib.sha256(plain).digest() != digest:
        raise OpenWatchError(EVIDENCE_DAMAGED, sha256=digest.hex())
    return plain
