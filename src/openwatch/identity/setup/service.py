"""First run: one person, who holds the printed link, makes the first administrator."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.db.engine import Database
from openwatch.identity import errors
from openwatch.identity.sessions import service as sessions
from openwatch.identity.sessions import tokens
from openwatch.identity.sessions.service import Client, Limits, SignedIn
from openwatch.identity.setup import store
from openwatch.identity.setup.schema import SetupRequest
from openwatch.identity.users import service as users
from openwatch.identity.users.service import NewUser
from openwatch.identity.users.store import StoredUser
from openwatch.kit.errors import OpenWatchError


async def is_required(conn: AsyncConnection) -> bool:
    """Return True so long as nobody can sign in."""
    return not await users.any_exists(conn)


async def issue_setup_token(tx: AsyncConnection) -> str | None:
    """Return a new token for the first-run link, or None when there is an administrator.

    Only its hash is stored. Every token stays valid until the first administrator exists.
    """
    if not await is_required(tx):
        return None
    token = tokens.new_token()
    hashed = tokens.token_hash(token)
    assert hashed is not None
    await store.add(tx, hashed)
    return token


async def create_first_admin(
    tx: AsyncConnection, username: str, password: str, *, display_name: str = "Administrator"
) -> StoredUser:
    """Make the first administrator.

    Raises ``setup.done`` when there is one, also when another process makes it at this moment;
    ``user.*`` and ``password.*`` errors for what cannot be accepted.
    """
    if not await is_required(tx):
        raise OpenWatchError(errors.SETUP_DONE)
    return await _add_first(tx, await users.prepare(username, display_name, password))


async def complete(
    db: Database, request: SetupRequest, *, client: Client, limits: Limits
) -> SignedIn:
    """Make the first administrator with the token of the link and sign that person in.

    Raises ``setup.token_invalid`` and what ``create_first_admin`` raises.
    """
    async with db.read() as conn:
        await _check_token(conn, request.token)
    new = await users.prepare(request.username, request.display_name, request.password)
    async with db.transaction() as tx:
        user = await _add_first(tx, new)
        return await sessions.start(tx, user, client=client, limits=limits)


async def _check_token(conn: AsyncConnection, token: str) -> None:
    if not await is_required(conn):
        raise OpenWatchError(errors.SETUP_DONE)
    hashed = tokens.token_hash(token)
    if hashed is None or not await store.exists(conn, hashed):
        raise OpenWatchError(errors.SETUP_TOKEN_INVALID)


async def _add_first(tx: AsyncConnection, new: NewUser) -> StoredUser:
    await users.lock_out_writers(tx)
    if not await is_required(tx):
        raise OpenWatchError(errors.SETUP_DONE)
    user = await users.add(tx, new)
    await store.remove_all(tx)
    return user
