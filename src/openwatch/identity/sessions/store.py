"""SQL over sessions. Time is the database's, so that all processes agree on what has ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.identity.sessions.model import sessions
from openwatch.identity.users.model import users

ENDED_PER_SWEEP: Final = 100


@dataclass(frozen=True, slots=True)
class NewSession:
    id: UUID
    user_id: UUID
    token_hash: bytes = field(repr=False)
    address: str | None
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session that has not ended, with its user. ``age`` is the time since it was last used."""

    id: UUID
    user_id: UUID
    username: str
    display_name: str
    expires_at: datetime
    idle_expires_at: datetime
    age: timedelta


def _living(idle: timedelta) -> ColumnElement[bool]:
    return (sessions.c.expires_at > func.now()) & (sessions.c.last_seen_at > func.now() - idle)


async def add(tx: AsyncConnection, session: NewSession, *, lifetime: timedelta) -> None:
    await tx.execute(
        insert(sessions).values(
            id=session.id,
            user_id=session.user_id,
            token_hash=session.token_hash,
            address=session.address,
            user_agent=session.user_agent,
            expires_at=func.now() + lifetime,
        )
    )


async def find(
    conn: AsyncConnection, token_hash: bytes, *, idle: timedelta
) -> StoredSession | None:
    """Return the living session of a token."""
    return await _find(conn, sessions.c.token_hash == token_hash, idle=idle)


async def find_by_id(
    conn: AsyncConnection, session_id: UUID, *, idle: timedelta
) -> StoredSession | None:
    """Return the living session with an id."""
    return await _find(conn, sessions.c.id == session_id, idle=idle)


async def _find(
    conn: AsyncConnection, which: ColumnElement[bool], *, idle: timedelta
) -> StoredSession | None:
    idle_end = func.least(sessions.c.last_seen_at + idle, sessions.c.expires_at)
    query = (
        select(
            sessions.c.id,
            sessions.c.user_id,
            users.c.username,
            users.c.display_name,
            sessions.c.expires_at,
            idle_end.label("idle_expires_at"),
            (func.now() - sessions.c.last_seen_at).label("age"),
        )
        .join(users, users.c.id == sessions.c.user_id)
        .where(which, _living(idle))
    )
    row = (await conn.execute(query)).mappings().one_or_none()
    return None if row is None else StoredSession(**row)


async def touch(tx: AsyncConnection, session_id: UUID) -> None:
    await tx.execute(
        update(sessions)
        .where(sessions.c.id == session_id, sessions.c.last_seen_at < func.now())
        .values(last_seen_at=func.now())
    )


async def end(tx: AsyncConnection, session_id: UUID) -> bool:
    """Remove a session; False when it was gone already."""
    query = delete(sessions).where(sessions.c.id == session_id).returning(sessions.c.id)
    return (await tx.execute(query)).one_or_none() is not None


async def end_expired(tx: AsyncConnection, *, idle: timedelta) -> Sequence[RowMapping]:
    """Remove some sessions that ran out; return their ids and users."""
    ran_out = (
        select(sessions.c.id)
        .where(
            or_(sessions.c.expires_at <= func.now(), sessions.c.last_seen_at <= func.now() - idle)
        )
        .limit(ENDED_PER_SWEEP)
        .with_for_update(skip_locked=True)
    )
    query = (
        delete(sessions)
        .where(sessions.c.id.in_(ran_out))
        .returning(sessions.c.id, sessions.c.user_id)
    )
    return (await tx.execute(query)).mappings().all()
