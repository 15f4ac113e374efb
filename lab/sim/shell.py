"""The far end of the shell handshake, as sh and sudo play it.

It answers exactly the commands that the engine's transports send, and no other: a change of the
handshake that the simulation does not know fails loudly.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from lab.sim.faults import Sudo, SudoSays
from openwatch.engine.transport.privilege import READY, Begun, Launch, command

_NONCE: Final = re.compile(r"\b[0-9a-f]{32}\b")
ROOT: Final = "root"


class Writer(Protocol):
    def write(self, data: bytes) -> object: ...


ReadLine = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A shell that was asked for: how, and the nonce that our words begin with."""

    launch: Launch
    nonce: str


def asked_for(text: str) -> Asked | None:
    """What a command of a transport asks for; None for any other command."""
    if found := _NONCE.search(text):
        for launch in Launch:
            if text == command(launch, found[0]):
                return Asked(launch, found[0])
    return None


@dataclass(frozen=True, slots=True)
class Opened:
    """How the handshake ended: with a shell, or with the exit status of what stood in its way."""

    shell: bool
    exit_status: int = 0


@dataclass(frozen=True, slots=True)
class Shell:
    """One account's shell: who logs in, the password that sudo asks for (None: it asks none)."""

    username: str
    password: str | None
    sudo: Sudo | None

    async def open(self, asked: Asked, out: Writer, err: Writer, read_line: ReadLine) -> Opened:
        """Say what a shell says until it takes a program, or until sudo refuses."""
        err.write(f"{asked.nonce}\n".encode())
        if asked.launch is Launch.PLAIN:
            return _begin(asked, Begun.SHELL, out, err)
        if asked.launch is Launch.PROBE and self.username == ROOT:
            return _begin(asked, Begun.ROOT, out, err)
        says = self.sudo.says if self.sudo else None
        if says == SudoSays.SUDO_MISSING:
            out.write(f"{asked.nonce} {Begun.MISSING}\n".encode())
            return Opened(shell=False, exit_status=127)
        out.write(f"{asked.nonce} {Begun.SUDO}\n".encode())
        if says in _REFUSALS:
            err.write(_REFUSALS[says].replace(b"USER", self.username.encode()))
            return Opened(shell=False, exit_status=1)
        if not await self._authenticated(asked, says, err, read_line):
            return Opened(shell=False, exit_status=1)
        return _ready(out, err)

    async def _authenticated(
        self, asked: Asked, says: str | None, err: Writer, read_line: ReadLine
    ) -> bool:
        wants_password = self.password is not None or says is not None
        if not wants_password:
            return True
        if asked.launch is Launch.PROBE:
            err.write(b"sudo: a password is required\n")
            return False
        prompt = f"{asked.nonce}-password".encode()
        err.write(prompt)
        given = await read_line()
        if given == f"{self.password}\n".encode() and says != SudoSays.PASSWORD_REJECTED:
            return True
        if given:
            # sudo(8) asks again, and takes the end of input as a failed attempt.
            err.write(b"Sorry, try again.\n" + prompt)
            await read_line()
        err.write(b"\nsudo: no password was provided\nsudo: 1 incorrect password attempt\n")
        return False


_REFUSALS: Final = {
    SudoSays.NOT_ALLOWED: b"Sorry, user USER is not allowed to execute '/bin/sh' as root on sim.\n",
    SudoSays.REQUIRES_TTY: b"sudo: sorry, you must have a tty to run sudo\n",
    SudoSays.FAILED: b"sudo: /etc/sudo.conf is owned by uid 1000, should be 0\n",
}


def _begin(asked: Asked, begun: Begun, out: Writer, err: Writer) -> Opened:
    out.write(f"{asked.nonce} {begun}\n".encode())
    return _ready(out, err)


def _ready(out: Writer, err: Writer) -> Opened:
    out.write(READY)
    err.write(READY)
    return Opened(shell=True)
