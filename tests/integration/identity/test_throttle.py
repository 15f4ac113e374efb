"""Slowing down who guesses passwords."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from openwatch.db.engine import Database
from openwatch.identity.throttle import policy, service, store
from openwatch.identity.users import passwords
from openwatch.kit.errors import OpenWatchError
from tests.fixtures.api import PASSWORD, USERNAME, Api, ensure_admin, running_app

FREE = policy.PER_USER.free
HOME, ELSEWHERE = "192.0.2.10", "198.51.100.20"


@pytest.fixture
async def api(fresh_database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with running_app(fresh_database_url, tmp_path) as running:
        await ensure_admin(running.database)
        yield running


async def _try(
    client: httpx.AsyncClient, password: str, username: str = USERNAME
) -> httpx.Response:
    return await client.post("/api/v1/session", json={"username": username, "password": password})


async def _reserve(database: Database, username: str, address: str | None = HOME) -> bool:
    try:
        await service.reserve(database, username=username, address=address)
    except OpenWatchError as error:
        return error.code != "auth.locked"
    return True


async def _let_time_pass(database: Database, seconds: float) -> None:
    moved = ", ".join(
        f"{column} = {column} - make_interval(secs => {seconds})"
        for column in ("last_failed_at", "paused_until", "known_until", "touched_at")
    )
    async with database.transaction() as tx:
        await tx.execute(text(f"UPDATE sign_in_attempts SET {moved}"))


@pytest.mark.ac("identity-06")
async def test_too_many_failures_pause_even_the_right_password(api: Api) -> None:
    async with api.other_client(HOME) as client:
        for _ in range(FREE + 1):
            assert (await _try(client, "wrong password")).status_code == 401
        refused = await _try(client, PASSWORD)
    assert refused.status_code == 429
    problem = refused.json()
    assert problem["code"] == "auth.locked"
    assert problem["retryable"] is True
    assert int(refused.headers["retry-after"]) == problem["retry_after"] > 0
    await _let_time_pass(api.database, problem["retry_after"])
    async with api.other_client(HOME) as client:
        assert (await _try(client, PASSWORD)).status_code == 201


@pytest.mark.ac("identity-06")
async def test_an_unknown_name_is_paused_like_a_known_one(api: Api) -> None:
    answers: dict[str, list[int]] = {}
    for i, name in enumerate((USERNAME, "nobody")):
        async with api.other_client(f"192.0.2.{i}") as client:
            tries = [await _try(client, "wrong password", name) for _ in range(FREE + 2)]
            answers[name] = [answer.status_code for answer in tries]
    assert answers[USERNAME] == answers["nobody"] == [401] * (FREE + 1) + [429]


@pytest.mark.ac("identity-06")
async def test_parallel_guesses_do_not_slip_past(api: Api) -> None:
    let_through = await asyncio.gather(*(_reserve(api.database, USERNAME) for _ in range(25)))
    assert sum(let_through) == FREE + 1


@pytest.mark.ac("identity-06")
async def test_processes_count_together(api: Api, tmp_path: Path) -> None:
    async with running_app(api.database.url, tmp_path) as second:
        for i in range(FREE + 1):
            database = (api if i % 2 else second).database
            assert await _reserve(database, USERNAME)
        assert not await _reserve(api.database, USERNAME)
        assert not await _reserve(second.database, USERNAME)


@pytest.mark.ac("identity-06")
async def test_pauses_double_to_a_limit_and_trying_meanwhile_does_not_lengthen_them(
    api: Api,
) -> None:
    for _ in range(FREE):
        assert await _reserve(api.database, USERNAME)
    pauses: list[int] = []
    for _ in range(14):
        assert await _reserve(api.database, USERNAME, f"203.0.113.{len(pauses)}")
        refused = [await _wait_of(api.database) for _ in range(3)]
        assert max(refused) - min(refused) <= 1
        pauses.append(refused[0])
        await _let_time_pass(api.database, refused[0])
    longest = int(policy.PER_USER.longest.total_seconds())
    assert pauses[:4] == [2, 4, 8, 16]
    assert pauses[-1] == pauses[-2] == longest


async def _wait_of(database: Database) -> int:
    with pytest.raises(OpenWatchError) as caught:
        await service.reserve(database, username=USERNAME, address=ELSEWHERE)
    seconds = caught.value.params["retry_after"]
    assert isinstance(seconds, int)
    return seconds


@pytest.mark.ac("identity-06")
async def test_one_address_cannot_try_many_names(api: Api) -> None:
    tried = 0
    while await _reserve(api.database, f"name-{tried}"):
        tried += 1
    assert tried == policy.PER_ADDRESS.free + 1
    assert await _reserve(api.database, "somebody", ELSEWHERE)


@pytest.mark.ac("identity-06")
async def test_addresses_of_one_ipv6_customer_count_as_one(api: Api) -> None:
    tried = 0
    while await _reserve(api.database, f"name-{tried}", f"2001:db8::{tried:x}"):
        tried += 1
    assert tried == policy.PER_ADDRESS.free + 1


@pytest.mark.ac("identity-06")
async def test_failures_are_forgotten_after_an_hour(api: Api) -> None:
    for _ in range(FREE):
        assert await _reserve(api.database, USERNAME)
    await _let_time_pass(api.database, policy.PER_USER.forget_after.total_seconds() + 1)
    for _ in range(FREE):
        assert await _reserve(api.database, USERNAME)


async def test_signing_in_clears_the_failures_of_the_person_but_not_of_the_address(
    api: Api,
) -> None:
    async with api.other_client(HOME) as client:
        for _ in range(FREE - 1):
            await _try(client, "wrong password")
        assert (await _try(client, PASSWORD)).status_code == 201
    async with api.database.transaction() as tx:
        user = await store.lock(tx, policy.user_key(USERNAME))
        address = await store.lock(tx, policy.address_key(HOME))
    assert user.failures == 0
    assert address.failures == FREE - 1


@pytest.mark.ac("identity-07")
async def test_a_stranger_cannot_lock_a_person_out_of_a_known_place(api: Api) -> None:
    async with api.other_client(HOME) as home:
        assert (await _try(home, PASSWORD)).status_code == 201
        async with api.other_client(ELSEWHERE) as stranger:
            for _ in range(FREE + 1):
                await _try(stranger, "wrong password")
            assert (await _try(stranger, PASSWORD)).status_code == 429
        assert (await _try(home, PASSWORD)).status_code == 201


@pytest.mark.ac("identity-07")
async def test_at_a_known_place_too_guesses_are_counted(api: Api) -> None:
    async with api.other_client(HOME) as home:
        assert (await _try(home, PASSWORD)).status_code == 201
    for _ in range(FREE + 1):
        assert await _reserve(api.database, USERNAME)
    assert not await _reserve(api.database, USERNAME)
    assert await _reserve(api.database, "somebody else")


async def test_old_rows_are_swept_and_names_are_not_kept(api: Api) -> None:
    await _reserve(api.database, "my-secret-password-typed-as-name")
    await _let_time_pass(api.database, policy.KEEP_FOR.total_seconds() + 1)
    await _reserve(api.database, USERNAME, ELSEWHERE)
    async with api.database.read() as conn:
        rows = (await conn.execute(text("SELECT key FROM sign_in_attempts"))).scalars().all()
    assert {bytes(key) for key in rows} == {
        policy.user_key(USERNAME),
        policy.address_key(ELSEWHERE),
    }


async def test_a_sign_in_that_was_not_tried_for_lack_of_room_is_not_counted(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "COMPUTATIONS_AT_ONCE", 0)
    monkeypatch.setattr(passwords, "COMPUTATIONS_QUEUED", 0)
    async with api.other_client(HOME) as client:
        for _ in range(FREE + 3):
            answer = await _try(client, PASSWORD)
            assert (answer.status_code, answer.json()["code"]) == (503, "auth.busy")
            assert answer.headers["retry-after"]
    monkeypatch.undo()
    async with api.other_client(HOME) as client:
        assert (await _try(client, PASSWORD)).status_code == 201
