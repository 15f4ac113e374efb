"""Errors of the event log."""

from __future__ import annotations

from openwatch.kit.errors import register

CURSOR_INVALID = register(
    "event.last_id_invalid",
    status=400,
    message="The last event id is a whole number that this stream gave out.",
    fix="Send the id of the last event that you received, or leave it out to begin now.",
)
TOO_MANY_STREAMS = register(
    "event.too_many_streams",
    status=429,
    message="This account has {limit} live streams open, and that is the most.",
    fix="Close some OpenWatch tabs or stop other readers, then try again.",
    retryable=True,
)
STOPPING = register(
    "event.stopping",
    status=503,
    message="This server is about to stop.",
    fix="Connect again in {retry_after} s.",
    retryable=True,
)
