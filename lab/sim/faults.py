"""What can be wrong with a simulated host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

GIBIBYTE: Final = 1 << 30


class SudoSays:
    """The ways in which sudo can be in the way (the values of ``PrivilegeProblem``)."""

    NOT_ALLOWED: Final = "not_allowed"
    PASSWORD_REQUIRED: Final = "password_required"
    PASSWORD_REJECTED: Final = "password_rejected"
    REQUIRES_TTY: Final = "requires_tty"
    SUDO_MISSING: Final = "sudo_missing"
    FAILED: Final = "failed"
    ALL: Final = (
        NOT_ALLOWED,
        PASSWORD_REQUIRED,
        PASSWORD_REJECTED,
        REQUIRES_TTY,
        SUDO_MISSING,
        FAILED,
    )


# --- the connection
@dataclass(frozen=True, slots=True)
class Mute:
    """Takes the connection and never says a word."""


@dataclass(frozen=True, slots=True)
class NotSsh:
    """Another service listens on the port."""

    greeting: bytes = b"220 mail.example ESMTP ready\r\n"


@dataclass(frozen=True, slots=True)
class Reset:
    """Takes the connection and resets it at once."""


@dataclass(frozen=True, slots=True)
class OldCrypto:
    """Speaks only algorithms that no client of today accepts."""


@dataclass(frozen=True, slots=True)
class WrongKey:
    """Shows another host key than the published one."""


@dataclass(frozen=True, slots=True)
class AuthRefused:
    """Lets nobody in."""


# --- the shell
@dataclass(frozen=True, slots=True)
class NoShell:
    """The account's shell says something else and ends, as nologin does."""

    says: bytes = b"This account is currently not available.\n"
    exit_status: int = 1


@dataclass(frozen=True, slots=True)
class Sudo:
    """sudo does not give root, in one of the ways of ``SudoSays``."""

    says: str


@dataclass(frozen=True, slots=True)
class Motd:
    """Start-up files print to both streams before any shell speaks."""

    text: bytes = b"*** Welcome! 3 updates are available. ***\n"


# --- the answer
@dataclass(frozen=True, slots=True)
class Drop:
    """The connection is reset after this many bytes of answers; with ``once``, a single time."""

    after_bytes: int
    once: bool = False


@dataclass(frozen=True, slots=True)
class Slow:
    """Each answer takes this many seconds, in pieces."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """A program is taken and never answered."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """A program is answered with random bytes and exit status 0."""

    size: int = 65536


@dataclass(frozen=True, slots=True)
class Flood:
    """A program is answered with this many bytes of nothing."""

    size: int = GIBIBYTE


AnyFault = (
    Mute
    | NotSsh
    | Reset
    | OldCrypto
    | WrongKey
    | AuthRefused
    | NoShell
    | Sudo
    | Motd
    | Drop
    | Slow
    | Hang
    | Garbage
    | Flood
)


class Fault:
    """All faults under one name: ``Fault.DROP(4096)``, ``Fault.HANG()``."""

    MUTE: ClassVar = Mute
    NOT_SSH: ClassVar = NotSsh
    RESET: ClassVar = Reset
    OLD_CRYPTO: ClassVar = OldCrypto
    WRONG_KEY: ClassVar = WrongKey
    AUTH_REFUSED: ClassVar = AuthRefused
    NO_SHELL: ClassVar = NoShell
    SUDO: ClassVar = Sudo
    MOTD: ClassVar = Motd
    DROP: ClassVar = Drop
    SLOW: ClassVar = Slow
    HANG: ClassVar = Hang
    GARBAGE: ClassVar = Garbage
    FLOOD: ClassVar = Flood
