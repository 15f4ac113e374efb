"""Carry out a request once, and give the same answer to every repetition of it.

Reservation, work and stored answer share one transaction. So a request is done exactly once
wherever a process is killed, and a reservation can neither be lost nor be left behind.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.db.engine import Database
from openwatch.db.requests import Db
from openwatch.identity import errors
from openwatch.identity.access import AnyCaller
from openwatch.identity.idempotency import store
from openwatch.identity.idempotency.store import StoredAnswer
from openwatch.kit.errors import OpenWatchError

KEEP_FOR: Final = timedelta(hours=24)
RETRY_SECONDS: Final = 1
REPLAYED_HEADER: Final = "Idempotency-Replayed"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route answers. It is stored for a day: it must hold no secret."""

    status: int
    body: BaseModel | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])


Work = Callable[[AsyncConnection], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Once:
    """Runs the work of one request; see ``run``."""

    db: Database
    actor_id: UUID
    key: str | None
    request_hash: bytes

    async def run(self, work: Work) -> Response:
        """Return the answer of ``work``, run in one transaction, or the answer given before.

        Raises ``request.in_progress`` while the same key is at work and
        ``request.idempotency_reused`` when the key came with another request. When ``work`` raises,
        nothing is kept and the key stays free.
        """
        async with self.db.transaction() as tx:
            if self.key is None:
                return _response(_packed(await work(tx), b""))
            return await self._run_keyed(tx, self.key, work)

    async def _run_keyed(self, tx: AsyncConnection, key: str, work: Work) -> Response:
        if not await store.try_lock(tx, self.actor_id, key):
            raise OpenWatchError(errors.IN_PROGRESS, retry_after=RETRY_SECONDS)
        stored = await store.find(tx, self.actor_id, key)
        if stored is not None:
            if stored.request_hash != self.request_hash:
                raise OpenWatchError(errors.KEY_REUSED)
            return _response(stored, replayed=True)
        answer = _packed(await work(tx), self.request_hash)
        await store.remove_expired(tx)
        await store.save(tx, self.actor_id, key, answer, keep_for=KEEP_FOR)
        return _response(answer)


async def _once(
    request: Request,
    db: Db,
    caller: AnyCaller,
    idempotency_key: Annotated[
        str | None,
        Header(
            description="A random key, such as a UUID. Repeating the request with the same key "
            "within 24 hours returns the first answer instead of doing the work again."
        ),
    ] = None,
) -> Once:
    if idempotency_key is not None and not _KEY.fullmatch(idempotency_key):
        raise OpenWatchError(errors.KEY_INVALID)
    fingerprint = hashlib.sha256()
    for part in (request.method, request.url.path, request.url.query):
        fingerprint.update(part.encode() + b"\0")
    fingerprint.update(await request.body())
    return Once(db, caller.user_id, idempotency_key, fingerprint.digest())


OnceDep = Annotated[Once, Depends(_once)]


def _packed(answer: Answer, request_hash: bytes) -> StoredAnswer:
    body = b"" if answer.body is None else answer.body.model_dump_json().encode()
    return StoredAnswer(request_hash, answer.status, dict(answer.headers), body)


def _response(answer: StoredAnswer, *, replayed: bool = False) -> Response:
    headers = {**answer.headers, **({REPLAYED_HEADER: "true"} if replayed else {})}
    media_type = "application/json" if answer.body else None
    return Response(answer.body, answer.status, headers, media_type)
