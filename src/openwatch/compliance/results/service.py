"""Keep what a scan found, and give it back with proof."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.compliance.errors import EVIDENCE_DAMAGED, EVIDENCE_UNKNOWN
from openwatch.compliance.results import store
from openwatch.compliance.results.evidence import Findings
from openwatch.db.engine import Database
from openwatch.engine.interchange.bundle import Statement, key_id, write_bundle
from openwatch.engine.interchange.merkle import CHUNKS, Chunk, Manifest, chunk_of, split_index
from openwatch.kit.crypto import Keyring
from openwatch.kit.errors import OpenWatchError


async def keep(db: Database, findings: Findings) -> None:
    """Store what is new in the findings of a scan.

    This comes before, and apart from, the transaction that completes the scan: what is addressed
    by its content can be stored twice or for nothing without harm, and no lock is held long.
    """
    tree = findings.manifest.hash
    async with db.transaction() as tx:
        if await store.has_node(tx, tree):
            # It came in one transaction with all that it names, and nothing of that ever goes. Who
            # the host is stands beside the tree.
            await store.keep_evidence(db, tx, {findings.subject: findings.blobs[findings.subject]})
            return
        await store.keep_evidence(db, tx, findings.blobs)
        nodes = {chunk.hash: chunk.encode() for chunk in findings.manifest.chunks}
        await store.keep_nodes(db, tx, {**nodes, tree: findings.manifest.index})


async def read(conn: AsyncConnection, sha256: str) -> bytes:
    """Return a document by its hash in hexadecimal; raises ``evidence.unknown``."""
    try:
        digest = bytes.fromhex(sha256)
    except ValueError:
        raise OpenWatchError(EVIDENCE_UNKNOWN, sha256=sha256) from None
    found = await store.read_evidence(conn, [digest])
    if digest not in found:
        raise OpenWatchError(EVIDENCE_UNKNOWN, sha256=sha256)
    return found[digest]


async def read_documents(
    conn: AsyncConnection, hashes: set[bytes]
) -> dict[bytes, Mapping[str, Any]]:
    """Return documents by their hashes; raises ``evidence.damaged`` when one is missing."""
    found = await store.read_evidence(conn, hashes)
    for missing in hashes - found.keys():
        raise OpenWatchError(EVIDENCE_DAMAGED, sha256=missing.hex())
    return {digest: json.loads(data) for digest, data in found.items()}


async def fact_hashes(conn: AsyncConnection, tree: bytes, fact_ids: set[str]) -> dict[str, bytes]:
    """Return the hashes of facts of a scan, reading only the chunks that hold them."""
    index = split_index((await _nodes(conn, [tree]))[tree])
    wanted = {index[CHUNKS + chunk_of(fact_id)] for fact_id in fact_ids}
    chunks = [Chunk.decode(data) for data in (await _nodes(conn, list(wanted))).values()]
    entries = {entry[0]: entry[-1] for chunk in chunks for entry in chunk.entries}
    return {fact: bytes.fromhex(entries[fact]) for fact in fact_ids if fact in entries}


async def bundle(
    conn: AsyncConnection,
    *,
    statement: Statement,
    previous: Statement | None,
    signature: bytes,
    signing_key: int,
) -> bytes:
    """Return the bundle that proves a scan; raises ``evidence.damaged``."""
    manifest = await _manifest(conn, bytes.fromhex(statement.tree))
    names = {statement.subject}
    names |= {entry[-1] for chunk in manifest.chunks for entry in chunk.entries}
    blobs = await store.read_evidence(conn, [bytes.fromhex(name) for name in names])
    for missing in names - {digest.hex() for digest in blobs}:
        raise OpenWatchError(EVIDENCE_DAMAGED, sha256=missing)
    return write_bundle(
        statement=statement,
        previous=previous,
        signature=signature,
        public_key=await store.public_key(conn, signing_key),
        manifest=manifest,
        blobs={digest.hex(): data for digest, data in blobs.items()},
    )


async def register_key(tx: AsyncConnection, keyring: Keyring) -> int:
    """Return the number under which the installation's public key is kept with its scans."""
    public_key = keyring.signing_key.public_key_bytes
    return await store.signing_key_number(tx, key_id(public_key), public_key)


async def _manifest(conn: AsyncConnection, tree: bytes) -> Manifest:
    hashes = split_index((await _nodes(conn, [tree]))[tree])
    chunks = await _nodes(conn, list(set(hashes)))
    decoded = [Chunk.decode(chunks[node]) for node in hashes]
    return Manifest(tuple(decoded[:CHUNKS]), tuple(decoded[CHUNKS:]))


async def _nodes(conn: AsyncConnection, hashes: list[bytes]) -> dict[bytes, bytes]:
    found = await store.read_nodes(conn, hashes)
    for missing in set(hashes) - found.keys():
        raise OpenWatchError(EVIDENCE_DAMAGED, sha256=missing.hex())
    return found
