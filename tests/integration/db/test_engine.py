"""Connections against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
    insert,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import INET, JSONB
from sqlalchemy.exc import DBAPIError

from openwatch.db.engine import Database
from openwatch.kit.ids import uuid7

metadata = MetaData()
everything = Table(
    "everything",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", String(40), nullable=False),
    Column("notes", Text),
    Column("small", SmallInteger),
    Column("number", Integer),
    Column("big", BigInteger),
    Column("ratio", Float),
    Column("on", Boolean),
    Column("at", DateTime(timezone=True)),
    Column("raw", LargeBinary),
    Column("document", JSONB),
    Column("tags", ARRAY(Text)),
    Column("address", INET),
)


@pytest.fixture(autouse=True)
async def tables(database: Database) -> AsyncIterator[None]:
    async with database.transaction() as tx:
        await tx.run_sync(metadata.create_all)
    yield
    async with database.transaction() as tx:
        await tx.run_sync(metadata.drop_all)


async def names(database: Database) -> list[str]:
    async with database.read() as connection:
        return list((await connection.execute(select(everything.c.name))).scalars())


async def test_a_transaction_commits_or_leaves_nothing(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(insert(everything).values(id=uuid7(), name="kept"))
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as tx:
            await tx.execute(insert(everything).values(id=uuid7(), name="lost"))
            raise ZeroDivisionError
    assert await names(database) == ["kept"]


async def test_a_read_sees_one_snapshot_and_cannot_write(database: Database) -> None:
    async with database.read() as connection:
        before = (await connection.execute(text("SELECT count(*) FROM everything"))).scalar_one()
        async with database.transaction() as tx:
            await tx.execute(insert(everything).values(id=uuid7(), name="meanwhile"))
        after = (await connection.execute(text("SELECT count(*) FROM everything"))).scalar_one()
        assert (before, after) == (0, 0)
        with pytest.raises(DBAPIError, match="read-only transaction"):
            await connection.execute(insert(everything).values(id=uuid7(), name="no"))
    async with database.transaction() as tx:  # a connection that was read-only writes again
        await tx.execute(insert(everything).values(id=uuid7(), name="yes"))
    assert sorted(await names(database)) == ["meanwhile", "yes"]


async def test_copy_writes_every_type_and_reads_back_equal(database: Database) -> None:
    columns = [column.name for column in everything.columns if column.name != "address"]
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    rows = [
        (uuid7(), "full", "ü\n", 1, 2, 2**40, 0.5, True, at, b"\x00\xff", {"a": [1]}, ["x", "y"]),
        (uuid7(), "empty", *[None] * 10),
    ]
    async with database.transaction() as tx:
        assert await database.copy_rows(tx, everything, columns, rows) == 2
    async with database.read() as connection:
        found = await connection.execute(
            select(*(everything.c[name] for name in columns)).order_by(everything.c.id)
        )
        assert [tuple(row) for row in found] == rows


async def test_copy_is_part_of_its_transaction(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as tx:
            await database.copy_rows(tx, everything, ["id", "name"], [(uuid7(), "lost")])
            raise ZeroDivisionError
    assert await names(database) == []


async def test_notifications_arrive_also_after_the_connection_was_cut(database: Database) -> None:
    heard = database.listen("test_channel")
    async with asyncio.timeout(20):
        assert await anext(heard) == ""
        await notify(database, "one")
        assert await anext(heard) == "one"
        async with database.transaction() as tx:
            await tx.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'openwatch-listen' AND datname = current_database()"
                )
            )
        assert await anext(heard) == ""
        await notify(database, "two")
        assert await anext(heard) == "two"
    await heard.aclose()  # type: ignore[attr-defined]


async def notify(database: Database, payload: str) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("SELECT pg_notify('test_channel', :payload)"), {"payload": payload})


async def test_the_session_is_in_utc_and_does_not_hold_locks_for_ever(database: Database) -> None:
    async with database.read() as connection:
        settings = text(
            "SELECT current_setting('TimeZone'),"
            " current_setting('idle_in_transaction_session_timeout')"
        )
        assert tuple((await connection.execute(settings)).one()) == ("UTC", "5min")
