"""Work that comes back: every worker is ready for it, and one at a time does it.

Who gets the advisory lock leads. It lasts for one round, so a leader that dies leaves no gap.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import text

from openwatch.compliance.history.service import ensure_partitions
from openwatch.compliance.scans.service import reap
from openwatch.db.engine import Database
from openwatch.db.outage import is_outage
from openwatch.fleet.imports.service import tidy_up as tidy_up_imports
from openwatch.jobs import port
from openwatch.kit.logging import get_logger

TICK_SECONDS: Final = 3.0

SILENT: Final = timedelta(seconds=15)
"""A worker that is silent for so long is dead: its jobs are run by others."""

JOB_ATTEMPTS: Final = 5
"""How often a job is begun whose workers die, before it is given up."""

WORKERS_KEPT: Final = timedelta(hours=1)
JOBS_KEPT: Final = timedelta(days=7)
PRUNED_AT_ONCE: Final = 1000

# "ow-round" in ASCII, so that no other lock of ours has the same key.
LEADER_LOCK: Final = int.from_bytes(b"ow-round")

_log = get_logger(__name__)


@dataclass(slots=True)
class Chore:
    """Something to do every ``seconds``."""

    name: str
    seconds: float
    work: Callable[[Database], Awaitable[object]]
    due: float = 0.0


class Periodic:
    """The chores of one worker process."""

    def __init__(self, db: Database, chores: Sequence[Chore] | None = None) -> None:
        self._db = db
        self._chores = chores or our_chores()

    async def run(self) -> None:
        """Do what is due, again and again, until cancelled."""
        while True:
            try:
                await self.round()
            except Exception as error:
                if not is_outage(error):
                    _log.exception("a round of periodic work failed")
            await asyncio.sleep(TICK_SECONDS)

    async def round(self) -> None:
        """Do what is due, unless another worker is doing it at this moment."""
        async with self._db.transaction() as tx:
            locked = await tx.execute(
                text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": LEADER_LOCK}
            )
            if not locked.scalar_one():
                return
            for chore in self._chores:
                if time.monotonic() >= chore.due:
                    await self._do(chore)

    async def _do(self, chore: Chore) -> None:
        try:
            done = await chore.work(self._db)
        except Exception as error:
            if is_outage(error):
                raise
            # One chore that fails must not keep the others from being done.
            _log.exception("periodic work failed", chore=chore.name)
        else:
            if done:
                _log.info("periodic work", chore=chore.name, done=done)
        chore.due = time.monotonic() + chore.seconds


def our_chores() -> Sequence[Chore]:
    """Return what every worker is ready to do."""
    return (
        Chore("recover jobs", 3, recover_jobs),
        Chore("reap scans", 3, reap),
        Chore("tidy up imports", 60, tidy_up_imports),
        Chore("make partitions", 3600, ensure_partitions),
        Chore("prune jobs", 600, prune_jobs),
    )


async def recover_jobs(db: Database) -> int:
    """Queue the jobs of dead workers again; return their number."""
    async with db.transaction() as tx:
        return await port.recover(tx, silent_for=SILENT, attempts=JOB_ATTEMPTS)


async def prune_jobs(db: Database) -> int:
    """Remove jobs that ended long ago, and workers that are gone; return the number of jobs."""
    async with db.transaction() as tx:
        await port.forget_workers(tx, silent_for=WORKERS_KEPT)
        return await port.prune(tx, older_than=JOBS_KEPT, most=PRUNED_AT_ONCE)
