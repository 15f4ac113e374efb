"""SQL over sign-in attempts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.identity.throttle.model import sign_in_attempts
from openwatch.identity.throttle.policy import Counter

REMOVED_PER_SWEEP: Final = 20
_table = sign_in_attempts


async def clock(conn: AsyncConnection) -> datetime:
    """Return the database's time at this moment, not at the start of the transaction."""
    return (await conn.execute(select(func.clock_timestamp()))).scalar_one()


async def is_known(conn: AsyncConnection, key: bytes) -> bool:
    query = select(_table.c.key).where(_table.c.key == key, _table.c.known_until > func.now())
    return (await conn.execute(query)).one_or_none() is not None


async def lock(tx: AsyncConnection, key: bytes) -> Counter:
    """Return the counter of a key, new or stored, and keep others from it until ``tx`` ends."""
    query = (
        insert(_table)
        .values(key=key)
        .on_conflict_do_update(index_elements=[_table.c.key], set_={"touched_at": func.now()})
        .returning(_table.c.failures, _table.c.last_failed_at, _table.c.paused_until)
    )
    return Counter(*(await tx.execute(query)).one())


async def save(tx: AsyncConnection, key: bytes, counter: Counter) -> None:
    values = {
        "failures": counter.failures,
        "last_failed_at": counter.last_failed_at,
        "paused_until": counter.paused_until,
        "touched_at": func.now(),
    }
    await tx.execute(update(_table).where(_table.c.key == key).values(values))


async def mark_known(tx: AsyncConnection, key: bytes, *, known_for: timedelta) -> None:
    """Remember a user at an address and forget the failures there."""
    values = {
        "failures": 0,
        "paused_until": None,
        "known_until": func.now() + known_for,
        "touched_at": func.now(),
    }
    await tx.execute(
        insert(_table)
        .values(key=key, **values)
        .on_conflict_do_update(index_elements=[_table.c.key], set_=values)
    )


async def remove_old(tx: AsyncConnection, *, keep_for: timedelta) -> None:
    """Remove some rows that no longer matter; rows in use by others are skipped."""
    old = (
        select(_table.c.key)
        .where(
            _table.c.touched_at < func.now() - keep_for,
            or_(_table.c.known_until.is_(None), _table.c.known_until < func.now()),
        )
        .limit(REMOVED_PER_SWEEP)
        .with_for_update(skip_locked=True)
    )
    await tx.execute(delete(_table).where(_table.c.key.in_(old)))
