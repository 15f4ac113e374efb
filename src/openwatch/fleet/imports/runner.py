"""Carries out imports in a worker.

Row by row, each batch and the position after it are one transaction: whenever the worker dies, the
next one goes on with the row after. An atomic import and a trial are one transaction; nothing of
them is there before they end, so they begin anew.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.db.engine import Database
from openwatch.db.outage import is_outage
from openwatch.fleet.groups import service as groups
from openwatch.fleet.groups.schema import GroupCreate
from openwatch.fleet.hosts.service import MAX_JUMP_HOSTS
from openwatch.fleet.imports import errors, service, store
from openwatch.fleet.imports.columns import Field
from openwatch.fleet.imports.model import Key, Mode, Outcome
from openwatch.fleet.imports.packing import Packed, unpack
from openwatch.fleet.imports.plan import COMPARED, Decision, KnownGroup, World, decide
from openwatch.fleet.imports.rows import Refused, Wanted, understand
from openwatch.fleet.imports.schema import Defaults, Options
from openwatch.kit.clock import now
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.logging import get_logger
from openwatch.signals.service import Subject, announce

BATCH: Final = 1000
"""Rows per transaction: a second of work at most is done again after a crash."""

ATTEMPTS: Final = 3
"""How often a batch is tried while others add the same hosts."""

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Work:
    """An import that is carried out."""

    db: Database
    id: UUID
    options: Options
    packed: Packed
    rows: Sequence[Wanted | Refused]
    names: Sequence[str]


async def run_import(db: Database, import_id: UUID) -> None:
    """Carry out an import, or what is left of it; one that is over is left alone."""
    async with db.transaction() as tx:
        row = await store.begin(tx, import_id, now())
    if row is None:
        return
    try:
        work = await asyncio.to_thread(_work, db, row)
        if work.options.dry_run or work.options.mode is Mode.ATOMIC:
            await _all_at_once(work)
        else:
            await _in_batches(work, row["position"])
    except OpenWatchError as error:
        await _fail(db, import_id, error)
    except Exception as error:
        if is_outage(error):
            raise
        _log.exception("an import failed", import_id=str(import_id))
        await _fail(db, import_id, OpenWatchError(errors.IMPORT_GIVEN_UP))


def _work(db: Database, row: RowMapping) -> _Work:
    packed = unpack(row["content"])
    mapped = {Field(name): column for name, column in row["mapped"].items()}
    options = Options(
        mode=row["mode"],
        on_existing=row["on_existing"],
        key=row["key"],
        dry_run=row["dry_run"],
        defaults=Defaults.model_validate(row["defaults"]),
    )
    rows = understand(packed.rows, mapped, key=options.key)
    return _Work(db, row["id"], options, packed, rows, row["columns"])


async def _fail(db: Database, import_id: UUID, error: OpenWatchError) -> None:
    async with db.transaction() as tx:
        await service.fail(tx, import_id, error)


async def _in_batches(work: _Work, position: int) -> None:
    while position < len(work.rows):
        batch = work.rows[position : position + BATCH]
        if not await _patiently(work, batch, position=position):
            return
        position += len(batch)
        await _tell_progress(work, position)
    async with work.db.transaction() as tx:
        await service.complete(tx, work.id)


async def _patiently(work: _Work, rows: Sequence[Wanted | Refused], *, position: int) -> bool:
    """Do a batch; ``False``: another worker has done it."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await _batch(work, rows, position=position)
        except IntegrityError:
            # Somebody added or removed what the batch had seen: it looks again.
            continue
    return await _batch(work, rows, position=position)


async def _batch(work: _Work, rows: Sequence[Wanted | Refused], *, position: int) -> bool:
    async with work.db.transaction() as tx:
        if not await store.hold(tx, work.id, position=position):
            return False
        decisions = await _decide(tx, work, rows)
        await _apply(tx, work, decisions)
        await _note(tx, work, decisions)
    return True


async def _all_at_once(work: _Work) -> None:
    for attempt in range(ATTEMPTS):
        try:
            await _whole(work)
        except IntegrityError:
            if attempt == ATTEMPTS - 1:
                raise
        else:
            return


