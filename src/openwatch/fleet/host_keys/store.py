"""All SQL about host keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.fleet.host_keys.model import host_keys
from openwatch.fleet.hosts.model import LIVE, hosts


async def all_of(conn: AsyncConnection, host_id: UUID) -> Sequence[RowMapping]:
    statement = (
        select(host_keys)
        .where(host_keys.c.host_id == host_id)
        .order_by(host_keys.c.trusted.desc(), host_keys.c.first_seen_at, host_keys.c.fingerprint)
    )
    return (await conn.execute(statement)).mappings().all()


async def at_address(
    conn: AsyncConnection, host_id: UUID, address: str, port: int
) -> Sequence[RowMapping]:
    statement = select(host_keys).where(
        host_keys.c.host_id == host_id, host_keys.c.address == address, host_keys.c.port == port
    )
    return (await conn.execute(statement)).mappings().all()


async def is_trusted(conn: AsyncConnection, *, address: str, port: int, fingerprint: str) -> bool:
    statement = (
        select(host_keys.c.host_id)
        .join(hosts, hosts.c.id == host_keys.c.host_id)
        .where(
            host_keys.c.address == address,
            host_keys.c.port == port,
            host_keys.c.fingerprint == fingerprint,
            host_keys.c.trusted,
            LIVE,
        )
        .limit(1)
    )
    return (await conn.execute(statement)).first() is not None


async def put(tx: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Add a key, or overwrite what is known of it; the time of its first sight stays."""
    statement = insert(host_keys).values(values)
    changed = {
        name: statement.excluded[name]
        for name in values
        if name not in {"host_id", "address", "port", "fingerprint", "first_seen_at"}
    }
    await tx.execute(
        statement.on_conflict_do_update(index_elements=host_keys.primary_key, set_=changed)
    )


async def seen(tx: AsyncConnection, host_id: UUID, *, fingerprint: str, at: datetime) -> None:
    await tx.execute(
        update(host_keys)
        .where(host_keys.c.host_id == host_id, host_keys.c.fingerprint == fingerprint)
        .values(last_seen_at=at)
    )


async def remove(tx: AsyncConnection, host_id: UUID, fingerprint: str) -> int:
    """Remove a key at every address of its host; return how many rows that were."""
    statement = delete(host_keys).where(
        host_keys.c.host_id == host_id, host_keys.c.fingerprint == fingerprint
    )
    return (await tx.execute(statement)).rowcount
