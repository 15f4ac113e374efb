"""All SQL about hosts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Self, TypeVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    RowMapping,
    and_,
    bindparam,
    cast,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    type_coerce,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.db.keyset import AnySelect, Order, SortKey, cut_page, select_page
from openwatch.fleet.hosts.model import LIVE, hosts
from openwatch.fleet.hosts.schema import HostFilters

Q = TypeVar("Q", bound=AnySelect)

_PLACES: Final = 10_000
"""More rules of one severity than this would fail only in a corpus of another size class."""

OS_LABEL: Final = func.nullif(func.concat_ws(" ", hosts.c.os_id, hosts.c.os_version), "")
"""The value of the filter by operating system: ``debian 12``."""

_FAILING: Final = (
    (cast(hosts.c.failing_critical, BigInteger) * _PLACES + hosts.c.failing_high) * _PLACES
    + hosts.c.failing_medium
) * _PLACES + hosts.c.failing_low

SORT_KEYS: Final[Mapping[str, SortKey]] = {
    "name": SortKey(func.lower(hosts.c.name)),
    "address": SortKey(hosts.c.address),
    "environment": SortKey(hosts.c.environment, nullable=True),
    "state": SortKey(hosts.c.state),
    "os": SortKey(OS_LABEL, nullable=True),
    "score": SortKey(hosts.c.score, nullable=True, type=float),
    "failing": SortKey(_FAILING, nullable=True, type=int),
    "last_scan": SortKey(hosts.c.last_scan_finished_at, nullable=True, type=datetime),
    "created_at": SortKey(hosts.c.created_at, type=datetime),
    "updated_at": SortKey(hosts.c.updated_at, type=datetime),
}

_SEARCHED: Final = (
    hosts.c.name,
    hosts.c.address,
    hosts.c.environment,
    hosts.c.description,
    hosts.c.os_name,
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which hosts are wanted: the filters, and the condition of the groups that they name."""

    filters: HostFilters
    within: ColumnElement[bool] | None = None

    def without(self, dimension: str) -> Self:
        """Return the selection without one of its filters."""
        return replace(self, filters=self.filters.without(dimension))


@dataclass(frozen=True, slots=True)
class Way:
    """One server on the way to a host."""

    id: UUID
    name: str
    address: str
    port: int
    username: str | None
    credential_id: UUID | None
    host_key_policy: str


async def page(
    conn: AsyncConnection, *, wanted: Selection, order: Order, cursor: str | None, limit: int
) -> tuple[Sequence[RowMapping], str | None]:
    """Return the rows of one page and the cursor of the next."""
    statement = _matching(select(hosts), wanted)
    statement = select_page(statement, order=order, id_column=hosts.c.id, cursor=cursor)
    rows = (await conn.execute(statement.limit(limit + 1))).mappings().all()
    return cut_page(rows, order=order, limit=limit)


async def count(conn: AsyncConnection, wanted: Selection) -> int:
    statement = _matching(select(func.count()).select_from(hosts), wanted)
    return (await conn.execute(statement)).scalar_one()


async def facets(conn: AsyncConnection, wanted: Selection) -> dict[str, dict[str, int]]:
    """Return counts by value for each dimension; a dimension's own filter does not narrow it."""
    columns: dict[str, ColumnElement[Any]] = {
        "state": hosts.c.state,
        "os": OS_LABEL,
        "environment": hosts.c.environment,
        "tag": func.unnest(hosts.c.tags),
    }
    branches = [
        _matching(
            select(literal(dimension).label("dimension"), column.label("value")),
            wanted.without(dimension),
        )
        for dimension, column in columns.items()
    ]
    values = union_all(*branches).subquery()
    statement = (
        select(values.c.dimension, values.c.value, func.count().label("number"))
        .where(values.c.value.is_not(None))
        .group_by(values.c.dimension, values.c.value)
        .order_by(values.c.value)
    )
    found: dict[str, dict[str, int]] = {dimension: {} for dimension in columns}
    for row in await conn.execute(statement):
        found[row.dimension][row.value] = row.number
    return found


async def find(conn: AsyncConnection, host_id: UUID) -> RowMapping | None:
    """Return a host that is not deleted."""
    statement = select(hosts).where(hosts.c.id == host_id, LIVE)
    return (await conn.execute(statement)).mappings().one_or_none()


async def lock(tx: AsyncConnection, host_id: UUID) -> RowMapping | None:
    """Return a host that is not deleted and keep others from changing it until ``tx`` ends."""
    statement = select(hosts).where(hosts.c.id == host_id, LIVE).with_for_update(key_share=True)
    return (await tx.execute(statement)).mappings().one_or_none()


async def lock_deleted(tx: AsyncConnection, host_id: UUID) -> RowMapping | None:
    """Return a host that was deleted and keep others from changing it until ``tx`` ends."""
    statement = select(hosts).where(hosts.c.id == host_id, not_(LIVE)).with_for_update()
    return (await tx.execute(statement)).mappings().one_or_none()


