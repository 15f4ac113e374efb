"""Logging in with a key in one flight: no question first which methods the server takes, and none
whether it takes this key.

RFC 4252 lets a client begin with a signed request (section 7: the query before it is optional), and
RFC 4253 does not make it wait for the answer to its service request. asyncssh asks both questions
and waits thrice. What is added here is one log-in method of its own: on the wire it is `publickey`,
and when it fails, asyncssh goes on with what the server then says it takes.
"""

from __future__ import annotations

from typing import Final, Protocol, cast

import asyncssh
from asyncssh.auth import ClientAuth, ServerAuth, register_auth_method
from asyncssh.packet import Boolean, String

AT_ONCE: Final = "publickey-at-once@openwatch"
"""Never sent: the name under which asyncssh finds this method."""

_PUBLIC_KEY: Final = b"publickey"
_NONE: Final = b"none"
_SIGNER: Final = "openwatch_signer"


class Signer(Protocol):
    """Who sends the signed request, when the server is trusted."""

    async def signed(self) -> bool:
        """Return once the request is sent; False where there is no key to send."""
        ...

    def refused(self) -> None:
        """Take note that the server refused, and of what it takes."""
        ...


def begin_signed(conn: asyncssh.SSHClientConnection, signer: Signer) -> None:
    """Have a log-in that is about to begin start with the request of ``signer``."""
    conn.set_extra_info(**{_SIGNER: signer})
    conn._auth_methods = [AT_ONCE.encode(), _NONE]  # pyright: ignore[reportPrivateUsage]


def may_sign(conn: asyncssh.SSHClientConnection) -> bool:
    """Whether keys are agreed on with the server that proved its host key: what is signed."""
    return bool(conn._session_id)  # pyright: ignore[reportPrivateUsage]


def is_quick(key: asyncssh.SSHKeyPair) -> bool:
    """Whether signing neither asks a person nor a device."""
    return not getattr(key, "use_executor", False)


def needs_server_algorithms(key: asyncssh.SSHKeyPair) -> bool:
    """Whether a signature can be of several kinds, of which the server tells what it takes."""
    return len(key.sig_algorithms) > 1


async def send_signed(conn: asyncssh.SSHClientConnection) -> bool:
    """Ask to log in with the first key, signed; False where there is none."""
    key = await conn.public_key_auth_requested()
    if key is None:
        return False
    await conn.send_userauth_request(
        _PUBLIC_KEY,
        Boolean(True),
        String(key.algorithm),
        String(key.public_data),
        key=key,
        trivial=False,
    )
    return True


class _SignedAtOnce(ClientAuth):
    """The method that begins with a signed request, which may be on its way already."""

    async def _start(self) -> None:
        if not await self._signer.signed():
            self._conn.try_next_auth(next_method=True)

    def auth_failed(self) -> None:
        self._signer.refused()

    @property
    def _signer(self) -> Signer:
        return cast(Signer, self._conn.get_extra_info(_SIGNER))


class _NeverServed(ServerAuth):
    @classmethod
    def supported(cls, conn: asyncssh.SSHServerConnection) -> bool:
        return False


register_auth_method(AT_ONCE.encode(), _SignedAtOnce, _NeverServed)
