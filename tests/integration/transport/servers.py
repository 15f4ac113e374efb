"""Servers that real sshd cannot be made into: other protocols, second factors, thieves."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncssh

from openwatch.engine.transport import HostKey, Login, Target, host_key

ADDRESS = "127.0.0.1"
PASSWORD = "canary-Pa55word"

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def tcp(handler: Handler) -> AsyncIterator[int]:
    """A TCP server; gives its port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, ADDRESS, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@dataclass
class Told:
    """What a client gave away."""

    passwords: list[str] = field(default_factory=list[str])
    answers: list[list[str]] = field(default_factory=list[list[str]])
    keys: int = 0
    usernames: list[str] = field(default_factory=list[str])


@dataclass
class Server(asyncssh.SSHServer):
    """An SSH server that takes one password, and asks in the way that a test wants."""

    told: Told
    takes_password: bool = True
    takes_keys: bool = False
    lets_everybody_in: bool = False
    challenges: tuple[tuple[str, list[tuple[str, bool]]], ...] = ()
    right: bool = True

    def begin_auth(self, username: str) -> bool:
        self.told.usernames.append(username)
        return not self.lets_everybody_in

    def public_key_auth_supported(self) -> bool:
        return self.takes_keys

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self.told.keys += 1
        return False

    def password_auth_supported(self) -> bool:
        return self.takes_password

    def validate_password(self, username: str, password: str) -> bool:
        self.told.passwords.append(password)
        return self.right and password == PASSWORD

    def kbdint_auth_supported(self) -> bool:
        return bool(self.challenges)

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str):
        self._left = list(self.challenges)
        return self._next()

    def validate_kbdint_response(self, username: str, responses: Sequence[str]):
        self.told.answers.append(list(responses))
        return self._next() if self._left else self.right

    def _next(self):
        instructions, prompts = self._left.pop(0)
        return "", instructions, "", prompts


@dataclass
class Ssh:
    """A running server: how to reach it and what it was told."""

    port: int
    told: Told
    key: HostKey

    def target(self, **login: object) -> Target:
        how = login or {"password": PASSWORD}
        return Target(ADDRESS, port=self.port, login=Login("scan", **how))  # type: ignore[arg-type]


async def plain_shell(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """Run what the client asks for, as the user that runs the test."""
    child = await asyncio.create_subprocess_shell(
        process.command or "exit 1", stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    assert child.stdin
    assert child.stdout
    assert child.stderr
    feeding = asyncio.create_task(_pump(process.stdin.read, child.stdin.write))
    feeding.add_done_callback(lambda task: child.stdin and child.stdin.close())
    await asyncio.gather(
        _pump(child.stdout.read, process.stdout.write),
        _pump(child.stderr.read, process.stderr.write),
    )
    feeding.cancel()
    process.exit(await child.wait())


async def _pump(read: Callable[[int], Awaitable[bytes]], write: Callable[[bytes], object]) -> None:
    while data := await read(65536):
        write(data)


@asynccontextmanager
async def ssh(*, options: Mapping[str, object] | None = None, **how: object) -> AsyncIterator[Ssh]:
    """An SSH server on this machine with the habits ``how`` (fields of :class:`Server`)."""
    told = Told()
    key = asyncssh.generate_private_key("ssh-ed25519")
    listener = await asyncssh.create_server(
        lambda: Server(told, **how),  # type: ignore[arg-type]
        ADDRESS,
        0,
        encoding=None,
        **{"server_host_keys": [key], "process_factory": plain_shell, **(options or {})},  # type: ignore[arg-type]
    )
    try:
        public = key.export_public_key().decode()
        yield Ssh(port=listener.get_port(), told=told, key=host_key(public))
    finally:
        listener.close()
        await listener.wait_closed()
