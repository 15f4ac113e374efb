"""Server-sent events on the wire (WHATWG HTML, 9.2 Server-sent events)."""

from __future__ import annotations

from typing import Final

from openwatch.signals.schema import Event

HEARTBEAT: Final = b": alive\n\n"


def event_frame(event: Event) -> bytes:
    """Return the frame of an event. One that is not in the log carries no id, so that a reader
    which resumes does so after the last one that is."""
    head = "" if event.id is None else f"id: {event.id}\n"
    return f"{head}event: {event.kind}\ndata: {event.model_dump_json()}\n\n".encode()


def opening_frame(last_id: int, *, retry_ms: int) -> bytes:
    """Return the first frame: where this stream begins, and how long to wait before reconnecting.

    A frame without data is not shown to the page but sets its last event id, so a reader that is
    cut off before the first event resumes from here.
    """
    return f"retry: {retry_ms}\nid: {last_id}\n\n".encode()


def reset_frame(last_id: int) -> bytes:
    """Return the frame that tells a reader that its last event id is not in this log.

    It happens after the database was restored from a copy: what the reader shows may be wrong.
    """
    return f'id: {last_id}\nevent: stream.reset\ndata: {{"last_id":{last_id}}}\n\n'.encode()
