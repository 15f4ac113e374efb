"""Is the process alive, and can it do its work?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from fastapi import APIRouter, Response, status
from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.db import migrate
from openwatch.db.engine import Database
from openwatch.db.outage import is_outage
from openwatch.db.requests import Db
from openwatch.jobs.health import worker_last_seen
from openwatch.kit.clock import now
from openwatch.kit.logging import get_logger

WORKER_SEEN_WITHIN: Final = timedelta(seconds=60)
CHECK_SECONDS: Final = 5.0

_log = get_logger(__name__)

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: str = Field(default="alive", examples=["alive"])


class Check(BaseModel):
    """One thing that the work depends on."""

    name: str = Field(examples=["database"])
    ok: bool
    detail: str = Field(description="What was found; the cause when it is not ok.")


class Readiness(BaseModel):
    """Whether requests and scans can be served, and if not, why."""

    ready: bool
    cause: str | None = Field(description="The first thing that is missing.")
    checks: list[Check]


@router.get("/healthz")
async def get_liveness() -> Alive:
    """Answer while the process is alive, whatever else is down."""
    return Alive()


@router.get("/readyz", responses={503: {"model": Readiness}})
async def get_readiness(response: Response, db: Db) -> Readiness:
    """Answer 200 when database, schema and a worker are there; else 503 with the cause."""
    checks = await _check_all(db)
    missing = next((check.detail for check in checks if not check.ok), None)
    response.headers["Cache-Control"] = "no-store"
    if missing is not None:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return Readiness(ready=missing is None, cause=missing, checks=checks)


async def _check_all(db: Database) -> list[Check]:
    """Return the checks in the order of dependence; it stops at the first that fails."""
    checks: list[Check] = []
    for name, look in _CHECKS:
        try:
            async with asyncio.timeout(CHECK_SECONDS), db.read() as conn:
                problem, found = await look(conn)
        except TimeoutError:
            problem, found = f"The database does not answer within {CHECK_SECONDS:.0f} s.", ""
        except Exception as error:
            if not is_outage(error):
                _log.exception("readiness check failed", check=name)
            problem, found = "The database does not answer.", ""
        checks.append(Check(name=name, ok=problem is None, detail=problem or found))
        if problem is not None:
            break
    return checks


async def _database(conn: AsyncConnection) -> tuple[str | None, str]:
    await conn.execute(text("SELECT 1"))
    return None, "The database answers."


async def _schema(conn: AsyncConnection) -> tuple[str | None, str]:
    exists = await conn.execute(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
    if not exists.scalar_one():
        return "The database is empty: run `owadm migrate`.", ""
    query = text("SELECT version_num FROM alembic_version")
    current = (await conn.execute(query)).scalar_one_or_none()
    if current != migrate.head():
        return f"The schema is {current}, and {migrate.head()} is needed: run `owadm migrate`.", ""
    return None, f"The schema is {current}."


async def _worker(conn: AsyncConnection) -> tuple[str | None, str]:
    seen = await worker_last_seen(conn)
    if seen is None:
        return "No worker has ever been seen: start `openwatch worker`.", ""
    ago = round(max((now() - seen).total_seconds(), 0))
    if ago > WORKER_SEEN_WITHIN.total_seconds():
        return f"No worker was seen for {ago} s: start `openwatch worker`.", ""
    return None, f"A worker was seen {ago} s ago."


_CHECKS: Final[
    tuple[tuple[str, Callable[[AsyncConnection], Awaitable[tuple[str | None, str]]]], ...]
] = (("database", _database), ("schema", _schema), ("worker", _worker))
