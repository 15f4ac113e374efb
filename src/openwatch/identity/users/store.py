"""SQL over users."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import RowMapping, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.identity.users.model import users


@dataclass(frozen=True, slots=True)
class StoredUser:
    """One row; the hash is kept out of every representation."""

    id: UUID
    username: str
    display_name: str
    password_hash: str

    def __repr__(self) -> str:
        return f"StoredUser(id={self.id!r}, username={self.username!r})"


_columns = (users.c.id, users.c.username, users.c.display_name, users.c.password_hash)


async def find_by_username(conn: AsyncConnection, username: str) -> StoredUser | None:
    found = await conn.execute(select(*_columns).where(users.c.username == username))
    return _user(found.mappings().one_or_none())


async def lock(tx: AsyncConnection, user_id: UUID) -> StoredUser | None:
    """Return the user and keep others from changing the row until ``tx`` ends."""
    query = select(*_columns).where(users.c.id == user_id).with_for_update()
    return _user((await tx.execute(query)).mappings().one_or_none())


async def any_exists(conn: AsyncConnection) -> bool:
    query = select(select(literal(1)).select_from(users).exists())
    return bool((await conn.execute(query)).scalar_one())


async def lock_out_writers(tx: AsyncConnection) -> None:
    """Let no other transaction add a user until ``tx`` ends (the mode conflicts with itself)."""
    await tx.exec_driver_sql("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")


async def add(tx: AsyncConnection, user: StoredUser) -> None:
    await tx.execute(
        insert(users).values(
            id=user.id,
            username=user.username,
            display_name=user.display_name,
            password_hash=user.password_hash,
        )
    )


async def replace_hash(tx: AsyncConnection, user_id: UUID, password_hash: str) -> None:
    await tx.execute(
        update(users)
        .where(users.c.id == user_id)
        .values(password_hash=password_hash, updated_at=func.now())
    )


def _user(row: RowMapping | None) -> StoredUser | None:
    return None if row is None else StoredUser(**row)
