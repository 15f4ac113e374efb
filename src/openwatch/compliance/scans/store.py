"""All SQL about scans. Every write of a worker names the attempt that it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import RowMapping, Update, and_, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.compliance.results.model import signing_keys
from openwatch.compliance.scans.model import ScanState, scans
from openwatch.db.keyset import AnySelect, Order, SortKey, cut_page, select_page
from openwatch.fleet.hosts.model import hosts

Q = TypeVar("Q", bound=AnySelect)

SORT_KEYS: Final[Mapping[str, SortKey]] = {
    "queued_at": SortKey(scans.c.queued_at, type=datetime),
    "finished_at": SortKey(scans.c.finished_at, nullable=True, type=datetime),
    "state": SortKey(scans.c.state),
    "host_name": SortKey(func.lower(hosts.c.name)),
}

_SHOWN: Final = (scans, hosts.c.name.label("host_name"), signing_keys.c.key_id)

COUNTED_AT_MOST: Final = 10_000
"""An exact count of all scans that ever were would cost more with every day."""


@dataclass(frozen=True, slots=True)
class ScanFilters:
    """Which scans a list shows; several states mean any of them."""

    host_id: UUID | None = None
    state: tuple[ScanState, ...] = ()
    since: datetime | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one worker to carry out one attempt of a scan."""

    host_id: UUID
    scan_id: UUID
    worker_id: UUID
    attempt: int


@dataclass(frozen=True, slots=True)
class Held:
    """What became of a scan that a worker works on."""

    scan_id: UUID
    attempt: int
    cancel_requested: bool
    host_deleted: bool


async def page(
    conn: AsyncConnection, *, filters: ScanFilters, order: Order, cursor: str | None, limit: int
) -> tuple[Sequence[RowMapping], str | None]:
    """Return the rows of one page and the cursor of the next."""
    statement = _matching(_joined(select(*_SHOWN)), filters)
    statement = select_page(statement, order=order, id_column=scans.c.id, cursor=cursor)
    rows = (await conn.execute(statement.limit(limit + 1))).mappings().all()
    return cut_page(rows, order=order, limit=limit)


async def count(conn: AsyncConnection, filters: ScanFilters) -> int | None:
    """Return how many scans match; ``None`` when there are more than ``COUNTED_AT_MOST``."""
    some = _matching(_joined(select(scans.c.id)), filters).limit(COUNTED_AT_MOST + 1).subquery()
    found = (await conn.execute(select(func.count()).select_from(some))).scalar_one()
    return found if found <= COUNTED_AT_MOST else None


async def find(conn: AsyncConnection, scan_id: UUID) -> RowMapping | None:
    statement = _joined(select(*_SHOWN)).where(scans.c.id == scan_id)
    return (await conn.execute(statement)).mappings().one_or_none()


async def find_by_root(conn: AsyncConnection, host_id: UUID, root: bytes) -> RowMapping | None:
    statement = select(scans).where(scans.c.host_id == host_id, scans.c.root_hash == root)
    return (await conn.execute(statement)).mappings().one_or_none()


async def lock(tx: AsyncConnection, host_id: UUID, scan_id: UUID) -> RowMapping | None:
    """Return a scan that nobody else changes until ``tx`` ends."""
    statement = (
        select(scans).where(scans.c.host_id == host_id, scans.c.id == scan_id).with_for_update()
    )
    return (await tx.execute(statement)).mappings().one_or_none()


async def add(tx: AsyncConnection, values: Sequence[Mapping[str, Any]]) -> None:
    await tx.execute(insert(scans), values)


async def claim(tx: AsyncConnection, lease: Lease, *, lasts: timedelta) -> RowMapping | None:
    """Begin the next attempt of a scan that waits and is due; ``None`` when it does not.

    ``lease.attempt`` is the attempt that this is meant to be.
    """
    statement = (
        update(scans)
        .where(
            scans.c.host_id == lease.host_id,
            scans.c.id == lease.scan_id,
            scans.c.state == ScanState.QUEUED,
            scans.c.attempts == lease.attempt - 1,
            scans.c.available_at <= func.now(),
        )
        .values(
            state=ScanState.RUNNING,
            attempts=lease.attempt,
            worker_id=lease.worker_id,
            lease_expires_at=func.now() + lasts,
            started_at=func.now(),
            progress_stage="connect",
            progress_done=0,
            progress_total=1,
            failure_code=None,
            failure_message=None,
            failure_fix=None,
        )
        .returning(scans)
    )
    return (await tx.execute(statement)).mappings().one_or_none()


async def waiting(conn: AsyncConnection, host_id: UUID, scan_id: UUID) -> tuple[int, bool] | None:
    """Return the attempts of a scan that waits, and whether its host is deleted."""
    statement = (
        select(scans.c.attempts, hosts.c.deleted_at.is_not(None))
        .join(hosts, hosts.c.id == scans.c.host_id)
        .where(scans.c.host_id == host_id, scans.c.id == scan_id, scans.c.state == ScanState.QUEUED)
    )
    row = (await conn.execute(statement)).one_or_none()
    return None if row is None else (row[0], row[1])


