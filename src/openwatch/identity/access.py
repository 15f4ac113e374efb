"""The guard in front of routes: who calls, is it really that person, may that person do this.

Every route outside the public ones has exactly one guard: ``requires(permission)`` or
``signed_in()``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie

from openwatch.db.requests import Db
from openwatch.identity import errors
from openwatch.identity.permissions import permission
from openwatch.identity.sessions import service as sessions
from openwatch.identity.sessions import tokens
from openwatch.identity.sessions.service import Client, Limits
from openwatch.identity.sessions.store import StoredSession
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.settings import Settings

COOKIE: Final = "openwatch_session"
CSRF_HEADER: Final = "X-CSRF-Token"
# Sent by the UI with requests that no person caused, so that they do not keep a session alive.
BACKGROUND_HEADER: Final = "X-Background-Refresh"
EVENT_STREAM: Final = "text/event-stream"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_cookie: Final = APIKeyCookie(
    name=COOKIE,
    scheme_name="session",
    description="Set by POST /session. Requests that change something also need X-CSRF-Token.",
    auto_error=False,
)
SessionToken = Annotated[str | None, Security(_cookie)]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent the request, proved by a living session."""

    user_id: UUID
    username: str
    permissions: frozenset[str]
    session_id: UUID
    session: StoredSession = field(repr=False)
    token: str = field(repr=False)


async def _authenticate(request: Request, db: Db, token: SessionToken) -> Caller:
    """Return the caller of a request, looked up once however many guards ask.

    Raises ``auth.required``, and ``auth.csrf`` for a request that could change something.
    """
    if token is None:
        raise OpenWatchError(errors.REQUIRED)
    is_background = _is_background(request)
    limits = session_limits(request)
    session = await sessions.resume(db, token, limits=limits, is_background=is_background)
    if session is None:
        raise OpenWatchError(errors.REQUIRED)
    if request.method not in SAFE_METHODS:
        _check_csrf(request.headers.get(CSRF_HEADER), token)
    request.state.user_id = session.user_id
    held = sessions.permissions_of(session)
    return Caller(session.user_id, session.username, held, session.id, session, token)


AnyCaller = Annotated[Caller, Depends(_authenticate)]


@dataclass(frozen=True, slots=True)
class Guard:
    """A dependency that lets a caller pass who holds ``permission`` (None: any caller)."""

    permission: str | None

    async def __call__(self, caller: AnyCaller) -> Caller:
        """Return the caller; raises ``auth.forbidden``."""
        if self.permission is not None and self.permission not in caller.permissions:
            raise OpenWatchError(errors.FORBIDDEN, permission=self.permission)
        return caller


def requires(name: str) -> Any:
    """Return the dependency for routes that need a permission.

    ``caller: Annotated[Caller, requires("host:read")]``. Raises ``ValueError`` while the module is
    imported when no permission has that name.
    """
    return Depends(Guard(permission(name).name))


def signed_in() -> Any:
    """Return the dependency for routes that need a session and no permission."""
    return Depends(Guard(None))


def settings_of(request: Request) -> Settings:
    """Return the settings of the app that serves ``request``."""
    settings = request.app.state.settings
    assert isinstance(settings, Settings)
    return settings


def session_limits(request: Request) -> Limits:
    """Return how long sessions last in the app that serves ``request``."""
    return Limits.of(settings_of(request))


def client_of(request: Request) -> Client:
    """Return where ``request`` comes from: the peer of the socket, never a header."""
    address = None if request.client is None else request.client.host
    return Client(address=address, user_agent=request.headers.get("user-agent"))


def _is_background(request: Request) -> bool:
    """True for requests that no person causes; a live stream reconnects by itself for ever."""
    return request.headers.get(BACKGROUND_HEADER) == "1" or EVENT_STREAM in request.headers.get(
        "accept", ""
    )


def _check_csrf(given: str | None, token: str) -> None:
    if given is None:
        raise OpenWatchError(errors.CSRF, reason=f"the header {CSRF_HEADER} is missing")
    if not tokens.is_csrf_token(given, token=token):
        raise OpenWatchError(errors.CSRF, reason=f"{CSRF_HEADER} belongs to another session")
