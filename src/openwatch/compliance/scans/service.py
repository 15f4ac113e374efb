"""The life of a scan: queued → running → completed, failed or cancelled.

A change of state, the host's row, the events that tell of it and the job that carries it on are one
transaction. A scan is locked after its host, always in this order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.compliance import errors
from openwatch.compliance.results import service as results
from openwatch.compliance.scans import shapes, store
from openwatch.compliance.scans.model import ScanState
from openwatch.compliance.scans.schema import Queued, Scan
from openwatch.compliance.scans.store import Lease, ScanFilters
from openwatch.db.engine import Database
from openwatch.db.keyset import parse_order
from openwatch.db.outage import is_outage
from openwatch.fleet.connections.service import missing_credential
from openwatch.fleet.hosts import service as hosts
from openwatch.fleet.hosts.schema import Host, HostChoice
from openwatch.fleet.hosts.service import EndedScan
from openwatch.jobs import port
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.ids import uuid7
from openwatch.kit.logging import get_logger
from openwatch.kit.paging import Page
from openwatch.signals.service import Happening, Subject, emit, emit_all

QUEUE: Final = "scans"
TASK: Final = "scan"

LEASE: Final = timedelta(seconds=15)
"""How long a worker may be silent before its scans are taken from it."""

MAX_ATTEMPTS: Final = 3
"""How often a scan is begun before what interrupts it counts as its result."""

BACK_OFF: Final = (timedelta(seconds=2), timedelta(seconds=10))
"""The pause before the second and the third attempt."""

OVERDUE: Final = timedelta(seconds=15)
"""A scan that waits so long after it was due gets a new job, when its old one is lost."""

REAPED_AT_ONCE: Final = 200

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an attempt has no outcomes."""

    code: str
    message: str
    fix: str

    @classmethod
    def of(cls, error: OpenWatchError) -> Problem:
        """Return the problem that a registered error tells of."""
        return cls(error.code, error.message, error.fix)


# ── What people ask for ─────────────────────────────────────────────────────────────────────────


async def request(
    tx: AsyncConnection, host_id: UUID, *, requested_by: UUID, retry_of: UUID | None = None
) -> Scan:
    """Queue a scan of a host.

    Raises ``host.unknown``, ``scan.active`` (which names the active scan), ``credential.missing``.
    """
    host = await hosts.lock(tx, host_id)
    if host.active_scan_id is not None:
        raise OpenWatchError(
            errors.SCAN_ACTIVE, host_name=host.name, active_scan_id=host.active_scan_id
        )
    if host.credential_id is None:
        raise missing_credential(host.name, host.address, host.port)
    queued = await _queue(tx, [host_id], requested_by=requested_by, retry_of=retry_of)
    return await get(tx, queued[host_id])


async def request_all(tx: AsyncConnection, choice: HostChoice, *, requested_by: UUID) -> Queued:
    """Queue a scan of each chosen host that can be scanned now; raises ``host.too_many``."""
    chosen = await hosts.lock_chosen(tx, choice)
    active = [row for row in chosen if row["active_scan_id"] is not None]
    idle = [row for row in chosen if row["active_scan_id"] is None]
    able = [row["id"] for row in idle if row["credential_id"] is not None]
    await _queue(tx, able, requested_by=requested_by)
    return Queued(
        hosts=len(chosen),
        queued=len(able),
        already_active=len(active),
        without_credential=len(idle) - len(able),
    )


async def retry(tx: AsyncConnection, scan_id: UUID, *, requested_by: UUID) -> Scan:
    """Queue a new scan of the host of one that is over.

    Raises ``scan.unknown``, ``scan.not_over`` and what ``request`` raises.
    """
    row = await _find(tx, scan_id)
    if ScanState(row["state"]).is_active:
        raise OpenWatchError(errors.SCAN_NOT_OVER, state=row["state"])
    return await request(tx, row["host_id"], requested_by=requested_by, retry_of=scan_id)


