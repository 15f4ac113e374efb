"""SQL over first-run tokens."""

from __future__ import annotations

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.identity.setup.model import setup_tokens


async def add(tx: AsyncConnection, token_hash: bytes) -> None:
    await tx.execute(insert(setup_tokens).values(token_hash=token_hash))


async def exists(conn: AsyncConnection, token_hash: bytes) -> bool:
    query = select(setup_tokens.c.token_hash).where(setup_tokens.c.token_hash == token_hash)
    return (await conn.execute(query)).one_or_none() is not None


async def remove_all(tx: AsyncConnection) -> None:
    await tx.execute(delete(setup_tokens))
