"""Logging in to one SSH server: the host key first, then each thing we have, once.

The callbacks of asyncssh are where a server asks; nothing is answered before the host key is
trusted. A password is given at most once for a connection, whichever way the server asks, because
each failure counts against the account. The login's own key does not wait to be asked for.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import asyncssh

from openwatch.engine.transport import errors, ssh_signing
from openwatch.engine.transport.host_keys import fingerprint, host_key
from openwatch.engine.transport.model import HostKey, HostKeys, Login, Step
from openwatch.kit.errors import OpenWatchError

_NEW_PASSWORD: Final = re.compile(r"(new|current|change (your )?)\s*password|expired", re.I)
_SECOND_FACTOR: Final = re.compile(r"\b(code|token|otp|pin|factor|passcode|duo)\b", re.I)


@dataclass(slots=True)
class Trace:
    """When each step of a connection began, and what was learned on the way."""

    began: dict[Step, float] = field(default_factory=dict[Step, float])
    addresses: tuple[str, ...] = ()
    host_key: HostKey | None = None

    def begin(self, step: Step) -> None:
        self.began.setdefault(step, monotonic())


class LoginClient(asyncssh.SSHClient):
    """Answers what one server asks while a connection is made, and keeps what it needs to tell."""

    def __init__(
        self,
        *,
        address: str,
        port: int,
        login: Login,
        keys: Sequence[asyncssh.SSHKeyPair],
        host_keys: HostKeys,
        trace: Trace,
    ) -> None:
        self._address = address
        self._port = port
        self._username = login.username
        self._keys = list(keys)
        # Those of an agent may need a person to agree: they are signed with when they are taken.
        self._signs_at_once = bool(keys and login.private_key and ssh_signing.is_quick(keys[0]))
        self._signing: asyncio.Task[bool] | None = None
        self._may_begin = asyncio.Event()
        self._password = login.password or None
        self._password_given = False
        self._host_keys = host_keys
        self._trace = trace
        self._check: asyncio.Task[None] | None = None
        self._conn: asyncssh.SSHClientConnection | None = None
        self._tried: list[str] = []
        self._offered: list[str] = []
        self._asked = ""
        self._expired = False
        self.began_login = False
        self.hook_failure: Exception | None = None

    @property
    def server_version(self) -> str | None:
        """The server's greeting, once it has sent a proper one."""
        return self._conn.get_extra_info("server_version") if self._conn else None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self._conn = conn

    def connection_lost(self, exc: Exception | None) -> None:
        for task in (self._check, self._signing):
            if task is not None:
                task.cancel()

    # -- the host key ------------------------------------------------------------------------------

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        """Take the key for now and have it checked; :meth:`trusted` tells what came of it."""
        shown = host_key(key.export_public_key("openssh").decode("ascii"))
        self._trace.host_key = shown
        self._trace.begin(Step.HOST_KEY)
        self._check = asyncio.create_task(self._checked(shown))
        self._check.add_done_callback(_retrieve)
        if self._signs_at_once and self._signing is None:
            self._signing = asyncio.create_task(self._sign())
            self._signing.add_done_callback(_retrieve)
        return True

    async def _checked(self, shown: HostKey) -> None:
        try:
            await self._host_keys.check(self._address, self._port, shown)
        except OpenWatchError:
            raise
        except Exception as failure:
            self.hook_failure = failure
            raise
        self._trace.begin(Step.AUTHENTICATE)

    async def trusted(self) -> None:
        """Return once the host key is trusted; raises what its check raised."""
        if self._check is None:
            raise asyncssh.HostKeyNotVerifiable("no host key was shown")
        await asyncio.shield(self._check)

    async def _may_answer(self) -> None:
        await self.trusted()
        self._note_offer()

    def _note_offer(self) -> None:
        if self._conn is not None:
            methods = self._conn.get_server_auth_methods()
            seen = {ssh_signing.AT_ONCE, "none", *self._offered}
            self._offered.extend(method for method in methods if method not in seen)

    # -- the login's own key -----------------------------------------------------------------------

    async def _sign(self) -> bool:
        """Ask to log in with the key as soon as the server is trusted; whether that was done."""
        await self.trusted()
        conn = self._conn
        if conn is None or not self._keys:
            return False
        # Signed is what was agreed on with the owner of the host key. Where that is not done, or
        # the server has to say first which signatures it takes, its service is waited for.
        if not ssh_signing.may_sign(conn) or ssh_signing.needs_server_algorithms(self._keys[0]):
            await self._may_begin.wait()
        return await ssh_signing.send_signed(conn)

    async def signed(self) -> bool:
        return self._signing is not None and await asyncio.shield(self._signing)

    def refused(self) -> None:
        self._note_offer()

    # -- what the server asks ----------------------------------------------------------------------

    def begin_auth(self, username: str) -> None:
        self.began_login = True
        self._may_begin.set()
        if self._signs_at_once and self._conn is not None:
            ssh_signing.begin_signed(self._conn, self)

    async def public_key_auth_requested(self) -> list[asyncssh.SSHKeyPair] | None:
        await self._may_answer()
        keys, self._keys = self._keys, []
        self._tried.extend(_describe(key) for key in keys)
        return keys or None

    async def password_auth_requested(self) -> str | None:
        await self._may_answer()
        return self._give_password("password")

    def password_change_requested(self, prompt: str, lang: str) -> tuple[str, str]:
        self._expired = True
        return NotImplemented

    async def kbdint_auth_requested(self) -> str | None:
        await self._may_answer()
        return None if self._password is None or self._password_given else ""

    async def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        """Answer one hidden prompt with the password, once; messages without a prompt pass."""
        await self._may_answer()
        if not prompts:
            return []
        text = " ".join(prompt.strip() for prompt, _ in prompts)
        if self._password_given and _NEW_PASSWORD.search(f"{instructions} {text}"):
            self._expired = True
            return None
        (_, echoed), *more = prompts
        if self._password_given or echoed or more or _SECOND_FACTOR.search(text):
            self._asked = text
            return None
        password = self._give_password("keyboard-interactive")
        return None if password is None else [password]

    def _give_password(self, method: str) -> str | None:
        if self._password is None or self._password_given:
            return None
        self._password_given = True
        self._tried.append(method)
        return self._password

    # -- why it failed -----------------------------------------------------------------------------

    def rejection(self, where: str, *, reason: str = "") -> OpenWatchError:
        """The error for a log-in that the server refused; ``reason`` is what it said, if so."""
        if self._expired:
            return OpenWatchError(errors.PASSWORD_EXPIRED, where=where, username=self._username)
        return OpenWatchError(
            errors.AUTH_REJECTED,
            where=where,
            username=self._username,
            detail="; ".join(self._details(reason)),
            advice=self._advice(),
        )

    def _details(self, reason: str) -> list[str]:
        offered = ", ".join(self._offered)
        details = [f"tried {', '.join(self._tried)}" if self._tried else "nothing could be tried"]
        details.append(
            f"it takes {offered}"
            if offered
            else "it takes neither key nor password nor keyboard-interactive"
        )
        if self._asked:
            details.append(f"it asks for more than a password: {errors.quoted(self._asked)}")
        if reason:
            details.append(f"it says {errors.quoted(reason)}")
        return details

    def _advice(self) -> str:
        account = f"that {self._username} exists there and may log in over SSH (AllowUsers)"
        if self._asked:
            return "Use a key for this account, or exempt it from the second factor."
        if self._password_given:
            return f"Check user name and password, and {account}."
        if self._tried:
            return (
                f"Check that the public key is in ~{self._username}/.ssh/authorized_keys there, "
                f"that nobody else may write to that file or the folders above it, and {account}."
            )
        return "Give a credential of a kind that the server takes, or allow another kind there."


def _describe(key: asyncssh.SSHKeyPair) -> str:
    kind = "certificate of key" if key.has_cert else "key"
    return f"{kind} {fingerprint(key.key_public_data)}"


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Mark the outcome as seen: a connection that ends before anybody asks for it is no news."""
    if not task.cancelled():
        task.exception()
