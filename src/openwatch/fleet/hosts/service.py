"""What can be done with hosts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.db.keyset import parse_order
from openwatch.fleet import errors
from openwatch.fleet.groups import service as groups
from openwatch.fleet.hosts import store
from openwatch.fleet.hosts.schema import (
    MAX_CHOSEN,
    Failing,
    Host,
    HostChoice,
    HostCreate,
    HostFacets,
    HostFilters,
    HostUpdate,
    LastScan,
    Os,
    Score,
)
from openwatch.kit.clock import now
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.http import expect_version
from openwatch.kit.ids import uuid7
from openwatch.kit.paging import Page
from openwatch.signals.service import Subject, emit

MAX_JUMP_HOSTS: Final = 5
NAMES_SHOWN: Final = 5
"""How many names a sentence lists before it gets too long to read."""

_REFERENCES: Final = {
    "fk_hosts_credential_id_credentials": (
        errors.CREDENTIAL_NOT_FOUND,
        "credential_id",
        "credential_id",
    ),
    "fk_hosts_jump_host_id_hosts": (errors.JUMP_HOST_UNKNOWN, "host_id", "jump_host_id"),
}


@dataclass(frozen=True, slots=True)
class EndedScan:
    """How a scan ended, as the inventory shows it."""

    id: UUID
    state: str
    finished_at: datetime
    failure_code: str | None = None


@dataclass(frozen=True, slots=True)
class Posture:
    """What a completed scan says about its host; column names of the table of hosts."""

    os_family: str | None
    os_id: str | None
    os_version: str | None
    os_name: str | None
    score: float | None
    score_formula: str
    coverage: float | None
    pass_count: int
    fail_count: int
    error_count: int
    not_applicable_count: int
    manual_count: int
    not_configured_count: int
    failing_critical: int
    failing_high: int
    failing_medium: int
    failing_low: int


async def list_hosts(
    conn: AsyncConnection,
    *,
    filters: HostFilters,
    sort: str | None,
    cursor: str | None,
    limit: int,
) -> Page[Host]:
    """Return one page of hosts; raises ``request.sort_invalid``, ``request.cursor_invalid``."""
    order = parse_order(sort, store.SORT_KEYS, default="name")
    wanted = await _selection(conn, filters)
    rows, next_cursor = await store.page(
        conn, wanted=wanted, order=order, cursor=cursor, limit=limit
    )
    total = await store.count(conn, wanted)
    return Page(items=[_host(row) for row in rows], next_cursor=next_cursor, total=total)


async def facets(conn: AsyncConnection, filters: HostFilters) -> HostFacets:
    """Return how many hosts there are by each value of each filter."""
    wanted = await _selection(conn, filters)
    return HostFacets.model_validate(await store.facets(conn, wanted))


async def get(conn: AsyncConnection, host_id: UUID) -> Host:
    """Return a host; raises ``host.unknown``."""
    row = await store.find(conn, host_id)
    if row is None:
        raise OpenWatchError(errors.HOST_UNKNOWN, host_id=host_id)
    return _host(row)


async def lock(tx: AsyncConnection, host_id: UUID) -> Host:
    """Return a host that nobody else changes until ``tx`` ends; raises ``host.unknown``."""
    row = await store.lock(tx, host_id)
    if row is None:
        raise OpenWatchError(errors.HOST_UNKNOWN, host_id=host_id)
    return _host(row)


async def create(tx: AsyncConnection, request: HostCreate) -> Host:
    """Add a host.

    Raises ``host.exists``, ``credential.not_found``, ``host.jump_host_unknown``.
    """
    host_id, at = uuid7(), now()
    values = request.model_dump(exclude={"trust_host_key"})
    await _check_name(tx, host_id, request.name)
    await _check_way(tx, host_id, request.name, request.jump_host_id)
    row = {**values, "id": host_id, "created_at": at, "updated_at": at}
    await _write(store.add(tx, row), values)
    data = {"name": request.name, "address": request.address}
    await emit(tx, "host.created", subject=Subject("host", host_id), host_id=host_id, data=data)
    return await get(tx, host_id)


async def change(
    tx: AsyncConnection, host_id: UUID, request: HostUpdate, *, expected: int | None
) -> Host:
    """Change a host. ``expected`` is the version that the caller has seen.

    Raises ``host.unknown``, ``request.precondition_failed`` and what ``create`` raises.
    """
    before = await lock(tx, host_id)
    expect_version(before.version, expected)
    given = request.changes()
    changes = {name: value for name, value in given.items() if getattr(before, name) != value}
    if not changes:
        return before
    if "name" in changes:
        await _check_name(tx, host_id, changes["name"])
    if "jump_host_id" in changes:
        await _check_way(tx, host_id, before.name, changes["jump_host_id"])
    values = {**changes, "updated_at": now(), "version": before.version + 1}
    await _write(store.change(tx, host_id, values), changes)
    data = {"name": changes.get("name", before.name), "changed": sorted(changes)}
    await emit(tx, "host.updated", subject=Subject("host", host_id), host_id=host_id, data=data)
    return await get(tx, host_id)


async def delete(tx: AsyncConnection, host_id: UUID) -> None:
    """Take a host out of the inventory. Its scans and their evidence stay.

    Raises ``host.unknown``, ``host.is_jump_host``.
    """
    host = await lock(tx, host_id)
    if names := await store.names_behind(tx, host_id, limit=NAMES_SHOWN):
        raise OpenWatchError(errors.HOST_IS_JUMP_HOST, name=host.name, hosts=", ".join(names))
    at = now()
    await store.change(
        tx, host_id, {"deleted_at": at, "updated_at": at, "version": host.version + 1}
    )
    data = {"name": host.name}
    await emit(tx, "host.deleted", subject=Subject("host", host_id), host_id=host_id, data=data)


async def using_credential(conn: AsyncConnection, credential_id: UUID) -> tuple[int, Sequence[str]]:
    """Return how many hosts log in with a credential, and the names of some of them."""
    return await store.names_with_credential(conn, credential_id, limit=NAMES_SHOWN)


async def restore(tx: AsyncConnection, host_id: UUID) -> Host:
    """Bring a deleted host back, with its scans, its keys and the groups that it was put into.

    A jump host that was deleted meanwhile is not brought back with it: the host is reached
    directly then. Raises ``host.not_deleted``, ``host.exists`` and ``host.jump_host_loop``.
    """
    row = await store.lock_deleted(tx, host_id)
    if row is None:
        host = await get(tx, host_id)
        raise OpenWatchError(errors.HOST_NOT_DELETED, name=host.name)
    await _check_name(tx, host_id, row["name"])
    values: dict[str, Any] = {
        "deleted_at": None,
        "updated_at": now(),
        "version": row["version"] + 1,
    }
    if row["jump_host_id"] is not None and await store.find(tx, row["jump_host_id"]) is None:
        values["jump_host_id"] = None
    else:
        await _check_way(tx, host_id, row["name"], row["jump_host_id"])
    await _write(store.change(tx, host_id, values), {"name": row["name"]})
    data = {"name": row["name"], "address": row["address"]}
    await emit(tx, "host.restored", subject=Subject("host", host_id), host_id=host_id, data=data)
    return await get(tx, host_id)


async def way(conn: AsyncConnection, host_id: UUID) -> Sequence[store.Way]:
    """Return the host and the jump hosts before it, outwards; raises ``host.unknown``."""
    hops = await store.way(conn, host_id, most=MAX_JUMP_HOSTS + 1)
    if not hops:
        raise OpenWatchError(errors.HOST_UNKNOWN, host_id=host_id)
    return hops


async def lock_chosen(tx: AsyncConnection, choice: HostChoice) -> Sequence[RowMapping]:
    """Return ``id``, ``active_scan_id`` and ``credential_id`` of hosts that stay as they are.

    Ids that no host has are left out. Raises ``host.too_many``.
    """
    wanted = choice.host_ids
    if choice.filters is not None:
        wanted = await _selection(tx, choice.filters)
    assert wanted is not None
    rows = await store.lock_chosen(tx, wanted, most=MAX_CHOSEN + 1)
    if len(rows) > MAX_CHOSEN:
        raise OpenWatchError(errors.HOST_TOO_MANY, limit=MAX_CHOSEN)
    return rows


async def scans_queued(tx: AsyncConnection, scans: Mapping[UUID, UUID]) -> None:
    """Note for each host the scan that is not over yet."""
    await store.note_active_scans(tx, scans)


async def scan_ended(tx: AsyncConnection, host_id: UUID, scan: EndedScan) -> None:
    """Note how the scan of a host ended; what the host looked like before still stands."""
    await store.change(tx, host_id, _ended(scan))


async def scan_completed(
    tx: AsyncConnection, host_id: UUID, scan: EndedScan, posture: Posture
) -> None:
    """Make the outcomes of a scan the current ones of its host."""
    current = {"current_scan_id": scan.id, "current_scan_at": scan.finished_at}
    found = {name: getattr(posture, name) for name in Posture.__slots__}
    await store.change(tx, host_id, _ended(scan) | current | found)


def _ended(scan: EndedScan) -> dict[str, Any]:
    return {
        "active_scan_id": None,
        "last_scan_id": scan.id,
        "last_scan_state": scan.state,
        "last_scan_finished_at": scan.finished_at,
        "last_scan_failure_code": scan.failure_code,
    }


async def _selection(conn: AsyncConnection, filters: HostFilters) -> store.Selection:
    return store.Selection(filters, await groups.hosts_of(conn, filters.group))


async def _check_name(tx: AsyncConnection, host_id: UUID, name: str) -> None:
    if await store.name_taken(tx, name, by_other_than=host_id):
        raise OpenWatchError(errors.HOST_EXISTS, name=name, field="name")


async def _check_way(
    tx: AsyncConnection, host_id: UUID, name: str, jump_host_id: UUID | None
) -> None:
    if jump_host_id is None:
        return
    hops = await store.way(tx, jump_host_id, most=MAX_JUMP_HOSTS + 1)
    if not hops:
        raise OpenWatchError(errors.JUMP_HOST_UNKNOWN, host_id=jump_host_id, field="jump_host_id")
    ids = [hop.id for hop in hops]
    if host_id in ids:
        names = [name, *(hop.name for hop in hops[: ids.index(host_id) + 1])]
        raise OpenWatchError(errors.JUMP_HOST_LOOP, way=" → ".join(names), field="jump_host_id")
    if len(hops) > MAX_JUMP_HOSTS:
        raise OpenWatchError(errors.JUMP_CHAIN_TOO_LONG, limit=MAX_JUMP_HOSTS, field="jump_host_id")


async def _write(statement: Any, values: Mapping[str, Any]) -> None:
    """Run a statement; what it violates is told as the mistake that it is."""
    try:
        await statement
    except IntegrityError as error:
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        if constraint == "uq_hosts_name_live":
            raise OpenWatchError(errors.HOST_EXISTS, name=values["name"], field="name") from None
        if constraint in _REFERENCES:
            kind, parameter, column = _REFERENCES[constraint]
            raise OpenWatchError(kind, **{parameter: values[column]}, field=column) from None
        raise


def _host(row: RowMapping) -> Host:
    return Host(
        **{name: row[name] for name in _PLAIN},
        os=_os(row),
        score=_score(row),
        failing=Failing(
            critical=row["failing_critical"] or 0,
            high=row["failing_high"] or 0,
            medium=row["failing_medium"] or 0,
            low=row["failing_low"] or 0,
        ),
        last_scan=_last_scan(row),
    )


_PLAIN: Final = tuple(Host.model_fields.keys() - {"os", "score", "failing", "last_scan"})


def _os(row: RowMapping) -> Os | None:
    if row["os_id"] is None:
        return None
    return Os(
        family=row["os_family"] or "",
        id=row["os_id"],
        version=row["os_version"] or "",
        name=row["os_name"] or "",
    )


def _score(row: RowMapping) -> Score | None:
    if row["current_scan_id"] is None:
        return None
    return Score(
        value=row["score"],
        **{"pass": row["pass_count"]},
        fail=row["fail_count"],
        error=row["error_count"],
        not_applicable=row["not_applicable_count"],
        manual=row["manual_count"],
        not_configured=row["not_configured_count"],
        coverage=row["coverage"],
        formula=row["score_formula"],
    )


def _last_scan(row: RowMapping) -> LastScan | None:
    if row["last_scan_id"] is None:
        return None
    return LastScan(
        id=row["last_scan_id"],
        state=row["last_scan_state"],
        finished_at=row["last_scan_finished_at"],
        failure_code=row["last_scan_failure_code"],
    )
