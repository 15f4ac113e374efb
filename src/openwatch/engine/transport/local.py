"""This machine as a host: the same shells and the same way to root, without a network."""

from __future__ import annotations

import asyncio
import getpass
import os
import signal
from contextlib import suppress
from typing import Any, Final, cast

from openwatch.engine.transport.model import Deadlines, Stream, Transport
from openwatch.engine.transport.shell import SIGNALLED, ShellTransport
from openwatch.engine.transport.shell_run import Sink

_STDIN: Final = 0
_STDERR: Final = 2

_SHELL: Final = "/bin/sh"
_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_PASSED_ON: Final = ("HOME", "USER", "LOGNAME", "SHELL", "TZ")
"""What a program sees of our environment, as little as in an SSH session: settings of OpenWatch,
which may hold secrets, are not among it."""


def connect_local(
    *, sudo_password: str | None = None, deadlines: Deadlines | None = None
) -> Transport:
    """Return a transport to this machine, as the user that this process runs as."""
    return ShellTransport(
        _Processes(),
        name="local",
        where="this machine",
        username=_user_name(),
        sudo_password=sudo_password,
        deadlines=deadlines or Deadlines(),
    )


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _environment() -> dict[str, str]:
    return {"PATH": _PATH} | {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


class _Processes:
    """Starts commands as child processes."""

    def __init__(self) -> None:
        self._running: set[_Process] = set()

    async def start(self, command: str, sink: Sink, *, patient: bool = True) -> None:
        loop = asyncio.get_running_loop()
        await loop.subprocess_exec(
            lambda: _Process(sink, self._running),
            _SHELL,
            "-c",
            command,
            env=_environment(),
            cwd="/",
            # A process group of its own can be ended as a whole, and has no terminal to ask on.
            start_new_session=True,
        )

    async def aclose(self) -> None:
        for process in list(self._running):
            process.hang_up()


class _Process(asyncio.SubprocessProtocol):
    """One command; also the near end of it, see :class:`.shell_run.Channel`."""

    def __init__(self, sink: Sink, running: set[_Process]) -> None:
        self._sink = sink
        self._running = running
        self._transport: asyncio.SubprocessTransport | None = None
        self._cut_off = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self._running.add(self)
        self._sink.opened(self)

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        stream = Stream.ERR if fd == _STDERR else Stream.OUT
        self._sink.received(stream, cast(bytes, data))

    def connection_lost(self, exc: Exception | None) -> None:
        self._running.discard(self)
        status = self._transport.get_returncode() if self._transport else None
        if status is not None and status < 0:
            status = SIGNALLED - status
        self._sink.ended(None if self._cut_off else status)

    def write(self, data: bytes) -> None:
        self._stdin().write(data)

    def write_eof(self) -> None:
        self._stdin().close()

    def hang_up(self) -> None:
        assert self._transport is not None
        self._cut_off = True
        # The group may be gone, or belong to root after sudo: then closing its pipes ends it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._transport.get_pid(), signal.SIGTERM)
        self._transport.close()

    def _stdin(self) -> asyncio.WriteTransport:
        assert self._transport is not None
        pipe: Any = self._transport.get_pipe_transport(_STDIN)
        return cast(asyncio.WriteTransport, pipe)
