"""All SQL about credentials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import RowMapping, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.db.keyset import AnySelect, Order, SortKey, cut_page, select_page
from openwatch.fleet.credentials.model import credentials
from openwatch.fleet.hosts.model import LIVE, hosts

Q = TypeVar("Q", bound=AnySelect)

_HOSTS_COUNT: Final = (
    select(func.count())
    .select_from(hosts)
    .where(hosts.c.credential_id == credentials.c.id, LIVE)
    .scalar_subquery()
)

_PUBLIC: Final = (
    credentials.c.id,
    credentials.c.name,
    credentials.c.username,
    credentials.c.private_key_sealed.is_not(None).label("has_private_key"),
    credentials.c.key_type,
    credentials.c.key_fingerprint,
    credentials.c.passphrase_sealed.is_not(None).label("has_passphrase"),
    credentials.c.password_sealed.is_not(None).label("has_password"),
    credentials.c.sudo_password_sealed.is_not(None).label("has_sudo_password"),
    _HOSTS_COUNT.label("hosts_count"),
    credentials.c.created_at,
    credentials.c.updated_at,
    credentials.c.version,
)

SORT_KEYS: Final[Mapping[str, SortKey]] = {
    "name": SortKey(func.lower(credentials.c.name)),
    "username": SortKey(credentials.c.username),
    "hosts_count": SortKey(_HOSTS_COUNT, type=int),
    "created_at": SortKey(credentials.c.created_at),
    "updated_at": SortKey(credentials.c.updated_at),
}


async def page(
    conn: AsyncConnection, *, search: str | None, order: Order, cursor: str | None, limit: int
) -> tuple[Sequence[RowMapping], str | None]:
    """Return the rows of one page, without secrets, and the cursor of the next."""
    statement = _matching(select(*_PUBLIC), search)
    statement = select_page(statement, order=order, id_column=credentials.c.id, cursor=cursor)
    rows = (await conn.execute(statement.limit(limit + 1))).mappings().all()
    return cut_page(rows, order=order, limit=limit)


async def count(conn: AsyncConnection, search: str | None) -> int:
    statement = _matching(select(func.count()).select_from(credentials), search)
    return (await conn.execute(statement)).scalar_one()


async def find(conn: AsyncConnection, credential_id: UUID) -> RowMapping | None:
    """Return a credential without its secrets."""
    statement = select(*_PUBLIC).where(credentials.c.id == credential_id)
    return (await conn.execute(statement)).mappings().one_or_none()


async def sealed(conn: AsyncConnection, credential_id: UUID) -> RowMapping | None:
    """Return a credential with its secrets as they are stored."""
    statement = select(credentials).where(credentials.c.id == credential_id)
    return (await conn.execute(statement)).mappings().one_or_none()


async def lock(tx: AsyncConnection, credential_id: UUID) -> RowMapping | None:
    """Return a credential as it is stored; nobody else changes it or begins to use it till then."""
    statement = select(credentials).where(credentials.c.id == credential_id).with_for_update()
    return (await tx.execute(statement)).mappings().one_or_none()


async def name_taken(tx: AsyncConnection, name: str, *, by_other_than: UUID) -> bool:
    statement = select(credentials.c.id).where(
        func.lower(credentials.c.name) == func.lower(name), credentials.c.id != by_other_than
    )
    return (await tx.execute(statement)).first() is not None


async def add(tx: AsyncConnection, values: Mapping[str, Any]) -> None:
    await tx.execute(insert(credentials).values(values))


async def change(tx: AsyncConnection, credential_id: UUID, values: Mapping[str, Any]) -> None:
    await tx.execute(update(credentials).where(credentials.c.id == credential_id).values(values))


async def remove(tx: AsyncConnection, credential_id: UUID) -> None:
    """Remove a credential for good; hosts that were deleted lose their reference to it."""
    forget = update(hosts).where(hosts.c.credential_id == credential_id)
    await tx.execute(forget.values(credential_id=None))
    await tx.execute(delete(credentials).where(credentials.c.id == credential_id))


def _matching(statement: Q, search: str | None) -> Q:
    if not search or not (text := search.strip()):
        return statement
    searched = (credentials.c.name, credentials.c.username, credentials.c.key_fingerprint)
    return statement.where(or_(*[c.icontains(text, autoescape=True) for c in searched]))
