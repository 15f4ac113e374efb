"""Whether work is being done."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.jobs import port


async def worker_last_seen(conn: AsyncConnection) -> datetime | None:
    """Return when a worker was alive last; ``None`` when there is none."""
    return await port.last_beat(conn)
