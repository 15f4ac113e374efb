"""A request that starts work is carried out once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.db.engine import Database
from openwatch.identity.idempotency.service import Answer, Once
from openwatch.identity.setup.service import issue_setup_token
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.ids import uuid7
from tests.fixtures.api import ensure_admin


class Made(BaseModel):
    number: int


@pytest.fixture
async def actor(database: Database) -> UUID:
    await ensure_admin(database)
    async with database.transaction() as tx:
        await tx.execute(text("CREATE TABLE IF NOT EXISTS done (n serial, by_whom text)"))
    async with database.read() as conn:
        return (
            await conn.execute(text("SELECT id FROM users WHERE username = 'ada'"))
        ).scalar_one()


def _once(
    database: Database, actor: UUID, key: str | None, request: bytes = b"scan the host"
) -> Once:
    return Once(database, actor, key, hashlib.sha256(request).digest())


async def _work(tx: AsyncConnection) -> Answer:
    row = await tx.execute(text("INSERT INTO done (by_whom) VALUES ('work') RETURNING n"))
    number = row.scalar_one()
    return Answer(202, Made(number=number), {"Location": f"/api/v1/scans/{number}"})


async def _done(database: Database) -> int:
    async with database.read() as conn:
        return (await conn.execute(text("SELECT count(*) FROM done"))).scalar_one()


def _slowly(began: asyncio.Event, go_on: asyncio.Event) -> Callable[..., Awaitable[Answer]]:
    async def work(tx: AsyncConnection) -> Answer:
        began.set()
        await go_on.wait()
        return await _work(tx)

    return work


@pytest.mark.ac("identity-11")
async def test_a_repetition_gets_the_first_answer(database: Database, actor: UUID) -> None:
    before, key = await _done(database), str(uuid7())
    first = await _once(database, actor, key).run(_work)
    again = await _once(database, actor, key).run(_work)
    assert await _done(database) == before + 1
    assert (again.status_code, again.body) == (first.status_code, first.body) == (202, first.body)
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["content-type"] == "application/json"
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers


@pytest.mark.ac("identity-11")
async def test_another_request_with_the_key_is_refused(database: Database, actor: UUID) -> None:
    before, key = await _done(database), str(uuid7())
    await _once(database, actor, key).run(_work)
    with pytest.raises(OpenWatchError) as caught:
        await _once(database, actor, key, b"another host").run(_work)
    assert caught.value.code == "request.idempotency_reused"
    assert await _done(database) == before + 1


@pytest.mark.ac("identity-11")
async def test_while_it_is_at_work_a_repetition_is_told_to_come_back(
    database: Database, actor: UUID
) -> None:
    before, key = await _done(database), str(uuid7())
    began, go_on = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(_once(database, actor, key).run(_slowly(began, go_on)))
    await began.wait()
    second_process = Database(database.url)
    try:
        with pytest.raises(OpenWatchError) as caught:
            await _once(second_process, actor, key).run(_work)
        assert caught.value.code == "request.in_progress"
        assert caught.value.kind.retryable
        go_on.set()
        answer = await first
        again = await _once(second_process, actor, key).run(_work)
    finally:
        await second_process.aclose()
    assert again.body == answer.body
    assert await _done(database) == before + 1


@pytest.mark.ac("identity-11")
async def test_of_many_at_once_one_does_the_work(database: Database, actor: UUID) -> None:
    before, key = await _done(database), str(uuid7())
    results = await asyncio.gather(
        *(_once(database, actor, key).run(_work) for _ in range(12)), return_exceptions=True
    )
    assert await _done(database) == before + 1
    for result in results:
        if isinstance(result, OpenWatchError):
            assert result.code == "request.in_progress"
        else:
            assert not isinstance(result, BaseException)


@pytest.mark.ac("identity-11")
async def test_a_failure_keeps_nothing_and_leaves_the_key_free(
    database: Database, actor: UUID
) -> None:
    before, key = await _done(database), str(uuid7())

    async def fail(tx: AsyncConnection) -> Answer:
        await _work(tx)
        raise RuntimeError("after half of the work")

    with pytest.raises(RuntimeError):
        await _once(database, actor, key).run(fail)
    assert await _done(database) == before
    await _once(database, actor, key).run(_work)
    assert await _done(database) == before + 1


@pytest.mark.ac("identity-11")
async def test_a_connection_that_dies_at_work_leaves_neither_work_nor_reservation(
    database: Database, actor: UUID
) -> None:
    """What PostgreSQL sees when the process is killed."""
    before, key = await _done(database), str(uuid7())

    async def die(tx: AsyncConnection) -> Answer:
        answer = await _work(tx)
        pid = (await tx.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        async with database.read() as other:
            await other.execute(text(f"SELECT pg_terminate_backend({pid}, 5000)"))
        return answer

    with pytest.raises(Exception, match=r"(?i)terminat|closed|connection"):
        await _once(database, actor, key).run(die)
    assert await _done(database) == before
    answer = await _once(database, actor, key).run(_work)
    assert answer.status_code == 202
    assert await _done(database) == before + 1


async def test_keys_belong_to_their_actor(database: Database, actor: UUID) -> None:
    other, key = uuid7(), str(uuid7())
    async with database.transaction() as tx:
        await tx.execute(
            text(
                "INSERT INTO users (id, username, display_name, password_hash)"
                f" VALUES ('{other}', 'other-{other}', 'Other', 'x')"
            )
        )
    first = await _once(database, actor, key).run(_work)
    second = await _once(database, other, key).run(_work)
    assert first.body != second.body


async def test_a_key_is_free_again_after_a_day(database: Database, actor: UUID) -> None:
    key = str(uuid7())
    first = await _once(database, actor, key).run(_work)
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE idempotency_keys SET expires_at = now()"))
    second = await _once(database, actor, key, b"another request").run(_work)
    assert first.body != second.body
    async with database.read() as conn:
        left = (await conn.execute(text("SELECT count(*) FROM idempotency_keys"))).scalar_one()
    assert left == 1


async def test_without_a_key_every_request_is_carried_out(database: Database, actor: UUID) -> None:
    before = await _done(database)
    for _ in range(2):
        await _once(database, actor, None).run(_work)
    assert await _done(database) == before + 2


async def test_an_answer_without_a_body(database: Database, actor: UUID) -> None:
    async def work(tx: AsyncConnection) -> Answer:
        await issue_setup_token(tx)
        return Answer(204)

    key = str(uuid7())
    for _ in range(2):
        answer = await _once(database, actor, key).run(work)
        assert (answer.status_code, answer.body) == (204, b"")
        assert "content-type" not in answer.headers
