"""Signing in and out over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response, status

from openwatch.db.requests import Db
from openwatch.identity.access import (
    Caller,
    SessionToken,
    client_of,
    session_limits,
    signed_in,
)
from openwatch.identity.cookies import clear_session_cookie, set_session_cookie
from openwatch.identity.sessions import service
from openwatch.identity.sessions.schema import Session, SignIn

router = APIRouter(tags=["session"])


@router.post("/session", status_code=status.HTTP_201_CREATED)
async def sign_in(
    body: SignIn, request: Request, response: Response, db: Db, token: SessionToken
) -> Session:
    """Sign in. Sets the session cookie; a session that was presented ends."""
    signed = await service.sign_in(
        db,
        username=body.username,
        password=body.password,
        client=client_of(request),
        limits=session_limits(request),
        old_token=token,
    )
    set_session_cookie(response, signed.token, is_secure=request.url.scheme == "https")
    return signed.session


@router.get("/session")
async def get_session(caller: Annotated[Caller, signed_in()]) -> Session:
    """Return who is signed in, what that person may do, and the CSRF token."""
    return service.describe(caller.session, token=caller.token)


@router.delete("/session", status_code=status.HTTP_204_NO_CONTENT)
async def sign_out(
    request: Request, response: Response, caller: Annotated[Caller, signed_in()], db: Db
) -> None:
    """Sign out. The session ends on the server, and the cookie is removed."""
    async with db.transaction() as tx:
        await service.sign_out(tx, caller.session_id, caller.user_id)
    clear_session_cookie(response, is_secure=request.url.scheme == "https")
