"""One live stream to one client."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from openwatch.db.engine import Database
from openwatch.db.outage import is_outage
from openwatch.kit.logging import get_logger
from openwatch.signals import store
from openwatch.signals.frames import HEARTBEAT, event_frame, opening_frame, reset_frame
from openwatch.signals.hub import Hub

HEARTBEAT_SECONDS: Final = 15.0
PAGE_EVENTS: Final = 500
# A client that takes nothing for so long is dropped; it can resume where it was.
SEND_SECONDS: Final = 20.0
# Spread, so that the clients of a server that restarts do not all come back at once.
RETRY_MS: Final = (1_000, 3_000)
SESSION_ENDED: Final = "session.ended"

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose stream it is, and whether that session still lives."""

    user_id: UUID
    session_id: UUID
    is_alive: Callable[[], Awaitable[bool]]


class EventStream(Response):
    """Sends events until the client leaves, its session ends or the server stops.

    Everything after ``last_id`` is sent, in order and without a gap: from the log first, then as
    it happens. ``reset`` says that the reader's own position was not in the log.
    """

    media_type = "text/event-stream"

    def __init__(
        self, *, hub: Hub, database: Database, reader: Reader, last_id: int, reset: bool = False
    ) -> None:
        # Without a body: Response would announce its length.
        self.status_code = 200
        self.background = None
        self.init_headers({"cache-control": "no-store", "x-accel-buffering": "no"})
        self.reader = reader
        self._hub = hub
        self._database = database
        self._last_id = last_id
        self._reset = reset
        self._has_ended = False
        self._check_at = 0.0
        hub.join(self, reader.user_id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.create_task(_until_gone(receive))
        writing = asyncio.create_task(self._write(send))
        try:
            await asyncio.wait({leaving, writing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            writing.cancel()
            results = await asyncio.gather(leaving, writing, return_exceptions=True)
            self._hub.leave(self)
        failure = results[1]
        if isinstance(failure, TimeoutError):
            _log.info("dropped a live stream whose client reads too slowly")
        elif isinstance(failure, Exception):
            raise failure

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

        async def put(chunk: bytes) -> None:
            async with asyncio.timeout(SEND_SECONDS):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})

        await put(opening_frame(self._last_id, retry_ms=random.randint(*RETRY_MS)))
        if self._reset:
            await put(reset_frame(self._last_id))
        try:
            await self._follow(put)
        except Exception as error:
            if not is_outage(error):
                raise
            _log.warning("ended a live stream, because the event log cannot be read now")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _follow(self, put: Callable[[bytes], Awaitable[None]]) -> None:
        hub = self._hub
        self._check_at = _clock() + HEARTBEAT_SECONDS
        await self._wait_for_hub(put)
        next_number = hub.next_number  # taken before the log is read: the two overlap, never gape
        await self._catch_up(put)
        while await self._goes_on(put):
            wake = hub.wake
            frames = hub.since(next_number)
            next_number = hub.next_number
            if frames is None:
                await self._catch_up(put)
                continue
            fresh = [frame for frame in frames if self._is_fresh(frame.event_id)]
            if fresh:
                await put(b"".join(frame.wire for frame in fresh))
                self._note((frame.event_id, frame.kind, frame.subject_id) for frame in fresh)
                continue  # more may have come meanwhile, or this was the end of the session
            await _wait(wake, self._check_at - _clock())

    async def _wait_for_hub(self, put: Callable[[bytes], Awaitable[None]]) -> None:
        """Wait until the hub has its place in the log: before, neither would send an event."""
        while True:
            wake = self._hub.wake
            if self._hub.has_begun or not await self._goes_on(put):
                return
            await _wait(wake, self._check_at - _clock())

    async def _catch_up(self, put: Callable[[bytes], Awaitable[None]]) -> None:
        """Send what the log holds after the last event that was sent, at the client's pace."""
        while await self._goes_on(put):
            async with self._database.read() as conn:
                events = await store.after(conn, self._last_id, limit=PAGE_EVENTS)
            if events:
                await put(b"".join(event_frame(event) for event in events))
                self._note((event.id, event.kind, event.subject.id) for event in events)
            if len(events) < PAGE_EVENTS:
                return

    async def _goes_on(self, put: Callable[[bytes], Awaitable[None]]) -> bool:
        """Return False when the stream is to end. Now and then ask, and show that it lives."""
        if not (self._has_ended or self._hub.is_stopping) and _clock() >= self._check_at:
            self._has_ended = not await self.reader.is_alive()
            await put(HEARTBEAT)
            self._check_at = _clock() + HEARTBEAT_SECONDS
        return not (self._has_ended or self._hub.is_stopping)

    def _is_fresh(self, event_id: int | None) -> bool:
        return event_id is None or event_id > self._last_id

    def _note(self, sent: Iterable[tuple[int | None, str, UUID]]) -> None:
        for event_id, kind, subject_id in sent:
            if event_id is not None:
                self._last_id = event_id
            if kind == SESSION_ENDED and subject_id == self.reader.session_id:
                self._has_ended = True


def _clock() -> float:
    return asyncio.get_running_loop().time()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _wait(wake: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return
