"""Credentials over the API: secrets go in, and only facts about them come out."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import asyncssh
import pytest
from sqlalchemy import select, text

from openwatch.fleet.credentials import service
from openwatch.fleet.credentials.model import credentials
from openwatch.kit.errors import OpenWatchError
from tests.fixtures.worker import Platform

PASSPHRASE = "opens the key"
KEY = asyncssh.generate_private_key("ssh-ed25519")
KEY_TEXT = KEY.export_private_key().decode()
ENCRYPTED = KEY.export_private_key(passphrase=PASSPHRASE).decode()
OTHER_TEXT = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_private_key().decode()


def named() -> str:
    return f"c-{uuid4()}"


async def add(platform: Platform, *, expect: int = 201, **secrets: Any) -> dict[str, Any]:
    body = {"name": named(), "username": "scan"} | secrets
    return await platform.post("/credentials", body, expect=expect)


async def change(platform: Platform, credential_id: str, **body: Any) -> Any:
    return await platform.api.client.patch(
        f"/api/v1/credentials/{credential_id}", json=body, headers={"If-Match": "*"}
    )


async def opened(platform: Platform, credential_id: str) -> Any:
    """The login as a worker gets it."""
    async with platform.api.database.read() as conn:
        return await service.login(conn, platform.api.app.state.keyring, UUID(credential_id))


@pytest.mark.ac("fleet-08")
async def test_what_is_known_of_a_credential(platform: Platform) -> None:
    kept = await add(
        platform,
        private_key=ENCRYPTED,
        passphrase=PASSPHRASE,
        password="pw",
        sudo_password="sudo pw",
    )
    assert kept["key_type"] == "ssh-ed25519"
    assert kept["key_fingerprint"] == KEY.get_fingerprint()
    known = ("has_private_key", "has_passphrase", "has_password", "has_sudo_password")
    assert all(kept[name] for name in known)
    secret = {"private_key", "passphrase", "password", "sudo_password"}
    assert not secret & kept.keys()
    login = await opened(platform, kept["id"])
    assert (login.username, login.passphrase, login.password, login.sudo_password) == (
        "scan", PASSPHRASE, "pw", "sudo pw",
    )  # fmt: skip
    assert login.private_key.strip() == ENCRYPTED.strip()
    assert PASSPHRASE not in repr(login)
    assert "PRIVATE KEY" not in repr(login)


@pytest.mark.ac("fleet-10")
@pytest.mark.parametrize(
    ("secrets", "code"),
    [
        ({}, "credential.incomplete"),
        ({"sudo_password": "x"}, "credential.incomplete"),
        ({"password": "x", "passphrase": "y"}, "credential.passphrase_without_key"),
        ({"private_key": ENCRYPTED}, "credential.key_encrypted"),
        ({"private_key": ENCRYPTED, "passphrase": "no"}, "credential.passphrase_wrong"),
        ({"private_key": KEY.export_public_key().decode()}, "credential.key_invalid"),
        ({"private_key": KEY_TEXT[:200]}, "credential.key_invalid"),
        ({"private_key": "rubbish"}, "credential.key_invalid"),
        ({"password": "two\nlines"}, "request.invalid"),
        ({"password": ""}, "request.invalid"),
        ({"password": "x" * 1025}, "request.invalid"),
        ({"private_key": KEY_TEXT, "username": "ro ot"}, "request.invalid"),
    ],
)
async def test_a_key_is_checked_when_it_is_written(
    platform: Platform, secrets: dict[str, Any], code: str
) -> None:
    problem = await add(platform, expect=422, **secrets)
    assert problem["code"] == code
    told = str(problem)
    for name, value in secrets.items():
        if name != "username" and len(value) > 3:
            assert value not in told


@pytest.mark.ac("fleet-10")
async def test_a_key_that_was_pasted_on_windows_is_taken(platform: Platform) -> None:
    kept = await add(platform, private_key="\r\n" + KEY_TEXT.replace("\n", "\r\n") + "  ")
    assert kept["key_fingerprint"] == KEY.get_fingerprint()


@pytest.mark.ac("fleet-12")
async def test_a_change_keeps_what_it_does_not_name(platform: Platform) -> None:
    kept = await add(platform, private_key=ENCRYPTED, passphrase=PASSPHRASE, password="pw")
    answer = await change(platform, kept["id"], username="root")
    assert answer.status_code == 200
    login = await opened(platform, kept["id"])
    assert (login.username, login.password, login.passphrase) == ("root", "pw", PASSPHRASE)

    answer = await change(platform, kept["id"], password=None)
    assert (answer.json()["has_password"], answer.json()["has_private_key"]) == (False, True)

    answer = await change(platform, kept["id"], private_key=OTHER_TEXT)
    assert answer.json()["key_type"] == "ecdsa-sha2-nistp256"
    assert answer.json()["has_passphrase"] is False

    answer = await change(platform, kept["id"], private_key=None)
    assert (answer.status_code, answer.json()["code"]) == (422, "credential.incomplete")
    answer = await change(platform, kept["id"], private_key=None, password="new")
    assert answer.json()["key_fingerprint"] is None
    assert (await opened(platform, kept["id"])).private_key is None


@pytest.mark.ac("fleet-12")
async def test_a_passphrase_alone_is_tried_on_the_kept_key(platform: Platform) -> None:
    kept = await add(platform, private_key=ENCRYPTED, passphrase=PASSPHRASE)
    answer = await change(platform, kept["id"], passphrase="wrong")
    assert answer.json()["code"] == "credential.passphrase_wrong"
    assert (await opened(platform, kept["id"])).passphrase == PASSPHRASE


@pytest.mark.ac("fleet-09")
async def test_a_sealed_secret_opens_only_where_it_was_written(platform: Platform) -> None:
    first = await add(platform, password="the first", sudo_password="for sudo")
    second = await add(platform, password="the second")
    other = f"SELECT password_sealed FROM credentials WHERE id = '{first['id']}'"
    swaps = (
        f"SET password_sealed = ({other}) WHERE id = '{second['id']}'",
        f"SET password_sealed = sudo_password_sealed WHERE id = '{first['id']}'",
    )
    async with platform.api.database.transaction() as tx:
        for swap in swaps:
            await tx.execute(text(f"UPDATE credentials {swap}"))
    for credential in (first, second):
        with pytest.raises(OpenWatchError) as caught:
            await opened(platform, credential["id"])
        assert caught.value.code == "keys.sealed_damaged"


@pytest.mark.ac("fleet-11")
async def test_a_credential_in_use_stays(platform: Platform) -> None:
    kept = await add(platform, password="pw")
    name = f"h-{uuid4()}"
    host = await platform.add_host(name, address="10.0.0.1", credential_id=kept["id"])
    assert (await platform.get(f"/credentials/{kept['id']}"))["hosts_count"] == 1
    refused = await platform.api.client.delete(f"/api/v1/credentials/{kept['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "credential.in_use")
    assert name in refused.json()["detail"]
    await platform.delete(f"/hosts/{host}")
    await platform.delete(f"/credentials/{kept['id']}")
    async with platform.api.database.read() as conn:
        left = select(credentials.c.id).where(credentials.c.id == UUID(kept["id"]))
        assert (await conn.execute(left)).first() is None
    kinds = [e["kind"] for e in await platform.events() if e["subject"]["id"] == kept["id"]]
    assert kinds == ["credential.created", "credential.deleted"]


async def test_credentials_are_listed_sorted_and_searched(platform: Platform) -> None:
    stem = named()
    for number, user in enumerate("cab"):
        await add(platform, name=f"{stem}-{number}", username=user, password="pw")
    await add(platform, name=stem.upper() + "-0", expect=409, password="pw")

    async def users(**params: Any) -> list[str]:
        page = await platform.get("/credentials", search=stem, **params)
        return [credential["username"] for credential in page["items"]]

    assert await users() == ["c", "a", "b"]
    for key in ("username", "created_at", "updated_at", "hosts_count", "name"):
        whole = await users(sort=f"-{key}")
        page = await platform.get("/credentials", search=stem, sort=f"-{key}", limit=2)
        rest = await platform.get(
            "/credentials", search=stem, sort=f"-{key}", limit=2, cursor=page["next_cursor"]
        )
        assert [c["username"] for c in page["items"] + rest["items"]] == whole
        assert page["total"] == 3
