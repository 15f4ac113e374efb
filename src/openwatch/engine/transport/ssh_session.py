"""Commands on an SSH connection: one session channel each."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from signal import Signals
from typing import Final

import asyncssh
from asyncssh.constants import EXTENDED_DATA_STDERR

from openwatch.engine.transport import errors
from openwatch.engine.transport.model import Stream
from openwatch.engine.transport.shell import SIGNALLED
from openwatch.engine.transport.shell_run import Sink
from openwatch.kit.errors import OpenWatchError

SESSION_PAUSES: Final = (0.1, 0.3, 0.6)
"""Seconds to wait before asking again for a session that a server refused: with MaxSessions 1 it
frees the place of the last one only after it has cleaned up behind it."""

CLOSE_SECONDS: Final = 2.0


class Sessions:
    """Starts commands on a connection, one session channel each."""

    def __init__(
        self, connections: list[asyncssh.SSHClientConnection], *, where: str, username: str
    ) -> None:
        self._connections = connections
        self._where = where
        self._username = username

    async def start(self, command: str, sink: Sink, *, patient: bool = True) -> None:
        for pause in (*(SESSION_PAUSES if patient else ()), None):
            try:
                await self._open(command, sink)
            except asyncssh.ChannelOpenError as error:
                if self._connections[-1].is_closed():
                    raise OpenWatchError(errors.LOST, where=self._where) from error
                if pause is None:
                    raise self._refused(error) from error
                await asyncio.sleep(pause)
            except (asyncssh.Error, OSError) as error:
                raise OpenWatchError(errors.LOST, where=self._where) from error
            else:
                return

    async def _open(self, command: str, sink: Sink) -> None:
        session = _Session(sink)
        try:
            await self._connections[-1].create_session(  # pyright: ignore[reportUnknownMemberType]
                lambda: session,
                command,
                env=None,
                send_env=None,
                request_pty=False,
                x11_forwarding=False,
                encoding=None,
            )
        except asyncio.CancelledError:
            session.abandon()
            raise

    def _refused(self, error: asyncssh.ChannelOpenError) -> OpenWatchError:
        return OpenWatchError(
            errors.NO_SHELL,
            where=self._where,
            username=self._username,
            detail=f"the server opens no session and says {errors.quoted(error.reason)}",
        )

    async def aclose(self) -> None:
        for connection in reversed(self._connections):
            connection.close()
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await connection.wait_closed()
            except TimeoutError:
                connection.abort()


class _Session(asyncssh.SSHClientSession[bytes]):
    """One command on its channel."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._chan: asyncssh.SSHClientChannel[bytes] | None = None
        self._started = False
        self._exit_status: int | None = None

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._chan = chan

    def session_started(self) -> None:
        # Only now does the server pass on what is written; before, it would drop it.
        assert self._chan is not None
        self._started = True
        self._sink.opened(_SessionChannel(self._chan))

    def abandon(self) -> None:
        """Close the channel of a command that nobody waits for any more."""
        if self._chan is not None:
            self._chan.abort()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        is_err = datatype == EXTENDED_DATA_STDERR
        self._sink.received(Stream.ERR if is_err else Stream.OUT, data)

    def exit_status_received(self, status: int) -> None:
        self._exit_status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        known = f"SIG{signal}" in Signals.__members__
        self._exit_status = SIGNALLED + (Signals[f"SIG{signal}"] if known else 0)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._started:
            self._sink.ended(self._exit_status if exc is None else None)


class _SessionChannel:
    """The near end of a session channel; see :class:`.shell_run.Channel`."""

    def __init__(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._chan = chan

    def write(self, data: bytes) -> None:
        self._chan.write(data)  # pyright: ignore[reportUnknownMemberType]

    def write_eof(self) -> None:
        self._chan.write_eof()

    def hang_up(self) -> None:
        with suppress(OSError):
            self._chan.terminate()
        self._chan.abort()
