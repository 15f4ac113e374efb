"""Hosts over SSH: each server on the way is reached, checked and logged in to in turn.

Nothing of the person's own SSH set-up is read (no ~/.ssh/config, default keys, known hosts or
agent) but what the caller hands in: a scan must not depend on who runs it.
"""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import asyncssh

from openwatch.engine.transport import dial, errors, keys
from openwatch.engine.transport.model import (
    Deadlines,
    HostKeys,
    Login,
    PreferredKeyTypes,
    Step,
    Target,
    Transport,
)
from openwatch.engine.transport.shell import ShellTransport
from openwatch.engine.transport.ssh_failures import explain, explain_jump
from openwatch.engine.transport.ssh_login import LoginClient, Trace
from openwatch.engine.transport.ssh_session import Sessions
from openwatch.kit.errors import OpenWatchError

DEFAULT_DEADLINES: Final = Deadlines()

HOST_KEY_ALGORITHMS: Final = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
"""What servers may prove themselves with: no SHA-1 signatures, no DSA."""

RSA_SIGNATURES: Final = ("rsa-sha2-512", "rsa-sha2-256")
"""RFC 8332: the signatures that a key of type ssh-rsa makes."""

LOGIN_METHODS: Final = (
    "publickey",
    "password",
    "keyboard-interactive",
    # Not used by us; named so that asyncssh leaves them in the list of what the server takes.
    "gssapi-with-mic",
    "hostbased",
)

GREETING_BYTES: Final = 256
CLIENT_VERSION: Final = "OpenWatch"

# asyncssh tells of each connection and command; what matters of that is in our own events.
logging.getLogger("asyncssh").setLevel(logging.WARNING)


async def connect_ssh(
    target: Target, *, host_keys: HostKeys, deadlines: Deadlines = DEFAULT_DEADLINES
) -> Transport:
    """Return a transport to ``target``, logged in.

    Raises one of the ``host.*``, ``credential.*`` and ``auth.*`` kinds of :mod:`.errors`; one
    that concerns a jump host names it.
    """
    return await open_ssh(target, host_keys=host_keys, deadlines=deadlines, trace=Trace())


async def open_ssh(
    target: Target, *, host_keys: HostKeys, deadlines: Deadlines, trace: Trace
) -> Transport:
    """Do what :func:`connect_ssh` does and note in ``trace`` when each step began."""
    began = monotonic()
    hops = _hops(target)
    for hop in hops:
        _check_login(hop.target.login, where=hop.where)
    connections: list[asyncssh.SSHClientConnection] = []
    try:
        for hop in hops:
            entry = _Entry(
                hop,
                before=connections[-1] if connections else None,
                host_keys=host_keys,
                deadlines=deadlines,
                trace=trace if hop is hops[-1] else Trace(),
            )
            connections.append(await entry.enter())
    except BaseException:
        for connection in reversed(connections):
            connection.abort()
        raise
    last = hops[-1]
    return ShellTransport(
        Sessions(connections, where=last.where, username=target.login.username),
        name=_name(target),
        where=last.where,
        username=target.login.username,
        sudo_password=target.login.password_for_sudo,
        deadlines=deadlines,
        connect_seconds=monotonic() - began,
    )


@dataclass(frozen=True, slots=True)
class _Hop:
    """One server on the way and how sentences call it."""

    target: Target
    where: str


def _hops(target: Target) -> tuple[_Hop, ...]:
    *jumps, last = target.hops()
    where = last.place
    if jumps:
        where += f" (through the jump host {jumps[-1].place})"
    return (*(_Hop(jump, f"{jump.place} (the jump host)") for jump in jumps), _Hop(last, where))


def _name(target: Target) -> str:
    address = f"[{target.address}]" if ":" in target.address else target.address
    return f"ssh://{target.login.username}@{address}:{target.port}"


def _check_login(login: Login, *, where: str) -> None:
    if not login.username:
        raise OpenWatchError(errors.CREDENTIAL_MISSING, where=where, detail="no user name is given")
    if not login.username.isprintable():
        _refuse("user name", "it contains characters that cannot be printed")
    # sudo reads one line: what follows a line break would reach the root shell as a command.
    for field, secret in (("password", login.password), ("sudo password", login.sudo_password)):
        if secret and not {"\n", "\r", "\0"}.isdisjoint(secret):
            _refuse(field, "it contains a line break")


def _refuse(field: str, detail: str) -> None:
    raise OpenWatchError(errors.CREDENTIAL_INVALID, field=field, detail=detail)


