"""All SQL about groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Integer,
    RowMapping,
    cast,
    delete,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.db.keyset import Order, SortKey, cut_page, select_page
from openwatch.fleet.groups.conditions import condition
from openwatch.fleet.groups.expression import Expression
from openwatch.fleet.groups.model import group_members, groups
from openwatch.fleet.hosts.model import LIVE, HostState, hosts

SORT_KEYS: Final[Mapping[str, SortKey]] = {
    "name": SortKey(func.lower(groups.c.name)),
    "created_at": SortKey(groups.c.created_at, type=datetime),
    "updated_at": SortKey(groups.c.updated_at, type=datetime),
}

_SEVERITIES: Final = ("critical", "high", "medium", "low")


@dataclass(frozen=True, slots=True)
class Part:
    """A group that stands in ``root``, or is it."""

    root: UUID
    id: UUID
    rule: str | None


async def page(
    conn: AsyncConnection, *, search: str | None, order: Order, cursor: str | None, limit: int
) -> tuple[Sequence[RowMapping], str | None]:
    """Return the rows of one page and the cursor of the next."""
    statement = select(groups).where(_matching(search))
    statement = select_page(statement, order=order, id_column=groups.c.id, cursor=cursor)
    rows = (await conn.execute(statement.limit(limit + 1))).mappings().all()
    return cut_page(rows, order=order, limit=limit)


async def count(conn: AsyncConnection, search: str | None) -> int:
    statement = select(func.count()).select_from(groups).where(_matching(search))
    return (await conn.execute(statement)).scalar_one()


async def find(conn: AsyncConnection, group_id: UUID) -> RowMapping | None:
    statement = select(groups).where(groups.c.id == group_id)
    return (await conn.execute(statement)).mappings().one_or_none()


async def lock(tx: AsyncConnection, group_id: UUID) -> RowMapping | None:
    """Return a group and keep others from changing it until ``tx`` ends."""
    statement = select(groups).where(groups.c.id == group_id).with_for_update(key_share=True)
    return (await tx.execute(statement)).mappings().one_or_none()


async def name_taken(tx: AsyncConnection, name: str, *, by_other_than: UUID) -> bool:
    statement = select(groups.c.id).where(
        func.lower(groups.c.name) == func.lower(name), groups.c.id != by_other_than
    )
    return (await tx.execute(statement)).first() is not None


async def add(tx: AsyncConnection, values: Mapping[str, Any]) -> None:
    await tx.execute(insert(groups).values(values))


async def change(tx: AsyncConnection, group_id: UUID, values: Mapping[str, Any]) -> None:
    await tx.execute(update(groups).where(groups.c.id == group_id).values(values))


async def remove(tx: AsyncConnection, group_id: UUID) -> None:
    await tx.execute(delete(groups).where(groups.c.id == group_id))


async def ways_up(
    conn: AsyncConnection, group_ids: Iterable[UUID], *, most: int
) -> Mapping[UUID, Sequence[RowMapping]]:
    """Return id and name of each group and of those that it stands in, outwards."""
    columns = (groups.c.id, groups.c.name, groups.c.parent_id)
    first = select(groups.c.id.label("of"), *columns, literal(0, Integer).label("level"))
    found = first.where(groups.c.id.in_(list(group_ids))).cte("found", recursive=True)
    outer = select(found.c.of, *columns, found.c.level + 1)
    found = found.union_all(
        outer.join(found, groups.c.id == found.c.parent_id).where(found.c.level + 1 < most)
    )
    statement = select(found.c.of, found.c.id, found.c.name).order_by(found.c.level)
    ways: defaultdict[UUID, list[RowMapping]] = defaultdict(list)
    for row in (await conn.execute(statement)).mappings():
        ways[row["of"]].append(row)
    return ways


async def levels_below(conn: AsyncConnection, group_id: UUID, *, most: int) -> int:
    """Return how many levels of groups stand in a group; ``most`` at most."""
    found = select(groups.c.id, literal(0, Integer).label("level")).where(groups.c.id == group_id)
    found = found.cte("found", recursive=True)
    inner = select(groups.c.id, found.c.level + 1).join(found, groups.c.parent_id == found.c.id)
    found = found.union_all(inner.where(found.c.level < most))
    return (await conn.execute(select(func.max(found.c.level)))).scalar_one()


async def names_inside(conn: AsyncConnection, group_id: UUID, *, limit: int) -> Sequence[str]:
    """Return the names of some groups that stand directly in a group."""
    statement = select(groups.c.name).where(groups.c.parent_id == group_id)
    return (await conn.execute(statement.order_by(groups.c.name).limit(limit))).scalars().all()


async def parts(conn: AsyncConnection, roots: Iterable[UUID]) -> Sequence[Part]:
    """Return the groups with these ids and all groups in them."""
    first = select(groups.c.id.label("root"), groups.c.id, groups.c.rule)
    found = first.where(groups.c.id.in_(list(roots))).cte("found", recursive=True)
    inner = select(found.c.root, groups.c.id, groups.c.rule)
    found = found.union(inner.join(found, groups.c.parent_id == found.c.id))
    rows = await conn.execute(select(found.c.root, found.c.id, found.c.rule))
    return [Part(row.root, row.id, row.rule) for row in rows]


def holding(manual: Sequence[UUID], rules: Iterable[Expression]) -> ColumnElement[bool]:
    """Return the condition on hosts: put into one of ``manual``, or found by one of ``rules``."""
    conditions = [condition(rule) for rule in rules]
    if manual:
        listed = select(group_members.c.host_id).where(group_members.c.group_id.in_(manual))
        conditions.append(hosts.c.id.in_(listed))
    return or_(false(), *conditions)


async def roll_up(
    conn: AsyncConnection, holds: Mapping[UUID, ColumnElement[bool]]
) -> Mapping[UUID, RowMapping]:
    """Return for each group its hosts added up; ``holds`` says which hosts are its own."""
    if not holds:
        return {}
    totals = [
        func.count().label("total"),
        func.count(hosts.c.score).label("measured"),
        func.avg(hosts.c.score).label("mean_score"),
        *(
            func.count().filter(hosts.c.state == state.value).label(f"state_{state.value}")
            for state in HostState
        ),
        *(
            cast(func.coalesce(func.sum(hosts.c[f"failing_{severity}"]), 0), Integer).label(
                severity
            )
            for severity in _SEVERITIES
        ),
    ]
    branches = [
        select(literal(group_id).label("group_id"), *totals).where(LIVE, held)
        for group_id, held in holds.items()
    ]
    rows = (await conn.execute(union_all(*branches))).mappings().all()
    return {row["group_id"]: row for row in rows}


async def add_members(
    tx: AsyncConnection, group_id: UUID, host_ids: Sequence[UUID], at: datetime
) -> int:
    """Put hosts into a group and return how many were not in it; unknown hosts are left out."""
    chosen = select(hosts.c.id, literal(group_id), literal(at)).where(
        hosts.c.id.in_(host_ids), LIVE
    )
    statement = insert_or(group_members).from_select(["host_id", "group_id", "added_at"], chosen)
    new = statement.on_conflict_do_nothing().returning(group_members.c.host_id)
    return len((await tx.execute(new)).all())


async def remove_members(
    tx: AsyncConnection, group_id: UUID, host_ids: Sequence[UUID] | None = None
) -> int:
    """Take hosts, or all, out of a group and return how many were in it."""
    statement = delete(group_members).where(group_members.c.group_id == group_id)
    if host_ids is not None:
        statement = statement.where(group_members.c.host_id.in_(host_ids))
    return (await tx.execute(statement)).rowcount


async def unknown_hosts(conn: AsyncConnection, host_ids: Sequence[UUID]) -> Sequence[UUID]:
    """Return those ids that no host has."""
    statement = select(hosts.c.id).where(hosts.c.id.in_(host_ids), LIVE)
    known = set((await conn.execute(statement)).scalars())
    return [host_id for host_id in host_ids if host_id not in known]


async def first_hosts(
    conn: AsyncConnection, held: ColumnElement[bool], *, limit: int
) -> Sequence[RowMapping]:
    """Return the first hosts by name that fulfil a condition."""
    columns = (hosts.c.id, hosts.c.name, hosts.c.address, hosts.c.os_name.label("os"))
    statement = select(*columns).where(LIVE, held).order_by(func.lower(hosts.c.name), hosts.c.id)
    return (await conn.execute(statement.limit(limit))).mappings().all()


async def count_hosts(conn: AsyncConnection, held: ColumnElement[bool]) -> tuple[int, int]:
    """Return how many hosts fulfil a condition, and how many there are."""
    statement = select(func.count().filter(held), func.count()).select_from(hosts).where(LIVE)
    found, total = (await conn.execute(statement)).one()
    return found, total


async def of_host(conn: AsyncConnection, host_id: UUID) -> Sequence[RowMapping]:
    """Return the groups that a host was put into."""
    statement = (
        select(groups.c.id, groups.c.name, groups.c.rule)
        .join(group_members, group_members.c.group_id == groups.c.id)
        .where(group_members.c.host_id == host_id)
    )
    return (await conn.execute(statement)).mappings().all()


async def with_rules(conn: AsyncConnection) -> Sequence[RowMapping]:
    """Return every group that has a rule."""
    statement = select(groups.c.id, groups.c.name, groups.c.rule).where(groups.c.rule.is_not(None))
    return (await conn.execute(statement)).mappings().all()


async def which_hold(
    conn: AsyncConnection, host_id: UUID, rules: Mapping[UUID, Expression]
) -> set[UUID]:
    """Return the ids of those groups whose rule finds a host."""
    if not rules:
        return set()
    branches = [
        select(literal(group_id).label("id"))
        .select_from(hosts)
        .where(hosts.c.id == host_id, LIVE, condition(rule))
        for group_id, rule in rules.items()
    ]
    return set((await conn.execute(union_all(*branches))).scalars())


def _matching(search: str | None) -> ColumnElement[bool]:
    if not search or not (text := search.strip()):
        return groups.c.id.is_not(None)
    searched = (groups.c.name, groups.c.description, groups.c.rule)
    return or_(*[column.icontains(text, autoescape=True) for column in searched])
