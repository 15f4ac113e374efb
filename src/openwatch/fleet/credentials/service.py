"""What can be done with credentials.

A secret is sealed before it is written and bound to its row and column; it is opened only to make
a login, in the process that connects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import RowMapping
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.db.keyset import parse_order
from openwatch.engine.transport.errors import KEY_ENCRYPTED, KEY_INVALID, PASSPHRASE_WRONG
from openwatch.engine.transport.keys import inspect_private_key
from openwatch.engine.transport.model import Login
from openwatch.fleet import errors
from openwatch.fleet.credentials import store
from openwatch.fleet.credentials.schema import (
    SECRET_FIELDS,
    Credential,
    CredentialCreate,
    CredentialUpdate,
    Secrets,
)
from openwatch.fleet.hosts import service as hosts
from openwatch.kit.clock import now
from openwatch.kit.crypto import Keyring
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.http import expect_version
from openwatch.kit.ids import uuid7
from openwatch.kit.paging import Page
from openwatch.signals.service import Subject, emit

_AT_FAULT: Final = {
    KEY_INVALID.code: "private_key",
    KEY_ENCRYPTED.code: "passphrase",
    PASSPHRASE_WRONG.code: "passphrase",
}


async def list_credentials(
    conn: AsyncConnection, *, search: str | None, sort: str | None, cursor: str | None, limit: int
) -> Page[Credential]:
    """Return one page; raises ``request.sort_invalid``, ``request.cursor_invalid``."""
    order = parse_order(sort, store.SORT_KEYS, default="name")
    rows, next_cursor = await store.page(
        conn, search=search, order=order, cursor=cursor, limit=limit
    )
    return Page(
        items=[_credential(row) for row in rows],
        next_cursor=next_cursor,
        total=await store.count(conn, search),
    )


async def get(conn: AsyncConnection, credential_id: UUID) -> Credential:
    """Return what may be known of a credential; raises ``credential.unknown``."""
    row = await store.find(conn, credential_id)
    if row is None:
        raise OpenWatchError(errors.CREDENTIAL_UNKNOWN, credential_id=credential_id)
    return _credential(row)


async def create(tx: AsyncConnection, keyring: Keyring, request: CredentialCreate) -> Credential:
    """Keep a credential.

    Raises ``credential.exists``, ``credential.incomplete``, ``credential.key_invalid``,
    ``credential.key_encrypted``, ``credential.passphrase_wrong``.
    """
    credential_id, at = uuid7(), now()
    await _check_name(tx, credential_id, request.name)
    secrets = {name: getattr(request, name) for name in SECRET_FIELDS}
    values = {
        "id": credential_id,
        "name": request.name,
        "username": request.username,
        "created_at": at,
        "updated_at": at,
        **await _described(plain(secrets)),
        **_sealed(keyring, credential_id, secrets),
    }
    await _write(store.add(tx, values), request.name)
    return await _tell(tx, "credential.created", credential_id, {"name": request.name})


async def change(
    tx: AsyncConnection,
    keyring: Keyring,
    credential_id: UUID,
    request: CredentialUpdate,
    *,
    expected: int | None,
) -> Credential:
    """Change a credential. ``expected`` is the version that the caller has seen.

    A new private key leaves the old key's passphrase behind. Raises ``credential.unknown``,
    ``request.precondition_failed`` and what ``create`` raises.
    """
    row = await _lock(tx, credential_id)
    expect_version(row["version"], expected)
    if not request.given:
        return await get(tx, credential_id)
    values: dict[str, Any] = request.model_dump(include=request.given & {"name", "username"})
    if "name" in values:
        await _check_name(tx, credential_id, values["name"])
    secrets = request.secrets()
    if "private_key" in secrets:
        secrets.setdefault("passphrase", None)
    if secrets:
        kept = {name: SecretStr(text) for name, text in _opened(keyring, row).items() if text}
        values |= await _described(plain({**kept, **secrets}))
        values |= _sealed(keyring, credential_id, secrets)
    values |= {"updated_at": now(), "version": row["version"] + 1}
    await _write(store.change(tx, credential_id, values), values.get("name", row["name"]))
    data = {"name": values.get("name", row["name"]), "changed": sorted(request.given)}
    return await _tell(tx, "credential.updated", credential_id, data)


async def delete(tx: AsyncConnection, credential_id: UUID) -> None:
    """Remove a credential and its secrets; raises ``credential.unknown``, ``credential.in_use``."""
    row = await _lock(tx, credential_id)
    count, names = await hosts.using_credential(tx, credential_id)
    if count:
        shown = ", ".join(names) + (", …" if count > len(names) else "")
        raise OpenWatchError(errors.CREDENTIAL_IN_USE, count=count, hosts=shown)
    await store.remove(tx, credential_id)
    subject = Subject("credential", credential_id)
    await emit(tx, "credential.deleted", subject=subject, data={"name": row["name"]})


async def login(
    conn: AsyncConnection, keyring: Keyring, credential_id: UUID, *, username: str | None = None
) -> Login:
    """Return the login that a credential makes, as ``username`` when one is given.

    Raises ``credential.not_found``, ``keys.unknown``, ``keys.sealed_damaged``.
    """
    row = await store.sealed(conn, credential_id)
    if row is None:
        raise OpenWatchError(errors.CREDENTIAL_NOT_FOUND, credential_id=credential_id)
    return _login(username or row["username"], _opened(keyring, row))


async def inline_login(secrets: Secrets, *, username: str | None = None) -> Login:
    """Return the login that secrets make which are not kept; raises as ``create`` does."""
    values = plain({name: getattr(secrets, name) for name in SECRET_FIELDS})
    await _described(values, part_of="credential.")
    return _login(username or secrets.username, values)


def plain(secrets: Mapping[str, SecretStr | None]) -> dict[str, str | None]:
    """Return secrets as text, ready to be used at once."""
    return {name: s.get_secret_value() if s else None for name, s in secrets.items()}


def _login(username: str, secrets: Mapping[str, str | None]) -> Login:
    return Login(
        username=username,
        private_key=secrets["private_key"],
        passphrase=secrets["passphrase"],
        password=secrets["password"],
        sudo_password=secrets["sudo_password"],
    )


async def _described(
    secrets: Mapping[str, str | None], *, part_of: str = ""
) -> dict[str, str | None]:
    """Return what may be known of the key, once all secrets together are seen to be usable.

    ``part_of`` is where the secrets stand in the request, so that an error names its field.
    """
    key, passphrase = secrets.get("private_key"), secrets.get("passphrase")
    if key is None and secrets.get("password") is None:
        raise OpenWatchError(errors.CREDENTIAL_INCOMPLETE)
    if key is None:
        if passphrase is not None:
            raise OpenWatchError(errors.PASSPHRASE_WITHOUT_KEY)
        return {"key_type": None, "key_fingerprint": None}
    # An encrypted key is slow to open on purpose.
    try:
        info = await asyncio.to_thread(inspect_private_key, key, passphrase=passphrase)
    except OpenWatchError as error:
        if error.code not in _AT_FAULT:
            raise
        field = f"{part_of}{_AT_FAULT[error.code]}"
        raise OpenWatchError(error.kind, **{**error.params, "field": field}) from None
    return {"key_type": info.algorithm, "key_fingerprint": info.fingerprint}


def _context(credential_id: UUID, name: str) -> str:
    return f"credential:{credential_id}:{name}"


def _sealed(
    keyring: Keyring, credential_id: UUID, secrets: Mapping[str, SecretStr | None]
) -> dict[str, bytes | None]:
    def seal(name: str, secret: SecretStr | None) -> bytes | None:
        if secret is None:
            return None
        plaintext = secret.get_secret_value().encode()
        return keyring.seal(plaintext, context=_context(credential_id, name))

    return {f"{name}_sealed": seal(name, secret) for name, secret in secrets.items()}


def _opened(keyring: Keyring, row: RowMapping) -> dict[str, str | None]:
    def unseal(name: str, sealed: bytes | None) -> str | None:
        if sealed is None:
            return None
        return keyring.open(sealed, context=_context(row["id"], name)).decode()

    return {name: unseal(name, row[f"{name}_sealed"]) for name in SECRET_FIELDS}


async def _lock(tx: AsyncConnection, credential_id: UUID) -> RowMapping:
    row = await store.lock(tx, credential_id)
    if row is None:
        raise OpenWatchError(errors.CREDENTIAL_UNKNOWN, credential_id=credential_id)
    return row


async def _check_name(tx: AsyncConnection, credential_id: UUID, name: str) -> None:
    if await store.name_taken(tx, name, by_other_than=credential_id):
        raise OpenWatchError(errors.CREDENTIAL_EXISTS, name=name, field="name")


async def _write(statement: Any, name: str) -> None:
    try:
        await statement
    except IntegrityError as error:
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        if constraint == "uq_credentials_name":
            raise OpenWatchError(errors.CREDENTIAL_EXISTS, name=name, field="name") from None
        raise


async def _tell(
    tx: AsyncConnection, kind: str, credential_id: UUID, data: dict[str, Any]
) -> Credential:
    await emit(tx, kind, subject=Subject("credential", credential_id), data=data)
    return await get(tx, credential_id)


def _credential(row: RowMapping) -> Credential:
    return Credential(**{name: row[name] for name in Credential.model_fields})