class _Entry:
    """Reaches one server, directly or through the one before, and logs in to it.

    To asyncssh this object is a "tunnel": it is asked for the byte stream to the server.
    """

    def __init__(
        self,
        hop: _Hop,
        *,
        before: asyncssh.SSHClientConnection | None,
        host_keys: HostKeys,
        deadlines: Deadlines,
        trace: Trace,
    ) -> None:
        self._hop = hop
        self._target = hop.target
        self._before = before
        self._host_keys = host_keys
        self._deadlines = deadlines
        self._trace = trace
        self._greeting = bytearray()
        self._phase = asyncio.timeout(None)

    async def enter(self) -> asyncssh.SSHClientConnection:
        """Return the connection once the server is trusted and has let us in."""
        async with keys.offer(self._target.login, where=self._hop.where) as offered:
            client = LoginClient(
                address=self._target.address,
                port=self._target.port,
                login=self._target.login,
                keys=offered,
                host_keys=self._host_keys,
                trace=self._trace,
            )
            # Asked before anything else: what goes wrong in the hook is not the server's doing.
            algorithms = await self._host_key_algorithms()
            try:
                async with self._phase:
                    return await self._connect(
                        client, has_keys=bool(offered), algorithms=algorithms
                    )
            except Exception as error:
                # asyncssh lets many kinds of error through when a server sends garbage; those of
                # the caller's own hook are not the server's doing.
                if error is client.hook_failure:
                    raise
                raise explain(
                    error,
                    client=client,
                    where=self._hop.where,
                    greeting=bytes(self._greeting),
                    seconds=self._deadlines.handshake,
                ) from error

    async def _connect(
        self, client: LoginClient, *, has_keys: bool, algorithms: list[str]
    ) -> asyncssh.SSHClientConnection:
        has_password = bool(self._target.login.password)
        _have_local_user_name()
        connection = await asyncssh.connect(
            self._target.address,
            self._target.port,
            tunnel=self,  # pyright: ignore[reportArgumentType] - asyncssh takes any such object
            config=None,
            client_factory=lambda: client,
            client_version=CLIENT_VERSION,
            known_hosts=asyncssh.import_known_hosts(""),
            server_host_key_algs=algorithms,
            x509_trusted_certs=None,
            x509_trusted_cert_paths=[],
            username=self._target.login.username,
            # None keeps default keys and the agent out; ours come from the client's callbacks.
            client_keys=None,
            agent_path=None,
            agent_forwarding=False,
            preferred_auth=list(LOGIN_METHODS),
            public_key_auth=has_keys,
            password_auth=has_password,
            kbdint_auth=has_password,
            host_based_auth=False,
            gss_host=None,
            gss_kex=False,
            gss_auth=False,
            login_timeout=0,
            keepalive_interval=self._deadlines.keepalive_interval,
            keepalive_count_max=self._deadlines.keepalive_count,
            utf8_decode_errors="replace",
        )
        try:
            # A server that lets everybody in has asked for nothing, so nothing has waited yet.
            await client.trusted()
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _host_key_algorithms(self) -> list[str]:
        """Return the algorithms to ask for, those of keys that are known for the server first."""
        known: tuple[str, ...] = ()
        if isinstance(self._host_keys, PreferredKeyTypes):
            known = await self._host_keys.key_types(self._target.address, self._target.port)
        wanted = [
            algorithm
            for key_type in known
            for algorithm in (RSA_SIGNATURES if key_type == "ssh-rsa" else (key_type,))
            if algorithm in HOST_KEY_ALGORITHMS
        ]
        return list(dict.fromkeys([*wanted, *HOST_KEY_ALGORITHMS]))

    async def create_connection(
        self, session_factory: Callable[[], Any], host: str, port: int
    ) -> tuple[None, Any]:
        """Connect asyncssh's protocol to the server; called by asyncssh."""
        observed = _Observed(session_factory(), self._greeting)
        if self._before is None:
            await self._create_direct(observed)
        else:
            await self._create_through(self._before, observed)
        return None, observed.inner

    async def _create_direct(self, observed: _Observed) -> None:
        seconds = self._deadlines.connect
        self._trace.begin(Step.RESOLVE)
        endpoints = await dial.resolve(self._target.address, self._target.port, seconds=seconds)
        self._trace.addresses = tuple(str(endpoint.sockaddr[0]) for endpoint in endpoints)
        self._trace.begin(Step.CONNECT)
        sock = await dial.connect(endpoints, where=self._hop.where, seconds=seconds)
        self._handshake_begins()
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: observed, sock=sock)

    async def _create_through(
        self, before: asyncssh.SSHClientConnection, observed: _Observed
    ) -> None:
        seconds = self._deadlines.connect
        self._trace.begin(Step.CONNECT)
        try:
            async with asyncio.timeout(seconds):
                await before.create_connection(
                    lambda: observed,  # pyright: ignore[reportArgumentType] - has all its methods
                    self._target.address,
                    self._target.port,
                )
        except TimeoutError:
            raise OpenWatchError(
                errors.CONNECT_TIMEOUT, where=self._hop.where, seconds=seconds
            ) from None
        except asyncssh.ChannelOpenError as error:
            raise explain_jump(error, where=self._hop.where, target=self._target) from error
        self._handshake_begins()

    def _handshake_begins(self) -> None:
        self._phase.reschedule(asyncio.get_running_loop().time() + self._deadlines.handshake)


class _Observed(asyncio.Protocol):
    """Passes all on to asyncssh's protocol and keeps the first bytes that the server sent.

    They tell what listens on a port where no SSH server does.
    """

    def __init__(self, inner: Any, greeting: bytearray) -> None:
        self.inner = inner
        self._greeting = greeting

    def connection_made(self, transport: Any) -> None:
        self.inner.connection_made(transport)

    def session_started(self) -> None:
        self.inner.session_started()

    def data_received(self, data: bytes, datatype: Any = None) -> None:
        if (missing := GREETING_BYTES - len(self._greeting)) > 0:
            self._greeting += data[:missing]
        self.inner.data_received(data, datatype)

    def eof_received(self) -> bool | None:
        return self.inner.eof_received()

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self.inner.connection_lost(exc)


def _have_local_user_name() -> None:
    """Give asyncssh the local user name that it insists on where the user id has no account."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ.setdefault("LOGNAME", CLIENT_VERSION.lower())
