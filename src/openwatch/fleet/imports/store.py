"""All SQL about imports, and the bulk SQL that writes the hosts of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import (
    ARRAY,
    RowMapping,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    column,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.db.engine import Database
from openwatch.db.keyset import Order, SortKey, cut_page, select_page
from openwatch.fleet.credentials.model import credentials
from openwatch.fleet.groups.model import group_members, groups
from openwatch.fleet.host_keys.model import host_keys
from openwatch.fleet.hosts.model import LIVE, HostKeyPolicy, hosts
from openwatch.fleet.imports.model import ImportState, Outcome, import_rows, imports
from openwatch.fleet.imports.plan import COMPARED
from openwatch.jobs import port

SORT_KEYS: Final[Mapping[str, SortKey]] = {
    "created_at": SortKey(imports.c.created_at, type=datetime),
}
ROW_SORT_KEYS: Final[Mapping[str, SortKey]] = {"line": SortKey(import_rows.c.line, type=int)}

AT_ONCE: Final = 5000
"""Rows per statement: larger parameters gain nothing and hold more memory."""

OVER: Final = (ImportState.COMPLETED, ImportState.FAILED)
_LISTED: Final = tuple(c for c in imports.c if c.name != "content")
_HOST_COLUMNS: Final = ("id", *COMPARED)
_ROW_COLUMNS: Final = tuple(c.name for c in import_rows.c)


async def add(tx: AsyncConnection, values: Mapping[str, Any]) -> None:
    await tx.execute(insert(imports).values(values))


async def find(conn: AsyncConnection, import_id: UUID) -> RowMapping | None:
    statement = select(*_LISTED).where(imports.c.id == import_id)
    return (await conn.execute(statement)).mappings().one_or_none()


async def page(
    conn: AsyncConnection, *, order: Order, cursor: str | None, limit: int
) -> tuple[Sequence[RowMapping], str | None]:
    """Return the rows of one page and the cursor of the next."""
    statement = select(*_LISTED)
    statement = select_page(statement, order=order, id_column=imports.c.id, cursor=cursor)
    rows = (await conn.execute(statement.limit(limit + 1))).mappings().all()
    return cut_page(rows, order=order, limit=limit)


async def count(conn: AsyncConnection) -> int:
    return (await conn.execute(select(func.count()).select_from(imports))).scalar_one()


async def page_of_rows(
    conn: AsyncConnection,
    import_id: UUID,
    *,
    outcomes: Sequence[Outcome],
    order: Order,
    cursor: str | None,
    limit: int,
) -> tuple[Sequence[RowMapping], str | None, int]:
    """Return rows with their outcomes, the cursor of the next page, and how many there are."""
    wanted = [import_rows.c.import_id == import_id]
    if outcomes:
        wanted.append(import_rows.c.outcome.in_(outcomes))
    statement = select(import_rows).where(*wanted)
    statement = select_page(statement, order=order, id_column=import_rows.c.number, cursor=cursor)
    rows = (await conn.execute(statement.limit(limit + 1))).mappings().all()
    total = await conn.execute(select(func.count()).select_from(import_rows).where(*wanted))
    return *cut_page(rows, order=order, limit=limit), total.scalar_one()


async def refused_rows(conn: AsyncConnection, import_id: UUID) -> Sequence[RowMapping]:
    """Return line, problem and cells of the refused rows in the order of the file."""
    columns = (import_rows.c.line, import_rows.c.problem, import_rows.c.cells)
    refused = and_(import_rows.c.import_id == import_id, import_rows.c.outcome == Outcome.REFUSED)
    statement = select(*columns).where(refused).order_by(import_rows.c.number)
    return (await conn.execute(statement)).mappings().all()


# ── Carrying one out ────────────────────────────────────────────────────────────────────────────


async def begin(tx: AsyncConnection, import_id: UUID, at: datetime) -> RowMapping | None:
    """Return a whole import that is not over, which now runs; ``None``: it is over, or gone."""
    statement = (
        update(imports)
        .where(imports.c.id == import_id, imports.c.state.not_in(OVER))
        .values(state=ImportState.RUNNING, started_at=func.coalesce(imports.c.started_at, at))
        .returning(*imports.c)
    )
    return (await tx.execute(statement)).mappings().one_or_none()


async def hold(tx: AsyncConnection, import_id: UUID, *, position: int) -> bool:
    """Keep others from going on with an import; ``False``: they have gone on already."""
    here = and_(
        imports.c.id == import_id,
        imports.c.state == ImportState.RUNNING,
        imports.c.position == position,
    )
    found = await tx.execute(select(imports.c.id).where(here).with_for_update())
    return found.first() is not None


async def advance(
    tx: AsyncConnection, import_id: UUID, *, done: int, counts: Mapping[Outcome, int]
) -> None:
    """Note that so many more rows are done, and how."""
    added = {outcome.value: imports.c[outcome] + number for outcome, number in counts.items()}
    await tx.execute(
        update(imports)
        .where(imports.c.id == import_id)
        .values(position=imports.c.position + done, **added)
    )


async def finish(tx: AsyncConnection, import_id: UUID, values: Mapping[str, Any]) -> bool:
    """Write the end of an import that is not over, once."""
    statement = (
        update(imports)
        .where(imports.c.id == import_id, imports.c.state.not_in(OVER))
        .values({**values, "content": None})
    )
    return (await tx.execute(statement)).rowcount > 0


async def add_rows(db: Database, tx: AsyncConnection, rows: Iterable[Sequence[Any]]) -> None:
    """Write what became of rows; each as the columns of the table."""
    await db.copy_rows(tx, import_rows, _ROW_COLUMNS, rows)


async def without_job(conn: AsyncConnection, *, task: str, before: datetime) -> Sequence[UUID]:
    """Return the imports from before a moment that are not over and that no job is about."""
    statement = select(imports.c.id).where(
        imports.c.state.not_in(OVER), imports.c.created_at < before
    )
    lost = (await conn.execute(statement)).scalars().all()
    return [i for i in lost if not await port.is_alive(conn, f"{task}:{i}")]


async def remove_trials(tx: AsyncConnection, *, older_than: timedelta, at: datetime) -> int:
    """Remove trials that are long over; return their number."""
    old = and_(imports.c.dry_run, imports.c.finished_at < at - older_than)
    return (await tx.execute(delete(imports).where(old))).rowcount


# ── What the inventory holds ────────────────────────────────────────────────────────────────────


async def lock_hosts(
    tx: AsyncConnection, *, names: Sequence[str], addresses: Sequence[str]
) -> Sequence[RowMapping]:
    """Return the hosts with one of these names, in lower case, or addresses; locked by id."""
    wanted = func.lower(hosts.c.name) == any_(_texts(names))
    if addresses:
        wanted = or_(wanted, hosts.c.address == any_(_texts(addresses)))
    columns = [hosts.c[name] for name in _HOST_COLUMNS]
    statement = select(*columns).where(LIVE, wanted).order_by(hosts.c.id)
    locked = statement.with_for_update(key_share=True)
    return (await tx.execute(locked)).mappings().all()


async def hosts_named(
    conn: AsyncConnection, names: Sequence[str], *, most: int
) -> tuple[dict[str, UUID], dict[UUID, UUID | None]]:
    """Return the hosts with these names, and the jump host of each host on their ways."""
    columns = (hosts.c.id, hosts.c.name, hosts.c.jump_host_id)
    named = func.lower(hosts.c.name) == any_(_texts(names))
    first = select(*columns, literal(0).label("hop")).where(named, LIVE)
    found = first.cte("found", recursive=True)
    outer = select(*columns, found.c.hop + 1).join(found, hosts.c.id == found.c.jump_host_id)
    found = found.union(outer.where(LIVE, found.c.hop < most))
    rows = (await conn.execute(select(found))).all()
    by_name = {row.name.lower(): row.id for row in rows if row.hop == 0}
    return by_name, {row.id: row.jump_host_id for row in rows}


async def lock_credentials(
    tx: AsyncConnection, *, names: Sequence[str], also: UUID | None
) -> Sequence[RowMapping]:
    """Return credentials by name or id, which stay until ``tx`` ends."""
    wanted = func.lower(credentials.c.name) == any_(_texts(names))
    statement = select(credentials.c.id, credentials.c.name).where(
        or_(wanted, credentials.c.id == also)
    )
    return (await tx.execute(statement.with_for_update(key_share=True, read=True))).mappings().all()


async def groups_named(
    conn: AsyncConnection, *, names: Sequence[str], also: UUID | None
) -> Sequence[RowMapping]:
    wanted = func.lower(groups.c.name) == any_(_texts(names))
    statement = select(groups.c.id, groups.c.name, groups.c.rule).where(
        or_(wanted, groups.c.id == also)
    )
    return (await conn.execute(statement)).mappings().all()


async def members(
    conn: AsyncConnection, *, host_ids: Sequence[UUID], group_ids: Sequence[UUID]
) -> frozenset[tuple[UUID, UUID]]:
    """Return which of these hosts were put into which of these groups."""
    statement = select(group_members.c.host_id, group_members.c.group_id).where(
        group_members.c.host_id == any_(_ids(host_ids)),
        group_members.c.group_id == any_(_ids(group_ids)),
    )
    return frozenset((row.host_id, row.group_id) for row in await conn.execute(statement))


# ── Hosts by the thousand ───────────────────────────────────────────────────────────────────────


async def add_hosts(tx: AsyncConnection, values: Sequence[Mapping[str, Any]], at: datetime) -> None:
    """Add hosts; each has every column that a row can set, and its id."""
    new = _records("new", [hosts.c[name] for name in _HOST_COLUMNS])
    fixed = {
        "host_key_policy": literal(HostKeyPolicy.ACCEPT_NEW.value),
        "created_at": literal(at),
        "updated_at": literal(at),
    }
    chosen = select(*[new.c[name] for name in _HOST_COLUMNS], *fixed.values())
    statement = insert(hosts).from_select([*_HOST_COLUMNS, *fixed], chosen)
    await _in_parts(tx, statement, values)


async def change_hosts(
    tx: AsyncConnection, values: Sequence[Mapping[str, Any]], at: datetime
) -> None:
    """Change hosts; each has every column that a row can set, changed or not, and its id."""
    new = _records("new", [hosts.c[name] for name in _HOST_COLUMNS])
    changed = {name: new.c[name] for name in COMPARED}
    statement = (
        update(hosts)
        .where(hosts.c.id == new.c.id)
        .values({**changed, "updated_at": at, "version": hosts.c.version + 1})
    )
    await _in_parts(tx, statement, values)


async def add_members(
    tx: AsyncConnection, pairs: Sequence[tuple[UUID, UUID]], at: datetime
) -> None:
    """Put hosts into groups: pairs of host and group."""
    new = _records("new", [group_members.c.host_id, group_members.c.group_id])
    chosen = select(new.c.host_id, new.c.group_id, literal(at))
    statement = insert_or(group_members).from_select(["host_id", "group_id", "added_at"], chosen)
    values = [{"host_id": host_id, "group_id": group_id} for host_id, group_id in pairs]
    await _in_parts(tx, statement.on_conflict_do_nothing(), values)


async def trust_keys(
    tx: AsyncConnection, values: Sequence[Mapping[str, Any]], at: datetime
) -> None:
    """Trust keys of hosts that were just added."""
    names = ("host_id", "address", "port", "fingerprint", "algorithm", "public_key")
    new = _records("new", [host_keys.c[name] for name in names])
    chosen = select(*[new.c[name] for name in names], literal(True), literal(at))
    statement = insert(host_keys).from_select([*names, "trusted", "first_seen_at"], chosen)
    await _in_parts(tx, statement, values)


def _records(name: str, columns: Sequence[Any]) -> Any:
    """Return the rows of a JSON parameter as a table: one statement, however many rows."""
    typed = [column(c.name, c.type) for c in columns]
    parameter = bindparam("records", type_=Text)
    table = func.jsonb_to_recordset(cast(parameter, JSONB)).table_valued(*typed, name=name)
    return table.render_derived(name=name, with_types=True)


async def _in_parts(
    tx: AsyncConnection, statement: Any, values: Sequence[Mapping[str, Any]]
) -> None:
    for start in range(0, len(values), AT_ONCE):
        part = values[start : start + AT_ONCE]
        await tx.execute(statement, {"records": orjson.dumps(part).decode()})


def _texts(values: Sequence[str]) -> Any:
    return cast(list(values), ARRAY(Text))


def _ids(values: Sequence[UUID]) -> Any:
    return cast(list(values), ARRAY(Uuid))


async def hosts_by_id(conn: AsyncConnection, ids: Sequence[UUID]) -> Sequence[RowMapping]:
    columns = [hosts.c[name] for name in _HOST_COLUMNS]
    return (
        (await conn.execute(select(*columns).where(hosts.c.id == any_(_ids(ids))))).mappings().all()
    )