async def cancel(tx: AsyncConnection, scan_id: UUID) -> Scan:
    """Stop a scan: at once while it waits, within seconds while it runs.

    Raises ``scan.unknown``, ``scan.over``.
    """
    found = await _find(tx, scan_id)
    await _lock_host(tx, found["host_id"])
    row = await store.lock(tx, found["host_id"], scan_id)
    assert row is not None
    if not ScanState(row["state"]).is_active:
        raise OpenWatchError(errors.SCAN_OVER, state=row["state"])
    at = await store.clock(tx)
    if row["state"] == ScanState.QUEUED or row["lease_expires_at"] < at:
        await _cancelled(tx, row, at)
    else:
        await store.change(tx, row["host_id"], scan_id, {"cancel_requested_at": at})
    return await get(tx, scan_id)


async def get(conn: AsyncConnection, scan_id: UUID) -> Scan:
    """Return a scan; raises ``scan.unknown``."""
    row = await _find(conn, scan_id)
    return (await _shown(conn, [row]))[0]


async def list_scans(
    conn: AsyncConnection,
    filters: ScanFilters,
    *,
    sort: str | None,
    cursor: str | None,
    limit: int,
) -> Page[Scan]:
    """Return one page; raises ``request.sort_invalid``, ``request.cursor_invalid``."""
    order = parse_order(sort, store.SORT_KEYS, default="-queued_at")
    rows, next_cursor = await store.page(
        conn, filters=filters, order=order, cursor=cursor, limit=limit
    )
    return Page(
        items=await _shown(conn, rows),
        next_cursor=next_cursor,
        total=await store.count(conn, filters),
    )


# ── What workers do ─────────────────────────────────────────────────────────────────────────────


async def begin(
    tx: AsyncConnection, host_id: UUID, scan_id: UUID, *, worker_id: UUID
) -> Lease | None:
    """Begin the next attempt of a scan; ``None`` when there is nothing to begin.

    A job may come twice, or late: only the row says whether there is work.
    """
    await _lock_host(tx, host_id)
    found = await store.waiting(tx, host_id, scan_id)
    if found is None:
        return None
    attempts, host_deleted = found
    if host_deleted:
        row = await store.lock(tx, host_id, scan_id)
        assert row is not None
        await _cancelled(tx, row, await store.clock(tx), problem=errors.HOST_DELETED)
        return None
    lease = Lease(host_id, scan_id, worker_id, attempts + 1)
    if await store.claim(tx, lease, lasts=LEASE) is None:
        return None
    await _tell(tx, "scan.started", host_id, scan_id, {"attempt": lease.attempt})
    return lease


async def complete(
    tx: AsyncConnection, lease: Lease, values: Mapping[str, Any], *, at: datetime
) -> bool:
    """Write a scan's result; ``False``, and nothing is written, when the lease is lost."""
    done = {"state": ScanState.COMPLETED, "finished_at": at, "available_at": None}
    return await store.end(tx, lease, done | dict(values))


async def fail(tx: AsyncConnection, lease: Lease, problem: Problem) -> bool:
    """End a scan without outcomes; ``False`` when the lease is lost.

    One that was to end anyway is cancelled: it may have failed for the host that was removed.
    """
    host = await _lock_host(tx, lease.host_id)
    row = await store.lock(tx, lease.host_id, lease.scan_id)
    if row is None or not _is_held(row, lease):
        return False
    at = await store.clock(tx)
    if host is None or row["cancel_requested_at"] is not None:
        await _cancelled(tx, row, at, problem=errors.HOST_DELETED if host is None else None)
        return True
    if not await store.end(tx, lease, _failed(problem, at)):
        return False
    await _tell_failed(tx, lease.host_id, lease.scan_id, problem, at)
    return True


async def stop(tx: AsyncConnection, lease: Lease) -> bool:
    """End a scan because a person cancelled it; ``False`` when the lease is lost."""
    await _lock_host(tx, lease.host_id)
    row = await store.lock(tx, lease.host_id, lease.scan_id)
    if row is None or not _is_held(row, lease):
        return False
    await _cancelled(tx, row, await store.clock(tx))
    return True


