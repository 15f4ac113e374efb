"""First run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from openwatch.identity.setup import service
from openwatch.kit.errors import OpenWatchError
from tests.fixtures.api import Api, running_app

PERSON = {
    "username": "grace",
    "display_name": "Grace",
    "password": "eleven blue bicycles in the rain",
}


@pytest.fixture
async def fresh(fresh_database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The app on a database without any user."""
    async with running_app(fresh_database_url, tmp_path) as api:
        yield api


async def _token(api: Api) -> str:
    async with api.database.transaction() as tx:
        token = await service.issue_setup_token(tx)
    assert token is not None
    return token


@pytest.mark.ac("identity-08")
async def test_the_printed_token_makes_the_first_administrator_and_signs_in(fresh: Api) -> None:
    assert (await fresh.client.get("/api/v1/setup")).json() == {"required": True}
    answer = await fresh.client.post("/api/v1/setup", json={"token": await _token(fresh), **PERSON})
    assert answer.status_code == 201, answer.text
    assert answer.json()["user"]["display_name"] == "Grace"
    assert (await fresh.client.get("/api/v1/setup")).json() == {"required": False}
    assert (await fresh.client.get("/api/v1/session")).status_code == 200
    fresh.client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    assert (await fresh.client.delete("/api/v1/session")).status_code == 204
    await fresh.sign_in(PERSON["username"], PERSON["password"])


@pytest.mark.ac("identity-08")
async def test_without_a_valid_token_nobody_is_made(fresh: Api) -> None:
    await _token(fresh)
    for wrong in ("x", "A" * 43, "\x00", "é"):
        answer = await fresh.client.post("/api/v1/setup", json={"token": wrong, **PERSON})
        assert answer.status_code == 403
        assert answer.json()["code"] == "setup.token_invalid"
    assert (await fresh.client.get("/api/v1/setup")).json() == {"required": True}


@pytest.mark.ac("identity-08")
async def test_of_many_first_runs_at_once_one_wins(fresh: Api) -> None:
    names = [f"person-{i}" for i in range(6)]
    requests = [{**PERSON, "token": await _token(fresh), "username": name} for name in names]
    answers = await asyncio.gather(
        *(fresh.client.post("/api/v1/setup", json=request) for request in requests)
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
    async with fresh.database.read() as conn:
        assert (await conn.execute(text("SELECT count(*) FROM users"))).scalar_one() == 1
        assert (await conn.execute(text("SELECT count(*) FROM setup_tokens"))).scalar_one() == 0


@pytest.mark.ac("identity-08")
async def test_a_second_transaction_waits_and_then_finds_it_done(fresh: Api) -> None:
    """The race behind the one above, without luck: both have seen that there is no user."""
    second_looked, first_made = asyncio.Event(), asyncio.Event()
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")

    async def first() -> None:
        async with fresh.database.transaction() as tx:
            await second_looked.wait()
            await service.create_first_admin(tx, "first", PERSON["password"])
            first_made.set()
            while (await tx.execute(waiting)).scalar_one() == 0:
                await asyncio.sleep(0.02)

    async def second() -> None:
        async with fresh.database.transaction() as tx:
            assert await service.is_required(tx)
            second_looked.set()
            await first_made.wait()
            await service.create_first_admin(tx, "second", PERSON["password"])

    _, failure = await asyncio.gather(first(), second(), return_exceptions=True)
    assert isinstance(failure, OpenWatchError)
    assert failure.code == "setup.done"


@pytest.mark.ac("identity-08")
async def test_every_token_works_until_setup_is_done_and_none_afterwards(fresh: Api) -> None:
    older, newer = await _token(fresh), await _token(fresh)
    assert older != newer
    answer = await fresh.client.post("/api/v1/setup", json={"token": older, **PERSON})
    assert answer.status_code == 201
    again = {**PERSON, "token": newer, "username": "second"}
    async with fresh.other_client() as other:
        refused = await other.post("/api/v1/setup", json=again)
    assert refused.status_code == 409
    assert refused.json()["code"] == "setup.done"
    async with fresh.database.transaction() as tx:
        assert await service.issue_setup_token(tx) is None


@pytest.mark.ac("identity-02")
async def test_of_the_token_only_a_hash_is_kept(fresh: Api) -> None:
    token = await _token(fresh)
    async with fresh.database.read() as conn:
        stored = (await conn.execute(text("SELECT token_hash FROM setup_tokens"))).scalar_one()
    assert len(bytes(stored)) == 32
    assert token.encode() not in bytes(stored)


@pytest.mark.ac("identity-09")
@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"password": "hunter2"}, "password.too_short", "password"),
        ({"password": "ä" * 600}, "password.too_long", "password"),
        (
            {"username": "averylongusername", "password": "AVeryLongUsername"},
            "password.is_username",
            "password",
        ),
        ({"username": "no spaces"}, "user.username_invalid", "username"),
        ({"username": "-dash"}, "user.username_invalid", "username"),
        ({"display_name": "bell\x07"}, "user.display_name_invalid", "display_name"),
        ({"display_name": "   "}, "user.display_name_invalid", "display_name"),
        ({"display_name": "nul\x00"}, "user.display_name_invalid", "display_name"),
    ],
)
async def test_what_cannot_be_accepted_is_named(
    fresh: Api, change: dict[str, str], code: str, field: str
) -> None:
    request = {"token": await _token(fresh), **PERSON, **change}
    answer = await fresh.client.post("/api/v1/setup", json=request)
    assert answer.status_code == 422
    assert answer.json()["code"] == code
    assert answer.json()["errors"] == [{"field": field, "message": answer.json()["detail"]}]
    assert request["password"] not in answer.text
    # The token is still good.
    assert (await fresh.client.post("/api/v1/setup", json={**request, **PERSON})).status_code == 201
