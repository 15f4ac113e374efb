"""The worker: claims jobs while it has room, and hands back what it cannot finish.

It outlives its database: while PostgreSQL is away it claims nothing, holds on to results, and goes
on when PostgreSQL is back. Told to stop (SIGTERM, Ctrl-C), it claims no more, lets running scans
finish for a while and puts the others back into the queue.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.compliance.rules.service import corpus
from openwatch.compliance.scans.jobs import run_scan
from openwatch.compliance.scans.runner import ScanRunner
from openwatch.compliance.scans.service import QUEUE as SCANS
from openwatch.compliance.scans.service import TASK as SCAN
from openwatch.db.engine import Database
from openwatch.db.outage import is_outage
from openwatch.db.url import database_url
from openwatch.fleet.imports.jobs import run_import
from openwatch.fleet.imports.service import QUEUE as IMPORTS
from openwatch.fleet.imports.service import TASK as IMPORT
from openwatch.jobs import port
from openwatch.jobs.periodic import Periodic
from openwatch.jobs.port import Job
from openwatch.kit.clock import now
from openwatch.kit.crypto import Keyring
from openwatch.kit.ids import uuid7
from openwatch.kit.logging import get_logger
from openwatch.kit.settings import Settings

QUEUES: Final = (SCANS, IMPORTS)

POLL_SECONDS: Final = 5.0
"""How often the queue is looked at although nothing was announced: jobs become due silently."""

BEAT_SECONDS: Final = 3.0
"""How often a worker says that it is alive."""

GRACE_SECONDS: Final = 8.0
"""How long running scans may go on when the worker is told to stop."""

HAND_BACK_SECONDS: Final = 10.0
"""How long the rest may take: scans that were cut off are written back."""

AWAY_SECONDS: Final = 1.0
"""The pause before the database is tried again."""

RETRY_AFTER: Final = timedelta(seconds=5)
"""When a job is run again that could not even begin."""

IDLE_IN_TRANSACTION: Final = "15s"
"""When PostgreSQL takes its locks from a worker that was frozen in the middle of a transaction, so
that others can take its scans over."""

Handler = Callable[[Mapping[str, Any]], Awaitable[None]]

_log = get_logger(__name__)


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT. Raises ``db.*``, ``keys.*``, ``rules.unusable`` at once."""
    keyring = await asyncio.to_thread(Keyring.load, settings.data_dir)
    rules = await corpus()
    url = await asyncio.to_thread(database_url, settings)
    db = Database(url, idle_in_transaction=IDLE_IN_TRANSACTION)
    try:
        runner = ScanRunner(
            db,
            keyring,
            corpus=rules,
            worker_id=uuid7(),
            deadline_seconds=settings.scan_deadline_seconds,
        )
        worker = Worker(db, runner, concurrency=settings.worker_concurrency)
        _stop_on_signals(worker)
        await worker.run()
    finally:
        await db.aclose()


class Worker:
    """One worker process: a loop that claims, and a task for each job that runs."""

    def __init__(self, db: Database, runner: ScanRunner, *, concurrency: int) -> None:
        self._db = db
        self._runner = runner
        self._concurrency = concurrency
        self._handlers: dict[str, Handler] = {
            SCAN: lambda payload: run_scan(runner, payload),
            IMPORT: lambda payload: run_import(db, payload),
        }
        self._number: int | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._wake = asyncio.Event()

    def stop(self) -> None:
        """Claim no more jobs and end soon."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Work until ``stop`` is called."""
        helpers = [
            asyncio.create_task(work)
            for work in (
                *map(self._listen, QUEUES),
                self._beat(),
                self._runner.keep_leases(),
                Periodic(self._db).run(),
            )
        ]
        _log.info("the worker is ready", concurrency=self._concurrency)
        try:
            await self._claim_jobs()
            await self._drain()
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
        await self._unregister()
        _log.info("the worker has ended")

    # ── Jobs ────────────────────────────────────────────────────────────────────────────────────

    async def _claim_jobs(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            if len(self._running) >= self._concurrency or not await self._claim_one():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)

    async def _claim_one(self) -> bool:
        """Begin a job; ``False`` when there is none, or no database to ask."""
        try:
            async with self._db.transaction() as tx:
                if self._number is None:
                    self._number = await port.register_worker(tx)
                job = await port.claim(tx, worker=self._number, queues=QUEUES)
        except Exception as error:
            if not is_outage(error):
                _log.exception("claiming a job failed")
            await asyncio.sleep(AWAY_SECONDS)
            return False
        if job is None:
            return False
        task = asyncio.create_task(self._carry_out(job, self._number))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return True

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._wake.set()

    async def _carry_out(self, job: Job, number: int) -> None:
        handler = self._handlers.get(job.task)
        try:
            if handler is None:
                raise LookupError(f"no worker of this version knows the task {job.task!r}")
            await handler(job.payload)
        except Exception as error:
            if is_outage(error):
                await self._end(
                    lambda tx: port.give_back(tx, job, worker=number, at=now() + RETRY_AFTER)
                )
                return
            _log.exception("a job failed", task=job.task, job=job.id)
            await self._end(lambda tx: port.finish(tx, job, worker=number, succeeded=False))
            return
        await self._end(lambda tx: port.finish(tx, job, worker=number, succeeded=True))

    async def _end(self, change: Callable[[AsyncConnection], Awaitable[None]]) -> None:
        """Write the end of a job; one that has none is run again, and then finds nothing to do."""
        while True:
            try:
                async with self._db.transaction() as tx:
                    await change(tx)
            except Exception as error:
                if not is_outage(error):
                    _log.exception("the end of a job could not be written")
                    return
                if self._stopping.is_set():
                    return
                await asyncio.sleep(AWAY_SECONDS)
            else:
                return

    async def _drain(self) -> None:
        if self._running:
            _log.info("waiting for running scans", scans=len(self._running))
            await asyncio.wait(self._running, timeout=GRACE_SECONDS)
        if self._running:
            _log.info("handing back scans", scans=len(self._running))
            self._runner.hand_back()
            await asyncio.wait(self._running, timeout=HAND_BACK_SECONDS)
        for task in self._running:
            task.cancel()

    # ── Helpers ─────────────────────────────────────────────────────────────────────────────────

    async def _listen(self, queue: str) -> None:
        async for _ in self._db.listen(port.CHANNEL_PREFIX + queue):
            self._wake.set()

    async def _beat(self) -> None:
        while True:
            try:
                async with self._db.transaction() as tx:
                    if self._number is None or not await port.beat(tx, self._number):
                        self._number = await port.register_worker(tx)
            except Exception as error:
                if not is_outage(error):
                    _log.exception("the heartbeat failed")
            await asyncio.sleep(BEAT_SECONDS)

    async def _unregister(self) -> None:
        if self._number is None:
            return
        try:
            async with self._db.transaction() as tx:
                await port.unregister_worker(tx, self._number)
        except Exception as error:
            if not is_outage(error):
                raise


def _stop_on_signals(worker: Worker) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