async def put_back(
    tx: AsyncConnection, lease: Lease, problem: Problem, *, counts: bool = True
) -> bool:
    """End an attempt that was interrupted: the scan waits again, or fails when it had enough.

    ``counts`` is false for an interruption that the scan did not suffer by itself, such as the end
    of its worker. Returns ``False`` when the lease is lost.
    """
    await _lock_host(tx, lease.host_id)
    row = await store.lock(tx, lease.host_id, lease.scan_id)
    if row is None or not _is_held(row, lease):
        return False
    await _requeue(tx, row, problem, counts=counts)
    return True


async def reap(db: Database) -> int:
    """Take scans from workers that are silent, and wake those that were forgotten.

    Returns how many scans were moved. Each is looked at again under lock, in its own transaction:
    its worker may come back at any moment.
    """
    async with db.read() as conn:
        suspects = await store.suspects(conn, waited=OVERDUE, most=REAPED_AT_ONCE)
    moved = 0
    for host_id, scan_id in suspects:
        try:
            async with db.transaction() as tx:
                moved += await _reap_one(tx, host_id, scan_id)
        except Exception as error:
            if is_outage(error):
                raise
            # One scan that cannot be moved must not keep the others from being moved.
            _log.exception("a scan could not be recovered", scan_id=str(scan_id))
    return moved


# ── Steps ───────────────────────────────────────────────────────────────────────────────────────


async def _queue(
    tx: AsyncConnection,
    host_ids: Sequence[UUID],
    *,
    requested_by: UUID,
    retry_of: UUID | None = None,
) -> Mapping[UUID, UUID]:
    """Queue a scan of each host, which are locked and idle; return the scans by host."""
    scans = {host_id: uuid7() for host_id in host_ids}
    if not scans:
        return scans
    at = await store.clock(tx)
    common = {
        "state": ScanState.QUEUED,
        "trigger": "manual",
        "requested_by": requested_by,
        "retry_of": retry_of,
        "queued_at": at,
        "available_at": at,
    }
    await store.add(
        tx, [{"host_id": host_id, "id": scan_id} | common for host_id, scan_id in scans.items()]
    )
    await hosts.scans_queued(tx, scans)
    payloads = {_job_name(scan, 1): _payload(host, scan) for host, scan in scans.items()}
    await port.enqueue_all(tx, TASK, payloads, queue=QUEUE)
    queued = [Happening(Subject("scan", scan), host, {}) for host, scan in scans.items()]
    await emit_all(tx, "scan.queued", queued)
    return scans


async def _reap_one(tx: AsyncConnection, host_id: UUID, scan_id: UUID) -> bool:
    await _lock_host(tx, host_id)
    row = await store.lock(tx, host_id, scan_id)
    if row is None:
        return False
    at, attempts = await store.clock(tx), row["attempts"]
    if row["state"] == ScanState.RUNNING and row["lease_expires_at"] < at:
        lost = OpenWatchError(errors.WORKER_LOST, attempts=attempts)
        await _requeue(tx, row, Problem.of(lost), counts=True)
        return True
    if row["state"] == ScanState.QUEUED and row["available_at"] < at - OVERDUE:
        if await port.is_waiting(tx, _job_name(scan_id, attempts + 1)):
            return False
        await _enqueue(tx, host_id, scan_id, attempt=attempts + 1)
        return True
    return False