async def lock_chosen(
    tx: AsyncConnection, wanted: Selection | Sequence[UUID], *, most: int
) -> Sequence[RowMapping]:
    """Return id, active scan and credential of the chosen hosts, locked in the order of their ids.

    Whoever locks several hosts locks them in this order, so that nobody waits in a circle.
    """
    columns = (hosts.c.id, hosts.c.active_scan_id, hosts.c.credential_id)
    if isinstance(wanted, Selection):
        statement = _matching(select(*columns), wanted).where(LIVE)
    else:
        statement = select(*columns).where(LIVE, hosts.c.id.in_(wanted))
    statement = statement.order_by(hosts.c.id).limit(most).with_for_update(key_share=True)
    return (await tx.execute(statement)).mappings().all()


async def note_active_scans(tx: AsyncConnection, scans: Mapping[UUID, UUID]) -> None:
    """Note for each host the scan that is not over yet."""
    statement = (
        update(hosts)
        .where(hosts.c.id == bindparam("host"))
        .values(active_scan_id=bindparam("scan"))
    )
    rows = [{"host": host_id, "scan": scan_id} for host_id, scan_id in scans.items()]
    await tx.execute(statement, rows)


async def name_taken(tx: AsyncConnection, name: str, *, by_other_than: UUID) -> bool:
    statement = select(hosts.c.id).where(
        func.lower(hosts.c.name) == func.lower(name), LIVE, hosts.c.id != by_other_than
    )
    return (await tx.execute(statement)).first() is not None


async def add(tx: AsyncConnection, values: Mapping[str, Any]) -> None:
    await tx.execute(insert(hosts).values(values))


async def change(tx: AsyncConnection, host_id: UUID, values: Mapping[str, Any]) -> None:
    await tx.execute(update(hosts).where(hosts.c.id == host_id).values(values))


async def names_behind(conn: AsyncConnection, host_id: UUID, *, limit: int) -> Sequence[str]:
    """Return the names of some hosts that are reached through this one."""
    statement = (
        select(hosts.c.name)
        .where(hosts.c.jump_host_id == host_id, LIVE)
        .order_by(hosts.c.name)
        .limit(limit)
    )
    return (await conn.execute(statement)).scalars().all()


async def names_with_credential(
    conn: AsyncConnection, credential_id: UUID, *, limit: int
) -> tuple[int, Sequence[str]]:
    """Return how many hosts log in with a credential, and the names of some of them."""
    uses = and_(hosts.c.credential_id == credential_id, LIVE)
    statement = select(hosts.c.name).where(uses).order_by(hosts.c.name).limit(limit)
    total = await conn.execute(select(func.count()).select_from(hosts).where(uses))
    return total.scalar_one(), (await conn.execute(statement)).scalars().all()


async def way(conn: AsyncConnection, host_id: UUID, *, most: int) -> Sequence[Way]:
    """Return the host and its jump hosts, outwards; at most ``most`` of them, loops included."""
    columns = (
        hosts.c.id,
        hosts.c.name,
        hosts.c.address,
        hosts.c.port,
        hosts.c.username,
        hosts.c.credential_id,
        hosts.c.host_key_policy,
        hosts.c.jump_host_id,
    )
    first = select(*columns, literal(0).label("hop")).where(hosts.c.id == host_id, LIVE)
    hops = first.cte("hops", recursive=True)
    hops = hops.union_all(
        select(*columns, hops.c.hop + 1)
        .join(hops, hosts.c.id == hops.c.jump_host_id)
        .where(LIVE, hops.c.hop + 1 < most)
    )
    statement = select(*[hops.c[column.name] for column in columns[:-1]]).order_by(hops.c.hop)
    return [Way(*row) for row in await conn.execute(statement)]


def _matching(statement: Q, wanted: Selection) -> Q:
    filters = wanted.filters
    statement = statement.where(not_(LIVE) if filters.deleted else LIVE)
    if wanted.within is not None:
        statement = statement.where(wanted.within)
    if filters.search and (text := filters.search.strip()):
        found = [column.icontains(text, autoescape=True) for column in _SEARCHED]
        tags = func.array_to_string(hosts.c.tags, "\n")
        statement = statement.where(or_(*found, tags.icontains(text, autoescape=True)))
    if filters.state:
        statement = statement.where(hosts.c.state.in_(filters.state))
    if filters.os:
        statement = statement.where(OS_LABEL.in_(filters.os))
    if filters.environment:
        statement = statement.where(hosts.c.environment.in_(filters.environment))
    if filters.tag:
        tags = type_coerce(filters.tag, hosts.c.tags.type)
        statement = statement.where(hosts.c.tags.overlap(tags))
    if filters.score_below is not None:
        statement = statement.where(hosts.c.score < filters.score_below)
    return statement
