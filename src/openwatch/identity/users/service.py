"""What can be done with users."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.identity.users import names, passwords, store
from openwatch.identity.users.store import StoredUser
from openwatch.kit.ids import uuid7
from openwatch.signals.service import Subject, emit


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user that passed every check, with the hash made, ready to be stored."""

    username: str
    display_name: str
    password_hash: str = field(repr=False)


async def prepare(username: str, display_name: str, password: str) -> NewUser:
    """Check the names and the password and hash it (slow: call it outside of locks).

    Raises ``user.*`` and ``password.*`` errors, each naming its field.
    """
    stored_name = names.check_username(username)
    shown_name = names.check_display_name(display_name)
    passwords.check_policy(password, username=stored_name)
    return NewUser(stored_name, shown_name, await passwords.hash_password(password))


async def add(tx: AsyncConnection, new: NewUser) -> StoredUser:
    """Store a prepared user and tell of it."""
    user = StoredUser(uuid7(), new.username, new.display_name, new.password_hash)
    await store.add(tx, user)
    await emit(
        tx, "user.created", subject=Subject("user", user.id), data={"username": user.username}
    )
    return user


async def find(conn: AsyncConnection, username: str) -> StoredUser | None:
    """Return the user who signs in as ``username``, however it is spelt."""
    stored_name = names.normalise_username(username)
    return None if stored_name is None else await store.find_by_username(conn, stored_name)


async def any_exists(conn: AsyncConnection) -> bool:
    return await store.any_exists(conn)


async def settle_hash(
    tx: AsyncConnection, user_id: UUID, *, checked_hash: str, upgraded_hash: str | None
) -> StoredUser | None:
    """Lock the user for a sign-in and store an upgraded hash.

    Returns None when the user is gone or the password was changed since it was checked.
    """
    user = await store.lock(tx, user_id)
    if user is None or user.password_hash != checked_hash:
        return None
    if upgraded_hash is not None:
        await store.replace_hash(tx, user_id, upgraded_hash)
    return user


async def lock_out_writers(tx: AsyncConnection) -> None:
    await store.lock_out_writers(tx)