async def _requeue(tx: AsyncConnection, row: RowMapping, problem: Problem, *, counts: bool) -> None:
    host_id, scan_id, attempts = row["host_id"], row["id"], int(row["attempts"])
    at = await store.clock(tx)
    if row["cancel_requested_at"] is not None:
        await _cancelled(tx, row, at)
        return
    if counts and attempts >= MAX_ATTEMPTS:
        await store.change(tx, host_id, scan_id, {**store.RELEASED, **_failed(problem, at)})
        await _tell_failed(tx, host_id, scan_id, problem, at)
        return
    used = attempts if counts else attempts - 1
    due = at + (BACK_OFF[min(attempts, len(BACK_OFF)) - 1] if counts else timedelta())
    waiting = {
        "state": ScanState.QUEUED,
        "available_at": due,
        "started_at": None,
        "attempts": used,
        "failure_code": problem.code,
        "failure_message": problem.message,
        "failure_fix": problem.fix,
    }
    await store.change(tx, host_id, scan_id, {**store.RELEASED, **waiting})
    await _enqueue(tx, host_id, scan_id, attempt=used + 1, at=due)
    data = {"attempt": attempts, "code": problem.code}
    await _tell(tx, "scan.queued", host_id, scan_id, data)


async def _cancelled(
    tx: AsyncConnection, row: RowMapping, at: datetime, *, problem: Any = None
) -> None:
    host_id, scan_id = row["host_id"], row["id"]
    why = Problem.of(OpenWatchError(problem)) if problem is not None else None
    await store.change(
        tx,
        host_id,
        scan_id,
        {
            **store.RELEASED,
            "state": ScanState.CANCELLED,
            "finished_at": at,
            "available_at": None,
            "failure_code": why and why.code,
            "failure_message": why and why.message,
            "failure_fix": why and why.fix,
        },
    )
    await hosts.scan_ended(tx, host_id, EndedScan(scan_id, ScanState.CANCELLED, at))
    await _tell(tx, "scan.cancelled", host_id, scan_id, {})


def _failed(problem: Problem, at: datetime) -> dict[str, Any]:
    return {
        "state": ScanState.FAILED,
        "finished_at": at,
        "available_at": None,
        **{f"failure_{name}": value for name, value in asdict(problem).items()},
    }


async def _tell_failed(
    tx: AsyncConnection, host_id: UUID, scan_id: UUID, problem: Problem, at: datetime
) -> None:
    ended = EndedScan(scan_id, ScanState.FAILED, at, failure_code=problem.code)
    await hosts.scan_ended(tx, host_id, ended)
    data = {"code": problem.code, "message": problem.message}
    await _tell(tx, "scan.failed", host_id, scan_id, data)


async def _enqueue(
    tx: AsyncConnection,
    host_id: UUID,
    scan_id: UUID,
    *,
    attempt: int,
    at: datetime | None = None,
) -> None:
    once = _job_name(scan_id, attempt)
    await port.enqueue(tx, TASK, _payload(host_id, scan_id), queue=QUEUE, once=once, at=at)


def _payload(host_id: UUID, scan_id: UUID) -> dict[str, str]:
    return {"host_id": str(host_id), "scan_id": str(scan_id)}


def _job_name(scan_id: UUID, attempt: int) -> str:
    return f"scan:{scan_id}:{attempt}"


async def _tell(
    tx: AsyncConnection, kind: str, host_id: UUID, scan_id: UUID, data: dict[str, Any]
) -> None:
    await emit(tx, kind, subject=Subject("scan", scan_id), host_id=host_id, data=data)


async def _shown(conn: AsyncConnection, rows: Sequence[RowMapping]) -> list[Scan]:
    hashes = {row["subject_hash"] for row in rows} - {None}
    subjects = await results.read_documents(conn, hashes) if hashes else {}
    return [shapes.scan(row, subjects.get(row["subject_hash"])) for row in rows]


async def _find(conn: AsyncConnection, scan_id: UUID) -> RowMapping:
    row = await store.find(conn, scan_id)
    if row is None:
        raise OpenWatchError(errors.SCAN_UNKNOWN, scan_id=scan_id)
    return row


async def _lock_host(tx: AsyncConnection, host_id: UUID) -> Host | None:
    """Lock the host first, wherever both are locked; a deleted host needs no lock."""
    try:
        return await hosts.lock(tx, host_id)
    except OpenWatchError:
        return None


def _is_held(row: RowMapping, lease: Lease) -> bool:
    return (
        row["state"] == ScanState.RUNNING
        and row["worker_id"] == lease.worker_id
        and row["attempts"] == lease.attempt
    )
