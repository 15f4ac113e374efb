"""One listener per process, however many readers: follows the log and hands events to streams.

The hub keeps the newest frames in a ring. Every stream has its own place in the ring and takes what
it has not sent yet, as fast as its client reads. There is no queue per stream that could grow or
overflow; a stream that fell off the end of the ring goes back to reading the log.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final
from uuid import UUID
from weakref import WeakKeyDictionary

from pydantic import ValidationError

from openwatch.db.engine import Database
from openwatch.db.outage import is_outage
from openwatch.kit.logging import get_logger
from openwatch.signals import store
from openwatch.signals.frames import event_frame
from openwatch.signals.model import CHANNEL
from openwatch.signals.schema import Event

RING_FRAMES: Final = 2_000
READ_AT_ONCE: Final = 500
# A notification can be lost with its connection before either end knows; this bounds the delay.
LOOK_ANYWAY_SECONDS: Final = 10.0
AFTER_FAILURE_SECONDS: Final = 1.0

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Frame:
    """An event, encoded once for all readers. ``number`` counts the frames of this process."""

    number: int
    event_id: int | None
    kind: str
    subject_id: UUID
    wire: bytes


class Hub:
    """Follows the log of one database. ``run`` must be running for streams to get anything."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ring: deque[Frame] = deque(maxlen=RING_FRAMES)
        self._next_number = 0
        self._log_position: int | None = None
        self._log_grew = asyncio.Event()
        self._wake = asyncio.Event()
        self._is_stopping = False
        # Weak: a stream that was made but never begun must not count for ever.
        self._streams: WeakKeyDictionary[object, UUID] = WeakKeyDictionary()

    @property
    def next_number(self) -> int:
        """The number that the next frame will get: a place from which to follow the ring."""
        return self._next_number

    @property
    def wake(self) -> asyncio.Event:
        """Set when there are new frames, or when streams are to end. Take it, then look."""
        return self._wake

    @property
    def has_begun(self) -> bool:
        """True once the hub knows where in the log it is: from there on it misses nothing."""
        return self._log_position is not None

    @property
    def is_stopping(self) -> bool:
        """True when streams are to end."""
        return self._is_stopping

    def since(self, number: int) -> list[Frame] | None:
        """Return the frames from ``number`` on; None when some of them are no longer kept."""
        missing = self._next_number - number
        if missing > len(self._ring):
            return None
        return [self._ring[i] for i in range(len(self._ring) - missing, len(self._ring))]

    def join(self, stream: object, user_id: UUID) -> None:
        """Count a stream until it leaves."""
        self._streams[stream] = user_id

    def leave(self, stream: object) -> None:
        """Stop counting a stream."""
        self._streams.pop(stream, None)

    def streams_of(self, user_id: UUID) -> int:
        """Return how many streams of a user this process serves."""
        return sum(1 for owner in list(self._streams.values()) if owner == user_id)

    def stop(self) -> None:
        """End all streams; their clients resume elsewhere or later."""
        self._is_stopping = True
        self._wake_all()

    async def run(self) -> None:
        """Follow the log until cancelled, over every loss of the database."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._follow())

    async def _listen(self) -> None:
        while True:
            try:
                async with aclosing(self._database.listen(CHANNEL)) as payloads:
                    async for payload in payloads:
                        self._notified(payload)
            except Exception:
                _log.exception("listening for events failed; trying again")
            await asyncio.sleep(AFTER_FAILURE_SECONDS)

    def _notified(self, payload: str) -> None:
        if not payload:
            self._log_grew.set()
            return
        try:
            event = Event.model_validate_json(payload)
        except ValidationError:
            _log.warning("ignored a notification that is no announcement")
            return
        self._publish([event])

    async def _follow(self) -> None:
        while True:
            try:
                await self._read_log()
            except Exception as error:
                if is_outage(error):
                    _log.warning("the event log cannot be read now; trying again")
                else:
                    _log.exception("reading the event log failed; trying again")
                await asyncio.sleep(AFTER_FAILURE_SECONDS)
                continue
            try:
                async with asyncio.timeout(LOOK_ANYWAY_SECONDS):
                    await self._log_grew.wait()
            except TimeoutError:
                continue

    async def _read_log(self) -> None:
        self._log_grew.clear()  # first: what is committed from here on sets it again
        async with self._database.read() as conn:
            if self._log_position is None:
                self._log_position = await store.latest_id(conn)
                self._wake_all()
                return
            found = await store.after(conn, self._log_position, limit=READ_AT_ONCE)
        if not found:
            return
        last = found[-1].id
        assert last is not None
        self._log_position = last
        self._publish(found)
        if len(found) == READ_AT_ONCE:
            self._log_grew.set()

    def _publish(self, events: list[Event]) -> None:
        for event in events:
            frame = Frame(
                self._next_number, event.id, event.kind, event.subject.id, event_frame(event)
            )
            self._ring.append(frame)
            self._next_number += 1
        self._wake_all()

    def _wake_all(self) -> None:
        self._wake.set()
        self._wake = asyncio.Event()
