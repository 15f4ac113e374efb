"""The words of this package: whom to reach, how to log in, what a way to a host can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from typing import Final, Literal, Protocol, runtime_checkable

SSH_PORT: Final = 22


@dataclass(frozen=True, slots=True)
class Login:
    """How to log in to one host and to become root there. No secret shows in ``repr``.

    ``private_key`` is the text of a key file (OpenSSH or PEM); ``certificate`` is the line of the
    OpenSSH certificate that lies beside it (``id_x-cert.pub``) and may also follow the key in the
    same text. ``sudo_password`` falls back to ``password``.
    """

    username: str
    private_key: str | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    sudo_password: str | None = field(default=None, repr=False)
    use_agent: bool = False
    certificate: str | None = field(default=None, repr=False)

    @property
    def password_for_sudo(self) -> str | None:
        """The password that sudo may be given, or None when there is none."""
        return self.sudo_password or self.password or None


@dataclass(frozen=True, slots=True)
class Target:
    """A host's SSH server and the jump hosts on the way to it, nearest to this machine first."""

    address: str
    _: KW_ONLY
    port: int = SSH_PORT
    login: Login
    jump: tuple[Target, ...] = ()

    @property
    def place(self) -> str:
        """Address and port for people, such as ``10.0.0.5 port 22``."""
        return place(self.address, self.port)

    def hops(self) -> tuple[Target, ...]:
        """Every server on the way, this one last; the jump hosts of jump hosts come first."""
        before = tuple(hop for jump in self.jump for hop in jump.hops())
        return (*before, self)


def place(address: str, port: int) -> str:
    """Return an address and port as every sentence of this package writes them."""
    return f"{address} port {port}"


@dataclass(frozen=True, slots=True)
class HostKey:
    """A server's public host key.

    ``public_key`` is the one-line OpenSSH form without a comment (``ssh-ed25519 AAAA...``) and
    ``fingerprint`` its SHA-256 as OpenSSH prints it (``SHA256:...``).
    """

    algorithm: str
    public_key: str
    fingerprint: str


class HostKeyVerdict(StrEnum):
    """What is known of a key that a server showed."""

    TRUSTED = "trusted"
    UNKNOWN = "unknown"
    CHANGED = "changed"


class HostKeys(Protocol):
    """The hook that decides about host keys: a known-hosts file, a database, accept-new."""

    async def check(self, address: str, port: int, key: HostKey) -> None:
        """Return when the key is trusted; it may be remembered first (accept-new).

        Raises ``host.key_unknown``, ``host.key_changed`` or ``host.key_revoked``. Nothing secret
        is sent to the server before this returns.
        """
        ...


@runtime_checkable
class PreferredKeyTypes(Protocol):
    """What a :class:`HostKeys` may offer in addition: the key types that it holds for a server.

    The server is then asked for one of these first, so that a server with several host keys does
    not look changed only because another of its keys was agreed on.
    """

    async def key_types(self, address: str, port: int) -> tuple[str, ...]:
        """Return public key types such as ``ssh-ed25519``, the preferred one first."""
        ...


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long each phase may take, in seconds.

    ``connect`` bounds name resolution and the TCP connection; ``handshake`` the SSH greeting, key
    exchange and log-in, and the start of a shell with or without sudo; ``command`` a program from
    start to end. A server that leaves ``keepalive_count`` keepalives unanswered, one sent each
    ``keepalive_interval``, is lost.
    """

    connect: float = 10.0
    handshake: float = 15.0
    command: float = 300.0
    keepalive_interval: float = 5.0
    keepalive_count: int = 3


class Stream(StrEnum):
    """The two output streams of a program."""

    OUT = "out"
    ERR = "err"


Receiver = Callable[[Stream, bytes], None]
"""Called with each piece of output as it arrives. If it raises, the program's channel is closed
and ``run`` raises the same exception."""


class PrivilegeMode(StrEnum):
    """How programs run as root on this host."""

    ROOT = "root"
    SUDO = "sudo"
    SUDO_PASSWORD = "sudo_password"
    NONE = "none"


class PrivilegeProblem(StrEnum):
    """Why programs cannot run as root on this host."""

    NOT_ALLOWED = "not_allowed"
    PASSWORD_REQUIRED = "password_required"
    PASSWORD_REJECTED = "password_rejected"
    REQUIRES_TTY = "requires_tty"
    SUDO_MISSING = "sudo_missing"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the use of a transport has cost so far.

    ``round_trips`` counts the programs that were sent; the bytes are those on the shells' streams,
    without SSH's own; ``connect_seconds`` is the time from the first packet to being logged in.
    """

    round_trips: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    connect_seconds: float = 0.0


class Transport(Protocol):
    """A live way to one host."""

    @property
    def name(self) -> str:
        """What people call it: ``ssh://scan@10.0.0.5:22``, ``local``."""
        ...

    @property
    def privilege(self) -> PrivilegeMode | None:
        """How programs become root; None until the first privileged run has told."""
        ...

    @property
    def traffic(self) -> Traffic: ...

    def expect_privileged(self) -> None:
        """Say that a privileged run will follow: its shell is started meanwhile, and waits.

        What comes of it is told by that run. Where the host has no place for a second command
        beside one that runs, nothing is gained and nothing is lost.
        """
        ...

    async def run(
        self,
        program: bytes,
        *,
        privileged: bool,
        receive: Receiver,
        deadline: float | None = None,
    ) -> int:
        """Stream ``program`` to ``sh`` on the host and return its exit status.

        A non-zero status is a result; a shell that was killed by signal N gives 128 + N, as sh
        itself reports it. ``deadline`` is in seconds (default: ``Deadlines.command``). Nothing
        that the account's start-up files, sudo or its prompt print reaches ``receive``.

        Past its deadline, when cancelled and when ``receive`` raises, the shell on the host is
        ended and runs no further command. A single command that it waits for at that moment may
        live on until it next writes or reads, so long ones need a time limit of their own.

        Raises the ``privilege.*`` kinds when root cannot be had, ``host.no_shell`` when the
        account has no usable shell, ``auth.password_expired``, ``host.lost`` when the connection
        ended before the program did (what was received till then is not a result),
        ``host.command_timeout``, and whatever ``receive`` raised.
        """
        ...

    async def aclose(self) -> None:
        """Close the connection; running programs are cut off. Can be called twice."""
        ...


class Step(StrEnum):
    """The steps of a connection test, in their order."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    HOST_KEY = "host_key"
    AUTHENTICATE = "authenticate"
    PRIVILEGE = "privilege"


StepStatus = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class StepResult:
    """How one step went: a sentence for people and, when it failed, its code and what to do."""

    step: Step
    status: StepStatus
    message: str
    fix: str | None = None
    code: str | None = None
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """Every step of a connection test in order; ``host_key`` is what the server showed."""

    ok: bool
    steps: tuple[StepResult, ...]
    host_key: HostKey | None = None
    privilege: PrivilegeMode | None = None