async def held(conn: AsyncConnection, worker_id: UUID) -> list[Held]:
    """Return the scans whose lease a worker holds."""
    statement = (
        select(
            scans.c.id,
            scans.c.attempts,
            scans.c.cancel_requested_at.is_not(None),
            hosts.c.deleted_at.is_not(None),
        )
        .join(hosts, hosts.c.id == scans.c.host_id)
        .where(scans.c.state == ScanState.RUNNING, scans.c.worker_id == worker_id)
    )
    return [Held(*row) for row in await conn.execute(statement)]


async def renew(tx: AsyncConnection, worker_id: UUID, *, lasts: timedelta) -> None:
    """Lengthen all leases of a worker."""
    await tx.execute(
        update(scans)
        .where(scans.c.state == ScanState.RUNNING, scans.c.worker_id == worker_id)
        .values(lease_expires_at=func.now() + lasts)
    )


async def progress(tx: AsyncConnection, lease: Lease, *, stage: str, done: int, total: int) -> bool:
    """Note how far an attempt is; ``False`` when the worker no longer holds it."""
    statement = _mine(lease).values(progress_stage=stage, progress_done=done, progress_total=total)
    return (await tx.execute(statement)).rowcount == 1


async def end(tx: AsyncConnection, lease: Lease, values: Mapping[str, Any]) -> bool:
    """End an attempt with these values; ``False`` when the worker no longer holds it."""
    ended = {**RELEASED, **values}
    return (await tx.execute(_mine(lease).values(ended))).rowcount == 1


async def change(
    tx: AsyncConnection, host_id: UUID, scan_id: UUID, values: Mapping[str, Any]
) -> None:
    """Change a scan that the caller has locked."""
    await tx.execute(
        update(scans).where(scans.c.host_id == host_id, scans.c.id == scan_id).values(values)
    )


async def suspects(
    conn: AsyncConnection, *, waited: timedelta, most: int
) -> Sequence[tuple[UUID, UUID]]:
    """Return host and id of scans whose lease ran out, and of those that wait for too long."""
    abandoned = and_(scans.c.state == ScanState.RUNNING, scans.c.lease_expires_at < func.now())
    overdue = and_(scans.c.state == ScanState.QUEUED, scans.c.available_at < func.now() - waited)
    statement = select(scans.c.host_id, scans.c.id).where(or_(abandoned, overdue)).limit(most)
    return [(row[0], row[1]) for row in await conn.execute(statement)]


async def history(conn: AsyncConnection, host_id: UUID, *, limit: int) -> Sequence[RowMapping]:
    """Return the last completed scans of a host, newest first."""
    statement = (
        select(scans)
        .where(scans.c.host_id == host_id, scans.c.state == ScanState.COMPLETED)
        .order_by(scans.c.finished_at.desc())
        .limit(limit)
    )
    return (await conn.execute(statement)).mappings().all()


async def completed_at(
    conn: AsyncConnection, host_id: UUID, at: datetime | None
) -> RowMapping | None:
    """Return the scan that was a host's current one at a time (now, when ``None``)."""
    statement = select(scans).where(
        scans.c.host_id == host_id, scans.c.state == ScanState.COMPLETED
    )
    if at is not None:
        statement = statement.where(scans.c.finished_at <= at)
    statement = statement.order_by(scans.c.finished_at.desc()).limit(1)
    return (await conn.execute(statement)).mappings().one_or_none()


async def clock(conn: AsyncConnection) -> datetime:
    """Return the database's time at this moment: the one clock that all workers share."""
    return (await conn.execute(text("SELECT clock_timestamp()"))).scalar_one()


RELEASED: Final[Mapping[str, Any]] = {
    "worker_id": None,
    "lease_expires_at": None,
    "progress_stage": None,
    "progress_done": None,
    "progress_total": None,
}
"""What a row loses with its lease."""


def _mine(lease: Lease) -> Update:
    return update(scans).where(
        scans.c.host_id == lease.host_id,
        scans.c.id == lease.scan_id,
        scans.c.state == ScanState.RUNNING,
        scans.c.worker_id == lease.worker_id,
        scans.c.attempts == lease.attempt,
    )


def _joined(statement: Q) -> Q:
    named = scans.join(hosts, hosts.c.id == scans.c.host_id)
    return statement.select_from(
        named.outerjoin(signing_keys, signing_keys.c.number == scans.c.signing_key)
    )


def _matching(statement: Q, filters: ScanFilters) -> Q:
    if filters.host_id:
        statement = statement.where(scans.c.host_id == filters.host_id)
    if filters.state:
        statement = statement.where(scans.c.state.in_(filters.state))
    if filters.since:
        statement = statement.where(scans.c.queued_at >= filters.since)
    if filters.search:
        found = (hosts.c.name, hosts.c.address, scans.c.failure_code)
        statement = statement.where(
            or_(*[column.icontains(filters.search, autoescape=True) for column in found])
        )
    return statement
