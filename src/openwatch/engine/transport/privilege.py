"""Becoming root: which command starts a shell, and how its first words are understood.

All of it is pure: bytes in, what to do next out. A program is sent only to a shell that has said
READY, and a password only to sudo that has shown our prompt, for two reasons: a NOPASSWD sudo
leaves the password in the stream, where the shell would run it as a command and print it; and a
sudo that rejects the password would swallow the program as further attempts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from openwatch.engine.transport.model import PrivilegeProblem, Stream

READY: Final = b"OPENWATCH-READY\n"

ROOT_SHELL: Final = "echo OPENWATCH-READY; echo OPENWATCH-READY >&2; exec sh"
"""What sudo is asked to run with ``sh -c``. It is the same each time, so that sudoers can allow
exactly this and monitoring can recognise it."""

_SBIN: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

MAX_TOLD_BYTES: Final = 4096
"""How much of what was said before READY is kept to explain a failure."""


class Launch(StrEnum):
    """The ways to start a shell."""

    PLAIN = "plain"
    """As the account that logged in."""
    PROBE = "probe"
    """As root when the account is root, else by ``sudo -n``, which never asks."""
    PASSWORD = "password"
    """By sudo with a password; cached permission is ignored, so that it does ask."""


def command(launch: Launch, nonce: str) -> str:
    """Return the command for the account's login shell.

    It is one ``exec sh -c '...'`` without quotes, newlines or exclamation marks inside, which sh,
    csh and fish read alike. On both streams it prints a line with ``nonce`` first, so that what
    start-up files print before is told apart.
    """
    return f"exec sh -c '{_script(launch, nonce)}'"


def _script(launch: Launch, nonce: str) -> str:
    opening = f"echo {nonce} >&2"
    match launch:
        case Launch.PLAIN:
            return f"{opening}; echo {nonce} shell; {ROOT_SHELL}"
        case Launch.PROBE:
            root = f'if [ "$(id -u)" = 0 ]; then echo {nonce} root; {ROOT_SHELL}; fi; '
            sudo = "sudo -n"
        case Launch.PASSWORD:
            root = ""
            sudo = f"sudo -k -S -p {nonce}-password"
    return (
        f"LC_ALL=C; export LC_ALL; PATH=$PATH:{_SBIN}; {opening}; {root}"
        f"command -v sudo >/dev/null 2>&1 || {{ echo {nonce} missing; exit 127; }}; "
        f'echo {nonce} sudo; exec {sudo} -- sh -c "{ROOT_SHELL}"'
    )


class Begun(StrEnum):
    """What our command found, told on its first line."""

    SHELL = "shell"
    ROOT = "root"
    SUDO = "sudo"
    MISSING = "missing"


class Act(StrEnum):
    """What the caller must do next."""

    SEND_PASSWORD = "send_password"
    SEND_PROGRAM = "send_program"
    HANG_UP = "hang_up"


@dataclass(frozen=True, slots=True)
class Payload:
    """Output of the program itself."""

    stream: Stream
    data: bytes


Event = Act | Payload


@dataclass(slots=True)
class _Side:
    """One stream: what is not yet understood, and what was said before READY."""

    pending: bytearray = field(default_factory=bytearray)
    told: bytearray = field(default_factory=bytearray)
    begun: bool = False
    ready: bool = False

    @property
    def text(self) -> str:
        return bytes(self.told + self.pending).decode("utf-8", "replace").strip()

    def first(self, *tokens: bytes) -> tuple[int, bytes] | None:
        """Return where the first of ``tokens`` is, or keep only what may yet become one."""
        found = [(at, token) for token in tokens if (at := self.pending.find(token)) >= 0]
        if found:
            return min(found)
        self.pass_over(len(self.pending) - max(map(len, tokens)) + 1, 0)
        return None

    def pass_over(self, noise: int, token: int) -> None:
        """Drop ``noise`` bytes, which are kept to be told, and ``token`` bytes after them."""
        noise = max(0, noise)
        self.told += self.pending[: min(noise, MAX_TOLD_BYTES - len(self.told))]
        del self.pending[: noise + token]


class Handshake:
    """Reads a shell's output from its first byte and says what to do.

    The result does not depend on how the two streams are cut into chunks or interleaved.
    """

    def __init__(self, launch: Launch, nonce: str) -> None:
        self._line = f"{nonce} ".encode()
        self._line_on_err = f"{nonce}\n".encode()
        self._prompt = f"{nonce}-password".encode()
        self._awaited = (READY, self._prompt) if launch is Launch.PASSWORD else (READY,)
        self._out = _Side()
        self._err = _Side()
        self._prompts = 0
        self.begun: Begun | None = None

    @property
    def ready(self) -> bool:
        """Whether the shell has said that it waits for a program."""
        return self._out.ready

    @property
    def told(self) -> str:
        """What was printed before READY: start-up files, sudo, or a refusal to log in."""
        return f"{self._out.text}\n{self._err.text}".strip()

    @property
    def told_by_sudo(self) -> str:
        """What was printed on stderr between our first line and READY."""
        return self._err.text

    @property
    def problem(self) -> PrivilegeProblem | None:
        """Why sudo gave no shell; None when sudo had no part in it."""
        match self.begun:
            case Begun.MISSING:
                return PrivilegeProblem.SUDO_MISSING
            case Begun.SUDO if self._prompts > 1:
                return PrivilegeProblem.PASSWORD_REJECTED
            case Begun.SUDO:
                return sudo_problem(self._err.text)
            case _:
                return None

    def feed(self, stream: Stream, data: bytes) -> Iterator[Event]:
        """Take the next chunk of one stream and yield what follows from it, in order."""
        side = self._out if stream is Stream.OUT else self._err
        if side.ready:
            yield Payload(stream, data)
            return
        side.pending += data
        yield from self._read_out() if stream is Stream.OUT else self._read_err()
        if side.ready and side.pending:
            yield Payload(stream, bytes(side.pending))
            side.pending.clear()

    def _read_out(self) -> Iterator[Event]:
        side = self._out
        while not side.begun:
            found = side.first(self._line)
            if found is None or (end := side.pending.find(b"\n", found[0])) < 0:
                return
            at, token = found
            word = side.pending[at + len(token) : end].decode("ascii", "replace")
            side.pass_over(at, end + 1 - at)
            side.begun = word in set(Begun)
            self.begun = Begun(word) if side.begun else None
        if found := side.first(READY):
            side.pass_over(found[0], len(READY))
            side.ready = True
            yield Act.SEND_PROGRAM

    def _read_err(self) -> Iterator[Event]:
        side = self._err
        if not side.begun:
            found = side.first(self._line_on_err)
            if found is None:
                return
            side.pass_over(found[0], len(self._line_on_err))
            side.told.clear()
            side.begun = True
        while not side.ready and (found := side.first(*self._awaited)):
            at, token = found
            side.pass_over(at, len(token))
            if token == READY:
                side.ready = True
                return
            self._prompts += 1
            yield Act.SEND_PASSWORD if self._prompts == 1 else Act.HANG_UP


# What sudo (1.8 to 1.9) and sudo-rs say in the C locale; the first that fits wins.
_SUDO_SAYS: Final = (
    (
        r"not in the sudoers file|is not allowed to (run sudo|execute)|may not run sudo"
        r"|i'm afraid i can't do that",
        PrivilegeProblem.NOT_ALLOWED,
    ),
    (r"must have a tty", PrivilegeProblem.REQUIRES_TTY),
    (
        r"incorrect password attempt|sorry, try again"
        r"|incorrect authentication attempt|authentication failed",
        PrivilegeProblem.PASSWORD_REJECTED,
    ),
    (
        r"a password is required|a terminal is required|no tty present"
        r"|no password was provided|interactive authentication is required",
        PrivilegeProblem.PASSWORD_REQUIRED,
    ),
)


def sudo_problem(says: str) -> PrivilegeProblem:
    """Return what sudo's own words on stderr mean; ``FAILED`` for words that we do not know."""
    for pattern, problem in _SUDO_SAYS:
        if re.search(pattern, says, re.IGNORECASE):
            return problem
    return PrivilegeProblem.FAILED
