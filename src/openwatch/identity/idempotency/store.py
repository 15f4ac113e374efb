"""SQL over idempotency keys."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.identity.idempotency.model import idempotency_keys

REMOVED_PER_SWEEP: Final = 20
_table = idempotency_keys


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    request_hash: bytes
    status: int
    headers: dict[str, str]
    body: bytes


async def try_lock(tx: AsyncConnection, actor_id: UUID, key: str) -> bool:
    """Reserve a key until ``tx`` ends; False when another transaction holds it.

    An advisory lock, so that a killed process leaves no reservation behind.
    """
    digest = hashlib.sha256(b"idempotency\0" + actor_id.bytes + key.encode()).digest()
    number = int.from_bytes(digest[:8], signed=True)
    return bool((await tx.execute(select(func.pg_try_advisory_xact_lock(number)))).scalar_one())


async def find(conn: AsyncConnection, actor_id: UUID, key: str) -> StoredAnswer | None:
    query = select(_table.c.request_hash, _table.c.status, _table.c.headers, _table.c.body).where(
        _table.c.actor_id == actor_id, _table.c.key == key, _table.c.expires_at > func.now()
    )
    row = (await conn.execute(query)).one_or_none()
    return None if row is None else StoredAnswer(*row)


async def save(
    tx: AsyncConnection, actor_id: UUID, key: str, answer: StoredAnswer, *, keep_for: timedelta
) -> None:
    """Store an answer; one that expired under the same key is overwritten."""
    values = {
        "request_hash": answer.request_hash,
        "status": answer.status,
        "headers": answer.headers,
        "body": answer.body,
        "created_at": func.now(),
        "expires_at": func.now() + keep_for,
    }
    await tx.execute(
        insert(_table)
        .values(actor_id=actor_id, key=key, **values)
        .on_conflict_do_update(index_elements=[_table.c.actor_id, _table.c.key], set_=values)
    )


async def remove_expired(tx: AsyncConnection) -> None:
    """Remove some expired answers; rows that others use at this moment are skipped."""
    expired = (
        select(_table.c.actor_id, _table.c.key)
        .where(_table.c.expires_at <= func.now())
        .limit(REMOVED_PER_SWEEP)
        .with_for_update(skip_locked=True)
    )
    await tx.execute(delete(_table).where(tuple_(_table.c.actor_id, _table.c.key).in_(expired)))
