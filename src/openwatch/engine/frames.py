"""The frames of a collection: how the answers of one program are told apart in two byte streams.

The program prints lines ``<nonce> <mark> …`` on both streams. The nonce is 128 random bits of this
run, so no file content, banner or truncated output can be taken for a mark.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from openwatch.engine.errors import OUTPUT_LIMIT
from openwatch.engine.transport import Stream
from openwatch.kit.errors import OpenWatchError

MAX_TOTAL_BYTES: Final = 64 * 1024 * 1024
"""What one collection may send in all; a host that sends more is not answering our program."""

MAX_NOISE_BYTES: Final = 1024 * 1024
"""What start-up files may print before our first mark."""


@dataclass(slots=True)
class ItemResult:
    """What one item of the program printed, and how it ended (``None``: it did not)."""

    output: bytes = b""
    errors: bytes = b""
    exit_status: int | None = None
    seconds: float = 0.0


@dataclass(slots=True)
class _StreamState:
    """The part of a stream that is not yet known to be free of marks, and the open item."""

    buffer: bytearray = field(default_factory=bytearray)
    item: str | None = None
    noise: int = 0
    scanned: int = 0


class FrameReader:
    """Reads both streams of a running collection, chunk by chunk, whatever their boundaries."""

    def __init__(self, nonce: str, *, on_item: Callable[[int], None] | None = None) -> None:
        self._mark = b"\n" + nonce.encode() + b" "
        self._streams = {Stream.OUT: _StreamState(), Stream.ERR: _StreamState()}
        self._on_item = on_item
        self._total = 0
        self._opened = time.monotonic()
        self.results: dict[str, ItemResult] = {}
        self.begun = False
        self.done = False

    def receive(self, stream: Stream, data: bytes) -> None:
        """Take the next chunk; raises ``host.output_limit`` when the host sends far too much."""
        self._total += len(data)
        state = self._streams[stream]
        state.buffer += data
        self._drain(stream, state)
        if self._total > MAX_TOTAL_BYTES or state.noise > MAX_NOISE_BYTES:
            raise OpenWatchError(OUTPUT_LIMIT, limit_mib=MAX_TOTAL_BYTES // (1024 * 1024))

    def _drain(self, stream: Stream, state: _StreamState) -> None:
        while (start := state.buffer.find(self._mark, state.scanned)) >= 0:
            end = state.buffer.find(b"\n", start + len(self._mark))
            if end < 0:
                state.scanned = start
                return
            self._body(stream, state, bytes(state.buffer[:start]))
            words = bytes(state.buffer[start + len(self._mark) : end]).split()
            # The newline that ends a mark may begin the next one.
            del state.buffer[:end]
            state.scanned = 0
            self._take(stream, state, words)
        state.scanned = max(0, len(state.buffer) - len(self._mark))
        if state.item is None:
            keep = len(self._mark) - 1
            state.noise += max(0, len(state.buffer) - keep)
            del state.buffer[:-keep]
            state.scanned = 0

    def _body(self, stream: Stream, state: _StreamState, body: bytes) -> None:
        if state.item is None:
            return
        result = self.results.setdefault(state.item, ItemResult())
        # The first newline is the one that ended the opening mark.
        body = body[1:]
        if stream is Stream.OUT:
            result.output += body
        else:
            result.errors += body

    def _take(self, stream: Stream, state: _StreamState, words: list[bytes]) -> None:
        match words:
            case [b"begin"]:
                self.begun = True
            case [b"item", item]:
                state.item = item.decode("ascii", "replace")
                if stream is Stream.OUT:
                    self._opened = time.monotonic()
            # An item of a group can be cut anywhere, inside of its mark too: the last word counts.
            case [b"end", item, status] | [b"ended", item, status, b"."] if stream is Stream.OUT:
                self._close(item.decode("ascii", "replace"), status)
                state.item = None
            case [b"end", *_]:
                state.item = None
            case [b"done"]:
                self.done = self.done or stream is Stream.OUT
            case _:
                state.item = None

    def _close(self, item: str, status: bytes) -> None:
        result = self.results.setdefault(item, ItemResult())
        result.exit_status = int(status) if status.isdigit() else None
        result.seconds = time.monotonic() - self._opened
        if self._on_item is not None:
            self._on_item(sum(1 for r in self.results.values() if r.exit_status is not None))
