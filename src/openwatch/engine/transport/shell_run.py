"""One shell on a channel, from its first byte to its end, and the program that it is given."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final, Protocol

from openwatch.engine.transport.model import Receiver, Stream
from openwatch.engine.transport.privilege import Act, Event, Handshake, Payload

MAX_NOISE_BYTES: Final = 1024 * 1024
"""How much an account's start-up files may print before its shell is given up."""


class Channel(Protocol):
    """The near end of a started command."""

    def write(self, data: bytes) -> None: ...

    def write_eof(self) -> None: ...

    def hang_up(self) -> None:
        """Ask the command to end and stop listening to it, at once."""
        ...


class Sink(Protocol):
    """Who is told what happens on a channel; calls come in this order."""

    def opened(self, channel: Channel) -> None: ...

    def received(self, stream: Stream, data: bytes) -> None: ...

    def ended(self, exit_status: int | None) -> None:
        """The channel is closed; without an exit status the command was cut off."""
        ...


class Run:
    """One shell, and the program that it is given: at the start, when it is ready, or later."""

    def __init__(
        self, nonce: str, handshake: Handshake, *, password: str | None, send_at_once: bool
    ) -> None:
        self.nonce = nonce
        self.handshake = handshake
        self.failure: Exception | None = None
        self.exit_status: int | None = None
        self.hung_up = False
        self.too_noisy = False
        self.bytes_sent = 0
        self.bytes_received = 0
        self.program_sent = False
        self.channel: Channel | None = None
        self.settled = asyncio.Event()
        self.finished = asyncio.Event()
        self._program: bytes | None = None
        self._password = password
        self._receive: Receiver | None = None
        self._early: list[Payload] = []
        self._send_at_once = send_at_once

    def give(self, program: bytes, receive: Receiver) -> None:
        """Have the shell run ``program`` as soon as it may be sent; called once."""
        self._program = program
        self._receive = receive
        early, self._early = self._early, []
        for payload in early:
            self._deliver(payload)
        if self.handshake.ready and not self.hung_up:
            self._send_program()

    def opened(self, channel: Channel) -> None:
        self.channel = channel
        if self._send_at_once:
            self._send_program()

    def received(self, stream: Stream, data: bytes) -> None:
        if self.finished.is_set():
            return
        self.bytes_received += len(data)
        if not self._has_begun and self.bytes_received > MAX_NOISE_BYTES:
            self.too_noisy = True
            self.hang_up()
            return
        for event in self.handshake.feed(stream, data):
            self._obey(event)

    def ended(self, exit_status: int | None) -> None:
        self.exit_status = exit_status
        self.settled.set()
        self.finished.set()

    def hang_up(self) -> None:
        """Close the channel if it is still open; what arrives later is dropped."""
        if self.hung_up or self.finished.is_set():
            return
        self.hung_up = True
        if self.channel is not None:
            self.channel.hang_up()
        self.settled.set()
        self.finished.set()

    def _obey(self, event: Event) -> None:
        match event:
            case Payload():
                self._deliver(event)
            case Act.SEND_PASSWORD:
                self._write(f"{self._password}\n".encode())
            case Act.SEND_PROGRAM:
                self._send_program()
                self.settled.set()
            case Act.HANG_UP:
                self.hang_up()

    @property
    def _has_begun(self) -> bool:
        return self.handshake.ready and self._program is not None

    def _deliver(self, payload: Payload) -> None:
        if self._receive is None:
            self._early.append(payload)
            return
        if self.hung_up:
            return
        try:
            self._receive(payload.stream, payload.data)
        except Exception as failure:
            self.failure = failure
            self.hang_up()

    def _send_program(self) -> None:
        if self.program_sent or self.channel is None or self._program is None:
            return
        self.program_sent = True
        self._write(self._program)
        with suppress(OSError):
            self.channel.write_eof()

    def _write(self, data: bytes) -> None:
        # A channel that the host has closed meanwhile will tell so by `ended`.
        if self.channel is not None:
            with suppress(OSError):
                self.channel.write(data)
                self.bytes_sent += len(data)
