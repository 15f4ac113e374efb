"""Identifiers: UUID version 7 (RFC 9562), so that keys sort by time and insert at the end."""

from __future__ import annotations

import os
import threading
import time
import uuid
from typing import Final

_COUNTER_BITS: Final = (
    12  # rand_a: RFC 9562, section 6.2, method 1 (fixed-length dedicated counter)
)
_COUNTER_SEED_MASK: Final = (1 << (_COUNTER_BITS - 1)) - 1  # top bit clear leaves room to count
_RANDOM_BITS: Final = 62
_lock: Final = threading.Lock()
_last_ms = 0
_counter = 0


def uuid7() -> uuid.UUID:
    """Return a UUIDv7 that is greater than every one this process returned before."""
    global _last_ms, _counter
    entropy = int.from_bytes(os.urandom(10))
    with _lock:
        now_ms = time.time_ns() // 1_000_000
        if now_ms > _last_ms:
            _last_ms = now_ms
            _counter = (entropy >> _RANDOM_BITS) & _COUNTER_SEED_MASK
        else:  # same millisecond, or the clock was set back: count on from the last id
            _counter += 1
            if _counter >> _COUNTER_BITS:
                _last_ms += 1
                _counter = 0
        milliseconds, counter = _last_ms, _counter
    tail = entropy & ((1 << _RANDOM_BITS) - 1)
    value = milliseconds << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | tail
    return uuid.UUID(int=value)
