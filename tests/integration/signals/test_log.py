"""The event log: what is told is told once, in order, and stays."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from openwatch.db.engine import Database
from openwatch.kit.ids import uuid7
from openwatch.signals import store
from openwatch.signals.kinds import event_kinds
from openwatch.signals.schema import Event
from openwatch.signals.service import ANNOUNCEMENT_MAX_BYTES, Subject, announce, emit
from tests.fixtures.api import Api


async def _position(database: Database) -> int:
    async with database.read() as conn:
        return await store.latest_id(conn)


async def _after(database: Database, last_id: int) -> list[Event]:
    async with database.read() as conn:
        return await store.after(conn, last_id, limit=1000)


def _host() -> Subject:
    return Subject("host", uuid7())


@pytest.mark.ac("signals-01")
async def test_an_event_is_there_when_its_transaction_commits(database: Database) -> None:
    position, host = await _position(database), _host()
    async with database.transaction() as tx:
        await emit(tx, "host.created", subject=host, host_id=host.id, data={"name": "web-1"})
        assert await _after(database, position) == []
    (event,) = await _after(database, position)
    assert (event.kind, event.subject.id, event.host_id) == ("host.created", host.id, host.id)
    assert event.data == {"name": "web-1"}
    assert event.at.tzinfo is not None


@pytest.mark.ac("signals-01")
async def test_what_is_rolled_back_is_never_told(database: Database) -> None:
    position, kept, dropped = await _position(database), _host(), _host()
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as tx:
            await emit(tx, "host.created", subject=dropped)
            raise ZeroDivisionError
    async with database.transaction() as tx:
        await emit(tx, "host.created", subject=kept)
        savepoint = await tx.begin_nested()
        await emit(tx, "host.deleted", subject=dropped)
        await savepoint.rollback()
    assert [e.subject.id for e in await _after(database, position)] == [kept.id]
    async with database.read() as conn:
        assert (await conn.execute(text("SELECT count(*) FROM event_outbox"))).scalar_one() == 0


@pytest.mark.ac("signals-01")
async def test_events_of_one_transaction_keep_their_order(database: Database) -> None:
    position, hosts = await _position(database), [_host() for _ in range(50)]
    async with database.transaction() as tx:
        for host in hosts:
            await emit(tx, "host.created", subject=host)
    assert [e.subject.id for e in await _after(database, position)] == [h.id for h in hosts]


@pytest.mark.ac("signals-02")
async def test_who_commits_later_gets_the_higher_id_though_it_told_first(
    database: Database,
) -> None:
    """A sequence alone would give the first teller the lower id, and a reader would skip it."""
    position, early, late = await _position(database), _host(), _host()
    told, may_commit = asyncio.Event(), asyncio.Event()

    async def tell_early_commit_late() -> None:
        async with database.transaction() as tx:
            await emit(tx, "host.created", subject=early)
            told.set()
            await may_commit.wait()

    slow = asyncio.create_task(tell_early_commit_late())
    await told.wait()
    async with database.transaction() as tx:
        await emit(tx, "host.created", subject=late)
    seen = await _after(database, position)
    assert [event.subject.id for event in seen] == [late.id]
    may_commit.set()
    await slow
    assert seen[-1].id is not None
    assert [e.subject.id for e in await _after(database, seen[-1].id)] == [early.id]


@pytest.mark.ac("signals-02")
async def test_a_reader_skips_nothing_while_many_write(database: Database) -> None:
    """Follows the log by its cursor while writers commit in every order, some rolling back."""
    position, writers, each = await _position(database), 8, 25
    told: set[UUID] = set()
    seen: list[UUID] = []
    done = asyncio.Event()

    async def write(number: int) -> None:
        for i in range(each):
            host = _host()
            try:
                async with database.transaction() as tx:
                    await emit(tx, "host.updated", subject=host)
                    await asyncio.sleep(0.001 * ((number * 7 + i) % 5))
                    await emit(tx, "host.updated", subject=host)
                    if i % 5 == 0:
                        raise ZeroDivisionError
                told.add(host.id)
            except ZeroDivisionError:
                continue

    async def read() -> None:
        cursor = position
        while True:
            is_last = done.is_set()
            for event in await _after(database, cursor):
                assert event.id is not None
                assert event.id > cursor
                cursor = event.id
                seen.append(event.subject.id)
            if is_last:
                return

    reader = asyncio.create_task(read())
    await asyncio.gather(*(write(number) for number in range(writers)))
    done.set()
    await reader
    assert len(told) == writers * (each - each // 5)
    assert len(seen) == 2 * len(told)
    assert set(seen) == told


@pytest.mark.ac("signals-03")
async def test_telling_does_not_make_transactions_wait_for_each_other(database: Database) -> None:
    """A lock taken when an event is told would close a circle here: A waits for B's row, B for
    A's lock. PostgreSQL would then kill one of them."""
    async with database.transaction() as tx:
        await tx.execute(text("CREATE TABLE IF NOT EXISTS contended (id int primary key, n int)"))
        await tx.execute(text("INSERT INTO contended VALUES (1, 0) ON CONFLICT DO NOTHING"))
    a_told, b_has_row = asyncio.Event(), asyncio.Event()
    take_row = text("UPDATE contended SET n = n + 1 WHERE id = 1")

    async def a() -> None:
        async with database.transaction() as tx:
            await emit(tx, "host.updated", subject=_host())
            a_told.set()
            await b_has_row.wait()
            await tx.execute(take_row)

    async def b() -> None:
        async with database.transaction() as tx:
            await a_told.wait()
            await tx.execute(take_row)
            b_has_row.set()
            await emit(tx, "host.updated", subject=_host())

    async with asyncio.timeout(10):
        await asyncio.gather(a(), b())


