"""The outermost layer of every request: its id, its line in the log, the headers of its answer,
and an answer for whatever went wrong inside."""

from __future__ import annotations

import re
import time
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openwatch.api.errors import INTERNAL
from openwatch.api.problems import render, to_error
from openwatch.kit.ids import uuid7
from openwatch.kit.logging import bind, get_logger, unbind

REQUEST_ID_HEADER: Final = "X-Request-Id"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Asked every few seconds by machines: one line each would drown the others.
QUIET_PATHS: Final = frozenset({"/healthz", "/readyz"})

HSTS: Final = "max-age=31536000"
SECURITY_HEADERS: Final = {
    # Mantine puts its style sheet into <style> elements, hence 'unsafe-inline' for styles only.
    "Content-Security-Policy": "default-src 'self'; script-src 'self'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

_log = get_logger("openwatch.api")


class RequestContext:
    """Middleware, outermost."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        bind(request_id=request_id)
        started = time.monotonic()
        status: int | None = None

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message, scope, request_id)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as failure:
            error = to_error(failure, scope)
            if error.kind is INTERNAL:
                _log.exception("unhandled error", method=scope["method"], path=_path(scope))
            if status is not None:  # too late to tell: the server cuts the connection
                raise
            await render(error, scope)(scope, receive, send_with_headers)
        finally:
            _log_request(scope, status, time.monotonic() - started)
            unbind("request_id")


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
    return given if _REQUEST_ID.fullmatch(given) else uuid7().hex


def _add_headers(message: Message, scope: Scope, request_id: str) -> None:
    headers = MutableHeaders(scope=message)
    headers[REQUEST_ID_HEADER] = request_id
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    if scope["scheme"] == "https":
        headers["Strict-Transport-Security"] = HSTS
    if scope["path"].startswith("/api/"):
        headers.setdefault("Cache-Control", "no-store")


def _log_request(scope: Scope, status: int | None, seconds: float) -> None:
    client = scope.get("client")
    user = scope["state"].get("user_id")
    write = _log.debug if scope["path"] in QUIET_PATHS else _log.info
    write(
        "request",
        method=scope["method"],
        path=_path(scope),
        status=status,
        ms=round(seconds * 1000, 1),
        client=client[0] if client else None,
        user=str(user) if user else None,
    )


def _path(scope: Scope) -> str:
    """Return the path as it was sent, percent-encoded, so that it cannot forge log lines."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("ascii", "backslashreplace")
