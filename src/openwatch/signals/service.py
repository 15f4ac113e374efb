"""Tell what happened, and read what was told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.kit.clock import now
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.paging import CURSOR_INVALID, Page, decode_cursor, encode_cursor
from openwatch.signals import store
from openwatch.signals.kinds import EventKind, event_kind
from openwatch.signals.schema import Event, EventSubject
from openwatch.signals.store import Filters, NewEvent

# NOTIFY carries less than 8000 bytes (PostgreSQL manual, NOTIFY).
ANNOUNCEMENT_MAX_BYTES: Final = 7900
# An exact count of a log that only grows would cost more with every day.
COUNTED_AT_MOST: Final = 10_000
_BIGINT_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Subject:
    """The thing that an event is about: its type as in ``signals.kinds`` and its id."""

    type: str
    id: UUID


@dataclass(frozen=True, slots=True)
class Happening:
    """What an event of a kind is about, and what it carries."""

    subject: Subject
    host_id: UUID | None
    data: dict[str, Any]


async def emit(
    tx: AsyncConnection,
    kind: str,
    *,
    subject: Subject,
    host_id: UUID | None = None,
    data: dict[str, Any] | None = None,
) -> None:
    """Write an event into the log, if and when ``tx`` commits.

    ``data`` is shown to everybody who may read events: never a secret. Its id is given at commit.
    Raises ``ValueError`` for an unregistered kind, a kind that is only announced, or a subject of
    another type than the kind's.
    """
    await emit_all(tx, kind, [Happening(subject, host_id, data or {})])


async def emit_all(tx: AsyncConnection, kind: str, happenings: Sequence[Happening]) -> None:
    """Write many events of one kind; otherwise as ``emit``."""
    new: list[NewEvent] = []
    for happened in happenings:
        if not _checked(kind, happened.subject).stored:
            raise ValueError(f"{kind} is announced, not stored")
        subject = happened.subject
        new.append(NewEvent(kind, subject.type, subject.id, happened.host_id, happened.data))
    if new:
        await store.add(tx, new)


async def announce(
    conn: AsyncConnection,
    kind: str,
    *,
    subject: Subject,
    host_id: UUID | None = None,
    data: dict[str, Any] | None = None,
) -> None:
    """Tell those who listen at this moment, when the transaction of ``conn`` commits.

    Nothing is stored, so it may be missed. Raises ``ValueError`` as ``emit`` does, and when the
    message is too long for NOTIFY.
    """
    if _checked(kind, subject).stored:
        raise ValueError(f"{kind} is stored: use emit")
    event = Event(
        id=None,
        kind=kind,
        at=now(),
        subject=EventSubject(type=subject.type, id=subject.id),
        host_id=host_id,
        data=data or {},
    )
    payload = event.model_dump_json()
    if len(payload.encode()) > ANNOUNCEMENT_MAX_BYTES:
        raise ValueError(f"the announcement {kind} is longer than {ANNOUNCEMENT_MAX_BYTES} bytes")
    await store.notify(conn, payload)


async def read_log(
    conn: AsyncConnection, filters: Filters, *, cursor: str | None, limit: int
) -> Page[Event]:
    """Return a page of the log, newest first. ``total`` is null past ``COUNTED_AT_MOST``."""
    found = await store.page(conn, filters, before_id=_position(cursor), limit=limit + 1)
    items = found[:limit]
    more = len(found) > limit
    total = await store.count(conn, filters, at_most=COUNTED_AT_MOST + 1)
    return Page[Event](
        items=items,
        next_cursor=encode_cursor([items[-1].id]) if more else None,
        total=total if total <= COUNTED_AT_MOST else None,
    )


def _checked(kind: str, subject: Subject) -> EventKind:
    found = event_kind(kind)
    if subject.type != found.subject:
        raise ValueError(f"{kind} is about a {found.subject}, not a {subject.type}")
    return found


def _position(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    (position,) = decode_cursor(cursor, length=1)
    if type(position) is not int or not 0 <= position <= _BIGINT_MAX:
        raise OpenWatchError(CURSOR_INVALID)
    return position
