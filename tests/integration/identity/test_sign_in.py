"""Signing in, staying signed in, signing out."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from openwatch.db.engine import Database
from openwatch.identity.sessions import tokens
from tests.fixtures.api import ORIGIN, PASSWORD, USERNAME, Api, ensure_admin, running_app


async def _sessions(database: Database) -> int:
    async with database.read() as conn:
        return (await conn.execute(text("SELECT count(*) FROM sessions"))).scalar_one()


async def _run(database: Database, statement: str) -> None:
    async with database.transaction() as tx:
        await tx.execute(text(statement))


async def _forget_attempts(database: Database) -> None:
    await _run(database, "DELETE FROM sign_in_attempts")


@pytest.mark.ac("identity-01")
async def test_signing_in_sets_a_cookie_that_scripts_and_other_sites_cannot_use(api: Api) -> None:
    session = await api.sign_in()
    assert session["user"]["username"] == USERNAME
    assert "host:read" in session["permissions"]
    answer = await api.client.post(
        "/api/v1/session", json={"username": USERNAME, "password": PASSWORD}
    )
    cookie = answer.headers["set-cookie"]
    for attribute in ("openwatch_session=", "HttpOnly", "SameSite=strict", "Path=/"):
        assert attribute in cookie
    assert "Secure" not in cookie
    again = await api.client.get("/api/v1/session")
    assert again.status_code == 200
    assert again.json()["csrf_token"] == answer.json()["csrf_token"]


@pytest.mark.ac("identity-01")
async def test_over_tls_the_cookie_is_for_tls_only(api: Api) -> None:
    transport = httpx.ASGITransport(api.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://127.0.0.1") as client:
        answer = await client.post(
            "/api/v1/session", json={"username": USERNAME, "password": PASSWORD}
        )
    assert "; Secure" in answer.headers["set-cookie"]
    assert answer.headers["strict-transport-security"].startswith("max-age=")


async def test_a_name_is_the_same_however_it_is_typed(api: Api) -> None:
    await api.sign_in(username=f"  {USERNAME.upper()} ")


@pytest.mark.ac("identity-02")
async def test_neither_password_nor_token_is_stored(api: Api) -> None:
    await api.sign_in()
    token = api.client.cookies["openwatch_session"]
    async with api.database.read() as conn:
        stored_hash = (await conn.execute(text("SELECT password_hash FROM users"))).scalar_one()
        hashes = (await conn.execute(text("SELECT token_hash FROM sessions"))).scalars().all()
    assert stored_hash.startswith("$argon2id$")
    assert PASSWORD not in stored_hash
    assert tokens.token_hash(token) in {bytes(value) for value in hashes}
    assert token.encode() not in b"".join(bytes(value) for value in hashes)


@pytest.mark.ac("identity-02")
async def test_an_outdated_hash_is_replaced_at_sign_in(api: Api) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    await _run(api.database, f"UPDATE users SET password_hash = '{weak}'")
    await api.sign_in()
    async with api.database.read() as conn:
        stored_hash = (await conn.execute(text("SELECT password_hash FROM users"))).scalar_one()
    assert "m=65536" in stored_hash
    await api.sign_in()


@pytest.mark.ac("identity-03")
async def test_a_wrong_password_and_an_unknown_name_look_alike(api: Api) -> None:
    await _forget_attempts(api.database)
    answers = [
        await api.client.post("/api/v1/session", json={"username": name, "password": "wrong" * 4})
        for name in (USERNAME, "nobody", "not a name at all \x00", "ada'--")
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert {answer.json()["code"] for answer in answers} == {"auth.invalid_credentials"}
    assert len({answer.json()["detail"] for answer in answers}) == 1


@pytest.mark.ac("identity-03")
async def test_an_unknown_name_takes_as_long_as_a_wrong_password(api: Api) -> None:
    async def seconds(name: str) -> float:
        await _forget_attempts(api.database)
        began = time.perf_counter()
        await api.client.post("/api/v1/session", json={"username": name, "password": "x" * 20})
        return time.perf_counter() - began

    # The least of several, in turns: whatever else the machine does only adds to it.
    turns = [(await seconds(USERNAME), await seconds("nobody")) for _ in range(5)]
    known, unknown = (min(taken) for taken in zip(*turns, strict=True))
    # A missing computation would make it ten times faster.
    assert 0.4 < unknown / known < 2.5


@pytest.mark.ac("identity-04")
async def test_signing_out_ends_the_session_on_the_server(signed_in_api: Api) -> None:
    client = signed_in_api.client
    token = client.cookies["openwatch_session"]
    answer = await client.delete("/api/v1/session")
    assert answer.status_code == 204
    assert 'openwatch_session=""' in answer.headers["set-cookie"]
    client.cookies.set("openwatch_session", token, domain="127.0.0.1")
    assert (await client.get("/api/v1/session")).status_code == 401


@pytest.mark.ac("identity-04")
async def test_signing_in_again_ends_the_session_that_was_presented(signed_in_api: Api) -> None:
    old = signed_in_api.client.cookies["openwatch_session"]
    await signed_in_api.sign_in()
    assert signed_in_api.client.cookies["openwatch_session"] != old
    async with signed_in_api.other_client() as other:
        other.cookies.set("openwatch_session", old, domain="127.0.0.1")
        assert (await other.get("/api/v1/session")).status_code == 401


@pytest.mark.ac("identity-04")
@pytest.mark.parametrize(
    "moved",
    [
        "last_seen_at = now() - interval '61 minutes'",
        "expires_at = now() - interval '1 second'",
    ],
)
async def test_a_session_that_ran_out_is_no_session(signed_in_api: Api, moved: str) -> None:
    await _run(signed_in_api.database, f"UPDATE sessions SET {moved}")
    answer = await signed_in_api.client.get("/api/v1/session")
    assert answer.status_code == 401
    assert answer.json()["code"] == "auth.required"
    before = await _sessions(signed_in_api.database)
    await signed_in_api.sign_in()
    assert await _sessions(signed_in_api.database) <= before


@pytest.mark.ac("identity-04")
async def test_use_moves_the_idle_end_and_background_requests_do_not(signed_in_api: Api) -> None:
    client, database = signed_in_api.client, signed_in_api.database
    await _run(database, "UPDATE sessions SET last_seen_at = now() - interval '50 minutes'")
    background = await client.get("/api/v1/session", headers={"X-Background-Refresh": "1"})
    used = await client.get("/api/v1/session")
    assert background.json()["idle_expires_at"] < used.json()["idle_expires_at"]
    assert used.json()["expires_at"] == background.json()["expires_at"]


@pytest.mark.ac("identity-04")
async def test_the_idle_end_is_never_after_the_last_end(signed_in_api: Api) -> None:
    soon = "UPDATE sessions SET expires_at = now() + interval '5 minutes'"
    await _run(signed_in_api.database, soon)
    session = (await signed_in_api.client.get("/api/v1/session")).json()
    assert session["idle_expires_at"] == session["expires_at"]


@pytest.mark.ac("identity-05")
@pytest.mark.parametrize("sent", [None, "", "0" * 64, "é"])
async def test_a_change_without_the_token_of_the_session_is_refused(
    signed_in_api: Api, sent: str | None
) -> None:
    client = signed_in_api.client
    del client.headers["X-CSRF-Token"]
    headers = {} if sent is None else {b"X-CSRF-Token": sent.encode()}
    answer = await client.delete("/api/v1/session", headers=headers)
    assert answer.status_code == 403
    assert answer.json()["code"] == "auth.csrf"
    assert (await client.get("/api/v1/session")).status_code == 200


@pytest.mark.ac("identity-05")
async def test_the_token_of_another_session_is_refused(signed_in_api: Api) -> None:
    async with signed_in_api.other_client() as other:
        signed = await other.post(
            "/api/v1/session", json={"username": USERNAME, "password": PASSWORD}
        )
    headers = {"X-CSRF-Token": signed.json()["csrf_token"]}
    answer = await signed_in_api.client.delete("/api/v1/session", headers=headers)
    assert answer.status_code == 403


@pytest.mark.ac("identity-05")
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "null"},
    ],
)
async def test_a_page_of_another_site_cannot_sign_anybody_in(
    api: Api, headers: dict[str, str]
) -> None:
    body = {"username": USERNAME, "password": PASSWORD}
    answer = await api.client.post("/api/v1/session", json=body, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["code"] == "auth.csrf"


@pytest.mark.ac("identity-05")
@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": ORIGIN}, {"Sec-Fetch-Site": "none"}]
)
async def test_our_own_pages_may_sign_in(api: Api, headers: dict[str, str]) -> None:
    await _forget_attempts(api.database)
    body = {"username": USERNAME, "password": PASSWORD}
    answer = await api.client.post("/api/v1/session", json=body, headers=headers)
    assert answer.status_code == 201


@pytest.mark.parametrize("token", ["", "x", "é" * 43, "A" * 43, "A" * 5000, "' OR 1=1 --"])
async def test_a_cookie_that_is_no_token_is_no_session(api: Api, token: str) -> None:
    headers = {b"Cookie": f"openwatch_session={token}".encode()}
    answer = await api.client.get("/api/v1/session", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"]


async def test_a_password_changed_while_it_is_checked_starts_no_session(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check takes long; what it checked must still hold when the session is made."""
    from openwatch.identity.users import passwords

    check = passwords.check_password

    async def check_and_change(password: str, stored: str | None) -> passwords.Checked:
        checked = await check(password, stored)
        await _run(api.database, "UPDATE users SET password_hash = 'changed'")
        return checked

    async with api.database.read() as conn:
        kept = (await conn.execute(text("SELECT password_hash FROM users"))).scalar_one()
    monkeypatch.setattr(passwords, "check_password", check_and_change)
    before = await _sessions(api.database)
    body = {"username": USERNAME, "password": PASSWORD}
    answer = await api.client.post("/api/v1/session", json=body)
    await _run(api.database, f"UPDATE users SET password_hash = '{kept}'")
    assert answer.status_code == 401
    assert await _sessions(api.database) == before


