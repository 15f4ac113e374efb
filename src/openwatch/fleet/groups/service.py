"""What can be done with groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.db.keyset import parse_order
from openwatch.fleet import errors
from openwatch.fleet.groups import store
from openwatch.fleet.groups.expression import FIELDS, OPERATORS, Operator, parse
from openwatch.fleet.groups.model import Membership
from openwatch.fleet.groups.schema import (
    Group,
    GroupCreate,
    GroupHosts,
    GroupName,
    GroupOfHost,
    GroupUpdate,
    MembersChange,
    MembersChanged,
    PreviewedHost,
    RuleField,
    RulePreview,
)
from openwatch.fleet.hosts.model import HostState
from openwatch.fleet.hosts.schema import Failing
from openwatch.kit.clock import now
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.http import expect_version
from openwatch.kit.ids import uuid7
from openwatch.kit.paging import Page
from openwatch.signals.service import Subject, emit

MAX_DEPTH: Final = 8
"""How deep groups may stand in each other: continent, country, city, site, room, row fit twice."""

NAMES_SHOWN: Final = 5
PREVIEWED: Final = 10


async def list_groups(
    conn: AsyncConnection, *, search: str | None, sort: str | None, cursor: str | None, limit: int
) -> Page[Group]:
    """Return one page; raises ``request.sort_invalid``, ``request.cursor_invalid``."""
    order = parse_order(sort, store.SORT_KEYS, default="name")
    rows, next_cursor = await store.page(
        conn, search=search, order=order, cursor=cursor, limit=limit
    )
    total = await store.count(conn, search)
    return Page(items=await _groups(conn, rows), next_cursor=next_cursor, total=total)


async def get(conn: AsyncConnection, group_id: UUID) -> Group:
    """Return a group; raises ``group.unknown``."""
    row = await store.find(conn, group_id)
    if row is None:
        raise OpenWatchError(errors.GROUP_UNKNOWN, group_id=group_id)
    (group,) = await _groups(conn, [row])
    return group


async def create(tx: AsyncConnection, request: GroupCreate) -> Group:
    """Add a group.

    Raises ``group.exists``, ``group.rule_invalid``, ``group.rule_missing``, ``group.not_found``,
    ``group.too_deep``.
    """
    group_id, at = uuid7(), now()
    _check_rule(request.rule)
    await _check_name(tx, group_id, request.name)
    await _check_parent(tx, group_id, request.name, request.parent_id, levels=0)
    values = request.model_dump()
    await _write(
        store.add(tx, {**values, "id": group_id, "created_at": at, "updated_at": at}), values
    )
    await _tell(tx, "group.created", group_id, name=request.name)
    return await get(tx, group_id)


async def change(
    tx: AsyncConnection, group_id: UUID, request: GroupUpdate, *, expected: int | None
) -> Group:
    """Change a group. ``expected`` is the version that the caller has seen.

    Raises ``group.unknown``, ``request.precondition_failed``, ``group.loop`` and what ``create``
    raises.
    """
    before = await _lock(tx, group_id)
    expect_version(before["version"], expected)
    given = request.changes()
    changes = {name: value for name, value in given.items() if before[name] != value}
    if not changes:
        return await get(tx, group_id)
    if "rule" in changes:
        _check_rule(changes["rule"])
    if "name" in changes:
        await _check_name(tx, group_id, changes["name"])
    if "parent_id" in changes:
        levels = await store.levels_below(tx, group_id, most=MAX_DEPTH)
        await _check_parent(tx, group_id, before["name"], changes["parent_id"], levels=levels)
    values = {**changes, "updated_at": now(), "version": before["version"] + 1}
    await _write(store.change(tx, group_id, values), changes)
    if changes.get("rule") is not None:
        await store.remove_members(tx, group_id)
    name = changes.get("name", before["name"])
    await _tell(tx, "group.updated", group_id, name=name, changed=sorted(changes))
    return await get(tx, group_id)


async def delete(tx: AsyncConnection, group_id: UUID) -> None:
    """Remove a group; its hosts stay. Raises ``group.unknown``, ``group.has_groups``."""
    group = await _lock(tx, group_id)
    if names := await store.names_inside(tx, group_id, limit=NAMES_SHOWN):
        raise OpenWatchError(errors.GROUP_HAS_GROUPS, name=group["name"], groups=", ".join(names))
    await store.remove(tx, group_id)
    await _tell(tx, "group.deleted", group_id, name=group["name"])


async def change_members(
    tx: AsyncConnection, group_id: UUID, request: MembersChange
) -> MembersChanged:
    """Put hosts into a group by hand and take hosts out.

    Raises ``group.unknown``, ``group.holds_by_rule``, ``host.unknown``.
    """
    group = await _lock(tx, group_id)
    if group["rule"] is not None:
        raise OpenWatchError(errors.GROUP_HOLDS_BY_RULE, name=group["name"])
    if unknown := await store.unknown_hosts(tx, request.add):
        raise OpenWatchError(errors.HOST_UNKNOWN, host_id=unknown[0], field="add")
    added = await store.add_members(tx, group_id, request.add, now())
    removed = await store.remove_members(tx, group_id, request.remove)
    if added or removed:
        await _tell(
            tx, "group.hosts_changed", group_id, name=group["name"], added=added, removed=removed
        )
    return MembersChanged(added=added, removed=removed)


async def preview(conn: AsyncConnection, rule: str) -> RulePreview:
    """Return what a rule finds; raises ``group.rule_invalid``, ``group.rule_missing``."""
    _check_rule(rule)
    held = store.holding([], [parse(rule)])
    found, total = await store.count_hosts(conn, held)
    rows = await store.first_hosts(conn, held, limit=PREVIEWED)
    hosts = [PreviewedHost.model_validate(dict(row)) for row in rows]
    return RulePreview(total=found, of=total, hosts=hosts)


def rule_fields() -> list[RuleField]:
    """Return what a rule can ask for."""
    return [
        RuleField(
            name=field.name,
            kind=field.kind,
            description=field.description,
            operators=[operator for operator in Operator if operator in OPERATORS[field.kind]],
        )
        for field in FIELDS.values()
    ]


async def of_host(conn: AsyncConnection, host_id: UUID) -> list[GroupOfHost]:
    """Return the groups that hold a host themselves, by name."""
    by_rule = {row["id"]: row for row in await store.with_rules(conn)}
    holding = await store.which_hold(
        conn, host_id, {group_id: parse(row["rule"]) for group_id, row in by_rule.items()}
    )
    rows = [*await store.of_host(conn, host_id), *(by_rule[group_id] for group_id in holding)]
    rows.sort(key=lambda row: row["name"].lower())
    return [
        GroupOfHost(id=row["id"], name=row["name"], membership=_membership(row)) for row in rows
    ]


async def hosts_of(conn: AsyncConnection, group_ids: Sequence[UUID]) -> ColumnElement[bool] | None:
    """Return the condition on the table of hosts: in any of these groups, or in groups in them.

    ``None``: no group was named. A group that is not there holds no host.
    """
    if not group_ids:
        return None
    found = await store.parts(conn, group_ids)
    return _held({part.id: part for part in found}.values())


async def _groups(conn: AsyncConnection, rows: Sequence[RowMapping]) -> list[Group]:
    ids = [row["id"] for row in rows]
    parts: defaultdict[UUID, list[store.Part]] = defaultdict(list)
    for part in await store.parts(conn, ids):
        parts[part.root].append(part)
    totals = await store.roll_up(conn, {root: _held(own) for root, own in parts.items()})
    ways = await store.ways_up(conn, ids, most=MAX_DEPTH)
    return [_group(row, totals[row["id"]], ways[row["id"]][1:]) for row in rows]


def _held(parts: Any) -> ColumnElement[bool]:
    manual = [part.id for part in parts if part.rule is None]
    return store.holding(manual, [parse(part.rule) for part in parts if part.rule is not None])


def _group(row: RowMapping, totals: RowMapping, outwards: Sequence[RowMapping]) -> Group:
    return Group(
        **{name: row[name] for name in _PLAIN},
        inside=[GroupName(id=outer["id"], name=outer["name"]) for outer in reversed(outwards)],
        membership=_membership(row),
        hosts=GroupHosts(
            total=totals["total"],
            measured=totals["measured"],
            mean_score=totals["mean_score"],
            states={state: totals[f"state_{state.value}"] for state in HostState},
            failing=Failing(**{name: totals[name] for name in Failing.model_fields}),
        ),
    )


_PLAIN: Final = tuple(Group.model_fields.keys() - {"hosts", "membership", "inside"})


def _membership(row: RowMapping) -> Membership:
    return Membership.MANUAL if row["rule"] is None else Membership.RULE


async def _lock(tx: AsyncConnection, group_id: UUID) -> RowMapping:
    row = await store.lock(tx, group_id)
    if row is None:
        raise OpenWatchError(errors.GROUP_UNKNOWN, group_id=group_id)
    return row


def _check_rule(rule: str | None) -> None:
    if rule is None:
        return
    if not rule:
        raise OpenWatchError(errors.GROUP_RULE_MISSING, field="rule")
    parse(rule)


async def _check_name(tx: AsyncConnection, group_id: UUID, name: str) -> None:
    if await store.name_taken(tx, name, by_other_than=group_id):
        raise OpenWatchError(errors.GROUP_EXISTS, name=name, field="name")


async def _check_parent(
    tx: AsyncConnection, group_id: UUID, name: str, parent_id: UUID | None, *, levels: int
) -> None:
    if parent_id is None:
        return
    ways = await store.ways_up(tx, [parent_id], most=MAX_DEPTH + 1)
    above = ways.get(parent_id, [])
    if not above:
        raise OpenWatchError(errors.GROUP_NOT_FOUND, group_id=parent_id, field="parent_id")
    ids = [row["id"] for row in above]
    if group_id in ids:
        way = " in ".join([name, *(row["name"] for row in above[: ids.index(group_id) + 1])])
        raise OpenWatchError(errors.GROUP_LOOP, name=name, way=way, field="parent_id")
    if len(above) + 1 + levels > MAX_DEPTH:
        raise OpenWatchError(errors.GROUP_TOO_DEEP, limit=MAX_DEPTH, field="parent_id")


async def _write(statement: Any, values: Mapping[str, Any]) -> None:
    """Run a statement; what it violates is told as the mistake that it is."""
    try:
        await statement
    except IntegrityError as error:
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        if constraint == "uq_groups_name":
            raise OpenWatchError(errors.GROUP_EXISTS, name=values["name"], field="name") from None
        if constraint == "fk_groups_parent_id_groups":
            raise OpenWatchError(
                errors.GROUP_NOT_FOUND, group_id=values["parent_id"], field="parent_id"
            ) from None
        raise


async def _tell(tx: AsyncConnection, kind: str, group_id: UUID, **data: Any) -> None:
    await emit(tx, kind, subject=Subject("group", group_id), data=data)
