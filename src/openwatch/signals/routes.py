"""The event log and the live stream over HTTP."""

from __future__ import annotations

import re
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response

from openwatch.db.engine import Database
from openwatch.db.outage import is_outage
from openwatch.db.requests import Db
from openwatch.identity.access import Caller, requires, session_limits
from openwatch.identity.sessions import service as sessions
from openwatch.identity.sessions.service import Limits
from openwatch.kit.clock import now
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.paging import DEFAULT_LIMIT, MAX_LIMIT, Page
from openwatch.signals import errors, service, store
from openwatch.signals.hub import Hub
from openwatch.signals.schema import Event
from openwatch.signals.store import Filters
from openwatch.signals.stream import EventStream, Reader

STREAMS_PER_USER: Final = 50
STOPPING_RETRY_SECONDS: Final = 2
_EVENT_ID: Final = re.compile(r"[0-9]{1,18}")

router = APIRouter(tags=["events"])


def _hub(request: Request) -> Hub:
    hub = request.app.state.hub
    assert isinstance(hub, Hub)
    return hub


@router.get(
    "/events",
    response_class=Response,
    responses={
        200: {
            "description": "Server-sent events. `id` is the event's id, `event` its kind, `data` "
            "the event as JSON. Announcements (scan.progress) carry no id. `stream.reset` says "
            "that the last event id is not in this log: fetch everything again.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def follow_events(
    request: Request,
    caller: Annotated[Caller, requires("event:read")],
    db: Db,
    hub: Annotated[Hub, Depends(_hub)],
    last_event_id: Annotated[
        str | None, Query(description="Resume after this event, when the header is not sent.")
    ] = None,
    resume_after: Annotated[
        str | None,
        Header(alias="Last-Event-ID", description="Resume after this event; browsers send it."),
    ] = None,
) -> Response:
    """Follow events live, beginning now or after the last event that was received."""
    if hub.is_stopping:
        raise OpenWatchError(errors.STOPPING, retry_after=STOPPING_RETRY_SECONDS)
    if hub.streams_of(caller.user_id) >= STREAMS_PER_USER:
        raise OpenWatchError(errors.TOO_MANY_STREAMS, limit=STREAMS_PER_USER)
    wanted = _event_id(resume_after or last_event_id)
    async with db.read() as conn:
        latest = await store.latest_id(conn)
    is_unknown = wanted is not None and wanted > latest
    return EventStream(
        hub=hub,
        database=db,
        reader=_reader(caller, db, session_limits(request)),
        last_id=latest if wanted is None or is_unknown else wanted,
        reset=is_unknown,
    )


@router.get("/events/log")
async def list_events(
    _caller: Annotated[Caller, requires("event:read")],
    db: Db,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    cursor: Annotated[str | None, Query(max_length=256)] = None,
    kind: Annotated[str | None, Query(max_length=64, examples=["scan.completed"])] = None,
    host_id: UUID | None = None,
    subject_id: UUID | None = None,
) -> Page[Event]:
    """List events, newest first. `total` is null when there are more than 10,000."""
    filters = Filters(kind=kind, host_id=host_id, subject_id=subject_id)
    async with db.read() as conn:
        return await service.read_log(conn, filters, cursor=cursor, limit=limit)


def _event_id(text: str | None) -> int | None:
    if not text:
        return None
    if not _EVENT_ID.fullmatch(text):
        raise OpenWatchError(errors.CURSOR_INVALID)
    return int(text)


def _reader(caller: Caller, db: Database, limits: Limits) -> Reader:
    known_end = caller.session.idle_expires_at

    async def is_alive() -> bool:
        """A database that cannot answer ends a stream only once the session may have run out."""
        nonlocal known_end
        try:
            async with db.read() as conn:
                session = await sessions.find_living(conn, caller.session_id, limits=limits)
        except Exception as error:
            if not is_outage(error):
                raise
            return now() < known_end
        if session is None or "event:read" not in sessions.permissions_of(session):
            return False
        known_end = session.idle_expires_at
        return True

    return Reader(caller.user_id, caller.session_id, is_alive)
