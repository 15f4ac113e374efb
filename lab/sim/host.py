"""One simulated host: its listener, its SSH server, and what it answers."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import struct
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import asyncssh

from lab.sim.faults import (
    AnyFault,
    AuthRefused,
    Drop,
    Flood,
    Garbage,
    Hang,
    Motd,
    Mute,
    NoShell,
    NotSsh,
    OldCrypto,
    Reset,
    Slow,
    Sudo,
    WrongKey,
)
from lab.sim.recording import Player, Program
from lab.sim.shell import Asked, Shell, asked_for
from lab.wan import Line

# Whoever connects and does not log in is let go, as sshd does (LoginGraceTime).
LOGIN_SECONDS: Final = 120
SLOW_PIECES: Final = 20
CHUNK: Final = 65536
BACKLOG: Final = 512
KEY_ALGORITHM: Final = "ssh-ed25519"
# Algorithms of the time before 2014.
OLD: Final = {
    "kex_algs": ["diffie-hellman-group1-sha1"],
    "encryption_algs": ["3des-cbc"],
    "mac_algs": ["hmac-md5"],
}

# The library writes a line for each connection; hundreds of hosts drown all else.
asyncssh.set_log_level(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Access:
    """What opens the accounts of simulated hosts."""

    public_key: asyncssh.SSHKey
    password: str
    sudo_asks: bool


@dataclass(slots=True)
class Tally:
    """What happened on a host so far."""

    connections: int = 0
    programs: int = 0
    bytes_sent: int = 0
    last_program: bytes = b""


class SimHost:
    """A host on an address of its own. ``fault`` may be changed at any time."""

    def __init__(
        self,
        name: str,
        address: str,
        port: int,
        *,
        access: Access,
        player: Player,
        line: Line,
        fault: AnyFault | None = None,
    ) -> None:
        self.name = name
        self.address = address
        self.port = port
        self.fault = fault
        self.line = line
        self.tally = Tally()
        self._access = access
        self._player = player
        self._key = asyncssh.generate_private_key(KEY_ALGORITHM)
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None

    @property
    def host_key(self) -> str:
        """The published public host key, one OpenSSH line without a comment."""
        return self._key.export_public_key().decode().strip()

    @property
    def known_hosts_line(self) -> str:
        return f"[{self.address}]:{self.port} {self.host_key}\n"

    def rekey(self) -> None:
        """Have another host key from the next connection on, as after a reinstallation."""
        self._key = asyncssh.generate_private_key(KEY_ALGORITHM)

    # ------------------------------------------------------------------------------- listening
    async def start(self, listener: socket.socket) -> None:
        """Take connections from a bound socket."""
        listener.setblocking(False)
        listener.listen(BACKLOG)
        self._listener = listener
        self._spawn(self._accept(listener))

    async def stop(self) -> None:
        """End the listener and all connections: from now on the host refuses."""
        if self._listener:
            self._listener.close()
            self._listener = None
        self.line.cut()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while True:
                connection, _ = await loop.sock_accept(listener)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.tally.connections += 1
                self._spawn(self._connected(connection))

    async def _connected(self, connection: socket.socket) -> None:
        with suppress(OSError, asyncssh.Error):
            match self.fault:
                case Mute():
                    await self._hold(connection)
                case NotSsh(greeting):
                    await asyncio.get_running_loop().sock_sendall(connection, greeting)
                    await self._hold(connection)
                case Reset():
                    # Lingering for zero seconds makes close() send a reset.
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    connection.close()
                case _:
                    await self._serve(connection)

    async def _hold(self, connection: socket.socket) -> None:
        """Keep a connection until the client leaves it."""
        with connection:
            while await asyncio.get_running_loop().sock_recv(connection, CHUNK):
                pass

    async def _serve(self, connection: socket.socket) -> None:
        if self.line.latency or self.line.rate:
            near, far = socket.socketpair()
            outside = await asyncio.open_connection(sock=connection)
            inside = await asyncio.open_connection(sock=near)
            self._spawn(self.line.join(outside, inside))
            connection = far
        shown = asyncssh.generate_private_key(KEY_ALGORITHM)
        key = shown if isinstance(self.fault, WrongKey) else self._key
        server = await asyncssh.run_server(
            connection,
            server_factory=lambda: _Server(self.fault, self._access),
            server_host_keys=[key],
            process_factory=self._process,
            encoding=None,
            login_timeout=LOGIN_SECONDS,
            **(OLD if isinstance(self.fault, OldCrypto) else {}),
        )
        try:
            await server.wait_closed()
        finally:
            server.abort()

    # ------------------------------------------------------------------------------- answering
    async def _process(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        # The client may leave at any moment; a host does not care.
        with suppress(OSError, asyncssh.Error, asyncssh.BreakReceived, asyncssh.SignalReceived):
            status = await self._session(process)
            if status is not None:
                process.exit(status)

    async def _session(self, process: asyncssh.SSHServerProcess[bytes]) -> int | None:
        match self.fault:
            case Motd(text):
                process.stdout.write(text)
                process.stderr.write(text)
            case NoShell(says, exit_status):
                process.stdout.write(says)
                return exit_status
            case _:
                pass
        asked = asked_for(process.command or "")
        if asked is None:
            process.stderr.write(b"sh: a simulated host plays collections, nothing else\n")
            return 127
        opened = await self._shell(process).open(
            asked, process.stdout, process.stderr, process.stdin.readline
        )
        return await self._program(process, asked) if opened.shell else opened.exit_status

    def _shell(self, process: asyncssh.SSHServerProcess[bytes]) -> Shell:
        return Shell(
            username=process.get_extra_info("username"),
            password=self._access.password if self._access.sudo_asks else None,
            sudo=self.fault if isinstance(self.fault, Sudo) else None,
        )

    async def _program(self, process: asyncssh.SSHServerProcess[bytes], asked: Asked) -> int | None:
        text = await process.stdin.read()
        self.tally.programs += 1
        self.tally.last_program = text
        match self.fault:
            case Hang():
                await process.wait_closed()
                return None
            case Garbage(size):
                await self._send(process, secrets.token_bytes(size))
                return 0
            case Flood(size):
                for _ in range(size // CHUNK):
                    await self._send(process, bytes(CHUNK))
                return 0
            case _:
                answer = await self._player.answer(text)
                out, err = answer.said_by(self.name, Program.parse(text))
                process.stderr.write(err)
                return await self._say(process, out, answer.exit_status)

    async def _say(
        self, process: asyncssh.SSHServerProcess[bytes], out: bytes, exit_status: int
    ) -> int | None:
        match self.fault:
            case Drop(after_bytes, once):
                rest = after_bytes - self.tally.bytes_sent
                if len(out) > rest:
                    self.fault = None if once else self.fault
                    await self._send(process, out[: max(0, rest)])
                    process.channel.get_connection().abort()
                    return None
                await self._send(process, out)
            case Slow(seconds):
                piece = len(out) // SLOW_PIECES + 1
                for start in range(0, len(out), piece):
                    await self._send(process, out[start : start + piece])
                    await asyncio.sleep(seconds / SLOW_PIECES)
            case _:
                await self._send(process, out)
        return exit_status

    async def _send(self, process: asyncssh.SSHServerProcess[bytes], data: bytes) -> None:
        process.stdout.write(data)
        self.tally.bytes_sent += len(data)
        await process.stdout.drain()


class _Server(asyncssh.SSHServer):
    """Who may log in: any user name, with the fleet's key or password."""

    def __init__(self, fault: AnyFault | None, access: Access) -> None:
        self._refuses = isinstance(fault, AuthRefused)
        self._access = access

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return not self._refuses and key == self._access.public_key

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return not self._refuses and password == self._access.password

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> bool:
        """Any simulated host can be a jump host."""
        return True
