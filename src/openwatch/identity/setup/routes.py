"""First run over HTTP."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response, status

from openwatch.db.requests import Db
from openwatch.identity.access import client_of, session_limits
from openwatch.identity.cookies import set_session_cookie
from openwatch.identity.sessions.schema import Session
from openwatch.identity.setup import service
from openwatch.identity.setup.schema import SetupRequest, SetupState

router = APIRouter(tags=["setup"])


@router.get("/setup")
async def get_setup(db: Db) -> SetupState:
    """Tell whether the first administrator is still to be made."""
    async with db.read() as conn:
        return SetupState(required=await service.is_required(conn))


@router.post("/setup", status_code=status.HTTP_201_CREATED)
async def complete_setup(
    body: SetupRequest, request: Request, response: Response, db: Db
) -> Session:
    """Make the first administrator with the one-time token, and sign in."""
    signed = await service.complete(
        db, body, client=client_of(request), limits=session_limits(request)
    )
    set_session_cookie(response, signed.token, is_secure=request.url.scheme == "https")
    return signed.session
