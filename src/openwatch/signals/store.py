"""SQL over events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.signals.model import CHANNEL, event_outbox, events
from openwatch.signals.schema import Event, EventSubject

_columns = (
    events.c.id,
    events.c.kind,
    events.c.at,
    events.c.subject_type,
    events.c.subject_id,
    events.c.host_id,
    events.c.data,
)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which events of the log are wanted."""

    kind: str | None = None
    host_id: UUID | None = None
    subject_id: UUID | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        wanted = (
            (events.c.kind, self.kind),
            (events.c.host_id, self.host_id),
            (events.c.subject_id, self.subject_id),
        )
        return [column == value for column, value in wanted if value is not None]


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to write."""

    kind: str
    subject_type: str
    subject_id: UUID
    host_id: UUID | None
    data: dict[str, Any]


async def add(tx: AsyncConnection, new: Sequence[NewEvent]) -> None:
    await tx.execute(insert(event_outbox), [asdict(event) for event in new])


async def notify(conn: AsyncConnection, payload: str) -> None:
    await conn.execute(select(func.pg_notify(CHANNEL, payload)))


async def latest_id(conn: AsyncConnection) -> int:
    """Return the highest id in the log, 0 when it is empty."""
    return (await conn.execute(select(func.coalesce(func.max(events.c.id), 0)))).scalar_one()


async def after(conn: AsyncConnection, last_id: int, *, limit: int) -> list[Event]:
    """Return the events that follow ``last_id``, oldest first."""
    query = select(*_columns).where(events.c.id > last_id).order_by(events.c.id).limit(limit)
    return _events((await conn.execute(query)).mappings().all())


async def page(
    conn: AsyncConnection, filters: Filters, *, before_id: int | None, limit: int
) -> list[Event]:
    """Return events, newest first."""
    query = select(*_columns).where(*filters.conditions()).order_by(events.c.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(events.c.id < before_id)
    return _events((await conn.execute(query)).mappings().all())


async def count(conn: AsyncConnection, filters: Filters, *, at_most: int) -> int:
    """Return how many events there are; counting stops at ``at_most``."""
    some = select(events.c.id).where(*filters.conditions()).limit(at_most).subquery()
    return (await conn.execute(select(func.count()).select_from(some))).scalar_one()


def _events(rows: Sequence[RowMapping]) -> list[Event]:
    return [
        Event(
            id=row["id"],
            kind=row["kind"],
            at=row["at"],
            subject=EventSubject(type=row["subject_type"], id=row["subject_id"]),
            host_id=row["host_id"],
            data=row["data"],
        )
        for row in rows
    ]
