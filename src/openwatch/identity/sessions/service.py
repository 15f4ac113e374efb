"""Signing in, staying signed in, signing out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.db.engine import Database
from openwatch.identity import errors
from openwatch.identity.permissions import granted_to_administrators
from openwatch.identity.sessions import store, tokens
from openwatch.identity.sessions.schema import Session
from openwatch.identity.sessions.store import NewSession, StoredSession
from openwatch.identity.throttle import service as throttle
from openwatch.identity.users import passwords
from openwatch.identity.users import service as users
from openwatch.identity.users.schema import User
from openwatch.identity.users.store import StoredUser
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.ids import uuid7
from openwatch.kit.logging import get_logger
from openwatch.kit.settings import Settings
from openwatch.signals.service import Subject, emit

# The time of last use is written at most this often, not with every request.
TOUCH_EVERY: Final = timedelta(minutes=1)
USER_AGENT_MAX: Final = 256

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session may be idle, and how long it may last."""

    idle: timedelta
    lifetime: timedelta

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        return cls(
            timedelta(minutes=settings.session_idle_minutes),
            timedelta(hours=settings.session_absolute_hours),
        )


@dataclass(frozen=True, slots=True)
class Client:
    """Where a sign-in comes from."""

    address: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session. The token goes into the cookie and is kept nowhere else."""

    token: str = field(repr=False)
    session: Session


async def sign_in(
    db: Database,
    *,
    username: str,
    password: str,
    client: Client,
    limits: Limits,
    old_token: str | None = None,
) -> SignedIn:
    """Check name and password and start a session; a session that was presented ends.

    Raises ``auth.invalid_credentials`` (the same for an unknown name), ``auth.locked``,
    ``auth.busy``. No transaction is open while the password is checked, which is slow.
    """
    attempt = await throttle.reserve(db, username=username, address=client.address)
    async with db.read() as conn:
        user = await users.find(conn, username)
    stored_hash = None if user is None else user.password_hash
    try:
        checked = await passwords.check_password(password, stored_hash)
    except OpenWatchError:
        await throttle.take_back(db, attempt)
        raise
    if user is None or not checked.matches:
        _log.warning("sign-in failed", address=client.address, user=user and str(user.id))
        raise OpenWatchError(errors.INVALID_CREDENTIALS)
    async with db.transaction() as tx:
        settled = await users.settle_hash(
            tx,
            user.id,
            checked_hash=user.password_hash,
            upgraded_hash=checked.upgraded_hash,
        )
        if settled is None:
            raise OpenWatchError(errors.INVALID_CREDENTIALS)
        await throttle.succeed(tx, attempt)
        if old_token is not None:
            await _end_presented(tx, old_token, limits=limits)
        return await start(tx, settled, client=client, limits=limits)


async def start(
    tx: AsyncConnection, user: StoredUser, *, client: Client, limits: Limits
) -> SignedIn:
    """Start a session for a user who has proved who they are; sweep sessions that ran out."""
    for ended in await store.end_expired(tx, idle=limits.idle):
        await _tell_ended(tx, ended["id"], ended["user_id"], reason="expired")
    token = tokens.new_token()
    hashed = tokens.token_hash(token)
    assert hashed is not None
    session = NewSession(
        id=uuid7(),
        user_id=user.id,
        token_hash=hashed,
        address=client.address,
        user_agent=(client.user_agent or "")[:USER_AGENT_MAX] or None,
    )
    await store.add(tx, session, lifetime=limits.lifetime)
    await emit(
        tx,
        "session.created",
        subject=Subject("session", session.id),
        data={"user_id": str(user.id), "username": user.username, "address": client.address},
    )
    stored = await store.find(tx, hashed, idle=limits.idle)
    assert stored is not None
    return SignedIn(token, describe(stored, token=token))


async def resume(
    db: Database, token: str, *, limits: Limits, is_background: bool = False
) -> StoredSession | None:
    """Return the living session of a token and note that it is used, or None.

    Requests that no person caused (``is_background``) do not keep a session alive.
    """
    hashed = tokens.token_hash(token)
    if hashed is None:
        return None
    async with db.read() as conn:
        session = await store.find(conn, hashed, idle=limits.idle)
    if session is None or is_background or session.age < min(TOUCH_EVERY, limits.idle / 10):
        return session
    async with db.transaction() as tx:
        await store.touch(tx, session.id)
        return await store.find(tx, hashed, idle=limits.idle)


async def find_living(
    conn: AsyncConnection, session_id: UUID, *, limits: Limits
) -> StoredSession | None:
    """Return a session that has not ended, without noting a use."""
    return await store.find_by_id(conn, session_id, idle=limits.idle)


async def sign_out(tx: AsyncConnection, session_id: UUID, user_id: UUID) -> None:
    """End a session. Ending one twice is no error."""
    if await store.end(tx, session_id):
        await _tell_ended(tx, session_id, user_id, reason="signed_out")


def permissions_of(_session: StoredSession) -> frozenset[str]:
    """Return the permissions that a session holds."""
    return granted_to_administrators()


def describe(session: StoredSession, *, token: str) -> Session:
    """Return what the person who holds ``token`` may know of the session."""
    return Session(
        user=User(id=session.user_id, username=session.username, display_name=session.display_name),
        permissions=sorted(permissions_of(session)),
        csrf_token=tokens.csrf_token(token),
        expires_at=session.expires_at,
        idle_expires_at=session.idle_expires_at,
    )


async def _end_presented(tx: AsyncConnection, token: str, *, limits: Limits) -> None:
    hashed = tokens.token_hash(token)
    if hashed is None:
        return
    old = await store.find(tx, hashed, idle=limits.idle)
    if old is not None and await store.end(tx, old.id):
        await _tell_ended(tx, old.id, old.user_id, reason="replaced")


async def _tell_ended(tx: AsyncConnection, session_id: UUID, user_id: UUID, *, reason: str) -> None:
    data: dict[str, Any] = {"user_id": str(user_id), "reason": reason}
    await emit(tx, "session.ended", subject=Subject("session", session_id), data=data)
