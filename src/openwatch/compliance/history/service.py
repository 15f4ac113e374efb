"""What was true of a host, and when."""

from __future__ import annotations

from datetime import date
from typing import Final

from openwatch.compliance.history import store
from openwatch.db.engine import Database
from openwatch.kit.clock import now

MONTHS_AHEAD: Final = 3
"""How far ahead partitions are made: a worker that was off for weeks finds its month ready."""


async def ensure_partitions(db: Database) -> int:
    """Make the partitions of this month and the next ones; return how many were missing."""
    first = now().date().replace(day=1)
    made = 0
    for _ in range(MONTHS_AHEAD + 1):
        following = _next_month(first)
        async with db.transaction() as tx:
            made += await store.ensure_month(tx, first, following)
        first = following
    return made


def _next_month(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)
