"""Carries out scans in a worker: begin, connect, measure, keep, complete, whatever happens.

Every end of an attempt is written under its lease. What interrupts an attempt from outside (the
host is lost in the middle, the database restarts, the worker is told to stop) puts the scan back
into the queue; what a person has to mend fails it at once, with its code.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.compliance import errors
from openwatch.compliance.results import evidence
from openwatch.compliance.results import service as results
from openwatch.compliance.rules import service as rules
from openwatch.compliance.scans import completion, service, store
from openwatch.compliance.scans.completion import Measured
from openwatch.compliance.scans.service import LEASE, Problem
from openwatch.compliance.scans.store import Lease
from openwatch.db.engine import Database
from openwatch.db.outage import is_outage
from openwatch.engine.assess import Memo
from openwatch.engine.rules import Corpus
from openwatch.engine.scan import Progress as EngineProgress
from openwatch.engine.scan import ScanReport, scan
from openwatch.engine.transport import connect_ssh
from openwatch.fleet.connections import service as connections
from openwatch.fleet.hosts import service as hosts
from openwatch.kit.crypto import Keyring
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.logging import bind, get_logger, unbind
from openwatch.signals.service import Subject, announce

TICK_SECONDS: Final = 0.5
"""How often a worker looks for cancelled scans and tells how far its scans are."""

RENEW_SECONDS: Final = 3.0
"""How often leases are renewed: several times before they run out."""

PATIENCE: Final = timedelta(seconds=120)
"""How long a worker holds on to a result while the database is away."""

PAUSE_SECONDS: Final = 0.5
PAUSE_MOST_SECONDS: Final = 5.0

INTERRUPTIONS: Final = frozenset({"host.lost"})
"""Errors that a second attempt may well not meet. Every other one needs a person."""

_log = get_logger(__name__)
T = TypeVar("T")


class Stop(StrEnum):
    """Why a worker ends an attempt before it is over."""

    CANCELLED = "cancelled"
    LEASE_LOST = "lease_lost"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class Step:
    """How far an attempt is."""

    stage: str
    done: int = 0
    total: int = 1


@dataclass(slots=True)
class _Work:
    """An attempt that is being carried out."""

    lease: Lease
    step: Step = Step("connect")
    told: Step = Step("connect")
    stop: Stop | None = None
    task: asyncio.Task[None] | None = None

    def end(self, why: Stop) -> None:
        """Cut the attempt off, once."""
        if self.stop is None and self.task is not None:
            self.stop = why
            self.task.cancel()


class ScanRunner:
    """Carries out the scans of one worker process."""

    def __init__(
        self,
        db: Database,
        keyring: Keyring,
        *,
        corpus: Corpus,
        worker_id: UUID,
        deadline_seconds: float,
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._corpus = corpus
        self._memo = Memo(corpus)
        self._worker_id = worker_id
        self._deadline_seconds = deadline_seconds
        self._work: dict[UUID, _Work] = {}
        self._versions: dict[str, int] | None = None

    async def run(self, host_id: UUID, scan_id: UUID) -> None:
        """Carry out the next attempt of a scan, if there is one to carry out."""
        async with self._db.transaction() as tx:
            lease = await service.begin(tx, host_id, scan_id, worker_id=self._worker_id)
        if lease is None:
            return
        bind(scan_id=str(scan_id), host_id=str(host_id))
        work = _Work(lease)
        work.task = asyncio.create_task(self._carry_out(work))
        self._work[scan_id] = work
        try:
            await self._finish(work)
        finally:
            del self._work[scan_id]
            unbind("scan_id", "host_id")

    def hand_back(self) -> None:
        """Cut off all attempts, so that other workers take them over."""
        for work in self._work.values():
            work.end(Stop.SHUTDOWN)

    async def keep_leases(self) -> None:
        """Renew leases, tell progress and obey cancellation, until cancelled itself."""
        renewed = 0.0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if not self._work:
                continue
            due = time.monotonic() - renewed > RENEW_SECONDS
            try:
                await self._tick(renew=due)
            except Exception as error:
                if not is_outage(error):
                    _log.exception("keeping leases failed")
                continue
            if due:
                renewed = time.monotonic()

    # ── One attempt ─────────────────────────────────────────────────────────────────────────────

    async def _carry_out(self, work: _Work) -> None:
        began = time.monotonic()
        report, connected = await self._measure(work)
        work.step = Step("store")
        storing = time.monotonic()
        known_as = await self._patiently(lambda: self._known_as(work.lease.host_id))
        findings = await asyncio.to_thread(
            evidence.find, report.snapshot, report.outcomes, host=known_as
        )
        await self._patiently(lambda: results.keep(self._db, findings))
        ended = time.monotonic()
        measured = Measured(
            report=report,
            findings=findings,
            corpus_hash=self._corpus.hash,
            rule_versions=await self._patiently(self._rule_versions),
            seconds={
                "connect": connected - began,
                **report.seconds,
                "store": ended - storing,
                "total": ended - began,
            },
        )
        await self._patiently(lambda: self._complete(work.lease, measured))

    async def _measure(self, work: _Work) -> tuple[ScanReport, float]:
        """Return what the host answered, and when the connection to it stood."""
        route = await self._patiently(
            lambda: connections.route_to(self._db, self._keyring, work.lease.host_id)
        )

        def on_progress(progress: EngineProgress) -> None:
            work.step = Step(progress.stage, progress.done, progress.total)

        deadline = asyncio.timeout(self._deadline_seconds)
        try:
            async with deadline:
                transport = await connect_ssh(route.target, host_keys=route.host_keys)
                connected = time.monotonic()
                try:
                    report = await scan(
                        transport,
                        corpus=self._corpus,
                        memo=self._memo,
                        on_progress=on_progress,
                        deadline_seconds=self._deadline_seconds,
                    )
                finally:
                    await transport.aclose()
        except TimeoutError:
            if not deadline.expired():
                raise
            raise OpenWatchError(errors.DEADLINE, seconds=self._deadline_seconds) from None
        return report, connected

    async def _known_as(self, host_id: UUID) -> dict[str, Any]:
        """Return how the inventory knows a host: a part of the evidence."""
        async with self._db.read() as conn:
            host = await hosts.get(conn, host_id)
        return {"id": str(host.id), "name": host.name, "address": host.address, "port": host.port}

    async def _complete(self, lease: Lease, measured: Measured) -> None:
        async with self._db.transaction() as tx:
            completed = await completion.complete(self._db, tx, self._keyring, lease, measured)
        if not completed:
            _log.warning("the scan is no longer held by this worker: nothing was written")

    async def _rule_versions(self) -> dict[str, int]:
        if self._versions is None:
            async with self._db.transaction() as tx:
                self._versions = await rules.versions(tx, self._corpus)
        return self._versions

    # ── The end of an attempt ───────────────────────────────────────────────────────────────────

    async def _finish(self, work: _Work) -> None:
        assert work.task is not None
        try:
            await work.task
        except asyncio.CancelledError:
            await self._stopped(work)
        except Exception as error:
            await self._failed(work.lease, error)

    async def _stopped(self, work: _Work) -> None:
        match work.stop:
            case Stop.CANCELLED:
                await self._write(work.lease, service.stop)
            case Stop.LEASE_LOST:
                _log.warning("the scan was taken from this worker, which was silent for too long")
            case Stop.SHUTDOWN | None:
                problem = Problem.of(
                    OpenWatchError(errors.INTERRUPTED, what="its worker was told to stop")
                )
                await self._write(
                    work.lease,
                    lambda tx, lease: service.put_back(tx, lease, problem, counts=False),
                )

    async def _failed(self, lease: Lease, error: Exception) -> None:
        match error:
            case _ if is_outage(error):
                away = OpenWatchError(errors.INTERRUPTED, what="the database was not available")
                problem, again = Problem.of(away), True
            case OpenWatchError():
                problem, again = Problem.of(error), error.code in INTERRUPTIONS
            case _:
                _log.error("the scan ended because of a defect", exc_info=error)
                defect = OpenWatchError(errors.DEFECT, kind=type(error).__name__)
                problem, again = Problem.of(defect), False
        _log.warning("an attempt failed", code=problem.code, message=problem.message, again=again)
        end = service.put_back if again else service.fail
        await self._write(lease, lambda tx, held: end(tx, held, problem))

    async def _write(
        self, lease: Lease, change: Callable[[AsyncConnection, Lease], Awaitable[bool]]
    ) -> None:
        async def write() -> None:
            async with self._db.transaction() as tx:
                await change(tx, lease)

        try:
            await self._patiently(write)
        except Exception as error:
            if not is_outage(error):
                raise
            _log.error("the database stayed away: the scan is taken over when its lease runs out")

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something with the database, again and again while it is away."""
        give_up = time.monotonic() + PATIENCE.total_seconds()
        pause = PAUSE_SECONDS
        while True:
            try:
                return await work()
            except Exception as error:
                if not is_outage(error) or time.monotonic() > give_up:
                    raise
                _log.warning("the database is away; holding on", seconds=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, PAUSE_MOST_SECONDS)

    # ── Leases ──────────────────────────────────────────────────────────────────────────────────

    async def _tick(self, *, renew: bool) -> None:
        working = list(self._work.values())
        async with self._db.transaction() as tx:
            if renew:
                await store.renew(tx, self._worker_id, lasts=LEASE)
            for work in working:
                if work.step != work.told:
                    await self._tell(tx, work)
            held = {row.scan_id: row for row in await store.held(tx, self._worker_id)}
        for work in working:
            row = held.get(work.lease.scan_id)
            if row is None or row.attempt != work.lease.attempt:
                # While a result is written it may be this worker that has released the row.
                if work.step.stage != "store":
                    work.end(Stop.LEASE_LOST)
            elif row.cancel_requested or row.host_deleted:
                work.end(Stop.CANCELLED)

    async def _tell(self, tx: AsyncConnection, work: _Work) -> None:
        lease, step = work.lease, work.step
        held = await store.progress(tx, lease, stage=step.stage, done=step.done, total=step.total)
        if held:
            await announce(
                tx,
                "scan.progress",
                subject=Subject("scan", lease.scan_id),
                host_id=lease.host_id,
                data={"stage": step.stage, "done": step.done, "total": step.total},
            )
        work.told = step