@pytest.mark.ac("signals-04")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET kind = 'host.deleted'",
        "DELETE FROM events",
        "TRUNCATE events",
        "DELETE FROM events WHERE id = 0",
    ],
)
async def test_the_database_refuses_to_change_the_log(database: Database, statement: str) -> None:
    async with database.transaction() as tx:
        await emit(tx, "host.created", subject=_host())
    before = await _after(database, 0)
    with pytest.raises(DBAPIError, match="append-only"):
        async with database.transaction() as tx:
            await tx.execute(text(statement))
    assert await _after(database, 0) == before


async def test_only_registered_kinds_about_their_own_subject_are_told(database: Database) -> None:
    async with database.transaction() as tx:
        with pytest.raises(ValueError, match="no event kind"):
            await emit(tx, "host.exploded", subject=_host())
        with pytest.raises(ValueError, match="is about a scan"):
            await emit(tx, "scan.queued", subject=_host())
        with pytest.raises(ValueError, match="announced, not stored"):
            await emit(tx, "scan.progress", subject=Subject("scan", uuid7()))
        with pytest.raises(ValueError, match="use emit"):
            await announce(tx, "host.created", subject=_host())
        with pytest.raises(ValueError, match="longer than"):
            await announce(
                tx,
                "scan.progress",
                subject=Subject("scan", uuid7()),
                data={"text": "x" * ANNOUNCEMENT_MAX_BYTES},
            )


@pytest.mark.ac("signals-09")
async def test_an_announcement_leaves_nothing_in_the_log(database: Database) -> None:
    position = await _position(database)
    async with database.transaction() as tx:
        await announce(tx, "scan.progress", subject=Subject("scan", uuid7()), data={"done": 1})
    assert await _after(database, position) == []


@pytest.mark.ac("signals-12")
async def test_the_log_is_paged_newest_first_and_filtered(signed_in_api: Api) -> None:
    hosts = [_host() for _ in range(7)]
    for host in hosts:
        async with signed_in_api.database.transaction() as tx:
            await emit(tx, "host.key_changed", subject=host, host_id=host.id)
    ids: list[str] = []
    parameters = {"kind": "host.key_changed", "limit": "3"}
    while True:
        answer = await signed_in_api.client.get("/api/v1/events/log", params=parameters)
        page = answer.json()
        assert page["total"] == 7
        ids += [item["subject"]["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        parameters["cursor"] = page["next_cursor"]
    assert ids == [str(host.id) for host in reversed(hosts)]
    for name in ("host_id", "subject_id"):
        answer = await signed_in_api.client.get(
            "/api/v1/events/log", params={name: str(hosts[2].id)}
        )
        assert [item["subject"]["id"] for item in answer.json()["items"]] == [str(hosts[2].id)]


@pytest.mark.ac("signals-12")
@pytest.mark.parametrize("cursor", ["x", "WyJ4Il0", "WzFlOTld", "W3RydWVd", "Wy0xXQ", "W10"])
async def test_a_cursor_of_something_else_is_refused(signed_in_api: Api, cursor: str) -> None:
    answer = await signed_in_api.client.get("/api/v1/events/log", params={"cursor": cursor})
    assert answer.status_code == 400
    assert answer.json()["code"] == "request.cursor_invalid"


async def test_every_stored_kind_can_be_told(database: Database) -> None:
    position = await _position(database)
    stored = [kind for kind in event_kinds() if kind.stored]
    async with database.transaction() as tx:
        for kind in stored:
            await emit(tx, kind.name, subject=Subject(kind.subject, uuid7()))
    assert [e.kind for e in await _after(database, position)] == [kind.name for kind in stored]
