"""Gates before every route: name of the server, origin of the page, size, time."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openwatch.api import errors
from openwatch.api.problems import BodyTooLarge
from openwatch.identity.access import SAFE_METHODS
from openwatch.identity.errors import CSRF
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.settings import Settings

MAX_BODY_BYTES: Final = 1024 * 1024
_LENGTH_DIGITS: Final = 18
# A connection test through jump hosts is the slowest answer there is.
ANSWER_SECONDS: Final = 120.0
_HOST: Final = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^:/?#@\[\]\s]+)(:[0-9]{1,5})?")
# Asked by machines that use whatever name they know; they tell nothing.
ANY_NAME: Final = frozenset({"/healthz", "/readyz"})


class KnownNames:
    """Refuses requests for names that are not this server's.

    It stops DNS rebinding: a page of a stranger's domain that resolves to this address. An IP
    address cannot be rebound, so every one is accepted.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._names = known_names(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in ANY_NAME:
            given = Headers(scope=scope).get("host", "")
            if not is_known_name(given, self._names):
                raise OpenWatchError(errors.UNKNOWN_HOST_NAME)
        await self._app(scope, receive, send)


def known_names(settings: Settings) -> frozenset[str]:
    """Return the names under which the server answers, in lower case."""
    extra = (name.strip() for name in settings.allowed_hosts.split(","))
    names = {"localhost", socket.gethostname(), settings.host, *extra}
    return frozenset(name.lower().rstrip(".") for name in names if name)


def is_known_name(host_header: str, names: frozenset[str]) -> bool:
    """True for one of ``names`` or any IP address, with or without a port."""
    name = _host_of(host_header)
    if name is None:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in names
    return True


class SameOrigin:
    """Refuses changes that a page of another origin asks for.

    Browsers say where a request comes from and pages cannot forge it; other clients say nothing.
    It also covers the requests that need no session yet: signing in and first run.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS:
            headers = Headers(scope=scope)
            if not is_same_origin(
                site=headers.get("sec-fetch-site"),
                origin=headers.get("origin"),
                host=headers.get("host", ""),
            ):
                raise OpenWatchError(CSRF, reason="it was sent by a page of another site")
        await self._app(scope, receive, send)


def is_same_origin(*, site: str | None, origin: str | None, host: str) -> bool:
    """True unless Sec-Fetch-Site (W3C Fetch Metadata), or else Origin, names another origin."""
    if site is not None:
        return site in {"same-origin", "none"}
    return origin is None or urlsplit(origin).netloc == host


class BodyLimit:
    """Refuses bodies that are too large, before or while they are read."""

    def __init__(
        self,
        app: ASGIApp,
        limit_bytes: int = MAX_BODY_BYTES,
        larger: Mapping[str, int] | None = None,
    ) -> None:
        """``larger`` are the limits of paths that take files."""
        self._app = app
        self._limit = limit_bytes
        self._larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._larger.get(scope["path"], self._limit)
        declared = Headers(scope=scope).get("content-length", "0")
        if len(declared) > _LENGTH_DIGITS or not declared.isdecimal() or int(declared) > limit:
            raise BodyTooLarge(limit)
        size = 0

        async def receive_counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                raise BodyTooLarge(limit)
            return message

        await self._app(scope, receive_counted, send)


class Deadline:
    """Stops work whose answer does not begin in time. A stream, once begun, may last."""

    def __init__(self, app: ASGIApp, seconds: float = ANSWER_SECONDS) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = asyncio.timeout(self._seconds)
        try:
            async with limit:
                await self._app(scope, receive, _lifting(limit, send))
        except TimeoutError:
            if not limit.expired():
                raise
            raise OpenWatchError(errors.TIMED_OUT, seconds=round(self._seconds)) from None


def _lifting(limit: asyncio.Timeout, send: Send) -> Send:
    async def send_and_lift(message: Message) -> None:
        if message["type"] == "http.response.start" and not limit.expired():
            limit.reschedule(None)
        await send(message)

    return send_and_lift


def _host_of(host_header: str) -> str | None:
    """Return the name in a Host header (RFC 9110, 7.2) in lower case, without port and brackets."""
    found = _HOST.fullmatch(host_header.lower())
    return None if found is None else found["name"].strip("[]").rstrip(".")
