"""All SQL about rule versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.compliance.rules.model import rule_versions


async def numbers(conn: AsyncConnection, hashes: Mapping[str, bytes]) -> dict[str, int]:
    """Return the numbers of the versions that are known, by rule id."""
    wanted = tuple_(rule_versions.c.rule_id, rule_versions.c.hash)
    statement = select(rule_versions.c.rule_id, rule_versions.c.number).where(
        wanted.in_(list(hashes.items()))
    )
    return {row.rule_id: row.number for row in await conn.execute(statement)}


async def add(tx: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add versions; those that somebody else has added meanwhile stay as they are."""
    statement = insert(rule_versions).values({name: bindparam(name) for name in rows[0]})
    await tx.execute(statement.on_conflict_do_nothing(), [dict(row) for row in rows])