async def test_signing_in_is_told_and_holds_no_secret(signed_in_api: Api) -> None:
    answer = await signed_in_api.client.get("/api/v1/events/log", params={"limit": 1})
    event = answer.json()["items"][0]
    assert event["kind"] == "session.created"
    assert event["data"]["username"] == USERNAME
    token = signed_in_api.client.cookies["openwatch_session"]
    assert token not in answer.text
    assert PASSWORD not in answer.text


async def test_settings_set_how_long_a_session_lasts(database_url: str, tmp_path: Path) -> None:
    limits = {"session_idle_minutes": 1, "session_absolute_hours": 1}
    async with running_app(database_url, tmp_path, **limits) as api:
        await ensure_admin(api.database)
        await api.sign_in()
        await _run(api.database, "UPDATE sessions SET last_seen_at = now() - interval '2 minutes'")
        assert (await api.client.get("/api/v1/session")).status_code == 401


async def test_parallel_requests_of_one_session_all_succeed(signed_in_api: Api) -> None:
    await _run(
        signed_in_api.database, "UPDATE sessions SET last_seen_at = now() - interval '5 minutes'"
    )
    answers = await asyncio.gather(
        *(signed_in_api.client.get("/api/v1/session") for _ in range(20))
    )
    assert {answer.status_code for answer in answers} == {200}