async def _whole(work: _Work) -> None:
    async with work.db.transaction() as tx:
        if not await store.hold(tx, work.id, position=0):
            return
        decisions = await _decide(tx, work, work.rows)
        await _tell_progress(work, len(work.rows) // 2)
        refused = [made for made in decisions if made.outcome is Outcome.REFUSED]
        if work.options.dry_run:
            await _note(tx, work, decisions)
        elif refused:
            await _note(tx, work, refused)
            await service.fail(
                tx, work.id, OpenWatchError(errors.IMPORT_ROWS_REFUSED, refused=len(refused))
            )
            return
        else:
            await _apply(tx, work, decisions)
            await _note(tx, work, decisions)
        await service.complete(tx, work.id)


async def _decide(
    tx: AsyncConnection, work: _Work, rows: Sequence[Wanted | Refused]
) -> list[Decision]:
    world = await _world(tx, work.options, [row for row in rows if isinstance(row, Wanted)])
    return await asyncio.to_thread(decide, rows, world, work.options)


async def _world(tx: AsyncConnection, options: Options, rows: Sequence[Wanted]) -> World:
    """Return what the inventory holds of what the rows name; hosts and credentials are locked."""
    defaults = options.defaults
    by_address = options.key is Key.ADDRESS
    locked = await store.lock_hosts(
        tx,
        names=[row.name.lower() for row in rows],
        addresses=[row.address for row in rows] if by_address else [],
    )
    known = [dict(host) for host in locked]
    addresses: dict[str, list[dict[str, Any]]] = {}
    for host in known:
        addresses.setdefault(host["address"], []).append(host)
    credentials = await store.lock_credentials(
        tx, names=_named(rows, "credential"), also=defaults.credential_id
    )
    if defaults.credential_id is not None:
        await service.check_credential(tx, defaults.credential_id)
    named = {name for row in rows for name in row.given.get("group", ())}
    found = await store.groups_named(
        tx, names=[name.lower() for name in named], also=defaults.group_id
    )
    known_groups = [KnownGroup(g["id"], g["name"], g["rule"] is not None) for g in found]
    jumps, behind = await store.hosts_named(tx, _named(rows, "jump_host"), most=MAX_JUMP_HOSTS + 1)
    return World(
        by_name={host["name"].lower(): host for host in known},
        by_address=addresses,
        credentials={row["name"].lower(): row["id"] for row in credentials},
        groups={group.name.lower(): group for group in known_groups},
        members=await store.members(
            tx, host_ids=[host["id"] for host in known], group_ids=[g.id for g in known_groups]
        ),
        jumps=jumps,
        behind=behind,
        default_group=next((g for g in known_groups if g.id == defaults.group_id), None),
    )


def _named(rows: Sequence[Wanted], field: str) -> list[str]:
    return list({row.given[field].lower() for row in rows if field in row.given})


async def _apply(tx: AsyncConnection, work: _Work, decisions: Sequence[Decision]) -> None:
    """Write what was decided."""
    at = now()
    created = [made for made in decisions if made.outcome is Outcome.CREATED]
    changed = [made for made in decisions if made.outcome is Outcome.UPDATED and made.values]
    await store.add_hosts(tx, [{"id": made.host_id, **made.values} for made in created], at)
    if changed:
        await _change(tx, changed, at)
    await _trust(tx, created, at)
    await _join(tx, work, decisions, at)


async def _change(tx: AsyncConnection, changed: Sequence[Decision], at: Any) -> None:
    ids = [made.host_id for made in changed if made.host_id is not None]
    before = {row["id"]: row for row in await store.hosts_by_id(tx, ids)}
    values: list[dict[str, Any]] = []
    for made in changed:
        kept = before[made.host_id]
        values.append({name: kept[name] for name in ("id", *COMPARED)} | dict(made.values))
    await store.change_hosts(tx, values, at)


async def _trust(tx: AsyncConnection, created: Sequence[Decision], at: Any) -> None:
    """A new host is trusted by the keys that the file names; what is known of others stays."""
    keys = [
        {
            "host_id": made.host_id,
            "address": made.values["address"],
            "port": made.values["port"],
            "fingerprint": key.fingerprint,
            "algorithm": key.algorithm,
            "public_key": key.public_key,
        }
        for made in created
        if isinstance(made.row, Wanted)
        for key in made.row.keys
    ]
    await store.trust_keys(tx, keys, at)


async def _join(tx: AsyncConnection, work: _Work, decisions: Sequence[Decision], at: Any) -> None:
    """Put the hosts into their groups; groups that are not there are made."""
    wanted: dict[str, list[UUID]] = {}
    spelled: dict[str, str] = {}
    for made in decisions:
        for name in made.groups:
            if made.host_id is not None:
                wanted.setdefault(name.lower(), []).append(made.host_id)
                spelled.setdefault(name.lower(), name)
    if not wanted:
        return
    ids = await _group_ids(tx, work, spelled)
    pairs = [(host_id, ids[name]) for name, hosts in wanted.items() for host_id in hosts]
    await store.add_members(tx, pairs, at)


async def _group_ids(tx: AsyncConnection, work: _Work, spelled: dict[str, str]) -> dict[str, UUID]:
    """Return the groups by their names in lower case, made where they are missing.

    A new group stands in the group that the file says, which is made too.
    """
    inside = {name.lower(): outer for name, outer in work.packed.inside.items()}
    names = dict(spelled)
    for name in list(names):
        while (outer := inside.get(name)) is not None and outer.lower() not in names:
            names[outer.lower()] = outer
            name = outer.lower()
    found = await store.groups_named(tx, names=list(names), also=None)
    ids = {row["name"].lower(): row["id"] for row in found}
    for name in _outermost_first(names, inside):
        if name not in ids:
            outer = inside.get(name)
            parent_id = ids.get(outer.lower()) if outer is not None else None
            made = await groups.create(tx, GroupCreate(name=names[name], parent_id=parent_id))
            ids[name] = made.id
    return ids


def _outermost_first(names: Iterable[str], inside: dict[str, str]) -> list[str]:
    def depth(name: str) -> int:
        levels = 0
        while (outer := inside.get(name)) is not None:
            name, levels = outer.lower(), levels + 1
        return levels

    return sorted(names, key=depth)


async def _note(tx: AsyncConnection, work: _Work, decisions: Sequence[Decision]) -> None:
    """Write what became of the rows, and that they are done."""
    await store.add_rows(work.db, tx, (_result(work, made) for made in decisions))
    counts = Counter(made.outcome for made in decisions)
    await store.advance(tx, work.id, done=len(decisions), counts=counts)


def _result(work: _Work, made: Decision) -> tuple[Any, ...]:
    row = made.row
    refused = made.outcome is Outcome.REFUSED
    is_there = not (work.options.dry_run and made.outcome is Outcome.CREATED)
    return (
        work.id,
        row.number,
        row.line,
        made.outcome.value,
        row.name,
        made.host_id if is_there else None,
        made.problem,
        list(work.packed.rows[row.number].cells) if refused else None,
    )


async def _tell_progress(work: _Work, done: int) -> None:
    """Tell whoever looks on; that fails where nobody can be told, and the work goes on."""
    async with work.db.transaction() as tx:
        data = {"done": done, "total": len(work.rows)}
        await announce(tx, "import.progress", subject=Subject("import", work.id), data=data)
